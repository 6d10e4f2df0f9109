"""Who and what the story is about: two phones, the records that they touch, and what is done without a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from bench.story_stage import NotAsTold, Office, Radio, Voice
from forms.registry import load_registry
from server.demo.chance import Documents
from server.house import uuid7
from sync.device import Offline, Phone, RecordView

LOCAL = timezone(timedelta(hours=8))

_ADULT = timedelta(days=366 * 18)
# an invented family: name, sex, age, relation to the head
_FAMILY = (("沈示例", "1", 38, "02"), ("顾样本", "2", 36, "10"), ("沈小样", "2", 9, "31"))


@dataclass(slots=True)
class Device:
    """A phone with its radio. ``who`` is the character that stands for its owner."""

    who: str
    phone: Phone
    radio: Radio

    def view(self, record_id: str) -> RecordView:
        """What the phone shows of a record; NotAsTold when it has none."""
        found = self.phone.read(record_id)
        if found is None:
            raise NotAsTold(f"a record of the story is not on phone {self.who}")
        return found

    def of(self, record_type: str, stream: str) -> list[RecordView]:
        """Live records of a type in a cell's stream."""
        return [view for view in self.phone.find(record_type) if view.home == stream]


@dataclass(slots=True)
class Cast:
    """The records that the story is about.

    ``asked`` lives in ``home``, whose new number is ``phone``; ``movers`` live in ``moving``, ``registered_here`` of them
    are registered at its first address. From ``household`` on: what is added.
    """

    home: str
    asked: str
    moving: str
    movers: list[str]
    registered_here: list[str]
    empty_here: RecordView
    empty_there: RecordView
    member: RecordView
    phone: str = ""
    household: str = ""
    persons: list[str] = field(default_factory=list)
    check_in: str = ""
    resource: str = ""


@dataclass(slots=True)
class Scene:
    """What the acts share. ``here`` is the stream of the cell that both phones follow, ``there`` the cell beside it."""

    folder: Path
    address: str
    voice: Voice
    secretary: Office
    before: dict[str, Any]
    here: str = ""
    there: str = ""
    devices: list[Device] = field(default_factory=list)
    documents: Documents = field(default_factory=lambda: Documents(4711))

    def new_device(self, who: str, code: str, clock: Callable[[], datetime]) -> Device:
        """A phone that enrols with a code."""
        radio = Radio(self.address)
        phone = Phone(self.folder / f"phone-{len(self.devices) + 1}.sqlite3", radio, clock, uuid7, load_registry())
        phone.enrol(code, label=f"手机{who}", app_version="story")
        device = Device(who, phone, radio)
        self.devices.append(device)
        return device

    def door(self, view: RecordView) -> str:
        """Estate, building and door of a dwelling or of a household's dwelling, short."""
        place = view if view.type == "dwelling" else self.devices[1].view(view.fields["dwelling"])
        return str(place.fields.get("address_text", "")).rpartition("社区")[2]


def today() -> date:
    """The day where the community is."""
    return datetime.now(LOCAL).date()


def choose(scene: Scene) -> Cast:
    """The cast, taken from what the phones hold; the same at every telling."""
    one, two = scene.devices
    people = one.of("person", scene.here)
    households = {view.id: view for view in one.of("household", scene.here)}
    living: dict[str, list[RecordView]] = {}
    for view in people:
        living.setdefault(view.fields.get("residence_household") or "", []).append(view)
    reported = {view.fields.get("party_member") for view in one.phone.find("check_in")}
    grown_up = (today() - _ADULT).isoformat()
    asked = _first(
        "adult without a document number",
        [
            view
            for view in people
            if view.fields.get("document_missing_reason")
            and view.fields.get("birth_date", "9") < grown_up
            and view.fields.get("residence_household") in households
        ],
    )
    home = asked.fields["residence_household"]

    def registered_at_home(household: RecordView) -> list[str]:
        dwelling = household.fields.get("dwelling")
        return [
            view.id for view in living.get(household.id, []) if view.fields.get("registration_dwelling") == dwelling
        ]

    family = [view for view in households.values() if view.id != home and len(registered_at_home(view)) >= 2]
    moving = _first("family registered where it lives", family)
    unreported = [view for view in one.of("party_member", scene.here) if view.id not in reported]
    return Cast(
        home=home,
        asked=asked.id,
        moving=moving.id,
        movers=[view.id for view in living[moving.id]],
        registered_here=registered_at_home(moving),
        empty_here=_empty_dwelling(scene, one, scene.here),
        empty_there=_empty_dwelling(scene, two, scene.there),
        member=_first("party member who has not reported", unreported),
    )


def _empty_dwelling(scene: Scene, device: Device, stream: str) -> RecordView:
    lived_in = {view.fields.get("dwelling") for each in scene.devices for view in each.phone.find("household")}
    return _first(
        "empty dwelling",
        [
            view
            for view in device.of("dwelling", stream)
            if (view.fields.get("occupancy"), view.fields.get("use")) == ("empty", "home") and view.id not in lived_in
        ],
    )


def _first(what: str, found: list[RecordView]) -> RecordView:
    if not found:
        raise NotAsTold(f"the demo holds no {what} in the cells of the phones")
    return found[0]


# ---------------------------------------------------------------- what is done without a network
def ask_for_document(scene: Scene, cast: Cast, device: Device, *, evidence: str) -> str:
    """Write down a document number, an invented one with the person's own birth date; its last four characters."""
    fields = device.view(cast.asked).fields
    number = scene.documents.resident_id(date.fromisoformat(fields["birth_date"]), fields["sex"])
    device.phone.patch(
        cast.asked,
        document_type="resident_id",
        document_number=number,
        document_missing_reason=None,
        document_evidence=evidence,
    )
    return number[-4:]


def new_family(scene: Scene, cast: Cast, device: Device) -> None:
    """A couple and their daughter move into an empty dwelling: one group, together or not at all."""
    moved_in = today()
    phone = device.phone
    with phone.group():
        about = {"kind": "family", "members_count_stated": len(_FAMILY), "moved_in_on": moved_in.isoformat()}
        cast.household = phone.create("household", {"dwelling": cast.empty_here.id, **about})
        for name, sex, age, relation in _FAMILY:
            born = moved_in - timedelta(days=366 * age + 20)
            person = {
                "name": name,
                "sex": sex,
                "birth_date": born.isoformat(),
                "birth_precision": "day",
                "document_type": "resident_id",
                "document_number": scene.documents.resident_id(born, sex),
                "document_evidence": "shown",
                "residence_household": cast.household,
                "relation_to_head": relation,
                "resident_from": moved_in.isoformat(),
                "joined_reason": "moved_in",
                "presence": "present",
            }
            cast.persons.append(phone.create("person", person))
        phone.patch(cast.household, head=cast.persons[0])


def new_check_in(cast: Cast, device: Device) -> None:
    """A party member who had not reported yet does so."""
    about = {"subject_kind": "member", "state": "registered", "registered_on": today().isoformat()}
    pledge = {"pledge_kind": "elderly_care", "skills": ["first_aid", "driving"]}
    cast.check_in = device.phone.create("check_in", {"party_member": cast.member.id, **about, **pledge})


def new_resource(scene: Scene, cast: Cast, device: Device) -> str:
    """Drinking water in a building of the shared cell; the building's name."""
    building = _first("building", device.of("building", scene.here))
    name: str = building.fields["name"]
    about = {"kind": "supply", "category": "drinking_water", "quantity": 40, "measure_unit": "box"}
    cast.resource = device.phone.create("resource", {"name": f"{name}架空层瓶装水", "building": building.id, **about})
    return name


def stays_on_the_phone(device: Device) -> bool:
    """Whether a sync without a network says so and keeps every operation."""
    kept = len(device.phone.operations())
    try:
        device.phone.sync()
    except Offline:
        waiting = [standing for standing in device.phone.operations() if standing.outcome is None]
        return len(waiting) == kept > 0
    return False
