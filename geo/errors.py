"""What can go wrong with places. No HTTP here: the server maps these classes to problem details.

Messages name the place in the input (feature index, JSON pointer) and never repeat a personal value.
"""

from __future__ import annotations


class GeoError(Exception):
    """Base of every error of this room. ``code`` is a stable word that programs may switch on."""

    def __init__(self, message: str, *, code: str = "geo_error") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class MalformedGeoJSON(GeoError):
    """The text is not the GeoJSON that was asked for; ``feature_index`` counts from 0, None for the whole file."""

    def __init__(self, message: str, *, feature_index: int | None = None) -> None:
        where = "" if feature_index is None else f"feature {feature_index}: "
        super().__init__(where + message, code="malformed_geojson")
        self.feature_index = feature_index


class UnknownDatum(GeoError):
    """A datum that is missing or is none of ``geo.datum.DATUMS``."""

    def __init__(self, datum: object) -> None:
        named = "no datum declared" if datum is None else "unknown datum"
        super().__init__(f"{named}; say one of wgs84, cgcs2000, gcj02, bd09", code="unknown_datum")
        self.datum = datum


class LocationError(GeoError):
    """A location value that cannot be accepted; ``pointer`` is relative to the location object."""

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(message, code=code)
        self.pointer = pointer


class ProfileError(GeoError):
    """A cell code profile whose own definition is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="bad_profile")
