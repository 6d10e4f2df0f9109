"""The one policy for coordinate datums: everything is kept in CGCS2000 degrees (EPSG:4490), longitude first.

WGS-84 and CGCS2000 are taken as equal (a null transform): they differ by what the plates moved since epoch
2000.0, up to about a metre. That is below any phone fix; surveyed points that need more must be given in CGCS2000.
GCJ-02 and BD-09 are converted by ``china_offset``. No function guesses a datum: an undeclared one is an error (L2).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.baidu_metres import bd09_to_metres, metres_to_bd09
from geo.china_offset import bd09_to_gcj02, gcj02_to_bd09, gcj02_to_wgs84, wgs84_to_gcj02
from geo.errors import UnknownDatum

Coordinate = TypeVar("Coordinate", float, NDArray[np.float64])

DATUMS = ("wgs84", "cgcs2000", "gcj02", "bd09")
# Baidu's Mercator metres: x and y stand in the places of lon and lat. Files may have them, a location may not.
METRES = "bd09mc"
SHIFTED = ("gcj02", "bd09", METRES)

# Stored beside every converted pair. A change of any formula, constant or step count needs a new number.
CONVERTER_VERSION = "1"


def check_datum(datum: object) -> str:
    """The datum itself; UnknownDatum when it is missing or not one of ``DATUMS`` or ``METRES``."""
    if isinstance(datum, str) and (datum in DATUMS or datum == METRES):
        return datum
    raise UnknownDatum(datum)


def to_cgcs2000(*, lon: Coordinate, lat: Coordinate, datum: str) -> tuple[Coordinate, Coordinate]:
    """Convert degrees of a declared datum to CGCS2000.

    Parameters
    ----------
    lon, lat : float or ndarray of float
        Degrees (metres east and north for ``METRES``). Arrays broadcast against each other; NaN stays NaN; empty gives empty.
    datum : str
        One of ``DATUMS``, or ``METRES``.

    Returns
    -------
    (lon, lat)
        Of the same kind and shape, *not* snapped. Inverse conversions are within 1 mm.

    Raises
    ------
    UnknownDatum
        For any other ``datum``, None included.
    """
    check_datum(datum)
    if datum == METRES:
        lon, lat = metres_to_bd09(x=lon, y=lat)
    if datum in ("bd09", METRES):
        lon, lat = bd09_to_gcj02(lon=lon, lat=lat)
    if datum in SHIFTED:
        lon, lat = gcj02_to_wgs84(lon=lon, lat=lat)
    return lon, lat


def from_cgcs2000(*, lon: Coordinate, lat: Coordinate, datum: str) -> tuple[Coordinate, Coordinate]:
    """Convert CGCS2000 degrees to another datum; shapes and errors as in :func:`to_cgcs2000`."""
    check_datum(datum)
    if datum in SHIFTED:
        lon, lat = wgs84_to_gcj02(lon=lon, lat=lat)
    if datum in ("bd09", METRES):
        lon, lat = gcj02_to_bd09(lon=lon, lat=lat)
    if datum == METRES:
        lon, lat = bd09_to_metres(lon=lon, lat=lat)
    return lon, lat


def convert_geometry(geometry: Any, *, datum: str) -> Any:
    """Convert every vertex of a shapely geometry (or array of them) to CGCS2000; None stays None."""
    check_datum(datum)
    if datum not in SHIFTED:
        return geometry

    def move(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
        lons, lats = to_cgcs2000(lon=vertices[:, 0], lat=vertices[:, 1], datum=datum)
        return np.column_stack([lons, lats])

    return shapely.transform(geometry, move)
