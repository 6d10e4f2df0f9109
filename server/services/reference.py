"""Reference data: forms, code lists, the published cells, and who is assigned where."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import shapely

from forms.registry import Registry
from forms.survey import subject_field, subject_of
from server.errors import NotFound, OutsideScope
from server.house import House
from server.permissions import Actor, cell_stream, dedicated_stream, may
from server.services.accounts import scope as scope_of
from server.services.accounts import today
from server.services.visit_rules import visit_rules_of
from server.store import assignments, people
from server.store import reference as store
from server.store.database import read
from server.store.reference import PublishedCell

if TYPE_CHECKING:
    from server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Reference:
    """Reference data and its tag; ``content`` is None where the caller already has this tag."""

    tag: str
    content: dict[str, Any] | None


def reference(
    house: House, actor: Actor, *, community_id: str | None = None, known_tag: str | None = None
) -> Reference:
    """Forms, code lists, published editions, cells within scope and assignments of a community.

    Parameters
    ----------
    community_id : None for the actor's own; for people above the communities: forms, code lists and which communities
        they may name, with no community, cells or assignments
    known_tag : the tag that the caller has; nothing but tags is read while it is still true

    Raises
    ------
    OutsideScope, NotFound
    """
    where = community_id or actor.community_id
    scope = scope_of(house, actor)
    below = scope.community_ids or ()
    if community_id is None and actor.community_id.startswith("~"):
        return _above(house, actor, below, known_tag)
    if not may(actor, "read_reference", community_id=where, communities_below=below):
        raise OutsideScope("this community is not among those you work for")
    own_only = actor.role == "grid_worker"
    streams = (scope.streams or frozenset()) if own_only else None
    with read(house.engine) as connection:
        community = assignments.community_of(connection, where)
        if community is None:
            raise NotFound("no such community")
        editions = store.published_editions(connection, where)
        running = assignments.assignments(
            connection, (where,), user_id=actor.user_id if own_only else None, on=today(house)
        )
        names = {one.user_id: one.name for one in people.users(connection, (where,))} if running else {}
        rules = visit_rules_of(connection, where)
        others = neighbours(connection, where) if may(actor, "write_records", community_id=where, communities_below=below) else []
        above = {"communities": _reached(connection, actor, below)} if actor.community_id.startswith("~") else {}
        parts = [
            registry_tag(house.registry), above, asdict(community), [asdict(one) for one in editions],
            [asdict(one) | {"user_name": names.get(one.user_id, "")} for one in running], rules.document, sorted(streams) if streams is not None else None, lines_of(actor),
            others,
        ]  # fmt: skip
        tag = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
        if tag == known_tag:
            return Reference(tag, None)
        cells = [cell for one in editions for cell in store.cells_of(connection, where, one.edition_id)]
    layers = {one.edition_id: one.layer for one in editions}
    content = {
        "community": asdict(community),
        **above,
        **_forms(house.registry),
        "rules": {"visits": rules.document},
        "lines_of_work": lines_of(actor),
        "others": others,
        "edition": next((asdict(one) for one in editions if one.layer == "base"), None),
        "editions": [asdict(one) for one in editions],
        "cells": {
            "type": "FeatureCollection",
            "features": [
                _feature(cell, layers[cell.edition_id]) for cell in cells if _visible(cell, layers[cell.edition_id], streams)
            ],
        },
        "assignments": [
            {
                "assignment_id": one.assignment_id,
                "user_id": one.user_id,
                "user_name": names.get(one.user_id, ""),
                "cell_id": one.cell_id,
                "duty": one.duty,
                "from_on": one.from_on,
                "to_on": one.to_on,
            }
            for one in running
        ],
    }
    return Reference(tag, content)


def neighbours(connection: Connection, community_id: str) -> list[dict[str, str]]:
    """The other communities of the house, by code: those that a household can be sent to (S30)."""
    return [
        {"community_id": one.community_id, "code": one.code, "name": one.name}
        for one in assignments.communities(connection)
        if one.community_id != community_id
    ]


def lines_of(actor: Actor) -> list[str] | None:
    """The lines of work whose care records this actor may read and write; None: all (S23)."""
    return sorted(actor.topics) if actor.role == "community_worker" else None


def _above(house: House, actor: Actor, below: Sequence[str], known_tag: str | None) -> Reference:
    """What is the same everywhere, for somebody who works for several communities and has named none."""
    with read(house.engine) as connection:
        reached = _reached(connection, actor, below)
    parts = [registry_tag(house.registry), reached]
    tag = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
    if tag == known_tag:
        return Reference(tag, None)
    cells = {"type": "FeatureCollection", "features": []}
    empty: dict[str, Any] = {"community": None, "edition": None, "editions": [], "cells": cells, "assignments": []}
    return Reference(tag, {**empty, "communities": reached, **_forms(house.registry)})


def _reached(connection: Connection, actor: Actor, below: Sequence[str]) -> list[dict[str, Any]]:
    """The communities that somebody above them may name."""
    return [
        asdict(one)
        for one in assignments.communities(connection)
        if may(actor, "read_reference", community_id=one.community_id, communities_below=below)
    ]


def _forms(registry: Registry) -> dict[str, Any]:
    return {
        "forms": {name: registry.latest(name).document for name in registry.types()},
        "codelists": {name: found.document for name, found in registry.codelists().items()},
        "surveys": [
            {"name": name, "subject": subject_of(form), "field": subject_field(form), "closed": name in registry.closed}
            for name in registry.surveys
            for form in (registry.latest(name),)
        ],
    }


def registry_tag(registry: Registry) -> str:
    """A hash of every form and code list that is known here."""
    return _registry_tag(registry)


@lru_cache(maxsize=256)
def _registry_tag(registry: Registry) -> str:
    documents = [registry.latest(name).document for name in registry.types()]
    documents += [found.document for _, found in sorted(registry.codelists().items())]
    text = json.dumps([documents, registry.surveys, sorted(registry.closed)], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _visible(cell: PublishedCell, layer: str, streams: frozenset[str] | None) -> bool:
    stream = cell_stream(cell.cell_id) if layer == "base" else dedicated_stream(cell.cell_id)
    return streams is None or stream in streams


def _feature(cell: PublishedCell, layer: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": cell.cell_id,
        "geometry": json.loads(shapely.to_geojson(shapely.from_wkb(cell.geometry))),
        "properties": cell.properties
        | {
            "cell_id": cell.cell_id,
            "edition_id": cell.edition_id,
            "layer": layer,
            "code": cell.code,
            "name": cell.name,
            "order": cell.order_number,
            "area_m2": cell.area_m2,
            "label_lon": cell.label_lon,
            "label_lat": cell.label_lat,
        },
    }
