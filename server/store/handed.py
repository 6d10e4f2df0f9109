"""What the office hands on of queues that are worked out anew each time: probable duplicates, records in no cell, doubtful places.

They have no row of their own. Handed on, each has a finding of its kind, which stands in its own queue and among no others, and is over
when what it says is so no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from server.models import finding
from server.permissions import Scope
from server.store.database import rows_of, run
from server.store.placements import DOUBTFUL_PLACE
from server.store.scoping import UNPLACED, Condition, record_cut
from server.store.writing import finding_id, write_findings
from sync.memory import Found

DUPLICATE, NO_CELL, DOUBTFUL = "duplicate", "no_cell", "doubtful_place"
HANDED = (DUPLICATE, NO_CELL, DOUBTFUL)
KINDS = ", ".join(f"'{one}'" for one in HANDED)


def asking(kind: str, record_id: str, other: str | None = None) -> Found:
    """The finding that hands on this matter; of a duplicate ``other`` is who the record may be one with."""
    return Found(kind, other or kind, record_id, ())


_SO = {
    DUPLICATE: "EXISTS (SELECT 1 FROM record q WHERE q.community_id = r.community_id AND q.id = {other} AND q.life = 'live')",
    NO_CELL: f"r.home = '{UNPLACED}'",
    DOUBTFUL: DOUBTFUL_PLACE,
}


def handed_where(connection: Connection, scope: Scope, community_id: str) -> Condition:
    """FROM and WHERE of what is handed on and still so, ``f``, and its records ``r`` in the scope."""
    cut, values = record_cut(connection, scope, community_id)
    so = " OR ".join(f"(f.kind = '{kind}' AND {text.format(other='f.name')})" for kind, text in _SO.items())
    text = "FROM finding f JOIN record r ON r.community_id = f.community_id AND r.id = f.record_id "
    return f"{text}WHERE f.community_id = ? AND f.state = 'open' AND r.life = 'live' AND ({so}) AND {cut}", [community_id, *values]


def is_so(connection: Connection, scope: Scope, community_id: str, one: Found) -> bool:
    """Whether a record within the scope is as this says."""
    cut, values = record_cut(connection, scope, community_id)
    so = _SO[one.kind].format(other="?")
    others = [one.name] if one.kind == DUPLICATE else []
    text = f"SELECT 1 FROM record r WHERE {cut} AND r.id = ? AND r.life = 'live' AND {so}"
    return run(connection, text, (*values, one.record_id, *others)).first() is not None


def hand(connection: Connection, community_id: str, one: Found, user_id: str, at: str) -> None:
    """Ask somebody about it."""
    write_findings(connection, community_id, [one], 0, at)
    statement = "UPDATE finding SET delegated_to = ?, delegated_at = ? WHERE community_id = ? AND finding_id = ?"
    run(connection, statement, (user_id, at, community_id, finding_id(one)))


def take_back(connection: Connection, community_id: str, found: Sequence[Found], at: str) -> None:
    """Nobody is asked any more; what was never handed on stays so."""
    closed = [Found(one.kind, one.name, one.record_id, (), False) for one in found]
    write_findings(connection, community_id, closed, 0, at)


def handed_to(connection: Connection, community_id: str, ids: Sequence[str]) -> dict[str, str]:
    """Finding id → who is asked, of those of these that are handed on now."""
    rows = rows_of(connection, finding, ("finding_id", "state", "delegated_to"), community_id, "finding_id", ids)
    return {row.finding_id: row.delegated_to for row in rows if row.state == "open" and row.delegated_to is not None}
