"""Cells from GIS files: GeoPackage, Shapefile, KML, FlatGeobuf, and GeoJSON, all with the same findings.

Files are opened by pyogrio (loaded at the first file). What a file is, its first bytes say, not its name: formats that
point to other places (virtual data sources, web services) are never opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from geo.cell import BASE_LAYER
from geo.cells import DEFAULT_MAPPING, DraftEdition, read_cells
from geo.columns import guess_mapping, with_layer_words
from geo.datum import METRES
from geo.errors import GeoError
from geo.location import PLAUSIBLE_BOX
from geo.problem import Problem, a_problem
from geo.shapefile_text import decode, encoding_of

_SEMI_MAJOR_M, _INVERSE_FLATTENING = 6378137.0, 298.257


@dataclass(frozen=True, slots=True)
class Table:
    """One layer of a file: columns as named there, rows of values, geometries in degrees (or as ``METRES``)."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    geometries: tuple[Any, ...]
    problems: tuple[Problem, ...] = ()


def kind_of(path: Path) -> str:
    """``geopackage``, ``shapefile``, ``flatgeobuf``, ``kml`` or ``geojson``, by content.

    GeoError ``file_missing`` or ``unknown_file``.
    """
    if not path.is_file():
        raise GeoError(f"there is no file {path.name}", code="file_missing")
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith(b"SQLite format 3\x00"):
        return "geopackage"
    if start.startswith(b"\x00\x00\x27\x0a"):
        return "shapefile"
    if start.startswith(b"fgb\x03"):
        return "flatgeobuf"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return "geojson"
    if text.startswith(b"<") and b"<kml" in text and b"OGRVRT" not in text:
        return "kml"
    raise GeoError(f"{path.name} is no GeoPackage, Shapefile (.shp), FlatGeobuf, KML or GeoJSON", code="unknown_file")


def tables_of(path: Path) -> tuple[str, ...]:
    """The layers of a file that may have several (GeoPackage, KML), in its order; () for other kinds. Errors as `kind_of`."""
    import pyogrio
    import pyogrio.errors

    if kind_of(path) not in ("geopackage", "kml"):
        return ()
    try:
        return tuple(str(name) for name, kind in pyogrio.list_layers(str(path)) if kind is not None)
    except (pyogrio.errors.DataSourceError, ValueError) as error:
        raise GeoError(f"{path.name} cannot be read", code="unreadable_file") from error


def read_cell_file(
    path: Path,
    *,
    datum: str | None,
    mapping: Mapping[str, str] | None = None,
    layer: str = BASE_LAYER,
    table: str | None = None,
    encoding: str | None = None,
    box: tuple[float, float, float, float] = PLAUSIBLE_BOX,
) -> DraftEdition:
    """Read cells from a file of any format that :func:`kind_of` knows.

    Parameters
    ----------
    path : Path
        A local file; of a Shapefile the .shp, with .dbf and .shx beside it.
    datum : str or None
        Datum of the coordinates. A coordinate system in the file names an ellipsoid, not an offset: maps drawn on
        GCJ-02 are saved as WGS-84 too. So the declaration wins, and without one a ``datum`` column is needed (GeoJSON:
        or its ``crs`` member).
    mapping : mapping, optional
        Our word → column (``cells.DEFAULT_MAPPING``). Words that it leaves out are guessed from the headings
        (``columns.guess_mapping``).
    layer, box
        As in :func:`geo.cells.read_cells`.
    table : str, optional
        Layer of a file that has several; else the first.
    encoding : str, optional
        Text of a Shapefile; else its .cpg says, else UTF-8 or GBK is told from the bytes.

    Returns
    -------
    DraftEdition
        With the findings of :func:`geo.cells.read_cells`. Metres (Web Mercator, Gauss–Krüger of CGCS2000) are turned to
        degrees first.

    Raises
    ------
    GeoError
        ``file_missing``, ``unknown_file``, ``unreadable_file``, ``unknown_crs`` (metres without a coordinate system),
        ``other_ellipsoid`` (Beijing 1954, Xi'an 1980: they need local parameters), ``encoding_unknown``.
    """
    source, words, problems = as_geojson(
        path, mapping=mapping, table=table, encoding=encoding, is_metres=datum == METRES
    )
    draft = read_cells(source, datum=datum, mapping=words, layer=layer, box=box)
    return replace(draft, problems=(*problems, *draft.problems))


def as_geojson(
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    table: str | None = None,
    encoding: str | None = None,
    is_metres: bool = False,
) -> tuple[bytes, dict[str, str], tuple[Problem, ...]]:
    """A file of any format as GeoJSON text, with the mapping that :func:`geo.cells.read_cells` needs for it.

    A GeoJSON file comes back byte for byte. Parameters and errors as in :func:`read_cell_file`; ``is_metres`` says that
    the coordinates are ``METRES``.

    Returns
    -------
    (text, mapping, problems)
        What reading the file found, before any cell was looked at. A word that no column holds maps to "".
    """
    if kind_of(path) == "geojson":
        raw = path.read_bytes()
        return raw, _geojson_mapping(raw, mapping), ()
    read = read_table(path, table=table, encoding=encoding, is_metres=is_metres)
    words = {**guess_mapping(read.columns), **(mapping or {})}
    layer_column = words.get("layer")
    features = [
        {
            "type": "Feature",
            "properties": with_layer_words(row, layer_column),
            "geometry": None if geometry is None else json.loads(shapely.to_geojson(geometry)),
        }
        for row, geometry in zip(read.rows, read.geometries, strict=True)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, default=str)
    # Words without a column must not fall back to a column that happens to bear our own word.
    return text.encode("utf-8"), {word: words.get(word, "") for word in DEFAULT_MAPPING}, read.problems


def read_table(path: Path, *, table: str | None = None, encoding: str | None = None, is_metres: bool = False) -> Table:
    """Rows and geometries of one layer; parameters and errors as in :func:`read_cell_file`.

    Values are text, int, float, bool or None; nulls and NaN are left out of the rows. Z and M are dropped.
    Outer rings of a Shapefile are turned counter-clockwise.
    """
    import pyogrio.errors
    import pyogrio.raw

    kind = kind_of(path)
    found: list[Problem] = []
    text_encoding = None
    if kind == "shapefile":
        text_encoding, is_guess = encoding_of(path, encoding)
        if is_guess:
            found.append(a_problem("encoding_guessed", detail=text_encoding))
    try:
        meta, _, blobs, columns = pyogrio.raw.read(
            str(path),
            layer=table,
            # Read byte for byte, and decoded here: GDAL cannot name a column that was cut inside a character.
            encoding="ISO-8859-1" if text_encoding else None,
            force_2d=True,
            datetime_as_string=True,
        )
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise GeoError(f"{path.name} cannot be read", code="unreadable_file") from error
    own = partial(decode, encoding=text_encoding) if text_encoding else str
    names = tuple(own(name) for name in meta["fields"])
    rows = tuple(
        {name: value for name, value in zip(names, values, strict=True) if value is not None}
        for values in zip(*([_plain(value, own) for value in column] for column in columns), strict=True)
    )
    geometries = [None] * len(rows) if blobs is None else shapely.from_wkb(blobs, on_invalid="ignore")
    # Empty geometries are no geometry, and KML wraps polygons in collections.
    shapes = [None if shape is None or shape.is_empty else _unwrapped(shape) for shape in geometries]
    if kind == "shapefile":
        # The format asks for clockwise outer rings, so they are nothing to be told of.
        shapes = list(shapely.orient_polygons(np.array(shapes, dtype=object)))
    if not is_metres:
        shapes = _degrees(shapes, meta["crs"])
    # A KML has a dozen columns of its own, mostly empty: nothing can be guessed from those.
    filled = tuple(name for name in names if not rows or any(name in row for row in rows))
    return Table(
        columns=filled, rows=rows or tuple({} for _ in shapes), geometries=tuple(shapes), problems=tuple(found)
    )


def _geojson_mapping(raw: bytes, mapping: Mapping[str, str] | None) -> dict[str, str]:
    """The mapping given, and guesses for words whose own name is no property of the first feature."""
    try:
        features = json.loads(raw.decode("utf-8-sig")).get("features") or [{}]
        columns = list(features[0].get("properties") or {})
    except (ValueError, AttributeError, TypeError, KeyError, IndexError):
        columns = []  # the reader says what is wrong
    guessed = {word: column for word, column in guess_mapping(columns).items() if word not in columns}
    return {**guessed, **(mapping or {})}


def _plain(value: Any, own: Any) -> Any:
    if isinstance(value, str):
        return own(value)
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and value != value else value


def _unwrapped(shape: Any) -> Any:
    if shape.geom_type != "GeometryCollection":
        return shape
    parts = shapely.get_parts(shape)
    polygons = [one for part in parts for one in shapely.get_parts(part) if part.geom_type.endswith("Polygon")]
    if len(polygons) == 0 or any(not part.geom_type.endswith("Polygon") for part in parts):
        return shape
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def _degrees(shapes: list[Any], name: str | None) -> list[Any]:
    present = [shape for shape in shapes if shape is not None]
    if name is None:
        if present and np.abs(shapely.total_bounds(present)).max() > 360.0:
            raise GeoError("the file holds metres and does not name their coordinate system", code="unknown_crs")
        return shapes
    try:
        crs = CRS.from_user_input(name)
    except CRSError as error:
        raise GeoError("the coordinate system of the file is not known", code="unknown_crs") from error
    ellipsoid = crs.ellipsoid
    if (
        ellipsoid is None
        or abs(ellipsoid.semi_major_metre - _SEMI_MAJOR_M) > 0.5
        or abs(ellipsoid.inverse_flattening - _INVERSE_FLATTENING) > 0.001
    ):
        raise GeoError(
            f"{crs.name} lies on another ellipsoid; convert the file to CGCS2000 with your local parameters first",
            code="other_ellipsoid",
        )
    base = crs.geodetic_crs
    if crs.is_geographic or base is None:
        return shapes
    # To the system's own degrees: WGS-84 and CGCS2000 count as one, so no shift is wanted here.
    turn = Transformer.from_crs(crs, base, always_xy=True)

    def move(vertices: Any) -> Any:
        return np.column_stack(turn.transform(vertices[:, 0], vertices[:, 1]))

    return [None if shape is None else shapely.transform(shape, move) for shape in shapes]
