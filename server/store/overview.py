"""Figures of the overview per home: ages, what is open, what was done lately; and the figures of past days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import daily_figure
from server.permissions import Scope
from server.store.baseline import place_cut
from server.store.database import insert_rows, run
from server.store.inbox import LISTED_ELSEWHERE, QUEUE
from server.store.scoping import UNPLACED, Condition, json_text

TOTAL = "~total"
"""Stands for the sum of all homes of a community on a day."""

_HOME = f"COALESCE(r.home, '{UNPLACED}')"


def _waiting_cut(scope: Scope, community_id: str) -> Condition:
    """Records of the scope; and what is about none of the records that came, for those who see the whole community."""
    cut, values = place_cut(scope, community_id)
    return (cut if scope.streams is not None else f"(r.id IS NULL OR ({cut}))"), values


def open_findings(connection: Connection, scope: Scope, community_id: str) -> dict[str, int]:
    """Open findings of each home; those about no record stand with what is in no cell."""
    cut, values = _waiting_cut(scope, community_id)
    return _counts(
        connection,
        f"SELECT {_HOME}, COUNT(*) FROM finding f LEFT JOIN record r ON r.community_id = f.community_id AND r.id = f.record_id "
        f"WHERE f.community_id = ? AND f.state = 'open' AND f.kind NOT IN {LISTED_ELSEWHERE} AND {cut} GROUP BY {_HOME}",
        (community_id, *values),
    )


def open_operations(connection: Connection, scope: Scope, community_id: str) -> list[tuple[str, str, int]]:
    """(home, queue, number) of what waits on records of each home; what is about no record stands with what is in no cell.

    The queues are those of the inbox: ``held``, ``quarantined``, and ``proposals`` for those who see the whole community; for others
    a proposal is held like anything else.
    """
    cut, values = _waiting_cut(scope, community_id)
    queue = "o.now" if scope.streams is not None else QUEUE
    found = run(
        connection,
        f"SELECT {_HOME}, {queue}, COUNT(*) FROM operation o LEFT JOIN record r ON r.community_id = o.community_id AND r.id = o.record_id "
        f"WHERE o.community_id = ? AND o.now IN ('held', 'quarantined') AND {cut} GROUP BY {_HOME}, {queue}",
        (community_id, *values),
    )
    return [(row[0], row[1], int(row[2])) for row in found]


def stale_households(connection: Connection, scope: Scope, community_id: str, before: str) -> dict[str, int]:
    """Households of each home that nobody has written or confirmed since a moment."""
    cut, values = place_cut(scope, community_id)
    return _counts(
        connection,
        f"SELECT r.home, COUNT(*) FROM record r WHERE {cut} AND r.type = 'household' AND r.life = 'live' AND r.fresh_at < ? "
        "GROUP BY r.home",
        (*values, before),
    )


def visits_since(connection: Connection, scope: Scope, community_id: str, since: str) -> dict[str, int]:
    """Visits in each home since a moment, by when they took place."""
    cut, values = place_cut(scope, community_id)
    return _counts(
        connection,
        f"SELECT r.home, COUNT(*) FROM record r WHERE {cut} AND r.type = 'visit' AND r.life = 'live' "
        f"AND {json_text(connection, 'r', 'visited_at')} >= ? GROUP BY r.home",
        (*values, since),
    )


def waiting_by_install(connection: Connection, community_id: str) -> dict[str, dict[str, int]]:
    """How many operations of each install are held and quarantined."""
    found: dict[str, dict[str, int]] = {}
    for install_id, now, number in run(
        connection,
        "SELECT o.install_id, o.now, COUNT(*) FROM operation o WHERE o.community_id = ? "
        "AND o.now IN ('held', 'quarantined') GROUP BY o.install_id, o.now",
        (community_id,),
    ):
        found.setdefault(install_id, {})[now] = int(number)
    return found


def _counts(connection: Connection, statement: str, values: Sequence[Any]) -> dict[str, int]:
    return {row[0]: int(row[1]) for row in run(connection, statement, values)}


# ---------------------------------------------------------------- figures of past days
def communities_without(connection: Connection, day: str) -> list[str]:
    """Communities whose figures of a day are not kept yet."""
    return [
        row[0]
        for row in run(
            connection,
            "SELECT c.community_id FROM community c WHERE NOT EXISTS (SELECT 1 FROM daily_figure d "
            "WHERE d.community_id = c.community_id AND d.day = ? AND d.home = ?) ORDER BY c.community_id",
            (day, TOTAL),
        )
    ]


def first_days(connection: Connection) -> dict[str, str]:
    """The first day whose figures are kept, of every community that has any."""
    statement = "SELECT d.community_id, MIN(d.day) FROM daily_figure d WHERE d.home = ? GROUP BY d.community_id"
    return {row[0]: row[1] for row in run(connection, statement, (TOTAL,))}


def records_standing(connection: Connection, community_id: str) -> int:
    """How many records stand in the cells of a community and unplaced, by its counters."""
    statement = (
        "SELECT SUM(count) FROM stream WHERE community_id = ? AND (stream_id LIKE 'cell/%' OR stream_id = '~unplaced')"
    )
    return int(run(connection, statement, (community_id,)).scalar_one() or 0)


def keep_day(connection: Connection, community_id: str, day: str, figures: Mapping[str, Mapping[str, int]]) -> None:
    """Keep the figures of a day by home; what another worker has kept meanwhile stands."""
    rows = [(community_id, day, home, orjson.dumps(dict(one)).decode()) for home, one in figures.items()]
    insert_rows(connection, daily_figure, ("community_id", "day", "home", "figures"), rows, "ON CONFLICT DO NOTHING")


def last_kept(
    connection: Connection, community_id: str, since: str, until: str, homes: Iterable[str] | None
) -> tuple[str, dict[str, dict[str, int]]] | None:
    """(day, figures by home) of the last kept day from a day to another, of all homes or of these; None when none was kept."""
    rows = list(
        run(
            connection,
            "SELECT d.day, d.home, d.figures FROM daily_figure d WHERE d.community_id = ? AND d.day = ("
            "SELECT MAX(m.day) FROM daily_figure m WHERE m.community_id = ? AND m.home = ? AND m.day BETWEEN ? AND ?)",
            (community_id, community_id, TOTAL, since, until),
        )
    )
    wanted = None if homes is None else set(homes)
    return (rows[0][0], {row[1]: orjson.loads(row[2]) for row in rows if wanted is None or row[1] in wanted}) if rows else None


def month_ends(
    connection: Connection, community_id: str, since: str, until: str, homes: Iterable[str]
) -> list[tuple[str, str, dict[str, int]]]:
    """(day, home, figures) of the last kept day of each month from a day to another, for these homes, by day."""
    wanted = set(homes)
    rows = run(
        connection,
        "SELECT d.day, d.home, d.figures FROM daily_figure d WHERE d.community_id = ? AND d.day IN ("
        "SELECT MAX(m.day) FROM daily_figure m WHERE m.community_id = ? AND m.home = ? AND m.day BETWEEN ? AND ? "
        "GROUP BY SUBSTR(m.day, 1, 7)) ORDER BY d.day, d.home",
        (community_id, community_id, TOTAL, since, until),
    )
    return [(row[0], row[1], orjson.loads(row[2])) for row in rows if row[1] in wanted]
