"""Why units merge as they do and fields are as private as they are: a chapter of docs/forms.md, filled from the definitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from forms.definition import FieldSpec, RecordType, UnitSpec
from forms.registry import Registry

_POLICIES = {
    "append": "Notes and reports of several people: both texts stand, nobody's words push out another's.",
    "union": "Sets that several people fill: each element is added or removed by itself, so that two phones never undo each other.",
    "add": "A stock that is moved by amounts: both movements count, whoever arrives first.",
    "max": "Only ever rises: the greater is the later truth.",
    "min": "Only ever falls: the smaller is the later truth.",
    "keep": "Said once, when it was found or granted: what came first is evidence, and stays.",
    "last": "Plain facts that anybody sees at the door: the later arrival is as good as the earlier, and what it took the place of is kept as a visible conflict.",
}
_REVIEW = {
    "relation": "A relation that somebody can have once only: two answers send a person to two doors, so somebody who knows decides.",
    "place": "Where something stands decides its cell, and with it who sees it and who answers for it: never moved by the later of two phones.",
    "identity": "What tells people and bodies apart, or that somebody lives: a wrong value merges two persons or ends one.",
    "progress": "A state with its dates, reached step by step: a late phone must not set finished work back, nor a deadline forward.",
    "duty": "Who is responsible, how grave, how urgent, since when: others act upon it at once, so two answers are decided, not overwritten.",
}  # fmt: skip
_IDENTITY = frozenset({"identity_document", "birth", "vital", "credit_code", "household_number", "person", "holder", "requester", "who", "subject", "server", "served"})
_PROGRESS = frozenset({"progress", "due_on", "period", "work", "recheck", "arrival", "confirmed", "finding", "stock_take", "inspected_at", "served_on", "hours"})
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
    "words": "personal: free words may name somebody, whatever the question was.",
    "person": "personal: says something about one person.",
    "people": "personal: says something about the people behind a door or a name.",
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
        told = f"all others ({len(names)})" if policy == "last" else ", ".join(f"`{one}`" for one in names)
        yield f"| {policy} | {why} | {told} |"
    yield ""
    yield "| Privacy | Why | Fields |"
    yield "|---|---|---|"
    for privacy, why in _PRIVACY.items():
        names = fields.get(privacy, [])
        yield f"| {privacy} | {why} | {', '.join(f'`{one}`' for one in names) if len(names) < 10 else len(names)} |"


def _why(record_type: RecordType, unit: UnitSpec) -> str:
    return _POLICIES[unit.policy] if unit.policy != "review" else _REVIEW[_review(record_type, unit)]


def _review(record_type: RecordType, unit: UnitSpec) -> str:
    if unit.exclusive:
        return "relation"
    specs = [record_type.fields[name] for name in unit.fields]
    if any(spec.type == "location" or (spec.name in record_type.placed_by and spec.ref_type != "person") for spec in specs):
        return "place"
    if unit.name in _IDENTITY:
        return "identity"
    return "progress" if unit.name in _PROGRESS else "duty"


def why_of(record_type: RecordType, spec: FieldSpec) -> str:
    """Why a field merges as it does and is as private as it is: two words that this chapter explains, as ``duty · person``."""
    unit = record_type.units[spec.unit]
    merging = unit.policy if unit.policy != "review" else _review(record_type, unit)
    return f"{merging} · {_closeness(record_type, spec)}"


def _closeness(record_type: RecordType, spec: FieldSpec) -> str:
    if spec.privacy != "personal":
        return {"public": "door", "internal": "work", "secret": "key"}[spec.privacy]
    if spec.format == "photo":
        return "picture"
    if spec.format == "phone" or "contact" in spec.name or "phone" in spec.name:
        return "contact"
    if spec.type == "ref" or spec.type == "location" or "address" in spec.name or "division" in spec.name:
        return "lead"
    if spec.type in ("text", "text_set") and "name" not in spec.name:
        return "words"
    return "person" if record_type.subject is not None else "people"
