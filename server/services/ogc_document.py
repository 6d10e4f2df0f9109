"""What OGC API Features says about itself: landing page, conformance, collections, queryables, OpenAPI 3.0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from geo.geojson_out import DATUM_NOTE
from server.services.ogc import Collection
from server.services.ogc_query import CRS84, DEFAULT_LIMIT, MOST_LIMIT

OPENAPI_MEDIA = "application/vnd.oai.openapi+json;version=3.0"
GEOJSON_MEDIA = "application/geo+json"
SCHEMA_MEDIA = "application/schema+json"

_FEATURES, _FILTER, _CQL2 = (
    f"http://www.opengis.net/spec/{name}/1.0/conf/" for name in ("ogcapi-features-1", "ogcapi-features-3", "cql2")
)
CONFORMS_TO = (
    *(_FEATURES + name for name in ("core", "geojson", "oas30")),
    *(_FILTER + name for name in ("queryables", "queryables-query-parameters", "filter", "features-filter")),
    *(
        _CQL2 + name
        for name in (
            "cql2-text", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison",
            "basic-spatial-functions", "basic-spatial-functions-plus",
        )
    ),
)  # fmt: skip
"""The requirements classes that hold, by their addresses."""

_TITLE = "底数 Dishu"
_ABOUT = (
    f"Coordinates: {DATUM_NOTE}; served as CRS84. Sign in with any user name and a read token as the password. "
    "What you see is what your role sees."
)
_JSON_TYPES: dict[str, dict[str, str]] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "instant": {"type": "string", "format": "date-time"},
}


def link(href: str, rel: str, media: str, title: str) -> dict[str, str]:
    """One link."""
    return {"href": href, "rel": rel, "type": media, "title": title}


def landing(base: str) -> dict[str, Any]:
    """The landing page; ``base`` is its own address without the last slash."""
    return {
        "title": _TITLE,
        "description": _ABOUT,
        "links": [
            link(f"{base}/", "self", "application/json", "this page"),
            link(f"{base}/api", "service-desc", OPENAPI_MEDIA, "the API, OpenAPI 3.0"),
            link(f"{base}/conformance", "conformance", "application/json", "the requirements classes that hold"),
            link(f"{base}/collections", "data", "application/json", "the collections"),
        ],
    }


def conformance() -> dict[str, Any]:
    """The requirements classes that hold."""
    return {"conformsTo": list(CONFORMS_TO)}


def collection(one: Collection, base: str, extent: tuple[float, float, float, float] | None) -> dict[str, Any]:
    """One collection; without an extent where there are no cells yet."""
    where = f"{base}/collections/{one.name}"
    made: dict[str, Any] = {
        "id": one.name,
        "title": f"{one.zh} {one.en}",
        "description": f"{one.zh} · {one.en}. {DATUM_NOTE}.",
        "itemType": "feature",
        "crs": [CRS84],
        "links": [
            link(where, "self", "application/json", "this collection"),
            link(f"{where}/items", "items", GEOJSON_MEDIA, "its features"),
            link(f"{where}/queryables", "http://www.opengis.net/def/rel/ogc/1.0/queryables", SCHEMA_MEDIA, "what may be asked about"),
        ],
    }  # fmt: skip
    if extent is not None:
        made["extent"] = {"spatial": {"bbox": [list(extent)], "crs": CRS84}}
    return made


def collections(
    found: Iterable[Collection], base: str, extent: tuple[float, float, float, float] | None
) -> dict[str, Any]:
    """All collections of somebody."""
    return {
        "links": [link(f"{base}/collections", "self", "application/json", "this list")],
        "collections": [collection(one, base, extent) for one in found],
    }


def queryables(one: Collection, base: str) -> dict[str, Any]:
    """What may be asked about: JSON Schema; codes with their labels. Personal fields are never among it."""
    titles = {column.name: column.title for column in one.columns}
    properties: dict[str, Any] = {
        "geometry": {
            "title": "位置",
            "x-ogc-role": "primary-geometry",
            "format": "geometry-polygon" if one.geometry == "Polygon" else "geometry-point",
        }
    }
    for name, kind in one.kinds.items():
        properties[name] = {"title": titles[name], **_JSON_TYPES[kind]}
        if name in one.codes:
            labels = one.codes[name]
            properties[name]["enum"] = list(labels)
            properties[name]["description"] = "；".join(f"{code} {label}" for code, label in labels.items())
    role = "primary-instant" if one.time == "updated_at" else "primary-interval-start"
    properties[one.time]["x-ogc-role"] = role
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{base}/collections/{one.name}/queryables",
        "type": "object",
        "title": f"{one.zh} {one.en}",
        "properties": properties,
        "additionalProperties": False,
    }


def items(
    features: list[Any], base: str, one: Collection, *, at: str, address: str, following: str | None, first: bool
) -> dict[str, Any]:
    """A page of features.

    ``numberMatched`` stands only where it is known without counting: on a first page that is also the last.
    """
    links = [
        link(address, "self", GEOJSON_MEDIA, "this page"),
        link(f"{base}/collections/{one.name}", "collection", "application/json", "the collection"),
    ]
    if following is not None:
        links.append(link(following, "next", GEOJSON_MEDIA, "the next page"))
    made: dict[str, Any] = {"type": "FeatureCollection", "timeStamp": at, "numberReturned": len(features)}
    if first and following is None:
        made["numberMatched"] = len(features)
    return made | {"links": links, "features": features}


def item(feature: Mapping[str, Any], base: str, one: Collection) -> dict[str, Any]:
    """One feature with its links."""
    where = f"{base}/collections/{one.name}"
    return {
        **feature,
        "links": [
            link(f"{where}/items/{feature['id']}", "self", GEOJSON_MEDIA, "this feature"),
            link(where, "collection", "application/json", "the collection"),
        ],
    }


# ---------------------------------------------------------------- OpenAPI 3.0
def _query(name: str, schema: Mapping[str, Any], description: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema, **more}


_PARAMETERS: dict[str, dict[str, Any]] = {
    "f": _query("f", {"type": "string", "enum": ["json", "geojson"], "default": "json"}, "only JSON is answered"),
    "limit": _query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": DEFAULT_LIMIT},
        "how many features at most; larger numbers count as the largest",
        style="form", explode=False,
    ),
    "bbox": _query(
        "bbox",
        {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
        "west, south, east, north in CRS84",
        style="form", explode=False,
    ),
    "datetime": _query("datetime", {"type": "string"}, "an instant or interval (RFC 3339) of the last change", style="form", explode=False),
    "next": _query("next", {"type": "string"}, "where the page before ended; from its link"),
    "properties": _query("properties", {"type": "array", "items": {"type": "string"}}, "only these properties", style="form", explode=False),
    "filter": _query("filter", {"type": "string"}, "CQL2 text over the queryables"),
    "filter-lang": _query("filter-lang", {"type": "string", "enum": ["cql2-text"], "default": "cql2-text"}, "language of the filter"),
    "crs": _query("crs", {"type": "string", "enum": [CRS84], "default": CRS84}, "reference system of the answer"),
    "bbox-crs": _query("bbox-crs", {"type": "string", "enum": [CRS84], "default": CRS84}, "reference system of bbox"),
    "filter-crs": _query("filter-crs", {"type": "string", "enum": [CRS84], "default": CRS84}, "reference system of geometries in the filter"),
}  # fmt: skip


def api(found: Iterable[Collection], base: str, version: str) -> dict[str, Any]:
    """The OpenAPI 3.0 document; ``found`` are all collections, without personal properties."""
    paths: dict[str, Any] = {
        "/": _get("landingPage", "landing page", "application/json", open_=True),
        "/conformance": _get("conformance", "requirements classes that hold", "application/json", open_=True),
        "/api": _get("api", "this document", OPENAPI_MEDIA, open_=True),
        "/collections": _get("collections", "collections that you see", "application/json"),
    }
    for one in found:
        where = f"/collections/{one.name}"
        asked = [_query(name, _JSON_TYPES[kind], "features with this value") for name, kind in one.kinds.items()]
        paths[where] = _get(f"describe.{one.name}", f"the collection {one.name}", "application/json")
        paths[f"{where}/queryables"] = _get(f"queryables.{one.name}", "what may be asked about", SCHEMA_MEDIA)
        paths[f"{where}/items"] = _get(
            f"items.{one.name}", f"features of {one.name}", GEOJSON_MEDIA, [*_PARAMETERS.values(), *asked]
        )
        identifier = {"name": "featureId", "in": "path", "required": True, "schema": {"type": "string"}}
        paths[f"{where}/items/{{featureId}}"] = _get(
            f"item.{one.name}", f"one feature of {one.name}", GEOJSON_MEDIA, [identifier]
        )
    return {
        "openapi": "3.0.3",
        "info": {"title": _TITLE, "version": version, "description": _ABOUT},
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "parameters": dict(_PARAMETERS),
            "securitySchemes": {
                "readPassword": {"type": "http", "scheme": "basic", "description": "a read token as the password"},
                "readToken": {"type": "http", "scheme": "bearer", "description": "a read token"},
            },
        },
        "security": [{"readPassword": []}, {"readToken": []}],
    }


def _get(
    name: str, summary: str, media: str, parameters: list[dict[str, Any]] | None = None, *, open_: bool = False
) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"type": "object"}}}
    made: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": {media: {"schema": {"type": "object"}}}},
            "default": {"description": "a problem (RFC 9457)", "content": problem},
        },
    }
    if open_:
        made["security"] = []
    return {"get": made | ({"parameters": parameters} if parameters else {})}
