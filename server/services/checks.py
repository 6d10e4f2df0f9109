"""What was found at the door by those whom the office had asked, beside the item of the inbox that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from forms.index import normalise_for_search
from server.permissions import Scope
from server.services.labels import code_labels, form_of
from server.store import asked as store
from server.store import inbox as people
from server.store import search

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

NOTE = "door_check.note"
"""The personal field that `add_checks` gives."""


def add_checks(
    house: House, connection: Connection, scope: Scope, community_id: str, rows: Sequence[dict[str, Any]], items: Sequence[str]
) -> set[str]:
    """Say in ``checks`` of each row what was found at the door about the item at its place; names of the personal fields given."""
    found = checks_of(house, connection, scope, community_id, items)
    for row, item in zip(rows, items, strict=True):
        row["checks"] = found.get(item, [])
    return {NOTE} if any(one["note"] for told in found.values() for one in told) else set()


def checks_of(
    house: House, connection: Connection, scope: Scope, community_id: str, items: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """What was found at the door about these items, the first answer first; items without an answer are left out.

    Each is ``{"id", "by", "at", "outcome", "label", "note", "asked_at"}``; ``note`` is personal.
    """
    keys = [house.keys.search_key("item", normalise_for_search(item)) for item in items]
    ids = sorted({record_id for _, record_id in search.found_under(connection, community_id, keys)})
    rows = store.checks_by_id(connection, scope, community_id, ids) if ids else []
    who = people.people_of_installs(connection, community_id, (row.created_install for row in rows))
    wanted = set(items)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        fields = orjson.loads(row.fields)
        if fields.get("item") not in wanted:
            continue
        codes = form_of(house.registry, store.CHECK, row.form_version).fields["outcome"].codes
        found.setdefault(fields["item"], []).append(
            {
                "id": row.id,
                "by": who.get(row.created_install),
                "at": fields.get("checked_at") or row.created_at,
                "outcome": fields.get("outcome"),
                "label": code_labels(codes, fields.get("outcome")),
                "note": fields.get("note"),
                "asked_at": fields.get("asked_at"),
            }
        )
    return found
