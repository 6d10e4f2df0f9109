"""The rest of the inbox: quarantined and held operations, unplaced records, findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from forms.errors import UnknownRecordType
from forms.findings import message_of
from forms.observed import DISAGREEMENTS
from geo.locate import CellIndex
from server.house import House
from server.permissions import Scope
from server.services.checks import add_checks
from server.services.disagreements import DERIVED
from server.services.handing import add_handed, matters
from server.services.harms import page_of, places_by_harm, visible_harms
from server.services.inbox import cells_by_home, harm_of
from server.services.labels import form_of, title_of
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.services.places import places_in_force
from server.services.record_names import names_of
from server.store import inbox as store
from server.store.database import read, stamp
from server.store.handed import DOUBTFUL, DUPLICATE, NO_CELL
from server.store.sieve import EVERYTHING, LESS, Sieve

MOST_PER_PAGE = 200
_HANDED = {
    DUPLICATE: {"zh": "可能与另一个人是同一个人，请问清楚", "en": "May be one with somebody else: find out"},
    NO_CELL: {"zh": "不知道在哪个网格，请问清楚在哪里", "en": "In no cell: find out where it is"},
    DOUBTFUL: {"zh": "在网格边上，请核实在哪个网格", "en": "At the border of cells: find out in which it is"},
}
_OFFICE = {"zh": "多次没见到、拒访或已搬离，要社区出面", "en": "Tried in vain too often, refused or moved away: for the office"}


def harms_of_types(house: House) -> dict[str, int]:
    """How much harm is done while something about a record waits: 0 about a person, 1 about what people belong to, else `LESS`."""
    harms = {}
    for name in house.registry.types():
        form = house.registry.latest(name)
        of_people = form.subject is not None or any(field.ref_type in ("person", "household") for field in form.fields.values())
        harms[name] = 0 if form.subject == "self" else 1 if of_people else LESS
    return harms


def operations(
    house: House,
    scope: Scope,
    community_id: str,
    now: str,
    look: Look,
    *,
    cursor: str | None = None,
    limit: int = 50,
    sieve: Sieve = EVERYTHING,
) -> dict[str, Any]:
    """Operations that are ``held`` or ``quarantined``, the most harmful first: who, when, what about and why; never values.

    What was found at the door about one is told with it (``checks``), and who read that is written down.
    """
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/{now}/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        sieve = replace(sieve, harms=harms_of_types(house))
        found = store.waiting_operations(connection, scope, community_id, now, after=after, limit=limit + 1, sieve=sieve)
        count = store.count_operations(connection, scope, community_id, now, sieve)
        cells = cells_by_home(connection, community_id)
        page = found[:limit]
        people = store.people_of_installs(connection, community_id, (row["install_id"] for row in page))
        waits = {}
        if now == "held":
            waits = store.waits_for(connection, community_id, [(row["install_id"], row["group_n"]) for row in page])
        rows = [
            {
                "install_id": row["install_id"],
                "n": row["n"],
                "op_id": row["op_id"],
                "kind": row["kind"],
                "type": row["record_type"],
                "type_label": _type_label(house, row["record_type"]),
                "record_id": row["record_id"],
                "known": row["present_type"] is not None,
                "cell": cells.get(row["home"] or ""),
                "harm": row["harm"],
                "delegated_to": row["delegated_to"],
                "reason": row["now_reason"],
                "errors": orjson.loads(row["detail"]) if row["detail"] else [],
                "by": people.get(row["install_id"]),
                "claimed_at": row["claimed_at"],
                "arrived_at": row["arrived_at"],
                "waits_for": waits.get((row["install_id"], row["group_n"]), []),
            }
            for row in page
        ]
        items = [f"operation/{row['install_id']}/{row['n']}" for row in rows]
        personal = add_checks(house, connection, scope, community_id, rows, items)
        seen(house, look, scope, community_id, fields=sorted(personal), count=len(rows), where=f"inbox={now}")
    last = [page[-1][name] for name in ("harm", "arrived_at", "install_id", "n")] if len(found) > limit else None
    return _answer(house, use, rows, last) | {"count": count}


def unplaced(
    house: House, scope: Scope, community_id: str, look: Look, *, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Records that stand in no cell, by harm (`harms.place_of`), with the decision of the placement; nearest cell and distance by the
    cells in force."""
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/unplaced/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        every = places_by_harm(house, connection, community_id, store.unplaced_where(connection, scope, community_id))
        harms, last = page_of(every, after, limit)
        place = {one[3]: one for one in harms}
        page = store.unplaced(connection, scope, community_id, list(place))
        people = store.people_of_installs(connection, community_id, (row["created_install"] for row in page))
        names = names_of(connection, house, scope, community_id, [row["id"] for row in page])
        personal = {"person.name"} if names else set()
        index = places_in_force(connection, str(house.engine.url), community_id).index
        rows = []
        for row in page:
            title, field = _title(house, row)
            if field is not None:
                personal.add(f"{row['type']}.{field}")
            rows.append(
                {
                    "record": {
                        "id": row["id"],
                        "type": row["type"],
                        "type_label": _type_label(house, row["type"]),
                        "title": names.get(row["id"], title),
                        "v": row["v"],
                        "tag": row["tag"],
                    },
                    "placement": _placement(row, index),
                    "lon": row["lon"],
                    "lat": row["lat"],
                    "created_at": row["created_at"],
                    "by": people.get(row["created_install"]),
                }
                | visible_harms(scope, place[row["id"]])
            )
        personal |= add_handed(house, connection, scope, community_id, rows, [matters(NO_CELL, row["id"]) for row in page])
        seen(house, look, scope, community_id, fields=sorted(personal), count=len(rows), where="inbox=unplaced")
    return _answer(house, use, rows, last) | {"count": len(every)}


def _placement(row: dict[str, Any], index: CellIndex) -> dict[str, Any] | None:
    """The note of an unplaced record; the nearest cell anew, because an edition writes nothing of what stays unplaced (S29)."""
    note: dict[str, Any] = orjson.loads(row["placement"]) if row["placement"] else {}
    note.pop("nearest", None)
    if row["lon"] is not None and row["lat"] is not None:
        near = index.nearest(lon=row["lon"], lat=row["lat"])
        if near is not None:
            note["nearest"] = [near[0], round(near[1], 1)]
    return note or None


def group_harm(house: House, row: dict[str, Any]) -> int:
    """How much harm findings of a group do, by the units that they are about: 0 the most."""
    if row["type"] is None or row["type"] not in house.registry.types():
        return 0 if row["type"] is None else LESS  # without a record: work of a phone that never came
    form = house.registry.latest(row["type"])
    return min((harm_of(form, unit, "value") for unit in orjson.loads(row["units"])), default=LESS)


def findings(
    house: House,
    scope: Scope,
    community_id: str,
    look: Look,
    *,
    cursor: str | None = None,
    limit: int = 50,
    sieve: Sieve = EVERYTHING,
    name: str | None = None,
) -> dict[str, Any]:
    """Open findings, the most harmful first, in the words of the form's own constraints or of what disagrees.

    Parameters
    ----------
    name : only findings of this name

    Returns
    -------
    dict
        ``as_of``, ``count``, ``groups`` (what is found how often, whatever ``name`` says), ``rows`` and ``next``. What is found about a
        phone has no ``record``; ``by`` says whose phone it is.
    """
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/findings/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        kinds = store.finding_groups(connection, scope, community_id, sieve)
        harms: dict[str, int] = {}
        for row in kinds:
            group = store.group_key(row["kind"], row["name"], row["type"])
            harms[group] = min(group_harm(house, row), harms.get(group, LESS))
        wanted = None if name is None else tuple({store.group_key(row["kind"], row["name"], row["type"]) for row in kinds if row["name"] == name})
        sieve = replace(sieve, harms=harms, only=wanted)
        found = store.open_findings(connection, scope, community_id, after=after, limit=limit + 1, sieve=sieve)
        page = found[:limit]
        cells = cells_by_home(connection, community_id)
        names = names_of(connection, house, scope, community_id, {row["record_id"] for row in page if row["type"]})
        phones = store.people_of_installs(connection, community_id, (row["record_id"] for row in page if row["type"] is None and row["record_id"]))
        personal = {"person.name"} if names else set()
        rows = []
        for row in page:
            title, field = _title(house, row) if row["type"] else (None, None)
            if field is not None:
                personal.add(f"{row['type']}.{field}")
            rows.append(
                {
                    "finding_id": row["finding_id"],
                    "kind": row["kind"],
                    "name": row["name"],
                    "message": finding_message(house, row["kind"], row["type"], row["name"]),
                    "units": orjson.loads(row["units"]),
                    "detail": orjson.loads(row["detail"]) if row["detail"] else None,
                    "opened_at": row["opened_at"],
                    "harm": row["harm"],
                    "delegated_to": row["delegated_to"],
                    "by": phones.get(row["record_id"]) if row["type"] is None else None,
                    "record": None
                    if row["type"] is None
                    else {
                        "id": row["record_id"],
                        "type": row["type"],
                        "type_label": _type_label(house, row["type"]),
                        "title": names.get(row["record_id"], title),
                        "cell": cells.get(row["home"] or ""),
                    },
                }
            )
        items = [f"finding/{row['finding_id']}" for row in rows]
        personal |= add_checks(house, connection, scope, community_id, rows, items)
        seen(
            house,
            look,
            scope,
            community_id,
            fields=sorted(personal),
            count=len(rows),
            where="inbox=findings",
        )
    last = [page[-1][name] for name in ("harm", "opened_at", "finding_id")] if len(found) > limit else None
    groups = _groups(house, kinds, harms)
    return _answer(house, use, rows, last) | {
        "count": sum(group["count"] for group in groups if name is None or group["name"] == name),
        "groups": groups,
    }


def _groups(house: House, kinds: list[dict[str, Any]], harms: dict[str, int]) -> list[dict[str, Any]]:
    """What is found how often, by name, the most harmful first, then the most frequent."""
    counted: Counter[str] = Counter()
    told: dict[str, dict[str, Any]] = {}
    for row in kinds:
        counted[row["name"]] += row["number"]
        harm = harms[store.group_key(row["kind"], row["name"], row["type"])]
        one = told.setdefault(
            row["name"],
            {"name": row["name"], "kind": row["kind"], "message": finding_message(house, row["kind"], row["type"], row["name"]), "harm": harm},
        )
        one["harm"] = min(one["harm"], harm)
    made = [one | {"count": counted[name]} for name, one in told.items()]
    return sorted(made, key=lambda one: (one["harm"], -one["count"], one["name"]))


def _answer(house: House, use: str, rows: list[dict[str, Any]], last: Iterable[Any] | None) -> dict[str, Any]:
    following = make_cursor(house.keys, use, list(last)) if last is not None else None
    return {"as_of": stamp(house.clock()), "rows": rows, "next": following}


def _title(house: House, row: dict[str, Any]) -> tuple[str | None, str | None]:
    try:
        form = form_of(house.registry, row["type"], row["form_version"])
    except UnknownRecordType:
        return None, None
    return title_of(form, orjson.loads(row["fields"]), personal=True)


def _type_label(house: House, name: str | None) -> Any:
    if name is None or name not in house.registry.types():
        return None
    return house.registry.latest(name).label


def finding_message(house: House, found: str, kind: str | None, name: str) -> Any:
    """The words of a constraint or of what disagrees with a derived fact; None for findings of another kind, which the screen words."""
    if found == DERIVED:
        return DISAGREEMENTS.get(name)
    if found == store.ESCALATED:
        return _OFFICE
    if found in _HANDED:
        return _HANDED[found]
    if kind is None or kind not in house.registry.types():
        return None
    form = house.registry.latest(kind)
    return message_of(form, name)
