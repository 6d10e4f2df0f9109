"""Dedicated cells: a second layer with streams of its own; every record lies in one of them or in none (L4, S20).

They never decide a record's home. A new edition of them changes which of their streams show a record, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from geo.cell import DEDICATED_LAYER
from server.services.carry import ENGINE_VERSION
from server.services.move_plan import FOLLOWS, LIES, Moved, MovePlan, Progress, hash_of
from server.services.places import Places
from server.store import moving as store
from server.store import push as reading
from server.store import writing
from sync.digest import MODULUS
from sync.feedrows import PUT, REMOVE, Counter

if TYPE_CHECKING:
    from forms.registry import Registry
    from server.permissions import Actor
    from server.store.database import Connection

SYSTEM_INSTALL = "~system"
NOWHERE = ""
"""The dedicated stream of what lies in no dedicated cell."""


def plan_dedicated(
    connection: Connection,
    registry: Registry,
    community_id: str,
    places: Places,
    version: int,
    progress: Progress | None = None,
) -> MovePlan:
    """Which records come into, leave or change their dedicated cell; homes of the plan are dedicated streams or ``NOWHERE``."""
    types = tuple(name for name in registry.types() if "@anchor" in registry.latest(name).placed_by)
    rows = store.located(connection, community_id, types)
    plan = MovePlan(places.edition_id or "", version, {}, judged=len(rows))
    if progress is not None:
        progress(0, max(len(rows), 1))
    found = places.index.locate_many(lons=np.array([row.lon for row in rows]), lats=np.array([row.lat for row in rows]))
    streams = [*(f"dedicated/{cell_id}" for cell_id in places.index.cell_ids), NOWHERE]
    frontier: dict[str, Moved] = {}
    for row, at in zip(rows, found.tolist(), strict=True):
        if (row.dedicated or NOWHERE) != streams[at]:
            frontier[row.id] = _moved(row, streams[at], LIES, row.id)
    while frontier:
        plan.moves |= frontier
        held = store.placed_by(connection, community_id, list(frontier))
        frontier = {
            row.id: _moved(row, parent.to_home, FOLLOWS, parent.root)
            for row in held
            if (parent := plan.moves[str(row.place_parent)]).to_home != (row.dedicated or NOWHERE)
        }
    if progress is not None:
        progress(max(len(rows), 1), max(len(rows), 1))
    return plan


def _moved(row: Any, stream: str, why: str, root: str) -> Moved:
    return Moved(
        row.id, row.type, row.dedicated or NOWHERE, stream, why, root, None, row.life, row.v, row.tag, row.created_install
    )  # fmt: skip


def carry_dedicated(
    connection: Connection, actor: Actor, community_id: str, plan: MovePlan, *, number: int, at: str
) -> None:
    """Write the plan, and the journal entry ``number`` that tells its streams."""
    moves = list(plan.moves.values())
    wanted = {stream for one in moves for stream in (one.from_home, one.to_home) if stream != NOWHERE}
    counters = {
        stream: Counter.read(*row) for stream, row in reading.lock_streams(connection, community_id, wanted).items()
    }
    rows: list[tuple[Any, ...]] = []
    for one in moves:
        if one.life != "live":
            continue
        for stream, kind, reason, step in ((one.from_home, REMOVE, "moved", -1), (one.to_home, PUT, None, 1)):
            if stream == NOWHERE:
                continue
            counter = counters[stream]
            counter.seq += 1
            counter.count += step
            counter.digest = (counter.digest + step * hash_of(one)) % MODULUS
            rows.append((stream, counter.seq, one.id, kind, reason, one.v, one.tag))
    rows.sort(key=lambda row: (row[0], row[1]))
    store.write_dedicated(connection, community_id, [(one.to_home or None, one.id) for one in moves], at)
    store.write_feed(connection, community_id, rows)
    told = {stream: counter.row() for stream, counter in counters.items()}
    store.write_counters(connection, community_id, [(stream, *row) for stream, row in told.items()])
    touched = {row[0] for row in rows}
    effects = {"records": {}, "moves": {}, "streams": {stream: row for stream, row in told.items() if stream in touched}}
    configuration = {"edition": plan.edition_id, "layer": DEDICATED_LAYER}
    writing.insert_journal(
        connection,
        (
            community_id, number, "publish", at, actor.user_id, SYSTEM_INSTALL, "console", ENGINE_VERSION,
            orjson.dumps(configuration).decode(), orjson.dumps(effects).decode(),
        ),
    )  # fmt: skip
