"""What belongs to a record: whoever names it in a ref field, those who live in the same household, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import orjson

from forms.definition import RecordType
from forms.derived import DERIVED, TIED, derive
from forms.dwelling_facts import ARRANGEMENTS, DERIVED_CODES, Resident, arrangement
from server.house import House
from server.permissions import Scope
from server.services.accounts import today
from server.services.addresses import Addresses
from server.services.labels import PERSONAL, form_of, shown, title_of, words_of
from server.services.paging import make_cursor, read_cursor
from server.services.roster_doors import Doors
from server.services.roster_source import Now
from server.store import commands, rosters
from server.store import record_page as store
from server.store.scoping import Condition, among, json_text

MOST_ROWS = 200
_MOST_FACTS = 8

# Of these a community has as many as doors and people: they are never read through to find who names a record.
_MANY = frozenset({"person", "household", "dwelling", "residence"})
_NEVER = frozenset({"reference"})

_LABELS: dict[str, dict[str, str]] = {
    "relatives": {"zh": "同户成员", "en": "Same household"},
    "person.residence_household": {"zh": "家庭成员", "en": "Members"},
    "person.registration_dwelling": {"zh": "户籍在此", "en": "Registered here"},
    "household.dwelling": {"zh": "住户", "en": "Households"},
    "care_status.person": {"zh": "重点关爱", "en": "Care"},
    "residence.person": {"zh": "居住与户籍变动", "en": "Former residences and registrations"},
    "reference_card.person": {"zh": "引用卡片", "en": "Reference cards"},
    "party_member.person": {"zh": "党员身份", "en": "Party membership"},
    "check_in.party_member": {"zh": "双报到", "en": "Check-ins"},
    "visit.household": {"zh": "走访", "en": "Visits"},
}


def related(
    connection: Any, house: House, scope: Scope, community_id: str, form: RecordType, row: Any,
    fields: Mapping[str, Any], cells: Mapping[str, Any],
) -> tuple[list[dict[str, Any]], set[str]]:  # fmt: skip
    """Live records in the scope that belong to a record, by relation; and the personal fields that were shown of them.

    A relation is named ``<type>.<field>`` after the ref field that makes it; ``relatives`` are the others of a person's
    household. Relations without records are left out.
    """
    told: list[dict[str, Any]] = []
    personal: set[str] = set()
    for name, kind, condition in _relations(connection, house, scope, community_id, form, row, fields):
        rows, count, more = store.related(connection, scope, community_id, kind, condition, MOST_ROWS)
        if rows:
            its_form = house.registry.latest(kind)
            told.append(
                {
                    "relation": name, "label": _LABELS.get(name, its_form.label), "type": kind,
                    "type_label": its_form.label, "count": count, "more": more,
                    "next": _cursor(house, community_id, row.id, name, rows[-1]) if more else None,
                    "rows": [_row(house, scope, one, name, cells, personal) for one in rows],
                }
            )  # fmt: skip
    return told, personal


def following(
    connection: Any, house: House, scope: Scope, community_id: str, form: RecordType, row: Any,
    fields: Mapping[str, Any], cells: Mapping[str, Any], relation: str, *, cursor: str | None, limit: int,
) -> tuple[dict[str, Any], set[str]] | None:  # fmt: skip
    """One more page of a relation that `related` tells of, and the personal fields that were shown; None if there is no such relation."""
    after = read_cursor(house.keys, _use(community_id, row.id, relation), cursor)
    limit = max(1, min(limit, MOST_ROWS))
    personal: set[str] = set()
    for name, kind, condition in _relations(connection, house, scope, community_id, form, row, fields):
        if name == relation:
            rows, count, more = store.related(connection, scope, community_id, kind, condition, limit, after)
            told = {
                "count": count, "next": _cursor(house, community_id, row.id, name, rows[-1]) if more else None,
                "rows": [_row(house, scope, one, name, cells, personal) for one in rows],
            }  # fmt: skip
            return told, personal
    return None


def _use(community_id: str, record_id: str, relation: str) -> str:
    return f"related/{community_id}/{record_id}/{relation}"


def _cursor(house: House, community_id: str, record_id: str, relation: str, last: Any) -> str:
    return make_cursor(house.keys, _use(community_id, record_id, relation), [last.created_at, last.id])


def _relations(
    connection: Any, house: House, scope: Scope, community_id: str, form: RecordType, row: Any, fields: Mapping[str, Any]
) -> Iterator[tuple[str, str, Condition]]:
    """Name, type and condition of every relation that a record may have."""
    if form.name == "person" and isinstance(home := fields.get("residence_household"), str):
        led = commands.redirects_of(connection, community_id, [home])
        while home in led:
            home = led[home]
        same = _living_in(connection, community_id, home)
        yield "relatives", "person", (f"{same[0]} AND r.id <> ?", [*same[1], row.id])
    targets = [row.id, *commands.leading_to(connection, community_id, [row.id])]
    for kind in house.registry.types():
        if kind in _NEVER:
            continue
        for spec in house.registry.latest(kind).fields.values():
            if spec.ref_type != form.name:
                continue
            condition = _condition(connection, house, community_id, house.registry.latest(kind), spec.name, targets)
            if condition is None:
                continue
            yield f"{kind}.{spec.name}", kind, condition
            if (kind, spec.name) == ("party_member", "person"):
                members = store.related(connection, scope, community_id, kind, condition, MOST_ROWS)[0]
                if members:
                    text = json_text(connection, "r", "party_member")
                    yield "check_in.party_member", "check_in", among(text, [one.id for one in members])


def _condition(
    connection: Any, house: House, community_id: str, form: RecordType, field: str, targets: Sequence[str]
) -> Condition | None:
    """How the records that name another one are found; None where that would mean reading through all people or doors."""
    first = form.placed_by[0] if form.placed_by else None
    placed = first == field or (form.name in _MANY and field in form.placed_by)
    indexed = form.fields[field].indexed
    if not placed and not indexed and form.name in _MANY:
        return None
    keys = [house.keys.search_key(field, target) for target in targets] if indexed else []
    # A person is placed by the registration only without a residence: the index finds both.
    return store.referring_by(connection, community_id, field, targets, placed=placed and not keys, search_keys=keys)


def _living_in(connection: Any, community_id: str, household: str) -> Condition:
    """The persons of a household, also of those that were merged into it."""
    homes = [household, *commands.leading_to(connection, community_id, [household])]
    return store.referring_by(connection, community_id, "residence_household", homes, placed=True)


def _row(
    house: House, scope: Scope, row: Any, relation: str, cells: Mapping[str, Any], personal: set[str]
) -> dict[str, Any]:
    skip = "residence_household" if relation == "relatives" else relation.partition(".")[2]
    form = form_of(house.registry, row.type, None)
    fields: dict[str, Any] = orjson.loads(row.fields)
    all_fields = scope.fields == "all"
    title, field = title_of(form, fields, personal=all_fields)
    if field is not None:
        personal.add(f"{row.type}.{field}")
    facts: list[dict[str, Any]] = []
    for name, spec in form.fields.items():
        if name in {skip, "name", "note"} or spec.type in {"ref", "location"} or len(facts) == _MOST_FACTS:
            continue
        if spec.privacy == "secret" or (spec.privacy in PERSONAL and not all_fields):
            continue
        text = words_of(spec, shown(spec, fields.get(name), unmask=False))
        if text is not None:
            facts.append({"name": name, "label": spec.label, "text": text})
            if spec.privacy in PERSONAL:
                personal.add(f"{row.type}.{name}")
    return {
        "id": row.id, "type": row.type, "title": title, "v": row.v, "tag": row.tag, "life": row.life, "cell": cells.get(row.home),
        "facts": facts,
    }  # fmt: skip


# ---------------------------------------------------------------- what follows
def address_line(
    connection: Any, scope: Scope, community_id: str, kind: str, record_id: str, fields: Mapping[str, Any]
) -> str | None:
    """Where a record is in one line; None where that is not known or not within the scope."""
    addresses = Addresses(lambda ids: _seen(connection, scope, community_id, ids))
    addresses.learn([(kind, fields)])
    return addresses.line(kind, fields)


def _seen(connection: Any, scope: Scope, community_id: str, ids: Any) -> dict[str, rosters.Entry]:
    found = rosters.entries_by_id(connection, community_id, ids)
    if scope.streams is None:
        return found
    visible = store.in_scope(connection, scope, community_id, found)
    public = {"estate", "building"}  # a worker may read on which building a neighbour's door is
    return {one: entry for one, entry in found.items() if one in visible or entry.type in public}


def derived(
    connection: Any, house: House, scope: Scope, community_id: str, form: RecordType, row: Any, fields: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What follows from a record and its relatives: age, 人户状态, how the old people of a dwelling live."""
    day = date.fromisoformat(today(house))
    if form.name == "person":
        household = rosters.entries_by_id(connection, community_id, [str(fields.get("residence_household"))])
        home = next(iter(household.values()), None)
        values = {**fields}
        if home is not None:
            values |= {f"residence_household.{name}": home.fields.get(name) for name in ("dwelling", "head")}
        source = Now(connection, scope, community_id)
        lives, registered = (
            source.root(one) if isinstance(one := values.get(name), str) else None
            for name in ("residence_household.dwelling", "registration_dwelling")
        )
        doors = Doors(source, day, None)
        doors.load(one for one in (lives, registered) if one is not None)
        told: dict[str, Any] = {}
        stands = rosters.entries_by_id(connection, community_id, [registered]) if registered is not None else {}
        seen = scope.streams is None or any(one.home in scope.streams for one in stands.values())
        if registered is not None and seen:  # who lives behind a door of another cell is not told to a grid worker
            values[TIED] = doors.is_tied(registered)
        for name in ("age", "is_head", "residence_state"):
            told[name] = derive(name, values, record_id=row.id, today=day)
        alive = fields.get("vital_status") != "deceased"
        if lives is not None and alive and fields.get("presence") != "away_long":
            told["arrangement"] = doors.lived_in(lives)
        if registered is not None and alive and seen and not values[TIED]:
            told["registration_hangs"] = True
        return [
            {"name": name, "label": {"zh": DERIVED[name].label_zh, "en": DERIVED[name].label_en}, "value": value,
             "text": DERIVED_CODES[name][value][0] if name in DERIVED_CODES else words_of(None, value)}
            for name, value in told.items() if value is not None
        ]  # fmt: skip
    dwelling = row.id if form.name == "dwelling" else fields.get("dwelling") if form.name == "household" else None
    if not isinstance(dwelling, str):
        return []
    found = arrangement(dwelling, residents_of(connection, scope, community_id, dwelling), day)
    label = {"zh": "居住结构", "en": "How it is lived in"}
    return [{"name": "arrangement", "label": label, "value": found, "text": ARRANGEMENTS[found][0]}]


def residents_of(connection: Any, scope: Scope, community_id: str, dwelling: str) -> list[Resident]:
    """Everybody who lives in a dwelling and whom the scope sees."""
    placed = store.referring_by(connection, community_id, "dwelling", [dwelling], placed=True)
    households = store.related(connection, scope, community_id, "household", placed, MOST_ROWS)[0]
    found = []
    for household in households:
        kind = orjson.loads(household.fields).get("kind")
        members = _living_in(connection, community_id, household.id)
        for one in store.related(connection, scope, community_id, "person", members, MOST_ROWS)[0]:
            person = orjson.loads(one.fields)
            found.append(
                Resident(
                    one.id, dwelling, person.get("registration_dwelling"), presence=person.get("presence"),
                    birth_date=person.get("birth_date"), deceased=person.get("vital_status") == "deceased",
                    collective=kind == "collective",
                )
            )  # fmt: skip
    return found
