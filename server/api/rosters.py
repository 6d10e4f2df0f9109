"""Rosters of cells and communities, as JSON, CSV and XLSX."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.permissions import Actor, Scope
from server.services import roster_file, rosters, tables
from server.services.roster_query import DEFAULT_ROWS, LANGUAGES, MOST_ROWS, Query, from_address, from_body
from server.services.rosters import Ground
from server.store.database import stamp
from sync.days import day_at

blueprint = Blueprint("rosters", __name__)

_TAG = "花名册与底数"
_MEDIA = ("application/json", tables.CSV_MEDIA, tables.XLSX_MEDIA)
_FORMATS = {"json": _MEDIA[0], "csv": _MEDIA[1], "xlsx": _MEDIA[2]}
_MORE = """Filters are parameters named after columns: `occupancy=let`, `floor_number.gte=3`, `use.in=home,shop`; operators are
`eq` (or `has` for sets), `in`, `lt`, `lte`, `gt`, `gte`, `starts_with`, `contains`, `is_null`. Personal fields are filtered by
POST …/search only. CSV and XLSX hold the whole roster. Every answer with personal columns is written into the audit log,
with the purpose in X-Purpose."""
_QUERY: dict[str, Any] = {
    "sort": {"type": "string", "description": "列名，逗号分隔，前加 - 为降序 / columns, - before falling ones"},
    "columns": {"type": "string", "description": "只要这些列 / only these columns"},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": DEFAULT_ROWS},
    "next": {"type": "string", "description": "上一页给出的 next / the cursor of the page before"},
    "known_at": {"type": "string", "description": "按此时已登记的内容 / what was recorded by then, date or date-time"},
    "as_of": {"type": "string", "format": "date", "description": "按此日的实际情况 / what was true on that day: residence and "
              "registration by their episodes, care and tenure by their dates; in the cells of that day"},
    "edition": {"type": "string", "description": "按哪一版网格：版号或编号，current 为现行 / in the cells of which edition: number, id "
                "or current"},
    "codes": {"type": "boolean", "default": True, "description": "false：表格里只有文字，没有代码，与屏幕所见相同 / false: a file of words alone, "
              "as a screen shows them"},
    "language": {"type": "string", "enum": list(LANGUAGES), "default": "zh", "description": "表格和名称用哪种文字 / of the words in a file and of labels"},
    "format": {"type": "string", "enum": list(_FORMATS), "description": "缺省按 Accept / by Accept when left out"},
}
_PROBLEMS = ("invalid-input", "malformed-body", "not-found", "outside-your-scope", "busy")
_ROSTER: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "rows", "next"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "known_at": {"type": ["string", "null"], "format": "date-time"},
        "true_on": {"type": ["string", "null"], "format": "date", "description": "the day that as_of asked for"},
        "edition": {"type": ["object", "null"], "description": "whose cells these are"},
        "roster": {"type": "object"},
        "place": {"type": "object"},
        "columns": {"type": "array", "items": {"type": "object"}},
        "rows": {"type": "array", "items": {"type": "object"}},
        "next": {"type": ["string", "null"]},
        "count": {"type": "integer"},
        "in_doubt": {"type": "integer", "description": "rows of this page with an open conflict"},
        "missing": {"type": ["object", "null"], "description": "unplaced, held, quarantined records of this type; proposals about it apart"},
    },
}


_COUNT: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "count"],
    "properties": {"as_of": {"type": "string", "format": "date-time"}, "count": {"type": "integer"}},
}


class FilterSchema(Schema):
    """One condition."""

    column = fields.String(required=True)
    op = fields.String(load_default="eq")
    value = fields.Raw(required=True, allow_none=True)


class SearchSchema(Schema):
    """A roster asked by POST: filters may be personal here."""

    filters = fields.List(fields.Nested(FilterSchema), validate=validate.Length(max=30))
    sort = fields.List(fields.String(), validate=validate.Length(max=10))
    columns = fields.List(fields.String(), validate=validate.Length(max=100))
    limit = fields.Integer(strict=True)
    next = fields.String(allow_none=True)
    known_at = fields.String(allow_none=True)
    as_of = fields.String(allow_none=True)
    edition = fields.String(allow_none=True)
    codes = fields.Boolean()
    language = fields.String(validate=validate.OneOf(LANGUAGES))
    format = fields.String(validate=validate.OneOf(list(_FORMATS)))
    purpose = fields.String(validate=validate.Length(max=120))


@blueprint.get("/api/v1/rosters")
@describe(zh="有哪些花名册，各有哪些列和筛选", en="The rosters, with their columns and filters", tag=_TAG, auth="any",
          response={"type": "object"})  # fmt: skip
def list_rosters() -> Response:
    """Needs ``read_reference``."""
    auth.somebody("read_reference")
    found = auth.house().registry.rosters()
    return json_answer({"rosters": [dict(roster.document) for roster in found.values()]})


@blueprint.get("/api/v1/cells/<code>/roster/<name>")
@describe(zh="一个网格的花名册", en="A roster of one cell", tag=_TAG, auth="any", query=_QUERY, response=_ROSTER,
          media=_MEDIA, problems=_PROBLEMS, more=_MORE)  # fmt: skip
def show_cell_roster(code: str, name: str) -> Response:
    """Needs ``read_records``, and ``read_personal`` for personal columns."""
    return _by_address(name, lambda scope, query: rosters.cell_ground(auth.house(), scope, code, query))


@blueprint.get("/api/v1/communities/<community_id>/roster/<name>")
@describe(zh="一个社区的花名册", en="A roster of a community", tag=_TAG, auth="any", query=_QUERY, response=_ROSTER,
          media=_MEDIA, problems=_PROBLEMS, more=_MORE)  # fmt: skip
def show_community_roster(community_id: str, name: str) -> Response:
    """Needs ``read_records``, and ``read_personal`` for personal columns."""
    return _by_address(name, lambda scope, query: rosters.community_ground(auth.house(), scope, community_id, query))


@blueprint.post("/api/v1/cells/<code>/roster/<name>/search")
@describe(zh="在一个网格的花名册中查找", en="Search a roster of one cell, also by personal fields", tag=_TAG,
          request=SearchSchema, response=_ROSTER, media=_MEDIA, problems=_PROBLEMS)  # fmt: skip
def search_cell_roster(code: str, name: str) -> Response:
    """Needs ``search_personal``."""
    return _by_body(name, lambda scope, query: rosters.cell_ground(auth.house(), scope, code, query))


@blueprint.post("/api/v1/communities/<community_id>/roster/<name>/search")
@describe(zh="在社区花名册中查找", en="Search a roster of a community, also by personal fields", tag=_TAG,
          request=SearchSchema, response=_ROSTER, media=_MEDIA, problems=_PROBLEMS)  # fmt: skip
def search_community_roster(community_id: str, name: str) -> Response:
    """Needs ``search_personal``."""
    return _by_body(name, lambda scope, query: rosters.community_ground(auth.house(), scope, community_id, query))


@blueprint.post("/api/v1/cells/<code>/roster/<name>/count")
@describe(zh="一个网格的花名册有多少行", en="How many rows a roster of one cell has", tag=_TAG, request=SearchSchema,
          response=_COUNT, problems=_PROBLEMS)  # fmt: skip
def count_cell_roster(code: str, name: str) -> Response:
    """Needs ``search_personal``."""
    return _counted(name, lambda scope, query: rosters.cell_ground(auth.house(), scope, code, query))


@blueprint.post("/api/v1/communities/<community_id>/roster/<name>/count")
@describe(zh="社区花名册有多少行", en="How many rows a roster of a community has, without giving them", tag=_TAG, request=SearchSchema,
          response=_COUNT, problems=_PROBLEMS)  # fmt: skip
def count_community_roster(community_id: str, name: str) -> Response:
    """Needs ``search_personal``."""
    return _counted(name, lambda scope, query: rosters.community_ground(auth.house(), scope, community_id, query))


def _counted(name: str, find: Callable[[Scope, Query], Ground]) -> Response:
    actor = auth.signed_in("search_personal")
    roster = rosters.find_roster(auth.house(), name)
    scope = auth.scope(actor)
    query = from_body(roster, SearchSchema().load(read_json(100_000)), personal=rosters.sees_personal(scope, roster))
    ground = find(scope, query)
    auth.demand(actor, "read_records", community_id=ground.community_id)
    if query.personal:
        auth.demand(actor, "read_personal", community_id=ground.community_id)
    found = rosters.counted(auth.house(), scope, ground, replace(query, columns=()), auth.look(actor, "search", f"count: {name}"))
    return json_answer({"as_of": stamp(auth.house().clock()), "count": sum(found.values())})


def _by_address(name: str, find: Callable[[Scope, Query], Ground]) -> Response:
    actor = auth.somebody("read_records")
    roster = rosters.find_roster(auth.house(), name)
    scope = auth.scope(actor)
    personal = rosters.sees_personal(scope, roster)
    parameters = [(key, value) for key, value in request.args.items(multi=True)]
    query = from_address(roster, parameters, personal=personal)
    return _answer(actor, scope, find(scope, query), query, "read", request.args.get("format"), f"roster: {name}")


def _by_body(name: str, find: Callable[[Scope, Query], Ground]) -> Response:
    actor = auth.signed_in("search_personal")
    roster = rosters.find_roster(auth.house(), name)
    scope = auth.scope(actor)
    personal = rosters.sees_personal(scope, roster)
    asked = SearchSchema().load(read_json(100_000))
    query = from_body(roster, asked, personal=personal)
    purpose = asked.get("purpose") or f"roster: {name}"
    return _answer(actor, scope, find(scope, query), query, "search", asked.get("format"), purpose)


def _answer(
    actor: Actor, scope: Scope, ground: Ground, query: Query, action: str, given: str | None, purpose: str
) -> Response:
    auth.demand(actor, "read_records", community_id=ground.community_id)
    if query.personal:
        auth.demand(actor, "read_personal", community_id=ground.community_id)
    house, kind = auth.house(), _format(given)
    if kind == "json":
        return json_answer(rosters.page(house, scope, ground, query, auth.look(actor, action, purpose)))
    sheets = roster_file.table(house, scope, ground, query, auth.look(actor, "export", purpose))
    day = day_at(house.clock())
    title = f"{query.roster.label[query.language]}_{ground.cell_code or ground.name}_{day}.{kind}"
    headers = {"Content-Disposition": f"attachment; filename=roster.{kind}; filename*=UTF-8''{quote(title)}"}
    if kind == "csv":
        return Response(tables.csv_chunks(sheets[0]), content_type=tables.CSV_MEDIA, headers=headers)
    book = io.BytesIO()
    tables.write_xlsx(book, sheets)
    return Response(book.getvalue(), content_type=tables.XLSX_MEDIA, headers=headers)


def _format(given: str | None) -> str:
    if given is not None:
        if given not in _FORMATS:
            message = f"one of {', '.join(_FORMATS)} is expected"
            raise InvalidInput(message, errors=[InputError("/format", "unknown_format", message)])
        return given
    best = request.accept_mimetypes.best_match(["application/json", "text/csv", tables.XLSX_MEDIA], "application/json")
    return {"text/csv": "csv", tables.XLSX_MEDIA: "xlsx"}.get(best, "json")
