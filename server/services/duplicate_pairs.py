"""Which two persons are probably one: pairs that share a document, a name, a day of birth, a phone, a door or the tail of a document.

Pure: it looks at what the search index holds and says how much speaks for a pair. Whoever decides, decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

ENOUGH = 60
"""Points from which on a pair is shown."""

POINTS: Mapping[str, int] = {
    "same_document": 140, "same_name": 30, "same_sound": 20, "one_character": 10, "same_birth": 30, "same_phone": 20, "same_door": 15,
    "same_tail": 35, "birth_slip": 15, "tail_slip": 10, "other_birth": -40, "other_sex": -30, "other_tail": -60,
}  # fmt: skip
"""What speaks for a pair and what against it. One document in two records is shown whatever else differs."""

REASONS: Mapping[str, tuple[str, str]] = {
    "same_document": ("证件号码完全相同", "Same document number"),
    "same_name": ("姓名相同", "Same name"),
    "same_sound": ("姓名同音", "Names that sound alike"),
    "one_character": ("姓名差一字", "Names that differ in one character"),
    "same_birth": ("出生日期相同", "Same day of birth"),
    "same_phone": ("电话相同", "Same phone"),
    "same_door": ("住在同一房屋", "Same door"),
    "same_tail": ("证件尾号相同", "Same tail of the document"),
    "birth_slip": ("出生日期像是写错一处", "Days of birth that look like one slip of the pen"),
    "tail_slip": ("证件尾号像是写错一处", "Tails of the document that look like one slip of the pen"),
    "other_birth": ("出生日期不同", "Another day of birth"),
    "other_sex": ("性别不同", "Another sex"),
    "other_tail": ("证件尾号不同", "Another tail of the document"),
}
"""Reasons in words."""

_MOST_IN_A_BLOCK = 60  # a block of more is no evidence: a phone that half a dormitory has given


@dataclass(frozen=True, slots=True)
class Known:
    """What is compared of a person; empty where nothing is known. ``sounds`` are full spellings of the whole name.

    ``document`` is the same for two whose whole document number is the same, and says nothing else of it.
    """

    id: str
    name: str
    sounds: frozenset[str] = frozenset()
    birth: str | None = None
    sex: str | None = None
    phones: frozenset[str] = frozenset()
    door: str | None = None
    tail: str | None = None
    document: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two persons, the smaller id first, with the points for them being one and every reason."""

    first: str
    second: str
    score: int
    reasons: tuple[str, ...]


def likely_pairs(people: Iterable[Known]) -> list[Pair]:
    """Pairs with enough points, the most likely first, then by id."""
    blocks: dict[tuple[str, ...], list[Known]] = defaultdict(list)
    for one in people:
        for key in _keys(one):
            blocks[key].append(one)
    seen: set[tuple[str, str]] = set()
    pairs = []
    for block in blocks.values():
        if not 2 <= len(block) <= _MOST_IN_A_BLOCK:
            continue
        for left, right in combinations(block, 2):
            first, second = (left, right) if left.id < right.id else (right, left)
            if (first.id, second.id) in seen or first.id == second.id:
                continue
            seen.add((first.id, second.id))
            reasons = reasons_of(first, second)
            score = sum(POINTS[reason] for reason in reasons)
            if score >= ENOUGH:
                pairs.append(Pair(first.id, second.id, score, reasons))
    return sorted(pairs, key=lambda pair: (-pair.score, pair.first, pair.second))


def _keys(one: Known) -> Iterable[tuple[str, ...]]:
    """What a person is looked up by: any pair with enough points has one of these in common."""
    if one.document:
        yield "document", one.document
    if one.birth:
        yield "name birth", one.name, one.birth
        if one.door:
            yield "birth door", one.birth, one.door
        if one.tail:
            yield "birth tail", one.birth, one.tail
        for phone in one.phones:
            yield "birth phone", one.birth, phone
        for sound in one.sounds:
            yield "sound birth", sound, one.birth
    if one.tail:
        yield "tail", one.tail
        yield "name tail", one.name, one.tail
        for sound in one.sounds:
            yield "sound tail", sound, one.tail
        for phone in one.phones:
            yield "tail phone", one.tail, phone
        if one.door:
            yield "tail door", one.tail, one.door
    for phone in one.phones:
        yield "name phone", one.name, phone
        for sound in one.sounds:
            yield "sound phone", sound, phone
        if one.door:
            yield "phone door", phone, one.door
    if one.door:
        yield "name door", one.name, one.door
        for sound in one.sounds:
            yield "sound door", sound, one.door


def reasons_of(first: Known, second: Known) -> tuple[str, ...]:
    """Everything that speaks for or against two persons being one, in the order of `POINTS`."""
    found = set()
    if first.name == second.name:
        found.add("same_name")
    elif first.sounds & second.sounds:
        found.add("same_sound")
    elif len(first.name) == len(second.name) > 1 and sum(a != b for a, b in zip(first.name, second.name, strict=True)) == 1:
        found.add("one_character")
    for name, mine, other in (
        ("birth", first.birth, second.birth), ("sex", first.sex, second.sex), ("tail", first.tail, second.tail)
    ):  # fmt: skip
        if mine and other:
            slip = mine != other and name != "sex" and is_slip(mine, other)
            # Twins have neighbouring numbers, so a mistyped one is taken for a slip only where the names agree.
            slip = slip or (name == "tail" and bool(found & {"same_name", "same_sound"}) and _is_other_serial(mine, other))
            found.add(f"same_{name}" if mine == other else f"{name}_slip" if slip else f"other_{name}")
    if first.document and first.document == second.document:
        found -= {"same_tail"}
        found.add("same_document")
    if first.phones & second.phones:
        found.add("same_phone")
    if first.door and first.door == second.door:
        found.add("same_door")
    return tuple(reason for reason in POINTS if reason in found)


def is_slip(mine: str, other: str) -> bool:
    """Whether two rows of digits differ as by one slip: one digit is another, two neighbours or day and month changed places."""
    left, right = mine.replace("-", ""), other.replace("-", "")
    if len(left) != len(right):
        return False
    places = [place for place, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
    if len(places) == 1:
        return True
    if len(left) == 8 and left[:4] == right[:4] and left[4:6] == right[6:] and left[6:] == right[4:6]:
        return True
    first, last = places[0], places[-1]
    return len(places) == 2 and last == first + 1 and left[first] == right[last] and left[last] == right[first]


def _is_other_serial(mine: str, other: str) -> bool:
    """Whether two tails of resident numbers differ in one digit of the serial, and so in the check digit behind it (GB 11643)."""
    return len(mine) == len(other) == 4 and sum(a != b for a, b in zip(mine[:3], other[:3], strict=True)) == 1
