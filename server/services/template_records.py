"""From a filled cell to its records: which, and what they are called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from forms.template_grammar import CELLS
from server.permissions import Scope
from server.services.labels import title_of
from server.services.looks import Look, seen
from server.services.roster_grounds import community_ground
from server.services.template_runs import came_from, traces_of
from server.store import rosters as store
from server.store.database import read
from server.store.jobs import Job

if TYPE_CHECKING:
    from server.house import House

MOST_TOLD = 2_000
_CELL = re.compile(r"[A-Za-z]{1,3}[1-9][0-9]{0,6}\Z")


def is_cell(text: str) -> bool:
    """Whether a text names a cell, such as ``B5``."""
    return _CELL.match(text) is not None


def places(house: House, job: Job) -> list[dict[str, Any]]:
    """The filled places of a run: single cells, and for each list its first and last row."""
    found: list[dict[str, Any]] = []
    lists: dict[tuple[str, str, str], dict[str, Any]] = {}
    for part, one in traces_of(house, job):
        if one.cell:
            found.append({"part": part, "sheet": one.sheet, "cell": one.cell, "source": one.source, "count": len(one.ids)})
            continue
        known = lists.get((part, one.sheet, one.at))
        if known is None:
            known = lists[part, one.sheet, one.at] = {
                "part": part, "sheet": one.sheet, "first": one.row, "last": one.row, "source": one.source, "count": 0
            }
            found.append(known)
        known["last"] = one.row
        known["count"] += 1
    return found


def records(house: House, scope: Scope, job: Job, look: Look, *, sheet: str, cell: str, part: str = "") -> list[dict[str, Any]]:
    """The records behind a filled cell with what they are called, as far as the scope sees them; of each source ``count`` in all.

    Raises
    ------
    NotFound
        Nothing was filled there, or it is no longer known.
    """
    told, personal, shown = [], set(), 0
    ground = community_ground(house, scope, job.community_id)
    for source, ids in came_from(house, job, sheet=sheet, cell=cell, part=part):
        if source == CELLS:
            rows = [{"type": "cell", "id": one, "title": ground.codes.get(f"cell/{one}"), "gone": False} for one in ids]
            told.append({"source": source, "count": len(ids), "records": rows})
            continue
        with read(house.engine) as connection:
            entries = store.entries_by_id(connection, job.community_id, ids[:MOST_TOLD])
        rows = []
        for one in ids[:MOST_TOLD]:
            entry = entries.get(one)
            if entry is None or not scope.sees_stream(job.community_id, entry.home):
                rows.append({"type": None, "id": one, "title": None, "gone": True})
                continue
            title, field = title_of(house.registry.latest(entry.type), entry.fields, personal=scope.fields == "all")
            if field is not None:
                personal.add(f"{entry.type}.{field}")
            rows.append({"type": entry.type, "id": one, "title": title, "gone": entry.life != "live"})
        shown += len(rows)
        told.append({"source": source, "count": len(ids), "records": rows})
    seen(house, look, scope, job.community_id, fields=personal, count=shown, where=f"run={job.job_id} {sheet}!{cell}")
    return told
