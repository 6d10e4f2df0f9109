"""Baidu's Mercator metres (BD-09MC) to and from BD-09 degrees.

The published forward rule is a polynomial of the sixth degree in each of six belts of latitude. The inverse that is
usually published is another set of polynomials, centimetres off; here the forward rule itself is undone by Newton's
method. The coefficients are publicly known facts, checked against outside vectors in ``tests/vectors/datum``.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Coordinate = TypeVar("Coordinate", float, NDArray[np.float64])

# Lower edge of each belt in degrees; the last belt reaches the pole.
_BELTS = np.array([0.0, 15.0, 30.0, 45.0, 60.0, 75.0])
# x = east0 + east1·|lon|; y = sum of c_k (|lat| / unit)^k, k from 0 to 6.
_EAST0 = np.array(
    [-0.0003218135878613132, -0.0003441963504368392, 0.00220636496208, 0.00337398766765, 0.0008277824516172526,
     -0.0015702102444]
)  # fmt: skip
_EAST1 = np.array(
    [111320.7020701615, 111320.7020576856, 111320.7020209128, 111320.7020202162, 111320.7020463578, 111320.7020616939]
)
_UNIT = np.array([7.45, 22.5, 37.5, 52.5, 67.5, 82.5])
_NORTH = np.array([
    [0.00369383431289, 823725.6402795718, 0.46104986909093, 2351.343141331292, 1.58060784298199, 8.77738589078284,
     0.37238884252424],
    [278.2353980772752, 2485758.690035394, 6070.750963243378, 54821.18345352118, 9540.606633304236, -2710.55326746645,
     1405.483844121726],
    [51751.86112841131, 3796837.749470245, 992013.7397791013, -1221952.21711287, 1340652.697009075, -620943.6990984312,
     144416.9293806241],
    [4481351.045890365, -23393751.19931662, 79682215.47186455, -115964993.2797253, 97236711.15602145,
     -43661946.33752821, 8477230.501135234],
    [647795574.6671607, -4082003173.641316, 10774905663.51142, -15171875531.51559, 12053065338.62167,
     -5124939663.577472, 913311935.9512032],
    [1704480524535203.0, -10338987376042340.0, 26112667856603880.0, -35149669176653700.0, 26595700718403920.0,
     -10725012454188240.0, 1800819912950474.0],
])  # fmt: skip

_STEPS = 5  # Newton doubles the right digits with every step


def bd09_to_metres(*, lon: Coordinate, lat: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Project BD-09 degrees to Baidu's metres.

    Parameters
    ----------
    lon, lat : float or ndarray of float
        BD-09 degrees; arrays broadcast; NaN stays NaN; empty gives empty. The rule is made for up to 74° of latitude.

    Returns
    -------
    (x, y)
        Metres east and north, of the same kind. A latitude on the edge of two belts goes by the lower one.
    """
    lons, lats = np.broadcast_arrays(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    belt = _belt(np.abs(lats), _BELTS, side="left")
    x = np.copysign(_EAST0[belt] + _EAST1[belt] * np.abs(lons), lons)
    y = np.copysign(_north(np.abs(lats), belt)[0], lats)
    return _like(lon, x), _like(lon, y)


def metres_to_bd09(*, x: Coordinate, y: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Undo :func:`bd09_to_metres` to far below 1 mm; shapes as there.

    Where two belts meet the forward rule jumps (1 cm at 15°, 4 cm at 30°, 41 cm at 45°). A y inside such a jump belongs
    to no latitude and gets the edge's.
    """
    xs, ys = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    height = np.abs(ys)
    belt = _belt(height, _EDGES, side="right")
    low, high = _BELTS[belt], np.append(_BELTS[1:], 90.0)[belt]
    bottom = _EDGES[belt]
    top = np.append(_EDGES[1:], _north(np.array([85.0]), np.array([5]))[0])[belt]
    lat = low + (high - low) * (height - bottom) / (top - bottom)
    for _ in range(_STEPS):
        value, slope = _north(lat, belt)
        lat = np.clip(lat + (height - value) / slope, low, high)
    lon = (np.abs(xs) - _EAST0[belt]) / _EAST1[belt]
    return _like(x, np.copysign(lon, xs)), _like(x, np.copysign(lat, ys))


def _belt(
    value: NDArray[np.float64], edges: NDArray[np.float64], *, side: Literal["left", "right"]
) -> NDArray[np.intp]:
    # NaN sorts behind all, so it falls in the last belt and stays NaN there.
    return np.clip(np.searchsorted(edges, value, side=side) - 1, 0, len(edges) - 1)


def _north(lat: NDArray[np.float64], belt: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres north of latitudes ≥ 0 in given belts, and metres for each degree."""
    t, factor = lat / _UNIT[belt], _NORTH[belt]
    value, slope = np.zeros_like(t), np.zeros_like(t)
    for power in range(6, -1, -1):
        slope = slope * t + value
        value = value * t + factor[..., power]
    return value, slope / _UNIT[belt]


def _like(given: Coordinate, found: NDArray[np.float64]) -> Coordinate:
    return float(found) if isinstance(given, (int, float)) else found


# Metres at the lower edge of each belt, by the belt's own rule.
_EDGES = _north(_BELTS, np.arange(6))[0]
