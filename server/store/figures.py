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


def told_ever(connection: Connection, community_id: str) -> list[Any]:
    """Rows (edition_id, cell_id, measure, is_told, is_withheld) of everything that was ever told or withheld of a community.

    Each is 1 where some publication of that edition has told it, or withheld it; both where one month did and another did not.
    """
    statement = (
        "SELECT f.edition_id, f.cell_id, f.measure, MAX(CASE WHEN f.value IS NULL THEN 0 ELSE 1 END), "
        "MAX(CASE WHEN f.value IS NULL THEN 1 ELSE 0 END) FROM published_figure f "
        "WHERE f.community_id = ? GROUP BY f.edition_id, f.cell_id, f.measure"
    )
    return list(run(connection, statement, (community_id,)))


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


_CHAIN = (
    "LEFT JOIN record a ON a.community_id = r.community_id AND a.id = r.place_parent "
    "LEFT JOIN record b ON b.community_id = a.community_id AND b.id = a.place_parent "
    "LEFT JOIN record c ON c.community_id = b.community_id AND c.id = b.place_parent "
    "LEFT JOIN record d ON d.community_id = c.community_id AND d.id = c.place_parent "
)  # person → household → dwelling → entrance → building


def _spot(is_placed: bool) -> tuple[str, str, str]:
    """SQL of longitude, latitude and the joins that give them; nothing where places are not asked for."""
    if not is_placed:
        return "NULL", "NULL", ""
    return "COALESCE(r.lon, a.lon, b.lon, c.lon, d.lon)", "COALESCE(r.lat, a.lat, b.lat, c.lat, d.lat)", _CHAIN


def persons(connection: Connection, community_id: str, *, is_placed: bool = False) -> Iterator[tuple[Any, ...]]:
    """(home, lon, lat, household, birth date, sex) of every living person of a community; not cut by a scope: only sums leave.

    The point is that of the entrance or building where they live, None without one and unless ``is_placed``.
    """
    household, birth, sex, vital = (
        json_text(connection, "r", name) for name in ("residence_household", "birth_date", "sex", "vital_status")
    )
    lon, lat, joins = _spot(is_placed)
    for row in run(
        connection,
        f"SELECT r.home, {lon}, {lat}, {household}, {birth}, {sex} FROM record r {joins}WHERE r.community_id = ? AND r.type = 'person' "
        f"AND r.life = 'live' AND COALESCE({vital}, '') <> 'deceased'",
        (community_id,),
    ):
        yield tuple(row)


def counts(connection: Connection, community_id: str, kind: str, *, is_placed: bool = False) -> list[tuple[Any, ...]]:
    """(home, lon, lat, how many) of the live records of a type; not cut by a scope: only sums leave."""
    lon, lat, joins = _spot(is_placed)
    statement = (
        f"SELECT r.home, {lon} AS lon, {lat} AS lat, COUNT(*) FROM record r {joins}"
        "WHERE r.community_id = ? AND r.type = ? AND r.life = 'live' GROUP BY 1, 2, 3"
    )
    return [(row[0], row[1], row[2], int(row[3])) for row in run(connection, statement, (community_id, kind))]
