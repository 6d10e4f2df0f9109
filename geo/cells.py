"""Cells from GeoJSON into a draft edition (rule L4: a draft may be broken, and says where).

What is not GeoJSON at all is an error that names the feature; everything else becomes a finding of the draft, so
one bad polygon never hides the others. Codes, overlaps and gaps are looked at in ``edition``.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from geo.cell import BASE_LAYER as BASE_LAYER
from geo.cell import DEDICATED_LAYER as DEDICATED_LAYER
from geo.cell import Cell as Cell
from geo.datum import CONVERTER_VERSION, DATUMS, METRES, SHIFTED, check_datum, convert_geometry, to_cgcs2000
from geo.errors import GeoError, MalformedGeoJSON
from geo.location import PLAUSIBLE_BOX
from geo.problem import Problem as Problem
from geo.problem import a_problem
from geo.rings import RingReader, tidy, validity_problem

LAYERS = (BASE_LAYER, DEDICATED_LAYER)

# Our word → the property of the file. A mapping given by the caller replaces single words.
DEFAULT_MAPPING = {
    "code": "code", "name": "name", "order": "order", "layer": "layer", "cell_id": "cell_id", "datum": "datum",
}  # fmt: skip

CODE, NAME = ("code", "编码"), ("name", "名称")

# Control characters and halves of a character: XML (KML) has no way to write them.
_UNPRINTABLE = frozenset({"Cc", "Cs"})
_BLANKS = " \t\r\n"

# Legacy "crs" members whose coordinates are degrees. They name an ellipsoid, not an offset, so a declared datum wins.
_DEGREE_CRS = {"CRS84": "wgs84", "4326": "wgs84", "4490": "cgcs2000"}


@dataclass(frozen=True, slots=True)
class DraftEdition:
    """Cells as read, with what reading found. ``cells`` keeps the order of the file, which means nothing."""

    cells: tuple[Cell, ...]
    problems: tuple[Problem, ...]
    datum: str | None = None
    converter: str = CONVERTER_VERSION


def read_cells(
    source: str | bytes | Mapping[str, Any],
    *,
    datum: str | None,
    mapping: Mapping[str, str] | None = None,
    layer: str = BASE_LAYER,
    box: tuple[float, float, float, float] = PLAUSIBLE_BOX,
) -> DraftEdition:
    """Read a GeoJSON FeatureCollection of cells.

    Parameters
    ----------
    source : str, bytes or mapping
        The text, or the parsed object.
    datum : str or None
        Datum of the coordinates (``datum.DATUMS``). None: the ``datum`` property of each feature, else a degree ``crs``
        member of the file; a feature that neither declares is not read, which is a finding.
    mapping : mapping, optional
        Which property holds ``code``, ``name``, ``order``, ``layer``, ``cell_id``, ``datum`` (``DEFAULT_MAPPING``).
    layer : str
        Layer of features that name none.
    box : (west, south, east, north)
        Degrees outside which a cell is taken for a mistake.

    Returns
    -------
    DraftEdition
        Geometries in CGCS2000 on the 1e-7 grid, outer rings counter-clockwise; further properties are kept. A
        cell without ``cell_id`` (property, or a text ``id`` of the feature) takes its code as identity.

    Raises
    ------
    MalformedGeoJSON
        Not JSON, not a FeatureCollection, or a feature whose structure is wrong (its index is named).
    UnknownDatum
        ``datum`` is not one that is known.
    GeoError
        ``projected_crs``: the file's ``crs`` member names metres or anything else that is not degrees.
    """
    if datum is not None:
        check_datum(datum)
    collection = _collection(source)
    crs_datum = _crs_datum(collection.get("crs"))
    file_datum = datum or crs_datum
    words = {**DEFAULT_MAPPING, **(mapping or {})}
    cells: list[Cell] = []
    problems: list[Problem] = []
    for index, feature in enumerate(collection["features"]):
        cell = _read_feature(
            feature, index, datum=datum, file_datum=file_datum, words=words, layer=layer, box=box, problems=problems
        )
        if cell is not None:
            cells.append(cell)
    return DraftEdition(cells=tuple(cells), problems=tuple(problems), datum=file_datum)


def _collection(source: str | bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(source, (str, bytes)):
        try:
            text = source.decode("utf-8-sig") if isinstance(source, bytes) else source.removeprefix("\ufeff")
            source = json.loads(text, parse_constant=_refuse_constant)
        except UnicodeDecodeError as error:
            raise MalformedGeoJSON(f"the file is not UTF-8 (byte {error.start})") from error
        except json.JSONDecodeError as error:
            raise MalformedGeoJSON(f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from error
        except RecursionError as error:
            raise MalformedGeoJSON("nested too deeply") from error
    if not isinstance(source, Mapping) or source.get("type") != "FeatureCollection":
        raise MalformedGeoJSON("a FeatureCollection is expected")
    if not isinstance(source.get("features"), list):
        raise MalformedGeoJSON("features must be an array")
    return source


def _refuse_constant(name: str) -> float:
    raise MalformedGeoJSON(f"{name} is not a number of JSON")


def _crs_datum(crs: Any) -> str | None:
    if crs is None:
        return None
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = properties.get("name") if isinstance(properties, Mapping) else None
    last = str(name).replace("/", ":").rsplit(":", 1)[-1]
    if last not in _DEGREE_CRS:
        raise GeoError(
            "the crs member of the file does not name degrees (CRS84, EPSG:4326, EPSG:4490)", code="projected_crs"
        )
    return _DEGREE_CRS[last]


def _read_feature(
    feature: Any,
    index: int,
    *,
    datum: str | None,
    file_datum: str | None,
    words: Mapping[str, str],
    layer: str,
    box: tuple[float, float, float, float],
    problems: list[Problem],
) -> Cell | None:
    if not isinstance(feature, Mapping) or feature.get("type") != "Feature":
        raise MalformedGeoJSON("a Feature is expected", feature_index=index)
    properties = feature.get("properties")
    if properties is not None and not isinstance(properties, Mapping):
        raise MalformedGeoJSON("properties must be an object or null", feature_index=index)
    properties = properties or {}
    found: list[Problem] = []
    code = _code(properties.get(words["code"]), index, found)
    name = code or f"#{index}"
    reader = RingReader(name=name, feature_index=index, problems=found)
    geometry = None
    if feature.get("geometry") is None:
        found.append(a_problem("geometry_missing", (name,), feature_index=index))
    else:
        geometry = reader.read(feature["geometry"])
    own_datum = datum or properties.get(words["datum"]) or file_datum
    if own_datum not in (*DATUMS, METRES):
        found.append(a_problem("datum_missing", (name,), feature_index=index))
        geometry = None
    elif own_datum in SHIFTED:
        found[:] = [_moved(problem, str(own_datum)) for problem in found]
    if geometry is not None:
        geometry = tidy(convert_geometry(geometry, datum=str(own_datum)))
        geometry = _check_place(geometry, name, index, box, found)
    called = _text(properties.get(words["name"]), NAME, name, index, found)
    order = _order(properties.get(words["order"]), name, index, found)
    own_layer = properties.get(words["layer"]) or layer
    if own_layer not in LAYERS:
        found.append(a_problem("unknown_layer", (name,), detail=str(own_layer)[:20], feature_index=index))
        own_layer = layer
    problems.extend(found)
    if geometry is None:
        return None
    cell_id = properties.get(words["cell_id"]) or (feature.get("id") if isinstance(feature.get("id"), str) else None)
    return Cell(
        cell_id=str(cell_id or name),
        code=code,
        name=called,
        geometry=geometry,
        layer=own_layer,
        order=order,
        properties={key: value for key, value in properties.items() if key not in words.values()},
    )


def _moved(problem: Problem, datum: str) -> Problem:
    """A finding of the file with its place in CGCS2000, where the cells are."""
    if problem.lon is None or problem.lat is None:
        return problem
    lon, lat = to_cgcs2000(lon=problem.lon, lat=problem.lat, datum=datum)
    # The opening of a ring was measured as degrees; metres need no figure, the place says enough.
    size_m = None if datum == METRES else problem.size_m
    return replace(problem, lon=round(lon, 7), lat=round(lat, 7), size_m=size_m)


def _code(value: Any, index: int, found: list[Problem]) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        found.append(a_problem("code_is_number", (str(value),), feature_index=index))
        return str(value)
    known = len(found)
    code = _text(value, CODE, "", index, found).strip()
    if not code and len(found) == known:
        found.append(a_problem("code_missing", (f"#{index}",), feature_index=index))
    return code


def _text(value: Any, what: tuple[str, str], name: str, index: int, found: list[Problem]) -> str:
    """A code or a name (of the cell ``name``; "": the code itself) as text; what no map or list could print is taken out, and told."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        found.append(a_problem("not_text", (name or f"#{index}",), detail=what[0], detail_zh=what[1], feature_index=index))
        return ""
    text = str(value)
    clean = "".join(letter for letter in text if unicodedata.category(letter) not in _UNPRINTABLE)
    clean = clean.replace("\ufffe", "").replace("\uffff", "")
    # Blanks around, a line's end among them, are a slip of a table and say nothing.
    if clean.strip(_BLANKS) != text.strip(_BLANKS):
        cell = name or clean.strip() or f"#{index}"
        found.append(a_problem("text_unprintable", (cell,), detail=what[0], detail_zh=what[1], feature_index=index))
    return clean


def _order(value: Any, name: str, index: int, found: list[Problem]) -> int:
    if value is None:
        return 0
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and float(value).is_integer():
        return int(value)
    found.append(a_problem("order_not_whole", (name,), feature_index=index))
    return 0


def _check_place(
    geometry: Any, name: str, index: int, box: tuple[float, float, float, float], found: list[Problem]
) -> Any:
    west, south, east, north = geometry.bounds
    if box[0] <= south and box[1] <= west and box[2] >= north and box[3] >= east and west < box[0]:
        # Kept as it stands: turning it round is proposed (``repairs``), never done unasked.
        found.append(a_problem("axes_swapped", (name,), at=(south, west), feature_index=index))
        return geometry
    if west < box[0] or south < box[1] or east > box[2] or north > box[3]:
        found.append(a_problem("outside_box", (name,), at=(west, south), feature_index=index))
        return None
    problem = validity_problem(geometry, name, feature_index=index)
    if problem is not None:
        found.append(problem)
    return geometry
