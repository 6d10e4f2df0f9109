"""A community with three published cells, installs that speak HTTP as phones do, and an oracle that recounts every stream."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import shapely

from forms.registry import load_registry
from geo.cells import read_cells
from server.app import create_app, house_of
from server.house import House, uuid7
from server.permissions import Actor
from server.services import accounts, assignments, enrolment
from server.services.accounts import OPERATOR
from server.services.editions import publish_edition
from server.settings import Settings
from server.start import prepare
from server.store import assignments as places
from server.store import people
from server.store.database import read, run, stamp, write
from sync.digest import MODULUS, from_hex, record_hash, status_hash

COMMUNITY, CODE = "c-sync", "999999003001"
WEST, SOUTH, SIZE = 120.60, 31.30, 0.01
FIRST_DAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PASSWORD = "a-made-up-password"
KEY = b"a made-up key of thirty-two bytes"


def cells(count: int, *, shift: float = 0.0, first: int = 1) -> Any:
    """A draft edition of square cells in a row from west to east; ``shift`` moves the row eastwards."""
    features = []
    for number in range(count):
        west = WEST + shift + number * SIZE
        box = shapely.box(west, SOUTH, west + SIZE, SOUTH + SIZE)
        features.append(
            {
                "type": "Feature",
                "properties": {"code": f"{CODE}{number + first:03d}", "name": f"第{number + first}网格"},
                "geometry": json.loads(shapely.to_geojson(box)),
            }
        )
    return read_cells({"type": "FeatureCollection", "features": features}, datum="cgcs2000")


def anchor(number: float) -> dict[str, Any]:
    """A location in the middle of a cell by its number from 0; below 0 or above 2 it lies outside."""
    return {
        "lon": round(WEST + (number + 0.5) * SIZE, 7), "lat": SOUTH + SIZE / 2, "datum": "cgcs2000", "accuracy_m": 2,
        "confidence": 0.95, "method": "survey",
    }  # fmt: skip


def furnish(url: str) -> None:
    """Fill an empty database: a community, its secretary, and an edition of three cells."""
    with tempfile.TemporaryDirectory() as folder:
        house = _house(url, Path(folder), lambda: FIRST_DAY)[1]
        prepare(house)
        with write(house.engine) as connection:
            new = places.Community(COMMUNITY, CODE, "示例社区", CODE[:9], CODE[:6], "cn-grid-15")
            places.add_community(connection, new, at=stamp(FIRST_DAY))
        accounts.add_user(
            house, OPERATOR, login="secretary-1", name="某书记", role="secretary", password=PASSWORD, community_id=COMMUNITY
        )
        publish_edition(house, _secretary(house), COMMUNITY, cells(3))
        house.engine.dispose()


def furnish_wide(url: str) -> None:
    """As `furnish`, with 240 cells: so many records as the soak makes do not lie in three."""
    furnish_empty(url)
    with tempfile.TemporaryDirectory() as folder:
        house = _house(url, Path(folder), lambda: FIRST_DAY)[1]
        publish_edition(house, _secretary(house), COMMUNITY, cells(240))
        house.engine.dispose()


def furnish_empty(url: str) -> None:
    """As `furnish`, but no edition is in force yet."""
    with tempfile.TemporaryDirectory() as folder:
        house = _house(url, Path(folder), lambda: FIRST_DAY)[1]
        prepare(house)
        with write(house.engine) as connection:
            new = places.Community(COMMUNITY, CODE, "示例社区", CODE[:9], CODE[:6], "cn-grid-15")
            places.add_community(connection, new, at=stamp(FIRST_DAY))
        accounts.add_user(
            house, OPERATOR, login="secretary-1", name="某书记", role="secretary", password=PASSWORD, community_id=COMMUNITY
        )
        house.engine.dispose()


def _house(url: str, folder: Path, clock: Callable[[], datetime], **changes: Any) -> tuple[Any, House]:
    given = {"key": KEY, "sign_in_per_minute": 10_000, "enrol_per_minute": 10_000} | changes
    app = create_app(Settings.in_folder(folder, database_url=url, **given), clock=clock, new_id=uuid7)
    return app, house_of(app)


def _secretary(house: House) -> Actor:
    with read(house.engine) as connection:
        found = next(one for one in people.users(connection, None) if one.role == "secretary")
    return Actor(found.user_id, "secretary", COMMUNITY, name=found.name)


@dataclass
class Ground:
    """The community in a running application without a network."""

    app: Any
    house: House
    secretary: Actor
    cells: list[str]
    workers: int = 0
    assigned: dict[tuple[str, int], str] = field(default_factory=dict)

    @property
    def streams(self) -> list[str]:
        """The streams of the cells from west to east."""
        return [f"cell/{one}" for one in self.cells]

    def worker(self, *numbers: int, **days: str) -> Phone:
        """The phone of a new grid worker who is assigned to cells by number; it has pulled once."""
        self.workers += 1
        user = accounts.add_user(
            self.house, self.secretary, login=f"worker-{self.workers}", name=f"网格员{self.workers}", role="grid_worker",
            password=PASSWORD,
        )  # fmt: skip
        for number in numbers:
            self.assign(user.user_id, number, **days)
        return self.enrol(user.user_id)

    def enrol(self, user_id: str) -> Phone:
        """Another phone of a user; it has pulled once."""
        code, _ = enrolment.create_code(self.house, self.secretary, user_id)
        made = enrolment.enrol(self.house, code, label="phone", app_version="1")
        phone = Phone(self, made.install_id, made.device_token, user_id)
        phone.pull()
        return phone

    def assign(self, user_id: str, number: int, **days: str) -> None:
        """Give a cell to a worker."""
        found = assignments.assign(self.house, self.secretary, user_id=user_id, cell_id=self.cells[number], **days)
        self.assigned[user_id, number] = found.assignment_id

    def unassign(self, user_id: str, number: int) -> None:
        """Take a cell from a worker."""
        assignments.revoke(self.house, self.secretary, self.assigned[user_id, number])

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """What the database says; ``?`` marks parameters."""
        with read(self.house.engine) as connection:
            return list(run(connection, statement, parameters))

    def record(self, record_id: str) -> Any:
        """The stored row of a record, its fields read; None when there is none."""
        found = self.rows("SELECT * FROM record WHERE community_id = ? AND id = ?", COMMUNITY, record_id)
        return found[0] if found else None

    def fields(self, record_id: str) -> dict[str, Any]:
        """The stored fields of a record."""
        fields: dict[str, Any] = json.loads(self.record(record_id).fields)
        return fields

    def count(self) -> int:
        """How many records there are, versions of reference data aside."""
        return int(self.rows("SELECT count(*) FROM record WHERE type <> 'reference'")[0][0])

    def base(self, record_id: str) -> dict[str, Any]:
        """(v, tag) of a record now, as a base."""
        row = self.record(record_id)
        return {"v": row.v, "tag": row.tag}

    def close(self) -> None:
        """Let go of the database."""
        self.house.engine.dispose()


def open_ground(url: str, folder: Path, clock: Callable[[], datetime] = lambda: FIRST_DAY, **changes: Any) -> Ground:
    """The community of a database that `furnish` has filled."""
    app, house = _house(url, folder, clock, **changes)
    with read(house.engine) as connection:
        statement = (
            "SELECT c.cell_id FROM cell c JOIN edition e ON e.community_id = c.community_id "
            "AND e.edition_id = c.edition_id WHERE e.state = 'published' ORDER BY c.code"
        )
        found = [row.cell_id for row in run(connection, statement)]
    return Ground(app, house, _secretary(house), found)


@dataclass
class Phone:
    """An install that writes operations and speaks HTTP; ``copies`` is what its streams hold."""

    ground: Ground
    install_id: str
    token: str
    user_id: str
    n: int = 0
    op_id: str | None = None
    cursor: str | None = None
    scope: dict[str, int] = field(default_factory=lambda: {"version": 0, "last_n": 0})
    copies: dict[str, dict[str, tuple[int, str]]] = field(default_factory=lambda: defaultdict(dict))
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    removed: list[tuple[str, str, str]] = field(default_factory=list)
    departures: dict[str, Any] | None = None
    told: dict[str, Any] = field(default_factory=dict)
    seen: list[tuple[str, int]] = field(default_factory=list)

    # ------------------------------------------------------------ HTTP
    def post(self, what: str, body: Any, **options: Any) -> Any:
        """A request with this phone's token; the raw answer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.ground.app.test_client().post(f"/api/v1/sync/{what}", json=body, headers=headers, **options)

    def batch(self, groups: Sequence[Sequence[dict[str, Any] | str]], *, after: tuple[int, str | None] | None = None) -> dict[str, Any]:
        """The body of a push that goes on after the last number (or ``after``)."""
        n, op_id = after if after is not None else (self.n, self.op_id)
        body: dict[str, Any] = {
            "protocol": 1, "install_id": self.install_id, "after": {"n": n, "op_id": op_id}, "scope": self.scope,
            "departures": self.departures, "sent_at": stamp(self.ground.house.clock()), "groups": [],
        }  # fmt: skip
        for group in groups:
            members = []
            for one in group:
                n += 1
                members.append({"n": n, "op": one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)})
            body["groups"].append({"ops": members})
        return body

    def send(self, body: dict[str, Any]) -> dict[str, Any]:
        """Send a body; the answer, which must be 200."""
        answer = self.post("push", body)
        assert answer.status_code == 200, (answer.status_code, answer.data)
        said: dict[str, Any] = json.loads(answer.data)
        self.n, self.op_id = said["applied"]["n"], said["applied"]["op_id"]
        return said

    def push(self, *groups: Sequence[dict[str, Any] | str]) -> list[dict[str, Any]]:
        """Push groups of operations; the results."""
        said = self.send(self.batch(groups))
        assert "expected" not in said, said
        results: list[dict[str, Any]] = said["results"]
        return results

    def outcomes(self, *groups: Sequence[dict[str, Any] | str]) -> list[tuple[str, str | None]]:
        """Push groups; (outcome, reason) of each operation now."""
        return [(one["now"]["outcome"], one["now"]["reason"]) for one in self.push(*groups)]

    def write(self, *operations: dict[str, Any]) -> list[dict[str, Any]]:
        """Push each operation as a group of its own; every one must be final and not in dispute."""
        results = self.push(*[[one] for one in operations])
        assert all(one["now"]["outcome"] in {"applied", "merged", "unchanged"} for one in results), results
        return results

    # ------------------------------------------------------------ pull
    def page(self, limit: int | None = None, **more: Any) -> dict[str, Any]:
        """One page, kept as a phone keeps it."""
        body = {"protocol": 1, "install_id": self.install_id, "cursor": self.cursor, "limit": limit, **more}
        answer = self.post("pull", body)
        assert answer.status_code == 200, (answer.status_code, answer.data)
        said: dict[str, Any] = json.loads(answer.data)
        self.cursor = said["cursor"]
        if said["scope"]["version"] != self.scope["version"]:
            self.scope = {"version": said["scope"]["version"], "last_n": self.n}
        for stream in said["replace"]:
            self.copies[stream].clear()
        for stream in said["scope"]["dropped"]:
            self.copies.pop(stream, None)
        for row in said["rows"]:
            self._keep(row)
        if said["complete"]:
            self._check(said)
        return said

    def pull(self, limit: int | None = None, *, pages: int = 10_000, **more: Any) -> list[dict[str, Any]]:
        """Pull until complete; every page."""
        found = []
        for _ in range(pages):
            found.append(self.page(limit, **more))
            more.pop("replace", None)
            if found[-1]["complete"]:
                return found
        raise AssertionError("the pull never completes")

    def _keep(self, row: dict[str, Any]) -> None:
        stream = row["stream"]
        self.seen.append((stream, row["seq"]))
        if row["kind"] == "PUT":
            record = row["record"]
            self.copies[stream][record["id"]] = (record["v"], record["tag"])
            if record["v"] >= self.bodies.get(record["id"], {"v": 0})["v"]:
                self.bodies[record["id"]] = record
        elif row["kind"] == "REMOVE":
            self.copies[stream].pop(row["id"], None)
            self.removed.append((stream, row["id"], row["reason"]))
        else:
            self.statuses[row["op_id"]] = row

    def _check(self, said: dict[str, Any]) -> None:
        """At `complete` every stream's count and digest equal what this phone holds."""
        if self.departures is None or self.departures["seen"] != said["departures"]:
            self.departures = {"seen": said["departures"], "last_n": self.n}
        self.told = said["streams"]
        assert set(said["streams"]) == set(said["scope"]["streams"])
        for stream, told in said["streams"].items():
            mine = self.copies.get(stream, {})
            total = sum(record_hash(one, v, tag) for one, (v, tag) in mine.items())
            if stream == f"install/{self.install_id}":
                total += sum(status_hash(one["op_id"], one["status"]) for one in self.statuses.values())
            assert (told["count"], from_hex(told["digest"])) == (len(mine), total % MODULUS), stream

    @property
    def visible(self) -> set[str]:
        """Ids of the records that any held stream shows, but the versions of reference data that everybody holds."""
        return {one for stream, records in self.copies.items() if stream != "~reference" for one in records}


# ---------------------------------------------------------------- operations
_FORMS = load_registry()


def operation(kind: str, record_type: str, record_id: str, values: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An operation with a fresh op_id."""
    return {
        "op_id": uuid7(), "type": record_type, "id": record_id, "kind": kind, "base": None, "set": values or {},
        "was": {}, "form_version": _FORMS.latest(record_type).version if record_type in _FORMS.types() else 1,
        "claimed_at": "2026-03-02T00:30:00Z",
    } | more  # fmt: skip


def create(record_type: str, values: dict[str, Any], record_id: str | None = None, **more: Any) -> dict[str, Any]:
    """A creation; its id is in ``["id"]``."""
    return operation("create", record_type, record_id or uuid7(), values, **more)


def patch(ground: Ground, record_id: str, values: dict[str, Any], *, base: Any = "now", **more: Any) -> dict[str, Any]:
    """A patch of a stored record, seen as it is now unless another base is given."""
    base = ground.base(record_id) if base == "now" else base
    return operation("patch", ground.record(record_id).type, record_id, values, base=base, **more)


def building(number: float, **values: Any) -> dict[str, Any]:
    """A building in a cell by number."""
    return create("building", {"name": "某幢", "anchor": anchor(number)} | values)


@dataclass(frozen=True)
class Home:
    """The operations that make a home, and the ids of its records."""

    operations: list[dict[str, Any]]
    building: str
    dwelling: str
    household: str
    persons: list[str]


def home(number: float, *names: str, **person: Any) -> Home:
    """A building, a dwelling, a household and persons in a cell by number."""
    house = building(number)
    dwelling = create("dwelling", {"building": house["id"], "door_number": "101"})
    family = create("household", {"dwelling": dwelling["id"], "kind": "family"})
    people_ = [resident(family["id"], name, **person) for name in names]
    ids = [one["id"] for one in people_]
    return Home([house, dwelling, family, *people_], house["id"], dwelling["id"], family["id"], ids)


def resident(household: str | None, name: str = "某某", **values: Any) -> dict[str, Any]:
    """A person who lives in a household."""
    given = {"name": name, "document_missing_reason": "not_asked"} | values
    if household is not None:
        given |= {"residence_household": household, "relation_to_head": "01"}
    return create("person", {name: value for name, value in given.items() if value is not None})
