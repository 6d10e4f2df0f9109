"""From the headings of somebody's table to our fields: guessed from labels and from the words that communities use."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forms.registry import Registry

TYPES = ("person", "household", "dwelling")
"""Record types that a row of a table of persons may hold values of."""

PLACE = ("place.estate", "place.building", "place.entrance", "place.door", "place.address")
EXTRA = (*PLACE, "household.number", "household.head_name")
"""Targets that are no fields: they lead to records that are there."""

_UNFIT = frozenset({"ref", "location", "datetime"})
_BRACKETS = re.compile(r"[（(\[【].*?[)）\]】]")
_SPACES = re.compile(r"[\s*＊:：]+")


def targets(registry: Registry) -> dict[str, Mapping[str, str]]:
    """Everything that a column may hold: target → labels. Fields that point to other records are left out."""
    words: dict[str, Mapping[str, str]] = {
        "place.estate": {"zh": "小区", "en": "Estate"},
        "place.building": {"zh": "楼栋", "en": "Building"},
        "place.entrance": {"zh": "单元", "en": "Entrance"},
        "place.door": {"zh": "门牌号", "en": "Door"},
        "place.address": {"zh": "地址（整行）", "en": "Address in one line"},
        "household.number": {"zh": "户号", "en": "Household number"},
        "household.head_name": {"zh": "户主姓名", "en": "Name of the head"},
    }
    for kind in TYPES:
        for name, spec in registry.latest(kind).fields.items():
            if spec.type not in _UNFIT and f"{kind}.{name}" not in ("dwelling.door_number", "household.household_number"):
                words[f"{kind}.{name}"] = spec.label
    return words


def guess_columns(headings: Sequence[str], registry: Registry) -> list[str | None]:
    """The target of each heading, None where none is known; no target twice (the first heading has it).

    Words in brackets, spaces, colons and stars do not count: ``*身份证号（18位）`` is ``身份证号``.
    """
    known = _known(registry)
    found: list[str | None] = []
    for heading in headings:
        target = known.get(plain_heading(heading))
        found.append(target if target not in found else None)
    return found


def plain_heading(text: str) -> str:
    """The heading as it is compared."""
    text = unicodedata.normalize("NFKC", text)
    return _SPACES.sub("", _BRACKETS.sub("", text)).casefold()


@lru_cache(maxsize=32)
def _known(registry: Registry) -> Mapping[str, str]:
    known: dict[str, str] = {}
    for target, labels in targets(registry).items():
        for label in labels.values():
            known.setdefault(plain_heading(label), target)
    # The words of communities win: 地址 is where somebody lives, whatever a label says.
    for target, words in sheet_words()["columns"].items():
        for word in words:
            known[plain_heading(word)] = target
    return known


@lru_cache(maxsize=1)
def sheet_words() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """``columns``: headings by target; ``words``: what people write for a code, by target."""
    loaded: Mapping[str, Mapping[str, Mapping[str, str]]] = json.loads(
        (Path(__file__).parent / "sheets" / "columns.json").read_text("utf-8")
    )
    return loaded
