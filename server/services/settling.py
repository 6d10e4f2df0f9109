"""Many conflicts settled at once, one handed to whoever can answer at the door, and what a phone needs to settle one (S4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import InputError, InvalidInput, NotFound
from server.permissions import ACTIONS, Actor, Scope, scope_of
from server.services import accounts
from server.services.audit import line_of
from server.services.carry import utc_text
from server.services.enrolment import user_install
from server.services.inbox import about_deletion
from server.services.labels import PERSONAL, form_of, shown
from server.services.looks import Look, seen
from server.services.push import TRIES, Batch, Sender, accept
from server.services.standing import agrees, standing_values, written_since
from server.services.unsealing import open_sealed
from server.store import assignments as places
from server.store import audit, installs, noticed, people
from server.store import inbox as store
from server.store import places as grounds
from server.store import push as reading
from server.store.database import read, stamp, write
from server.store.errors import Busy

if TYPE_CHECKING:
    from server.house import House

CHOICES = ("standing", "waiting", "newest", "mine", "theirs")
"""What can be chosen for many conflicts: the value that stands, the one that came last of those that wait, the one that was claimed
last (also where it stands and is none of the conflict's: it was written over them since), the actor's own, the other person's."""
MOST = 500


@dataclass(frozen=True, slots=True)
class Which:
    """Which conflicts: all open ones of the scope that fit everything that is given."""

    conflict_ids: tuple[str, ...] | None = None
    record_type: str | None = None
    unit: str | None = None


def settle_many(
    house: House, actor: Actor, scope: Scope, community_id: str, look: Look, which: Which, choose: str
) -> dict[str, Any]:
    """Settle conflicts as operations of the actor, each a group of its own; at most `MOST` at once, the oldest first.

    Returns
    -------
    dict
        ``settled`` (conflict ids), ``skipped`` (``{"conflict_id", "reason"}``: ``no_such_value``, ``several``, ``deletion`` where the record
        was deleted meanwhile, or the outcome of its operation), ``more``: whether others of this kind are left.
    """
    with read(house.engine) as connection:
        light = [row for row in store.open_conflicts(connection, scope, community_id) if _fits(row, which)]
        light.sort(key=lambda row: (row["opened_at"], row["conflict_id"]))
        ids = [row["conflict_id"] for row in light[:MOST]]
        found = store.conflicts_by_id(connection, scope, community_id, ids)
        siblings = store.siblings(connection, community_id, ids)
        subject = {row["conflict_id"]: row["subject_id"] for row in found}
        blobs = [(subject.get(one["conflict_id"]), one["sealed"]) for one in siblings]
        values = open_sealed(connection, house, community_id, blobs)
        of: dict[str, list[dict[str, Any]]] = {row["conflict_id"]: [] for row in found}
        for one, value in zip(siblings, values, strict=True):
            of[one["conflict_id"]].append(one | {"value": value})
        since = _written_over(house, connection, community_id, found, of) if choose == "newest" else {}
    skipped: list[dict[str, str]] = []
    operations: list[tuple[str, dict[str, Any]]] = []
    for row in found:
        operation = _operation(house, actor, row, of[row["conflict_id"]], choose, since.get(row["conflict_id"]))
        if isinstance(operation, str):
            skipped.append({"conflict_id": row["conflict_id"], "reason": operation})
        else:
            operations.append((row["conflict_id"], operation))
    fields = sorted({f"{row['type']}.{row['unit']}" for row in found})
    seen(house, look, scope, community_id, fields=fields, count=len(found), where="inbox=conflicts")
    results = _write(house, actor, [operation for _, operation in operations]) if operations else []
    settled = []
    for (conflict_id, _), result in zip(operations, results, strict=True):
        outcome = result["now"]["outcome"]
        if outcome in ("applied", "merged", "unchanged"):
            settled.append(conflict_id)
        else:
            skipped.append({"conflict_id": conflict_id, "reason": outcome})
    return {"settled": settled, "skipped": skipped, "more": len(light) > MOST}


def _fits(row: dict[str, Any], which: Which) -> bool:
    return (
        (which.conflict_ids is None or row["conflict_id"] in which.conflict_ids)
        and which.record_type in (None, row["type"])
        and which.unit in (None, row["unit"])
    )


def _operation(
    house: House, actor: Actor, row: dict[str, Any], siblings: Sequence[dict[str, Any]], choose: str, since: dict[str, Any] | None
) -> dict[str, Any] | str:
    """The resolution of one conflict, or why there is none; ``since``: of the newest, when what stands was written if it is none of its values."""
    if about_deletion(row):
        return "deletion"  # whether a record stays deleted is looked at one by one (S5)
    form = form_of(house.registry, row["type"], None)
    spec = form.units.get(row["unit"])
    names = set(spec.fields) if spec is not None else {row["unit"]}
    final: dict[str, Any] = {}
    choosable = siblings if since is None else _later(siblings, since)
    if choose != "standing" and (choosable or since is None):
        fitting = _fitting(actor, choosable, choose)
        if len(fitting) != 1:
            return "several" if fitting else "no_such_value"
        value = fitting[0]["value"]
        if not isinstance(value, dict):
            return "no_such_value"
        final = {name: value.get(name) for name in sorted(names | set(value))}
    return {
        "op_id": house.new_id(),
        "kind": "resolve",
        "type": row["type"],
        "id": row["record_id"],
        "base": {"v": row["v"], "tag": row["tag"]},
        "unit": row["unit"],
        "siblings": [one["op_id"] for one in siblings],
        "set": final,
        "form_version": form.version,
        "claimed_at": stamp(house.clock()),
    }


def _fitting(actor: Actor, siblings: Sequence[dict[str, Any]], choose: str) -> list[dict[str, Any]]:
    if choose == "mine":
        return [one for one in siblings if one["user_id"] == actor.user_id]
    if choose == "theirs":
        return [one for one in siblings if one["user_id"] != actor.user_id]
    if choose == "waiting":
        return [one for one in siblings if one["role"] == "set_aside"][-1:]
    claimed = [(_claimed(one), place) for place, one in enumerate(siblings) if one["claimed_at"]]
    return [siblings[max(claimed)[1]]] if claimed else []


def _claimed(one: Mapping[str, Any]) -> str:
    """When it was written: by its own clock, but not after it arrived."""
    arrived: str = one["arrived_at"]
    return min(utc_text(one["claimed_at"]) or arrived, arrived)


def _written_over(
    house: House, connection: Any, community_id: str, found: Sequence[dict[str, Any]], of: Mapping[str, Sequence[dict[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """When what stands was written, of conflicts in which it is none of the values."""
    standing = standing_values(house, connection, community_id, found)

    def stands(row: dict[str, Any]) -> bool:
        return any(one["value"] is not None and agrees(one["value"], standing[row["conflict_id"]]) for one in of[row["conflict_id"]])

    return written_since(connection, community_id, [row for row in found if not stands(row)])


def _later(siblings: Sequence[dict[str, Any]], since: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was claimed after what stands, and was not seen by whoever wrote that."""
    if since["arrived_at"] is None:  # nobody knows any more when
        return []
    return [one for one in siblings if one["role"] != "current" and one["claimed_at"] and _claimed(one) > _claimed(since)]


def _write(house: House, actor: Actor, operations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    writer = user_install(house, actor)
    sender = Sender(actor.community_id, writer.install_id or "", actor.user_id, "user", False, "console")
    texts = [orjson.dumps(one).decode() for one in operations]
    for _ in range(TRIES):
        with read(house.engine) as connection:
            last = reading.consumed_up_to(connection, sender.community_id, sender.install_id)
        groups = tuple(((last[0] + place, text),) for place, text in enumerate(texts, 1))
        answer = accept(house, sender, Batch(groups, *last))
        if "expected" not in answer and "continue_from" not in answer:
            results: list[dict[str, Any]] = answer["results"]
            return results
    raise Busy(retry_after_s=1)


def delegate(
    house: House, actor: Actor, scope: Scope, community_id: str, conflict_id: str, look: Look, *, user_id: str | None
) -> dict[str, Any]:
    """Ask somebody who can answer at the door to settle a conflict, or (None) take that back.

    Raises
    ------
    NotFound
        No open conflict of this id in the scope.
    InvalidInput
        There is no such user who works with records here, or it is in none of their cells.
    """
    with write(house.engine) as connection:
        if not store.conflicts_by_id(connection, scope, community_id, [conflict_id]):
            raise NotFound("no open conflict of this id within your scope")
        sees = demand_colleague(house, connection, community_id, user_id)
        if sees is not None and not store.conflicts_by_id(connection, sees, community_id, [conflict_id]):
            raise _elsewhere()
        store.delegate(connection, community_id, conflict_id, user_id, stamp(house.clock()))
        audit.append(connection, line_of(house, look, scope=f"conflict/{conflict_id}", community_id=community_id))
    return {"conflict_id": conflict_id, "delegated_to": user_id}


def delegate_waiting(
    house: House,
    actor: Actor,
    scope: Scope,
    community_id: str,
    look: Look,
    *,
    finding_id: str | None = None,
    operation: tuple[str, int] | None = None,
    user_id: str | None,
) -> dict[str, Any]:
    """Ask somebody to see to a finding, or to an operation (install, n) that waits; (None) take that back.

    Raises
    ------
    NotFound
        No open finding, no waiting operation like this in the scope.
    InvalidInput
        There is no such user who works with records here, or it is in none of their cells.
    """
    with write(house.engine) as connection:
        sees = demand_colleague(house, connection, community_id, user_id)
        install_id, n = operation or ("", 0)
        what = f"finding/{finding_id}" if finding_id is not None else f"operation/{install_id}/{n}"
        at = stamp(house.clock())

        def hand(seen_by: Scope) -> bool:
            if finding_id is not None:
                return store.hand_finding(connection, seen_by, community_id, finding_id, user_id, at)
            return store.hand_operation(connection, seen_by, community_id, install_id, n, user_id, at)

        if not hand(scope):
            raise NotFound("nothing of this kind waits within your scope")
        if sees is not None and not hand(sees):
            raise _elsewhere()
        audit.append(connection, line_of(house, look, scope=what, community_id=community_id))
    return {"delegated_to": user_id}


def take_note(house: House, scope: Scope, community_id: str, finding_id: str, look: Look) -> dict[str, Any]:
    """Close a finding about a phone or the house, which nothing that is written settles; it stays in the audit log who took note.

    Raises
    ------
    NotFound
        No open finding like this about no record in the scope.
    """
    with write(house.engine) as connection:
        if not noticed.take_note(connection, scope, community_id, finding_id, stamp(house.clock())):
            raise NotFound("no finding of this kind waits within your scope")
        audit.append(connection, line_of(house, look, scope=f"finding/{finding_id}", community_id=community_id))
    return {"state": "closed"}


def demand_colleague(house: House, connection: Any, community_id: str, user_id: str | None) -> Scope | None:
    """What somebody who is asked sees; None for nobody.

    Raises
    ------
    InvalidInput
        There is no such user who works with records here.
    """
    if user_id is None:
        return None
    user = people.user(connection, community_id, user_id)
    if user is None or user.closed_at is not None or user.role not in ACTIONS["resolve_conflicts"]:
        raise InvalidInput(errors=[InputError("/user_id", "no_such_user", "no such user who settles conflicts here")])
    cells = places.assigned_cells(connection, community_id, user_id, accounts.today(house))
    dedicated = grounds.dedicated_cells(connection, community_id)
    own = installs.installs_of(connection, community_id, user_id)
    return scope_of(Actor(user_id, user.role, community_id, topics=user.topics), cells, (), dedicated, own)


def _elsewhere() -> InvalidInput:
    """What is handed on is in none of the cells of who would get it: it would vanish for them."""
    return InvalidInput(errors=[InputError("/user_id", "not_their_cell", "this is in none of the cells of this user")])


def disputes_for_phone(
    house: House, scope: Scope, community_id: str, look: Look, record_ids: Sequence[str]
) -> list[dict[str, Any]]:
    """The open conflicts of records that a phone holds, with every value that stands or waits; secret fields masked.

    Returns
    -------
    list
        ``{"conflict_id", "id", "v", "unit", "kind", "policy", "delegated_to", "base", "siblings": [{"op_id", "role", "by", "claimed_at",
        "arrived_at", "form_version", "set"}]}``, records outside the scope left out.
    """
    wanted = set(record_ids)
    with read(house.engine) as connection:
        ids = store.conflicts_of(connection, scope, community_id, sorted(wanted))
        found = store.conflicts_by_id(connection, scope, community_id, ids)
        siblings = store.siblings(connection, community_id, ids)
        who = store.people_of_installs(connection, community_id, (one["install_id"] for one in siblings))
        subject = {row["conflict_id"]: row["subject_id"] for row in found}
        bases = open_sealed(connection, house, community_id, [(row["subject_id"], row["sealed"]) for row in found])
        blobs = [(subject.get(one["conflict_id"]), one["sealed"]) for one in siblings]
        values = open_sealed(connection, house, community_id, blobs)
    made, personal = [], set()
    for row, base in zip(found, bases, strict=True):
        form = form_of(house.registry, row["type"], None)

        def masked(fields: Any, form: Any = form) -> Any:
            if not isinstance(fields, dict):
                return None
            return {name: shown(form.fields.get(name), value, unmask=False) for name, value in fields.items()}

        spec = form.units.get(row["unit"])
        names = spec.fields if spec is not None else (row["unit"],)
        personal |= {f"{row['type']}.{name}" for name in names if name in form.fields and form.fields[name].privacy in PERSONAL}
        made.append(
            {
                "conflict_id": row["conflict_id"],
                "id": row["record_id"],
                "v": row["v"],
                "unit": row["unit"],
                "kind": row["kind"],
                "policy": row["policy"],
                "delegated_to": row["delegated_to"],
                "base": masked(base.get("base") if isinstance(base, dict) else None),
                "siblings": [
                    {
                        "op_id": one["op_id"],
                        "role": one["role"],
                        "by": (who.get(one["install_id"]) or {}).get("name"),
                        "claimed_at": one["claimed_at"],
                        "arrived_at": one["arrived_at"],
                        "form_version": one["form_version"],
                        "set": masked(value),
                    }
                    for one, value in zip(siblings, values, strict=True)
                    if one["conflict_id"] == row["conflict_id"]
                ],
            }
        )
    seen(house, look, scope, community_id, fields=sorted(personal), count=len(made), where="sync=disputes")
    return made
