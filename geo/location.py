"""One location value, as it travels and as it is kept (rule L2).

On the wire: ``{"lon","lat","datum","accuracy_m"?,"confidence"?,"method"?,"at"?}`` in the declared datum. Kept:
the same with ``lon``/``lat`` in CGCS2000 on the 1e-7 grid, plus ``raw`` (the pair as given) and ``converter``.
``datum`` keeps naming the datum of ``raw``. Errors carry a pointer relative to the location object.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from geo.datum import CONVERTER_VERSION, DATUMS, to_cgcs2000
from geo.errors import LocationError
from geo.snap import UNITS_PER_DEGREE, snap_degrees

METHODS = ("survey", "map_pick", "gps", "address", "import")
CONFIDENCES = (0.95, 0.68)

# West, south, east, north: China with its seas, generously. Catches swapped axes, zeros and projected metres.
PLAUSIBLE_BOX = (70.0, 0.5, 140.0, 56.0)

# A stored pair and its reconversion may differ by the last bits of another machine's sine, never by more.
_AGREE_DEGREES = 2 / UNITS_PER_DEGREE

# Radius factor from 68 % to 95 % of a circular normal error: sqrt(ln 0.05 / ln 0.32).
SCALE_68_TO_95 = math.sqrt(math.log(0.05) / math.log(0.32))

# A fix that does not say how good it is may come from Wi-Fi; the circle that it is given (95 %).
UNKNOWN_GPS_RADIUS_M = 50.0

_KEY_ORDER = ("lon", "lat", "datum", "accuracy_m", "confidence", "method", "at", "raw", "converter")


def canonical_location(
    value: Mapping[str, Any], *, box: tuple[float, float, float, float] = PLAUSIBLE_BOX
) -> dict[str, Any]:
    """Check a location value and give it the form in which it is kept.

    Parameters
    ----------
    value : mapping
        A wire value, or a canonical one (it has ``raw`` and ``converter``): the function is idempotent.
    box : (west, south, east, north)
        Degrees inside which a CGCS2000 pair is plausible, edges included.

    Returns
    -------
    dict
        A new dict in canonical key order. Keys that this version does not know are kept behind the known ones.

    Raises
    ------
    LocationError
        ``not_an_object``, ``datum_missing``, ``unknown_datum``, ``not_a_number``, ``axes_swapped``, ``outside_box``,
        ``out_of_range`` (negative accuracy), ``unknown_confidence``, ``unknown_method``, ``not_text``,
        ``unknown_converter``, or ``raw_mismatch``: the value says that it is canonical, but ``lon``/``lat`` are not
        what ``raw`` converts to, so somebody moved one pair and not the other.
    """
    if not isinstance(value, Mapping):
        raise LocationError("", "not_an_object", "a location is an object with lon, lat and datum")
    datum = value.get("datum")
    if datum is None:
        raise LocationError("/datum", "datum_missing", "a location without a declared datum is not accepted")
    if datum not in DATUMS:
        raise LocationError("/datum", "unknown_datum", f"datum must be one of {', '.join(DATUMS)}")
    lon, lat = _number(value, "/lon", "lon"), _number(value, "/lat", "lat")
    is_canonical = "raw" in value or "converter" in value
    raw_lon, raw_lat = _raw_pair(value) if is_canonical else (lon, lat)
    if not math.isfinite(raw_lon + raw_lat) or abs(raw_lon) > 360.0 or abs(raw_lat) > 360.0:
        raise LocationError("/lon", "outside_box", "lon and lat must be degrees")
    at_lon, at_lat = to_cgcs2000(lon=raw_lon, lat=raw_lat, datum=datum)
    at_lon, at_lat = snap_degrees(at_lon), snap_degrees(at_lat)
    _check_box(at_lon, at_lat, box)
    if is_canonical and (abs(at_lon - lon) > _AGREE_DEGREES or abs(at_lat - lat) > _AGREE_DEGREES):
        raise LocationError("/raw", "raw_mismatch", "lon and lat are not what the raw pair converts to")
    if is_canonical:
        at_lon, at_lat = snap_degrees(lon), snap_degrees(lat)

    known: dict[str, Any] = {"lon": at_lon, "lat": at_lat, "datum": datum}
    known |= _quality(value)
    known |= {"raw": {"lon": raw_lon, "lat": raw_lat}, "converter": CONVERTER_VERSION}
    result = {key: known[key] for key in _KEY_ORDER if key in known}
    for key in sorted(key for key in value if key not in _KEY_ORDER):
        result[key] = value[key]
    return result


def _raw_pair(value: Mapping[str, Any]) -> tuple[float, float]:
    raw = value.get("raw")
    if not isinstance(raw, Mapping):
        raise LocationError("/raw", "not_an_object", "a converted location keeps its raw pair")
    if value.get("converter") != CONVERTER_VERSION:
        raise LocationError("/converter", "unknown_converter", f"converter must be {CONVERTER_VERSION!r}")
    return _number(raw, "/raw/lon", "lon"), _number(raw, "/raw/lat", "lat")


def _quality(value: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracy, confidence, method and time, checked; keys that were absent or null stay absent."""
    quality: dict[str, Any] = {}
    if value.get("accuracy_m") is not None:
        quality["accuracy_m"] = _number(value, "/accuracy_m", "accuracy_m", keep_integers=True)
        if quality["accuracy_m"] < 0:
            raise LocationError("/accuracy_m", "out_of_range", "accuracy_m must be 0 or more")
    confidence = value.get("confidence")
    if confidence is not None:
        if isinstance(confidence, bool) or confidence not in CONFIDENCES:
            raise LocationError("/confidence", "unknown_confidence", "confidence must be 0.95 or 0.68")
        quality["confidence"] = float(confidence)
    method = value.get("method")
    if method is not None:
        if method not in METHODS:
            raise LocationError("/method", "unknown_method", f"method must be one of {', '.join(METHODS)}")
        quality["method"] = method
    at = value.get("at")
    if at is not None:
        if not isinstance(at, str):
            raise LocationError("/at", "not_text", "at must be an ISO 8601 time")
        quality["at"] = at
    return quality


def radius_m95(location: Mapping[str, Any]) -> float:
    """The 95 % radius in metres of a location, as its accuracy, confidence and method say.

    68 % radii (Android) are scaled by 1.62, circular normal error assumed; an accuracy that does not name its
    confidence is read as 68 %, the cautious reading. Without accuracy (or with 0, which some SDKs mean as "unknown")
    a phone fix, or a fix whose method is not told, gets ``UNKNOWN_GPS_RADIUS_M``, anything else 0.
    """
    accuracy_m = location.get("accuracy_m") or 0.0
    if accuracy_m <= 0:
        return UNKNOWN_GPS_RADIUS_M if location.get("method") in (None, "gps") else 0.0
    return float(accuracy_m) if location.get("confidence") == 0.95 else float(accuracy_m) * SCALE_68_TO_95


def _number(holder: Mapping[str, Any], pointer: str, key: str, *, keep_integers: bool = False) -> float:
    number = holder.get(key)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise LocationError(pointer, "not_a_number", f"{pointer[1:]} must be a number")
    try:
        as_float = float(number)
    except OverflowError:
        as_float = math.inf
    if not math.isfinite(as_float):
        raise LocationError(pointer, "not_a_number", f"{pointer[1:]} must be finite")
    return number if keep_integers else as_float


def _check_box(lon: float, lat: float, box: tuple[float, float, float, float]) -> None:
    west, south, east, north = box
    if west <= lon <= east and south <= lat <= north:
        return
    if west <= lat <= east and south <= lon <= north:
        raise LocationError("/lon", "axes_swapped", "lon and lat seem to be swapped")
    pointer = "/lat" if west <= lon <= east else "/lon"
    raise LocationError(pointer, "outside_box", f"{pointer[1:]} is outside the area this system serves")
