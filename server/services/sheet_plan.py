"""What the rows of a table would change: matched with what is there, row by row, nothing written.

Deciding needs the database only to look at; the same plan is shown beforehand and written afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from forms.index import normalise_for_search
from forms.sheet_columns import TYPES
from server.services.sheet_difference import Difference, corrected, difference, unseen
from server.services.sheet_earlier import Earlier, Told, expect, learn_earlier, told_of
from server.services.sheet_file import Row
from server.services.sheet_ground import Dwelling, Ground, Home, place_of
from server.services.sheet_homes import OTHER_HEAD, Door, Homes, is_head
from server.services.sheet_match import looks_like, may_be_one_name, means, no_less_known
from server.services.sheet_read import CellError, Reader, SheetRow
from server.store import sheets as store
from server.store.odk import tag_at
from server.store.search import found_under
from server.store.sheet_scratch import digest

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

NEW, CHANGED, SAME, UNPLACED = "new", "changed", "same", "unplaced"
DUPLICATE, DOUBTFUL, REJECTED = "duplicate", "doubtful", "rejected"
OUTCOMES = (NEW, CHANGED, SAME, UNPLACED, DUPLICATE, DOUBTFUL, REJECTED)
"""``unplaced`` is new with no address or one that leads to no building; ``doubtful``: several persons would fit, or one nearly
does, or the document is one's and the name another's: a person's of the house, or of the row ``of_row``; or the household is not certain."""
MOST_CANDIDATES = 3
_UNKNOWN = "0" * 16
"""The tag of a version that nobody is known to have seen."""

_PLACES = ("estate", "building", "entrance")


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
    of_earlier: int | None = None
    """The row of an earlier table that this one puts right, where the row itself would not say whom it is about."""
    kept: tuple[str, ...] = ()
    """Fields that somebody has changed since the earlier table, and this one says as before: they stay."""
    against: tuple[str, ...] = ()
    """Fields that somebody has changed since the earlier table, and this one corrects too: a conflict where the policy says so."""
    gone: bool = False
    """Doubtful because the person of the earlier table's row is deleted or merged."""
    place: str = ""
    """Why its address leads into no building (see `sheet_ground.Lead`), ``no_address`` where somebody new has none, or ``new_dwelling`` where it makes one.
    Of a doubtful row: ``several_homes`` or ``other_head`` where its household is not certain (see `sheet_homes.Choice`)."""


class Planner:
    """Plans rows of one table against one community.

    Parameters
    ----------
    headings, targets : the columns in order, and what each holds (None: left out)
    imports : where a table with these headings was written before, the imports of the community; None where none was
    """

    def __init__(
        self, house: House, community_id: str, headings: Sequence[str], targets: Sequence[str | None], imports: frozenset[str] | None = None
    ) -> None:
        self._imports = imports
        self._house, self._community_id = house, community_id
        self._targets = targets
        self._forms = {kind: house.registry.latest(kind) for kind in TYPES}
        self.reader = Reader(house.registry, headings, targets)
        self._ground = Ground()
        self._homes = Homes(self._ground)
        self._earlier: frozenset[str] = frozenset()

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
        if {"household.head_name", "person.relation_to_head"} & set(self._targets):
            for rows in store.living(connection, where, ("person",)):
                ground.scratch.name_heads((str(orjson.loads(row.fields).get("name") or ""), row.id) for row in rows)

    def compare_with(self, tables: list[Earlier], rows: Iterator[Row]) -> None:
        """Know what earlier tables said, the newest first, and whom the rows of this one are about."""
        self._earlier = frozenset(one.import_id for one in tables)
        learn_earlier(self._ground.scratch, tables)
        expect(self._ground.scratch, rows, self.reader)

    def plan(self, connection: Connection, rows: Sequence[Row]) -> list[RowPlan]:
        """The plans of some rows, in order. Rows planned before count as if they were written."""
        read = [self.reader.read(number, cells) for number, cells in rows]
        known = self._known(connection, [one for one in read if not one.errors])
        certain: set[str] = set()
        open_doors: set[str] = set()
        for one in read:
            if not one.errors:
                door = self._door(one)
                found = self._match(one, known, door)
                certain.update(row.id for row in found if not self._renames(one, row))
                if not found and door is not None:
                    open_doors.update(home.household_id for home in door.homes if home.base is not None)
        behind: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for row in store.persons_of(connection, self._community_id, open_doors):
            behind.setdefault(row.place_parent, []).append((row.id, orjson.loads(row.fields)))
        plans = []
        for one in read:
            door = self._door(one)
            planned, home = self._plan(connection, one, known, certain, behind, door)
            self._homes.stood(one, door.place if door is not None else None, home)
            plans.append(planned)
        self._ground.scratch.took(one.record_id for one in plans if one.record_id is not None)
        return plans

    # ------------------------------------------------------------ matching
    def _known(self, connection: Connection, rows: Sequence[SheetRow]) -> dict[int, list[Any]]:
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

    def _document_key(self, one: SheetRow) -> int | None:
        number = one.person.get("document_number")
        return self._key("document_number", number) if isinstance(number, str) else None

    def _name_key(self, one: SheetRow) -> int | None:
        name = one.person.get("name")
        return self._key("name", name) if isinstance(name, str) else None

    def _key(self, name: str, text: str) -> int:
        return self._house.keys.search_key(name, normalise_for_search(text, self._forms["person"].fields[name].format))

    def _match(self, one: SheetRow, known: Mapping[int, list[Any]], door: Door | None) -> list[Any]:
        """The persons that a row means: by document, else by name with birth date or household and nothing against it."""
        by_document = known.get(self._document_key(one) or 0, [])
        if by_document:
            return by_document
        named = self._homes.named(one, door.dwelling.homes) if door is not None and door.dwelling is not None else ()
        homes = frozenset(home.household_id for home in named)
        return [row for row in known.get(self._name_key(one) or 0, []) if means(one.person, orjson.loads(row.fields), homes)]

    def _renames(self, one: SheetRow, row: Any) -> bool:
        """Whether a row has the document of a person and somebody else's name, which the earlier table did not have already."""
        name, stored = str(one.person.get("name") or ""), str(orjson.loads(row.fields).get("name") or "")
        if not stored or may_be_one_name(name, stored):
            return False
        told = told_of(self._ground.scratch, row.id) if self._earlier else None
        return told is None or told.values["person"].get("name") != name

    def _alike(
        self, one: SheetRow, known: Mapping[int, list[Any]], door: Door | None, certain: set[str],
        behind: Mapping[str, list[tuple[str, dict[str, Any]]]],
    ) -> list[str]:  # fmt: skip
        """Persons that a row which means nobody for certain may be about. Whom another row of the table means is not this one."""
        homes = frozenset(home.household_id for home in door.homes) if door else frozenset()
        some = {row.id: orjson.loads(row.fields) for row in known.get(self._name_key(one) or 0, [])}
        some |= {person_id: fields for home in homes for person_id, fields in behind.get(home, ())}
        return sorted(
            person_id for person_id, fields in some.items()
            if looks_like(one.person, fields, homes) and person_id not in certain and not self._ground.scratch.is_taken(person_id)
        )  # fmt: skip

    # ------------------------------------------------------------ what an earlier table said
    def _same_row(self, connection: Connection, one: SheetRow, certain: set[str]) -> Any | None:
        """The record of whom the earlier table's row with the same number, or the same name, birth and address, was written to."""
        person_id = self._ground.scratch.told_under(one.key) if self._earlier else None
        if person_id is None or person_id in certain or self._ground.scratch.is_taken(person_id):
            return None
        return next(iter(store.some(connection, self._community_id, [person_id])), None)

    def _put_right(self, connection: Connection, one: SheetRow, alike: Sequence[str]) -> tuple[Any, int] | None:
        """(record, row of the earlier table) of whom a row that looks like several was about before it was put right."""
        told = [(person_id, told_of(self._ground.scratch, person_id)) for person_id in alike] if self._earlier else []
        found = [
            (person_id, before) for person_id, before in told
            if before is not None and before.is_row_of(one) and not self._ground.scratch.is_expected(before.key)
        ]  # fmt: skip
        if len(found) != 1:
            return None
        return store.some(connection, self._community_id, [found[0][0]])[0], found[0][1].row

    def _difference(
        self, connection: Connection, row: Any, values: Mapping[str, Any], told: Told | None, of_number: Sequence[Any],
        operations: list[dict[str, Any]],
    ) -> Difference:  # fmt: skip
        """What a row changes in a person; its operations are added. ``of_number``: whom its document number was found at."""
        form, stored = self._forms["person"], orjson.loads(row.fields)
        values = no_less_known(values, stored)
        if told is None:
            found = Difference(difference(values, stored, form))
            if self._imports is not None and any(stored.get(name) is not None for name in found.write):
                stamps, mine = self._stamps(connection, "person", row.id), self._imports
                found = unseen(found.write, stored, form, lambda unit: stamps[unit][1] not in mine)
                if found.against:  # seen by nobody who wrote the table, as far as anything tells
                    operations.append(_operation("patch", "person", row.id, {"v": row.v, "tag": _UNKNOWN}, found.against))
        else:
            stamps = {}
            if any(told.values["person"].get(name, value) != value for name, value in values.items()):
                stamps = self._stamps(connection, "person", row.id)
            secret = {"document_number": values.get("document_number")} if any(one.id == row.id for one in of_number) else {}
            others = lambda unit: stamps[unit][1] not in self._earlier  # noqa: E731
            found = corrected(values, told.values["person"], stored, form, others, secrets=secret)
            seen = min((stamps[form.unit_of[name]][0] - 1 for name in found.against), default=0)
            if found.against:  # what the table's author saw: the version before somebody wrote
                base = {"v": max(seen, 1), "tag": (tag_at(connection, self._community_id, row.id, seen) if seen else None) or _UNKNOWN}
                was = {name: told.values["person"].get(name) for name in found.against if form.fields[name].privacy != "secret"}
                operations.append(_operation("patch", "person", row.id, base, found.against) | {"was": was})
        if found.write:
            operations.insert(0, _operation("patch", "person", row.id, {"v": row.v, "tag": row.tag}, found.write))
        return found

    def _stamps(self, connection: Connection, kind: str, record_id: str) -> dict[str, tuple[int, str]]:
        """(version, install) of the last write of each unit of a record."""
        stood = store.stamps_of(connection, self._community_id, [record_id])[record_id]
        written = orjson.loads(stood.stamps)
        return {unit: tuple(written[unit][:2]) if unit in written else (1, stood.created_install) for unit in self._forms[kind].units}

    # ------------------------------------------------------------ deciding
    def _plan(
        self, connection: Connection, one: SheetRow, known: Mapping[int, list[Any]], certain: set[str],
        behind: Mapping[str, list[tuple[str, dict[str, Any]]]], door: Door | None,
    ) -> tuple[RowPlan, Home | None]:  # fmt: skip
        """The plan of a row, and the household that it names."""
        if one.errors:
            return RowPlan(one.row, REJECTED, errors=tuple(one.errors)), None
        unsure = ""
        if door is not None:
            choice = self._homes.choose(one, door.place, door.dwelling)
            door, unsure = replace(door, home=choice.home, head=choice.head), choice.doubt
        stood = door.home if door is not None else None
        before = self._ground.scratch.row_of(self._identity(one, door.home_id if door else ""))
        if before is not None:
            other = not may_be_one_name(str(one.person["name"]), before[1])
            return RowPlan(one.row, DOUBTFUL if other else DUPLICATE, of_row=before[0]), stood
        matches, of_earlier = self._match(one, known, door), None
        if not matches and (same := self._same_row(connection, one, certain)) is not None:
            if same.life != "live":
                return RowPlan(one.row, DOUBTFUL, candidates=(same.id,), gone=True), stood
            matches = [same]
        if len(matches) == 1 and self._renames(one, matches[0]):
            return RowPlan(one.row, DOUBTFUL, candidates=(matches[0].id,)), stood
        doubtful = [row.id for row in matches] if len(matches) > 1 else [] if matches else self._alike(one, known, door, certain, behind)
        if not matches and doubtful and (right := self._put_right(connection, one, doubtful)) is not None:
            matches, doubtful, of_earlier = [right[0]], [], right[1]
        if doubtful:
            return RowPlan(one.row, DOUBTFUL, candidates=tuple(doubtful[:MOST_CANDIDATES])), stood
        told = told_of(self._ground.scratch, matches[0].id) if matches and self._earlier else None
        values, kept = dict(one.person), []
        stored = orjson.loads(matches[0].fields) if matches else {}
        lives = stored.get("residence_household")
        behind_it = door.dwelling.homes if door is not None and door.dwelling is not None else ()
        home = next((one for one in behind_it if one.household_id == lives), None)
        if told is not None and door is not None and told.names_door_of(one):
            if home is None:  # moved since by somebody who knows; the table says as before
                door, kept = None, ["residence_household"]
            else:
                door, unsure = replace(door, home=home), ""
        elif door is not None and home is not None and home in self._homes.named(one, [home]):
            door, unsure = replace(door, home=home), ""  # who lives behind the door stays in the household
        place = "" if door is None else door.lead.doubt or ("" if door.dwelling is not None else "new_dwelling")
        near = [one for found in door.near for one in found.homes] if matches and door is not None else []
        if any(one.household_id == lives for one in near):  # who lives there already does not move out because no entrance is recorded
            door, kept = None, ["residence_household"]
        if door is not None and door.home is not None and is_head(one) and stored.get("relation_to_head") != values["relation_to_head"]:
            unsure = unsure if door.home.head_id in (None, *(row.id for row in matches)) else OTHER_HEAD
        if door is not None and unsure:
            return RowPlan(one.row, DOUBTFUL, matches[0].id if matches else None, place=unsure), None
        operations: list[dict[str, Any]] = []
        home, placed = self._home(connection, one, door, operations, told) if door else (None, False)
        self._ground.scratch.saw(self._identity(one, home.household_id if home else ""), one.row, str(one.person["name"]))
        if home is not None:
            values["residence_household"] = home.household_id
        found = Difference(values)
        if matches:
            person_id = matches[0].id
            mine: list[dict[str, Any]] = []
            found = self._difference(connection, matches[0], values, told, known.get(self._document_key(one) or 0, []), mine)
            operations += mine
            outcome = CHANGED if operations else SAME
        else:
            person_id = self._house.new_id()
            operations.append(_operation("create", "person", person_id, None, values))
            outcome, place = NEW if placed else UNPLACED, place if door is not None else "no_address"
        if home is not None and home.head_id is None and is_head(one):
            home.head_id, home.head_name = person_id, str(one.person["name"])
            self._touch(connection, "household", home.household_id, home, {"head": person_id}, operations)
            outcome = CHANGED if outcome == SAME else outcome
        return RowPlan(
            one.row, outcome, person_id, fields=tuple(sorted({*found.write, *found.against})), operations=operations, place=place,
            of_earlier=of_earlier, kept=(*kept, *sorted(found.kept)), against=tuple(sorted(found.against)),
        ), home or stood  # fmt: skip

    def _identity(self, one: SheetRow, home_id: str) -> bytes:
        number = one.person.get("document_number")
        if number:
            return digest("document", str(number))
        return digest("name", str(one.person["name"]), str(one.person.get("birth_date")), home_id)

    def _door(self, one: SheetRow) -> Door | None:
        """What the address of a row leads to, None where it has none."""
        place = place_of(one.parts)
        if not place:
            return None
        lead = self._ground.lead_of(place)
        dwelling = self._ground.dwelling(lead.dwelling) if lead.dwelling is not None else None
        near = tuple(found for found in map(self._ground.dwelling, lead.near) if found is not None)
        return Door(place, dwelling, lead, near)

    def _home(
        self, connection: Connection, one: SheetRow, door: Door, operations: list[dict[str, Any]], told: Told | None
    ) -> tuple[Home, bool]:
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
            self._touch(connection, "dwelling", dwelling.dwelling_id, dwelling, one.values["dwelling"], operations, told)
        placed = building is not None or bool(dwelling.fields.get("entrance") or dwelling.fields.get("building"))
        own = one.parts.get("household.number", "")
        said = one.values["household"] | ({"household_number": own} if own and not door.home_number else {})
        if door.home is not None:
            door.home.number = door.home.number or own
            self._touch(connection, "household", door.home_id, door.home, said, operations, told)
            return door.home, placed
        fields = {"dwelling": dwelling.dwelling_id, "kind": "family"} | said
        made = Home(self._house.new_id(), own, None, door.head, fields, None)
        operations.append(_operation("create", "household", made.household_id, None, fields))
        dwelling.homes.append(made)
        return made, placed

    def _touch(
        self, connection: Connection, kind: str, record_id: str, known: Dwelling | Home, values: Mapping[str, Any],
        operations: list[dict[str, Any]], told: Told | None = None,
    ) -> None:  # fmt: skip
        """Write what a dwelling or a household does not have yet; the next row of it finds it there. What the earlier table said stays."""
        if told is not None:
            values = {name: value for name, value in values.items() if told.values[kind].get(name) != value}
        changed = difference(values, known.fields, self._forms[kind])
        if told is None and self._imports is not None and known.base is not None and any(known.fields.get(name) is not None for name in changed):
            stamps, mine = self._stamps(connection, kind, record_id), self._imports
            found = unseen(changed, known.fields, self._forms[kind], lambda unit: stamps[unit][1] not in mine)
            changed = found.write
            if found.against:
                operations.append(_operation("patch", kind, record_id, {"v": known.base["v"], "tag": _UNKNOWN}, found.against))
                known.fields |= {name: values[name] for name in found.against}
        if changed:
            operations.append(_operation("patch", kind, record_id, known.base, changed))
            known.fields |= {name: values[name] for name in changed}


def _operation(kind: str, record_type: str, record_id: str, base: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "type": record_type, "id": record_id, "base": base, "set": dict(fields)}


def counts(plans: Iterable[RowPlan]) -> dict[str, int]:
    """How many rows have which outcome; every outcome is named."""
    found = dict.fromkeys(OUTCOMES, 0)
    for one in plans:
        found[one.outcome] += 1
    return found
