"""Figures of each day, written down once a day, from which the trend of the overview is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from server.house import House
from server.permissions import Scope, cell_stream
from server.services.accounts import today
from server.services.baseline_then import AGED, SMALL, VERY_OLD, baseline_then
from server.services.cell_figures import HomeFigures, home_figures
from server.services.roster_query import end_of_day
from server.store import overview, places
from server.store.database import read, write
from server.store.overview import TOTAL
from server.store.scoping import UNPLACED

BUCKETS = (30, 90, 180)
"""Days since the last confirmation; what is older than the last is the last bucket."""

MONTHS_BACK = 12
MOST_RECKONED = 30_000
"""Records of a community up to which its past months are counted from the records: a second or two for each month."""

_COUNTED = {"household": "households", "person": "persons", "dwelling": "dwellings", "party_member": "party_members",
            "organization": "organizations", "building": "buildings", "resource": "resources"}  # fmt: skip
_DATELESS = ("household", "dwelling", "building", "party_member", "organization", "resource")
"""What carries no dates of its own: of a past day it is known only from what was kept then, like freshness and conflicts."""
KEPT_WITHIN_DAYS = 7
"""How far before a day that was asked for a kept day may lie: a server that was off for longer knows no better than today."""


def birthdays(day: date) -> tuple[str, str, str]:
    """Latest days of birth of those who are old, very old, and no small children any more on a day."""
    return tuple(_years_before(day, years).isoformat() for years in (AGED, VERY_OLD, SMALL))  # type: ignore[return-value]


def _years_before(day: date, years: int) -> date:
    """The day of birth of whoever completes these years on a day; 29 February completes them on 1 March of common years."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return date(day.year - years, 2, 28)


def figures_now(house: House, connection: Any, scope: Scope, community_id: str, day: date) -> dict[str, dict[str, int]]:
    """The figures of each home as they are, without a total: counts, coverage, freshness buckets, ages, open conflicts."""
    homes: dict[str, dict[str, int]] = {}
    for home, found in home_figures(house, connection, scope, community_id).items():
        mine = homes[home] = defaultdict(int, _ages(found, day))
        for one in found.types:
            if one.type in _COUNTED:
                mine[_COUNTED[one.type]] += one.count
            mine["residents"] += one.resident
            mine["expected"] += one.expected
            mine["surveyed"] += one.surveyed
            mine["conflicts"] += one.conflicts
    return {home: dict(one) for home, one in homes.items()}


def ages_now(house: House, connection: Any, scope: Scope, community_id: str, day: date) -> dict[str, dict[str, int]]:
    """Of each home: how fresh its households and persons are by buckets, and how many residents are old or small."""
    found = home_figures(house, connection, scope, community_id)
    return {home: _ages(one, day) for home, one in found.items()}


def _ages(found: HomeFigures, day: date) -> dict[str, int]:
    ages: dict[str, int] = defaultdict(int)
    for confirmed, count in found.confirmed.items():
        ages[_bucket((day - date.fromisoformat(confirmed)).days)] += count
    aged, very_old, no_child, born = found.born_by([*birthdays(day), day.isoformat()])
    return ages | {"aged": aged, "very_old": very_old, "small": born - no_child}


def buckets_told(figures: Mapping[str, int]) -> dict[str, int]:
    """How many households and persons were last confirmed within each of ``BUCKETS``, and longer ago."""
    return {f"within_{limit}": figures.get(f"fresh_{limit}", 0) for limit in BUCKETS} | {"older": figures.get("fresh_older", 0)}


def _bucket(days: int) -> str:
    return next((f"fresh_{limit}" for limit in BUCKETS if days <= limit), "fresh_older")


def summed(figures: Sequence[dict[str, int]]) -> dict[str, int]:
    """The figures of several homes together."""
    total: dict[str, int] = defaultdict(int)
    for one in figures:
        for name, number in one.items():
            total[name] += number
    return dict(total)


def sweep(house: House) -> int:
    """Write down the figures of today for every community that has none yet; how many were written."""
    day = today(house)
    with read(house.engine) as connection:
        missing = overview.communities_without(connection, day)
    for community_id in missing:
        with read(house.engine) as connection:
            homes = figures_now(house, connection, Scope((community_id,)), community_id, date.fromisoformat(day))
        with write(house.engine) as connection:
            # The sum names everything that was counted: a kind without any record is known to have had none.
            total = dict.fromkeys(_COUNTED.values(), 0) | summed(list(homes.values()))
            overview.keep_day(connection, community_id, day, homes | {TOTAL: total})
    return len(missing)


def reckon_back(house: House) -> int:
    """Write down the end of one more past month of one community, as far as its records tell; how many were written.

    Months before the first kept day are counted from what is on record now and was true then: residents by the day since
    which they live here. Done month by month, one at each sweep, for communities that are not too large for it.
    """
    limit = _months_before(date.fromisoformat(today(house)), MONTHS_BACK)
    with read(house.engine) as connection:
        first = overview.first_days(connection)
        behind = [
            community_id for community_id, day in sorted(first.items())
            if day[:7] > limit.isoformat()[:7] and overview.records_standing(connection, community_id) <= MOST_RECKONED
        ]  # fmt: skip
    if not behind:
        return 0
    community_id = behind[0]
    day = (date.fromisoformat(first[community_id]).replace(day=1) - timedelta(days=1)).isoformat()
    found = baseline_then(house, Scope((community_id,)), community_id, tuple(_COUNTED), as_of=day)
    homes = {cell_stream(cell["cell_id"]): _reckoned(cell) for cell in found["cells"]}
    homes |= {UNPLACED: _reckoned(found["unplaced"]), TOTAL: _reckoned(found["total"])}
    with write(house.engine) as connection:
        overview.keep_day(connection, community_id, day, homes)
    return 1


def _reckoned(told: Mapping[str, Any]) -> dict[str, int]:
    counts, coverage, ages = told["counts"], told["coverage"], told["ages"]
    return {name: counts[kind] for kind, name in _COUNTED.items()} | {
        "residents": counts["resident_person"], "expected": coverage["expected_dwellings"],
        "surveyed": coverage["surveyed_dwellings"], "aged": ages["aged_60"], "very_old": ages["aged_80"], "small": ages["under_3"],
        "reckoned": 1,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeptDay:
    """Figures by home as they were written down on a day, of those homes that are in sight."""

    day: str
    homes: Mapping[str, dict[str, int]]
    counts: tuple[str, ...]
    """The record types whose number was kept: earlier versions kept fewer."""

    def told(self, summary: dict[str, Any], home: str | None, *, people_too: bool) -> None:
        """Put what was kept of a home (None: of all) into a baseline's figures; what may not be told stays untold."""
        figures = summed(list(self.homes.values())) if home is None else self.homes.get(home, {})
        for kind in self.counts:
            if summary["counts"].get(kind) is not None:
                summary["counts"][kind] = figures.get(_COUNTED[kind], 0)
        coverage = summary["coverage"]
        coverage["expected_dwellings"] = expected = figures.get("expected", 0)
        if coverage["surveyed_dwellings"] is not None:
            coverage["surveyed_dwellings"] = surveyed = figures.get("surveyed", 0)
            coverage["share"] = round(surveyed / expected, 4) if expected else None
        if people_too:
            summary |= {"freshness_buckets": buckets_told(figures), "open_conflicts": figures.get("conflicts", 0)}


def kept_on(connection: Any, scope: Scope, community_id: str, day: str, edition_id: str | None) -> KeptDay | None:
    """What was written down on a day, or at most a week before it, under the edition that was in force then throughout.

    None where nothing was: what was reckoned afterwards says no more than the records, and other borders divide otherwise.
    """
    since = (date.fromisoformat(day) - timedelta(days=KEPT_WITHIN_DAYS)).isoformat()
    found = overview.last_kept(connection, community_id, since, day, None if scope.streams is None else [*scope.streams, TOTAL])
    if found is None:
        return None
    kept_day, homes = found
    total = homes.pop(TOTAL)
    if "reckoned" in total:
        return None
    before = end_of_day((date.fromisoformat(kept_day) - timedelta(days=1)).isoformat())
    for row in places.editions_of(connection, community_id):
        if row.edition_id == edition_id and (row.published_at or "") <= before:
            return KeptDay(kept_day, homes, tuple(kind for kind in _DATELESS if _COUNTED[kind] in total))
    return None


def _months_before(day: date, months: int) -> date:
    """The first of the month so many months before."""
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def trend(connection: Any, scope: Scope, community_id: str, day: date, months: int) -> list[dict[str, Any]]:
    """The last kept day of each of the months up to a day, oldest first: the community's sum, or that of the cells of the scope.

    ``reckoned`` says that the figures were counted afterwards, from what is on record.
    """
    first = _months_before(day, months - 1)
    homes = [TOTAL] if scope.streams is None else sorted(scope.streams)
    by_day: dict[str, list[dict[str, int]]] = defaultdict(list)
    for kept_on, _, figures in overview.month_ends(connection, community_id, first.isoformat(), day.isoformat(), homes):
        by_day[kept_on].append(figures)
    told = []
    for kept_on, found in sorted(by_day.items()):
        figures = summed(found)
        told.append({"day": kept_on, "reckoned": bool(figures.pop("reckoned", 0)), "figures": figures})
    return told


