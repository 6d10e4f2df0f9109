"""The road network of a community."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from geo.datum import DATUMS, METRES
from server import auth
from server.api import cell_upload
from server.api.answers import empty_answer, json_answer
from server.openapi import describe
from server.services import roads

blueprint = Blueprint("roads", __name__)

_TAG = "规划"
_TOLD: dict[str, Any] = {
    "type": "object",
    "required": ["name", "datum", "joins", "lines", "length_m", "stretches", "buildings"],
    "properties": {
        "name": {"type": "string"},
        "datum": {"type": "string"},
        "joins": {"enum": list(roads.JOINS)},
        "lines": {"type": "integer"},
        "length_m": {"type": "number"},
        "stretches": {"type": "integer", "description": "between junctions"},
        "added_at": {"type": "string", "format": "date-time"},
        "buildings": {"type": "object", "description": "how far they are from the roads: count, median_m, p95_m, farthest_m, beyond"},
        "file": {"type": "object", "description": "kind, features, empty (without geometry, left out)"},
    },
}


@blueprint.put("/api/v1/communities/<community_id>/roads")
@describe(
    zh="导入步行路网，替换原有路网",
    en="Keep a road network, in the place of the one before; questions of reach walk along it from then on",
    tag=_TAG,
    request={"type": "object", "description": "GeoJSON FeatureCollection of lines, or a form with the part `file`"},
    request_media=cell_upload.MEDIA,
    query={
        "datum": {"type": "string", "enum": [*DATUMS, METRES], "description": "必填 / of the coordinates; required"},
        "joins": {"type": "string", "enum": list(roads.JOINS), "default": roads.JOINS[0],
                  "description": "道路在哪里相通：交叉处，或仅端点和公共折点 / where lines meet"},
        "table": {"type": "string", "description": "图层名 / layer of a file that has several"},
        "encoding": {"type": "string", "description": "text of a Shapefile"},
    },
    response=_TOLD,
    problems=("malformed-body", "invalid-input", "body-too-large", "unsupported-body", "not-found", "busy"),
    more="GeoPackage, Shapefile (also zipped), FlatGeobuf, KML and GeoJSON. A feature that is no line, or lies outside of China, "
    "is named; a network that no building is near is refused.",
)  # fmt: skip
def keep_roads(community_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    files = cell_upload.parts() if request.mimetype == "multipart/form-data" else [("roads.geojson", cell_upload.body())]
    made = roads.import_files(
        auth.house(), actor, community_id, files, datum=cell_upload.word("datum"), table=cell_upload.word("table"),
        encoding=cell_upload.word("encoding"), joins=cell_upload.word("joins") or roads.JOINS[0],
    )  # fmt: skip
    return json_answer(made)


@blueprint.get("/api/v1/communities/<community_id>/roads")
@describe(
    zh="步行路网：来源、规模、楼栋到最近道路的距离",
    en="The road network: where it came from, its size, how far buildings are from it",
    tag=_TAG, response=_TOLD, problems=("not-found",),
)  # fmt: skip
def show_roads(community_id: str) -> Response:
    """Needs ``read_records``."""
    auth.signed_in("read_records", community_id=community_id)
    return json_answer(roads.told(auth.house(), community_id))


@blueprint.delete("/api/v1/communities/<community_id>/roads")
@describe(
    zh="删除步行路网，恢复按直线计算", en="Forget the road network; straight lines answer again",
    tag=_TAG, status=204, problems=("not-found", "busy"),
)  # fmt: skip
def forget_roads(community_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    roads.remove(auth.house(), actor, community_id)
    return empty_answer()
