"""The baseline 底数: how many of what stand in each cell, how much of it was surveyed, and how fresh it is.

No personal value passes through here, so planners and auditors may ask too; both get counts of people as they are told (ADR 0016).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from itertools import chain
from typing import Any

from server.errors import NotFound
from server.house import House
from server.permissions import Scope, cell_stream
from server.services.cell_figures import home_figures
from server.services.figures import guarded
from server.store import baseline as store
from server.store.database import read, stamp
from server.store.scoping import UNPLACED
from sync.days import day_at

COUNTED = (
    "estate",
    "building",
    "entrance",
    "dwelling",
    "household",
    "person",
    "party_member",
    "organization",
    "resource",
)
"""Record types that are counted; reference cards and closed residences are not among them."""


def baseline(house: House, scope: Scope, community_id: str) -> dict[str, Any]:
    """The figures of a community: per cell, of what has no cell yet, and in total.

    Parameters
    ----------
    scope : a grid worker gets the figures of the assigned cells only, and ``partial`` is true; whoever sees no personal
        fields gets counts of people as they are told (`services.figures`): rounded, or None where withheld; and none of
        what is surveyed

    Returns
    -------
    dict
        ``as_of``, ``community``, ``edition`` (None before the first), ``cells`` by (order, code), ``unplaced`` and
        ``total``. Shares and days are None where there is nothing to measure.

    Raises
    ------
    OutsideScope, NotFound
    """
    now = house.clock()
    with read(house.engine) as connection:
        community = store.community_of(connection, community_id)
        if community is None:
            raise NotFound("no such community")
        cells = store.published_cells(connection, community_id)
        found = home_figures(house, connection, scope, community_id)
    figures = {home: one.types for home, one in found.items()}
    day = date.fromisoformat(day_at(now))
    ages = {home: _ages(one.confirmed, day) for home, one in found.items()}
    visible = [cell for cell in cells if scope.streams is None or cell_stream(cell.cell_id) in scope.streams]
    answer = {
        "as_of": stamp(now),
        "community": community,
        "edition": {"edition_id": cells[0].edition_id, "number": cells[0].edition_number} if cells else None,
        "partial": scope.streams is not None,
        "cells": [
            {"cell_id": cell.cell_id, "code": cell.code, "name": cell.name, "area_m2": cell.area_m2}
            | _summary(figures.get(home := cell_stream(cell.cell_id), ()), ages.get(home, Counter()))
            for cell in visible
        ],
        "unplaced": _summary(figures.get(UNPLACED, ()), ages.get(UNPLACED, Counter())),
        "total": _summary(chain.from_iterable(figures.values()), sum(ages.values(), Counter())),
    }
    return guarded(house, scope, community_id, answer)


def _summary(figures: Iterable[store.TypeFigures], ages: Counter[int]) -> dict[str, Any]:
    counts = dict.fromkeys(COUNTED, 0)
    resident = expected = surveyed = conflicts = 0
    for item in figures:
        if item.type in counts:
            counts[item.type] += item.count
        resident += item.resident
        expected += item.expected
        surveyed += item.surveyed
        conflicts += item.conflicts
    return {
        "counts": counts | {"resident_person": resident},
        "coverage": {
            "expected_dwellings": expected,
            "surveyed_dwellings": surveyed,
            "share": round(surveyed / expected, 4) if expected else None,
        },
        "freshness": {
            "records": sum(ages.values()),
            "median_days": _median(ages),
            "oldest_days": max(ages) if ages else None,
        },
        "open_conflicts": conflicts,
    }


def _median(ages: Counter[int]) -> int | None:
    """The lower median of the days; None without any."""
    middle = (sum(ages.values()) - 1) // 2
    for days in sorted(ages):
        middle -= ages[days]
        if middle < 0:
            return days
    return None


def _ages(confirmed: Counter[str], today: date) -> Counter[int]:
    """How many were confirmed how many days ago."""
    ages: Counter[int] = Counter()
    for day, count in confirmed.items():
        ages[max(0, (today - date.fromisoformat(day)).days)] += count
    return ages
