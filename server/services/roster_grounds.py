"""What a roster is of: a community or one cell of it, under the cells of the edition that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server.errors import NotFound, OutsideScope
from server.permissions import Scope, cell_stream, dedicated_stream
from server.services.places import Places, places_of
from server.services.roster_days import Elsewhere, OnDay, homes_under
from server.services.roster_query import Query, end_of_day
from server.services.roster_source import Now, Source, Then
from server.store import baseline
from server.store import places as editions
from server.store import rosters as store
from server.store.database import read
from server.store.scoping import UNPLACED

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Ground:
    """What a roster is of. ``homes`` are its home streams in the order of cells, ``codes`` the codes of all cells.

    ``edition`` is the row of the edition whose cells these are (None before the first); ``places`` is set where records
    must be placed by it, because they stand under another one.
    """

    community_id: str
    name: str
    cell_code: str | None
    homes: tuple[str, ...]
    codes: dict[str, str]
    edition: Any = None
    places: Places | None = None


def cell_ground(house: House, scope: Scope, code: str, query: Query | None = None) -> Ground:
    """The cell with this code in the scope, of the edition that the query asks for; of today a dedicated cell too.

    Raises
    ------
    NotFound
        No cell of such an edition has this code.
    OutsideScope
        It is somebody else's cell.
    """
    past = query is not None and bool(query.edition or query.as_of or query.known_at)
    with read(house.engine) as connection:
        found = store.cells_with_code(connection, code, past=past)
        for cell in found:
            home = cell_stream(cell.cell_id) if cell.layer == "base" else dedicated_stream(cell.cell_id)
            if not scope.sees_stream(cell.community_id, home):
                continue
            if cell.layer != "base":
                below = editions.published_edition(connection, cell.community_id)
                rows = editions.cells_of(connection, cell.community_id, below.edition_id) if below is not None else []
                codes = {cell_stream(row.cell_id): row.code for row in rows}
                return Ground(cell.community_id, cell.name, code, (home,), codes, below)
            edition, places = _asked(connection, house, cell.community_id, query)
            if not past:
                return Ground(cell.community_id, cell.name, code, (home,), {home: code}, edition, places)
            for row in editions.cells_of(connection, cell.community_id, edition.edition_id) if edition is not None else ():
                if row.code == code:
                    home = cell_stream(row.cell_id)
                    return Ground(cell.community_id, row.name, code, (home,), {home: code}, edition, places)
    if not found or any(scope.sees_community(cell.community_id) for cell in found if scope.streams is None):
        raise NotFound("no published cell has this code")
    raise OutsideScope("this cell is not among those you work for")


def community_ground(house: House, scope: Scope, community_id: str, query: Query | None = None) -> Ground:
    """All cells of a community that the scope sees, and what is unplaced where the scope sees all of it."""
    if not scope.sees_community(community_id):
        raise OutsideScope("this community is not among those you work for")
    with read(house.engine) as connection:
        community = baseline.community_of(connection, community_id)
        if community is None:
            raise NotFound("no such community")
        edition, places = _asked(connection, house, community_id, query)
        rows = editions.cells_of(connection, community_id, edition.edition_id) if edition is not None else []
    cells = sorted(rows, key=lambda row: (row.order_number, row.code))
    codes = {cell_stream(cell.cell_id): cell.code for cell in cells}
    homes = [home for home in codes if scope.streams is None or home in scope.streams]
    if scope.streams is None:
        homes.append(UNPLACED)
    return Ground(community_id, community["name"], None, tuple(homes), codes, edition, places)


def source_of(
    connection: Connection,
    house: House,
    scope: Scope,
    ground: Ground,
    *,
    known_at: str | None = None,
    as_of: str | None = None,
) -> Source:
    """Where the records of a ground come from: now or as known at a time, placed by its edition, as true on a day."""
    community_id = ground.community_id
    source: Source = (
        Now(connection, scope, community_id)
        if known_at is None
        else Then(connection, house, scope, community_id, known_at)
    )
    if ground.places is not None:
        source = Elsewhere(source, homes_under(connection, community_id, ground.places))
    return source if as_of is None else OnDay(source, as_of)


def _asked(
    connection: Connection, house: House, community_id: str, query: Query | None
) -> tuple[Any | None, Places | None]:
    """The edition that a query asks for: by id or number, else the one in force on its day, else the present one."""
    known_at = query.known_at if query is not None else None
    as_of = query.as_of if query is not None else None
    return edition_asked(
        connection, house, community_id, edition=query.edition if query is not None else None, as_of=as_of, known_at=known_at
    )


def edition_asked(
    connection: Connection, house: House, community_id: str, *, edition: str | None, as_of: str | None, known_at: str | None
) -> tuple[Any | None, Places | None]:
    """(row of the edition, its cells where records must be placed by them); NotFound for one that was never in force."""
    rows = [
        row for row in editions.editions_of(connection, community_id) if row.layer == "base" and row.state != "draft"
    ]
    present = next((row for row in rows if row.state == "published"), None)
    # As known at a time, records stand where the ledger says: under the edition of that time.
    standing = _in_force(rows, known_at) or present if known_at is not None else present
    if edition is None:
        chosen = (_in_force(rows, end_of_day(as_of)) or present) if as_of is not None else standing
    elif edition == "current":
        chosen = present
    else:
        chosen = next((row for row in rows if edition in (row.edition_id, str(row.number))), None)
        if chosen is None:
            raise NotFound("no edition of this id or number was ever in force")
    if chosen is None or standing is None or chosen.edition_id == standing.edition_id:
        return chosen, None
    return chosen, places_of(connection, str(house.engine.url), community_id, chosen)


def _in_force(rows: list[Any], at: str) -> Any | None:
    before = [row for row in rows if (row.published_at or "") <= at]
    return max(before, key=lambda row: (row.published_at or "", row.number), default=None)
