"""The rest of the inbox: quarantined and held operations, unplaced records, findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from forms.errors import UnknownRecordType
from forms.observed import DISAGREEMENTS
from server.house import House
from server.permissions import Scope
from server.services.disagreements import DERIVED
from server.services.inbox_names import names_of
from server.services.labels import form_of, title_of
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.store import baseline
from server.store import inbox as store
from server.store.database import read, stamp

MOST_PER_PAGE = 200
_OFFICE = {"zh": "多次没见到、拒访或已搬离，要社区出面", "en": "Tried in vain too often, refused or moved away: for the office"}


def operations(
    house: House, scope: Scope, community_id: str, now: str, *, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Operations that are ``held`` or ``quarantined``, oldest first: who, when, what about and why; never values."""
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/{now}/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        found = store.waiting_operations(connection, scope, community_id, now, after=after, limit=limit + 1)
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
            "reason": row["now_reason"],
            "errors": orjson.loads(row["detail"]) if row["detail"] else [],
            "by": people.get(row["install_id"]),
            "claimed_at": row["claimed_at"],
            "arrived_at": row["arrived_at"],
            "waits_for": waits.get((row["install_id"], row["group_n"]), []),
        }
        for row in page
    ]
    last = [page[-1]["arrived_at"], page[-1]["install_id"], page[-1]["n"]] if len(found) > limit else None
    return _answer(house, use, rows, last)


def unplaced(
    house: House, scope: Scope, community_id: str, look: Look, *, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Records that stand in no cell, with the decision of the placement: nearest cell, distance, candidates."""
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/unplaced/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        found = store.unplaced(connection, scope, community_id, after=after, limit=limit + 1)
        page = found[:limit]
        people = store.people_of_installs(connection, community_id, (row["created_install"] for row in page))
        names = names_of(connection, house, scope, community_id, [row["id"] for row in page])
        personal = {"person.name"} if names else set()
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
                    "placement": orjson.loads(row["placement"]) if row["placement"] else None,
                    "lon": row["lon"],
                    "lat": row["lat"],
                    "created_at": row["created_at"],
                    "by": people.get(row["created_install"]),
                }
            )
        seen(
            house,
            look,
            scope,
            community_id,
            fields=sorted(personal),
            count=len(rows),
            where="inbox=unplaced",
        )
    last = [page[-1]["created_at"], page[-1]["id"]] if len(found) > limit else None
    return _answer(house, use, rows, last)


def findings(
    house: House, scope: Scope, community_id: str, look: Look, *, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Open findings, oldest first, in the words of the form's own constraints or of what disagrees."""
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/findings/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        found = store.open_findings(connection, scope, community_id, after=after, limit=limit + 1)
        page = found[:limit]
        cells = {f"cell/{cell.cell_id}": cell for cell in baseline.published_cells(connection, community_id)}
        names = names_of(connection, house, scope, community_id, {row["record_id"] for row in page if row["record_id"]})
        personal = {"person.name"} if names else set()
        rows = []
        for row in page:
            title, field = _title(house, row) if row["type"] else (None, None)
            if field is not None:
                personal.add(f"{row['type']}.{field}")
            cell = cells.get(row["home"] or "")
            rows.append(
                {
                    "finding_id": row["finding_id"],
                    "kind": row["kind"],
                    "name": row["name"],
                    "message": finding_message(house, row["kind"], row["type"], row["name"]),
                    "units": orjson.loads(row["units"]),
                    "detail": orjson.loads(row["detail"]) if row["detail"] else None,
                    "opened_at": row["opened_at"],
                    "record": None
                    if row["record_id"] is None
                    else {
                        "id": row["record_id"],
                        "type": row["type"],
                        "type_label": _type_label(house, row["type"]),
                        "title": names.get(row["record_id"], title),
                        "cell": None
                        if cell is None
                        else {"cell_id": cell.cell_id, "code": cell.code, "name": cell.name},
                    },
                }
            )
        seen(
            house,
            look,
            scope,
            community_id,
            fields=sorted(personal),
            count=len(rows),
            where="inbox=findings",
        )
    last = [page[-1]["opened_at"], page[-1]["finding_id"]] if len(found) > limit else None
    return _answer(house, use, rows, last)


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
    if kind is None or kind not in house.registry.types():
        return None
    form = house.registry.latest(kind)
    return next((constraint.message for constraint in form.constraints if constraint.name == name), None)
