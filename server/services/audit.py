"""Every look is accountable (L11): written down before the answer is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from server.house import House
from server.permissions import HOUSE, Actor
from server.store import audit as store
from server.store import people
from server.store.database import read, stamp, write

PAGE = 200


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody about to look at personal fields, or to change who may.

    ``action`` is one of read, search, export, unmask, sign_in, change; ``purpose`` is what it is for.
    """

    actor: Actor
    action: str
    purpose: str
    request_id: str | None = None


def note(
    house: House,
    look: Look,
    *,
    scope: str,
    community_id: str | None = None,
    record_type: str | None = None,
    record_id: str | None = None,
    fields: Iterable[str] = (),
    count: int | None = None,
) -> None:
    """Write one line into the audit log; call it before personal values leave the house.

    Parameters
    ----------
    scope : what was looked through, see `Scope.describe`; a roster may name cell and roster instead
    community_id : whose records; None for the actor's own community
    record_type, record_id : what was looked at, where it is one record or one type
    fields : names of the personal fields, never values
    count : how many records were given
    """
    line = line_of(
        house, look, scope=scope, community_id=community_id, record_type=record_type, record_id=record_id,
        fields=fields, count=count,
    )  # fmt: skip
    with write(house.engine) as connection:
        store.append(connection, line)


def line_of(
    house: House,
    look: Look,
    *,
    scope: str,
    community_id: str | None = None,
    record_type: str | None = None,
    record_id: str | None = None,
    fields: Iterable[str] = (),
    count: int | None = None,
) -> store.AuditLine:
    """The line of a look, for `store.audit.append` inside a transaction that is open anyway."""
    return store.AuditLine(
        community_id=community_id or look.actor.community_id,
        audit_id=house.new_id(),
        at=stamp(house.clock()),
        actor_id=look.actor.user_id,
        role=look.actor.role,
        action=look.action,
        purpose=look.purpose,
        scope=scope,
        record_type=record_type,
        record_id=record_id,
        fields=tuple(sorted(fields)),
        count=count,
        request_id=look.request_id,
    )


def lines(
    house: House,
    actor: Actor,
    *,
    since: str | None = None,
    until: str | None = None,
    actor_id: str | None = None,
    record_id: str | None = None,
    action: str | None = None,
    before: tuple[str, str] | None = None,
    limit: int = 100,
) -> Sequence[store.AuditLine]:
    """Lines that this actor may read, newest first: of their own community, or of all for the house's people."""
    with read(house.engine) as connection:
        return store.lines(
            connection,
            None if actor.community_id == HOUSE else (actor.community_id,),
            since=since,
            until=until,
            actor_id=actor_id,
            record_id=record_id,
            action=action,
            before=before,
            limit=min(limit, PAGE),
        )


def names_in(house: House, actor: Actor, told: Sequence[store.AuditLine]) -> dict[str, str]:
    """Names of the accounts that these lines tell of, by id: who looked, and whose account, cell or code was changed."""
    words = {line.actor_id for line in told} | {word for line in told for word in line.scope.split()}
    with read(house.engine) as connection:
        found = people.users(connection, None if actor.community_id == HOUSE else (actor.community_id, HOUSE))
    return {one.user_id: one.name for one in found if one.user_id in words}
