"""The lists of docs/glossary.md that follow from the program: record types, fields, units, rosters, code lists, roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from forms.definition import POLICIES
from forms.derived import DERIVED
from forms.registry import Registry, load_registry
from server.permissions import DUTIES, ROLES
from sync.device.words import OUTCOME_WORDS, REASON_WORDS
from sync.outcome import OUTCOMES

_POLICY_MEANING = {
    "last": ("后到为准", "The later arrival stands; the value that it covered is listed, closed at birth."),
    "keep": ("先到为准", "The value that stands stays; the newcomer is listed, closed at birth."),
    "review": ("人工核定", "The value that stands stays until a person has decided."),
    "max": ("取大", "The greater value stands."),
    "min": ("取小", "The lesser value stands."),
    "union": ("并集", "Elements are added and removed one by one; both people's changes go in."),
    "append": ("续写", "What was added behind goes behind what stands; both texts are kept."),
    "add": ("累加", "Movements are summed, once per operation."),
}


def parts() -> Mapping[str, str]:
    """Every written part of the glossary."""
    registry = load_registry()
    return {
        "record-types": _lines(_record_types(registry)),
        "fields": _lines(_fields(registry)),
        "units": _lines(_units(registry)),
        "rosters": _lines(_rosters(registry)),
        "codelists": _lines(_codelists(registry)),
        "roles": _lines(_roles()),
        "outcomes": _lines(_outcomes()),
        "policies": _lines(_policies()),
    }


def _lines(rows: Iterable[str]) -> str:
    return "\n".join(rows)


def _table(head: Sequence[str]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)


def _record_types(registry: Registry) -> Iterator[str]:
    yield from _table(("中文", "Identifier", "English", "Written by"))
    for name in registry.types():
        form = registry.latest(name)
        writer = "the server" if form.server_made else "people"
        yield f"| {form.label['zh']} | `{name}` | {form.label['en']} | {writer} |"


def _fields(registry: Registry) -> Iterator[str]:
    """One row per identifier and label, with the record types that have it."""
    used: dict[tuple[str, str, str], list[str]] = {}
    for name in registry.types():
        for spec in registry.latest(name).fields.values():
            used.setdefault((spec.name, spec.label["zh"], spec.label["en"]), []).append(name)
    yield from _table(("中文", "Identifier", "English", "In"))
    for (field, zh, en), types in sorted(used.items()):
        yield f"| {zh} | `{field}` | {en} | {', '.join(types)} |"


def _units(registry: Registry) -> Iterator[str]:
    yield from _table(("中文", "Identifier", "In", "Fields that are one fact", "Policy"))
    for name in registry.types():
        for unit in registry.latest(name).units.values():
            if len(unit.fields) == 1 and unit.name == unit.fields[0]:
                continue
            label = unit.label["zh"] if unit.label else ""
            policy = unit.policy + (", exclusive" if unit.exclusive else "")
            fields = ", ".join(f"`{field}`" for field in unit.fields)
            yield f"| {label} | `{unit.name}` | {name} | {fields} | {policy} |"


def _rosters(registry: Registry) -> Iterator[str]:
    yield from _table(("中文", "Identifier", "English", "One line for each"))
    for name, roster in sorted(registry.rosters().items()):
        yield f"| {roster.label['zh']} | `{name}` | {roster.label['en']} | `{roster.base}` |"
    yield ""
    yield "Columns that are derived and never asked: " + ", ".join(f"`{name}`" for name in sorted(DERIVED)) + "."


def _codelists(registry: Registry) -> Iterator[str]:
    yield from _table(("中文", "Identifier", "English", "Codes"))
    for name, found in sorted(registry.codelists().items()):
        yield f"| {found.label['zh']} | `{name}` | {found.label['en']} | {len(found.entries)} |"


def _roles() -> Iterator[str]:
    yield from _table(("中文", "Identifier", "What it is"))
    for name, label in ROLES.items():
        yield f"| {label} | `{name}` | role |"
    for name, label in DUTIES.items():
        yield f"| {label} | `{name}` | duty of a grid worker in a cell |"


def _outcomes() -> Iterator[str]:
    yield from _table(("手机上的说法", "Identifier", "What it says"))
    for name in OUTCOMES:
        zh, en = OUTCOME_WORDS[name]
        yield f"| {zh} | `{name}` | {en} |"
    for name, (zh, en) in REASON_WORDS.items():
        yield f"| {zh} | `{name}` | reason: {en} |"


def _policies() -> Iterator[str]:
    yield from _table(("中文", "Identifier", "Meaning"))
    for name in POLICIES:
        zh, en = _POLICY_MEANING[name]
        yield f"| {zh} | `{name}` | {en} |"
