"""What the rows of a table would change: matched with what is there, row by row, nothing written.

Deciding needs the database only to look at; the same plan is shown beforehand and written afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from forms.identity import resident_id_birth, resident_id_ok, resident_id_sex
from forms.index import normalise_for_search
from forms.sheet_columns import EXTRA
from forms.sheet_values import CellRefused, birth_values, cell_text, cell_value
from forms.validate import validator
from server.services.sheet_file import Row
from server.services.sheet_ground import Dwelling, Ground, Home, Lead, Place, place_of
from server.services.sheet_match import looks_like, means, no_less_known
from server.store import sheets as store
from server.store.search import found_under
from server.store.sheet_scratch import digest

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

NEW, CHANGED, SAME, UNPLACED = "new", "changed", "same", "unplaced"
DUPLICATE, DOUBTFUL, REJECTED = "duplicate", "doubtful", "rejected"
OUTCOMES = (NEW, CHANGED, SAME, UNPLACED, DUPLICATE, DOUBTFUL, REJECTED)
"""``unplaced`` is new with an address that leads to no building; ``doubtful``: several persons would fit, or one nearly does."""
MOST_CANDIDATES = 3

_HEAD = "02"
_PLACES = ("estate", "building", "entrance")


@dataclass(frozen=True, slots=True)
class CellError:
    """What is wrong with a cell: its column by letter and heading, a code, in words. Never the cell itself."""

    column: str
    heading: str
    code: str
    message_zh: str
    message_en: str


@dataclass(slots=True)
class RowPlan:
    """What one row would do. ``operations`` is one group, empty where nothing changes."""

    row: int
    outcome: str
    record_id: str | None = None
    of_row: int | None = None
    fields: tuple[str, ...] = ()
    errors: tuple[CellError, ...] = ()
    operations: list[dict[str, Any]] = field(default_factory=list)
    candidates: tuple[str, ...] = ()
    """Of a doubtful row: some of the persons that it may be about."""
    place: str = ""
    """Why its address leads into no building (see `sheet_ground.Lead`), or ``new_dwelling`` where it makes one in a building."""


@dataclass(frozen=True, slots=True)
class _Door:
    """What an address leads to before its row is decided. Asking changes nothing."""

    place: Place
    dwelling: Dwelling | None
    home: Home | None
    lead: Lead

    @property
    def home_id(self) -> str:
        return self.home.household_id if self.home else ""


@dataclass(slots=True)
class _Read:
    """A row as values by record type, and what leads to its place."""

    row: int
    values: dict[str, dict[str, Any]]
    parts: dict[str, str]
    errors: list[CellError]

    @property
    def person(self) -> dict[str, Any]:
        return self.values["person"]


class Planner:
    """Plans rows of one table against one community.

    Parameters
    ----------
    headings, targets : the columns in order, and what each holds (None: left out)
    """

    def __init__(self, house: House, community_id: str, headings: Sequence[str], targets: Sequence[str | None]) -> None:
        self._house, self._community_id = house, community_id
        self._headings, self._targets = headings, targets
        self._forms = {kind: house.registry.latest(kind) for kind in ("person", "household", "dwelling")}
        self._check = {kind: validator(form) for kind, form in self._forms.items()}
        self._ground = Ground()

    def close(self) -> None:
        """Forget what was learnt."""
        self._ground.scratch.close()

    def learn(self, connection: Connection) -> None:
        """Read the buildings, dwellings and households of the community, page by page; needed once, before the first rows."""
        ground, where = self._ground, self._community_id
        ground.learn_places(
            (row.id, row.type, orjson.loads(row.fields)) for rows in store.living(connection, where, _PLACES) for row in rows
        )
        for kind, learn in (("dwelling", ground.learn_dwellings), ("household", ground.learn_homes)):
            for rows in store.living(connection, where, (kind,)):
                learn((row.id, orjson.loads(row.fields), {"v": row.v, "tag": row.tag}) for row in rows)
        if "household.head_name" in self._targets:
            for rows in store.living(connection, where, ("person",)):
                ground.scratch.name_heads((str(orjson.loads(row.fields).get("name") or ""), row.id) for row in rows)

    def plan(self, connection: Connection, rows: Sequence[Row]) -> list[RowPlan]:
        """The plans of some rows, in order. Rows planned before count as if they were written."""
        read = [self._read(number, cells) for number, cells in rows]
        known = self._known(connection, [one for one in read if not one.errors])
        certain: set[str] = set()
        open_doors: set[str] = set()
        for one in read:
            if not one.errors:
                door = self._door(one)
                found = self._match(one, known, door)
                certain.update(row.id for row in found)
                if not found and door is not None and door.dwelling is not None:
                    open_doors.update(home.household_id for home in door.dwelling.homes if home.base is not None)
        behind: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for row in store.persons_of(connection, self._community_id, open_doors):
            behind.setdefault(row.place_parent, []).append((row.id, orjson.loads(row.fields)))
        plans = [self._plan(one, known, certain, behind) for one in read]
        self._ground.scratch.took(one.record_id for one in plans if one.record_id is not None)
        return plans

    # ------------------------------------------------------------ reading
    def _read(self, number: int, cells: Sequence[Any]) -> _Read:
        found = _Read(number, {kind: {} for kind in self._forms}, {}, [])
        for place, (target, cell) in enumerate(zip(self._targets, cells, strict=False)):
            if target is None:
                continue
            kind, _, name = target.partition(".")
            try:
                if target in EXTRA:
                    found.parts[target] = cell_text(cell)
                elif target == "person.birth_date":
                    found.person.update(birth_values(cell))
                elif (value := cell_value(target, self._forms[kind].fields[name], cell)) is not None:
                    found.values[kind][name] = value
            except CellRefused as error:
                found.errors.append(self._error(place, error.code, error.message_zh, error.message_en))
        if not found.errors:
            _complete(found.person)
            if _is_wrong_number(found.person):
                place = self._targets.index("person.document_number")
                zh, en = "身份证号的校验位或日期不对，请核对", "the check digit or the day of this resident number is wrong"
                found.errors.append(self._error(place, "wrong_check_digit", zh, en))
                return found
            self._judge(found)
        return found

    def _judge(self, found: _Read) -> None:
        for kind, values in found.values.items():
            if kind != "person" and not values:
                continue
            normal, errors = self._check[kind](values, False)
            for error in errors:
                name = error.pointer.split("/")[2]
                place = self._targets.index(f"{kind}.{name}") if f"{kind}.{name}" in self._targets else None
                found.errors.append(self._error(place, error.code, error.message_zh or "", error.message_en))
            found.values[kind] = {name: value for name, value in normal.items() if value is not None}
        if not found.person.get("name") and not found.errors:
            place = self._targets.index("person.name") if "person.name" in self._targets else None
            found.errors.append(self._error(place, "required", "没有姓名", "a name is missing"))

    def _error(self, place: int | None, code: str, zh: str, en: str) -> CellError:
        if place is None:
            return CellError("", "", code, zh, en)
        return CellError(column_letter(place), self._headings[place] if place < len(self._headings) else "", code, zh, en)

    # ------------------------------------------------------------ matching
    def _known(self, connection: Connection, rows: Sequence[_Read]) -> dict[int, list[Any]]:
        """Search key → the living persons found under it."""
        keys = {key for one in rows for key in (self._document_key(one), self._name_key(one)) if key is not None}
        pairs = found_under(connection, self._community_id, sorted(keys))
        rows_by_id = {
            row.id: row for row in store.some(connection, self._community_id, {one for _, one in pairs})
            if row.type == "person" and row.life == "live"
        }  # fmt: skip
        known: dict[int, list[Any]] = {}
        for key, record_id in pairs:
            if record_id in rows_by_id:
                known.setdefault(key, []).append(rows_by_id[record_id])
        return known

    def _document_key(self, one: _Read) -> int | None:
        number = one.person.get("document_number")
        return self._key("document_number", number) if isinstance(number, str) else None

    def _name_key(self, one: _Read) -> int | None:
        name = one.person.get("name")
        return self._key("name", name) if isinstance(name, str) else None

    def _key(self, name: str, text: str) -> int:
        return self._house.keys.search_key(name, normalise_for_search(text, self._forms["person"].fields[name].format))

    def _match(self, one: _Read, known: Mapping[int, list[Any]], door: _Door | None) -> list[Any]:
        """The persons that a row means: by document, else by name with birth date or household and nothing against it."""
        by_document = known.get(self._document_key(one) or 0, [])
        if by_document:
            return by_document
        homes = frozenset({door.home_id} - {""}) if door else frozenset()
        return [row for row in known.get(self._name_key(one) or 0, []) if means(one.person, orjson.loads(row.fields), homes)]

    def _alike(
        self, one: _Read, known: Mapping[int, list[Any]], door: _Door | None, certain: set[str],
        behind: Mapping[str, list[tuple[str, dict[str, Any]]]],
    ) -> list[str]:  # fmt: skip
        """Persons that a row which means nobody for certain may be about. Whom another row of the table means is not this one."""
        homes = frozenset(home.household_id for home in door.dwelling.homes) if door and door.dwelling else frozenset()
        some = {row.id: orjson.loads(row.fields) for row in known.get(self._name_key(one) or 0, [])}
        some |= {person_id: fields for home in homes for person_id, fields in behind.get(home, ())}
        return sorted(
            person_id for person_id, fields in some.items()
            if looks_like(one.person, fields, homes) and person_id not in certain and not self._ground.scratch.is_taken(person_id)
        )  # fmt: skip

    # ------------------------------------------------------------ deciding
    def _plan(
        self, one: _Read, known: Mapping[int, list[Any]], certain: set[str], behind: Mapping[str, list[tuple[str, dict[str, Any]]]]
    ) -> RowPlan:
        if one.errors:
            return RowPlan(one.row, REJECTED, errors=tuple(one.errors))
        door = self._door(one)
        before = self._ground.scratch.row_of(self._identity(one, door.home_id if door else ""))
        if before is not None:
            return RowPlan(one.row, DUPLICATE, of_row=before)
        matches = self._match(one, known, door)
        doubtful = [row.id for row in matches] if len(matches) > 1 else [] if matches else self._alike(one, known, door, certain, behind)
        if doubtful:
            return RowPlan(one.row, DOUBTFUL, candidates=tuple(doubtful[:MOST_CANDIDATES]))
        operations: list[dict[str, Any]] = []
        home, placed = self._home(one, door, operations) if door else (None, True)
        told = "" if door is None else door.lead.doubt or ("" if door.dwelling is not None else "new_dwelling")
        self._ground.scratch.saw(self._identity(one, home.household_id if home else ""), one.row)
        values = dict(one.person)
        if home is not None:
            values["residence_household"] = home.household_id
        if matches:
            person_id, base = matches[0].id, {"v": matches[0].v, "tag": matches[0].tag}
            stored = orjson.loads(matches[0].fields)
            values = _difference(no_less_known(values, stored), stored, self._forms["person"])
            if values:
                operations.append(_operation("patch", "person", person_id, base, values))
            outcome = CHANGED if operations else SAME
        else:
            person_id = self._house.new_id()
            operations.append(_operation("create", "person", person_id, None, values))
            outcome = NEW if placed else UNPLACED
        if home is not None and home.head_id is None and one.person.get("relation_to_head") == _HEAD:
            home.head_id = person_id
            self._touch("household", home.household_id, home, {"head": person_id}, operations)
            outcome = CHANGED if outcome == SAME else outcome
        return RowPlan(one.row, outcome, person_id, fields=tuple(sorted(values)), operations=operations, place=told)

    def _identity(self, one: _Read, home_id: str) -> bytes:
        number = one.person.get("document_number")
        if number:
            return digest("document", str(number))
        return digest("name", str(one.person["name"]), str(one.person.get("birth_date")), home_id)

    def _door(self, one: _Read) -> _Door | None:
        """What the address of a row leads to, None where it has none."""
        place = place_of(one.parts)
        if not place:
            return None
        lead = self._ground.lead_of(place)
        dwelling = self._ground.dwelling(lead.dwelling) if lead.dwelling is not None else None
        number, head = one.parts.get("household.number", ""), one.parts.get("household.head_name", "")
        for home in dwelling.homes if dwelling is not None else ():
            if (number == home.number) if number and home.number else (not head or self._ground.head_name(home) in ("", head)):
                return _Door(place, dwelling, home, lead)
        return _Door(place, dwelling, None, lead)

    def _home(self, one: _Read, door: _Door, operations: list[dict[str, Any]]) -> tuple[Home, bool]:
        """The household that a row belongs to, made with its dwelling where there is none; whether it stands in a building."""
        place, dwelling, building = door.place, door.dwelling, door.lead.building
        if dwelling is None:
            ref = {"entrance": door.lead.entrance} if door.lead.entrance else {"building": building} if building else {}
            text = {} if building else {"address_text": place.text}
            number = {"door_number": place.door} if place.door else {}
            dwelling = Dwelling(self._house.new_id(), one.values["dwelling"] | ref | text | number, None)
            operations.append(_operation("create", "dwelling", dwelling.dwelling_id, None, dwelling.fields))
            self._ground.add(dwelling, door.lead.entrance, building, place.door, place.line if building else place.text)
        else:
            self._touch("dwelling", dwelling.dwelling_id, dwelling, one.values["dwelling"], operations)
        placed = building is not None or bool(dwelling.fields.get("entrance") or dwelling.fields.get("building"))
        if door.home is not None:
            self._touch("household", door.home_id, door.home, one.values["household"], operations)
            return door.home, placed
        told, head = one.parts.get("household.number", ""), one.parts.get("household.head_name", "")
        fields = {"dwelling": dwelling.dwelling_id, "kind": "family"} | one.values["household"]
        fields |= {"household_number": told} if told else {}
        made = Home(self._house.new_id(), told, None, head, fields, None)
        operations.append(_operation("create", "household", made.household_id, None, fields))
        dwelling.homes.append(made)
        return made, placed

    def _touch(
        self, kind: str, record_id: str, known: Dwelling | Home, values: Mapping[str, Any], operations: list[dict[str, Any]]
    ) -> None:
        """Write what a dwelling or a household does not have yet; the next row of it finds it there."""
        changed = _difference(values, known.fields, self._forms[kind])
        if changed:
            operations.append(_operation("patch", kind, record_id, known.base, changed))
            known.fields |= {name: values[name] for name in changed}


def column_letter(place: int) -> str:
    """The letter of a column as spreadsheets show it: 0 is A, 26 is AA."""
    letters = ""
    place += 1
    while place:
        place, left = divmod(place - 1, 26)
        letters = chr(65 + left) + letters
    return letters


def _is_wrong_number(person: Mapping[str, Any]) -> bool:
    """Whether a number looks like a resident's and is none; with another type of document it may be anything."""
    number = person.get("document_number")
    if not isinstance(number, str) or person.get("document_type") not in (None, "resident_id"):
        return False
    return len(number) == 18 and number[:17].isdigit() and number.isascii() and not resident_id_ok(number)


def _complete(person: dict[str, Any]) -> None:
    """What a resident's number says about birth and sex, where the table says nothing."""
    number = person.get("document_number")
    if not isinstance(number, str):
        return
    number = person["document_number"] = number.replace(" ", "").upper()
    if not resident_id_ok(number):
        return
    person.setdefault("document_type", "resident_id")
    if (born := resident_id_birth(number)) is not None:
        if born.startswith(str(person.get("birth_date"))[: {"year": 4, "month": 7}.get(person.get("birth_precision", ""), 10)]):
            person["birth_date"] = born
            person.pop("birth_precision", None)
        person.setdefault("birth_date", born)
    if (sex := resident_id_sex(number)) is not None:
        person.setdefault("sex", sex)


def _difference(values: Mapping[str, Any], stored: Mapping[str, Any], form: Any) -> dict[str, Any]:
    """The values that a record does not have yet. Sets only grow, notes are added to, an empty cell clears nothing."""
    changed: dict[str, Any] = {}
    for name, value in values.items():
        spec, had = form.fields[name], stored.get(name)
        if spec.privacy == "secret":
            if had is None:
                changed[name] = value
        elif spec.type in ("text_set", "select_multiple"):
            more = [one for one in value if one not in (had or [])]
            if more:
                changed[name] = {"add": more, "remove": []}
        elif form.units[form.unit_of[name]].policy == "append":
            if value not in (had or ""):
                changed[name] = f"{had}\n{value}" if had else value
        elif value != had:
            changed[name] = value
    return changed


def _operation(kind: str, record_type: str, record_id: str, base: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "type": record_type, "id": record_id, "base": base, "set": dict(fields)}


def counts(plans: Iterable[RowPlan]) -> dict[str, int]:
    """How many rows have which outcome; every outcome is named."""
    found = dict.fromkeys(OUTCOMES, 0)
    for one in plans:
        found[one.outcome] += 1
    return found
