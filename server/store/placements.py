"""Reading for placement: what waits for a confirmation, what places a record, and where it has been."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import record
from server.permissions import Scope
from server.store.database import rows_of, run
from server.store.scoping import Condition, among, both, record_cut

DOUBTFUL_PLACE = "r.placement LIKE '%\"needs_confirmation\":true%'"


def doubtful_where(connection: Connection, scope: Scope, community_id: str, types: Sequence[str]) -> Condition:
    """Live records whose own place is a guess between cells."""
    return both(
        record_cut(connection, scope, community_id),
        among("r.type", types),
        (f"r.life = 'live' AND {DOUBTFUL_PLACE}", []),
    )


def doubtful(connection: Connection, scope: Scope, community_id: str, types: Sequence[str], ids: Sequence[str]) -> list[Any]:
    """Those of these records whose place is a guess, in the order of ``ids``."""
    text, values = both(doubtful_where(connection, scope, community_id, types), among("r.id", ids))
    found = run(
        connection,
        "SELECT r.id, r.type, r.v, r.tag, r.home, r.fields, r.placement, r.lon, r.lat, r.created_at, r.created_install "
        f"FROM record r WHERE {text}",
        values,
    )
    return sorted(found, key=lambda row: ids.index(row.id))


def count_doubtful(connection: Connection, scope: Scope, community_id: str, types: Sequence[str]) -> int:
    """How many there are."""
    text, values = doubtful_where(connection, scope, community_id, types)
    return int(run(connection, f"SELECT COUNT(*) FROM record r WHERE {text}", values).scalar_one())


def placed_rows(connection: Connection, community_id: str, ids: Sequence[str]) -> list[Any]:
    """Records by id, with what places them."""
    columns = ("id", "type", "life", "v", "tag", "home", "dedicated", "place_parent", "fields", "placement", "lon", "lat")
    return rows_of(connection, record, columns, community_id, "id", ids)


def ledger_of(connection: Connection, community_id: str, record_id: str) -> list[Any]:
    """Every change of home of a record, the newest first."""
    return list(
        run(
            connection,
            "SELECT l.from_home, l.to_home, l.at, l.reason FROM placement_ledger l "
            "WHERE l.community_id = ? AND l.record_id = ? ORDER BY l.at DESC, l.v DESC, l.step DESC LIMIT 100",
            (community_id, record_id),
        )
    )
