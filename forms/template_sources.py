"""What a table template may ask for: rosters and cells, their columns, and the words that people use for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forms.codelist import CodeList
from forms.definition import FieldType, Labels, Privacy
from forms.dwelling_facts import DERIVED_CODES

if TYPE_CHECKING:
    from forms.registry import Registry
    from forms.roster import Roster

CELLS = "cells"
"""The source that is no roster: one row for each cell, with its figures of the baseline."""

_FIGURES: tuple[tuple[str, FieldType, str, str], ...] = (
    ("code", "text", "编码", "Code"),
    ("name", "text", "名称", "Name"),
    ("area_m2", "decimal", "面积（平方米）", "Area (m²)"),
    ("estate", "integer", "小区数", "Estates"),
    ("building", "integer", "楼栋数", "Buildings"),
    ("dwelling", "integer", "房屋数", "Dwellings"),
    ("household", "integer", "户数", "Households"),
    ("person", "integer", "人员数", "Persons"),
    ("resident_person", "integer", "常住人数", "Resident persons"),
    ("party_member", "integer", "党员数", "Party members"),
    ("organization", "integer", "单位数", "Organizations"),
    ("resource", "integer", "资源数", "Resources"),
    ("expected_dwellings", "integer", "应采房屋数", "Expected dwellings"),
    ("surveyed_dwellings", "integer", "已采房屋数", "Surveyed dwellings"),
    ("share", "decimal", "采集率", "Coverage"),
    ("median_days", "integer", "距上次确认天数", "Days since confirmed"),
    ("open_conflicts", "integer", "待核差异", "Open conflicts"),
)


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One column of a source. ``words`` maps every word for a code to the code; empty where the column has no codes."""

    name: str
    label: Labels
    type: FieldType
    privacy: Privacy
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """A roster, or the cells. ``columns`` by name; ``known`` maps every word for a column to its name."""

    name: str
    label: Labels
    columns: Mapping[str, SourceColumn]
    known: Mapping[str, str]


@lru_cache(maxsize=1)
def words() -> Mapping[str, Any]:
    """The words of templates, as data."""
    found: Mapping[str, Any] = json.loads(Path(__file__).with_name("template_words.json").read_text("utf-8"))
    return found


def plain_word(text: str) -> str:
    """A word as it is compared: case and spaces do not count."""
    return "".join(text.split()).casefold()


@lru_cache(maxsize=8)
def sources(registry: Registry) -> Mapping[str, Source]:
    """Every source by each of its names: its own, its labels, and what people call it."""
    found: dict[str, Source] = {}
    made = [_of_roster(registry.roster(name), registry) for name in registry.rosters()]
    for source in (*made, _cells()):
        for word in (source.name, *source.label.values(), *words()["sources"].get(source.name, ())):
            found.setdefault(plain_word(word), source)
    return found


def _of_roster(roster: Roster, registry: Registry) -> Source:
    columns = {}
    for column in roster.columns:
        codes = registry.codelist(column.codelist) if column.codelist else None
        names = _words_of(codes) if column.derived not in DERIVED_CODES else {
            plain_word(word): code for code, labels in DERIVED_CODES[column.derived].items() for word in (code, *labels)
        }  # fmt: skip
        columns[column.name] = SourceColumn(column.name, column.label, column.type, column.privacy, names)
    return Source(roster.name, roster.label, columns, _known(roster.name, columns))


def _cells() -> Source:
    columns = {
        name: SourceColumn(name, {"zh": zh, "en": en}, kind, "public", {}) for name, kind, zh, en in _FIGURES
    }
    return Source(CELLS, {"zh": "网格", "en": "Cells"}, columns, _known(CELLS, columns))


def _words_of(codes: CodeList | None) -> dict[str, str]:
    if codes is None:
        return {}
    found: dict[str, str] = {}
    for entry in codes.entries.values():
        for word in (entry.code, entry.zh, entry.en, entry.zh.removesuffix("族")):
            found.setdefault(plain_word(word), entry.code)
    return found


def _known(name: str, columns: Mapping[str, SourceColumn]) -> dict[str, str]:
    """Names win over labels, labels over what people say."""
    found = {plain_word(one): one for one in columns}
    for column in columns.values():
        for label in column.label.values():
            found.setdefault(plain_word(label), column.name)
    for one, said in words()["columns"].get(name, {}).items():
        for word in said:
            found.setdefault(plain_word(word), one)
    return found
