"""Generated stories for the phone's twin: operations laid over copies, and what commands stand for, as the Python side says."""

from __future__ import annotations

import random
from typing import Any

from forms.registry import load_registry
from sync.commands import expand
from sync.device.view import laid_over, life_after
from sync.operation import operation_of
from sync.record import Record

TODAY = "2026-11-21"
_FIELDS = {
    "person": {
        "name": ("张三", "李四"),
        "sex": ("1", "2"),
        "phones": (["1"], ["1", "2"], {"add": ["3"], "remove": ["1"]}, {"add": ["2"], "remove": []}),
        "note": ("上午", "上午在", "上午在家", "不在"),
        "birth_date": ("1980-01-01",),
        "later_field": ("x", ["y"]),
    },
    "resource": {
        "name": ("水泵",),
        "quantity": (0.1, {"delta": 0.2}, {"delta": -3}, 7),
        "note": ("甲", "甲乙"),
        "photos": (["a"], {"add": ["b"], "remove": ["a"]}),
    },
}
_STANDING = {
    "person": {"name": "张三", "phones": ["1", "9"], "note": "上午"},
    "resource": {"name": "水泵", "quantity": 2.5, "note": "甲", "photos": ["a"]},
}


def overlays(seed: int, count: int) -> list[dict[str, Any]]:
    """A copy, own operations over it, and what is shown."""
    chance, registry = random.Random(seed), load_registry()
    found = []
    for _ in range(count):
        record_type = chance.choice(list(_FIELDS))
        fields = {name: value for name, value in _STANDING[record_type].items() if chance.random() < 0.7}
        operations = [_operation(chance, record_type) for _ in range(chance.randint(1, 4))]
        form = registry.latest(record_type)
        shown = laid_over(fields, operations, form)
        life = life_after("live", operations)
        found.append({"type": record_type, "fields": fields, "operations": operations, "shown": shown, "life": life})
    return found


def _operation(chance: random.Random, record_type: str) -> dict[str, Any]:
    kind = chance.choices(("patch", "resolve", "delete", "restore", "end"), (8, 2, 1, 1, 1))[0]
    if kind in ("delete", "restore", "end"):
        return {"kind": kind, "set": {}, "was": {}}
    values: dict[str, Any] = {}
    for name, choices in _FIELDS[record_type].items():
        if chance.random() < 0.4:
            values[name] = None if chance.random() < 0.15 else chance.choice(choices)
    if kind == "resolve":  # final values: never a change of a set or a sum
        values = {name: value for name, value in values.items() if not isinstance(value, dict)}
    seen = {name: _STANDING[record_type].get(name) for name in values}
    return {"kind": kind, "set": values, "was": seen if chance.random() < 0.8 else {}}


def commands(seed: int, count: int) -> list[dict[str, Any]]:
    """Two households, what is asked, and the steps that it stands for."""
    chance, registry = random.Random(seed), load_registry()
    return [_command(chance, registry.latest) for _ in range(count)]


def _id(number: int) -> str:
    return f"019cabcd-0000-7000-8111-{number:012d}"


def _command(chance: random.Random, forms: Any) -> dict[str, Any]:
    households = {_id(1): {"dwelling": _id(11), "kind": "family"}, _id(2): {"dwelling": _id(12)}}
    people: dict[str, dict[str, Any]] = {}
    for number in range(21, 21 + chance.randint(2, 5)):
        home = chance.choice([*households, None])
        people[_id(number)] = {"name": "甲"} | ({"residence_household": home, "relation_to_head": "10"} if home else {})
        if home and chance.random() < 0.5:
            households[home]["head"] = _id(number)
            people[_id(number)]["relation_to_head"] = "02"
    dwellings = {_id(11): {"building": _id(31)}, _id(12): {"building": _id(31)}}
    entrances = {_id(41): {"building": _id(32)}}
    rooms = {"household": households, "person": people, "dwelling": dwellings, "entrance": entrances}
    records = {one: _record(one, record_type, fields) for record_type, room in rooms.items() for one, fields in room.items()}
    living = sorted(one for one, fields in people.items() if fields.get("residence_household") == _id(1))
    others = sorted(one for one, fields in people.items() if fields.get("residence_household") == _id(2))
    someone = chance.choice(list(people))
    on: dict[str, Any] = {"on": "2026-03-01"} if chance.random() < 0.7 else {}
    relations = {"relations": {chance.choice(list(people)): "20"}} if chance.random() < 0.5 else {}
    name, record_type, record_id, arguments = chance.choice(
        (
            ("move_household", "household", _id(1), {"dwelling": _id(12), "members": living} | on),
            ("split_household", "household", _id(1), {"new_household": _id(3), "members": living[:1]} | on | relations
             | ({"head": living[0]} if living and chance.random() < 0.5 else {})
             | ({"new_head": living[1]} if len(living) > 1 and chance.random() < 0.5 else {})),
            ("join_households", "household", _id(1), {"household": _id(2), "members": others} | on | relations),
            ("change_head", "household", _id(1), {"head": chance.choice([*living, None])} | relations),
            ("person_left", "person", someone, {"household": people[someone].get("residence_household") or _id(1), "reason": "moved_out"} | on),
            ("person_died", "person", someone, on | ({"household": _id(1)} if someone in living else {})),
            ("correct_place", "dwelling", _id(11), chance.choice(({"entrance": _id(41)}, {"building": _id(32), "floor_number": 3}))),
        )
    )  # fmt: skip
    base = {"v": 1, "tag": "0" * 16}
    text = {
        "op_id": _id(99), "kind": "command", "name": name, "type": record_type, "id": record_id, "base": base, "form_version": 1,
        "arguments": arguments, "others": {one: {"base": base, "was": {}} for one in records if one != record_id},
    }  # fmt: skip
    steps = expand(operation_of(text), records, TODAY, forms).steps
    return {
        "name": name,
        "id": record_id,
        "arguments": arguments,
        "records": {one: {"type": record.type, "fields": record.fields} for one, record in records.items()},
        "steps": {one: {"type": step.type, "kind": step.kind, "set": step.set} for one, step in steps.items()},
    }


def _record(record_id: str, record_type: str, fields: dict[str, Any]) -> Record:
    return Record(record_id, record_type, 1, "0" * 16, "live", "", None, None, dict(fields), {}, [], {}, 1, "", 0)
