"""Editions: a draft that passed the gate is put in force as a whole, and every record placed anew (L4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from geo.cells import DraftEdition
from geo.edition import Certificate
from server.errors import NotFound
from server.permissions import Actor
from server.services.carry import Entry, Opened, carry_out
from server.services.drafts import check_draft, demand_publisher, edition_row, errors_of, keep_draft, refused
from server.services.keys import DataKeys
from server.services.places import cell_of_row, places_in_force
from server.services.transact import forms_id
from server.store import places as store
from server.store import push as reading
from server.store.database import next_journal_number, read, stamp, write
from server.store.errors import Busy, PlanOutdated
from sync.effects import REFERENCE_STREAM, keep_card, keep_reference
from sync.feedrows import Counter
from sync.memory import UNPLACED, Memory, Writer
from sync.operation import Operation
from sync.placing import replace_record
from sync.record import Chain

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

Progress = Callable[[int, int], None]
_TOLD_EVERY = 500
SYSTEM_INSTALL = "~system"


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
    """Put a kept draft in force and place every record anew, in one transaction that feeds the phones.

    A draft that was kept with errors stays refused: what was wrong in its file is not in its cells any more. One that
    was kept clean is checked again, since boundary and retired codes may have changed.

    Parameters
    ----------
    progress : told (records placed, records in all); again from 0 when the transaction starts again

    Raises
    ------
    CellsRefused, NotFound, OutsideScope, Busy
    """
    demand_publisher(actor, community_id)
    with read(house.engine) as connection:
        row = _draft_row(connection, community_id, edition_id)
        cells = [cell_of_row(one, row.layer) for one in store.cells_of(connection, community_id, edition_id)]
    report = orjson.loads(row.certificate) if row.certificate else {}
    known = errors_of(report)
    certificate = check_draft(house, community_id, DraftEdition(tuple(cells), ()), revives=report.get("revives"))
    if known or not certificate.ok:
        raise refused((*known, *certificate.problems))
    for _ in range(3):
        try:
            with write(house.engine) as connection:
                _publish(connection, house, actor, community_id, edition_id, progress)
            return
        except PlanOutdated:
            continue
    raise Busy(retry_after_s=2)


def _draft_row(connection: Connection, community_id: str, edition_id: str) -> Any:
    row = edition_row(connection, community_id, edition_id)
    if row.state != "draft":
        raise NotFound("there is no such draft: the edition was published before")
    return row


def _publish(
    connection: Connection, house: House, actor: Actor, community_id: str, edition_id: str, progress: Progress | None
) -> None:
    at = stamp(house.clock())
    reading.lock_placement(connection, community_id, exclusive=True)
    draft = _draft_row(connection, community_id, edition_id)  # nobody else published it meanwhile
    store.put_in_force(connection, community_id, edition_id, "base", at, actor.user_id)
    places = places_in_force(connection, str(house.engine.url), community_id)
    ids = store.located_ids(connection, community_id)
    records, secrets = reading.load_records(connection, community_id, ids)
    children: dict[str, set[str]] = {}
    for record in records.values():
        if record.place_parent is not None:
            children.setdefault(record.place_parent, set()).add(record.id)
    makers = {record.created_install for record in records.values()}
    devices = reading.device_installs(connection, community_id, sorted(makers))
    streams = {UNPLACED, REFERENCE_STREAM, *(record.home for record in records.values()), *(f"install/{one}" for one in devices)}
    streams.update(f"cell/{cell_id}" for cell_id in places.index.cell_ids)
    counters = reading.lock_streams(connection, community_id, streams)
    keys = DataKeys(house.keys)
    subjects = keys.missing(record.subject_id for record in records.values())
    keys.learn(subjects, reading.wrapped_keys(connection, community_id, subjects))
    memory = Memory(
        records=records,
        place=places.place,
        forms=house.registry.latest,
        arrived_at=at,
        today=at[:10],
        movable=frozenset(records),
        children=children,
    )
    number = next_journal_number(connection)
    places.learn(record.fields["anchor"] for record in records.values() if record.fields.get("anchor") is not None)
    _place_all(house, memory, number, draft.content_hash or edition_id, progress)
    entry = Entry(
        number, "publish", at, actor.user_id, SYSTEM_INSTALL, "console", {"edition": edition_id, "layer": "base"}
    )
    opened = Opened(secrets, {one: Counter.read(*row) for one, row in counters.items()}, keys, devices)
    carry_out(connection, house, community_id, memory, opened, entry)
    reading.raise_placement_version(connection, community_id)


def _place_all(
    house: House, memory: Memory, number: int, content_hash: str, progress: Progress | None
) -> None:
    located = [one for one in memory.records.values() if "anchor" in one.fields]
    for done, record in enumerate(located):
        if progress is not None and done % _TOLD_EVERY == 0:
            progress(done, len(located))
        form = house.registry.latest(record.type)
        if "@anchor" in form.placed_by:
            note = record.placement
            replace_record(form, record, memory)
            if record.id not in memory.touched:
                record.placement = note  # only what changes its stream is written (S29)
    if progress is not None:
        progress(len(located), len(located))
    operation = Operation(house.new_id(), "edition", SYSTEM_INSTALL, "patch", None, {}, {}, 1, None)
    writer = Writer(SYSTEM_INSTALL, "system", Chain(SYSTEM_INSTALL), system=True)
    for person in [one for one in memory.records.values() if one.type == "person"]:
        keep_card(person, operation, number, writer, memory)
    keep_reference("edition", content_hash, operation, number, writer, memory)
    keep_reference("forms", forms_id(house.registry), operation, number, writer, memory)
