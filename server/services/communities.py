"""Communities: made by whoever runs the house, with their codes, the profile of their cells, and their outline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import shapely

from geo.cells import read_cells
from geo.errors import GeoError, MalformedGeoJSON, ProfileError, UnknownDatum
from geo.problem import ERROR
from geo.profile import CN15
from server.errors import AlreadyExists, InputError, InvalidInput, MalformedBody, NotFound, OutsideScope
from server.permissions import HOUSE, Actor
from server.services.audit import Look, line_of
from server.services.code_profiles import code_profile
from server.services.drafts import refused
from server.store import assignments as store
from server.store import audit as audit_store
from server.store import places
from server.store.assignments import Community
from server.store.database import read, stamp, write

if TYPE_CHECKING:
    from server.house import House

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
# What a file says of its own cells; an outline has no codes and no order.
_OF_CELLS = frozenset({"code_missing", "code_is_number", "order_not_whole", "unknown_layer"})


def add_community(
    house: House,
    actor: Actor,
    *,
    code: str,
    name: str,
    community_id: str | None = None,
    subdistrict_code: str | None = None,
    district_code: str | None = None,
    profile: str = CN15.name,
    boundary: Any = None,
) -> Community:
    """Make a community.

    Parameters
    ----------
    code : of the community under its profile, such as the first 12 digits of a 15-digit cell code
    community_id : what the house calls it; None: its code
    subdistrict_code, district_code : 9 and 6 digits; None: the beginning of the code
    boundary : shapely polygon in CGCS2000 degrees (`read_boundary`); None: the cells may lie anywhere

    Raises
    ------
    InvalidInput, AlreadyExists, OutsideScope
        InvalidInput names every field that is not acceptable.
    """
    if actor.role != "admin" or actor.community_id != HOUSE:
        raise OutsideScope("communities are made by an administrator of the house")
    new = Community(
        community_id or code, code, name.strip(), subdistrict_code or code[:9], district_code or code[:6], profile
    )
    wrong = _wrong(house, new)
    if wrong:
        raise InvalidInput("the community is not acceptable", errors=wrong)
    at = stamp(house.clock())
    with write(house.engine) as connection:
        for one in store.communities(connection):
            if new.community_id == one.community_id or new.code == one.code:
                raise AlreadyExists("a community with this id or code exists")
        store.add_community(
            connection, new, at=at, boundary=None if boundary is None else shapely.to_wkb(boundary, output_dimension=2)
        )
        look = Look(actor, "change", "community made")
        audit_store.append(connection, line_of(house, look, scope=new.community_id, community_id=new.community_id))
    return new


def set_boundary(house: House, actor: Actor, community_id: str, boundary: Any) -> None:
    """Give a community another outline; it counts from the next edition on."""
    if actor.role != "admin" or actor.community_id != HOUSE:
        raise OutsideScope("the outline of a community is set by an administrator of the house")
    with write(house.engine) as connection:
        if store.community_of(connection, community_id) is None:
            raise NotFound("there is no such community")
        places.set_boundary(connection, community_id, shapely.to_wkb(boundary, output_dimension=2))
        look = Look(actor, "change", "boundary set")
        audit_store.append(connection, line_of(house, look, scope=community_id, community_id=community_id))


def list_communities(house: House) -> list[Community]:
    """Every community, by code."""
    with read(house.engine) as connection:
        return store.communities(connection)


def read_boundary(source: bytes, *, datum: str | None) -> Any:
    """The outline of a community from GeoJSON: the union of the polygons of a FeatureCollection, Feature or geometry.

    Returns
    -------
    shapely Polygon or MultiPolygon
        CGCS2000 degrees on the 1e-7 grid.

    Raises
    ------
    MalformedBody, InvalidInput, CellsRefused
        As `drafts.read_draft`; an outline that crosses itself is refused with the place.
    """
    try:
        document = orjson.loads(source.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"not JSON at line {error.lineno}, column {error.colno}") from error
    if isinstance(document, dict) and document.get("type") in {"Polygon", "MultiPolygon"}:
        document = {"type": "Feature", "properties": None, "geometry": document}
    if isinstance(document, dict) and document.get("type") == "Feature":
        document = {"type": "FeatureCollection", "features": [document]}
    try:
        draft = read_cells(document, datum=datum)
    except (MalformedGeoJSON, UnknownDatum, GeoError) as error:
        pointer = "/datum" if isinstance(error, UnknownDatum) else "/boundary"
        raise InvalidInput(error.message, errors=[InputError(pointer, error.code, error.message)]) from error
    problems = [one for one in draft.problems if one.severity == ERROR and one.code not in _OF_CELLS]
    if problems:
        raise refused(problems, "the boundary cannot be used")
    if not draft.cells:
        raise InvalidInput("no polygon", errors=[InputError("/boundary", "empty", "at least one polygon is expected")])
    return shapely.union_all([cell.geometry for cell in draft.cells], grid_size=1e-7)


def _wrong(house: House, new: Community) -> list[InputError]:
    found = [
        InputError(pointer, code, message)
        for holds, pointer, code, message in (
            (_ID.fullmatch(new.community_id), "/id", "format", "1 to 60 letters, digits, dots, dashes"),
            (0 < len(new.name) <= 60 and new.name.isprintable(), "/name", "length", "1 to 60 characters"),
            (re.fullmatch("[0-9]{9}", new.subdistrict_code), "/subdistrict", "format", "9 digits"),
            (re.fullmatch("[0-9]{6}", new.district_code), "/district", "format", "6 digits"),
        )
        if not holds
    ]
    try:
        profile = code_profile(house, new.code_profile)
    except ProfileError as error:
        return [*found, InputError("/profile", error.code, error.message)]
    width = sum(one.width for one in profile.segments if one.name in profile.community_segments)
    if not re.fullmatch("[0-9A-Za-z-]{1,40}", new.code) or (width and len(new.code) != width):
        wanted = f"{width} characters under {profile.name}" if width else "1 to 40 letters and digits"
        found.append(InputError("/code", "format", wanted))
    return found
