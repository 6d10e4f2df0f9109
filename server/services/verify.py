"""`dishu verify`: the journal folded and compared with the present state, in one snapshot (S27, L7).

Records are folded by v and streams by seq, never across journals by number. Every part is read as ordered lanes, so that
memory does not grow with the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from server.errors import NotFound
from server.services.cell_figures import differing
from server.services.community_forms import at_home
from server.services.differences import Difference, DifferenceFound, Progress, Watch, grouped
from server.services.verify_deciding import decide_again
from server.services.verify_operations import check_keys, check_operations, check_payloads, check_statuses
from server.services.verify_records import check_records
from server.store import blobs
from server.store import verify as store
from server.store.database import read
from sync.digest import MODULUS, record_hash, status_hash, to_hex
from sync.feedrows import PUT, STATUS

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

# How often the rows of a table pass by, for the progress.
_PASSES = {
    "journal": 2, "history": 2, "feed": 2, "operation": 2, "record": 1, "placement_ledger": 1, "record_index": 1,
    "journal_payload": 1, "data_key": 1, "conflict": 1, "conflict_sibling": 1, "operation_status": 1, "stream": 1,
    "install": 1, "assignment": 1,
}  # fmt: skip


@dataclass(slots=True)
class Report:
    """What was compared, by name; and the first difference, None where everything agrees.

    ``bare``: (community, install) → the first n of an operation that names a file which is not there (S26).
    """

    counts: Counter[str] = field(default_factory=Counter)
    difference: Difference | None = None
    bare: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether journal and present state are the same."""
        return self.difference is None


@dataclass(slots=True)
class _Journal:
    """What the entries of one community say beside records. Grows with streams and assignments, not with entries."""

    streams: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    editions: dict[str, str] = field(default_factory=dict)
    assignments: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    departed: dict[str, str] = field(default_factory=dict)


def verify(
    house: House, community_id: str | None = None, *, again: bool = False, progress: Progress | None = None
) -> Report:
    """Fold the journal and compare; of one community, or (None) of all. ``again``: decide every version from its text, too.

    NotFound when nothing at all is stored of the community.
    """
    with read(house.engine) as connection:
        return verify_snapshot(connection, house, community_id, again=again, progress=progress)


def verify_snapshot(
    connection: Connection,
    house: House,
    community_id: str | None = None,
    *,
    again: bool = False,
    progress: Progress | None = None,
) -> Report:
    """As `verify`, in a transaction that is open already."""
    found = store.communities(connection)
    if community_id is not None:
        if community_id not in found:
            raise NotFound("nothing is stored of this community")
        found = [community_id]
    sizes = {one: store.sizes(connection, one) for one in found}
    total = sum(one.get("record", 0) for one in sizes.values()) * again + sum(_PASSES.get(table, 0) * count for one in sizes.values() for table, count in one.items())
    report, done = Report(), 0

    def tell(rows: int) -> None:
        nonlocal done
        done += rows
        if progress is not None:
            progress(min(done, total), total)

    try:
        for one in found:
            watch = Watch(at_home(house, one, connection), one, report.counts, tell, stored=blobs.names(connection, one))
            _verify_community(connection, watch)
            report.bare.update({(one, install_id): n for install_id, n in watch.bare.items()})
            if again:
                decide_again(connection, watch)
            report.counts["communities"] += 1
    except DifferenceFound as error:
        report.difference = error.difference
    if progress is not None and report.agrees:
        progress(total, total)
    return report


def _verify_community(connection: Connection, watch: Watch) -> None:
    said = _read_journal(connection, watch)
    _check_office(connection, watch, said)
    check_keys(connection, watch)
    for row in store.streams(connection, watch.community_id):
        if row.floor:
            watch.floors[row.stream_id] = int(row.floor)
    check_records(connection, watch)
    _check_streams(connection, watch, said)
    check_statuses(connection, watch)
    check_operations(connection, watch)
    check_payloads(connection, watch)
    _check_counts(connection, watch)


def _check_counts(connection: Connection, watch: Watch) -> None:
    """The kept counts of cells are those of the records that stand there (ADR 0020)."""
    compared, behind, difference = differing(watch.house, connection, watch.community_id)
    if difference is not None:
        home, what = difference
        watch.differs("stream", home, f"kept {what}", "those of its records", "others")
    watch.counts["kept counts of cells"] += compared
    watch.counts["kept counts of cells that have moved since"] += behind


# ---------------------------------------------------------------- the journal's own entries
def _read_journal(connection: Connection, watch: Watch) -> _Journal:
    said = _Journal()
    for row in watch.seen(store.entries(connection, watch.community_id)):
        effects = watch.read_json("journal entry", row.number, "effects", row.effects)
        configuration = watch.read_json("journal entry", row.number, "configuration", row.configuration)
        wrong = _malformed(effects)
        if wrong is not None:
            watch.differs("journal entry", row.number, f"effects on {wrong}", "of the known shape", "another")
        for stream_id, (seq, count, digest) in effects.get("streams", {}).items():
            before = said.streams.get(stream_id)
            if before is not None and before[0] == seq:
                watch.differs("stream", stream_id, f"entries that end at seq {seq}", 1, 2)
            if before is None or seq > before[0]:
                said.streams[stream_id] = (seq, count, digest)
        if "missing" in effects:
            first, *end = effects["missing"]
            watch.missing[row.install_id, first] = (end[0], end[1])
            watch.counts["ranges that nobody had any more"] += 1
        if row.command == "publish":
            said.editions[configuration.get("layer", "base")] = configuration.get("edition")
        for name, led in (("redirects", said.redirects), ("departed", said.departed)):
            for record_id, target_id in effects.get(name, {}).items():
                led.pop(record_id, None)
                if target_id is not None:
                    led[record_id] = target_id
        for assignment_id, (change, user_id, cell_id) in effects.get("assignments", {}).items():
            said.assignments[assignment_id] = (change, user_id, cell_id)
        watch.counts["journal entries"] += 1
    return said


def _malformed(effects: Any) -> str | None:
    """Which part of the effects cannot be folded; None when all can."""
    if not isinstance(effects, dict):
        return "anything"
    records, moves, streams = (effects.get(name, {}) for name in ("records", "moves", "streams"))
    if not isinstance(records, dict) or not all(
        isinstance(rows, list) and all(map(_is_version, rows)) for rows in records.values()
    ):
        return "records"
    if not isinstance(moves, dict) or not all(_typed(one, int, str) for one in moves.values()):
        return "homes"
    if not isinstance(streams, dict) or not all(_typed(one, int, int, str) for one in streams.values()):
        return "streams"
    if "missing" in effects and not _typed(effects["missing"], int, int, str):
        return "missing"
    assignments = effects.get("assignments", {})
    if not isinstance(assignments, dict) or not all(_typed(one, str, str, str) for one in assignments.values()):
        return "assignments"
    return None


def _is_version(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 6 and _typed([*row[:3], row[3] or "", *row[4:]], int, str, list, str, list, str)


def _typed(row: Any, *kinds: type) -> bool:
    return isinstance(row, list) and len(row) == len(kinds) and all(map(isinstance, row, kinds))


def _check_office(connection: Connection, watch: Watch, said: _Journal) -> None:
    """Editions in force, assignments and redirects are those of the last entries about them."""
    for row in watch.seen(store.redirects(connection, watch.community_id)):
        watch.same("record", row.id, "record that it leads to", said.redirects.pop(row.id, None), row.target_id)
        watch.counts["ids that lead to others"] += 1
    for record_id, target_id in said.redirects.items():
        watch.differs("record", record_id, "record that it leads to", target_id, "none")
    for row in watch.seen(store.departures(connection, watch.community_id)):
        watch.same("record", row.id, "community that it lives in now", said.departed.pop(row.id, None), row.to_community)
        watch.counts["records that live in another community"] += 1
    for record_id, target_id in said.departed.items():
        watch.differs("record", record_id, "community that it lives in now", target_id, "none")
    in_force = {row.layer: row.edition_id for row in store.published_editions(connection, watch.community_id)}
    for layer, edition_id in sorted(said.editions.items()):
        watch.same("edition layer", layer, "edition in force", edition_id, in_force.get(layer))
        watch.counts["editions in force"] += 1
    left = dict(said.assignments)
    for row in watch.seen(store.assignments(connection, watch.community_id)):
        change, user_id, cell_id = left.pop(row.assignment_id, ("no entry", None, None))
        state = "granted" if row.revoked_at is None else "ended"
        expected = {"granted": "granted", "revoked": "ended", "expired": "ended"}.get(change, change)
        watch.same("assignment", row.assignment_id, "state", expected, state)
        watch.same("assignment", row.assignment_id, "user", user_id, row.user_id)
        watch.same("assignment", row.assignment_id, "cell", cell_id, row.cell_id)
        watch.counts["assignments"] += 1
    for assignment_id in left:
        watch.differs("assignment", assignment_id, "named by the journal", "there", "missing")


# ---------------------------------------------------------------- streams
def _check_streams(connection: Connection, watch: Watch, said: _Journal) -> None:
    where = (connection, watch.community_id)
    folded = sorted((stream_id, *row) for stream_id, row in said.streams.items())
    recounted = _recounted(watch, watch.seen(store.feed_rows(*where)))
    for (stream_id,), (counters, folds, counts) in grouped(1, watch.seen(store.streams(*where)), folded, recounted):
        if not counters:
            watch.differs("stream", stream_id, "counter", "there", "missing")
        row = counters[0]
        stored = (int(row.seq), int(row.count), row.digest)
        _, *expected = folds[0] if folds else (stream_id, 0, 0, to_hex(0))
        for what, from_journal, found in zip(("seq", "count", "digest"), expected, stored, strict=True):
            watch.same("stream", stream_id, f"{what} of its counter", from_journal, found)
        _, highest, count, digest = counts[0] if counts else (stream_id, 0, 0, to_hex(0))
        watch.same("stream", stream_id, "records that its rows show", stored[1], count)
        watch.same("stream", stream_id, "digest of its rows", stored[2], digest)
        if stored[0] > row.floor:
            watch.same("stream", stream_id, "highest seq of its rows", stored[0], highest)
        watch.counts["streams"] += 1


def _recounted(watch: Watch, rows: Iterable[Any]) -> Iterator[tuple[str, int, int, str]]:
    """(stream, highest seq, count of PUT rows, digest) from the rows themselves."""
    for stream_id, found in groupby(rows, key=lambda row: row.stream_id):
        highest = count = digest = 0
        for row in found:
            highest = max(highest, row.seq)
            if row.kind == PUT:
                count += 1
                digest += record_hash(row.record_id, row.v, row.tag)
            elif row.kind == STATUS:
                digest += status_hash(row.record_id, row.v)
            watch.counts["rows of streams"] += 1
        yield str(stream_id), highest, count, to_hex(digest % MODULUS)
