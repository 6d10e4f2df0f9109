"""How views answer: JSON by orjson, empty answers, and answers that the caller may already have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response


def json_answer(content: Any, status: int = 200) -> Response:
    """A JSON answer; mappings of any kind are objects."""
    return Response(orjson.dumps(content, default=_plain), status=status, content_type="application/json")


def empty_answer() -> Response:
    """204: done, nothing to tell."""
    return Response(status=204)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(type(value).__name__)
