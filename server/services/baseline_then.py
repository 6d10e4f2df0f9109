"""The baseline of another day, or under the cells of another edition: the same figures, counted from the records (L4)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from server.errors import NotFound
from server.permissions import Scope, cell_stream
from server.services.figures import guarded
from server.services.roster_grounds import Ground, edition_asked, source_of
from server.store import baseline as store
from server.store import places as editions
from server.store.database import read, stamp
from server.store.scoping import UNPLACED, see_community

if TYPE_CHECKING:
    from server.house import House


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
        As `baseline.baseline`; freshness and open conflicts are of the present alone, and None here. Whoever sees no personal
        fields gets no counts of people: of other days and cells none are told.

    Raises
    ------
    OutsideScope, NotFound
    """
    see_community(scope, community_id)
    # Only counts leave this place, so everybody who may see the place may have them.
    whole = Scope((community_id,))
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
                if kind == "dwelling" and fields.get("expected"):
                    figures["expected"] += 1
                    if (fields.get("occupancy") or "unknown") != "unknown" or one.id in lived_in:
                        figures["surveyed"] += 1
    streams = scope.streams
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
            | _summary(visible.get(cell_stream(cell.cell_id), Counter()), counted)
            for cell in sorted(shown, key=lambda cell: (cell.order_number, cell.code))
        ],
        "unplaced": _summary(visible.get(UNPLACED, Counter()), counted),
        "total": _summary(sum(visible.values(), Counter()), counted),
    }
    return guarded(house, scope, community_id, answer, past=True)


def _summary(figures: Counter[str], counted: tuple[str, ...]) -> dict[str, Any]:
    expected, surveyed = figures["expected"], figures["surveyed"]
    return {
        "counts": {kind: figures[kind] for kind in (*counted, "resident_person")},
        "coverage": {
            "expected_dwellings": expected,
            "surveyed_dwellings": surveyed,
            "share": round(surveyed / expected, 4) if expected else None,
        },
        "freshness": None,
        "open_conflicts": None,
    }
