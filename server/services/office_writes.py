"""Writing at the office: groups of operations through the one write path, judged before anything is journaled.

A phone's mistake is kept and quarantined, since its author may be far away; whoever sits at the console is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.house import House
from server.permissions import Actor, Scope
from server.services.prepare import is_record_id, prepare
from server.services.push import accept_user_group, user_operation
from server.services.results import repeated
from server.services.scope import settle_expired
from server.store import assignments
from server.store import push as reading
from server.store import record_page as store
from server.store.database import read
from sync.memory import Prepared
from sync.outcome import QUARANTINED

MOST_OPERATIONS = 200

# What is wrong with the text itself. Every other refusal depends on the records and is decided as for a phone.
_OF_THE_TEXT = frozenset({"malformed", "invalid", "unknown_type", "oversized", "unexpected", "survey_closed"})


def write_group(
    house: House, actor: Actor, scope: Scope, operations: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Operations of somebody at the office that apply together or not at all.

    Parameters
    ----------
    operations : as in docs/protocol.md, without n; op_id, form version and claimed time are given where they are missing

    Returns
    -------
    dict
        ``results`` as a push answers them. A group that was written before (every op_id with the same content) is answered
        again and not written twice (L6).

    Raises
    ------
    InvalidInput
        A value that the form does not take, an operation that cannot be read: every place is named, nothing was written.
    NotFound
        A record that exists outside the scope.
    OutsideScope
        A care record of somebody else's line of work.
    """
    texts, prepared = _read(house, operations)
    _check_scope(house, actor, scope, prepared)
    known = _written_before(house, actor, prepared)
    if known is not None:
        return {"results": known, "repeated": True}
    version = None
    if actor.role == "grid_worker":
        settle_expired(house, actor.community_id, actor.user_id)
        with read(house.engine) as connection:
            version = assignments.scope_version(connection, actor.community_id, actor.user_id)
    return {"results": accept_user_group(house, actor, texts, scope_version=version), "repeated": False}


def _read(house: House, operations: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[Prepared]]:
    if not 1 <= len(operations) <= MOST_OPERATIONS:
        raise InvalidInput(errors=[InputError("/ops", "count", f"1 to {MOST_OPERATIONS} operations are expected")])
    errors: list[InputError] = []
    texts: list[str] = []
    prepared: list[Prepared] = []
    for place, given in enumerate(operations):
        at = f"/ops/{place}"
        if not isinstance(given, Mapping) or given.get("type") not in house.registry.types():
            errors.append(InputError(f"{at}/type", "unknown_type", "a known record type is expected"))
            continue
        if given.get("op_id") is not None and not (isinstance(given["op_id"], str) and is_record_id(given["op_id"])):
            errors.append(InputError(f"{at}/op_id", "not_a_uuid", "a UUID in small letters is expected"))
            continue
        text = user_operation(house, given)
        one = prepare(place + 1, text, house.keys, house.registry)
        refusal = one.refusal
        if refusal is not None and refusal.outcome == QUARANTINED and refusal.reason in _OF_THE_TEXT:
            found = refusal.errors or [{"pointer": "", "code": refusal.reason, "message": "cannot be read"}]
            errors += [InputError(at + error["pointer"], error["code"], error["message"]) for error in found]
        texts.append(text)
        prepared.append(one)
    if errors:
        raise InvalidInput("nothing was written", errors=errors)
    return texts, prepared


def _check_scope(house: House, actor: Actor, scope: Scope, prepared: Sequence[Prepared]) -> None:
    """Records that are there must be within the scope. What a command may touch is decided where it is expanded (S18)."""
    plain = {one.operation.id for one in prepared if one.operation is not None and one.operation.kind != "command"}
    with read(house.engine) as connection:
        there = store.existing(connection, actor.community_id, plain)
        seen = store.in_scope(connection, scope, actor.community_id, there)
    if there - seen:
        raise NotFound("one of these records is not within your scope")
    for one in prepared:
        if scope.topics is None or one.operation is None or one.operation.type != "care_status":
            continue
        line = one.values.get("line_of_work")
        if (one.operation.kind == "create" or "line_of_work" in one.values) and line not in scope.topics:
            raise OutsideScope("care records of this line of work are somebody else's")


def _written_before(house: House, actor: Actor, prepared: Sequence[Prepared]) -> list[dict[str, Any]] | None:
    """The answers of a group that came before with the same content; None for any other group."""
    with read(house.engine) as connection:
        rows = reading.seen_operations(connection, actor.community_id, [one.op_id for one in prepared])
    if any(
        one.op_id not in rows or bytes(rows[one.op_id].content_hash) != one.content_hash for one in prepared
    ):
        return None
    return [repeated(rows[one.op_id], one) | {"n": rows[one.op_id].n} for one in prepared]
