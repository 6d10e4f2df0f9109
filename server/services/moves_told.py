"""What publishing a draft would move, from where to where and why; and what an edition has moved (L4, S29)."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from geo.cell import BASE_LAYER, Cell
from geo.lineage import Lineage
from geo.locate import CellIndex
from geo.moved_codes import moved_codes
from server.errors import NotFound
from server.permissions import Scope
from server.services.accounts import today
from server.services.assignments import heirs_of
from server.services.dedicated import NOWHERE
from server.services.drafts import edition_row, problem_told
from server.services.editions import Prospect, foresee
from server.services.labels import form_of, title_of
from server.services.lineages import counts_of, edition_told
from server.services.looks import Look, seen
from server.services.move_plan import LIES, PINNED, Moved, Planner, Progress, learn_versions
from server.services.paging import make_cursor, read_cursor
from server.services.places import Places
from server.store import assignments as people
from server.store import inbox as names
from server.store import moving as store
from server.store import places
from server.store.database import read, stamp
from sync.memory import UNPLACED

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

MOST_PER_PAGE = 500
_KEPT = 2
_prospects: OrderedDict[tuple[Any, ...], Prospect] = OrderedDict()
_gate = threading.Lock()


def dry_run(
    house: House,
    scope: Scope,
    community_id: str,
    edition_id: str,
    look: Look,
    *,
    record_type: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> dict[str, Any]:
    """What publishing this draft would do now; nothing is changed.

    Parameters
    ----------
    scope : titles of records are told as it allows; without personal fields those of places only
    record_type : list only moves of this type

    Returns
    -------
    dict
        ``edition``, ``as_of``, ``judged`` (records with a location of their own), ``moves`` (how many, by type, and by
        pair of cells), ``doubts`` (records that stay and whose doubt changes), ``pins`` (that follow or are reopened),
        ``lineage`` (cells by kind), ``warnings`` (codes that would stand on other ground), ``assignments`` (who would work what),
        ``rows`` and ``next``.

    Raises
    ------
    NotFound, OutsideScope, InvalidInput
    """
    with read(house.engine) as connection:
        found = _prospect(connection, house, community_id, edition_id)
        plan, cells = found.plan, _codes(found)
        moves = sorted(
            (one for one in plan.moves.values() if record_type is None or one.type == record_type),
            key=lambda one: (one.type, one.id),
        )
        use = f"moves/{community_id}/{edition_id}/{record_type}"
        after = read_cursor(house.keys, use, cursor)
        rest = [one for one in moves if after is None or [one.type, one.id] > after]
        page = rest[: max(1, min(limit, MOST_PER_PAGE))]
        learn_versions(connection, community_id, page)
        titles, personal = _titles(connection, house, scope, community_id, [x for one in page for x in (one.id, one.root)])
        rows = [
            {
                "id": one.id,
                "type": one.type,
                "life": one.life,
                "title": titles.get(one.id),
                "from": _cell(cells, one.from_home),
                "to": _cell(cells, one.to_home),
                "why": one.why,
                "because": {"id": one.root, "title": titles.get(one.root)},
                **_words(one, cells, titles.get(one.root)),
            }
            for one in page
        ]
        running = people.assignments(connection, (community_id,))
        changes = heirs_of(running, found.lineage, today(house))
        told = names.names_of_users(connection, community_id, (one.user_id for one, _ in changes))
    seen(house, look, scope, community_id, fields=personal, count=len(rows), where=f"edition={edition_id}")
    pairs = Counter((one.from_home, one.to_home, one.type) for one in plan.moves.values())
    return {
        "edition": edition_told(found.row),
        "as_of": stamp(house.clock()),
        "placement_version": plan.version,
        "judged": plan.judged,
        "moves": {
            "count": len(plan.moves),
            "types": dict(sorted(Counter(one.type for one in plan.moves.values()).items())),
            "pairs": _pairs_told(cells, pairs),
        },
        "doubts": len(plan.notes),
        "pins": {
            "follow": sum(1 for one, cell_id in plan.pins.items() if cell_id is not None and one not in plan.asked),
            "reopened": sum(1 for cell_id in plan.pins.values() if cell_id is None) + len(plan.asked),
        },
        "lineage": counts_of(found.lineage.parts),
        "warnings": [problem_told(one) for one in moved_codes(found.old, found.new, found.lineage)],
        "assignments": [
            {
                "user_id": one.user_id,
                "name": told.get(one.user_id),
                "duty": one.duty,
                "from": _cell(cells, f"{_prefix(found.row.layer)}/{one.cell_id}"),
                "to": [_cell(cells, f"{_prefix(found.row.layer)}/{cell_id}") for cell_id in after_],
            }
            for one, after_ in changes
        ],
        "rows": rows,
        "next": make_cursor(house.keys, use, [page[-1].type, page[-1].id]) if len(rest) > len(page) else None,
    }


def count_moves(
    house: House, community_id: str, cells: Sequence[Cell], lineage: Lineage, progress: Progress | None = None
) -> dict[str, int]:
    """How many records of each type cells that are not even kept would move; ``progress`` is told (judged, in all)."""
    planner = Planner(house.registry, community_id, Places(None, CellIndex(cells), {}), lineage)
    with read(house.engine) as connection:
        plan = planner.plan(connection, 0, progress)
    return dict(sorted(Counter(one.type for one in plan.moves.values()).items()))


def moved(
    house: House,
    scope: Scope,
    community_id: str,
    edition_id: str,
    look: Look,
    *,
    cursor: str | None = None,
    limit: int = 100,
) -> dict[str, Any]:
    """What an edition has moved when it came into force, from the placement ledger.

    Returns
    -------
    dict
        ``edition``, ``moves`` (count, by type, by pair), ``rows`` (as in `dry_run`, without the reason) and ``next``.

    Raises
    ------
    NotFound
        No such edition, or a draft.
    """
    use = f"moved/{community_id}/{edition_id}"
    after = read_cursor(house.keys, use, cursor)
    size = max(1, min(limit, MOST_PER_PAGE))
    with read(house.engine) as connection:
        row = edition_row(connection, community_id, edition_id)
        if row.state == "draft":
            raise NotFound("this edition was not published")
        number = row.journal_number
        found = store.ledger_of(connection, community_id, number, after, size + 1) if number is not None else []
        pairs = store.ledger_pairs(connection, community_id, number) if number is not None else []
        cells = {
            f"cell/{one.cell_id}": (one.cell_id, one.code, one.name)
            for other in places.editions_of(connection, community_id)
            if other.state != "draft" and other.number <= row.number
            for one in places.cells_of(connection, community_id, other.edition_id)
        }
        page = found[:size]
        titles, personal = _titles(connection, house, scope, community_id, [one.record_id for one in page])
    seen(house, look, scope, community_id, fields=personal, count=len(page), where=f"edition={edition_id}")
    types: Counter[str] = Counter()
    for one in pairs:
        types[one.type] += one.count
    return {
        "edition": edition_told(row),
        "moves": {
            "count": sum(types.values()),
            "types": dict(sorted(types.items())),
            "pairs": _pairs_told(cells, {(one.from_home, one.to_home, one.type): one.count for one in pairs}),
        },
        "rows": [
            {
                "id": one.record_id,
                "type": one.type,
                "title": titles.get(one.record_id),
                "from": _cell(cells, one.from_home),
                "to": _cell(cells, one.to_home),
                "at": one.at,
            }
            for one in page
        ],
        "next": make_cursor(house.keys, use, page[-1].record_id) if len(found) > size else None,
    }


def _prospect(connection: Connection, house: House, community_id: str, edition_id: str) -> Prospect:
    """The plan, kept for the next page as long as nothing at all was written in the community."""
    row = edition_row(connection, community_id, edition_id)
    community = places.community_row(connection, community_id)
    heads = store.stream_heads(connection, community_id)
    version = community.placement_version if community is not None else 0
    key = (str(house.engine.url), community_id, edition_id, row.state, row.content_hash, version, sum(heads.values()))
    with _gate:
        if key in _prospects:
            _prospects.move_to_end(key)
            return _prospects[key]
    made = foresee(connection, house, community_id, edition_id)
    with _gate:
        _prospects[key] = made
        while len(_prospects) > _KEPT:
            _prospects.popitem(last=False)
    return made


def _codes(found: Prospect) -> dict[str, tuple[str, str, str]]:
    prefix = _prefix(found.row.layer)
    return {f"{prefix}/{one.cell_id}": (one.cell_id, one.code, one.name) for one in (*found.old, *found.new)}


def _prefix(layer: str) -> str:
    return "cell" if layer == BASE_LAYER else "dedicated"


def _cell(cells: dict[str, tuple[str, str, str]], home: str) -> dict[str, Any] | None:
    """A cell by its stream; None for what is in no cell."""
    if home in (UNPLACED, NOWHERE):
        return None
    cell_id, code, name = cells.get(home, (home.partition("/")[2], None, None))
    return {"cell_id": cell_id, "code": code, "name": name}


def _words(move: Moved, cells: dict[str, tuple[str, str, str]], root: str | None) -> dict[str, str]:
    """Why a record moves, as a secretary reads it: what decides, where that lies now and where it lay."""
    target, source = (_cell(cells, home) for home in (move.to_home, move.from_home))
    zh, en = (f"网格 {_called(target, '（{}）')}", f"cell {_called(target, ' ({})')}") if target else ("所有网格之外", "no cell")
    zh_before, en_before = (
        (f"原在 {_called(source, '（{}）')}", f"before in {_called(source, ' ({})')}") if source else ("原未落格", "before in none")
    )
    if move.why == PINNED:
        return {"zh": f"由人指定，归入{zh}（{zh_before}）", "en": f"pinned by a person: goes into {en} ({en_before})"}
    if move.why == LIES:
        return {"zh": f"自身位置落在{zh}（{zh_before}）", "en": f"its own location lies in {en} ({en_before})"}
    what = (f"“{root}”", f"“{root}”") if root else ("所属的楼栋或单元", "what it stands in")
    return {"zh": f"随{what[0]}归入{zh}（{zh_before}）", "en": f"goes with {what[1]} into {en} ({en_before})"}


def _called(cell: dict[str, Any], brackets: str) -> str:
    """Code and name: people know a cell by its name, files by its code."""
    return str(cell["code"] or cell["cell_id"]) + (brackets.format(cell["name"]) if cell["name"] else "")


def _pairs_told(cells: dict[str, tuple[str, str, str]], pairs: Mapping[tuple[str, str, str], int]) -> list[dict[str, Any]]:
    grouped: dict[tuple[str, str], dict[str, int]] = {}
    for (source, target, record_type), count in sorted(pairs.items()):
        grouped.setdefault((source, target), {})[record_type] = count
    return [
        {"from": _cell(cells, source), "to": _cell(cells, target), "types": types, "count": sum(types.values())}
        for (source, target), types in grouped.items()
    ]


def _titles(
    connection: Connection, house: House, scope: Scope, community_id: str, ids: Sequence[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What to call these records, as the scope allows; and the personal fields that were told."""
    if scope.fields == "aggregate" or not scope.sees_community(community_id):
        return {}, ()
    titles: dict[str, str] = {}
    told: set[str] = set()
    for row in store.typed_bodies(connection, community_id, sorted(set(ids))):
        title, name = title_of(form_of(house.registry, row.type, None), orjson.loads(row.fields), personal=scope.fields == "all")
        if title is not None:
            titles[row.id] = title
        if name is not None:
            told.add(f"{row.type}.{name}")
    return titles, tuple(sorted(told))

