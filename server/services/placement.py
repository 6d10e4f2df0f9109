"""Why a record stands where it stands, in words that a secretary can read; and deciding it: pin, confirm, choose a holder (L3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from geo.location import radius_m95
from geo.place import PlacementDecision, place_fix
from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.permissions import Actor, Scope
from server.services.handing import add_handed, matters
from server.services.harms import page_of, places_by_harm, visible_harms
from server.services.labels import PERSONAL, form_of, title_of
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.services.pins_back import heirs_now
from server.services.placement_words import Said, say
from server.services.places import Places, places_in_force
from server.services.push import accept_user_operation
from server.services.record_page import found_in
from server.store import inbox as people
from server.store import placements as store
from server.store import places as editions
from server.store.database import read, stamp
from server.store.handed import DOUBTFUL
from sync.memory import UNPLACED
from sync.placing import PIN, pinned_cell

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

MOST_PER_PAGE = 200
LONGEST_REASON = 200
_LONGEST_CHAIN = 8
Cells = dict[str, tuple[str, str, str]]


def explain(house: House, scope: Scope, community_id: str, kind: str, record_id: str, look: Look) -> dict[str, Any]:
    """Why a record stands where it stands, judged anew by the cells in force.

    Returns
    -------
    dict
        ``home`` (cell or None), ``decision`` (of the record that decides), ``chain`` (from the record to the one that
        decides), ``location``, ``candidates`` with probability and distance, ``nearest``, ``datum_suspect``, ``pin``,
        ``needs_confirmation``, ``history`` of homes, and the whole in a sentence, ``zh`` and ``en``.
        Whoever reads no personal fields is told neither the reason of a pin nor who said it.

    Raises
    ------
    NotFound
        No record of this type and id in the scope.
    """
    with read(house.engine) as connection:
        found_in(connection, house, scope, community_id, kind, record_id)
        chain = _chain(connection, community_id, record_id)
        places = places_in_force(connection, str(house.engine.url), community_id)
        cells = all_cells(connection, community_id)
        ledger = store.ledger_of(connection, community_id, record_id)
        pin = orjson.loads(chain[-1].fields).get(PIN)
        by = people.names_of_users(connection, community_id, [pin["by"]]) if isinstance(pin, dict) and pin.get("by") else {}
    personal = scope.fields == "all"
    told, names = _chain_told(house, chain, personal)
    seen(house, look, scope, community_id, fields=names, count=1, record_type=kind, record_id=record_id)
    said = _judge(places, cells, chain, told, by, personal=personal)
    zh, en = say(said)
    return {
        "as_of": stamp(house.clock()),
        "record": told[0] | {"v": chain[0].v, "tag": chain[0].tag},
        "home": cell_told(cells, chain[0].home),
        "dedicated": cell_told(cells, chain[0].dedicated) if chain[0].dedicated else None,
        "edition_id": places.edition_id,
        "decision": said.decision,
        "chain": told,
        "location": said.location,
        "candidates": said.candidates,
        "nearest": said.nearest,
        "datum_suspect": list(said.datum_suspect),
        "pin": said.pin,
        "needs_confirmation": said.needs_confirmation,
        "history": [
            {"from": cell_told(cells, row.from_home), "to": cell_told(cells, row.to_home), "at": row.at, "reason": row.reason}
            for row in ledger
        ],
        "zh": zh,
        "en": en,
    }


def queue(
    house: House, scope: Scope, community_id: str, look: Look, *, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Records whose fix leaves a choice between cells, by harm (`harms.place_of`), each with its candidates and a sentence.

    Of one without candidates whose pinned cell was divided a secretary, who may name any cell, is offered the cells that have the ground
    now, by its shares.
    """
    use = f"inbox/placements/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    size = max(1, min(limit, MOST_PER_PAGE))
    types = anchored(house)
    with read(house.engine) as connection:
        every = places_by_harm(house, connection, community_id, store.doubtful_where(connection, scope, community_id, types))
        harms, last = page_of(every, after, size)
        place = {one[3]: one for one in harms}
        page = store.doubtful(connection, scope, community_id, types, list(place))
        places = places_in_force(connection, str(house.engine.url), community_id)
        cells = all_cells(connection, community_id)
        makers = people.people_of_installs(connection, community_id, (row.created_install for row in page))
        gone_of = {row.id: orjson.loads(row.placement).get("reopened") for row in page}
        asked = {one for one in gone_of.values() if one and _names_any_cell(look.actor)}
        heirs = heirs_now(connection, community_id, asked)
    personal = scope.fields == "all"
    rows: list[dict[str, Any]] = []
    named: set[str] = set()
    for row in page:
        told, names = _chain_told(house, [row], personal)
        named.update(names)
        said = _judge(places, cells, [row], told, {}, personal=personal)
        zh, en = say(said)
        rows.append(
            {
                "record": told[0] | {"v": row.v, "tag": row.tag},
                "home": cell_told(cells, row.home),
                "location": said.location,
                "candidates": said.candidates or [
                    {"cell": cell_told(cells, f"cell/{one}"), "probability": round(share, 4), "distance_m": None}
                    for one, share in heirs.get(gone_of[row.id], [])
                ],
                "nearest": said.nearest,
                "reopened": cell_told(cells, f"cell/{gone}") if (gone := gone_of[row.id]) else None,
                "by": makers.get(row.created_install),
                "created_at": row.created_at,
                "zh": zh,
                "en": en,
            }
            | visible_harms(scope, place[row.id])
        )
    with read(house.engine) as connection:
        named |= add_handed(house, connection, scope, community_id, rows, [matters(DOUBTFUL, row.id) for row in page])
    seen(house, look, scope, community_id, fields=sorted(named), count=len(rows), where="inbox=placements")
    return {
        "as_of": stamp(house.clock()),
        "count": len(every),
        "rows": rows,
        "next": make_cursor(house.keys, use, list(last)) if last is not None else None,
    }


def pin(
    house: House,
    actor: Actor,
    scope: Scope,
    community_id: str,
    kind: str,
    record_id: str,
    *,
    cell: str | None,
    reason: str = "",
    base: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Say in which cell a record with a place of its own stands, against geometry; None lets geometry decide again.

    A secretary may name any cell in force, with a reason. Others confirm: only a cell that the fix itself may lie in.

    Parameters
    ----------
    cell : id or code of a cell in force
    base : the version that was on the screen; None: the present one

    Returns
    -------
    dict
        The result of the operation, as a push answers it.

    Raises
    ------
    NotFound, OutsideScope, InvalidInput
    """
    with read(house.engine) as connection:
        found_in(connection, house, scope, community_id, kind, record_id)
        [row] = store.placed_rows(connection, community_id, [record_id])
        places = places_in_force(connection, str(house.engine.url), community_id)
    if kind not in anchored(house):
        raise _wrong("/cell", "no_own_place", "this record stands where its holder stands: choose another holder")
    chosen = _cell_in_force(places, cell)
    fields = orjson.loads(row.fields)
    if not _names_any_cell(actor):
        decision = place_fix(places.index, fields.get("anchor"))
        if chosen is None or chosen not in {one for one, _ in decision.candidates}:
            raise OutsideScope("only the secretary names a cell that the fix does not touch")
    elif chosen is not None and not reason.strip():
        raise _wrong("/reason", "required", "a pin needs a reason")
    if not fields.get("anchor") and chosen is None and pinned_cell(fields) is None:
        raise _wrong("/cell", "required", "a record without a location needs a cell")
    value = None
    if chosen is not None:
        value = {
            "cell": chosen,
            "edition": places.edition_id,
            "reason": reason.strip()[:LONGEST_REASON],
            "by": actor.user_id,
            "at": stamp(house.clock()),
            "kind": "pinned" if _names_any_cell(actor) else "confirmed",
        }
    asked = {
        "kind": "patch",
        "type": kind,
        "id": record_id,
        "base": base or {"v": row.v, "tag": row.tag},
        "set": {PIN: value},
        "was": {PIN: fields.get(PIN)},
    }
    return accept_user_operation(house, actor, asked, may_confirm=True)


def hold(
    house: House,
    actor: Actor,
    scope: Scope,
    community_id: str,
    kind: str,
    record_id: str,
    values: dict[str, Any],
    *,
    base: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Say what a record stands in (a dwelling its building or entrance, a household its dwelling), which places it.

    ``values`` : placing fields of the record's type and ids of records of the right type

    Raises
    ------
    NotFound, InvalidInput
    """
    form = form_of(house.registry, kind, None)
    allowed = [name for name in form.placed_by if name != "@anchor"]
    wrong = [
        InputError(f"/set/{name}", "not_placing", "one of " + ", ".join(allowed)) for name in values if name not in allowed
    ]
    if wrong or not values:
        raise InvalidInput("say what it stands in", errors=wrong or [InputError("/set", "required", ", ".join(allowed))])
    with read(house.engine) as connection:
        found_in(connection, house, scope, community_id, kind, record_id)
        [row] = store.placed_rows(connection, community_id, [record_id])
        for name, target in values.items():
            found_in(connection, house, scope, community_id, form.fields[name].ref_type or "", str(target))
    fields = orjson.loads(row.fields)
    asked = {
        "kind": "patch",
        "type": kind,
        "id": record_id,
        "base": base or {"v": row.v, "tag": row.tag},
        "set": dict(values),
        "was": {name: fields.get(name) for name in values},
    }
    return accept_user_operation(house, actor, asked)


def _names_any_cell(actor: Actor) -> bool:
    return actor.role == "secretary"


# ---------------------------------------------------------------- what is said
def anchored(house: House) -> tuple[str, ...]:
    """The record types that have a place of their own."""
    return tuple(name for name in house.registry.types() if "@anchor" in house.registry.latest(name).placed_by)


def all_cells(connection: Connection, community_id: str) -> Cells:
    """Id, code and name of every cell that was ever in force, by stream; of the newest edition that has it."""
    found: Cells = {}
    rows = [row for row in editions.editions_of(connection, community_id) if row.state != "draft"]
    for edition in sorted(rows, key=lambda row: row.number):
        prefix = "cell" if edition.layer == "base" else "dedicated"
        for one in editions.cells_of(connection, community_id, edition.edition_id):
            found[f"{prefix}/{one.cell_id}"] = (one.cell_id, one.code, one.name)
    return found


def cell_told(cells: Cells, stream: str | None) -> dict[str, str] | None:
    """A cell by its stream; None for no cell."""
    if stream is None or stream == UNPLACED:
        return None
    cell_id, code, name = cells.get(stream, (stream.partition("/")[2], "", ""))
    return {"cell_id": cell_id, "code": code, "name": name}


def _chain(connection: Connection, community_id: str, record_id: str) -> list[Any]:
    """From the record to the one whose own place or pin decides, or to where the way ends."""
    found: list[Any] = []
    following: str | None = record_id
    while following is not None and len(found) < _LONGEST_CHAIN:
        rows = store.placed_rows(connection, community_id, [following])
        if not rows:
            break
        found.append(rows[0])
        following = rows[0].place_parent
    return found


def _chain_told(house: House, chain: Sequence[Any], personal: bool) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    told, names = [], set()
    for row in chain:
        form = form_of(house.registry, row.type, None)
        fields = orjson.loads(row.fields)
        title, name = title_of(form, fields, personal=personal)
        number = fields.get("number")
        if title is None and isinstance(number, str) and form.fields["number"].privacy not in PERSONAL:
            title = number
        if name is not None:
            names.add(f"{row.type}.{name}")
        told.append({"id": row.id, "type": row.type, "type_label": dict(form.label), "title": title})
    return told, tuple(sorted(names))


def _judge(
    places: Places, cells: Cells, chain: Sequence[Any], told: list[dict[str, Any]], by: dict[str, str], *, personal: bool
) -> Said:
    deciding = chain[-1]
    fields = orjson.loads(deciding.fields)
    anchor, pin_value = fields.get("anchor"), fields.get(PIN)
    decision = place_fix(places.index, anchor) if anchor else PlacementDecision(None, "unlocated")
    note = orjson.loads(deciding.placement) if deciding.placement else {}
    pinned = pinned_cell(fields)
    is_pinned = pinned is not None and places.has_cell(pinned)
    lon, lat = (anchor["lon"], anchor["lat"]) if anchor else (0.0, 0.0)
    candidates = [
        {
            "cell": cell_told(cells, f"cell/{cell_id}"),
            "probability": share,
            "distance_m": round(places.index.distance_m(cell_id, lon=lon, lat=lat), 1),
        }
        for cell_id, share in decision.candidates
    ]
    nearest = None
    if decision.nearest is not None:
        nearest = {"cell": cell_told(cells, f"cell/{decision.nearest[0]}"), "distance_m": round(decision.nearest[1], 1)}
    home = chain[0].home
    return Said(
        decision="pinned" if is_pinned else decision.decision,
        home=cell_told(cells, home),
        chain=told,
        location=None
        if not anchor
        else {name: anchor.get(name) for name in ("lon", "lat", "accuracy_m", "confidence", "method", "datum")}
        | {"radius_m95": round(radius_m95(anchor), 1)},
        candidates=candidates,
        nearest=nearest,
        datum_suspect=decision.datum_suspect,
        pin=None
        if not isinstance(pin_value, dict)
        else {
            "cell": cell_told(cells, f"cell/{pinned}") if pinned else None,
            "at": pin_value.get("at"),
            "kind": pin_value.get("kind"),
            "holds": is_pinned,
        }
        # A reason is free text, and may speak of those who live there.
        | ({"reason": pin_value.get("reason"), "by": by.get(str(pin_value.get("by")))} if personal else {}),
        needs_confirmation=(decision.needs_confirmation and not is_pinned) or bool(note.get("reopened")),
    )


def _cell_in_force(places: Places, named: str | None) -> str | None:
    if named is None:
        return None
    if places.has_cell(named):
        return named
    for cell_id, code in zip(places.index.cell_ids, places.index.codes, strict=True):
        if code == named:
            return cell_id
    raise NotFound("no such cell in the published edition of this community")


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
