"""How what a person did becomes frozen operations in the log: units, bases, values seen (see "Words")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from forms.definition import RecordType
from sync.device.errors import GroupTooLarge, NotAlone
from sync.device.store import Store
from sync.device.view import Fields, RecordView, policy_of
from sync.record import by_unit, unit_fields

MAX_GROUP_OPS = 2000
MAX_GROUP_BYTES = 6_000_000

Base = dict[str, Any] | None
"""{"v", "tag"} of the server copy that the person was looking at; None where there was none."""


def copy_base(store: Store, record_id: str) -> Base:
    """Base of what this phone holds of a record; a base comes from pull only, never from an answer to a push."""
    row = store.maybe("SELECT v, tag FROM record WHERE id = ?", record_id)
    return {"v": row["v"], "tag": row["tag"]} if row else None


def unfinished(store: Store, record_id: str) -> list[dict[str, Any]]:
    """Own operations on a record that its copy does not contain for certain yet, oldest first."""
    rows = store.rows("SELECT text FROM overlay WHERE settled = 0 AND record_id = ? ORDER BY n", record_id)
    return [orjson.loads(row["text"]) for row in rows]


def _base_of(seen: RecordView) -> Base:
    return None if seen.v is None else {"v": seen.v, "tag": seen.tag}


def _older(one: Base, other: Base) -> Base:
    """The one that saw less; None is oldest of all."""
    if one is None or other is None:
        return None
    return other if other["v"] < one["v"] else one


def bases_of_units(
    store: Store, form: RecordType, record_id: str, units: Iterable[str], seen: RecordView | None = None
) -> list[tuple[Base, list[str]]]:
    """The units grouped by their base, in the order in which the bases first appear.

    A unit with an own unfinished write stays at the base of the first such write: what somebody else wrote in between
    was hidden behind the own value, so it was not seen. And none is newer than what the form showed (``seen``): what
    was pulled behind an open form nobody has looked at.
    """
    first: dict[str, Base] = {}
    for operation in unfinished(store, record_id):
        for unit in by_unit(form, operation.get("set") or {}):
            first.setdefault(unit, operation["base"])
    present = copy_base(store, record_id) if seen is None else _base_of(seen)
    grouped: list[tuple[Base, list[str]]] = []
    for unit in units:
        base = first.get(unit, present)
        if seen is not None:
            base = _older(base, present)
        for known, members in grouped:
            if known == base:
                members.append(unit)
                break
        else:
            grouped.append((base, [unit]))
    return grouped


def base_of_record(store: Store, record_id: str) -> Base:
    """Base of an operation on the whole record: that of the first own unfinished one, else of the copy."""
    pending = unfinished(store, record_id)
    return pending[0]["base"] if pending else copy_base(store, record_id)


def changes_only(form: RecordType, seen: Fields, given: Mapping[str, Any]) -> Fields:
    """What really changes: equal values are left out, whole sets become {add, remove}.

    A field given as None is cleared. Fields that the form does not know are kept.
    """
    changed: Fields = {}
    for name, value in given.items():
        now = seen.get(name)
        policy = policy_of(form, name)
        if policy == "union" and isinstance(value, list):
            before = now or []
            added = [one for one in value if one not in before]
            removed = [one for one in before if one not in value]
            if added or removed:
                changed[name] = {"add": added, "remove": removed}
        elif policy == "add" or value != now:
            changed[name] = value
    return changed


def values_seen(form: RecordType, seen: Fields, units: Iterable[str]) -> Fields:
    """``was``: every field of the units as it was shown, null where it was empty; a unit is one fact."""
    return {name: seen.get(name) for unit in units for name in unit_fields(form, unit)}


def freeze(store: Store, operations: list[dict[str, Any]], group_n: int | None, claimed_at: datetime) -> int:
    """Write operations to the log inside a change; they join the group or become one. Returns the group's n.

    The text written here is what is sent, byte for byte, every time. ``claimed_at`` is a claim of this device's clock;
    nothing is ordered by it (L9).

    Raises
    ------
    GroupTooLarge
        The group would not fit one batch.
    NotAlone
        A move to another community stands in a group with anything else.
    """
    if claimed_at.tzinfo is None:
        raise ValueError("the clock must say its offset")
    n = store.last_n()
    group = group_n if group_n is not None else n + 1
    claim = claimed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    texts = [orjson.dumps({**operation, "claimed_at": claim}).decode() for operation in operations]
    count, size = store.one(
        "SELECT count(*), coalesce(sum(length(CAST(text AS BLOB))), 0) FROM log WHERE n >= ?", group
    )
    if count + len(texts) > MAX_GROUP_OPS or size + sum(len(text.encode()) for text in texts) > MAX_GROUP_BYTES:
        raise GroupTooLarge(f"more than {MAX_GROUP_OPS} operations or {MAX_GROUP_BYTES} bytes in one group")
    if count + len(texts) > 1 and (any(map(_crosses, operations)) or any(_crosses(orjson.loads(row["text"])) for row in _commands(store, group))):
        raise NotAlone("a move to another community is a group of its own")
    for operation, text in zip(operations, texts, strict=True):
        n += 1
        store.run(
            "INSERT INTO log (n, group_n, op_id, kind, type, record_id, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
            n,
            group,
            operation["op_id"],
            operation["kind"],
            operation["type"],
            operation["id"],
            text,
        )
    return group


def _crosses(operation: Mapping[str, Any]) -> bool:
    """Whether an operation asks to move somebody to another community."""
    return operation["kind"] == "command" and "community" in operation["arguments"]


def _commands(store: Store, group: int) -> list[Any]:
    return store.rows("SELECT text FROM log WHERE n >= ? AND kind = 'command'", group)
