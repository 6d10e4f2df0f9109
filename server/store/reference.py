"""What phones and screens need besides records: the published editions and their cells."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from server.models import cell, edition


@dataclass(frozen=True, slots=True)
class PublishedEdition:
    """A published edition of one layer."""

    edition_id: str
    layer: str
    number: int
    profile: str
    content_hash: str | None
    published_at: str | None


@dataclass(frozen=True, slots=True)
class PublishedCell:
    """A cell of a published edition; ``geometry`` is WKB in CGCS2000 lon/lat."""

    edition_id: str
    cell_id: str
    code: str
    name: str
    order_number: int
    geometry: bytes
    area_m2: float
    label_lon: float
    label_lat: float
    properties: dict[str, Any]


_EDITION = edition.c
_CELL = cell.c


def published_editions(connection: Connection, community_id: str) -> list[PublishedEdition]:
    """The published editions of a community, base layer first; none before the first is published."""
    rows = connection.execute(
        select(
            _EDITION.edition_id, _EDITION.layer, _EDITION.number, _EDITION.profile, _EDITION.content_hash,
            _EDITION.published_at,
        )
        .where(_EDITION.community_id == community_id, _EDITION.state == "published")
        .order_by(_EDITION.layer, _EDITION.number)
    )  # fmt: skip
    return [PublishedEdition(*row) for row in rows]


def cells_of(connection: Connection, community_id: str, edition_id: str) -> list[PublishedCell]:
    """The cells of an edition by (order, code)."""
    rows = connection.execute(
        select(
            _CELL.edition_id, _CELL.cell_id, _CELL.code, _CELL.name, _CELL.order_number, _CELL.geometry, _CELL.area_m2,
            _CELL.label_lon, _CELL.label_lat, _CELL.properties,
        )
        .where(_CELL.community_id == community_id, _CELL.edition_id == edition_id)
        .order_by(_CELL.order_number, _CELL.code)
    )  # fmt: skip
    return [
        PublishedCell(**(dict(row._mapping) | {"properties": json.loads(row.properties) if row.properties else {}}))
        for row in rows
    ]
