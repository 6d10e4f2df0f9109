"""The overview of a community in one call: the baseline, ages, density, freshness, what is open, and the months before.

No personal value passes through; people without personal fields get counts of people as the baseline tells them, and no ages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from server.house import House
from server.permissions import Actor, Scope, cell_stream, may
from server.services import daily_figures
from server.services.accounts import today
from server.services.baseline import COUNTED, baseline
from server.services.baseline_then import ages_told, baseline_then
from server.store import assignments, installs, overview, people
from server.store.database import read, stamp
from server.store.scoping import UNPLACED

MONTHS = 13
_WORK_DAYS = 30
_STALE_DAYS = 90
_WAITING = ("findings", "held", "proposals", "quarantined")


def whole(house: House, scope: Scope, community_id: str, *, as_of: str | None = None) -> dict[str, Any]:
    """Everything that the first screen shows.

    Parameters
    ----------
    as_of : a day whose truth is shown, with the months up to it; None for now

    Returns
    -------
    dict
        The baseline; every cell, ``unplaced`` and ``total`` also have ``ages``, ``density_per_km2``, ``freshness_buckets``
        and ``open``; ``trend`` is the last kept day of each month. What may not be told is None, and so are ``freshness`` and
        ``open`` of another day. ``kept`` of a past day names the day that was written down, from which coverage, the counts of
        what carries no dates, ``freshness_buckets`` and ``open_conflicts`` come; None where none was: the first two are counted as
        recorded now, the others None.

    Raises
    ------
    OutsideScope, NotFound
    """
    people_too = scope.fields == "all"
    if as_of is not None:
        return _past(house, scope, community_id, as_of, people_too)
    told = baseline(house, scope, community_id)
    day = date.fromisoformat(today(house))
    with read(house.engine) as connection:
        homes = daily_figures.ages_now(house, connection, scope, community_id, day) if people_too else {}
        opened = _open(connection, scope, community_id)
        trend = daily_figures.trend(connection, scope, community_id, day, MONTHS) if people_too else []
    for cell in told["cells"]:
        home = cell_stream(cell["cell_id"])
        cell |= _more(cell, homes.get(home, {}), opened[home], people_too, cell["area_m2"])
    told["unplaced"] |= _more(told["unplaced"], homes.get(UNPLACED, {}), opened[UNPLACED], people_too, None)
    area = sum(cell["area_m2"] for cell in told["cells"])
    everything = daily_figures.summed(list(homes.values()))
    told["total"] |= _more(told["total"], everything, daily_figures.summed(list(opened.values())), people_too, area)
    return told | {"trend": trend, "buckets": list(daily_figures.BUCKETS)}


def _past(house: House, scope: Scope, community_id: str, as_of: str, people_too: bool) -> dict[str, Any]:
    told = baseline_then(house, scope, community_id, COUNTED, as_of=as_of)
    with read(house.engine) as connection:
        trend = daily_figures.trend(connection, scope, community_id, date.fromisoformat(as_of), MONTHS) if people_too else []
        kept = daily_figures.kept_on(connection, scope, community_id, as_of, (told["edition"] or {}).get("edition_id"))
    area = sum(cell["area_m2"] or 0 for cell in told["cells"])
    summaries = [(cell, cell_stream(cell["cell_id"]), cell["area_m2"]) for cell in told["cells"]]
    for summary, home, area_m2 in [*summaries, (told["unplaced"], UNPLACED, None), (told["total"], None, area)]:
        density = _density(summary["counts"]["resident_person"] if people_too else None, area_m2)
        summary |= {"density_per_km2": density, "freshness_buckets": None, "open": None}
        if kept is not None:
            kept.told(summary, home, people_too=people_too)
    from_day = None if kept is None else {"day": kept.day, "counts": list(kept.counts)}
    return told | {"trend": trend, "buckets": list(daily_figures.BUCKETS), "kept": from_day}


def _density(residents: int | None, area_m2: float | None) -> int | None:
    return round(residents / area_m2 * 1e6) if area_m2 and residents is not None else None


def _more(
    told: Mapping[str, Any], figures: Mapping[str, int], opened: Mapping[str, int], people_too: bool, area_m2: float | None
) -> dict[str, Any]:
    def of(name: str) -> int:
        return figures.get(name, 0)

    residents = told["counts"]["resident_person"] if people_too else None
    return {
        "ages": ages_told(figures, residents) if people_too else None,
        "density_per_km2": _density(residents, area_m2),
        "freshness_buckets": daily_figures.buckets_told(figures) if people_too else None,
        "open": {"conflicts": told["open_conflicts"]} | {name: opened.get(name, 0) for name in _WAITING},
    }  # fmt: skip


def _open(connection: Any, scope: Scope, community_id: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for home, number in overview.open_findings(connection, scope, community_id).items():
        found[home]["findings"] = number
    for home, queue, number in overview.open_operations(connection, scope, community_id):
        found[home][queue] = number
    return found


def _begins(day: str) -> str:
    """The moment at which a day begins here."""
    return stamp(datetime.fromisoformat(f"{day}T00:00:00+08:00"))


def work(house: House, actor: Actor, scope: Scope, community_id: str) -> dict[str, Any]:
    """How the work stands in each cell: who works it, what is surveyed, stale and open, and when its phones were last heard of.

    Cells are told, people are not compared: no figure here is of a person.

    Returns
    -------
    dict
        ``as_of``, ``cells`` and, for those who manage them, ``devices`` with what of theirs waits.
    """
    now, day = house.clock(), today(house)
    told = baseline(house, scope, community_id)
    # By whole days, so that the lists behind these figures can be asked for with as many rows.
    stale_before = (date.fromisoformat(day) - timedelta(days=_STALE_DAYS)).isoformat()
    visits_since = _begins((date.fromisoformat(day) - timedelta(days=_WORK_DAYS)).isoformat())
    with read(house.engine) as connection:
        names = {one.user_id: one.name for one in people.users(connection, (community_id,))}
        duties = assignments.assignments(connection, (community_id,), on=day)
        devices = installs.installs(connection, (community_id,))
        waiting = overview.waiting_by_install(connection, community_id)
        opened = _open(connection, scope, community_id)
        stale = overview.stale_households(connection, scope, community_id, _begins(stale_before))
        visits = overview.visits_since(connection, scope, community_id, visits_since)
    heard: dict[str, str] = {}
    for one in devices:
        if one.revoked_at is None and one.user_id and one.last_seen_at:
            heard[one.user_id] = max(heard.get(one.user_id, ""), one.last_seen_at)
    workers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for duty in duties:
        workers[duty.cell_id].append(
            {"user_id": duty.user_id, "name": names.get(duty.user_id), "duty": duty.duty, "from_on": duty.from_on,
             "to_on": duty.to_on, "last_seen_at": heard.get(duty.user_id)}
        )  # fmt: skip
    cells = []
    for cell in told["cells"]:
        home = cell_stream(cell["cell_id"])
        cells.append(
            {
                "cell_id": cell["cell_id"], "code": cell["code"], "name": cell["name"],
                "workers": sorted(workers[cell["cell_id"]], key=lambda one: (one["duty"] != "lead", one["from_on"])),
                "coverage": cell["coverage"], "households": cell["counts"]["household"],
                "stale_households": stale.get(home, 0), "visits": visits.get(home, 0),
                "open": {"conflicts": cell["open_conflicts"]}
                | {name: opened[home].get(name, 0) for name in _WAITING},
            }
        )  # fmt: skip
    answer: dict[str, Any] = {
        "as_of": stamp(now), "stale_days": _STALE_DAYS, "stale_before": stale_before, "visit_days": _WORK_DAYS,
        "visits_since": visits_since, "cells": cells,
    }  # fmt: skip
    if may(actor, "manage_devices", community_id=community_id):
        answer["devices"] = [
            {
                "install_id": one.install_id, "label": one.label, "user_id": one.user_id, "user_name": one.user_name,
                "enrolled_at": one.enrolled_at, "last_seen_at": one.last_seen_at, "operations": one.last_n, "unsent": one.unsent,
                "held": waiting.get(one.install_id, {}).get("held", 0),
                "quarantined": waiting.get(one.install_id, {}).get("quarantined", 0), "skew_s": one.skew_s,
                "flag": one.flag, "app_version": one.app_version, "revoked_at": one.revoked_at,
                "revoked_reason": one.revoked_reason,
            }
            for one in devices
        ]  # fmt: skip
    return answer
