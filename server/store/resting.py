"""Who depends on where a record stands: everybody in the households, dwellings and buildings that are placed by it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from server.store.database import run
from server.store.scoping import Condition, json_text


@dataclass(frozen=True, slots=True)
class Resting:
    """A record and who rests on it. ``people`` are living persons, itself among them; ``frail`` says that one of them is very old and
    lives alone, or is in care."""

    id: str
    created_at: str
    people: int
    frail: bool


def resting(connection: Connection, community_id: str, chosen: Condition, *, very_old: str, day: str) -> list[Resting]:
    """The chosen records ``r`` with who rests on each, in no order.

    Parameters
    ----------
    chosen : condition on ``r``, cut to a scope
    very_old : the latest day of birth of whoever counts as very old
    day : today; care that has ended before counts no more
    """
    text, values = chosen
    birth, until = json_text(connection, "p", "birth_date"), json_text(connection, "p", "to_date")
    alive, other = (f"COALESCE({json_text(connection, alias, 'vital_status')}, '') <> 'deceased'" for alias in ("p", "o"))
    alone = (
        "NOT EXISTS (SELECT 1 FROM record o WHERE o.community_id = p.community_id AND o.place_parent = p.place_parent "
        f"AND o.type = 'person' AND o.life = 'live' AND o.id <> p.id AND {other})"
    )
    rows = run(
        connection,
        f"WITH RECURSIVE below (root, created_at, id) AS (SELECT r.id, r.created_at, r.id FROM record r WHERE {text} "
        "UNION SELECT b.root, b.created_at, c.id FROM below b JOIN record c ON c.community_id = ? AND c.place_parent = b.id AND c.life = 'live') "
        f"SELECT b.root, b.created_at, SUM(CASE WHEN p.type = 'person' AND {alive} THEN 1 ELSE 0 END), "
        f"MAX(CASE WHEN p.type = 'person' AND {alive} AND {birth} <= ? AND {alone} THEN 1 "
        f"WHEN p.type = 'care_status' AND ({until} IS NULL OR {until} >= ?) THEN 1 ELSE 0 END) "
        "FROM below b JOIN record p ON p.community_id = ? AND p.id = b.id GROUP BY b.root, b.created_at",
        (*values, community_id, very_old, day, community_id),
    )
    return [Resting(row[0], row[1], int(row[2]), bool(row[3])) for row in rows]
