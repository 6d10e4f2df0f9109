"""Households and persons of the demo: documents, telephones, where they live and where they are registered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from server.demo.chance import REGION, Chance, Documents, Writer
from server.demo.families import HEAD, LET, OWNED, Family, Member, make_family
from server.demo.names import ELSEWHERE, EMPLOYERS, OCCUPATIONS
from server.demo.places import Dwelling, Operation, Places

SECOND_HOUSEHOLDS = 20
"""Homes that two households share."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A person as the other topics need it."""

    id: str
    member: Member
    household: str
    cell: int
    shape: str
    phone: str | None
    political: str | None
    surveyed: datetime


@dataclass(frozen=True, slots=True)
class Home:
    """A household as the other topics need it."""

    id: str
    cell: int
    surveyed: datetime


@dataclass(frozen=True, slots=True)
class People:
    """Operation groups (one per household, then those who are registered here only) and who they are."""

    groups: list[list[Operation]]
    homes: list[Home]
    residents: list[Resident]
    registered_only: int


class _Desk:
    """Everything that the making of one person needs."""

    def __init__(self, seed: int, as_of: date, writer: Writer, places: Places) -> None:
        self.chance = Chance(seed, "people", as_of)
        self.documents = Documents(seed)
        self.writer = writer
        self.as_of = as_of
        self.dwellings = [one for one in places.dwellings if one.use in ("home", "dormitory")]


def build_people(seed: int, as_of: date, writer: Writer, places: Places, persons: int, members: int) -> People:
    """Households in all dwellings that are lived in, and persons until there are ``persons``.

    ``members`` of the residents are party members; the others in the unit's list live elsewhere (see ``party``).
    """
    desk = _Desk(seed, as_of, writer, places)
    people = People([], [], [], 0)
    lived_in = [one for one in places.dwellings if one.occupied]
    shared = set(desk.chance.random.sample(range(len(lived_in)), SECOND_HOUSEHOLDS))
    drawn = [
        (dwelling, _family_for(desk.chance, dwelling))
        for index, dwelling in enumerate(lived_in)
        for _ in range(2 if index in shared else 1)
    ]
    party = _party(Chance(seed, "membership", as_of), drawn, members)
    for dwelling, family in drawn:
        people.groups.append(_household(desk, dwelling, family, people, party))
    left = max(0, persons - len(people.residents))
    away = [one for one in desk.dwellings if not one.occupied or one.occupancy in ("let", "group_let")]
    for _ in range(left):
        people.groups.append([_registered_only(desk, desk.chance.one(away))])
    return People(people.groups, people.homes, people.residents, left)


def _party(chance: Chance, drawn: list[tuple[Dwelling, Family]], count: int) -> dict[int, str]:
    """Running numbers of the residents who are members of the party, with their code (a few are on probation)."""
    ages = [member.age for _, family in drawn for member in family.members]
    grown = [number for number, age in enumerate(ages) if 23 <= age <= 68]
    return {number: "02" if chance.holds(0.04) else "01" for number in sorted(chance.random.sample(grown, count))}


def _household(
    desk: _Desk, dwelling: Dwelling, family: Family, people: People, party: dict[int, str]
) -> list[Operation]:
    chance, writer = desk.chance, desk.writer
    youngest = max(member.birth for member in family.members)
    # a child born since the last walk was met on a later one
    day = max(chance.day(first=360, last=3), youngest + timedelta(days=chance.between(0, 60)))
    surveyed = chance.moment(min(day, desk.as_of - timedelta(days=1)))
    household = writer.new_id("household")
    owned = dwelling.occupancy in ("owner_lived", "lent")
    moved_in = surveyed.date() - timedelta(days=chance.between(400, 9000) if owned else chance.between(20, 1500))
    ids = [writer.new_id("person") for _ in family.members]
    made: list[Operation] = []
    register = Register.of(chance, dwelling, desk.dwellings, owned)
    head_phone = None
    for person, member in zip(ids, family.members, strict=True):
        phone = desk.documents.phone() if _has_phone(chance, member) else None
        head_phone = head_phone or phone
        political = party.get(len(people.residents))
        people.residents.append(
            Resident(person, member, household, dwelling.cell, family.shape, phone, political, surveyed)
        )
        fields = _about(desk, member, phone, political)
        fields |= _residence(chance, member, household, moved_in, owned, surveyed.date())
        fields |= register.unit(chance, member, desk, owned)
        if member.age >= 75 and chance.holds(0.35):
            fields["keyholder_text"] = f"邻居 {desk.documents.phone()}"
        made.append(writer.create("person", person, fields, surveyed))
    people.homes.append(Home(household, dwelling.cell, surveyed))
    head = writer.create("household", household, {
        "dwelling": dwelling.id,
        "kind": family.kind,
        "head": ids[0],
        "household_number": f"{REGION}{len(people.homes):06d}" if owned and family.kind == "family" else None,
        "phone": head_phone,
        "members_count_stated": len(ids) if chance.holds(0.6) else None,
        "moved_in_on": moved_in.isoformat(),
        "preferred_time_text": chance.one(("工作日 19 点后", "周末上午", "随时")) if chance.holds(0.25) else None,
        "pets_count": 1 if chance.holds(0.09) else None,
        "tags": ["楼组长"] if chance.holds(0.015) else None,
    }, surveyed)  # fmt: skip
    return [head, *made]


def _family_for(chance: Chance, dwelling: Dwelling) -> Family:
    if dwelling.use == "dormitory":
        return make_family(chance, "collective")
    if dwelling.occupancy == "group_let":
        return make_family(chance, "shared_rental")
    return make_family(chance, chance.weighted(LET if dwelling.occupancy == "let" else OWNED))


def _has_phone(chance: Chance, member: Member) -> bool:
    if member.age < 12:
        return False
    return chance.holds(0.6 if member.age < 16 or member.age > 80 else 0.95)


def _about(desk: _Desk, member: Member, phone: str | None, political: str | None) -> dict[str, Any]:
    chance, age = desk.chance, member.age
    working = 18 <= age < (60 if member.sex == "1" else 55) and not (age < 22 and chance.holds(0.6))
    fields: dict[str, Any] = {
        "name": member.name,
        "sex": member.sex,
        "birth_date": member.birth.isoformat(),
        "birth_precision": "day",
        "vital_status": "living",
        "phones": [phone] if phone else None,
        "ethnic_code": "01" if chance.holds(0.975) else chance.one(("03", "08", "11", "15", "06")),
        "education_code": _education(chance, age),
        "marital_code": member.marital,
        "political_code": political or ("03" if 14 <= age < 26 and chance.holds(0.3) else "13" if age >= 14 else None),
        "occupation_text": chance.one(OCCUPATIONS) if working else "退休" if age >= 60 else None,
        "employer_text": chance.one(EMPLOYERS) if working and chance.holds(0.5) else None,
        "emergency_contacts": [f"家属 {desk.documents.phone()}"] if age >= 70 and chance.holds(0.5) else None,
    }
    if (age == 0 and chance.holds(0.5)) or chance.holds(0.012):
        fields["document_missing_reason"] = "newborn" if age == 0 else chance.one(("refused", "not_at_hand", "absent"))
    else:
        fields["document_type"] = "resident_id"
        fields["document_number"] = desk.documents.resident_id(member.birth, member.sex)
        fields["document_evidence"] = chance.weighted({"shown": 0.6, "told": 0.15, "imported": 0.25})
    return fields


def _education(chance: Chance, age: int) -> str | None:
    if age < 7:
        return None
    if age < 13:
        return "80"
    if age < 16:
        return "70"
    if age < 19:
        return chance.weighted({"60": 0.7, "40": 0.3})
    if age < 40:
        return chance.weighted({"21": 0.4, "30": 0.25, "60": 0.1, "40": 0.1, "70": 0.1, "14": 0.05})
    if age < 60:
        return chance.weighted({"21": 0.15, "30": 0.2, "60": 0.25, "40": 0.1, "70": 0.27, "80": 0.03})
    return chance.weighted({"80": 0.4, "70": 0.35, "60": 0.15, "30": 0.07, "90": 0.03})


def _residence(
    chance: Chance, member: Member, household: str, moved_in: date, owned: bool, surveyed: date
) -> dict[str, Any]:
    born_here = member.birth > moved_in
    since = min(max(moved_in, member.birth), surveyed)
    presence = chance.weighted({"present": 0.93, "away_short": 0.025, "away_long": 0.035, "unknown": 0.01})
    away = presence in ("away_short", "away_long")
    gone = surveyed - timedelta(days=chance.between(200, 700) if presence == "away_long" else chance.between(3, 60))
    return {
        "residence_household": household,
        "relation_to_head": member.relation,
        "resident_from": since.isoformat(),
        "joined_reason": "born" if born_here else ("moved_in" if owned else "rented"),
        "presence": presence,
        "absent_since": max(gone, since).isoformat() if away else None,
    }


@dataclass(frozen=True, slots=True)
class Register:
    """Where a household's members are registered: here, in another dwelling of the community, or elsewhere."""

    where: str
    dwelling: str | None
    division: str | None
    address: str | None

    @classmethod
    def of(cls, chance: Chance, dwelling: Dwelling, others: list[Dwelling], owned: bool) -> Register:
        """Owners mostly here; some in a parent's home close by; those who rent mostly elsewhere."""
        where = chance.weighted(
            {"here": 0.83, "near": 0.06, "away": 0.11} if owned else {"here": 0.02, "near": 0.02, "away": 0.96}
        )
        if where == "away":
            division, place = chance.one(ELSEWHERE)
            return cls(where, None, division, f"{place}{chance.between(1, 480)}号")
        return cls(where, dwelling.id if where == "here" else chance.one(others).id, None, None)

    def unit(self, chance: Chance, member: Member, desk: _Desk, owned: bool) -> dict[str, Any]:
        """The registration unit of one member; a few are registered apart from the others."""
        here = self
        if owned and member.relation != HEAD and chance.holds(0.07):
            division, place = chance.one(ELSEWHERE)
            here = Register("away", None, division, f"{place}{chance.between(1, 480)}号")
        if member.age == 0 and chance.holds(0.3):
            return {"registration_kind": "none"}
        first = max(member.birth, desk.as_of - timedelta(days=chance.between(600, 14000)))
        return {
            "registration_dwelling": here.dwelling,
            "registration_address_text": here.address,
            "registration_division_code": here.division,
            "registration_kind": "family" if chance.holds(0.96) else "collective",
            "registered_from": first.isoformat(),
        }


def _registered_only(desk: _Desk, dwelling: Dwelling) -> Operation:
    """Somebody who is in the register of a dwelling here and lives elsewhere: 户在人不在, or 空挂."""
    chance = desk.chance
    member = make_family(chance, chance.weighted({"alone": 0.7, "old_alone": 0.3})).members[0]
    surveyed = chance.moment(chance.day(first=360, last=3))
    phone = desk.documents.phone() if chance.holds(0.6) else None
    fields = _about(desk, member, phone, None)
    fields |= {
        "registration_dwelling": dwelling.id,
        "registration_kind": "family",
        "registered_from": max(member.birth, desk.as_of - timedelta(days=chance.between(900, 15000))).isoformat(),
        "note": "户口在此，本人不住" if chance.holds(0.5) else None,
    }
    return desk.writer.create("person", desk.writer.new_id("person"), fields, surveyed)
