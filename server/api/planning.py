"""Designing cells, figures on a lattice, and who reaches what on foot."""

from __future__ import annotations

from typing import Any, Literal, cast

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from geo.datum import DATUMS
from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.services import cell_design, reach, tiles

blueprint = Blueprint("planning", __name__)

_TAG = "网格"
_PLANS = "规划"
_MAX_BODY = 64_000_000
_DATUM: dict[str, Any] = {"validate": validate.OneOf(list(DATUMS)), "metadata": {"description": "of the GeoJSON in the body"}}
_BALANCE: dict[str, Any] = {
    "type": "object",
    "required": ["target", "band", "mean", "total", "cells"],
    "properties": {
        "target": {"type": ["integer", "null"]},
        "band": {"type": ["array", "null"], "items": {"type": "integer"}},
        "mean": {"type": "number"},
        "total": {"type": "integer"},
        "outside": {"type": "integer", "description": "households in no cell"},
        "cells": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "households": {"type": "integer"},
                    "difference": {"type": "number", "description": "households above (below) the target, else the mean"},
                    "deviation": {"type": ["number", "null"]},
                    "deviation_of_mean": {"type": ["number", "null"]},
                    "in_band": {"type": ["boolean", "null"]},
                },
            },
        },
        "cut_buildings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["zh", "en", "cells"],
                "properties": {
                    "zh": {"type": "string"},
                    "en": {"type": "string"},
                    "cells": {"type": "array", "items": {"type": "string"}, "description": "their codes"},
                },
            },
        },
    },
}
_COVERAGE: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "minutes", "by", "categories"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "minutes": {"type": "number"},
        "metres_per_minute": {"type": "number"},
        "by": {"enum": ["straight", "roads"]},
        "detour": {"type": ["number", "null"]},
        "snap": {"type": ["object", "null"], "description": "how far buildings are from the roads: count, median_m, p95_m, beyond"},
        "roads": {"type": ["object", "null"], "description": "the network that the community keeps, used or not"},
        "households": {"enum": ["counted", "estimated"], "description": "estimated from publications for readers without personal fields"},
        "unlocated": {"type": "object", "description": "dwellings and households whose entrance and building have no location"},
        "categories": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "category": {"type": "string"},
                    "label": {"type": "string"},
                    "places": {"type": "integer"},
                    "places_beyond": {"type": "integer", "description": "of other communities that count, too"},
                    "cells": {"type": "array", "items": {"type": "object"}, "description": "dwellings, within, share, households, households_without"},
                    "total": {"type": "object"},
                    "buildings": {"type": "array", "items": {"type": "object"}},
                    "left_off": {"type": "integer", "description": "buildings that are not listed"},
                },
            },
        },
    },
}
_LATTICE: dict[str, Any] = {
    "type": "object",
    "required": ["type", "features", "threshold"],
    "description": "GeoJSON FeatureCollection; `count` is null where it is withheld",
}


class ProposeSchema(Schema):
    """What a division is proposed from."""

    cells = fields.Integer(strict=True, allow_none=True, validate=validate.Range(1, cell_design.MOST_CELLS))
    seed = fields.Integer(strict=True, load_default=1, validate=validate.Range(1, 1_000_000))
    buildings = fields.Dict(metadata={"description": "GeoJSON of building outlines; else buildings on record as points"})
    lines = fields.Dict(metadata={"description": "GeoJSON of roads and walls that borders may follow"})
    datum = fields.String(**_DATUM)
    keep = fields.Boolean(load_default=True, metadata={"description": "keep the division as a draft edition"})


class BalanceSchema(Schema):
    """Building outlines, to tell which ones a border cuts."""

    buildings = fields.Dict(required=True)
    datum = fields.String(**_DATUM)


class CoverageSchema(Schema):
    """A question about walks, with a road network."""

    categories = fields.List(fields.String(), load_default=[], validate=validate.Length(max=50))
    minutes = fields.Float(load_default=15.0, validate=validate.Range(1, 120))
    by = fields.String(load_default="auto", validate=validate.OneOf(reach.BY))
    metres_per_minute = fields.Float(load_default=reach.WALK_M_PER_MINUTE, validate=validate.Range(10, 200))
    roads = fields.Dict(metadata={"description": "GeoJSON of lines, for this question alone; else as `by` says"})
    datum = fields.String(**_DATUM)
    buildings = fields.Boolean(load_default=True, metadata={"description": "list buildings with their nearest place"})
    across = fields.Boolean(load_default=True, metadata={"description": "places beyond the community's border count, too"})


@blueprint.post("/api/v1/communities/<community_id>/editions/propose")
@describe(
    zh="自动划分网格：按户数均衡、连片、不切楼栋，存为草稿",
    en="Propose a division: balanced by households, connected, never through a building; kept as a draft",
    tag=_TAG,
    request=ProposeSchema,
    response={
        "type": "object",
        "required": ["edition_id", "certificate", "cells", "balance"],
        "properties": {
            "edition_id": {"type": ["string", "null"]},
            "certificate": {"type": "object"},
            "cells": {"type": "object", "description": "GeoJSON with `households` and `deviation` of each cell"},
            "balance": _BALANCE,
            "outside": {"type": "array", "items": {"type": "string"}},
            "cut_buildings": _BALANCE["properties"]["cut_buildings"],
        },
    },
    status=201,
    problems=("malformed-body", "invalid-input", "not-found", "body-too-large", "busy"),
    more="A draft like any other: edit it in a GIS, send it again, look at its balance, publish it.",
)
def propose_division(community_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    asked = ProposeSchema().load(read_json(_MAX_BODY))
    made = cell_design.propose(
        auth.house(), actor, community_id, cells=asked.get("cells"), seed=asked["seed"], outlines=asked.get("buildings"),
        lines=asked.get("lines"), datum=asked.get("datum"), keeps=asked["keep"],
    )  # fmt: skip
    return json_answer(made, 201)


@blueprint.get("/api/v1/communities/<community_id>/editions/<edition_id>/balance")
@describe(
    zh="各网格户数与目标之差",
    en="Households of each cell of an edition, drafts too, against the profile's target and band",
    tag=_TAG,
    response=_BALANCE,
    problems=("not-found",),
)
def show_balance(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    auth.signed_in("publish_cells", community_id=community_id)
    return json_answer(cell_design.balance(auth.house(), community_id, edition_id))


@blueprint.post("/api/v1/communities/<community_id>/editions/<edition_id>/balance")
@describe(
    zh="各网格户数与目标之差，以及被边界切开的楼栋",
    en="The same, and the buildings of the given outlines that a border cuts",
    tag=_TAG,
    request=BalanceSchema,
    response=_BALANCE,
    problems=("malformed-body", "invalid-input", "not-found", "body-too-large"),
)
def show_balance_with_outlines(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    auth.signed_in("publish_cells", community_id=community_id)
    asked = BalanceSchema().load(read_json(_MAX_BODY))
    return json_answer(
        cell_design.balance(
            auth.house(), community_id, edition_id, outlines=asked["buildings"], datum=asked.get("datum")
        )
    )


@blueprint.get("/api/v1/communities/<community_id>/lattice")
@describe(
    zh="方格或六边形热力图数据，少于门槛的不显示",
    en="Counts on squares or hexagons for heat maps; counts below the threshold are withheld",
    tag=_PLANS,
    auth="read",
    query={
        "shape": {"type": "string", "enum": ["square", "hexagon"], "default": "hexagon"},
        "size_m": {"type": "number", "minimum": 10, "default": 100, "description": "边长或对边距，米 / side, or width"},
        "type": {"type": "string", "default": "household"},
        "threshold": {"type": "integer", "minimum": tiles.LEAST_THRESHOLD, "default": 10},
    },
    response=_LATTICE,
    problems=("invalid-input", "not-found"),
    more="Counts of people are for those who see the records anyway: others get them by cells, once a month.",
)
def show_lattice(community_id: str) -> Response:
    """Needs ``read_records``."""
    actor = auth.somebody("read_records", community_id=community_id)
    shape = request.args.get("shape", "hexagon")
    if shape not in ("square", "hexagon"):
        raise _wrong("/shape", "choice", "square or hexagon")
    made = tiles.lattice_figures(
        auth.house(), auth.scope(actor), community_id, shape=cast(Literal["square", "hexagon"], shape),
        size_m=_number("size_m", 100.0, 10.0, 10_000.0), record_type=request.args.get("type", "household"),
        threshold=int(_number("threshold", 10, tiles.LEAST_THRESHOLD, 1_000)),
    )  # fmt: skip
    return json_answer(made)


@blueprint.get("/api/v1/communities/<community_id>/coverage")
@describe(
    zh="步行可达：各类资源 15 分钟生活圈按网格覆盖多少房屋",
    en="Dwellings within a walk of each category of resource, by cell; nearest place of every building",
    tag=_PLANS,
    auth="read",
    query={
        "category": {"type": "string", "description": "资源类别，逗号分隔；缺省为全部 / categories, comma-separated"},
        "minutes": {"type": "number", "minimum": 1, "maximum": 120, "default": 15},
        "metres_per_minute": {"type": "number", "minimum": 10, "maximum": 200, "default": reach.WALK_M_PER_MINUTE},
        "by": {"type": "string", "enum": list(reach.BY), "default": "auto",
               "description": "直线或路网；缺省为有路网用路网 / along the community's roads where it has some"},
        "buildings": {"type": "boolean", "default": True},
        "across": {"type": "boolean", "default": True, "description": "也算社区边界外的场所 / places beyond the community's border count"},
    },
    response=_COVERAGE,
    problems=("invalid-input",),
    more="Straight lines are lengthened by 1.3. Along roads each building goes to the nearest point of the nearest road "
    "(`off_road_m`); who lives more than 300 m from every road has no way. Dwellings and households are told, never persons. "
    "Of other communities what the account sees counts, and else places and facilities, which are public.",
)
def show_coverage(community_id: str) -> Response:
    """Needs ``read_records``."""
    actor = auth.somebody("read_records", community_id=community_id)
    found = reach.coverage(
        auth.house(), auth.scope(actor), community_id,
        categories=[one for one in request.args.get("category", "").split(",") if one],
        minutes=_number("minutes", 15.0, 1.0, 120.0),
        metres_per_minute=_number("metres_per_minute", reach.WALK_M_PER_MINUTE, 10.0, 200.0),
        by=_by(), lists=request.args.get("buildings", "true") != "false", across=request.args.get("across", "true") != "false",
    )  # fmt: skip
    return json_answer(found)


@blueprint.post("/api/v1/communities/<community_id>/coverage")
@describe(
    zh="步行可达：按随问题给出的路网计算",
    en="The same along a road network that comes with the question",
    tag=_PLANS,
    request=CoverageSchema,
    response=_COVERAGE,
    problems=("malformed-body", "invalid-input", "body-too-large"),
)
def ask_coverage(community_id: str) -> Response:
    """Needs ``read_records``."""
    actor = auth.signed_in("read_records", community_id=community_id)
    asked = CoverageSchema().load(read_json(_MAX_BODY))
    found = reach.coverage(
        auth.house(), auth.scope(actor), community_id, categories=asked["categories"], minutes=asked["minutes"],
        metres_per_minute=asked["metres_per_minute"], by=asked["by"], roads=asked.get("roads"), datum=asked.get("datum"),
        lists=asked["buildings"], across=asked["across"],
    )  # fmt: skip
    return json_answer(found)


def _by() -> str:
    by = request.args.get("by", "auto")
    if by not in reach.BY:
        raise _wrong("/by", "choice", "one of " + ", ".join(reach.BY))
    return by


def _number(name: str, usual: float, least: float, most: float) -> float:
    text = request.args.get(name)
    try:
        value = float(usual) if text is None else float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise _wrong(f"/{name}", "range", f"a number from {least:g} to {most:g}")
    return value


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
