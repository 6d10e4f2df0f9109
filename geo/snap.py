"""The 1e-7 degree grid that every test of this room runs on (rule L1).

A coordinate becomes ``floor(degrees * 10**7 + 0.5)``: two IEEE operations that Python and TypeScript do
alike. On these integers (below 2**31) orientation tests are exact, so both languages give one answer.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

UNITS_PER_DEGREE = 10_000_000


def snap(degrees: float) -> int:
    """Grid units of one coordinate in degrees. ValueError/OverflowError when it is not finite."""
    return math.floor(degrees * UNITS_PER_DEGREE + 0.5)


def snap_degrees(degrees: float) -> float:
    """The same coordinate rounded to the grid, in degrees; idempotent."""
    return snap(degrees) / UNITS_PER_DEGREE


def snap_units(degrees: ArrayLike) -> NDArray[np.float64]:
    """Grid units of an array of degrees, any shape in, the same shape out, as whole floats; NaN stays NaN."""
    return np.floor(np.asarray(degrees, dtype=np.float64) * UNITS_PER_DEGREE + 0.5)


def units_geometry(geometry: Any) -> Any:
    """A geometry (or array of geometries) in degrees → the same on whole grid units."""
    return shapely.transform(geometry, snap_units)


def degrees_geometry(geometry: Any) -> Any:
    """A geometry (or array) on grid units → degrees. Whole units divide to the nearest double of the decimal."""
    return shapely.transform(geometry, lambda units: units / UNITS_PER_DEGREE)
