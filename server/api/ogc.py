"""OGC API Features: what QGIS, GDAL and OWSLib read from (Core, GeoJSON, OpenAPI 3.0, Filter with CQL2 text)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, request

from server import auth
from server.api.meta import running_version
from server.openapi import describe
from server.permissions import Actor, Scope
from server.services import ogc
from server.services import ogc_document as document
from server.services.ogc_query import CRS84, DEFAULT_LIMIT, MOST_LIMIT, check_format, read_query, refuse
from server.store.database import stamp

blueprint = Blueprint("ogc", __name__)

_TAG = "OGC API"
_JSON = "application/json"
_ITEMS: dict[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": DEFAULT_LIMIT},
    "bbox": {"type": "string", "description": "西,南,东,北 / west, south, east, north, CRS84"},
    "datetime": {"type": "string", "description": "最后修改的时间 / instant or interval of the last change, RFC 3339"},
    "filter": {"type": "string", "description": "CQL2 text over the queryables"},
    "filter-lang": {"type": "string", "enum": ["cql2-text"]},
    "filter-crs": {"type": "string"},
    "properties": {"type": "string", "description": "只要这些属性 / only these properties, with commas"},
    "next": {"type": "string", "description": "上一页的链接给出 / from the link of the page before"},
    "f": {"type": "string", "enum": ["json", "geojson"]},
}
_MORE = """Every queryable is a parameter, too: `use=home`. Personal fields come where the role reads them, with a line in the audit log,
and cannot be asked about: filters stand in addresses. Coordinates are CRS84 (CGCS2000, equal to about a metre)."""


def _base() -> str:
    return f"{request.url_root}ogc"


def _asked(*known: str) -> None:
    for name in request.args:
        if name not in ("f", *known):
            raise refuse(name, "there is no such parameter here")
    check_format(request.args)


def _who() -> tuple[Actor, Scope]:
    actor = auth.signed_in("read_records", read_token=True)
    return actor, auth.scope(actor)


def _answer(content: Any, media: str = _JSON) -> Response:
    headers = {"Content-Crs": f"<{CRS84}>"} if media == document.GEOJSON_MEDIA else {}
    return Response(orjson.dumps(content), content_type=media, headers=headers)


@blueprint.get("/ogc/")
@describe(zh="OGC API 首页", en="OGC API Features: landing page", tag=_TAG, auth="none", response={"type": "object"},
          problems=("invalid-parameter",))  # fmt: skip
def landing() -> Response:
    """Where everything else is."""
    _asked()
    return _answer(document.landing(_base()))


@blueprint.get("/ogc/conformance")
@describe(zh="遵循的要求类别", en="The requirements classes that hold", tag=_TAG, auth="none", response={"type": "object"},
          problems=("invalid-parameter",))  # fmt: skip
def conformance() -> Response:
    """What a client may rely on."""
    _asked()
    return _answer(document.conformance())


@blueprint.get("/ogc/api")
@describe(zh="OGC API 的接口文档（OpenAPI 3.0）", en="OpenAPI 3.0 of the OGC part", tag=_TAG, auth="none",
          media=document.OPENAPI_MEDIA, response={"type": "object"}, problems=("invalid-parameter",))  # fmt: skip
def api() -> Response:
    """All collections, without personal properties."""
    _asked()
    registry = auth.house().registry
    found = [ogc.describe_collection(registry, name, personal=False) for name in ogc.SERVED]
    return _answer(document.api(found, _base(), running_version()), document.OPENAPI_MEDIA)


@blueprint.get("/ogc/collections")
@describe(zh="可读的图层", en="The collections that you see", tag=_TAG, auth="read", response={"type": "object"},
          problems=("invalid-parameter",))  # fmt: skip
def collections() -> Response:
    """Needs ``read_records``."""
    actor, scope = _who()
    _asked()
    house = auth.house()
    return _answer(document.collections(ogc.collections(house, actor, scope), _base(), ogc.extent(house, scope)))


@blueprint.get("/ogc/collections/<name>")
@describe(zh="一个图层", en="One collection", tag=_TAG, auth="read", response={"type": "object"},
          problems=("invalid-parameter", "not-found"))  # fmt: skip
def collection(name: str) -> Response:
    """Needs ``read_records``."""
    actor, scope = _who()
    _asked()
    house = auth.house()
    return _answer(document.collection(ogc.collection(house, actor, scope, name), _base(), ogc.extent(house, scope)))


@blueprint.get("/ogc/collections/<name>/queryables")
@describe(zh="可筛选的属性", en="What may be asked about, as JSON Schema", tag=_TAG, auth="read", media=document.SCHEMA_MEDIA,
          response={"type": "object"}, problems=("invalid-parameter", "not-found"))  # fmt: skip
def queryables(name: str) -> Response:
    """Needs ``read_records``."""
    actor, scope = _who()
    _asked()
    found = ogc.collection(auth.house(), actor, scope, name)
    return _answer(document.queryables(found, _base()), document.SCHEMA_MEDIA)


@blueprint.get("/ogc/collections/<name>/items")
@describe(zh="图层的要素（分页）", en="Features of a collection, page after page", tag=_TAG, auth="read", query=_ITEMS,
          media=document.GEOJSON_MEDIA, response={"type": "object"}, more=_MORE,
          problems=("invalid-parameter", "invalid-input", "not-found"))  # fmt: skip
def items(name: str) -> Response:
    """Needs ``read_records``; personal fields need ``read_personal``."""
    actor, scope = _who()
    house = auth.house()
    found = ogc.collection(house, actor, scope, name)
    for parameter, values in request.args.lists():
        if len(values) > 1:
            raise refuse(parameter, "this parameter stands twice")
    given = dict(request.args.items())
    query = read_query(found, given)
    page = ogc.page(house, scope, found, query, auth.look(actor, "read", f"OGC API: {name}"))
    where = f"{_base()}/collections/{name}/items"
    following = None if page.next is None else f"{where}?{urlencode(given | {'next': page.next})}"
    content = document.items(
        page.features, _base(), found, at=stamp(house.clock()), following=following, first=query.cursor is None,
        address=f"{where}?{urlencode(given)}" if given else where,
    )  # fmt: skip
    return _answer(content, document.GEOJSON_MEDIA)


@blueprint.get("/ogc/collections/<name>/items/<feature_id>")
@describe(zh="一个要素", en="One feature", tag=_TAG, auth="read", media=document.GEOJSON_MEDIA, response={"type": "object"},
          problems=("invalid-parameter", "not-found"))  # fmt: skip
def item(name: str, feature_id: str) -> Response:
    """Needs ``read_records``; personal fields need ``read_personal``."""
    actor, scope = _who()
    _asked()
    house = auth.house()
    found = ogc.collection(house, actor, scope, name)
    feature = ogc.item(house, scope, found, feature_id, auth.look(actor, "read", f"OGC API: {name}"))
    return _answer(document.item(feature, _base(), found), document.GEOJSON_MEDIA)
