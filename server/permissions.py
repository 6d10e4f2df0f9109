"""Who may do what, and what of the records they see. Pure: no database, no request."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from server.models.base import HOUSE

ROLES: dict[str, str] = {
    "grid_worker": "网格员",
    "community_worker": "社区工作者",
    "secretary": "社区书记",
    "subdistrict": "街道工作人员",
    "district": "区级工作人员",
    "planner": "规划师",
    "auditor": "审计员",
    "admin": "系统管理员",
}
"""Every role and its label."""

OFFICERS = frozenset({"subdistrict", "district"})
"""Roles that see what lies below their ``area_code``."""

DUTIES = {"lead": "主责", "regular": "协管", "substitute": "代班"}
"""How a grid worker is assigned to a cell."""

Fields = Literal["all", "internal", "aggregate"]

_WORKERS = frozenset({"grid_worker", "community_worker", "secretary"})
_COLLECT = frozenset({"grid_worker", "secretary"})
SCOPED = frozenset({"grid_worker", "community_worker"})
"""Roles whose phones may not write everything in the community (S18): what they write is judged by their scope."""
_OFFICE = frozenset({"community_worker", "secretary"})
_EVERYBODY_WITH_PLACES = _WORKERS | OFFICERS | {"planner"}

ACTIONS: dict[str, frozenset[str]] = {
    "sync": _WORKERS,
    "use_odk": _COLLECT,
    "write_records": _WORKERS,
    "read_records": _EVERYBODY_WITH_PLACES,
    "read_personal": _WORKERS | OFFICERS,
    "search_personal": _WORKERS | OFFICERS,
    "unmask": _OFFICE,
    "read_baseline": _EVERYBODY_WITH_PLACES | {"auditor"},
    "export": _OFFICE | OFFICERS | {"planner"},
    "export_personal": _OFFICE,
    "read_inbox": _WORKERS,
    "resolve_conflicts": _WORKERS,
    "decide_waiting": frozenset({"secretary"}),
    "import_records": frozenset({"secretary"}),
    "manage_surveys": frozenset({"secretary"}),
    "manage_rules": frozenset({"secretary"}),
    "read_surveys": _WORKERS | OFFICERS,
    "manage_templates": _OFFICE,
    "hand_over": _OFFICE,
    "publish_cells": frozenset({"secretary", "admin"}),
    "read_people": frozenset({"secretary", "admin"}),
    "manage_people": frozenset({"secretary", "admin"}),
    "manage_assignments": frozenset({"secretary", "admin"}),
    "manage_devices": frozenset({"secretary", "admin"}),
    "make_read_token": _OFFICE | OFFICERS | {"planner", "admin"},
    "erase": frozenset({"secretary", "admin"}),
    "read_audit": frozenset({"secretary", "auditor", "admin"}),
    "read_reference": frozenset(ROLES),
}
"""Every action and the roles that may do it somewhere; `may` also asks where."""

MANAGES: dict[str, frozenset[str]] = {
    "admin": frozenset(ROLES),
    "secretary": frozenset({"grid_worker", "community_worker", "planner"}),
}
"""Which roles a role may give, change and close."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks: a user, through a screen, a device or a read token.

    ``community_id`` is the home community, ``~house`` for people above one community. ``read_only`` marks a
    read token: it never writes, whatever the role.
    """

    user_id: str
    role: str
    community_id: str
    area_code: str | None = None
    install_id: str | None = None
    name: str = ""
    topics: tuple[str, ...] = ()
    read_only: bool = False

    def with_install(self, install_id: str) -> Actor:
        """The same person, writing through this install."""
        return replace(self, install_id=install_id)


@dataclass(frozen=True, slots=True)
class Scope:
    """What of the records an actor sees; store functions compile it into SQL.

    Attributes
    ----------
    community_ids : communities whose records are seen; None for every community, empty for none
    streams : home streams that are seen (of a grid worker); None for every stream of the communities
    fields : ``all`` (secret ones masked), ``internal`` (no personal fields), ``aggregate`` (figures only)
    topics : lines of work whose care records are seen; None for all
    """

    community_ids: tuple[str, ...] | None
    streams: frozenset[str] | None = None
    fields: Fields = "all"
    topics: tuple[str, ...] | None = None

    def sees_community(self, community_id: str) -> bool:
        """Whether records of the community can be in this scope at all."""
        return self.community_ids is None or community_id in self.community_ids

    def sees_stream(self, community_id: str, stream_id: str) -> bool:
        """Whether records whose home is this stream are in this scope."""
        return self.sees_community(community_id) and (self.streams is None or stream_id in self.streams)

    def describe(self) -> str:
        """The scope in a few words, for the audit log."""
        communities = "*" if self.community_ids is None else ",".join(self.community_ids) or "-"
        streams = "*" if self.streams is None else ",".join(sorted(self.streams)) or "-"
        return f"communities={communities} streams={streams} fields={self.fields}"


@dataclass(frozen=True, slots=True)
class Projection:
    """What a phone sees of the records of its streams (S23). All phones of a stream get the same rows, so that count and digest agree.

    Secret fields are masked for everybody. ``lines``: of care records of other lines of work the phone gets the bare envelope (id, v, tag);
    None for phones that see every line.
    """

    lines: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """In cursors, the audit log and the names of prepared files; another name means replacement."""
        return "masked/1" if self.lines is None else f"masked/1 lines={','.join(self.lines)}"


WHOLE = Projection()
"""What most phones see: every record, secret fields masked."""


def projection_of(role: str, topics: Iterable[str]) -> Projection:
    """The projection of somebody's phones."""
    return Projection(tuple(sorted(set(topics))) if role == "community_worker" else None)


NOTHING = Scope(community_ids=(), streams=frozenset(), fields="aggregate")
"""The scope of those who see no records."""


def cell_stream(cell_id: str) -> str:
    """The stream of a base cell."""
    return f"cell/{cell_id}"


def dedicated_stream(cell_id: str) -> str:
    """The stream of a dedicated cell, which lies on top of base cells."""
    return f"dedicated/{cell_id}"


def below(area_code: str, *codes: str) -> bool:
    """Whether an area with these codes lies in ``area_code``: division codes begin with those above them."""
    return bool(area_code) and any(code.startswith(area_code) for code in codes)


def scope_of(
    actor: Actor,
    assigned_cells: Iterable[str] = (),
    communities_below: Iterable[str] = (),
    dedicated: Collection[str] = (),
    own_installs: Iterable[str] = (),
) -> Scope:
    """The scope of an actor.

    Parameters
    ----------
    actor : who asks
    assigned_cells : ids of the cells that a grid worker is assigned to today; ignored for other roles
    communities_below : ids of the communities below an officer's area; ignored for other roles
    dedicated : which of the assigned cells are dedicated ones
    own_installs : every install of a grid worker, beside the one that asks; ignored for other roles

    Returns
    -------
    Scope
        Of a grid worker without cells: their own installs' records only. Of an unknown role: nothing.
    """
    role = actor.role
    if role == "grid_worker":
        streams = {
            dedicated_stream(cell_id) if cell_id in dedicated else cell_stream(cell_id) for cell_id in assigned_cells
        }
        streams.update(f"install/{one}" for one in (actor.install_id, *own_installs) if one)
        return Scope((actor.community_id,), frozenset(streams))
    if role == "community_worker":
        return Scope((actor.community_id,), topics=actor.topics)
    if role == "secretary":
        return Scope((actor.community_id,))
    if role in OFFICERS:
        return Scope(tuple(sorted(communities_below)))
    if role == "planner":
        # A planner of the house works for every community; of a community, for that one.
        return Scope(None if actor.community_id == HOUSE else (actor.community_id,), fields="internal", topics=())
    if role == "auditor":
        return Scope(None if actor.community_id == HOUSE else (actor.community_id,), fields="aggregate", topics=())
    return NOTHING


def may(actor: Actor, action: str, *, community_id: str | None = None, communities_below: Iterable[str] = ()) -> bool:
    """Whether the actor may do the action, in the community where one is named.

    An unknown action is a mistake of ours: KeyError. Cells are not asked about here: the scope cuts them.
    """
    if actor.role not in ACTIONS[action] or (actor.read_only and action not in _READS):
        return False
    if community_id is None or community_id == actor.community_id:
        return True
    if actor.role in OFFICERS:
        return community_id in set(communities_below)
    return actor.community_id == HOUSE and actor.role in {"admin", "planner", "auditor"}


_READS = frozenset(
    {"read_records", "read_personal", "read_baseline", "export", "export_personal", "read_reference", "read_audit"}
)


def may_manage(actor: Actor, role: str, community_id: str) -> bool:
    """Whether the actor may give, change or close accounts of this role in this community.

    Nobody makes an account that reaches further than their own: people above one community are made by an
    administrator of the house.
    """
    if actor.read_only or role not in MANAGES.get(actor.role, frozenset()):
        return False
    return actor.community_id in {community_id, HOUSE} if actor.role == "admin" else actor.community_id == community_id
