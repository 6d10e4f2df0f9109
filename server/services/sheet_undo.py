"""An import taken back as one act: what it made is deleted, what it changed gets its former values, through the one write path.

What somebody has written since stays: it is counted, and left to people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

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
    """Undo an import piece by piece; done again it goes on where it stopped.

    Yields
    ------
    dict
        Since the last one: ``deleted`` records, ``restored`` records with former values, ``kept`` ones that others have written since.
    """
    sender = Sender(community_id, import_id, user_id, "import", scoped=False, source="import")
    with read(house.engine) as connection:
        operations, kept = _operations(house, connection, community_id, import_id)
    yield {"deleted": 0, "restored": 0, "kept": kept}
    for start in range(0, len(operations), _AT_A_TIME):
        some = operations[start : start + _AT_A_TIME]
        with read(house.engine) as connection:
            n, op_id = reading.consumed_up_to(connection, community_id, import_id)
        groups = tuple(((n + place, user_operation(house, one)),) for place, one in enumerate(some, 1))
        first = (n, op_id)
        while groups:
            answer = accept(house, sender, Batch(groups, *first))
            first = (answer["applied"]["n"], answer["applied"]["op_id"])
            groups = tuple(group for group in groups if group[-1][0] > first[0]) if "continue_from" in answer else ()
        deleted = sum(1 for one in some if one["kind"] == "delete")
        yield {"deleted": deleted, "restored": len(some) - deleted, "kept": 0}


def _operations(house: House, connection: Any, community_id: str, import_id: str) -> tuple[list[dict[str, Any]], int]:
    """What takes the import back, former values first, then deletions in reverse order of making; and what must stay."""
    own: dict[str, list[Any]] = {}
    for row in store.written_by(connection, community_id, import_id):
        own.setdefault(row.record_id, []).append(row)
    made = {row.id: row for row in store.created_by(connection, community_id, import_id)}
    operations, kept = [], 0
    now = store.stamps_of(connection, community_id, own.keys() - made.keys())
    fields = {row.id: orjson.loads(row.fields) for row in store.some(connection, community_id, now)}
    for record_id, row in now.items():
        if row.life != "live" or house.registry.latest(row.type).server_made:
            continue
        before = _before(house, connection, community_id, own[record_id])
        stamps = orjson.loads(row.stamps)
        units = {unit: values for unit, values in before.items() if unit in stamps and stamps[unit][1] == import_id}
        kept += len(units) < len(before)
        wanted = _back(house.registry.latest(row.type), units, fields[record_id])
        if wanted:
            operations.append({"kind": "patch", "type": row.type, "id": record_id, "base": {"v": row.v, "tag": row.tag}, "set": wanted})
    mine = {one: row for one, row in made.items() if row.life == "live" and not house.registry.latest(row.type).server_made}
    stay = {one for one, row in mine.items() if len({int(version.v) for version in own.get(one, [])} | {1}) < row.v}
    inside = store.placed_in(connection, community_id, mine)
    while more := {above for one, above in inside if above in mine and above not in stay and (one not in mine or one in stay)}:
        stay |= more  # somebody lives there who stays
    for record_id, row in mine.items():
        if record_id in stay:
            kept += 1
            continue
        operations.append({"kind": "delete", "type": row.type, "id": record_id, "base": {"v": row.v, "tag": row.tag}, "set": {}})
    return operations, kept


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
                if more:
                    wanted[name] = {"add": [], "remove": more}
            elif value != now.get(name):
                wanted[name] = value
    return wanted
