"""Templates of tables (一表通): a department's own workbooks that a community keeps, and those that come with the house."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.permissions import Actor, Scope, may
from server.sealing import seal
from server.services.accounts import communities_below
from server.services.keys import DataKeys
from server.services.template_book import BookPlan, check_template, described, read_template
from server.services.template_ready import READY, ready_workbook
from server.services.unsealing import learn
from server.store import templates as store
from server.store import writing
from server.store.database import read, stamp, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forms.registry import Registry
    from server.house import House

MOST_TEMPLATES = 200
READY_PREFIX = "ready-"


def demand(house: House, actor: Actor, scope: Scope, community_id: str, action: str) -> None:
    """Stop with OutsideScope unless the actor may do this in the community."""
    allowed = may(actor, action, community_id=community_id, communities_below=communities_below(house, actor))
    if not allowed or not scope.sees_community(community_id):
        raise OutsideScope(f"a {actor.role} may not do this here")


def check(house: House, content: bytes) -> dict[str, Any]:
    """What a workbook asks for and everything that is wrong with it; nothing is kept."""
    plan, faults = check_template(content, house.registry)
    return {
        "ok": plan is not None,
        "asks": described(plan) if plan is not None else None,
        "problems": [
            {"sheet": one.sheet, "cell": one.cell, "code": one.code, "message_zh": one.message_zh, "message_en": one.message_en}
            for one in faults
        ],
    }


def keep(house: House, actor: Actor, community_id: str, content: bytes, name: str, file_name: str, template_id: str | None = None) -> str:
    """Keep a workbook as a template, or put it in the place of one; its id.

    Raises
    ------
    InvalidInput
        Every placeholder that cannot be used, ``/sheets/<sheet>/<cell>``; nothing is kept then.
    NotFound
        No template of the community has this id.
    """
    _book, plan = read_template(content, house.registry)
    called = " ".join((name or os.path.splitext(file_name)[0]).split())[:60]
    if not called:
        raise InvalidInput(errors=[InputError("/name", "required", "a template needs a name")])
    with write(house.engine) as connection:
        rows = store.of_community(connection, community_id)
        if template_id is not None and all(row.template_id != template_id for row in rows):
            raise NotFound("there is no such template")
        if template_id is None and len(rows) >= MOST_TEMPLATES:
            raise InvalidInput(errors=[InputError("/name", "too_many", f"at most {MOST_TEMPLATES} templates; remove one first")])
        keys = DataKeys(house.keys)
        learn(keys, connection, community_id, [None])
        sealed = seal(keys.of(None), content)
        writing.insert_keys(connection, community_id, list(keys.made.items()))
        made = template_id or house.new_id()
        store.keep(
            connection, community_id, made, actor.user_id, stamp(house.clock()),
            name=called, file_name=os.path.basename(file_name)[:120], described=described(plan), sealed=sealed,
        )  # fmt: skip
    return made


def templates(house: House, community_id: str) -> list[dict[str, Any]]:
    """The templates of a community and those that come with the house."""
    with read(house.engine) as connection:
        rows = store.of_community(connection, community_id)
    own = [
        {
            "template_id": row.template_id, "name": row.name, "file_name": row.file_name, "ready": False,
            "changed_at": row.changed_at, "asks": orjson.loads(row.described),
        }
        for row in rows
    ]  # fmt: skip
    return [*own, *(_ready(house, name) for name in READY)]


def workbook(house: House, community_id: str, template_id: str) -> tuple[str, bytes]:
    """(file name, content) of a template. Raises NotFound."""
    if template_id.removeprefix(READY_PREFIX) in READY and template_id.startswith(READY_PREFIX):
        name = template_id.removeprefix(READY_PREFIX)
        return f"{READY[name]['zh']}.xlsx", ready_workbook(name)
    from server.sealing import unseal

    with read(house.engine) as connection:
        row = store.find(connection, community_id, template_id)
        if row is None:
            raise NotFound("there is no such template")
        keys = DataKeys(house.keys)
        learn(keys, connection, community_id, [None])
    return row.file_name, unseal(keys.of(None), bytes(row.sealed))


def opened(house: House, community_id: str, template_id: str) -> tuple[str, Any, BookPlan]:
    """(name, workbook, plan) of a template. Raises NotFound, InvalidInput."""
    file_name, content = workbook(house, community_id, template_id)
    book, plan = read_template(content, house.registry)
    return name_of(house, community_id, template_id) or file_name, book, plan


def name_of(house: House, community_id: str, template_id: str) -> str:
    """What a template is called; empty where it is gone."""
    ready: Mapping[str, str] | None = READY.get(template_id.removeprefix(READY_PREFIX)) if template_id.startswith(READY_PREFIX) else None
    if ready is not None:
        return ready["zh"]
    with read(house.engine) as connection:
        row = store.find(connection, community_id, template_id)
    return "" if row is None else str(row.name)


def remove(house: House, community_id: str, template_id: str) -> None:
    """Remove a template of the community; what was filled with it stays for its time. Raises NotFound."""
    with write(house.engine) as connection:
        if not store.remove(connection, community_id, template_id):
            raise NotFound("there is no such template")


@lru_cache(maxsize=64)
def _asks(registry: Registry, name: str) -> dict[str, Any]:
    plan, faults = check_template(ready_workbook(name), registry)
    assert plan is not None, faults
    return described(plan)


def _ready(house: House, name: str) -> dict[str, Any]:
    return {
        "template_id": READY_PREFIX + name, "name": READY[name]["zh"], "name_en": READY[name]["en"],
        "file_name": f"{READY[name]['zh']}.xlsx", "ready": True, "changed_at": None, "asks": _asks(house.registry, name),
    }  # fmt: skip
