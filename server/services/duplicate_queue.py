"""The queue of probable duplicates: pairs side by side; they are merged by a command, or said to be two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from forms.index import index_entries
from server.errors import InputError, InvalidInput, NotFound
from server.house import House
from server.permissions import Actor, Scope
from server.services.accounts import today
from server.services.audit import line_of
from server.services.daily_figures import birthdays
from server.services.duplicate_pairs import REASONS, Known, Pair, likely_pairs
from server.services.find_index import CommunityIndex, Found, index_of, refresh
from server.services.handing import add_handed, matters
from server.services.inbox import cells_by_home
from server.services.labels import PERSONAL, field_label, form_of, shown, title_of, words_of
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.services.pinyin import spellings
from server.store import audit as audit_store
from server.store import duplicates as store
from server.store import record_page, rosters, search
from server.store.database import read, stamp, write
from server.store.handed import DUPLICATE, take_back
from server.store.scoping import UNPLACED
from server.store.sieve import LESS

KIND = "person"
_TAIL = ("tail", "document_number")


def duplicates(
    house: House, scope: Scope, community_id: str, look: Look, *, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Pairs of persons who are probably one, the most harmful first (`_harm`), then the most likely.

    Returns
    -------
    dict
        ``as_of``, ``count``, ``rows``, ``next``. A row has the ``harm``, the ``score``, the ``reasons`` in words, the two ``records`` and
        their ``fields`` side by side; secrets are masks.
    """
    use = f"inbox/duplicates/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    places = _places(house, scope, community_id, _pairs(house, scope, community_id))
    rest = [one for one in places if after is None or one[0] > after]
    page = rest[:limit]
    with read(house.engine) as connection:
        rows, personal = _rows(connection, house, scope, community_id, page)
        seen(house, look, scope, community_id, fields=personal, count=2 * len(rows), where="inbox=duplicates", record_type=KIND)
    return {
        "as_of": stamp(house.clock()),
        "count": len(places),
        "rows": rows,
        "next": make_cursor(house.keys, use, page[-1][0]) if len(rest) > limit else None,
    }


def count(house: House, scope: Scope, community_id: str) -> int:
    """How many pairs wait. Reads a community's people into memory where they are not yet, as the first search does."""
    return len(_pairs(house, scope, community_id))


def worst(house: House, scope: Scope, community_id: str) -> int:
    """The harm of the pair that the queue begins with (`_harm`); `LESS` where none waits."""
    places = _places(house, scope, community_id, _pairs(house, scope, community_id))
    return int(places[0][0][0]) if places else LESS


def _places(house: House, scope: Scope, community_id: str, pairs: Sequence[Pair]) -> list[tuple[list[Any], Pair]]:
    """Pairs with their places in the queue, in order: by harm, then by likeness, then by id."""
    day = today(house)
    _, very_old, _ = birthdays(date.fromisoformat(day))
    ids = {one for pair in pairs for one in (pair.first, pair.second)}
    index = index_of(house, community_id)
    with read(house.engine) as connection:
        cared = store.in_care(connection, scope, community_id, day)
    with index.gate:
        known = {one: entry for one in ids if (entry := index.entries.get(one)) is not None}
    return sorted(
        (([_harm(pair, known, cared, very_old), -pair.score, pair.first, pair.second], pair) for pair in pairs), key=lambda one: one[0]
    )


def _harm(pair: Pair, known: Mapping[str, Found], cared: Collection[str], very_old: str) -> int:
    """0 where one of the two is over 80 or in care: help goes astray between two records. 1 where both are living and in cells: figures
    count one person twice. Else `LESS`."""
    two = [known[one] for one in (pair.first, pair.second) if one in known]
    living = [one for one in two if one.fields.get("vital_status") != "deceased"]
    if any(one.id in cared or (one.fields.get("birth_date") or very_old + "~") <= very_old for one in living):
        return 0
    return 1 if len(living) == 2 and all(one.home != UNPLACED for one in living) else LESS


def _pairs(house: House, scope: Scope, community_id: str) -> list[Pair]:
    index = index_of(house, community_id)
    with read(house.engine) as connection:
        distinct = store.distinct_pairs(connection, community_id)
    with index.gate:
        refresh(house, community_id, index)
        if "pairs" not in index.derived:
            index.derived["pairs"] = likely_pairs(_people(index, _documents(house, community_id, index)))
        pairs = [pair for pair in index.derived["pairs"] if (pair.first, pair.second) not in distinct]
        if scope.streams is None:
            return pairs
        home = {pair_id: index.entries[pair_id].home for pair in pairs for pair_id in (pair.first, pair.second)}
    return [pair for pair in pairs if home[pair.first] in scope.streams and home[pair.second] in scope.streams]


def _documents(house: House, community_id: str, index: CommunityIndex) -> dict[str, str]:
    """Person → search key of the document number, of those who share it with somebody; numbers stay sealed.

    A key is a hash that does not say of what: one that two records with one tail share, and that none of their open values has, is of the number.
    """
    tails: dict[str, list[Found]] = defaultdict(list)
    for entry in index.of_type(KIND):
        for tail in entry.texts.get(_TAIL, ()):
            tails[tail].append(entry)
    alike = {entry.id: (tail, entry) for tail, entries in tails.items() if len(entries) > 1 for entry in entries}
    with read(house.engine) as connection:
        shared = search.shared(connection, community_id) if alike else {}
    found: dict[str, str] = {}
    for key, ids in shared.items():
        by_tail: dict[str, list[Found]] = defaultdict(list)
        for one in ids:
            if one in alike:
                tail, entry = alike[one]
                by_tail[tail].append(entry)
        for entries in by_tail.values():
            if len(entries) > 1 and key not in _open_keys(house, entries[0]):
                found |= {entry.id: str(key) for entry in entries}
    return found


def _open_keys(house: House, entry: Found) -> set[int]:
    form = form_of(house.registry, KIND, None)
    given = {name: list(texts) for (_, name), texts in entry.texts.items() if name not in form.secret_fields} | entry.fields
    return {house.keys.search_key(name, text) for name, text in index_entries(form, given)}


def _people(index: CommunityIndex, documents: Mapping[str, str]) -> list[Known]:
    people = []
    for entry in index.of_type(KIND):
        names = entry.texts.get(("name", "name"))
        if not names:
            continue
        household = index.up(entry.fields.get("residence_household"))
        tails = entry.texts.get(_TAIL, ())
        people.append(
            Known(
                entry.id, names[0], spellings(names[0]), entry.fields.get("birth_date"),
                entry.fields.get("sex"), frozenset(entry.texts.get(("phone", "phones"), ())),
                household.fields.get("dwelling") if household is not None else None, tails[0] if tails else None,
                documents.get(entry.id),
            )
        )  # fmt: skip
    return people


def _rows(
    connection: Any, house: House, scope: Scope, community_id: str, page: Sequence[tuple[list[Any], Pair]]
) -> tuple[list[dict[str, Any]], set[str]]:
    ids = sorted({one for _, pair in page for one in (pair.first, pair.second)})
    visible = record_page.in_scope(connection, scope, community_id, ids)
    entries = {one.id: one for one in rosters.entries_by_id(connection, community_id, visible).values()}
    tags = record_page.tags_of(connection, community_id, ids)
    cells = cells_by_home(connection, community_id)
    form = form_of(house.registry, KIND, None)
    personal: set[str] = set()
    rows: list[dict[str, Any]] = []
    told = []
    for place, pair in page:
        two = [entries.get(pair.first), entries.get(pair.second)]
        if any(one is None for one in two):
            continue
        both = [one for one in two if one is not None]
        fields = []
        for name, spec in form.fields.items():
            values = [words_of(spec, shown(spec, one.fields.get(name), unmask=False)) for one in both]
            if spec.type != "ref" and any(value is not None for value in values):
                fields.append(
                    {"name": name, "label": field_label(form, name), "values": values, "same": values[0] == values[1]}
                )
                personal |= {name} if spec.privacy in PERSONAL else set()
        rows.append(
            {
                "harm": place[0],
                "score": pair.score,
                "reasons": [{"name": one, "label": dict(zip(("zh", "en"), REASONS[one], strict=True))} for one in pair.reasons],
                "records": [
                    {"id": one.id, "type": KIND, "title": title_of(form, one.fields, personal=True)[0], "v": one.v,
                     "tag": tags.get(one.id), "cell": cells.get(one.home)}
                    for one in both
                ],
                "fields": fields,
            }
        )  # fmt: skip
        told.append(matters(DUPLICATE, pair.first, pair.second))
    return rows, personal | add_handed(house, connection, scope, community_id, rows, told)


def decide(
    house: House, actor: Actor, scope: Scope, community_id: str, first: str, second: str, look: Look, *, distinct: bool
) -> None:
    """Say that two records are two, or take that back; written into the audit log.

    Raises
    ------
    NotFound
        One of them is no person within the scope, or there is nothing to take back.
    InvalidInput
        Twice the same record.
    """
    if first == second:
        raise InvalidInput(errors=[InputError("/second", "same_record", "two different records are expected")])
    pair = (first, second) if first < second else (second, first)
    with read(house.engine) as connection:
        if len(record_page.in_scope(connection, scope, community_id, pair)) < 2:
            raise NotFound("no such two records within your scope")
    line = line_of(house, look, scope=scope.describe(), community_id=community_id, record_type=KIND, record_id=first)
    with write(house.engine) as connection:
        if distinct:
            store.set_distinct(connection, community_id, pair, at=line.at, by=actor.user_id)
            take_back(connection, community_id, matters(DUPLICATE, *pair), line.at)
        elif not store.unset_distinct(connection, community_id, pair):
            raise NotFound("nobody has said that these are two")
        audit_store.append(connection, line)
