"""A file of cells in a request: GeoJSON as the body, or a form with the parts of any format."""

from __future__ import annotations

from typing import Any

import orjson
from flask import request

from geo.cells import DEFAULT_MAPPING, LAYERS
from geo.datum import DATUMS, METRES
from geo.repairs import Limits
from server.api.body import read_bytes
from server.errors import BodyTooLarge, InputError, InvalidInput, MalformedBody, UnsupportedBody
from server.services.cell_files import HOUSEHOLDS, CellFile, read_files

MEDIA = ("application/geo+json", "multipart/form-data")
MORE = (
    "A form takes GeoPackage, Shapefile (.shp with .dbf and .shx as parts named `file`, or a zip of them; UTF-8 or GBK), "
    "FlatGeobuf, KML and GeoJSON; the words of the address may be fields of the form too. Columns that are not named are "
    "guessed from their headings; `file` tells which."
)
PROBLEMS = (
    "malformed-body", "invalid-input", "invalid-cells", "body-too-large", "unsupported-body", "not-found", "busy"
)  # fmt: skip
_MAX_BODY = 64_000_000
_WORDS = (*(word for word in DEFAULT_MAPPING if word not in ("datum", "layer")), HOUSEHOLDS)

LIMITS: dict[str, Any] = {
    "clean_width_m": {"type": "number", "minimum": 0, "maximum": 50, "default": 0.5,
                      "description": "重叠与缝隙至多宽多少米可以消除 / overlaps and gaps up to this width are closed"},
    "share_at_most": {"type": "number", "minimum": 0, "maximum": 0.5, "default": 0.01,
                      "description": "每格面积至多改变的比例 / the share of a cell that may change"},
}  # fmt: skip
QUERY: dict[str, Any] = {
    "datum": {
        "type": "string",
        "enum": [*DATUMS, METRES],
        "description": "坐标系；文件自己声明时可省略 / of the coordinates, unless the file declares it",
    },
    "layer": {"type": "string", "enum": list(LAYERS), "default": LAYERS[0]},
    "table": {"type": "string", "description": "图层名 / layer of a file that has several"},
    "encoding": {"type": "string", "description": "Shapefile 的文字编码 / text of a Shapefile: UTF-8, GBK"},
    **{
        f"{word}_property": {"type": "string", "description": f"the property that holds {word}; else guessed"}
        for word in _WORDS
    },
    **LIMITS,
}
FILE: dict[str, Any] = {
    "type": "object",
    "required": ["kind", "columns", "mapping", "guessed", "tables"],
    "properties": {
        "kind": {"enum": ["geojson", "geopackage", "shapefile", "flatgeobuf", "kml"]},
        "columns": {"type": "array", "items": {"type": "string"}},
        "mapping": {"type": "object", "description": "our word to the column that was taken for it"},
        "guessed": {"type": "array", "items": {"type": "string"}, "description": "words whose column was guessed"},
        "tables": {"type": "array", "items": {"type": "string"}},
    },
}
REPAIR: dict[str, Any] = {
    "type": "object",
    "required": ["repair_id", "kind", "zh", "en", "cells", "settles", "changes", "largest_area_change_m2"],
    "properties": {
        "repair_id": {"type": "string"},
        "kind": {
            "enum": [
                "swap_axes", "redeclare_datum", "close_ring", "drop_ring", "rebuild_ring", "match_edges", "clean_coverage",
                "fill_to_boundary", "new_code",
            ]
        },
        "detail": {"type": "string"},
        "zh": {"type": "string"},
        "en": {"type": "string"},
        "cells": {"type": "array", "items": {"type": "string"}},
        "largest_area_change_m2": {"type": "number"},
        "settles": {"type": "array", "items": {"type": "object"}, "description": "findings that go"},
        "changes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["cell_id", "cell", "area_before_m2", "area_after_m2", "area_change_m2", "before", "after"],
                "properties": {
                    "cell_id": {"type": "string", "description": "the id among the cells of the draft; two of them may have one code"},
                    "cell": {"type": "string", "description": "its code"},
                    "new_code": {"type": ["string", "null"], "description": "the code that it would have; null: it keeps its own"},
                    "area_before_m2": {"type": "number"},
                    "area_after_m2": {"type": "number"},
                    "area_change_m2": {"type": "number"},
                    "before": {"type": "object", "description": "GeoJSON geometry"},
                    "after": {"type": "object", "description": "GeoJSON geometry"},
                },
            },
        },
    },
}


def read_upload() -> CellFile:
    """The cells of this request, and how they were read.

    Raises
    ------
    UnsupportedBody, BodyTooLarge, MalformedBody, InvalidInput, CellsRefused
    """
    layer = word("layer") or LAYERS[0]
    if layer not in LAYERS:
        raise _wrong("/layer", "choice", "one of " + ", ".join(LAYERS))
    mapping = {known: name for known in _WORDS if (name := word(f"{known}_property"))}
    files = parts() if request.mimetype == "multipart/form-data" else [("cells.geojson", body())]
    return read_files(
        files, datum=word("datum"), mapping=mapping, table=word("table"), encoding=word("encoding"), layer=layer
    )


def file_told(sent: CellFile) -> dict[str, Any]:
    """How a file was read."""
    return {
        "kind": sent.kind,
        "columns": list(sent.columns),
        "mapping": dict(sent.mapping),
        "guessed": list(sent.guessed),
        "tables": list(sent.tables),
    }


def limits() -> Limits:
    """How far repairs may go in this request."""
    usual = Limits()
    return Limits(
        _number("clean_width_m", usual.clean_width_m, 50.0), _number("share_at_most", usual.share_at_most, 0.5)
    )


def word(name: str) -> str | None:
    """A word of the address, or of the form."""
    return request.args.get(name) or (request.form.get(name) if request.mimetype == "multipart/form-data" else None) or None


def _number(name: str, usual: float, most: float) -> float:
    text = word(name)
    try:
        value = usual if text is None else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise _wrong(f"/{name}", "range", f"a number from 0 to {most:g}")
    return value


def body() -> bytes:
    """The GeoJSON that is the body; BodyTooLarge, MalformedBody."""
    raw = read_bytes(_MAX_BODY, media=("application/geo+json", "application/json"))
    try:
        orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"not JSON at line {error.lineno}, column {error.colno}") from error
    return raw


def parts() -> list[tuple[str, bytes]]:
    """(name, bytes) of each part `file` of a form; BodyTooLarge, UnsupportedBody."""
    if request.content_length is None or request.content_length > _MAX_BODY:
        raise BodyTooLarge(f"at most {_MAX_BODY} bytes are taken")
    found = [(one.filename or "cells", one.read()) for one in request.files.getlist("file")]
    if not found:
        raise UnsupportedBody("a form needs a part `file`")
    return found


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
