"""One box to find anything in a community: names and how they sound, addresses and doors, tails of phones and documents.

The index holds the whole community; what is given of it passes the cut of the store first, like every other answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from heapq import nsmallest
from typing import Any

from forms.derived import age_on
from forms.index import normalise_for_search
from server.errors import InputError, InvalidInput
from server.house import House
from server.permissions import Scope
from server.services.accounts import today
from server.services.find_column import Column
from server.services.find_index import FINDABLE, KINDS, CommunityIndex, Found, Shelf, index_of, refresh
from server.services.inbox import cells_by_home
from server.services.labels import PERSONAL, code_labels, field_label
from server.services.looks import Look, seen
from server.store import record_page, search
from server.store.database import read, stamp
from server.store.scoping import see_community

LONGEST_TEXT = 80
MOST_PER_TYPE = 50
_MOST_WORDS = 6
_WHOLE_NUMBER = 6
"""Characters from which on a word may be a whole number of something: it is looked up by its hash too."""

_MARKS = re.compile(r"(?<=\d)(?:号楼|幢|栋|座|单元|号|室|楼)(?=\d|\s|$)")
_DIGITS = re.compile(r"\d+x?")
_DOOR = re.compile(r"[\da-z]+(?:-[\da-z]+)+|\d+[a-z]?")
_LETTERS = re.compile(r"[a-z']+")

# How a word was found, the better way first; what is told of it.
_RANKS = {
    ("exact", ""): 0, ("name", "whole"): 0, ("name", "start"): 1, ("pinyin", "whole"): 1, ("name", "part"): 2,
    ("pinyin", "start"): 2, ("initials", "whole"): 2, ("initials", "start"): 3, ("own_door", "whole"): 1,
    ("phone", "end"): 3, ("tail", "end"): 3, ("number", "end"): 3, ("door", "whole"): 4, ("word", "part"): 4,
    ("line", "part"): 5,
}  # fmt: skip
_HOW = {
    "exact": "exact", "name": "part", "pinyin": "pinyin", "initials": "initials", "phone": "tail", "tail": "tail",
    "number": "tail", "door": "address", "word": "address", "line": "address", "own_door": "address",
}  # fmt: skip

Way = tuple[int, str, str]
"""(rank, how, field)."""


@dataclass(frozen=True, slots=True)
class Word:
    """One typed word, and the records that have it as a whole number, with the field: {record id: field}."""

    text: str
    exact: Mapping[str, str]


def words_of_text(text: str) -> list[str]:
    """The words of what was typed, as they are compared: ``3幢2单元501室`` is ``3-2-501``.

    Raises
    ------
    InvalidInput
        Nothing to look for, or too much of it.
    """
    plain = normalise_for_search(text)
    if not plain or len(text) > LONGEST_TEXT:
        raise InvalidInput(errors=[InputError("/text", "length", f"1 to {LONGEST_TEXT} characters are expected")])
    numbers = _MARKS.sub(lambda mark: "-" if plain[mark.end() : mark.end() + 1].isdigit() else "", plain)
    return numbers.split()[:_MOST_WORDS]


def find(
    house: House, scope: Scope, community_id: str, text: str, look: Look, *, limit: int = 8,
    kinds: Iterable[str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What fits every typed word, by type, the best first.

    Parameters
    ----------
    limit : rows of each type
    kinds : only these types; all but entrances when left out. Where households are asked for and persons are not, the name of
        its head finds a household, too

    Returns
    -------
    dict
        ``as_of`` and ``groups`` with ``type``, ``count``, ``more`` and ``rows``. A row has what the record is called, where it is,
        and by which fields it was found. Without personal fields in the scope only places are found.

    Raises
    ------
    OutsideScope, InvalidInput
    """
    see_community(scope, community_id)
    personal = scope.fields == "all"
    plain = words_of_text(text)
    asked = set(KINDS if kinds is None else kinds)
    wanted = [kind for kind in FINDABLE if kind in asked and scope.fields != "aggregate"]
    index = index_of(house, community_id)
    groups = []
    with index.gate:
        refresh(house, community_id, index)
        words = _words(house, community_id, plain)
        heads = "household" in wanted and "person" not in wanted
        hits = {kind: _hits(house, scope, index, kind, words, personal, by_head=heads and kind == "household") for kind in wanted}
        with read(house.engine) as connection:
            cells = cells_by_home(connection, community_id)
            for kind in wanted:
                group = _group(connection, house, scope, community_id, index, kind, hits[kind], limit, cells)
                if group["count"]:
                    groups.append(group)
    given = _searched(house, wanted) if personal else set()
    if personal and "household" in wanted:
        given |= {"person.name"}  # a household is told by its head's
    seen(house, look, scope, community_id, fields=given, count=sum(len(one["rows"]) for one in groups), where="find")
    return {"as_of": stamp(house.clock()), "groups": groups}


def _words(house: House, community_id: str, plain: list[str]) -> list[Word]:
    """The words, each with the records that have it as a whole number: a phone, a document, a code."""
    keys: dict[int, tuple[str, str]] = {}
    for word in plain:
        if len(word) < _WHOLE_NUMBER or not word.isascii():
            continue
        for field, form in _numbers(house).items():
            keys[house.keys.search_key(field, normalise_for_search(word, form))] = (word, field)
    exact: dict[str, dict[str, str]] = {word: {} for word in plain}
    if keys:
        with read(house.engine) as connection:
            for key, record_id in search.found_under(connection, community_id, list(keys)):
                word, field = keys[key]
                exact[word][record_id] = field
    return [Word(word, exact[word]) for word in plain]


def _numbers(house: House) -> dict[str, str | None]:
    """Indexed fields of the types that can be found which are numbers of some kind, with their format."""
    found: dict[str, str | None] = {}
    for kind in KINDS:
        form = house.registry.latest(kind)
        found |= {name: form.fields[name].format for name in form.indexed_fields if form.fields[name].format is not None}
    return found


def _searched(house: House, kinds: Iterable[str]) -> set[str]:
    """The personal fields that a search goes through."""
    from server.services.find_index import NAMED, NUMBERS, PHONES, TAILS

    return {
        f"{kind}.{name}"
        for kind in kinds
        for table in (NAMED, PHONES, TAILS, NUMBERS)
        for name in table.get(kind, ())
        if house.registry.latest(kind).fields[name].privacy in PERSONAL
    }


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that fits every word, with the best way of each; ``line`` is its address."""

    entry: Found
    line: str | None
    ways: list[Way]


def _hits(
    house: House, scope: Scope, index: CommunityIndex, kind: str, words: list[Word], personal: bool, *, by_head: bool = False
) -> list[Hit]:
    """The records of a type that fit every word, in the homes of the scope; ``by_head``: households by their head's name, too."""
    if not personal and kind in {"person", "household", "party_member"}:
        return []
    specs = house.registry.latest(kind).fields
    hidden = set() if personal else {name for name, spec in specs.items() if spec.privacy in PERSONAL}
    found = []
    for home in index.standing.get(kind, {}):
        if _is_open(scope, home):
            shelf = index.shelf(kind, home)
            beside = index.heads_in(home, lambda there: _is_open(scope, there)) if by_head else {}
            columns = {way: column for way, column in (shelf.columns | beside).items() if way[1] not in hidden}
            found += [Hit(shelf.entries[place], shelf.lines[place], ways) for place, ways in _on_shelf(shelf, columns, words, hidden).items()]
    return found


def _is_open(scope: Scope, home: str) -> bool:
    """Whether what stands in a home is within the scope."""
    return scope.streams is None or home in scope.streams


def _on_shelf(shelf: Shelf, columns: Mapping[tuple[str, str], Column], words: list[Word], hidden: set[str]) -> dict[int, list[Way]]:
    """Positions on a shelf that fit every word by these columns, with the best way of each word; hidden fields are not looked at."""
    found: dict[int, list[Way]] | None = None
    for word in words:
        mine: dict[int, Way] = {}
        for record_id, field in word.exact.items():
            place = shelf.place_of.get(record_id)
            if place is not None and field not in hidden:
                mine[place] = (0, "exact", field)
        for way, column in columns.items():
            for mode in _modes(way[0], word.text):
                rank = _RANKS[way[0], mode]
                for place in column.find(word.text.replace("'", "") if way[0] == "pinyin" else word.text, mode):
                    if place not in mine or mine[place][0] > rank:
                        mine[place] = (rank, "exact" if mode == "whole" and way[0] == "name" else _HOW[way[0]], way[1])
        found = {place: [way] for place, way in mine.items()} if found is None else {
            place: [*ways, mine[place]] for place, ways in found.items() if place in mine
        }  # fmt: skip
        if not found:
            return {}
    return found or {}


def _modes(way: str, word: str) -> tuple[Any, ...]:
    """How a word is compared with the texts of one way; not at all where it cannot be meant."""
    digits = _DIGITS.fullmatch(word) is not None
    if way == "name":
        return ("whole", "start", "part")
    if way in {"pinyin", "initials"}:
        return ("whole", "start") if _LETTERS.fullmatch(word) and (way == "pinyin" or len(word) > 1) else ()
    if way in {"phone", "number"}:
        return ("end",) if digits and len(word) >= 4 else ()
    if way == "tail":
        return ("end",) if digits and len(word) == 4 else ()
    if way in {"door", "own_door"}:
        return ("whole",) if _DOOR.fullmatch(word) else ()
    if way == "line" and _DOOR.fullmatch(word):
        return ()  # 3-2-501 is no part of 13-2-501
    return ("part",) if len(word) > 1 and not digits else ()


def _group(
    connection: Any, house: House, scope: Scope, community_id: str, index: CommunityIndex, kind: str,
    hits: list[Hit], limit: int, cells: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    form = house.registry.latest(kind)
    ordered = nsmallest(limit, hits, key=_order)
    visible = record_page.in_scope(connection, scope, community_id, [hit.entry.id for hit in ordered]) if ordered else set()
    rows = [
        {
            "id": hit.entry.id, "type": kind, "title": _title(scope, index, hit.entry), "v": hit.entry.v,
            "cell": cells.get(hit.entry.home), "subtitle": _subtitle(house, hit.entry, hit.line),
            "matched": [
                {"field": name, "how": how,
                 "label": {"zh": "地址", "en": "Address"} if name == "address" else field_label(form, name)}
                for _, how, name in dict.fromkeys(hit.ways)
            ],
        }
        for hit in ordered
        if hit.entry.id in visible
    ]  # fmt: skip
    return {"type": kind, "type_label": form.label, "count": len(hits), "more": len(hits) > len(rows), "rows": rows}


def _order(hit: Hit) -> tuple[Any, ...]:
    """The better found first, then by name as a dictionary of pinyin has it, then by address."""
    name = str(hit.entry.fields.get("name", "")).encode("gb18030", "surrogatepass")
    return sum(rank for rank, _, _ in hit.ways), name, hit.line or "", hit.entry.id


def _title(scope: Scope, index: CommunityIndex, entry: Found) -> str | None:
    if entry.type == "household":
        head = index.entries.get(str(entry.fields.get("head")))
        return str(head.fields["name"]) if head is not None and "name" in head.fields and _is_open(scope, head.home) else None
    for name in ("name", "door_number", "number", "address_text"):
        if entry.fields.get(name):
            return str(entry.fields[name])
    return None


def _subtitle(house: House, entry: Found, line: str | None) -> str | None:
    """What tells two of the same name apart: sex, age and address of a person, the kind and address of anything else."""
    parts: list[str] = []
    specs = house.registry.latest(entry.type).fields
    if entry.type == "person":
        sex = code_labels(specs["sex"].codes, entry.fields.get("sex"))
        age = age_on(entry.fields.get("birth_date"), date.fromisoformat(today(house)))
        parts += [sex] if sex else []
        parts += [f"{age}岁"] if age is not None and entry.fields.get("vital_status") != "deceased" else []
    elif "kind" in entry.fields and "kind" in specs:
        parts += [str(code_labels(specs["kind"].codes, entry.fields["kind"]))]
    return " · ".join([*parts, *([line] if line else [])]) or None
