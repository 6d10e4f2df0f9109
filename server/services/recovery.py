"""Witnesses (S25): copies of what a restored database lacks come from phones into a queue; a person decides, nothing merges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from forms.definition import RecordType
from server.errors import NotFound
from server.permissions import Actor, Scope
from server.sealing import seal
from server.services.audit import Look, line_of
from server.services.keys import DataKeys, SubjectErased
from server.services.labels import PERSONAL, field_label, title_of
from server.services.looks import seen
from server.services.paging import make_cursor, read_cursor
from server.services.record_names import names_of, referred
from server.services.unsealing import learn, open_sealed
from server.store import audit as audit_store
from server.store import inbox, writing
from server.store import recovery as store
from server.store.database import read, stamp, write
from server.store.errors import Busy, PlanOutdated
from sync.digest import made_id
from sync.duplicates import Compared, compare_fields
from sync.entering import subject_of
from sync.operation import Fields

if TYPE_CHECKING:
    from server.house import House

TRIES = 3
MOST_PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class Witness:
    """A copy of a record at a version, as a phone had pulled it in an earlier life of the database."""

    epoch: str
    record_id: str
    record_type: str
    v: int
    tag: str
    home: str | None
    copy: dict[str, Any]


def offer(house: House, community_id: str, install_id: str, witnesses: Sequence[Witness]) -> dict[str, int]:
    """Keep copies that the database has no version of.

    Returns
    -------
    dict
        ``kept`` now; ``known``: here already, as a version or as a copy that was offered before; ``erased``: about
        somebody whose data was lawfully erased, kept nowhere.
    """
    for _ in range(TRIES):
        try:
            return _offer(house, community_id, install_id, witnesses)
        except PlanOutdated:
            continue
    raise Busy(retry_after_s=2)


def _offer(house: House, community_id: str, install_id: str, witnesses: Sequence[Witness]) -> dict[str, int]:
    by_id = {made_id("recovery", one.record_id, str(one.v), one.tag): one for one in witnesses}
    said = {"kept": 0, "known": len(witnesses) - len(by_id), "erased": 0}
    at = stamp(house.clock())
    with write(house.engine) as connection:
        here = store.known_versions(connection, community_id, [one.record_id for one in by_id.values()])
        before = store.known_offers(connection, community_id, list(by_id))
        subjects = {key: _subject(house, one) for key, one in by_id.items()}
        keys = DataKeys(house.keys)
        learn(keys, connection, community_id, subjects.values())
        rows = []
        for key, one in by_id.items():
            if key in before or (one.record_id, one.v, one.tag) in here:
                said["known"] += 1
                continue
            try:
                sealed = seal(keys.of(subjects[key]), orjson.dumps(one.copy))
            except SubjectErased:
                said["erased"] += 1
                continue
            rows.append(
                (
                    key, one.record_id, one.record_type, one.v, one.tag, one.home, one.epoch, install_id, at, "open",
                    subjects[key], sealed,
                )
            )  # fmt: skip
        said["kept"] = len(rows)
        writing.insert_keys(connection, community_id, list(keys.made.items()))
        store.add_offers(connection, community_id, rows)
    return said


def _subject(house: House, one: Witness) -> str | None:
    """Whose key seals it; a copy of a type that is not known here has a key of its own."""
    if one.record_type not in house.registry.types():
        return one.record_id
    return subject_of(house.registry.latest(one.record_type), one.record_id, one.copy.get("fields") or {})


def waiting(
    house: House, scope: Scope, community_id: str, look: Look, *, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Copies that wait for a person, oldest first, each beside the version that the record has now."""
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/recovery/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        found = store.open_offers(connection, scope, community_id, after=after, limit=limit + 1)
        page = found[:limit]
        count = store.count_open(connection, scope, community_id)
        people = inbox.people_of_installs(connection, community_id, (row["install_id"] for row in page))
        copies = open_sealed(connection, house, community_id, [(row["subject_id"], row["sealed"]) for row in page])
        led_to: set[str] = set()
        for row, copy in zip(page, copies, strict=True):
            if row["record_type"] in house.registry.types():
                held = [(copy or {}).get("fields"), orjson.loads(row["present_fields"] or "{}")]
                led_to |= referred(house.registry.latest(row["record_type"]), held)
        titles = names_of(connection, house, scope, community_id, led_to)
    personal: set[str] = set()
    rows = []
    for row, copy in zip(page, copies, strict=True):
        fields = (copy or {}).get("fields") or {}
        rows.append(_row(house, scope, row, fields, titles, erased=copy is None) | {"by": people.get(row["install_id"])})
        beside = {one["name"]: one["now"]["value"] for unit in rows[-1]["units"] for one in unit["fields"]}
        personal |= _personal(house, row["record_type"], beside | fields)
    seen(house, look, scope, community_id, fields=sorted(personal), count=len(rows), where="inbox=recovery")
    last = [page[-1]["offered_at"], page[-1]["recovery_id"]] if len(found) > limit else None
    following = make_cursor(house.keys, use, last) if last is not None else None
    return {"as_of": stamp(house.clock()), "count": count, "rows": rows, "next": following}


def _row(
    house: House, scope: Scope, row: dict[str, Any], fields: dict[str, Any], titles: Mapping[str, str], *, erased: bool
) -> dict[str, Any]:
    form = house.registry.latest(row["record_type"]) if row["record_type"] in house.registry.types() else None
    present = None
    if row["present_v"] is not None:
        present = {"v": row["present_v"], "tag": row["present_tag"], "life": row["present_life"]}
    # What stands now may stand in a cell that is not theirs.
    beside = present is None or scope.streams is None or row["present_home"] in scope.streams
    now = orjson.loads(row["present_fields"]) if present is not None else None
    return {
        "recovery_id": row["recovery_id"],
        "epoch": row["epoch"],
        "offered_at": row["offered_at"],
        "record": {
            "id": row["record_id"],
            "type": row["record_type"],
            "type_label": form.label if form is not None else None,
            "title": title_of(form, fields, personal=True)[0] if form is not None else None,
            "v": row["v"],
            "tag": row["tag"],
            "home": row["home"],
        },
        "fields": None if erased else fields,
        "present": present,
        "units": units_of(form, fields, now, titles, there=present is None or present["life"] in WRITABLE) if form is not None and beside and not erased and not form.server_made else [],
    }


def units_of(form: RecordType, copy: Fields, present: Fields | None, titles: Mapping[str, str], *, there: bool = True) -> list[dict[str, Any]]:
    """What a copy says beside what stands now, unit by unit in the order of the form.

    Returns
    -------
    list of dict
        ``unit``, ``label``, ``fields`` (``name``, ``label``, ``copy`` and ``now``, each a value and what it leads to in words), ``state`` (same, only_here, only_copy, differs,
        joined: sets and notes to which the copy adds something) and ``why_not``: None where it can be written back, else ``masked``
        (the copy has a number's tail only), ``counted`` (a stock is counted, not put back) or ``gone`` (not ``there``: the record was
        merged, or lives elsewhere).
    """
    order = {name: place for place, name in enumerate(form.unit_of_field(one) for one in form.fields)}
    found = compare_fields(form, present or {}, copy)
    return [_told(form, one, titles) | ({} if there else {"why_not": "gone"}) for one in sorted(found, key=lambda one: (order.get(one.unit, len(order)), one.unit))]


WRITABLE = frozenset({"live", "deleted"})
"""Lives of a record into which a copy can be written back; a deleted one is restored with it."""

_STATES = {"only_survivor": "only_here", "only_merged": "only_copy"}


def _told(form: RecordType, one: Compared, titles: Mapping[str, str]) -> dict[str, Any]:
    spec = form.units.get(one.unit)
    names = list(one.merged)
    return {
        "unit": one.unit,
        "label": spec.label if spec is not None and spec.label else field_label(form, names[0]),
        "fields": [
            {"name": name, "label": field_label(form, name)}
            | {side: {"value": value, "label": titles.get(str(value))} for side, value in (("copy", one.merged[name]), ("now", one.survivor[name]))}
            for name in names
        ],
        "state": "only_here" if one.state == "joined" and adds_nothing(one) else _STATES.get(one.state, one.state),
        "why_not": why_not(form, one),
    }


def adds_nothing(one: Compared) -> bool:
    """Whether a unit of a copy says nothing that does not stand already."""
    return one.state in {"same", "only_survivor"} or (one.state == "joined" and one.becomes == one.survivor)


def why_not(form: RecordType, one: Compared) -> str | None:
    """Why a unit of a copy cannot be written back; None where it can, or where there is nothing to write."""
    if one.state != "only_merged" and form.policy_of(one.unit) == "add":
        return "counted"
    masked = [name for name, value in one.merged.items() if is_mask(value)]
    if masked and (one.state == "differs" or all(value is None or name in masked for name, value in one.merged.items())):
        return "masked"
    return None


def is_mask(value: Any) -> bool:
    """Whether a value is only the mask of a secret one."""
    return isinstance(value, dict) and "mask" in value


def _personal(house: House, record_type: str, fields: dict[str, Any]) -> set[str]:
    """Names of the personal fields that are given; of an unknown type, all."""
    specs = house.registry.latest(record_type).fields if record_type in house.registry.types() else {}
    return {f"{record_type}.{name}" for name in fields if name not in specs or specs[name].privacy in PERSONAL}


def close(house: House, actor: Actor, scope: Scope, community_id: str, recovery_id: str, look: Look) -> None:
    """Say that a copy was dealt with: looked at, and written anew by somebody where it was right. NotFound if none waits."""
    with write(house.engine) as connection:
        at = stamp(house.clock())
        if not store.close_offer(connection, scope, community_id, recovery_id, at=at, by=actor.user_id):
            raise NotFound("no such copy waits here")
        audit_store.append(connection, line_of(house, look, scope=f"recovery/{recovery_id}", community_id=community_id))
