"""The questions of every week."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from server import auth
from server.api.answers import json_answer
from server.openapi import describe
from server.services import questions
from server.services.roster_query import moment_of

blueprint = Blueprint("questions", __name__)

_TAG = "花名册与底数"
_QUESTIONS: dict[str, Any] = {
    "type": "object",
    "required": ["questions"],
    "properties": {"questions": {"type": "array", "items": {"type": "object"}}},
}
_COUNTS: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "name", "lists"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "name": {"type": "string"},
        "lists": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "true_on", "count", "cells", "elsewhere"],
                "properties": {
                    "true_on": {"type": ["string", "null"], "format": "date", "description": "the day that it answers for; null: now"},
                    "count": {"type": "integer"},
                    "cells": {"type": "array", "items": {"type": "object"}},
                    "elsewhere": {"type": "integer", "description": "of the count, what is in no cell of the scope"},
                },
            },
        },
    },
}
_DAY = {
    "as_of": {
        "type": "string",
        "format": "date",
        "description": "a past day that is asked about; lists whose facts carry no dates (`of_the_present`) answer for today all the same",
    }
}


@blueprint.get("/api/v1/questions")
@describe(
    zh="常用问题：用哪个花名册、哪些筛选来回答", en="The questions of every week: which roster and filters answer them",
    tag=_TAG, response=_QUESTIONS, query=_DAY, problems=("invalid-input",),
)  # fmt: skip
def list_questions() -> Response:
    """Needs ``read_records``."""
    actor = auth.signed_in("read_records")
    return json_answer({"questions": questions.all_questions(auth.house(), auth.scope(actor), _day())})


@blueprint.get("/api/v1/communities/<community_id>/questions/<name>/counts")
@describe(
    zh="一个常用问题的答案有多少，按网格", en="How many answer a question, cell by cell",
    tag=_TAG, response=_COUNTS, query=_DAY, problems=("not-found", "invalid-input"),
    more="Figures only; the lists are asked as rosters. Questions about people are written into the audit log.",
)  # fmt: skip
def show_counts(community_id: str, name: str) -> Response:
    """Needs ``read_records``."""
    actor = auth.signed_in("read_records", community_id=community_id)
    look = auth.look(actor, "search", f"question: {name}"[:120])
    return json_answer(questions.counts(auth.house(), auth.scope(actor), community_id, name, look, _day()))


def _day() -> str | None:
    return moment_of(request.args.get("as_of"), None)[0]
