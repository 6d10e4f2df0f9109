"""Six units, their party members and who of them reported to the community (双报到)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from server.demo.chance import Chance, Documents, Writer
from server.demo.names import given_name, surname
from server.demo.people import People
from server.demo.places import Operation, Places

# name, kind, first two characters of the credit code, share of the members
UNITS = (
    ("演示区示例局", "government", "11", 40),
    ("示例第二小学", "school", "12", 30),
    ("示例医院", "hospital", "12", 36),
    ("示例水务集团有限公司", "state_enterprise", "91", 44),
    ("示例软件有限公司", "private_enterprise", "91", 26),
    ("示例社会工作服务中心", "social_organization", "52", 24),
)
MEMBERS = sum(share for *_, share in UNITS)
RESIDENT_MEMBERS = 162
"""Members who live here; of the others only the unit's list is known."""

_PLEDGES = ("publicity", "order", "environment", "elderly_care", "tutoring", "legal_aid", "medical", "mediation",
            "digital_help", "emergency")  # fmt: skip
_SKILLS = {
    "school": ("teaching", "childcare", "psychology", "languages"),
    "hospital": ("medical", "first_aid", "psychology"),
    "state_enterprise": ("electrician", "plumbing", "driving"),
    "private_enterprise": ("it", "media", "languages"),
    "government": ("legal", "driving", "media"),
    "social_organization": ("psychology", "arts", "cooking"),
}
_HOURS = ("周末", "工作日晚间", "周六上午", "节假日", "应急时随叫随到")


@dataclass(frozen=True, slots=True)
class _Unit:
    id: str
    name: str
    kind: str
    share: int


def build_party(seed: int, as_of: date, writer: Writer, places: Places, people: People) -> list[list[Operation]]:
    """Groups: the six units, then one group per member with the member's check-in where there is one."""
    chance = Chance(seed, "party", as_of)
    documents = Documents(seed + 1)  # its own numbers; telephones of the list may differ from those at the door
    listed = chance.moment(chance.day(first=330, last=320))
    units, group = _units(chance, documents, writer, places, listed)
    groups = [group]
    linked = [resident for resident in people.residents if resident.political]
    slots = [unit for unit in units for _ in range(unit.share)]
    chance.random.shuffle(slots)
    for place, unit in enumerate(slots):
        resident = linked[place] if place < len(linked) else None
        age = resident.member.age if resident else chance.between(25, 59)
        sex = chance.one(("1", "2"))
        member = writer.new_id("party_member")
        record = writer.create("party_member", member, {
            "name": resident.member.name if resident else surname(chance) + given_name(chance, sex, age),
            "person": resident.id if resident else None,
            "organization": unit.id,
            "branch_text": f"{unit.name}第{chance.one('一二三')}党支部",
            "political_code": resident.political if resident else "01",
            "in_service": age < 60,
            "phone": (resident.phone if resident and resident.phone and chance.holds(0.85) else documents.phone()),
            "joined_on": (as_of - timedelta(days=chance.between(200, max(201, (age - 20) * 365)))).isoformat(),
            "duties_text": chance.one(("支部书记", "支部委员")) if chance.holds(0.05) else None,
            "on_unit_list": True,
        }, listed)  # fmt: skip
        made = [record]
        if chance.holds(0.78 if resident else 0.35):
            made.append(_check_in(chance, writer, as_of, {"subject_kind": "member", "party_member": member}, unit.kind))
        groups.append(made)
    for unit in units[:-1]:  # the last unit never reported
        subject = {"subject_kind": "organization", "organization": unit.id}
        groups.append([_check_in(chance, writer, as_of, subject, unit.kind)])
    return groups


def _units(
    chance: Chance, documents: Documents, writer: Writer, places: Places, listed: datetime
) -> tuple[list[_Unit], list[Operation]]:
    halls = [one for one in places.buildings if one.use in ("commercial", "office", "public_service")]
    units, group = [], []
    for order, (name, kind, category, share) in enumerate(UNITS, start=1):
        hall = halls[(order * 7) % len(halls)]
        unit = _Unit(writer.new_id("organization"), name, kind, share)
        units.append(unit)
        group.append(writer.create("organization", unit.id, {
            "name": name,
            "credit_code": documents.credit_code(category, order),
            "kind": kind,
            "anchor": hall.anchor,
            "address_text": hall.name,
            "party_branch_text": f"{name}党委",
            "members_count_stated": share + chance.between(0, 3),
            "contact_name": surname(chance) + given_name(chance, "2", 40),
            "contact_phone": documents.phone(),
        }, listed))  # fmt: skip
    return units, group


def _check_in(chance: Chance, writer: Writer, as_of: date, subject: dict[str, Any], unit_kind: str) -> Operation:
    registered = chance.day(first=310, last=20)
    state = chance.weighted({"registered": 0.17, "accepted": 0.73, "ended": 0.1})
    accepted = registered + timedelta(days=chance.between(1, 12))
    ended = accepted + timedelta(days=chance.between(1, max(1, (as_of - accepted).days)))
    own = chance.random.sample(_SKILLS[unit_kind], 2 if chance.holds(0.4) else 1) if chance.holds(0.8) else None
    pledge = chance.one(_PLEDGES) if subject["subject_kind"] == "member" else "project"
    return writer.create("check_in", writer.new_id("check_in"), {
        **subject,
        "state": state,
        "registered_on": registered.isoformat(),
        "accepted_on": min(accepted, as_of).isoformat() if state != "registered" else None,
        "ended_on": min(ended, as_of).isoformat() if state == "ended" else None,
        "pledge_kind": pledge if state != "registered" or chance.holds(0.5) else None,
        "pledge_text": "共建社区活动室" if pledge == "project" else None,
        "skills": sorted(own) if own else None,
        "available_hours_text": chance.one(_HOURS) if chance.holds(0.7) else None,
        "can_carry_water": chance.holds(0.5) if chance.holds(0.75) else None,
        "can_drive": chance.holds(0.55) if chance.holds(0.75) else None,
    }, chance.moment(registered))  # fmt: skip
