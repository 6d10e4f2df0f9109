"""The customer's own map under the cells: one PMTiles file for the house or a community, which phones fetch once.

The file is the customer's, is never changed here, and lies outside the database: in ``basemaps/`` of the data folder, as
``all.pmtiles`` or ``<community id>.pmtiles``. Format: https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import shapely

from server.errors import InputError, InvalidInput, NotFound
from server.permissions import Actor
from server.services.audit import Look, line_of
from server.store import assignments
from server.store import audit as audit_store
from server.store import reference as store
from server.store.database import read, write

if TYPE_CHECKING:
    from server.house import House

MEDIA_TYPE = "application/vnd.pmtiles"
FOLDER = "basemaps"
EVERYWHERE = "all"

_MAGIC = b"PMTiles\x03"
_HEADER = struct.Struct("<8s11Q6B4i")
_HEADER_BYTES = 127
_KINDS = {1: "vector", 2: "raster", 3: "raster", 4: "raster"}
"""Tile types that every phone draws: MVT; PNG, JPEG, WebP. AVIF is younger than the phones."""
_READABLE = {1, 2}
"""Compressions that phones unpack: none, gzip."""

_NAME = re.compile(r"[A-Za-z0-9~][A-Za-z0-9._-]{0,63}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Basemap:
    """A basemap file as its header describes it.

    Attributes
    ----------
    version : changes whenever the file does
    kind : ``vector`` or ``raster``
    bounds : west, south, east, north in degrees, WGS 84 (the same as CGCS2000 on a map)
    """

    path: Path
    size: int
    version: str
    kind: str
    min_zoom: int
    max_zoom: int
    bounds: tuple[float, float, float, float]


def read_basemap(path: Path) -> Basemap:
    """Check a PMTiles file by its header: magic bytes, version, that every part lies within the file, what is in the tiles.

    Raises
    ------
    InvalidInput
        with the one reason why phones could not draw it
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        about = os.fstat(file.fileno())
    if len(head) < _HEADER_BYTES or head[:7] != _MAGIC[:7]:
        raise _wrong("not_pmtiles", "this is no PMTiles file: it does not begin with the word PMTiles")
    if head[:8] != _MAGIC:
        raise _wrong("pmtiles_version", f"this is PMTiles version {head[7]}; version 3 is read (`pmtiles convert` makes it)")
    found = _HEADER.unpack_from(head)
    offsets, (_, inner, outer, kind, low, high), corners = found[1:12], found[12:18], found[18:22]
    if any(start + length > about.st_size for start, length in zip(offsets[0:8:2], offsets[1:8:2], strict=True)):
        raise _wrong("pmtiles_cut", "the file ends before its tiles do: it was cut off on the way")
    if kind not in _KINDS:
        raise _wrong("pmtiles_kind", "the tiles are neither vector tiles (MVT) nor pictures as PNG, JPEG or WebP")
    if not {inner, outer} <= _READABLE:
        raise _wrong("pmtiles_packed", "the tiles are packed with something else than gzip, which browsers do not unpack")
    west, south, east, north = (value / 1e7 for value in corners)
    if not (west < east and south < north and low <= high):
        raise _wrong("pmtiles_bounds", "the file says neither where it is nor for which zooms")
    version = f"{about.st_size:x}-{about.st_mtime_ns:x}"
    return Basemap(path, about.st_size, version, _KINDS[kind], low, high, (west, south, east, north))


def basemap_of(house: House, community_id: str) -> Basemap | None:
    """The basemap that holds in a community: its own, else that of the house; None where there is none that can be read."""
    for name in (community_id, EVERYWHERE):
        path = _place(house, name)
        try:
            return read_basemap(path)
        except FileNotFoundError:
            continue
        except (OSError, InvalidInput) as error:
            # Somebody has put it there by hand; the maps go on without it.
            _log.warning("the basemap %s cannot be used: %s", path.name, getattr(error, "message", "") or type(error).__name__)
    return None


def wanted_basemap(house: House, community_id: str) -> Basemap:
    """As `basemap_of`; NotFound where there is none."""
    found = basemap_of(house, community_id)
    if found is None:
        raise NotFound("there is no basemap here")
    return found


def add_basemap(house: House, actor: Actor, file: Path, community_id: str | None) -> tuple[Basemap, list[str]]:
    """Check a file and put it in place, as a whole or not at all.

    Returns
    -------
    tuple[Basemap, list[str]]
        what stands now, and the names of the communities whose published cells it does not touch

    Raises
    ------
    InvalidInput, NotFound
    """
    checked = read_basemap(file)
    target = _place(house, community_id or EVERYWHERE)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".coming-")
    try:
        with os.fdopen(handle, "wb") as written, file.open("rb") as source:
            shutil.copyfileobj(source, written, 1 << 20)
            written.flush()
            os.fsync(written.fileno())
        if Path(name).stat().st_size != checked.size:
            raise _wrong("pmtiles_changing", "the file was changed while it was copied")
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _note(house, actor, "basemap set", community_id)
    return read_basemap(target), _beside(house, checked, community_id)


def remove_basemap(house: House, actor: Actor, community_id: str | None) -> None:
    """Take a basemap away; phones that have it keep it until somebody there removes it. NotFound if there is none."""
    try:
        _place(house, community_id or EVERYWHERE).unlink()
    except FileNotFoundError:
        raise NotFound("there is no basemap there") from None
    _note(house, actor, "basemap removed", community_id)


def list_basemaps(house: House) -> list[tuple[str, Basemap | str]]:
    """Every file of the folder: for whom, and what it is or why it cannot be used."""
    found: list[tuple[str, Basemap | str]] = []
    for path in sorted((house.settings.data_dir / FOLDER).glob("*.pmtiles")):
        try:
            found.append((path.stem, read_basemap(path)))
        except InvalidInput as error:
            found.append((path.stem, error.message))
    return found


def _place(house: House, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise NotFound("there is no such community")
    return house.settings.data_dir / FOLDER / f"{name}.pmtiles"


def _beside(house: House, basemap: Basemap, community_id: str | None) -> list[str]:
    there = shapely.box(*basemap.bounds)
    names = []
    with read(house.engine) as connection:
        for one in assignments.communities(connection):
            if community_id not in (None, one.community_id):
                continue
            editions = store.published_editions(connection, one.community_id)
            cells = [cell.geometry for edition in editions for cell in store.cells_of(connection, one.community_id, edition.edition_id)]
            if cells and not shapely.intersects(shapely.from_wkb(cells), there).any():
                names.append(one.name)
    return names


def _note(house: House, actor: Actor, what: str, community_id: str | None) -> None:
    look = Look(actor, "change", what)
    with write(house.engine) as connection:
        audit_store.append(connection, line_of(house, look, scope=community_id or EVERYWHERE, community_id=community_id))


def _wrong(code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError("/file", code, message)])
