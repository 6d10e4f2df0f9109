"""An import taken back as one act: what it made is deleted, what it changed gets its former values, through the one write path.

What somebody has written since stays: it is counted, and left to people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from server.services.push import Batch, Sender, accept, user_operation
from server.services.unsealing import open_sealed
from server.store import push as reading
from server.store import sheets as store
from server.store.database import read

if TYPE_CHECKING:
    from server.house import House

_AT_A_TIME = 500


def undo(house: House, community_id: str, import_id: str, user_id: str) -> Iterator[dict[str, int]]:
    """Undo an import page by page; done again it goes on where it stopped.

    Former values come first, then what the import made goes, the latest first: whoever lives in a household is gone before it. Of every
    record only the 16 bytes of its id are held at a time, and a page of some hundred as a whole.

    Yields
    ------
    dict
        First ``expected`` records; then since the last one ``deleted`` records, ``restored`` records with former values, ``kept`` ones that
        others have written since.
    """
    sender = Sender(community_id, import_id, user_id, "import", scoped=False, source="import")
    with read(house.engine) as connection:
        changed = _Ids(store.changed_by(connection, community_id, import_id))
        made = _Ids(store.made_by(connection, community_id, import_id))
    yield {"expected": len(changed) + len(made)}
    for ids, plan in ((changed, _former_values), (made, _deletions)):
        for some in ids.pages():
            with read(house.engine) as connection:
                operations, kept = plan(house, connection, community_id, import_id, some)
                n, op_id = reading.consumed_up_to(connection, community_id, import_id)
            groups = tuple(((n + place, user_operation(house, one)),) for place, one in enumerate(operations, 1))
            first = (n, op_id)
            while groups:
                answer = accept(house, sender, Batch(groups, *first))
                first = (answer["applied"]["n"], answer["applied"]["op_id"])
                groups = tuple(group for group in groups if group[-1][0] > first[0]) if "continue_from" in answer else ()
            deleted = sum(1 for one in operations if one["kind"] == "delete")
            yield {"deleted": deleted, "restored": len(operations) - deleted, "kept": kept}


class _Ids:
    """Ids of records in their order, 16 bytes each."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._bytes = bytearray()
        for one in ids:
            self._bytes += UUID(one).bytes

    def __len__(self) -> int:
        return len(self._bytes) // 16

    def pages(self) -> Iterator[list[str]]:
        """Some hundred at a time."""
        for start in range(0, len(self._bytes), 16 * _AT_A_TIME):
            part = bytes(self._bytes[start : start + 16 * _AT_A_TIME])
            yield [str(UUID(bytes=part[at : at + 16])) for at in range(0, len(part), 16)]


def _own(connection: Any, community_id: str, import_id: str, ids: list[str]) -> dict[str, list[Any]]:
    """The versions of records that the import has written, the latest first."""
    own: dict[str, list[Any]] = {}
    for row in store.written_by(connection, community_id, import_id, ids):
        own.setdefault(row.record_id, []).append(row)
    return own


def _former_values(house: House, connection: Any, community_id: str, import_id: str, ids: list[str]) -> tuple[list[dict[str, Any]], int]:
    """What gives some records of others their former values back; how many of them others have written since."""
    own = _own(connection, community_id, import_id, ids)
    rows = store.stamps_of(connection, community_id, ids)
    fields = {row.id: orjson.loads(row.fields) for row in store.some(connection, community_id, ids)}
    operations, kept = [], 0
    for record_id in ids:
        row = rows[record_id]
        if row.life != "live" or house.registry.latest(row.type).server_made:
            continue
        before = _before(house, connection, community_id, own[record_id])
        stamps = orjson.loads(row.stamps)
        units = {unit: values for unit, values in before.items() if unit in stamps and stamps[unit][1] == import_id}
        kept += len(units) < len(before)
        wanted = _back(house.registry.latest(row.type), units, fields[record_id])
        if wanted:
            operations.append({"kind": "patch", "type": row.type, "id": record_id, "base": {"v": row.v, "tag": row.tag}, "set": wanted})
    return operations, kept


def _deletions(house: House, connection: Any, community_id: str, import_id: str, ids: list[str]) -> tuple[list[dict[str, Any]], int]:
    """What deletes some records that the import made. Those stay that others have written since, and those that somebody is in who stays."""
    own = _own(connection, community_id, import_id, ids)
    rows = store.stamps_of(connection, community_id, ids)
    mine = {one: rows[one] for one in ids if rows[one].life == "live" and not house.registry.latest(rows[one].type).server_made}
    stay = {one for one, row in mine.items() if len({int(version.v) for version in own.get(one, [])} | {1}) < row.v}
    inside = store.placed_in(connection, community_id, mine)
    while more := {above for one, above in inside if above in mine and above not in stay and (one not in mine or one in stay)}:
        stay |= more
    gone = [(one, row) for one, row in mine.items() if one not in stay]
    operations = [{"kind": "delete", "type": row.type, "id": one, "base": {"v": row.v, "tag": row.tag}, "set": {}} for one, row in gone]
    return operations, len(stay)


def _before(house: House, connection: Any, community_id: str, rows: list[Any]) -> dict[str, dict[str, Any]]:
    """The values of each unit before the first write of the import; ``rows`` are its versions, the latest first."""
    opened = open_sealed(connection, house, community_id, [(row.subject_id, row.sealed) for row in rows])
    before: dict[str, dict[str, Any]] = {}
    for one in opened:
        before |= (one or {}).get("previous", {})
    return before


def _back(form: Any, units: Mapping[str, Mapping[str, Any]], now: Mapping[str, Any]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for unit, values in units.items():
        for name in form.units[unit].fields:
            value = values.get(name)
            if form.units[unit].policy == "union":
                more = [one for one in now.get(name) or [] if one not in (value or [])]
                less = [one for one in value or [] if one not in (now.get(name) or [])]
                if more or less:
                    wanted[name] = {"add": less, "remove": more}
            elif value != now.get(name):
                wanted[name] = value
    return wanted
