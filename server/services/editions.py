"""Editions: a draft is checked and kept, published as a whole, and every record placed anew (L4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import shapely

from geo.cell_rows import cell_to_row
from geo.cells import DraftEdition
from geo.edition import Certificate, check_edition
from geo.profile import load_profile
from server.errors import CellsRefused, InputError, NotFound, OutsideScope
from server.permissions import Actor, may
from server.services.carry import Entry, Opened, carry_out
from server.services.keys import DataKeys
from server.services.places import cell_of_row, places_in_force
from server.store import places as store
from server.store import push as reading
from server.store.database import next_journal_number, read, stamp, write
from server.store.errors import Busy, PlanOutdated
from sync.effects import keep_card
from sync.feedrows import Counter
from sync.memory import UNPLACED, Memory, Writer
from sync.operation import Operation
from sync.placing import replace_record
from sync.record import Chain

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

SYSTEM_INSTALL = "~system"


def refused(certificate: Certificate) -> CellsRefused:
    """The error of a draft that the publish gate refuses: every problem with its cells."""
    errors = [
        InputError("/cells/" + ",".join(one.cell_codes), one.code, one.message_en)
        for one in certificate.problems
        if one.severity == "error"
    ]
    return CellsRefused("the cells cannot be published", errors=errors)


def check_draft(house: House, community_id: str, draft: DraftEdition) -> Certificate:
    """What the publish gate says of a draft of this community; nothing is kept."""
    with read(house.engine) as connection:
        row = store.community_row(connection, community_id)
        if row is None:
            raise NotFound("there is no such community")
        retired = store.retired_codes(connection, community_id, "") - _codes_in_force(connection, community_id)
    boundary = shapely.from_wkb(bytes(row.boundary)) if row.boundary is not None else None
    return check_edition(
        draft,
        boundary=boundary,
        profile=load_profile(row.code_profile),
        community_code=row.code,
        retired=retired,
    )


def _codes_in_force(connection: Connection, community_id: str) -> set[str]:
    edition = store.published_edition(connection, community_id)
    if edition is None:
        return set()
    return {row.code for row in store.cells_of(connection, community_id, edition.edition_id)}


def keep_draft(house: House, actor: Actor, community_id: str, draft: DraftEdition) -> tuple[str, Certificate]:
    """Keep a draft with its certificate, broken or not; returns (edition id, certificate)."""
    _demand(actor, community_id)
    certificate = check_draft(house, community_id, draft)
    edition_id = house.new_id()
    report = {
        "ok": certificate.ok,
        "hash": certificate.hash,
        "counts": dict(certificate.counts),
        "area_m2": certificate.area_m2,
        "problems": [
            {
                "code": one.code, "severity": one.severity, "cells": list(one.cell_codes), "lon": one.lon,
                "lat": one.lat, "zh": one.message_zh, "en": one.message_en,
            }
            for one in certificate.problems
        ],
    }  # fmt: skip
    with write(house.engine) as connection:
        number = 1 + max((row.number for row in store.editions_of(connection, community_id)), default=0)
        store.insert_edition(
            connection,
            (
                community_id, edition_id, "base", number, "draft", certificate.profile, orjson.dumps(report).decode(),
                certificate.hash, stamp(house.clock()),
            ),
        )  # fmt: skip
        rows = []
        for cell in draft.cells:
            if cell.geometry is None or cell.geometry.is_empty:
                continue
            row = cell_to_row(cell)
            rows.append(
                (
                    community_id, edition_id, row["cell_id"], row["code"], row["name"], row["sort_order"],
                    row["geometry_wkb"], row["area_m2"], row["label_lon"] or 0.0, row["label_lat"] or 0.0,
                    row["properties_json"],
                )
            )  # fmt: skip
        store.insert_cells(connection, rows)
    return edition_id, certificate


def publish_edition(house: House, actor: Actor, community_id: str, draft: DraftEdition) -> str:
    """Check a draft, keep it and put it in force; returns the edition id. CellsRefused when the gate refuses it."""
    certificate = check_draft(house, community_id, draft)
    if not certificate.ok:
        raise refused(certificate)
    edition_id, _ = keep_draft(house, actor, community_id, draft)
    publish_draft(house, actor, community_id, edition_id)
    return edition_id


def publish_draft(house: House, actor: Actor, community_id: str, edition_id: str) -> None:
    """Put a kept draft in force and place every record anew, in one transaction that feeds the phones.

    Raises CellsRefused for a draft that the gate refuses, NotFound where there is none.
    """
    _demand(actor, community_id)
    with read(house.engine) as connection:
        found = [row for row in store.editions_of(connection, community_id) if row.edition_id == edition_id]
        if not found or found[0].state != "draft":
            raise NotFound("there is no such draft")
        cells = [cell_of_row(row, "base") for row in store.cells_of(connection, community_id, edition_id)]
    certificate = check_draft(house, community_id, DraftEdition(tuple(cells), ()))
    if not certificate.ok:
        raise refused(certificate)
    for _ in range(3):
        try:
            with write(house.engine) as connection:
                _publish(connection, house, actor, community_id, edition_id)
            return
        except PlanOutdated:
            continue
    raise Busy(retry_after_s=2)


def _demand(actor: Actor, community_id: str) -> None:
    if not may(actor, "publish_cells", community_id=community_id):
        raise OutsideScope("cells are published by the community's secretary")


def _publish(connection: Connection, house: House, actor: Actor, community_id: str, edition_id: str) -> None:
    at = stamp(house.clock())
    reading.lock_placement(connection, community_id, exclusive=True)
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
    streams = {UNPLACED, *(record.home for record in records.values()), *(f"install/{one}" for one in devices)}
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
    _place_all(house, memory, number)
    entry = Entry(
        number, "publish", at, actor.user_id, SYSTEM_INSTALL, "console", {"edition": edition_id, "layer": "base"}
    )
    opened = Opened(secrets, {one: Counter.read(*row) for one, row in counters.items()}, keys, devices)
    carry_out(connection, house, community_id, memory, opened, entry)
    reading.raise_placement_version(connection, community_id)


def _place_all(house: House, memory: Memory, number: int) -> None:
    located = [one for one in memory.records.values() if "anchor" in one.fields]
    if located:
        memory.place(located[0].fields["anchor"])
    for record in located:
        form = house.registry.latest(record.type)
        if "@anchor" in form.placed_by:
            memory.touch(record)
            replace_record(form, record, memory)
    operation = Operation(house.new_id(), "edition", SYSTEM_INSTALL, "patch", None, {}, {}, 1, None)
    writer = Writer(SYSTEM_INSTALL, "system", Chain(SYSTEM_INSTALL), system=True)
    for person in [one for one in memory.records.values() if one.type == "person"]:
        keep_card(person, operation, number, writer, memory)
