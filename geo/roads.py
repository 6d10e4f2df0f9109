"""Roads and paths from GIS files, for walks along them: lines in CGCS2000 degrees, or what is wrong and with which feature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from geo.datum import METRES, check_datum, convert_geometry
from geo.errors import GeoError
from geo.files import kind_of, read_table
from geo.location import PLAUSIBLE_BOX
from geo.metric import metres_per_degree


@dataclass(frozen=True, slots=True)
class RoadFile:
    """Lines of a file, one for each part; ``features`` had a line, ``empty`` had none (no geometry, or no length)."""

    lines: tuple[Any, ...]
    kind: str
    features: int
    empty: int

    @property
    def metres(self) -> float:
        """Length of all lines, good to a few in a thousand."""
        return length_m(self.lines)


def length_m(lines: Any) -> float:
    """Metres of lines in degrees, at the scale of their middle latitude; 0 for none."""
    if not len(lines):
        return 0.0
    _, south, _, north = shapely.total_bounds(np.array(lines, dtype=object)).tolist()
    east_m, north_m = metres_per_degree((south + north) / 2)
    scaled = shapely.transform(np.array(lines, dtype=object), lambda at: at * np.array([float(east_m), float(north_m)]))
    return float(shapely.length(scaled).sum())


def read_roads(path: Path, *, datum: str, table: str | None = None, encoding: str | None = None) -> RoadFile:
    """Read the lines of a GeoPackage, Shapefile, FlatGeobuf, KML or GeoJSON file.

    Parameters
    ----------
    path, table, encoding
        As in :func:`geo.files.read_cell_file`.
    datum : str
        Of the coordinates, ``METRES`` too; never guessed.

    Returns
    -------
    RoadFile
        Parts of length 0 are left out.

    Raises
    ------
    GeoError
        As :func:`geo.files.read_cell_file`; ``not_a_line`` and ``outside_china`` name the feature, counted from 0 in the
        order of the file; ``no_roads`` when no line is left; ``unknown_datum``.
    """
    check_datum(datum)
    kind = kind_of(path)
    read = read_table(path, table=table, encoding=encoding, is_metres=datum == METRES)
    found: list[Any] = []
    owners: list[int] = []
    for number, shape in enumerate(read.geometries):
        parts = [] if shape is None else [one for part in shapely.get_parts(shape) for one in shapely.get_parts(part)]
        wrong = next((one.geom_type for one in parts if one.geom_type != "LineString"), None)
        if wrong is not None:
            raise GeoError(f"{path.name}: feature {number} is a {wrong}; lines are expected", code="not_a_line")
        sound = [one for one in parts if one.length > 0]
        found += sound
        owners += [number] * len(sound)
    if not found:
        raise GeoError(f"{path.name} holds no lines", code="no_roads")
    lines = convert_geometry(np.array(found, dtype=object), datum=datum)
    bounds = shapely.bounds(lines)
    west, south, east, north = PLAUSIBLE_BOX
    is_inside = ((bounds[:, :2] >= (west, south)) & (bounds[:, 2:] <= (east, north))).all(axis=1)
    if not is_inside.all():
        at = int(np.flatnonzero(~is_inside)[0])
        place = f"{bounds[at, 0]:.5f},{bounds[at, 1]:.5f}"
        raise GeoError(
            f"{path.name}: feature {owners[at]} lies at {place}, outside of China: axes or datum are wrong", code="outside_china"
        )
    return RoadFile(tuple(lines), kind, len(set(owners)), len(read.geometries) - len(set(owners)))
