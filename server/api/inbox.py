"""The review inbox: what waits for a decision, and settling conflicts."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api.body import read_json
from server.api.pages import COMMUNITY, PAGE, PAGED, actor_in_community, page_limit
from server.openapi import describe
from server.permissions import Actor
from server.services import duplicate_queue, inbox, waiting, worst
from server.services.push import accept_user_operation
from server.store.sieve import Sieve

blueprint = Blueprint("inbox", __name__)

_TAG = "待办"

CELL: dict[str, Any] = {"cell": {"type": "string", "description": "网格编码，~unplaced 为未落格 / code of a cell, or ~unplaced"}}
SIFTED: dict[str, Any] = PAGE | CELL | {"mine": {"type": "boolean", "description": "只看交给我的 / only what I was asked to see to"}}


def sieve_asked(actor: Actor, community_id: str) -> Sieve:
    """What of a queue the address asks for: one cell, what the actor was asked to see to."""
    cell = request.args.get("cell")
    home = None if cell is None else inbox.home_of(auth.house(), auth.scope(actor), community_id, cell)
    return Sieve(home=home, asked=actor.user_id if request.args.get("mine") == "true" else None)


class BaseSchema(Schema):
    """A version of a record."""

    v = fields.Integer(strict=True, required=True)
    tag = fields.String(required=True)


class ResolveSchema(Schema):
    """How a conflict is settled: choose one of the values, or set the final ones."""

    choose = fields.String(metadata={"description": "op_id of the value to keep, or standing: what stands in the record"})
    set = fields.Dict(keys=fields.String(), metadata={"description": "final values of the unit's fields"})
    seen = fields.List(fields.String(), metadata={"description": "op_ids of the values that were on the screen"})
    base = fields.Nested(BaseSchema, metadata={"description": "v and tag of the record that was on the screen"})
    purpose = fields.String(validate=validate.Length(max=120))


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), content_type="application/json")


@blueprint.get("/api/v1/inbox")
@describe(zh="各类待办的数量", en="How many items of each kind wait", tag=_TAG,
          query=COMMUNITY | CELL | {"duplicates": {"type": "boolean", "description": "也数疑似重复 / probable duplicates, too"},
                                    "harms": {"type": "boolean", "description": "各类中最急的一件 / how harmful the worst of each kind is"}},
          response={"type": "object"}, problems=("not-found", "outside-your-scope"),
          more="With `cell`: those kinds alone whose queues can be cut to it. Probable duplicates are counted where `duplicates=true` asks for "
          "them: the first time after a start a community's people are read for it. With `harms=true` `harms` says of every kind in which "
          "something waits how harmful the worst of it is, 0 the most.")  # fmt: skip
def show_counts() -> Response:
    """Needs ``read_inbox``."""
    actor, community_id = actor_in_community("read_inbox")
    scope = auth.scope(actor)
    cell = request.args.get("cell")
    told = inbox.counts(auth.house(), scope, community_id, cell)
    if request.args.get("duplicates") == "true" and cell is None:
        pairs = duplicate_queue.count(auth.house(), scope, community_id)
        told = told | {"counts": told["counts"] | {"duplicates": pairs}, "total": told["total"] + pairs}
    if request.args.get("harms") == "true":
        told = told | {"harms": worst.of_queues(auth.house(), scope, community_id, told["counts"], cell)}
    return _json(told)


@blueprint.get("/api/v1/inbox/conflicts")
@describe(
    zh="两人填的不一样：并列显示，危害大的在前",
    en="Open conflicts: the values side by side, with both people and both times; the most harmful first",
    tag=_TAG, query=PAGE | CELL,
    response=PAGED, problems=("invalid-input", "not-found", "outside-your-scope"),
)  # fmt: skip
def list_conflicts() -> Response:
    """Needs ``read_inbox``; every page is written into the audit log."""
    actor, community_id = actor_in_community("read_inbox")
    look = auth.look(actor, "read", "inbox: conflicts")
    cursor = request.args.get("next")
    scope, cell = auth.scope(actor), request.args.get("cell")
    if cell is not None:
        scope = inbox.within(auth.house(), scope, community_id, cell)
    return _json(inbox.conflicts(auth.house(), scope, community_id, look, cursor=cursor, limit=page_limit()))


@blueprint.get("/api/v1/inbox/quarantine")
@describe(zh="待核对的内容：谁、何时、为何", en="Quarantined operations: who, when, why; no values; the most harmful first",
          tag=_TAG, query=SIFTED, response=PAGED, problems=("invalid-input", "not-found", "outside-your-scope"))  # fmt: skip
def list_quarantine() -> Response:
    """Needs ``read_inbox``."""
    return _operations("quarantined")


@blueprint.get("/api/v1/inbox/held")
@describe(zh="等另一条的内容", en="Held operations and what they wait for; the most harmful first",
          tag=_TAG, query=SIFTED, response=PAGED, problems=("invalid-input", "not-found", "outside-your-scope"))  # fmt: skip
def list_held() -> Response:
    """Needs ``read_inbox``."""
    return _operations("held")


def _operations(now: str) -> Response:
    actor, community_id = actor_in_community("read_inbox")
    cursor = request.args.get("next")
    sieve = sieve_asked(actor, community_id)
    look = auth.look(actor, "read", f"inbox: {now}")
    return _json(waiting.operations(auth.house(), auth.scope(actor), community_id, now, look, cursor=cursor, limit=page_limit(), sieve=sieve))


@blueprint.get("/api/v1/inbox/unplaced")
@describe(zh="未归格的记录：最近的网格和距离", en="Records in no cell, with the nearest cell and its distance",
          tag=_TAG, query=PAGE, response=PAGED, problems=("invalid-input",))  # fmt: skip
def list_unplaced() -> Response:
    """Needs ``read_inbox``; titles of persons are written into the audit log."""
    actor, community_id = actor_in_community("read_inbox")
    look = auth.look(actor, "read", "inbox: unplaced")
    cursor = request.args.get("next")
    return _json(waiting.unplaced(auth.house(), auth.scope(actor), community_id, look, cursor=cursor, limit=page_limit()))


@blueprint.get("/api/v1/inbox/findings")
@describe(zh="疑点：前后不一的内容", en="Findings: what does not fit together, counted by what it is; the most harmful first",
          tag=_TAG, query=SIFTED | {"name": {"type": "string", "description": "只列这一种 / only findings of this name"}},
          response=PAGED, problems=("invalid-input", "not-found", "outside-your-scope"))  # fmt: skip
def list_findings() -> Response:
    """Needs ``read_inbox``; titles of persons are written into the audit log."""
    actor, community_id = actor_in_community("read_inbox")
    look = auth.look(actor, "read", "inbox: findings")
    cursor = request.args.get("next")
    told = waiting.findings(
        auth.house(), auth.scope(actor), community_id, look, cursor=cursor, limit=page_limit(),
        sieve=sieve_asked(actor, community_id), name=request.args.get("name") or None,
    )  # fmt: skip
    return _json(told)


@blueprint.post("/api/v1/inbox/conflicts/<conflict_id>/resolve")
@describe(
    zh="解决一处不一致：选其一，或填写最终值",
    en="Settle a conflict: choose one of its values, or set the final ones",
    tag=_TAG, request=ResolveSchema, query=COMMUNITY, response={"type": "object"},
    problems=("invalid-input", "malformed-body", "not-found"),
)  # fmt: skip
def resolve_conflict(conflict_id: str) -> Response:
    """Needs ``resolve_conflicts``; journaled like every other write."""
    actor, community_id = actor_in_community("resolve_conflicts")
    asked = ResolveSchema().load(read_json(256_000))
    look = auth.look(actor, "change", asked.pop("purpose", None) or "inbox: resolve")
    operation = inbox.resolution(auth.house(), auth.scope(actor), community_id, conflict_id, asked, look)
    return _json(accept_user_operation(auth.house(), actor, operation))
