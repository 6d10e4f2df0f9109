"""Editions: a draft that passed the gate is put in force as a whole, and what must move is moved (L4, S29).

Planned outside the transaction; under the exclusive lock only what came in between is looked at again. Records that
stay are not written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from geo.cell import BASE_LAYER, Cell
from geo.cells import DraftEdition
from geo.edition import Certificate
from geo.lineage import Lineage
from server.errors import NotFound
from server.permissions import Actor
from server.services.assignments import follow_lineage
from server.services.carry_moves import Staged, carry_cards, carry_moves, stage_moves
from server.services.dedicated import carry_dedicated, plan_dedicated
from server.services.drafts import (
    cells_in_force,
    check_draft,
    demand_publisher,
    edition_row,
    errors_of,
    keep_draft,
    refused,
)
from server.services.footing import footing_of
from server.services.lineages import between, lineage_rows
from server.services.move_plan import MovePlan, Planner, Progress
from server.services.places import cell_of_row, places_in_force, places_of
from server.store import places as store
from server.store import push as reading
from server.store.database import next_journal_number, read, stamp, write
from server.store.errors import Busy, PlanOutdated

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

_TRIES = 4


@dataclass(frozen=True, slots=True)
class Prospect:
    """What publishing a draft would do, as one snapshot shows it."""

    row: Any
    from_edition_id: str | None
    old: Sequence[Cell]
    new: Sequence[Cell]
    lineage: Lineage
    plan: MovePlan


def publish_edition(
    house: House,
    actor: Actor,
    community_id: str,
    draft: DraftEdition,
    *,
    certificate: Certificate | None = None,
    progress: Progress | None = None,
) -> str:
    """Check a draft, keep it and put it in force; returns the edition id. CellsRefused when the gate refuses it.

    ``certificate``: of `check_draft` for this very draft, where the caller has it already.
    """
    demand_publisher(actor, community_id)
    if certificate is None:
        certificate = check_draft(house, community_id, draft)
    if not certificate.ok:
        raise refused(certificate.problems)
    edition_id, _ = keep_draft(house, actor, community_id, draft, certificate=certificate)
    publish_draft(house, actor, community_id, edition_id, progress=progress)
    return edition_id


def publish_draft(
    house: House, actor: Actor, community_id: str, edition_id: str, *, progress: Progress | None = None
) -> None:
    """Put a kept draft in force, move what it moves, and let assignments follow; one transaction, which feeds the phones.

    A draft that was kept with errors stays refused: what was wrong in its file is not in its cells any more. One that
    was kept clean is checked again, since boundary and retired codes may have changed.

    Parameters
    ----------
    progress : told (steps done, steps in all), two for every record that is judged; never under the lock. Again from 0 when
        the plan was outdated

    Raises
    ------
    CellsRefused, NotFound, OutsideScope, Busy
    """
    demand_sound(house, actor, community_id, edition_id)
    tell = progress or (lambda done, of: None)
    for attempt in range(_TRIES):
        with read(house.engine) as connection:
            # Half of the way is to know what moves, the other half to write it.
            prospect = foresee(connection, house, community_id, edition_id, lambda done, of: tell(done, 2 * of))
        ready: list[Staged] = []
        judged = max(prospect.plan.judged, 1)

        def stage(
            connection: Connection, plan: MovePlan = prospect.plan, ready: list[Staged] = ready, judged: int = judged
        ) -> None:
            ready.append(stage_moves(connection, house, community_id, plan))
            tell(judged + judged // 2, 2 * judged)

        try:
            with write(house.engine, stage if prospect.row.layer == BASE_LAYER else None) as connection:
                # Whoever is overtaken again and again plans inside the lock: slower, but nobody can come in between.
                insists = attempt == _TRIES - 1
                _publish(connection, house, actor, community_id, prospect, insists=insists, staged=next(iter(ready), None))
            tell(2 * judged, 2 * judged)
            return
        except PlanOutdated:
            continue
    raise Busy(retry_after_s=2)


def demand_sound(house: House, actor: Actor, community_id: str, edition_id: str) -> None:
    """Go on only where a kept draft may be put in force as it is now; CellsRefused, NotFound, OutsideScope."""
    demand_publisher(actor, community_id)
    with read(house.engine) as connection:
        row = draft_row(connection, community_id, edition_id)
        cells = [cell_of_row(one, row.layer) for one in store.cells_of(connection, community_id, edition_id)]
    report = orjson.loads(row.certificate) if row.certificate else {}
    known = errors_of(report)
    certificate = check_draft(house, community_id, DraftEdition(tuple(cells), ()), revives=report.get("revives"))
    if known or not certificate.ok:
        raise refused((*known, *certificate.problems))


def republish(
    house: House, actor: Actor, community_id: str, edition_id: str, *, progress: Progress | None = None
) -> str:
    """The way back: the cells of an edition that was in force once, in force again as a new edition; returns its id.

    Raises
    ------
    NotFound
        No such edition, or it was never in force, or it is in force now.
    CellsRefused, OutsideScope, Busy
    """
    new_id = draft_of_past(house, actor, community_id, edition_id)
    publish_draft(house, actor, community_id, new_id, progress=progress)
    return new_id


def draft_of_past(house: House, actor: Actor, community_id: str, edition_id: str) -> str:
    """Keep the cells of an edition of the past as a draft, with their identities and codes; its id. As `republish`."""
    demand_publisher(actor, community_id)
    with read(house.engine) as connection:
        row = edition_row(connection, community_id, edition_id)
        cells = [cell_of_row(one, row.layer) for one in store.cells_of(connection, community_id, edition_id)]
    if row.state != "retired":
        raise NotFound("there is no such edition of the past")
    draft = DraftEdition(tuple(cells), (), "cgcs2000")
    certificate = check_draft(house, community_id, draft, revives=edition_id)
    if not certificate.ok:
        raise refused(certificate.problems)
    new_id, _ = keep_draft(house, actor, community_id, draft, certificate=certificate, revives=edition_id)
    return new_id


def previous_edition(house: House, community_id: str, layer: str = BASE_LAYER) -> str:
    """The edition that was in force before the present one; NotFound when there was none."""
    with read(house.engine) as connection:
        past = [
            row for row in store.editions_of(connection, community_id) if row.layer == layer and row.state == "retired"
        ]
    if not past:
        raise NotFound("there is no edition of the past to go back to")
    return str(max(past, key=lambda row: (row.published_at or "", row.number)).edition_id)


def draft_row(connection: Connection, community_id: str, edition_id: str) -> Any:
    """The row of a draft; NotFound once it was published."""
    row = edition_row(connection, community_id, edition_id)
    if row.state != "draft":
        raise NotFound("there is no such draft: the edition was published before")
    return row


def foresee(
    connection: Connection, house: House, community_id: str, edition_id: str, progress: Progress | None = None
) -> Prospect:
    """What publishing this draft would do; nothing is changed. NotFound once it was published."""
    row = draft_row(connection, community_id, edition_id)
    community = store.community_row(connection, community_id)
    if community is None:
        raise NotFound("there is no such community")
    standing = store.published_edition(connection, community_id, row.layer)
    old = cells_in_force(connection, community_id, row.layer)
    places = places_of(connection, str(house.engine.url), community_id, row, row.layer)
    new = list(places.index.cells)
    version = int(community.placement_version)
    if row.layer == BASE_LAYER:
        footing = footing_of(connection, house.registry, community_id)
        lineage = between(connection, community_id, old, new, footing)
        plan = Planner(house.registry, community_id, places, lineage).plan(connection, version, progress, footing)
    else:
        lineage = between(connection, community_id, old, new)
        plan = plan_dedicated(connection, house.registry, community_id, places, version, progress)
    return Prospect(row, standing.edition_id if standing is not None else None, old, new, lineage, plan)


def _publish(
    connection: Connection,
    house: House,
    actor: Actor,
    community_id: str,
    prospect: Prospect,
    *,
    insists: bool,
    staged: Staged | None = None,
) -> None:
    at, edition_id, layer = stamp(house.clock()), prospect.row.edition_id, prospect.row.layer
    version = reading.lock_placement(connection, community_id, exclusive=True)
    draft = draft_row(connection, community_id, edition_id)  # nobody else published it meanwhile
    if draft.content_hash != prospect.row.content_hash or version != prospect.plan.version:
        if not insists:
            raise PlanOutdated
        prospect, staged = foresee(connection, house, community_id, edition_id), None
    if layer != BASE_LAYER:
        # Every write of a place can change it, and it is small: planned again inside the lock.
        prospect = foresee(connection, house, community_id, edition_id)
    places = places_of(connection, str(house.engine.url), community_id, draft, layer)
    if layer == BASE_LAYER:
        if staged is None:
            staged = stage_moves(connection, house, community_id, prospect.plan)
        Planner(house.registry, community_id, places, prospect.lineage).renew(connection, prospect.plan)
    number = next_journal_number(connection)
    store.put_in_force(connection, community_id, edition_id, layer, at, actor.user_id, number)
    rows = lineage_rows(community_id, edition_id, prospect.from_edition_id, prospect.lineage)
    store.insert_lineage(connection, rows)
    in_force = places_in_force(connection, str(house.engine.url), community_id)
    follows, owners = MovePlan(edition_id, version, {}), set[str]()
    if staged is not None:
        follows = prospect.plan
        owners = carry_moves(
            connection, house, actor, community_id, follows, staged, layer=layer, number=number, at=at
        ).owners
    else:
        carry_dedicated(connection, actor, community_id, prospect.plan, number=number, at=at)
    content = _content(connection, community_id)
    carry_cards(connection, house, actor, community_id, follows, in_force, content, at=at, owners=owners)
    follow_lineage(connection, house, actor, community_id, prospect.lineage, at=at)
    reading.raise_placement_version(connection, community_id)


def _content(connection: Connection, community_id: str) -> str:
    """What names the cells in force, of all layers, for phones that have others."""
    found = store.published_editions(connection, community_id)
    hashes = [row.content_hash or row.edition_id for _, row in sorted(found.items())]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("/".join(hashes).encode()).hexdigest()
