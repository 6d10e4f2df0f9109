"""Figures that may be told to people without personal fields: of cells and communities, once a month, kept as told.

They are told of the cells of an edition and of their sum, never of other areas. A publication is made when somebody first
asks in a month and kept: every export of that month tells the same. What was withheld once stays withheld, and whatever the
borders of another edition are, what was told under one and under the other singles nobody out (`disclosure_editions`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from server.house import House
from server.permissions import Scope
from server.services.accounts import today
from server.services.disclosure import Figure, Sum, rounded
from server.services.disclosure_editions import TOTAL, Earlier, Grain, Ground, ground_of, hidden_beside
from server.services.grains import Grains, grains_of
from server.store import baseline
from server.store import figures as store
from server.store.database import read, stamp, write

MEASURES: Mapping[str, str] = {
    "household_count": "住户数",
    "person_count": "人员数",
    "resident_person_count": "居住人数",
    "age_0_14": "居住人口 0–14 岁",
    "age_15_59": "居住人口 15–59 岁",
    "age_60_up": "居住人口 60 岁及以上",
    "age_60_79": "居住人口 60–79 岁",
    "age_80_up": "居住人口 80 岁及以上",
    "male": "居住人口 男",
    "female": "居住人口 女",
    "party_member_count": "党员数",
}
"""What is counted, and its title."""

WITHIN = (
    Sum("resident_person_count", ("age_0_14", "age_15_59", "age_60_up")),
    Sum("age_60_up", ("age_60_79", "age_80_up")),
    Sum("resident_person_count", ("male", "female")),
)
"""Sums within a cell. Whose age or sex nobody has noted is in none of the parts; whoever reckons takes that for nobody."""

_SEXES = {"1": ("male",), "2": ("female",)}

Key = tuple[str, str]  # cell id or TOTAL, measure


@dataclass(frozen=True, slots=True)
class Told:
    """One publication. ``values`` by cell id (or TOTAL) and measure; None is withheld."""

    edition_id: str
    period: str
    made_at: str
    values: Mapping[str, Mapping[str, int | None]]


def figures(house: House, community_id: str) -> Told | None:
    """The publication of this month, made now if nobody has asked before; None without published cells.

    Whoever may read the community's places may read it: no scope changes what is told.
    """
    day = date.fromisoformat(today(house))
    period = f"{day:%Y-%m}"
    with read(house.engine) as connection:
        cells = baseline.published_cells(connection, community_id)
        if not cells:
            return None
        edition_id = cells[0].edition_id
        rows = store.told(connection, community_id, edition_id, period)
        if not rows:
            made = _made(house, connection, community_id, edition_id, period, day)
    if not rows:
        with write(house.engine) as connection:
            # Another process may have been faster: then its publication stands, whole.
            if not store.told(connection, community_id, edition_id, period):
                store.keep(connection, community_id, edition_id, period, made, at=stamp(house.clock()))
            rows = store.told(connection, community_id, edition_id, period)
    values: dict[str, dict[str, int | None]] = defaultdict(dict)
    for cell_id, measure, value, _ in rows:
        values[cell_id][measure] = value
    return Told(edition_id, period, rows[0][3], dict(values))


def _made(
    house: House, connection: Any, community_id: str, edition_id: str, period: str, day: date
) -> list[tuple[str, str, int | None]]:
    """The rows of a publication."""
    told: dict[str, set[Key]] = defaultdict(set)
    hidden: dict[str, set[Key]] = defaultdict(set)
    for edition, cell, measure, is_told, is_withheld in store.told_ever(connection, community_id):
        for is_so, keys in ((is_told, told), (is_withheld, hidden)):
            if is_so:
                keys[edition].add((cell, measure))
    editions = sorted({*told, *hidden} - {edition_id})
    cells = [cell.cell_id for cell in baseline.published_cells(connection, community_id)]
    stands = grains_of(connection, str(house.engine.url), community_id, edition_id, cells, editions)
    true, grains = _true(connection, community_id, cells, stands, day)
    earlier = [Earlier(frozenset(told[one]), frozenset(hidden[one])) for one in editions]
    withheld = hidden_beside(true, grains, earlier, hidden[edition_id], WITHIN)
    said = _said(connection, community_id, editions, period, ground_of(grains, len(editions)))
    return [
        (cell, measure, None if (cell, measure) in withheld else said[cell, measure] if (cell, measure) in said else rounded(
            house.keys.hashing, f"{community_id}/{cell}/{measure}", figure.value
        ))
        for (cell, measure), figure in sorted(true.items())
    ]  # fmt: skip


def _said(connection: Any, community_id: str, editions: list[str], period: str, ground: Ground) -> dict[Key, int]:
    """What this month has told already of the same people under another edition."""
    said: dict[Key, int] = {}
    for regions, edition in zip(ground.earlier, editions, strict=True):
        for cell, measure, value, _ in store.told(connection, community_id, edition, period):
            if value is not None and cell in regions:
                for name in ground.names.get(regions[cell], []):
                    said.setdefault((name, measure), value)
    return said


def _true(
    connection: Any, community_id: str, cells: list[str], stands: Grains, day: date
) -> tuple[dict[Key, Figure], dict[Grain, dict[str, Figure]]]:
    """The true counts with their largest contributors: of the cells and their sum, and of the grains."""
    counted: dict[Key, Counter[str]] = defaultdict(Counter)  # by contributor: the household of a person
    in_grain: dict[Grain, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))

    def add(grain: Grain, measure: str, who: str) -> None:
        in_grain[grain][measure][who] += 1
        if grain[-1] is not None:
            counted[grain[-1], measure][who] += 1
            counted[TOTAL, measure][who] += 1

    for number, (*spot, household, birth, sex) in enumerate(store.persons(connection, community_id, is_placed=stands.is_placed)):
        grain = stands.of(*spot)
        who = household or f"~{number}"  # who lives in no household contributes alone
        add(grain, "person_count", who)
        if household is not None:
            add(grain, "resident_person_count", who)
            for measure in (*_ages(birth, day), *_SEXES.get(sex or "", ())):
                add(grain, measure, who)
    made = {(cell, measure): _figure(counted.get((cell, measure))) for cell in [*cells, TOTAL] for measure in MEASURES}
    grains = {grain: {name: _figure(by) for name, by in found.items()} for grain, found in in_grain.items()}
    for measure, kind in (("household_count", "household"), ("party_member_count", "party_member")):
        by_grain: Counter[Grain] = Counter()
        for *spot, number in store.counts(connection, community_id, kind, is_placed=stands.is_placed):
            by_grain[stands.of(*spot)] += number
        for cell in cells:
            made[cell, measure] = Figure(sum(number for grain, number in by_grain.items() if grain[-1] == cell))
        made[TOTAL, measure] = Figure(sum(number for grain, number in by_grain.items() if grain[-1] is not None))
        for grain, number in by_grain.items():
            grains.setdefault(grain, {})[measure] = Figure(number)
    return made, grains


def _figure(by: Counter[str] | None) -> Figure:
    return Figure(sum(by.values()), max(by.values(), default=0)) if by else Figure(0, 0)


def _ages(birth: str | None, day: date) -> tuple[str, ...]:
    """The age groups of somebody on a day, none where the birth date is not known as a date."""
    try:
        born = date.fromisoformat(birth or "")
    except ValueError:
        return ()
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    if years < 60:
        return ("age_0_14",) if years < 15 else ("age_15_59",)
    return ("age_60_up", "age_60_79") if years < 80 else ("age_60_up", "age_80_up")


# ---------------------------------------------------------------- the baseline of people without personal fields: planners, auditors
_OF_BASELINE = {
    "household": "household_count",
    "person": "person_count",
    "resident_person": "resident_person_count",
    "party_member": "party_member_count",
}


def guarded(
    house: House, scope: Scope, community_id: str, answer: dict[str, Any], *, past: bool = False
) -> dict[str, Any]:
    """A baseline as the scope may have it: whoever sees no personal fields gets counts of people as they are told.

    Parameters
    ----------
    answer : of `baseline.baseline`; changed in place
    past : of another day or other cells: then nothing about people is told, because it would be one more publication
    """
    if scope.fields == "all":
        return answer
    told = None if past else figures(house, community_id)
    values = told.values if told is not None else {}
    for cell in answer["cells"]:
        _guard(cell, values.get(cell["cell_id"], {}))
    _guard(answer["unplaced"], {})
    _guard(answer["total"], values.get(TOTAL, {}))
    return answer


def _guard(summary: dict[str, Any], values: Mapping[str, int | None]) -> None:
    for kind, measure in _OF_BASELINE.items():
        if kind in summary["counts"]:
            summary["counts"][kind] = values.get(measure)
    # Whoever reads each dwelling's occupancy could tell from it exactly how many of the others are lived in.
    summary["coverage"]["surveyed_dwellings"] = summary["coverage"]["share"] = None
    freshness = summary.get("freshness")
    if freshness is not None:
        freshness["records"] = None
        if values.get("household_count") is None:  # days of few households say when each was visited, and that there is one
            freshness["median_days"] = freshness["oldest_days"] = None
