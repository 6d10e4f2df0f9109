"""What the server makes of a change: closed residence episodes and reference cards (S24), findings (S7).

They are effects of the operation that caused them: its op_id is in their tags; no client may write them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any

from forms.calculation import checked
from forms.definition import RecordType
from forms.expressions import fields_used
from forms.findings import CALCULATION, RETIRED_CODE, findings
from sync.digest import ZERO_TAG, made_id, version_tag
from sync.memory import UNPLACED, Found, Memory, Version, Writer
from sync.operation import Fields, Operation
from sync.outcome import MOVED
from sync.placing import move
from sync.record import Record, by_unit, unit_fields

CARD = "reference_card"
EPISODE = "residence"
REFERENCE = "reference"
REFERENCE_STREAM = "~reference"
_CARD_FIELDS = ("name", "residence_household")
_OF_REGISTRATION = {
    "dwelling": "registration_dwelling",
    "address_text": "registration_address_text",
    "resident_from": "registered_from",
}
CARD_CAUSES = frozenset({*_CARD_FIELDS, "registration_dwelling"})
"""A change of these fields of a person, of its life or of its home can change its reference card."""


def keep_findings(form: RecordType, record: Record, memory: Memory, changed: set[str] | None = None) -> None:
    """Findings of a written record (S7): raised where a constraint fails, closed where it holds again.

    Only what reads a ``changed`` field is looked at (None: everything, for a new record). What reads a secret that was
    not opened is left as it is.
    """
    rules = finding_rules(form) if changed is None else _rules_reading(form, frozenset(changed), record.secret_open)
    if not rules:
        return
    broken = findings(form, record.fields, date.fromisoformat(memory.today), changed)
    if changed is None and not broken:
        return
    found = {_key(one.name, one.fields) for one in broken}
    if changed is None:
        memory.findings += [Found(*key, record.id, fields) for key, fields, _ in rules if key in found]
        return
    memory.findings += [Found(*key, record.id, fields, key in found) for key, fields, _ in rules]


def _key(name: str, fields: tuple[str, ...]) -> tuple[str, str]:
    """(kind, name) of a finding: one per constraint, and for retired codes one per field."""
    return (RETIRED_CODE, fields[0]) if name == RETIRED_CODE else ("constraint", name)


_Rule = tuple[tuple[str, str], tuple[str, ...], frozenset[str]]


@lru_cache(maxsize=1024)
def _rules_reading(form: RecordType, changed: frozenset[str], secret_open: bool) -> tuple[_Rule, ...]:
    """Those of `finding_rules` that read one of these fields, and no secret one unless those were opened."""
    hidden = frozenset() if secret_open else frozenset(form.secret_fields)
    return tuple(one for one in finding_rules(form) if not one[2].isdisjoint(changed) and one[2].isdisjoint(hidden))


@cache
def finding_rules(form: RecordType) -> tuple[_Rule, ...]:
    """What can be found about a record of this type: ((kind, name), fields shown, fields read)."""
    rules = [(_key(rule.name, rule.fields), rule.fields, fields_used(dict(rule.tree))) for rule in form.constraints]
    rules += [
        ((RETIRED_CODE, spec.name), (spec.name,), frozenset({spec.name}))
        for spec in form.fields.values()
        if spec.codes is not None and spec.codes.retired
    ]
    rules += [(_key(f"{one.spec.name}{CALCULATION}", ()), (one.spec.name,), one.leans_on | {one.spec.name}) for one in checked(form)]
    return tuple(rules)


@cache
def judged_with_secrets(form: RecordType) -> frozenset[str]:
    """The fields whose change must open the secret ones: those of their units, and those that a finding reads with them."""
    secret = frozenset(form.secret_fields)
    found = {name for one in secret for name in unit_fields(form, form.unit_of_field(one))}
    for _, _, reads in finding_rules(form):
        if not reads.isdisjoint(secret):
            found |= reads
    return frozenset(found)


def moved_persons(memory: Memory, start: int) -> list[Record]:
    """Persons whose card may change by the moves from index ``start`` on: they, their card or their dwelling moved."""
    found: dict[str, Record] = {}
    dwellings: set[str] = set()
    for one in memory.moves[start:]:
        record = memory.records[one.record_id]
        if record.type == CARD:
            owner = memory.records.get(str(record.fields.get("person")))
            if owner is not None:
                found[owner.id] = owner
        elif record.type == "person":
            found[record.id] = record
        elif record.type == "dwelling":
            dwellings.add(record.id)
    if dwellings:
        found.update(
            (record.id, record)
            for record in memory.records.values()
            if record.type == "person" and record.fields.get("registration_dwelling") in dwellings
        )
    return list(found.values())


def keep_card(person: Record, operation: Operation, n: int, writer: Writer, memory: Memory) -> None:
    """Make, change or take away the card of a person who is registered in another cell than the one they live in."""
    dwelling = memory.records.get(str(person.fields.get("registration_dwelling")))
    wanted: Fields | None = None
    moved = person.life == MOVED  # lives in another community, and stays known where they are registered
    here = person.home if not moved else None
    if dwelling is not None and (moved or person.life == "live") and dwelling.home not in (here, UNPLACED):
        wanted = {name: person.fields[name] for name in _CARD_FIELDS if name in person.fields}
        wanted |= {
            "person": person.id,
            "reason": "registered_here",
            "registration_dwelling": dwelling.id,
            "home_cell": person.home.removeprefix("cell/"),
        }
    card_id = made_id("card", person.id)
    card = memory.records.get(card_id)
    if moved and wanted is not None:
        if card is not None and card.life != "live" and person.id not in memory.left:
            return  # taken away since, by what happened where they live
        if card is not None and person.id not in memory.left:  # what is said of them there counts, not what stood here last
            wanted |= {name: card.fields.get(name) for name in (*_CARD_FIELDS, "home_cell")}
        wanted = {name: value for name, value in {**wanted, "home_cell": memory.gone.get(person.id, wanted["home_cell"])}.items() if value is not None}
    if card is None:
        if wanted is not None:
            _make(card_id, CARD, person.id, wanted, dwelling.home if dwelling else UNPLACED, operation, n, writer, memory)
            memory.records[card_id].place_parent = dwelling.id if dwelling else None
            memory.records[card_id].dedicated = dwelling.dedicated if dwelling else None
            if dwelling is not None:
                memory.children.setdefault(dwelling.id, set()).add(card_id)
        return
    if wanted is None:
        if card.life == "live":
            _change(card, card.fields, "deleted", operation, n, writer, memory)
        return
    if card.life != "live" or card.fields != wanted:
        _change(card, wanted, "live", operation, n, writer, memory)
    if dwelling is not None:
        if card.place_parent not in (None, dwelling.id):
            memory.children.get(str(card.place_parent), set()).discard(card_id)
        card.place_parent = dwelling.id
        memory.children.setdefault(dwelling.id, set()).add(card_id)
        move(card, dwelling.home, memory, "moved", dwelling.dedicated)


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a command tells of those who leave: why, and when. ``moved_from`` is the dwelling that their household has left."""

    reason: str | None
    on: str
    moved_from: str | None = None


def episodes_of(
    person: Record,
    old: Fields,
    changed: set[str],
    operation: Operation,
    n: int,
    writer: Writer,
    memory: Memory,
    told: Leaving | None = None,
) -> None:
    """Close what ended: a ``residence`` record of the household or the registration that a person has left.

    It ends on the day that a command tells, or when the new one begins where the operation says so, else today.
    """
    left = old.get("residence_household")
    moved_from = told.moved_from if told is not None and "resident_from" in changed else None
    if left is not None and (left != person.fields.get("residence_household") or moved_from is not None):
        fields: Fields = {"kind": "residence", "household": left}
        fields |= {name: old[name] for name in ("relation_to_head", "resident_from", "joined_reason") if name in old}
        household = memory.records.get(str(left))
        if moved_from is not None or (household is not None and "dwelling" in household.fields):
            fields["dwelling"] = moved_from or (household.fields["dwelling"] if household is not None else None)
        if told is not None:
            fields |= {"resident_to": told.on} | ({"left_reason": told.reason} if told.reason else {})
        _close_episode(EPISODE, fields, "resident_from", person, changed, operation, n, writer, memory)
    leaving = "registration_address_text" if old.get("registration_dwelling") is None else "registration_dwelling"
    if old.get(leaving) is not None and old[leaving] != person.fields.get(leaving):
        fields = {"kind": "registration"}
        fields |= {own: old[name] for own, name in _OF_REGISTRATION.items() if name in old}
        _close_episode("registration", fields, "registered_from", person, changed, operation, n, writer, memory)


def _close_episode(
    kind: str,
    fields: Fields,
    begins: str,
    person: Record,
    changed: set[str],
    operation: Operation,
    n: int,
    writer: Writer,
    memory: Memory,
) -> None:
    until = person.fields.get(begins) if begins in changed else None
    fields = {"resident_to": until or memory.today} | fields | {"person": person.id}
    episode_id = made_id(kind, person.id, operation.op_id)
    if episode_id not in memory.records:
        _make(episode_id, EPISODE, person.id, fields, person.home, operation, n, writer, memory)
        memory.records[episode_id].place_parent = person.id
        memory.records[episode_id].dedicated = person.dedicated
        memory.children.setdefault(person.id, set()).add(episode_id)


def keep_reference(name: str, content_hash: str, operation: Operation, n: int, writer: Writer, memory: Memory) -> None:
    """Say in the reference stream that ``edition`` or ``forms`` has other content now; nothing when it has not."""
    record_id = made_id(REFERENCE, name)
    fields: Fields = {"name": name, "content_hash": content_hash}
    record = memory.records.get(record_id)
    if record is None:
        _make(record_id, REFERENCE, None, fields, REFERENCE_STREAM, operation, n, writer, memory)
    elif record.fields != fields:
        _change(record, fields, "live", operation, n, writer, memory)


def _make(
    record_id: str,
    record_type: str,
    subject_id: str | None,
    fields: Fields,
    home: str,
    operation: Operation,
    n: int,
    writer: Writer,
    memory: Memory,
) -> None:
    form = memory.forms(record_type)
    units = tuple(sorted(by_unit(form, fields)))
    tag = version_tag(ZERO_TAG, operation.op_id, units)
    record = Record(
        id=record_id,
        type=record_type,
        v=1,
        tag=tag,
        life="live",
        home=home,
        place_parent=None,
        subject_id=subject_id,
        fields=fields,
        stamps={},
        open_units=[],
        confirmed={},
        form_version=form.version,
        created_install=writer.install_id,
        created_n=n,
    )
    memory.add(record)
    memory.wrote(
        Version(record_id, 1, tag, operation.op_id, writer.install_id, n, units, {}, {}, "live", subject_id)
    )


def change_fields(
    record: Record, fields: Fields, operation: Operation, n: int, writer: Writer, memory: Memory
) -> None:
    """Give a record other fields as an effect of what the server does: one new version, and nothing when they are equal."""
    if record.fields != fields:
        _change(record, fields, record.life, operation, n, writer, memory)


def _change(
    record: Record, fields: Fields, life: str, operation: Operation, n: int, writer: Writer, memory: Memory
) -> None:
    form = memory.forms(record.type)
    memory.touch(record)
    names = set(fields) | set(record.fields)
    changed: dict[str, Any] = {name: record.fields.get(name) for name in names if record.fields.get(name) != fields.get(name)}
    grouped = by_unit(form, changed)
    units = tuple(sorted(grouped))
    record.v += 1
    record.tag = version_tag(record.tag, operation.op_id, units)
    record.fields = dict(fields)
    for unit in units:
        record.stamps[unit] = (record.v, writer.install_id, n)
    new_life = life if life != record.life else None
    record.life = life
    memory.wrote(
        Version(
            record.id,
            record.v,
            record.tag,
            operation.op_id,
            writer.install_id,
            n,
            units,
            grouped,
            {},
            new_life,
            record.subject_id,
            tuple(record.open_units),
        )
    )

