"""What every paged view reads from its address: the community that is meant, the length of a page, where it begins."""

from __future__ import annotations

from typing import Any

from flask import request

from server import auth
from server.errors import InputError, InvalidInput
from server.permissions import Actor

MOST_PER_PAGE = 200

COMMUNITY: dict[str, Any] = {
    "community": {
        "type": "string",
        "description": "所属社区编号，缺省为本人社区 / community id, the actor's own when left out",
    },
}
PAGE: dict[str, Any] = COMMUNITY | {
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_PER_PAGE, "default": 50},
    "next": {"type": "string", "description": "上一页给出的 next / the cursor of the page before"},
}
PAGED: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "rows", "next"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "count": {"type": "integer"},
        "rows": {"type": "array", "items": {"type": "object"}},
        "next": {"type": ["string", "null"]},
    },
}


def actor_in_community(action: str) -> tuple[Actor, str]:
    """Who is signed in and may do ``action``, and in which community: the one that the address names, else their own."""
    actor = auth.signed_in(action)
    community_id = request.args.get("community") or actor.community_id
    auth.demand(actor, action, community_id=community_id)
    return actor, community_id


def page_limit() -> int:
    """The ``limit`` of the address, 50 without one; InvalidInput for anything but 1 to `MOST_PER_PAGE`."""
    text = request.args.get("limit", "50")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_PER_PAGE:
        message = f"a whole number from 1 to {MOST_PER_PAGE} is expected"
        raise InvalidInput(message, errors=[InputError("/limit", "not_a_limit", message)])
    return int(text)
