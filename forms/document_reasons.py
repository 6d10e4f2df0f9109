"""Why units merge as they do and fields are as private as they are: a chapter of docs/forms.md, filled from the definitions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from forms.definition import FieldSpec, RecordType, UnitSpec
from forms.registry import Registry

_STATED = Path(__file__).parent / "reasons.json"
_POLICIES = {
    "append": "Notes and reports of several people: both texts stand, nobody's words push out another's.",
    "union": "Sets that several people fill: each element is added or removed by itself, so that two phones never undo each other.",
    "add": "A stock that is moved by amounts: both movements count, whoever arrives first.",
    "max": "Only ever rises: the greater is the later truth.",
    "min": "Only ever falls: the smaller is the later truth.",
    "keep": "Said once, when it was found or granted: what came first is evidence, and stays.",
    "made": "Written by the server alone, out of what was decided: nobody's answer meets it.",
    "last": "Plain facts that change, or are seen anew at the door: the later arrival is as good as the earlier, and what it took the place of is kept as a visible conflict.",
}
_REVIEW = {
    "relation": "A relation that somebody can have once only: two answers send a person to two doors, so somebody who knows decides.",
    "place": "Where something stands decides its cell, and with it who sees it and who answers for it: never moved by the later of two phones.",
    "identity": "What tells people and bodies apart, or that somebody lives: a wrong value merges two persons or ends one.",
    "progress": "A state with its dates, reached step by step: a late phone must not set finished work back, nor a deadline forward.",
    "duty": "Who is responsible, how grave, how urgent, since when: others act upon it at once, so two answers are decided, not overwritten.",
    "right": "What somebody owns or may use, and from when to when: a paper says so, so two answers are held against it.",
    "deed": "What was done or counted, and when: it is relied upon afterwards, so two answers are decided.",
}  # fmt: skip
_PRIVACY = {
    "public": "Places, their names and numbers, and what is written on the door: on maps and in exports for anybody.",
    "internal": "About places, work and bodies, not about a person: staff and planners; no line in the audit log for each look.",
    "personal": "About somebody, or leading to somebody (who lives where, phones, notes, photos): only people who work with people, every look written down; "
    "left out of the planner's files.",
    "secret": "Opens doors elsewhere when it leaks: sealed at rest, found by a keyed hash, shown masked; in full only with a purpose.",
}  # fmt: skip
_CLOSENESS = {
    "door": "public: stands on the door or the map anyway.",
    "work": "internal: about places, work and bodies.",
    "contact": "personal: reaches somebody, and is asked for by those who sell and cheat.",
    "lead": "personal: leads to somebody or to their door.",
    "picture": "personal: a photo shows more than was meant; it is sealed, and where it was taken is left out.",
    "name": "personal: names somebody, on record or not.",
    "number": "personal: leads into another register, where somebody stands under this number.",
    "words": "personal: free words may name somebody, whatever the question was.",
    "person": "personal: says something about one person.",
    "key": "secret: opens doors elsewhere.",
}


def reasons(registry: Registry) -> Iterator[str]:
    """The chapter, line by line. Every unit of every type stands in one row of the first table, every field in one of the second."""
    yield "## Why these policies and classes"
    yield ""
    yield "The column *Why* of every field names two of these: why its unit merges so, and why it is as private as it is."
    yield ""
    yield "| Why | Of merging | | Why | Of privacy |"
    yield "|---|---|---|---|---|"
    merging, closeness = [*_POLICIES.items(), *_REVIEW.items()], list(_CLOSENESS.items())
    for at, (word, told) in enumerate(merging):
        other = closeness[at] if at < len(closeness) else ("", "")
        yield f"| {word} | {told} | | {other[0]} | {other[1]} |"
    yield ""
    units: dict[tuple[str, str], list[str]] = defaultdict(list)
    fields: dict[str, list[str]] = defaultdict(list)
    for name in registry.types():
        record_type = registry.latest(name)
        for unit in record_type.units.values():
            units[unit.policy, _why(record_type, unit)].append(f"{name}.{unit.name}")
        for spec in record_type.fields.values():
            fields[spec.privacy].append(f"{name}.{spec.name}")
    yield "| Policy | Why | Units |"
    yield "|---|---|---|"
    for (policy, why), names in sorted(units.items()):
        told = f"all others ({len(names)})" if policy == "last" and why == _POLICIES["last"] else ", ".join(f"`{one}`" for one in names)
        yield f"| {policy} | {why} | {told} |"
    yield ""
    yield "| Privacy | Why | Fields |"
    yield "|---|---|---|"
    for privacy, why in _PRIVACY.items():
        names = fields.get(privacy, [])
        yield f"| {privacy} | {why} | {', '.join(f'`{one}`' for one in names) if len(names) < 10 else len(names)} |"


def _why(record_type: RecordType, unit: UnitSpec) -> str:
    word = _merging(record_type, unit)
    return _POLICIES[word] if word in _POLICIES else _REVIEW[word]


def _merging(record_type: RecordType, unit: UnitSpec) -> str:
    if record_type.server_made:
        return "made"
    return unit.policy if unit.policy != "review" else stated()["merging"][record_type.name][unit.name]


def why_of(record_type: RecordType, spec: FieldSpec) -> str:
    """Why a field merges as it does and is as private as it is: two words that this chapter explains, as ``duty · person``."""
    return f"{_merging(record_type, record_type.units[spec.unit])} · {_closeness(record_type, spec)}"


def _closeness(record_type: RecordType, spec: FieldSpec) -> str:
    if spec.privacy != "personal":
        return {"public": "door", "internal": "work", "secret": "key"}[spec.privacy]
    return stated()["privacy"][record_type.name][spec.name]


@cache
def stated() -> dict[str, dict[str, dict[str, str]]]:
    """What forms/reasons.json says: ``merging`` by type and unit, ``privacy`` by type and field."""
    told: dict[str, dict[str, dict[str, str]]] = json.loads(_STATED.read_text(encoding="utf-8"))
    return told
