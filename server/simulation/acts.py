"""What people do and what goes wrong, one act at a time. Every act draws from a random generator of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from server.services.release import sweep
from server.simulation.archives import archive
from server.simulation.neighbour import moves
from server.simulation.office import killed_office, other_forms, reassign, republish, secretary
from server.simulation.world import CELLS, PhoneKilled, World, anchor
from sync.device import (
    ForkNeeded,
    InvalidFields,
    Offline,
    Phone,
    Refused,
    Revoked,
    ServerBusy,
    UnknownRecord,
    WrongArguments,
)
from sync.device.store import Fault, no_fault
from sync.device.view import RecordView

Act = Callable[[World, Random], str]

_GIVEN_UP = (Offline, ServerBusy, Refused, Revoked)


# ---------------------------------------------------------------- at the door
def _phone(world: World, random: Random) -> tuple[int, Phone]:
    number = random.randrange(len(world.phones))
    return number, world.phones[number]


def _some(phone: Phone, random: Random, record_type: str) -> RecordView | None:
    """Mostly one of the first, so that several people come to the same door."""
    found = phone.find(record_type)
    return random.choice(found[:3] if random.random() < 0.7 else found) if found else None


def new_home(world: World, random: Random) -> str:
    """A building, a dwelling, a household and one to three persons, in one group; now and then outside every cell."""
    number, phone = _phone(world, random)
    cell = random.randrange(CELLS + 1) + random.choice((-0.3, 0, 0.3))
    with phone.group():
        building = phone.create("building", {"name": f"{random.randrange(99)} 幢", "anchor": anchor(cell)})
        dwelling = phone.create("dwelling", {"building": building, "door_number": str(random.randrange(999))})
        household = phone.create("household", {"dwelling": dwelling, "kind": "family"})
        for _ in range(random.randrange(1, 4)):
            _person(phone, random, household)
    return f"phone {number} records a home near cell {cell:.1f}"


def _person(phone: Phone, random: Random, household: str) -> str:
    fields = {
        "name": f"人{random.randrange(99)}",
        "residence_household": household,
        "relation_to_head": "20",
        "document_missing_reason": "not_asked",
    }
    return phone.create("person", fields)


def _edits(random: Random) -> dict[str, dict[str, Any]]:
    return {
        "building": {"floors_count": random.randrange(1, 30), "anchor": anchor(random.randrange(CELLS))},
        "dwelling": {"floor_number": random.randrange(20), "occupancy": random.choice(("let", "empty"))},
        "household": {"phone": f"6222{random.randrange(10**4):04d}", "tags": [str(random.randrange(5))], "note": f"见{random.randrange(99)}"},
        "person": {"occupation_text": f"职{random.randrange(9)}", "phones": [f"1380000{random.randrange(10**4):04d}"], "birth_date": f"19{random.randrange(50, 99)}-01-01"},
    }  # fmt: skip


def edit(world: World, random: Random) -> str:
    """One to three fields of things that the phone shows."""
    number, phone = _phone(world, random)
    newer = world.forms[number] > 1
    return f"phone {number} writes " + ", ".join(_edit(phone, random, newer) for _ in range(random.randrange(1, 4)))


def _edit(phone: Phone, random: Random, newer: bool = False) -> str:
    edits = _edits(random)
    if newer:
        edits["dwelling"]["balconies_count"] = random.randrange(9)
        edits["person"]["hobby_text"] = f"好{random.randrange(9)}"
    record_type = random.choice(sorted(edits))
    view = _some(phone, random, record_type)
    if view is None:
        return "nothing"
    name = random.choice(sorted(edits[record_type]))
    phone.patch(view.id, **{name: edits[record_type][name]})
    return f"{record_type}.{name}"


def look(world: World, random: Random) -> str:
    """Seen unchanged, deleted, or brought back."""
    number, phone = _phone(world, random)
    view = _some(phone, random, random.choice(("person", "household", "dwelling", "building")))
    if view is None:
        return f"phone {number} has nothing to look at"
    what = random.choice(("confirm", "confirm", "delete", "restore"))
    if what == "restore":
        gone = [one.record_id for one in phone.operations() if one.kind == "delete"]
        if not gone:
            return f"phone {number} has deleted nothing"
        phone.restore(random.choice(gone))
    elif what == "confirm":
        phone.confirm(view.id)
    else:
        phone.delete(view.id)
    return f"phone {number}: {what} {view.type}"


def command(world: World, random: Random) -> str:
    """A household moves, splits, joins or changes its head; somebody leaves; two records become one, or part again."""
    number, phone = _phone(world, random)
    household, person = _some(phone, random, "household"), _some(phone, random, "person")
    if household is None or person is None:
        return f"phone {number} knows nobody"
    other, dwelling, second = (
        _some(phone, random, "household"),
        _some(phone, random, "dwelling"),
        _some(phone, random, "person"),
    )
    building = _some(phone, random, "building")
    assert other is not None and second is not None
    members = [one.id for one in phone.find("person", residence_household=household.id)]
    merges = [one.op_id for one in phone.operations() if one.kind == "command"]
    choices: list[tuple[str, RecordView, dict[str, Any]]] = [
        ("move_household", household, {"dwelling": dwelling.id if dwelling else household.id}),
        ("split_household", household, {"new_household": phone.new_id(), "members": members[:1] or [person.id]}),
        ("join_households", household, {"household": other.id}),
        ("change_head", household, {"head": random.choice(members) if members else None}),
        (
            "person_left",
            person,
            {"household": person.fields.get("residence_household", household.id), "reason": "moved_out"},
        ),
        ("person_died", person, {}),
        ("correct_place", dwelling or household, {"building": building.id if building else None}),
        ("merge_persons", person, {"merged": second.id}),
        ("merge_households", household, {"merged": other.id}),
        ("undo", person, {"command": random.choice(merges) if merges else phone.new_id()}),
    ]
    name, record, arguments = random.choice(choices)
    try:
        phone.command(name, record.id, **arguments)
    except WrongArguments as wrong:
        return f"phone {number} may not {name}: {wrong}"
    return f"phone {number}: {name}"


def nonsense(world: World, random: Random) -> str:
    """A program with a fault writes a value that is none; what it wrote cannot be taken back."""
    number, phone = _phone(world, random)
    view = _some(phone, random, "dwelling")
    if view is None:
        return f"phone {number} has nothing to spoil"
    phone.write_raw(
        {
            "type": "dwelling",
            "id": view.id,
            "kind": "patch",
            "base": None,
            "set": {"floor_number": "up"},
            "was": {},
            "form_version": 1,
        }
    )
    return f"phone {number} writes nonsense"


def settle_at_the_door(world: World, random: Random) -> str:
    """A phone settles a conflict that it was told of."""
    number, phone = _phone(world, random)
    for record_id, _, unit in phone.conflicts():
        said = phone.dispute(record_id, unit)
        values = [one for one in (said or {}).get("siblings", ()) if one["set"]]
        if said is None or not values:
            continue
        try:
            phone.resolve(record_id, unit, [one["op_id"] for one in said["siblings"]], **random.choice(values)["set"])
        except (InvalidFields, UnknownRecord):
            continue
        return f"phone {number} settles {unit}"
    return f"phone {number} has no conflict to settle"


# ---------------------------------------------------------------- on the line
def sync(world: World, random: Random) -> str:
    """A phone syncs on a fine day."""
    number, phone = _phone(world, random)
    return f"phone {number} syncs: {sync_once(phone)}"


def sync_once(phone: Phone) -> str:
    """Push, pull, ask; a fork where one is needed. What came of it in a word."""
    try:
        try:
            _, pulled = phone.sync()
            if pulled.needs_fork:
                phone.fork()
                phone.sync()
        except ForkNeeded:
            phone.fork()
            phone.sync()
        phone.ask_disputes()
    except _GIVEN_UP as error:
        return f"{type(error).__name__} {error}"
    return "done"


def bad_line(world: World, random: Random) -> str:
    """A phone syncs while requests and answers are lost, cut off in the middle, come twice, or come late."""
    number, phone = _phone(world, random)
    phone.transport.weather = lambda _: random.choice(
        ("fine", "fine", "request lost", "answer lost", "twice", "kept back", "cut")
    )
    try:
        said = sync_once(phone)
    finally:
        phone.transport.weather = lambda _: "fine"
    return f"phone {number} syncs over a bad line: {said}"


def late_request(world: World, random: Random) -> str:
    """A request that was thought lost arrives after all, whatever has happened since; nobody hears the answer."""
    if not world.kept_back:
        number, phone = _phone(world, random)
        phone.transport.weather = lambda path: "kept back" if path.endswith("push") else "fine"
        said = sync_once(phone)
        phone.transport.weather = lambda _: "fine"
        return f"phone {number} syncs, its push is kept back: {said}"
    path, body, token = world.kept_back.pop(random.randrange(len(world.kept_back)))
    try:
        answer = world.serve("POST", path, body, token)
    except Offline:
        world.start()
        return "a late request arrives at a server that is killed"
    return f"a late {path} arrives: {answer.status}"


def killed_phone(world: World, random: Random) -> str:
    """A phone dies at one of its writes, while it syncs or while somebody writes on it, and is started again."""
    act = random.choice((sync, sync, sync, sync, new_home, edit, look, command, settle_at_the_door))
    left = random.randrange(1, 12 if act is sync else 4)

    def fault(number: int) -> Fault:
        def fall(step: str) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                raise PhoneKilled(number, step)

        return fall

    for number, phone in enumerate(world.phones):
        phone.on_fault(fault(number))
    try:
        return f"{act(world, random)}; the phone lives"
    except PhoneKilled as killed:
        number, step = killed.args
        world.reopen(number)
        return f"phone {number} is killed at {step} ({act.__name__})"
    finally:
        for phone in world.phones:
            phone.on_fault(no_fault)


def killed_server(world: World, random: Random) -> str:
    """The server dies between two statements while a phone syncs, and is started again."""
    number, phone = _phone(world, random)
    world.statements_left = random.randrange(1, 120)
    said = sync_once(phone)
    killed = world.statements_left is None
    world.statements_left = None
    if killed:
        world.start()
        sweep(world.house)
    return f"phone {number} syncs, the server {'is killed' if killed else 'lives'}: {said}"


def wrong_clock(world: World, random: Random) -> str:
    """A phone's clock jumps by years."""
    number, _ = _phone(world, random)
    world.offsets[number] = timedelta(days=random.randrange(-3000, 3000), minutes=random.randrange(1000))
    return f"the clock of phone {number} is off by {world.offsets[number].days} days"


def clone(world: World, random: Random) -> str:
    """Somebody copies a phone; both go on."""
    number, _ = _phone(world, random)
    if len(world.phones) >= 8:
        return "nobody copies a phone"
    world.clone(number)
    return f"phone {number} is copied to phone {len(world.phones) - 1}"


def backup(world: World, random: Random) -> str:
    """The database is copied by hand."""
    world.back_up()
    world.start()
    return "the database is copied"


def copy_back(world: World, random: Random) -> str:
    """An older copy of the database is put back by hand."""
    if not world.backups:
        return backup(world, random)
    world.copy_back(random)
    return "an older copy is put back"


WORK: tuple[Act, ...] = (
    new_home,
    edit,
    edit,
    edit,
    edit,
    look,
    command,
    command,
    command,
    settle_at_the_door,
    sync,
    sync,
    sync,
    sync,
    secretary,
)
FAULTS: dict[str, Act] = {
    "line": bad_line,
    "late": late_request,
    "phone": killed_phone,
    "server": killed_server,
    "clock": wrong_clock,
    "clone": clone,
    "backup": backup,
    "restore": copy_back,
    "archive": archive,
    "scope": reassign,
    "cells": republish,
    "forms": other_forms,
    "office": killed_office,
    "nonsense": nonsense,
    "moves": moves,
}
"""What can go wrong, by the name that ``--faults`` takes."""
