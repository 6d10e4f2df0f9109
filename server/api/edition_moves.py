"""What an edition moves: the dry run before, the ledger after."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from server import auth
from server.api.answers import json_answer
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.services import moves_told

blueprint = Blueprint("edition_moves", __name__)

_TAG = "网格"
_CELL: dict[str, Any] = {
    "type": ["object", "null"],
    "description": "null: in no cell / 未归格",
    "properties": {
        "cell_id": {"type": "string"},
        "code": {"type": ["string", "null"]},
        "name": {"type": ["string", "null"]},
    },
}
_PAGE: dict[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": moves_told.MOST_PER_PAGE, "default": 100},
    "next": {"type": "string", "description": "上一页给出的 next / the cursor of the page before"},
}
_MOVES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "count": {"type": "integer"},
        "types": {"type": "object", "additionalProperties": {"type": "integer"}},
        "pairs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "from": _CELL,
                    "to": _CELL,
                    "count": {"type": "integer"},
                    "types": {"type": "object", "additionalProperties": {"type": "integer"}},
                },
            },
        },
    },
}
_ROWS: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "type": {"type": "string"},
            "title": {"type": ["string", "null"], "description": "as far as the reader may know it"},
            "from": _CELL,
            "to": _CELL,
            "why": {"enum": ["lies", "follows", "pinned"]},
            "because": {"type": "object", "description": "the record whose place decides"},
            "zh": {"type": "string"},
            "en": {"type": "string"},
        },
    },
}
_DRY_RUN: dict[str, Any] = {
    "type": "object",
    "required": ["edition", "as_of", "judged", "moves", "doubts", "pins", "lineage", "warnings", "assignments", "rows", "next"],
    "properties": {
        "edition": {"type": "object"},
        "as_of": {"type": "string", "format": "date-time"},
        "placement_version": {"type": "integer"},
        "judged": {"type": "integer", "description": "records with a location or a pin of their own"},
        "moves": _MOVES,
        "doubts": {"type": "integer", "description": "records that stay, but whose uncertain fix touches other cells now"},
        "pins": {"type": "object", "properties": {"follow": {"type": "integer"}, "reopened": {"type": "integer"}}},
        "lineage": {"type": "object", "additionalProperties": {"type": "integer"}},
        "warnings": {"type": "array", "items": {"type": "object"}, "description": "codes in force that would stand on other ground"},
        "assignments": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "user_id": {"type": "string"},
                    "name": {"type": ["string", "null"]},
                    "duty": {"type": "string"},
                    "from": _CELL,
                    "to": {"type": "array", "items": _CELL},
                },
            },
        },
        "rows": _ROWS,
        "next": {"type": ["string", "null"]},
    },
}


@blueprint.get("/api/v1/communities/<community_id>/editions/<edition_id>/dry-run")
@describe(
    zh="试算：发布这一版会移动哪些记录，从哪里到哪里，为什么",
    en="What publishing this draft would move, from where to where and why; who would work which cell. Changes nothing",
    tag=_TAG,
    query={"type": {"type": "string", "description": "只列此类记录 / only moves of this record type"}, **_PAGE},
    response=_DRY_RUN,
    problems=("invalid-input", "not-found"),
    more="Counts are of everything; `rows` come page by page, by type and id. Titles are told as far as the reader may "
    "know them, and personal ones are written into the audit log.",
)
def show_dry_run(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    told = moves_told.dry_run(
        auth.house(), auth.scope(actor), community_id, edition_id, auth.look(actor, "read", "dry run of an edition"),
        record_type=request.args.get("type") or None, cursor=request.args.get("next") or None, limit=_limit(),
    )  # fmt: skip
    return json_answer(told)


@blueprint.get("/api/v1/communities/<community_id>/editions/<edition_id>/moves")
@describe(
    zh="这一版发布时移动了哪些记录（台账）",
    en="What an edition moved when it came into force, from the placement ledger",
    tag=_TAG,
    query=_PAGE,
    response={
        "type": "object",
        "required": ["edition", "moves", "rows", "next"],
        "properties": {
            "edition": {"type": "object"}, "moves": _MOVES, "rows": _ROWS, "next": {"type": ["string", "null"]}
        },
    },
    problems=("invalid-input", "not-found"),
)  # fmt: skip
def show_moves(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    told = moves_told.moved(
        auth.house(), auth.scope(actor), community_id, edition_id, auth.look(actor, "read", "moves of an edition"),
        cursor=request.args.get("next") or None, limit=_limit(),
    )  # fmt: skip
    return json_answer(told)


def _limit() -> int:
    text = request.args.get("limit", "100")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= moves_told.MOST_PER_PAGE:
        message = f"a whole number from 1 to {moves_told.MOST_PER_PAGE}"
        raise InvalidInput(message, errors=[InputError("/limit", "range", message)])
    return int(text)
