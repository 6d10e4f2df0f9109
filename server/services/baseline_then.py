"""The baseline of another day, or under the cells of another edition: the same figures, counted from the records (L4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from forms.derived import age_on
from server.errors import NotFound
from server.permissions import Scope, cell_stream
from server.services.accounts import today
from server.services.figures import guarded
from server.services.roster_grounds import Ground, edition_asked, source_of
from server.store import baseline as store
from server.store import places as editions
from server.store.database import read, stamp
from server.store.scoping import UNPLACED, see_community

if TYPE_CHECKING:
    from server.house import House

AGED, VERY_OLD, SMALL = 60, 80, 3
"""Completed years from which somebody counts as old and as very old, and below which as a small child."""


def baseline_then(
    house: House,
    scope: Scope,
    community_id: str,
    counted: tuple[str, ...],
    *,
    as_of: str | None = None,
    known_at: str | None = None,
    edition: str | None = None,
) -> dict[str, Any]:
    """The figures of `baseline.baseline` as they were.

    Parameters
    ----------
    counted : the record types that are counted
    as_of : the day whose truth is asked for
    known_at : a stamp; only what was recorded by then
    edition : id or number; None: the one in force on the day that was asked for

    Returns
    -------
    dict
        As `baseline.baseline`, and ``ages``: residents who were old or small on that day, by their birth dates. Freshness and open
        conflicts are of the present alone, and None here. Whoever sees no personal fields gets no counts of people and no ages:
        of other days and cells none are told.

    Raises
    ------
    OutsideScope, NotFound
    """
    see_community(scope, community_id)
    # Only counts leave this place, so everybody who may see the place may have them.
    whole = Scope((community_id,))
    day = date.fromisoformat(as_of or today(house))
    with read(house.engine) as connection:
        community = store.community_of(connection, community_id)
        if community is None:
            raise NotFound("no such community")
        row, places = edition_asked(connection, house, community_id, edition=edition, as_of=as_of, known_at=known_at)
        cells = editions.cells_of(connection, community_id, row.edition_id) if row is not None else []
        ground = Ground(community_id, community["name"], None, (), {}, row, places)
        source = source_of(connection, house, whole, ground, known_at=known_at, as_of=as_of)
        found: dict[str, Counter[str]] = {}
        lived_in = {str(one.fields.get("dwelling")) for one in source.base("household", None)}
        for kind in counted:
            for one in source.base(kind, None):
                figures = found.setdefault(one.home, Counter())
                fields = one.fields
                if kind == "person" and fields.get("vital_status") == "deceased":
                    continue
                figures[kind] += 1
                if kind == "person" and fields.get("residence_household"):
                    figures["resident_person"] += 1
                    figures.update(_age_groups(fields.get("birth_date"), day))
                if kind == "dwelling" and fields.get("expected"):
                    figures["expected"] += 1
                    if (fields.get("occupancy") or "unknown") != "unknown" or one.id in lived_in:
                        figures["surveyed"] += 1
    streams, people_too = scope.streams, scope.fields == "all"
    shown = [cell for cell in cells if streams is None or cell_stream(cell.cell_id) in streams]
    visible = {home: figures for home, figures in found.items() if streams is None or home in streams}
    answer = {
        "as_of": stamp(house.clock()),
        "true_on": as_of,
        "known_at": known_at,
        "community": community,
        "edition": None if row is None else {"edition_id": row.edition_id, "number": row.number},
        "partial": streams is not None,
        "cells": [
            {"cell_id": cell.cell_id, "code": cell.code, "name": cell.name, "area_m2": cell.area_m2}
            | _summary(visible.get(cell_stream(cell.cell_id), Counter()), counted, people_too)
            for cell in sorted(shown, key=lambda cell: (cell.order_number, cell.code))
        ],
        "unplaced": _summary(visible.get(UNPLACED, Counter()), counted, people_too),
        "total": _summary(sum(visible.values(), Counter()), counted, people_too),
    }
    return guarded(house, scope, community_id, answer, past=True)


def ages_told(figures: Mapping[str, int], residents: int | None) -> dict[str, Any]:
    """Old, very old and small residents, and the share of the old; None where nobody lives."""
    aged = figures.get("aged", 0)
    return {"aged_60": aged, "aged_80": figures.get("very_old", 0), "under_3": figures.get("small", 0),
            "share_60": round(aged / residents, 4) if residents else None}  # fmt: skip


def _age_groups(birth_date: str | None, day: date) -> list[str]:
    years = age_on(birth_date, day)
    if years is None:
        return []
    return [name for name, holds in (("aged", years >= AGED), ("very_old", years >= VERY_OLD), ("small", years < SMALL)) if holds]


def _summary(figures: Counter[str], counted: tuple[str, ...], people_too: bool) -> dict[str, Any]:
    expected, surveyed = figures["expected"], figures["surveyed"]
    return {
        "counts": {kind: figures[kind] for kind in (*counted, "resident_person")},
        "coverage": {
            "expected_dwellings": expected,
            "surveyed_dwellings": surveyed,
            "share": round(surveyed / expected, 4) if expected else None,
        },
        "ages": ages_told(figures, figures["resident_person"]) if people_too else None,
        "freshness": None,
        "open_conflicts": None,
    }
