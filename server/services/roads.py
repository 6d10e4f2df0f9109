"""The road network of a community: imported once, kept, and walked along by every question of reach."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geo.errors import GeoError
from geo.roads import RoadFile, read_roads
from geo.walking import OFF_ROAD_M, RoadNetwork
from server.errors import InputError, InvalidInput, NotFound
from server.permissions import Actor
from server.services.cell_files import the_one_file
from server.services.drafts import demand_publisher
from server.store import ground
from server.store import places as place_store
from server.store import roads as store
from server.store.database import read, stamp, write

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

JOINS = ("crossings", "ends")
"""Where lines meet: wherever they cross, or (drawn with bridges and tunnels) at common corners and ends only."""
MOST_LINES = 500_000
_KEPT = 8
_networks: dict[tuple[str, str, str], RoadNetwork] = {}
_gate = threading.Lock()


def import_files(
    house: House, actor: Actor, community_id: str, files: Sequence[tuple[str, bytes]], **options: Any
) -> dict[str, Any]:
    """As `import_path`, of the parts that somebody has sent (zips are unpacked)."""
    with tempfile.TemporaryDirectory(prefix="dishu-roads-") as folder:
        try:
            path = the_one_file(Path(folder), files)
        except OSError as error:
            raise _wrong("/file", "unreadable_file", "the parts of the file cannot be unpacked") from error
        named = files[0][0] if len(files) == 1 else path.name
        return import_path(house, actor, community_id, path, **{"name": named, **options})


def import_path(
    house: House,
    actor: Actor,
    community_id: str,
    path: Path,
    *,
    datum: str | None,
    table: str | None = None,
    encoding: str | None = None,
    joins: str = JOINS[0],
    name: str | None = None,
) -> dict[str, Any]:
    """Keep the lines of a file as the road network of a community, in the place of the one before.

    Parameters
    ----------
    datum : of the coordinates; asked for, never guessed
    table, encoding : as `geo.files.read_cell_file`
    joins : one of `JOINS`

    Returns
    -------
    dict
        As `told`.

    Raises
    ------
    InvalidInput
        Names the file and the feature; ``roads_elsewhere`` where no building of the community is near any road.
    NotFound, OutsideScope
    """
    demand_publisher(actor, community_id)
    if joins not in JOINS:
        raise _wrong("/joins", "choice", "one of " + ", ".join(JOINS))
    if path.suffix.lower() == ".zip":
        return import_files(
            house, actor, community_id, [(path.name, path.read_bytes())], datum=datum, table=table, encoding=encoding, joins=joins
        )
    try:
        if datum is None:
            raise GeoError("say in which datum the roads are", code="unknown_datum")
        found = read_roads(path, datum=datum, table=table, encoding=encoding)
        if len(found.lines) > MOST_LINES:
            raise GeoError(f"at most {MOST_LINES} lines are taken", code="too_many")
        network = RoadNetwork(found.lines, split_crossings=joins == JOINS[0])
    except GeoError as error:
        pointer = "/datum" if error.code == "unknown_datum" else "/file"
        raise _wrong(pointer, error.code, error.message) from error
    with read(house.engine) as connection:
        if place_store.community_row(connection, community_id) is None:
            raise NotFound("there is no such community")
        off = _off_road(connection, community_id, network)
    if len(off) and off.min() > OFF_ROAD_M:
        message = f"no building lies within {OFF_ROAD_M:g} m of these roads, the nearest is {off.min():.0f} m away: datum or place are wrong"
        raise _wrong("/file", "roads_elsewhere", message)
    blob = shapely.to_wkb(shapely.multilinestrings(list(found.lines)))
    digest = hashlib.sha256(blob + joins.encode()).hexdigest()
    with write(house.engine) as connection:
        store.replace(
            connection,
            (
                community_id, name or path.name, datum, joins, blob, digest, len(found.lines), found.metres,
                stamp(house.clock()), actor.user_id,
            ),
        )  # fmt: skip
    _keep((str(house.engine.url), community_id, digest), network)
    return told(house, community_id) | {"file": _file_told(found)}


def told(house: House, community_id: str) -> dict[str, Any]:
    """What is known of the network: where it came from, its size, how far buildings are from it. NotFound without one."""
    with read(house.engine) as connection:
        row = store.facts(connection, community_id)
        if row is None:
            raise NotFound("there is no road network of this community")
        network = network_of(connection, str(house.engine.url), community_id)
        assert network is not None
        off = _off_road(connection, community_id, network)
    return facts_told(row) | {"stretches": len(network), "buildings": snap_told(off)}


def facts_told(row: Any) -> dict[str, Any]:
    """A stored network without its lines."""
    return {
        "name": row.name, "datum": row.datum, "joins": row.joins, "lines": row.line_count, "length_m": round(row.length_m, 1),
        "content_hash": row.content_hash, "added_at": row.added_at,
    }  # fmt: skip


def snap_told(off: Any) -> dict[str, Any]:
    """How far buildings are from the nearest road; ``beyond`` are too far to have a way along the roads."""
    known = off[np.isfinite(off)]
    middle, most = (np.quantile(known, (0.5, 0.95)).round(1).tolist() if len(known) else (None, None))
    return {
        "count": len(known), "median_m": middle, "p95_m": most, "farthest_m": round(float(known.max()), 1) if len(known) else None,
        "beyond": int((known > OFF_ROAD_M).sum()), "off_road_m": OFF_ROAD_M,
    }  # fmt: skip


def remove(house: House, actor: Actor, community_id: str) -> None:
    """Forget the network; questions are answered by straight lines again. NotFound without one."""
    demand_publisher(actor, community_id)
    with write(house.engine) as connection:
        if not store.remove(connection, community_id):
            raise NotFound("there is no road network of this community")


def network_of(connection: Connection, url: str, community_id: str) -> RoadNetwork | None:
    """The network, ready to be walked; it is kept in memory while it is the one on record. None without one."""
    row = store.facts(connection, community_id)
    if row is None:
        return None
    key = (url, community_id, row.content_hash)
    with _gate:
        known = _networks.get(key)
    if known is None:
        blob = store.lines(connection, community_id)
        assert blob is not None
        known = RoadNetwork(shapely.get_parts(shapely.from_wkb(blob)), split_crossings=row.joins == JOINS[0])
        _keep(key, known)
    return known


def _keep(key: tuple[str, str, str], network: RoadNetwork) -> None:
    with _gate:
        for other in [one for one in _networks if one[:2] == key[:2]]:
            del _networks[other]
        while len(_networks) >= _KEPT:
            del _networks[next(iter(_networks))]
        _networks[key] = network


def _off_road(connection: Connection, community_id: str, network: RoadNetwork) -> Any:
    buildings = ground.buildings(connection, community_id)
    return network.off_road(lons=[one.lon for one in buildings], lats=[one.lat for one in buildings])


def _file_told(found: RoadFile) -> dict[str, Any]:
    return {"kind": found.kind, "features": found.features, "empty": found.empty}


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
