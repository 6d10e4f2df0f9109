"""Push, patches, pull, growth, first sync and the cell roster, each beside its floor, interleaved in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench import served
from bench.phone import BenchPhone
from bench.report import Line, growth, ratio
from bench.served import Cost, Served
from bench.workload import CELLS, Ground, Maker, lay_ground, plain_records
from server.app import create_app, house_of
from server.services.snapshots import zstd
from server.settings import Settings
from server.start import prepare
from sync.cursor import LAST_PAGE_ROWS

BATCH = 500
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: ``small`` and ``large`` stored records, rounds of each measure."""

    small: int = 10_000
    large: int = 200_000
    households: int = 2_000
    rounds: int = 10


@dataclass(slots=True)
class _Rounds:
    ours: list[Cost] = field(default_factory=list)
    floor: list[Cost] = field(default_factory=list)


@dataclass(slots=True)
class _Stage:
    """What is measured at one number of stored records."""

    patch: _Rounds = field(default_factory=_Rounds)
    pull: _Rounds = field(default_factory=_Rounds)
    incremental: list[Cost] = field(default_factory=list)
    roster: list[Cost] = field(default_factory=list)
    roster_floor: list[Cost] = field(default_factory=list)
    first_sync: tuple[int, Cost, float] = (0, Cost(0, 0), 0.0)
    prepared: tuple[int, Cost, float, float] = (0, Cost(0, 0), 0.0, 0.0)


def measure(size: Size, say: Callable[[str], None]) -> list[Line]:
    """All lines about records; ``say`` is told how far it is."""
    with tempfile.TemporaryDirectory(prefix="dishu-bench-") as name:
        folder = Path(name)
        ground = prepare_ground(folder)
        with served.product(folder) as product, served.floors(folder) as floor:
            return _Run(size, ground, product, floor, say).lines()


def prepare_ground(folder: Path, database_url: str | None = None) -> Ground:
    """A prepared database with the community that is measured."""
    changes = {"database_url": database_url} if database_url else {}
    house = house_of(create_app(Settings.in_folder(folder, **changes)))
    prepare(house)
    ground = lay_ground(house)
    house.engine.dispose()
    return ground


class _Run:
    def __init__(self, size: Size, ground: Ground, product: Served, floor: Served, say: Callable[[str], None]) -> None:
        self.size, self.ground, self.product, self.floor, self.say = size, ground, product, floor, say
        self.codes = list(ground.codes[0])
        self.writer = BenchPhone(product, self.codes.pop())
        self.maker = Maker()
        self.known: list[dict[str, Any]] = []
        self.filled = _Rounds()
        self.stored_at: list[int] = []
        self.floor_ids: list[str] = []

    def lines(self) -> list[Line]:
        size = self.size
        self._settle_other_cell()
        for groups in self.maker.homes(size.households):
            self.writer.push([groups])
        margin = size.rounds // 2 * BATCH
        self._fill(size.small + margin)
        near = [n for n, stored in enumerate(self.stored_at) if size.small - margin <= stored < size.small + margin]
        small = self._stage()
        self.say(f"measured at {len(self.known):,} stored")
        self._fill(size.large)
        large = self._stage()
        self.say(f"measured at {len(self.known):,} stored")
        ours, floor = self.filled.ours, self.filled.floor
        early = [ours[n] for n in near]
        whole = ratio("new", ours, floor, BATCH)
        average = sum(one.wall_s for one in floor) / sum(one.wall_s for one in ours)
        rows, cost, floor_us = large.first_sync
        file_rows, file_cost, file_us, bytes_ratio = small.prepared
        return [
            ratio(f"new records, {size.small:,} stored", early, [floor[n] for n in near], BATCH, 0.25),
            Line(f"new records, filling to {size.large:,}", average, "of the floor", 0.17, note=whole.note),
            ratio(f"patches, {size.small:,} stored", small.patch.ours, small.patch.floor, BATCH, 0.4),
            ratio(f"patches, {size.large:,} stored", large.patch.ours, large.patch.floor, BATCH, 0.4),
            ratio(f"pull pages of {PAGE:,}, {size.small:,} stored", small.pull.ours, small.pull.floor, PAGE, 1.0),
            ratio(f"pull pages of {PAGE:,}, {size.large:,} stored", large.pull.ours, large.pull.floor, PAGE, 1.0),
            growth("growth of a push of new records", early, ours[-size.rounds :], 1.5),
            growth("growth of a push of patches", small.patch.ours, large.patch.ours, 1.5),
            growth("growth of an incremental pull of 500", small.incremental, large.incremental, 1.5),
            growth("growth of a cell roster of 1,000", small.roster, large.roster, 1.5),
            Line(
                "first sync of a phone",
                floor_us / (cost.wall_s / rows * 1e6),
                "of the floor",
                note=f"{rows:,} rows in {cost.wall_s:.1f} s, CPU {cost.cpu_s:.1f} s; the floor reads pages of the same sizes",
            ),
            Line(
                f"first sync by a prepared file, {file_rows:,} rows",
                file_us / (file_cost.wall_s / file_rows * 1e6),
                "of the floor",
                1.0,
                note=f"{file_cost.wall_s * 1e3:.0f} ms, CPU {file_cost.cpu_s * 1e3:.0f} ms; the floor reads pages of the same sizes",
            ),
            Line("bytes of that on the line", bytes_ratio, "of the same records in zstd", 1.15, most=True),
            ratio(f"cell roster of {PAGE:,}, {size.large:,} stored", large.roster, large.roster_floor, PAGE),
        ]  # fmt: skip

    def _settle_other_cell(self) -> None:
        """The cell whose roster is measured: 1,000 persons, whatever the first cell holds."""
        maker, phone = Maker(2), BenchPhone(self.product, self.ground.codes[1][0])
        for groups in maker.homes(50, cell=1):
            phone.push([groups])
        for _ in range(2):
            phone.push([[maker.person()] for _ in range(500)])

    def _fill(self, stored: int) -> None:
        while len(self.known) < stored:
            operations = [self.maker.person() for _ in range(BATCH)]
            records = plain_records(operations)
            self.stored_at.append(len(self.known))
            if len(self.stored_at) % 2:
                self._insert(records)
            results, cost, _ = self.writer.push([[one] for one in operations])
            self.filled.ours.append(cost)
            if len(self.stored_at) % 2 == 0:
                self._insert(records)
            self.known += [one["record"] for one in results]
            self.floor_ids += [one["id"] for one in records]
            self.floor.post("/widen", {"records": records})
            if len(self.known) % 20_000 == 0:
                self.say(f"{len(self.known):,} stored; the last batch took {cost.wall_s * 1e3:.0f} ms")

    def _insert(self, records: list[dict[str, Any]]) -> None:
        self.filled.floor.append(self.floor.post("/insert", {"records": records})[1])

    def _stage(self) -> _Stage:
        stage = _Stage()
        reader = BenchPhone(self.product, self.codes.pop())
        self._pages(stage, reader)
        if self.size.large > len(self.known):
            stage.prepared = self._prepared_sync()
        stage.first_sync = self._first_sync() if self.size.large <= len(self.known) else stage.first_sync
        reader.pull_all()
        self._patches(_Stage(), None, 1)  # warm
        reader.pull_all()
        self._patches(stage, reader, self.size.rounds)
        for number in range(self.size.rounds + 2):
            status, content, cost = self.product.ask(
                "GET", f"/api/v1/cells/{CELLS[1]}/roster/persons?limit=1000", headers={"Authorization": f"Bearer {self.ground.read_token}"}
            )
            if status != 200:
                raise RuntimeError(f"roster: {status} {content[:300]!r}")
            beside = self.floor.post("/read", {"after": 0, "limit": PAGE})[1]
            if number > 1:
                stage.roster.append(cost)
                stage.roster_floor.append(beside)
        return stage

    def _pages(self, stage: _Stage, reader: BenchPhone) -> None:
        reader.pull(PAGE)  # the first page holds buildings, dwellings and households
        for _ in range(self.size.households * 2 // PAGE):
            reader.pull(PAGE)
        after = PAGE  # and one of each to warm up
        reader.pull(PAGE), self.floor.post("/read", {"after": 0, "limit": PAGE})
        for _ in range(min(self.size.rounds, len(self.known) // PAGE - 2)):
            told, cost = self.floor.post("/read", {"after": after, "limit": PAGE})
            assert len(told["rows"]) == PAGE
            page, mine = reader.pull(PAGE)
            assert len(page["rows"]) == PAGE, len(page["rows"])
            stage.pull.floor.append(cost)
            stage.pull.ours.append(mine)
            after += PAGE

    def _first_sync(self) -> tuple[int, Cost, float]:
        """Everything to a new phone: (rows, cost, what the floor's pages of the same sizes cost in µs a row)."""
        rows, cost = BenchPhone(self.product, self.codes.pop()).pull_all()
        return rows, cost, self._floor_of_pages()

    def _prepared_sync(self) -> tuple[int, Cost, float, float]:
        """The same by the prepared file that others have made before: and its bytes beside those of the records in zstd."""
        phone = BenchPhone(self.product, self.codes.pop())
        phone.prepared()
        said, content, cost = phone.prepared()
        rows = said["rows"] + [row for one in content for row in orjson.loads(zstd.decompress(one))["rows"]]
        lines = b"".join(orjson.dumps(row["record"]) + b"\n" for row in rows if row["kind"] == "PUT")
        return len(rows), cost, self._floor_of_pages(), sum(map(len, content)) / len(zstd.compress(lines))

    def _floor_of_pages(self) -> float:
        """What the floor's pages of a first sync's sizes cost in µs a row."""
        after, limit, floor_s = 0, PAGE, 0.0
        while after < len(self.known):
            told, one = self.floor.post("/read", {"after": after, "limit": limit})
            floor_s += one.wall_s
            after += len(told["rows"])
            limit = min(limit * 2, LAST_PAGE_ROWS)
        return floor_s / after * 1e6

    def _patches(self, stage: _Stage, reader: BenchPhone | None, rounds: int) -> None:
        maker = self.maker
        for number in range(rounds):
            chosen = maker.chance.sample(range(len(self.known)), BATCH)
            value = f"单位{maker.chance.randrange(10**6)}"
            operations = [maker.patch(self.known[place], "employer_text", value) for place in chosen]
            changes = [{"id": self.floor_ids[place], "set": {"employer_text": value}} for place in chosen]
            if number % 2:
                stage.patch.floor.append(self.floor.post("/patch", {"changes": changes})[1])
            results, cost, _ = self.writer.push([[one] for one in operations])
            stage.patch.ours.append(cost)
            if number % 2 == 0:
                stage.patch.floor.append(self.floor.post("/patch", {"changes": changes})[1])
            for place, one in zip(chosen, results, strict=True):
                self.known[place] = one["record"]
            if reader is not None:
                page, cost = reader.pull()
                assert page["complete"] and len(page["rows"]) == BATCH, (page["complete"], len(page["rows"]))
                stage.incremental.append(cost)
