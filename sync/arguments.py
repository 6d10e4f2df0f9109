"""What the commands are called and what they take: their arguments, checked before any lock (docs/protocol.md, Commands)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from forms.definition import RecordType
from forms.validate import validator
from sync.operation import Fields, Operation, is_uuid

Forms = Callable[[str], RecordType]

HEAD = "02"
"""The one code of the head in ``relation_to_head``."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. ``kind`` is ``ref``, ``refs``, ``new`` (the id of a record that the command makes), ``op``, ``field``
    (judged as the field ``of`` names), ``community`` (the id of another one), ``relations`` (person id → code) or ``values`` (fields of the principal).

    ``of`` is the record type of a reference, or ``type.field``. ``clears``: null may be given.
    """

    kind: str
    of: str = ""
    required: bool = False
    clears: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command by its name in `COMMANDS`: the types that its principal may have, and its arguments."""

    types: tuple[str, ...]
    arguments: dict[str, Argument]


_ON = Argument("field", "person.resident_from")
_JOINED = Argument("field", "person.joined_reason")
_LEFT = Argument("field", "residence.left_reason")
_MEMBERS = Argument("refs", "person")
_RELATIONS = Argument("relations", "person.relation_to_head")
_PERSON = Argument("ref", "person")

COMMANDS: dict[str, Command] = {
    "move_household": Command(
        ("household",),
        {
            "dwelling": Argument("ref", "dwelling"),
            "community": Argument("community"),
            "on": _ON,
            "members": _MEMBERS,
            "joined_reason": _JOINED,
            "left_reason": _LEFT,
        },
    ),
    "move_person": Command(
        ("person",), {"community": Argument("community", required=True), "on": _ON, "left_reason": _LEFT}
    ),
    "split_household": Command(
        ("household",),
        {
            "new_household": Argument("new", "household", required=True),
            "members": Argument("refs", "person", required=True),
            "dwelling": Argument("ref", "dwelling"),
            "kind": Argument("field", "household.kind"),
            "head": _PERSON,
            "new_head": _PERSON,
            "relations": _RELATIONS,
            "on": _ON,
            "joined_reason": _JOINED,
            "left_reason": _LEFT,
        },
    ),
    "join_households": Command(
        ("household",),
        {
            "household": Argument("ref", "household", required=True),
            "members": _MEMBERS,
            "relations": _RELATIONS,
            "on": _ON,
            "joined_reason": _JOINED,
            "left_reason": _LEFT,
        },
    ),
    "change_head": Command(
        ("household",), {"head": Argument("ref", "person", required=True, clears=True), "relations": _RELATIONS}
    ),
    "person_left": Command(
        ("person",),
        {
            "household": Argument("ref", "household", required=True),
            "reason": Argument("field", "residence.left_reason", required=True),
            "on": _ON,
            "new_head": _PERSON,
        },
    ),
    "person_died": Command(
        ("person",),
        {"on": Argument("field", "person.died_on"), "household": Argument("ref", "household"), "new_head": _PERSON},
    ),
    "correct_place": Command(
        ("dwelling",),
        {
            "building": Argument("ref", "building", clears=True),
            "entrance": Argument("ref", "entrance", clears=True),
            "floor_number": Argument("field", "dwelling.floor_number", clears=True),
        },
    ),
    "merge_persons": Command(
        ("person",), {"merged": Argument("ref", "person", required=True), "set": Argument("values")}
    ),
    "merge_households": Command(
        ("household",), {"merged": Argument("ref", "household", required=True), "set": Argument("values")}
    ),
    "undo": Command(("person", "household"), {"command": Argument("op", required=True)}),
}

MERGES = frozenset({"merge_persons", "merge_households"})

MOST_NAMED = 500
"""Records that one command may name."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a command: a pointer into the operation and a code; never a value."""

    pointer: str
    code: str


def wrong_arguments(operation: Operation, forms: Forms) -> list[Wrong]:
    """Everything that is wrong with the arguments of a command; empty where it can be decided."""
    command = COMMANDS.get(operation.name or "")
    if command is None:
        return [Wrong("/name", "unknown_command")]
    if operation.type not in command.types:
        return [Wrong("/type", "wrong_type")]
    found = [Wrong("/set", "not_empty")] if operation.set else []
    given = operation.arguments
    found += [Wrong(f"/arguments/{name}", "unknown_argument") for name in sorted(given.keys() - command.arguments.keys())]
    for name, argument in command.arguments.items():
        if name not in given:
            found += [Wrong(f"/arguments/{name}", "required")] if argument.required else []
        elif given[name] is None:
            found += [] if argument.clears else [Wrong(f"/arguments/{name}", "null")]
        else:
            found += _wrong(f"/arguments/{name}", argument, given[name], operation, forms)
    return found or _senseless(operation)


def _wrong(pointer: str, argument: Argument, value: Any, operation: Operation, forms: Forms) -> list[Wrong]:
    if argument.kind in ("ref", "new", "op"):
        return [] if is_uuid(value) else [Wrong(pointer, "not_a_uuid")]
    if argument.kind == "community":
        return [] if isinstance(value, str) and 0 < len(value) <= 60 else [Wrong(pointer, "not_a_community")]
    if argument.kind == "refs":
        if type(value) is not list or not all(is_uuid(one) for one in value):
            return [Wrong(pointer, "not_ids")]
        if len(value) > MOST_NAMED:
            return [Wrong(pointer, "too_many")]
        return [Wrong(pointer, "empty")] if argument.required and not value else []
    if argument.kind == "relations":
        if type(value) is not dict or len(value) > MOST_NAMED or not all(is_uuid(one) for one in value):
            return [Wrong(pointer, "not_an_object")]
        type_name, _, field = argument.of.partition(".")
        judged = validator(forms(type_name))
        return [Wrong(f"{pointer}/{key}", one.code) for key, code in value.items() for one in judged({field: code}, False)[1]]
    if argument.kind == "values":
        if type(value) is not dict:
            return [Wrong(pointer, "not_an_object")]
        judged = validator(forms(operation.type))
        return [Wrong(pointer + one.pointer.removeprefix("/set"), one.code) for one in judged(value, False)[1]]
    type_name, _, field = argument.of.partition(".")
    return [Wrong(pointer, one.code) for one in validator(forms(type_name))({field: value}, False)[1]]


def _senseless(operation: Operation) -> list[Wrong]:
    """What is right by itself and cannot be meant together."""
    given, name = operation.arguments, operation.name
    if name == "move_household":
        if "community" not in given:
            return [] if "dwelling" in given else [Wrong("/arguments/dwelling", "required")]
        # the dwelling is chosen there, and everybody who lives in the household goes: who stays leaves it first
        return [Wrong(f"/arguments/{one}", "not_with_community") for one in ("dwelling", "members") if one in given]
    if name == "correct_place" and given.get("building") is None and given.get("entrance") is None:
        return [Wrong("/arguments", "no_place")]
    if name == "split_household":
        if given["new_household"] == operation.id:
            return [Wrong("/arguments/new_household", "not_new")]
        if "head" in given and given["head"] not in given["members"]:
            return [Wrong("/arguments/head", "not_a_member")]
        if "new_head" in given and given["new_head"] in given["members"]:
            return [Wrong("/arguments/new_head", "leaves")]
    if name in MERGES and given["merged"] == operation.id:
        return [Wrong("/arguments/merged", "the_same")]
    if name == "join_households" and given["household"] == operation.id:
        return [Wrong("/arguments/household", "the_same")]
    if given.get("new_head") == operation.id:
        return [Wrong("/arguments/new_head", "leaves")]
    return []


def named_records(operation: Operation) -> dict[str, str]:
    """The records that a command names and that must be there: id → type. The principal is among them."""
    found = {operation.id: operation.type}
    for name, argument in COMMANDS[operation.name or ""].arguments.items():
        value = operation.arguments.get(name)
        if value is None:
            continue
        if argument.kind == "ref":
            found[value] = argument.of
        elif argument.kind == "refs":
            found.update(dict.fromkeys(value, argument.of))
        elif argument.kind == "relations":
            found.update(dict.fromkeys(value, argument.of.partition(".")[0]))
    return found


def made_records(operation: Operation) -> dict[str, str]:
    """The records that a command makes: id → type."""
    return {
        operation.arguments[name]: argument.of
        for name, argument in COMMANDS[operation.name or ""].arguments.items()
        if argument.kind == "new" and operation.arguments.get(name) is not None
    }


def target_community(operation: Operation) -> str | None:
    """The other community that a command asks to move its principal to (S30); None for every other operation."""
    return operation.arguments.get("community") if operation.name in ("move_household", "move_person") else None


def pointer_of(operation: Operation, record_id: str) -> str:
    """Where a command names a record."""
    if record_id == operation.id:
        return "/id"
    for name, value in operation.arguments.items():
        if value == record_id or (isinstance(value, list | dict) and record_id in value):
            return f"/arguments/{name}"
    return "/arguments"


def bases_of(operation: Operation) -> list[tuple[str, tuple[int, str]]]:
    """(record, base) for every record that an operation gives one for: one, or as many as a command names."""
    found = [] if operation.base is None else [(operation.id, operation.base)]
    return found + [(one, other.base) for one, other in operation.others.items() if other.base is not None]


def day_of(operation: Operation, today: str) -> str:
    """The day that a command tells of: ``on``, else that of arrival."""
    on = operation.arguments.get("on")
    return date.fromisoformat(on).isoformat() if on else today


def relation_of(operation: Operation, person: str, head: str | None) -> Fields:
    """The relation to the head that a command gives a person; none where it does not say."""
    return {"relation_to_head": HEAD if person == head else operation.arguments.get("relations", {}).get(person)}
