"""Figures that were told, as they were told, and the counts that they are made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import published_figure
from server.store.database import insert_rows, run
from server.store.scoping import json_text

_COLUMNS = ("community_id", "edition_id", "period", "cell_id", "measure", "value", "made_at")


def told(connection: Connection, community_id: str, edition_id: str, period: str) -> list[Any]:
    """Rows (cell_id, measure, value, made_at) of one publication; no rows before it was made. A value of None is withheld."""
    statement = (
        "SELECT f.cell_id, f.measure, f.value, f.made_at FROM published_figure f "
        "WHERE f.community_id = ? AND f.edition_id = ? AND f.period = ?"
    )
    return list(run(connection, statement, (community_id, edition_id, period)))


def ever_withheld(connection: Connection, community_id: str, edition_id: str) -> set[tuple[str, str]]:
    """(cell_id, measure) that some publication of this edition has withheld."""
    statement = (
        "SELECT DISTINCT f.cell_id, f.measure FROM published_figure f "
        "WHERE f.community_id = ? AND f.edition_id = ? AND f.value IS NULL"
    )
    return {(row[0], row[1]) for row in run(connection, statement, (community_id, edition_id))}


def unchanged_since(connection: Connection, community_id: str, edition_id: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The editions before one, newest first: id, and of their cells those whose ground has stayed, with its cell of the edition.

    By the lineage that was kept when each was published; ground that was redrawn on the way back is found no more.
    """
    statement = (
        "SELECT l.from_edition_id, l.old_cell_id, l.new_cell_id, l.kind, l.counts FROM cell_lineage l "
        "WHERE l.community_id = ? AND l.edition_id = ? AND l.from_edition_id IS NOT NULL"
    )
    seen, now = {edition_id}, edition_id
    here: dict[str, str] | None = None
    while rows := list(run(connection, statement, (community_id, now))):
        now = rows[0][0]
        if now in seen:
            return
        seen.add(now)
        same = {old: new for _, old, new, kind, counts in rows if kind == "same" and counts}
        here = same if here is None else {old: here[new] for old, new in same.items() if new in here}
        yield now, here


def keep(
    connection: Connection, community_id: str, edition_id: str, period: str, rows: Sequence[tuple[str, str, int | None]],
    *, at: str,
) -> None:  # fmt: skip
    """Keep a publication for ever; one that another process has kept meanwhile stands."""
    insert_rows(
        connection, published_figure, _COLUMNS,
        [(community_id, edition_id, period, cell_id, measure, value, at) for cell_id, measure, value in rows],
        "ON CONFLICT (community_id, edition_id, period, cell_id, measure) DO NOTHING",
    )  # fmt: skip


def persons(connection: Connection, community_id: str) -> Iterator[tuple[str, str | None, str | None, str | None]]:
    """(home, household, birth date, sex) of every living person of a community; not cut by a scope: only sums leave."""
    household, birth, sex, vital = (
        json_text(connection, "r", name) for name in ("residence_household", "birth_date", "sex", "vital_status")
    )
    for row in run(
        connection,
        f"SELECT r.home, {household}, {birth}, {sex} FROM record r WHERE r.community_id = ? AND r.type = 'person' "
        f"AND r.life = 'live' AND COALESCE({vital}, '') <> 'deceased'",
        (community_id,),
    ):
        yield row[0], row[1], row[2], row[3]


def counts(connection: Connection, community_id: str, kind: str) -> dict[str, int]:
    """How many live records of a type stand in each home; not cut by a scope: only sums leave."""
    statement = "SELECT r.home, COUNT(*) FROM record r WHERE r.community_id = ? AND r.type = ? AND r.life = 'live' GROUP BY r.home"
    return {row[0]: int(row[1]) for row in run(connection, statement, (community_id, kind))}
