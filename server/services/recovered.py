"""Copies that phones offered after a restore, written back (S25): what a person chose, as operations like everybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from forms.definition import RecordType
from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.permissions import Actor, Scope
from server.services.audit import Look
from server.services.office_writes import write_group
from server.services.recovery import WRITABLE, adds_nothing, close, is_mask, why_not
from server.services.unsealing import open_sealed
from server.store import recovery as store
from server.store.database import read
from sync.duplicates import Compared, compare_fields
from sync.operation import Fields

if TYPE_CHECKING:
    from server.house import House

_DONE = frozenset({"applied", "merged", "unchanged", "conflict", "held"})


def _set(form: RecordType, one: Compared) -> Fields:
    """What writing a unit back says: sets are joined and notes put behind each other, all else becomes what the copy has."""
    if one.state == "joined" and form.policy_of(one.unit) == "union":
        return {name: {"add": [item for item in one.merged[name] or [] if item not in (one.survivor[name] or [])]} for name in one.merged}
    wanted = one.becomes if one.state == "joined" else one.merged
    return {name: value for name, value in wanted.items() if value != one.survivor[name] and not is_mask(value)}


def write_back(
    house: House, actor: Actor, scope: Scope, community_id: str, recovery_id: str, units: Sequence[str],
    base: Mapping[str, Any] | None, look: Look,
) -> dict[str, Any]:  # fmt: skip
    """Write units of a copy into its record, which is made or restored where it is not there, and take the copy out of the queue.

    Parameters
    ----------
    units : names of the units that somebody chose after they saw them beside what stands now
    base : v and tag of the record that they saw; None where there was none. What was written since is never written over: the
        copy is to be looked at again

    Returns
    -------
    dict
        ``state`` and ``results`` as a push answers them. Where nothing could be written the copy stays in the queue.

    Raises
    ------
    NotFound, OutsideScope, InvalidInput
    """
    if community_id != actor.community_id:
        raise OutsideScope("a copy is written back by its own community")
    with read(house.engine) as connection:
        found = store.open_offers(connection, scope, community_id, after=None, limit=1, only=recovery_id)
        if not found:
            raise NotFound("no such copy waits here")
        row = found[0]
        (copy,) = open_sealed(connection, house, community_id, [(row["subject_id"], row["sealed"])])
    if copy is None or row["record_type"] not in house.registry.types() or house.registry.latest(row["record_type"]).server_made:
        raise _refused("/units", "not_writable", "nothing of this copy can be written back")
    seen = None if row["present_v"] is None else {"v": row["present_v"], "tag": row["present_tag"]}
    if seen != (None if base is None else {"v": base["v"], "tag": base["tag"]}):
        raise _refused("/base", "changed_meanwhile", "the record was written meanwhile; look at the copy beside it again")
    operations = _operations(house.registry.latest(row["record_type"]), row, copy.get("fields") or {}, units)
    results = write_group(house, actor, scope, operations)["results"]
    written = all(one["now"]["outcome"] in _DONE for one in results)
    if written:
        close(house, actor, scope, community_id, recovery_id, look)
    return {"state": "closed" if written else "open", "results": results}


def _operations(form: RecordType, row: Mapping[str, Any], copy: Fields, units: Sequence[str]) -> list[dict[str, Any]]:
    present = None if row["present_v"] is None else orjson.loads(row["present_fields"])
    compared = {one.unit: one for one in compare_fields(form, present or {}, copy)}
    errors = [
        InputError(f"/units/{place}", "not_writable", "this cannot be written back from the copy")
        for place, name in enumerate(units)
        if name not in compared or adds_nothing(compared[name]) or why_not(form, compared[name]) is not None
    ]
    values: Fields = {}
    for name in units if not errors else ():
        values |= _set(form, compared[name])
    if not errors and not values:
        errors.append(InputError("/units", "count", "name at least one that differs"))
    if errors:
        raise InvalidInput("nothing was written", errors=errors)
    about = {"type": form.name, "id": row["record_id"]}
    if present is None:
        return [about | {"kind": "create", "set": {name: value for name, value in values.items() if value is not None}}]
    if row["present_life"] not in WRITABLE:
        raise _refused("/base", "not_writable", "the record is no longer here")
    base = {"v": row["present_v"], "tag": row["present_tag"]}
    back = [about | {"kind": "restore", "base": base}] if row["present_life"] == "deleted" else []
    was = {name: present.get(name) for name in values if not is_mask(present.get(name))}
    return [*back, about | {"kind": "patch", "base": base, "set": values, "was": was}]


def _refused(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
