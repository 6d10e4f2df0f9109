"""What the rows of a table would change: matched with what is there, row by row, nothing written.

Deciding needs the database only to look at; the same plan is shown beforehand and written afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from forms.index import normalise_for_search
from forms.sheet_columns import TYPES
from server.services.sheet_beside import Beside, operation
from server.services.sheet_difference import Difference, difference
from server.services.sheet_earlier import Earlier, Told, expect, learn_earlier, told_of
from server.services.sheet_file import Row
from server.services.sheet_ground import Dwelling, Ground, Home, place_of
from server.services.sheet_homes import OTHER_HEAD, OTHER_HOME, SECOND_HOME, Door, Homes, is_head
from server.services.sheet_match import looks_like, may_be_one_name, means, no_less_known
from server.services.sheet_read import CellError, Reader, SheetRow
from server.store import sheets as store
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
    """Fields that somebody has changed since the earlier table, and this one says as before: they stay. Those of the household and of the
    dwelling are named with their type in front."""
    against: tuple[str, ...] = ()
    """Fields that somebody has changed since the earlier table, and this one corrects too: a conflict where the policy says so."""
    gone: bool = False
    """Doubtful because the person of the earlier table's row is deleted or merged."""
    place: str = ""
    """Why its address leads into no building (see `sheet_ground.Lead`), ``no_address`` where somebody new has none, or ``new_dwelling`` where it makes one,
    ``second_home`` where it makes a household beside another. Of a doubtful row: ``several_homes``, ``other_head`` or ``other_home`` where its household is not
    certain (see `sheet_homes.Choice`); the candidates of the last are people of the household at the door."""


class Planner:
    """Plans rows of one table against one community.

    Parameters
    ----------
    headings, targets : the columns in order, and what each holds (None: left out)
    imports : the installs of the community's imports
    """

    def __init__(
        self, house: House, community_id: str, headings: Sequence[str], targets: Sequence[str | None], imports: frozenset[str] = frozenset()
    ) -> None:
        self._house, self._community_id = house, community_id
        self._targets = targets
        self._forms = {kind: house.registry.latest(kind) for kind in TYPES}
        self.reader = Reader(house.registry, headings, targets)
        self._ground = Ground()
        self._homes = Homes(self._ground)
        self._beside = Beside(community_id, self._forms, imports)
        self._earlier: Sequence[Earlier] = ()

    def close(self) -> None:
        """Forget what was learnt."""
        self._ground.scratch.close()

    def learn(self, connection: Connection, alive: Callable[[], None]) -> None:
        """Read the buildings, dwellings and households of the community, once, before the first rows; ``alive`` is called at every page."""
        ground = self._ground

        def pages(*kinds: str) -> Iterator[list[Any]]:
            for rows in store.living(connection, self._community_id, kinds):
                alive()
                yield rows

        ground.learn_places((row.id, row.type, orjson.loads(row.fields)) for rows in pages(*_PLACES) for row in rows)
        for kind, learn in (("dwelling", ground.learn_dwellings), ("household", ground.learn_homes)):
            for rows in pages(kind):
                learn((row.id, orjson.loads(row.fields), {"v": row.v, "tag": row.tag}) for row in rows)
        if {"household.head_name", "person.relation_to_head"} & set(self._targets):
            for rows in pages("person"):
                ground.scratch.name_heads((str(orjson.loads(row.fields).get("name") or ""), row.id) for row in rows)

    def compare_with(self, tables: list[Earlier], rows: Iterator[Row], alive: Callable[[], None]) -> None:
        """Know what earlier tables said, the nearest first, and whom the rows of this one are about; ``alive`` is called meanwhile."""
        self._earlier = tables
        learn_earlier(self._ground.scratch, tables, alive)
        expect(self._ground.scratch, rows, self.reader, alive)

    def plan(self, connection: Connection, rows: Sequence[Row]) -> list[RowPlan]:
        """The plans of some rows, in order. Rows planned before count as if they were written."""
        read = [self.reader.read(number, cells) for number, cells in rows]
        known = self._known(connection, [one for one in read if not one.errors])
        certain: set[str] = set()
        self._homes.next_rows()
        open_doors: set[str] = set()
        for one in read:
            if not one.errors:
                door = self._door(one)
                found = self._match(one, known, door)
                certain.update(row.id for row in found if not self._renames(one, row))
                if not found and door is not None:
                    open_doors.update(home.household_id for home in door.homes if home.base is not None)
                if door is not None and door.dwelling is not None and any(home.base is not None for home in door.dwelling.homes):
                    self._homes.expect(one, door.dwelling, {row.id: str(orjson.loads(row.fields).get("residence_household")) for row in found})
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
        told = self._told(row.id)
        return told is None or not told.named(name)

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
    def _told(self, person_id: str) -> Told | None:
        return told_of(self._ground.scratch, self._earlier, person_id)

    def _same_row(self, connection: Connection, one: SheetRow, certain: set[str]) -> Any | None:
        """The record of whom the earlier table's row with the same number, or the same name, birth and address, was written to."""
        person_id = self._ground.scratch.told_under(one.key) if self._earlier else None
        if person_id is None or person_id in certain or self._ground.scratch.is_taken(person_id):
            return None
        return next(iter(store.some(connection, self._community_id, [person_id])), None)

    def _put_right(self, connection: Connection, one: SheetRow, alike: Sequence[str]) -> tuple[Any, int] | None:
        """(record, row of the earlier table) of whom a row that looks like several was about before it was put right."""
        told = [(person_id, self._told(person_id)) for person_id in alike] if self._earlier else []
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
        stored = orjson.loads(row.fields)
        secret = {"document_number": values.get("document_number")} if any(one.id == row.id for one in of_number) else {}
        said = told.said("person") if told is not None else None
        return self._beside.change(
            connection, "person", row.id, {"v": row.v, "tag": row.tag}, stored, no_less_known(values, stored), said, operations, secrets=secret
        )

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
            door, unsure = replace(door, home=choice.home, head=choice.head, strange=choice.strange), choice.doubt
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
        told = self._told(matches[0].id) if matches else None
        values, kept = dict(one.person), []
        stored = orjson.loads(matches[0].fields) if matches else {}
        lives = stored.get("residence_household")
        behind_it = door.dwelling.homes if door is not None and door.dwelling is not None else ()
        home = next((one for one in behind_it if one.household_id == lives), None)
        if told is not None and door is not None and (
            told.names_door_of(one)
            or (home is None and told.once_named_door_of(one) and self._beside.by_hand(connection, "person", matches[0].id, "residence_household"))
        ):  # fmt: skip
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
            heads = (None, *(row.id for row in matches))
            unsure = unsure if door.home.head_id in heads or (matches and self._homes.hands_over(door.home, matches[0].id)) else OTHER_HEAD
        people = self._people_of(connection, door.strange) if door is not None and unsure == OTHER_HOME else ()
        if door is not None and unsure == OTHER_HOME and not people:
            unsure = ""  # nobody lives there any more
        if door is not None and unsure:
            return RowPlan(one.row, DOUBTFUL, matches[0].id if matches else None, candidates=people, place=unsure), None
        place = place or (SECOND_HOME if door is not None and door.is_second else "")
        operations: list[dict[str, Any]] = []
        beside = Difference()
        home, placed = self._home(connection, one, door, operations, told, beside) if door else (None, False)
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
            operations.append(operation("create", "person", person_id, None, values))
            outcome, place = NEW if placed else UNPLACED, place if door is not None else "no_address"
        becomes = "relation_to_head" in found.write or stored.get("relation_to_head") == values.get("relation_to_head")
        if home is not None and is_head(one) and (home.head_id is None or (becomes and self._homes.hands_over(home, person_id))):
            home.head_id, home.head_name = person_id, str(one.person["name"])
            self._touch(connection, "household", home.household_id, home, {"head": person_id}, operations, None, beside)
            outcome = CHANGED if outcome == SAME and operations else outcome
        fields = (*sorted({*found.write, *found.against}), *sorted({*beside.write, *beside.against}))
        return RowPlan(
            one.row, outcome, person_id, fields=fields, operations=operations, place=place, of_earlier=of_earlier,
            kept=(*kept, *sorted(found.kept), *sorted(beside.kept)), against=(*sorted(found.against), *sorted(beside.against)),
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

    def _people_of(self, connection: Connection, homes: Sequence[Home]) -> tuple[str, ...]:
        """Some of those who live in households, their heads first."""
        rows = store.persons_of(connection, self._community_id, [one.household_id for one in homes])
        alive = [row.id for row in rows if orjson.loads(row.fields).get("vital_status") != "deceased"]
        heads = {one.head_id for one in homes}
        return tuple(sorted(alive, key=lambda one: (one not in heads, one))[:MOST_CANDIDATES])

    def _home(
        self, connection: Connection, one: SheetRow, door: Door, operations: list[dict[str, Any]], told: Told | None, beside: Difference
    ) -> tuple[Home, bool]:
        """The household that a row belongs to, made with its dwelling where there is none; whether it stands in a building."""
        place, dwelling, building = door.place, door.dwelling, door.lead.building
        if dwelling is None:
            ref = {"entrance": door.lead.entrance} if door.lead.entrance else {"building": building} if building else {}
            text = {} if building else {"address_text": place.text}
            number = {"door_number": place.door} if place.door else {}
            dwelling = Dwelling(self._house.new_id(), one.values["dwelling"] | ref | text | number, None)
            operations.append(operation("create", "dwelling", dwelling.dwelling_id, None, dwelling.fields))
            self._ground.add(dwelling, door.lead.entrance, building, place.door, place.line if building else place.text)
        else:
            self._touch(connection, "dwelling", dwelling.dwelling_id, dwelling, one.values["dwelling"], operations, told, beside)
        placed = building is not None or bool(dwelling.fields.get("entrance") or dwelling.fields.get("building"))
        own = one.parts.get("household.number", "")
        said = one.values["household"] | ({"household_number": own} if own and not door.home_number else {})
        if door.home is not None:
            door.home.number = door.home.number or own
            self._touch(connection, "household", door.home_id, door.home, said, operations, told, beside)
            return door.home, placed
        fields = {"dwelling": dwelling.dwelling_id, "kind": "family"} | said
        made = Home(self._house.new_id(), own, None, door.head, fields, None)
        operations.append(operation("create", "household", made.household_id, None, fields))
        dwelling.homes.append(made)
        return made, placed

    def _touch(
        self, connection: Connection, kind: str, record_id: str, known: Dwelling | Home, values: Mapping[str, Any],
        operations: list[dict[str, Any]], told: Told | None, beside: Difference,
    ) -> None:  # fmt: skip
        """What a row changes in a dwelling or a household; the next row of it finds it there. ``beside`` gathers it by type and name."""
        if known.base is None:  # made by this table
            found = Difference(difference(values, known.fields, self._forms[kind]))
            if found.write:
                operations.append(operation("patch", kind, record_id, None, found.write))
        else:
            said = told.said(kind) if told is not None else None
            found = self._beside.change(connection, kind, record_id, known.base, known.fields, values, said, operations)
        known.fields |= {name: values[name] for name in (*found.write, *found.against)}
        beside.write.update({f"{kind}.{name}": value for name, value in found.write.items()})
        beside.against.update({f"{kind}.{name}": value for name, value in found.against.items()})
        beside.kept.extend(f"{kind}.{name}" for name in found.kept)


def counts(plans: Iterable[RowPlan]) -> dict[str, int]:
    """How many rows have which outcome; every outcome is named."""
    found = dict.fromkeys(OUTCOMES, 0)
    for one in plans:
        found[one.outcome] += 1
    return found
