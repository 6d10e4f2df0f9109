"""Whose operations a transaction decides: their chain, their scope, and what they could know of who has left (S18, S21, S30)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from server.services.scope import push_scope
from server.store import crossings, installs
from server.store import push as reading
from sync.memory import Memory, Prepared, Writer
from sync.record import Chain
from sync.scope import Knowledge

if TYPE_CHECKING:
    from server.house import House
    from server.services.transact import Submission
    from server.store.database import Connection


def writer_of(
    connection: Connection, house: House, submission: Submission, groups: Sequence[Sequence[Prepared]], memory: Memory
) -> Writer:
    """The author of a submission, as deciding needs them."""
    forked = submission.parent is not None
    ancestors = installs.ancestors_of(connection, submission.home or submission.community_id, submission.install_id) if forked else {}
    rule = None
    if submission.scope is not None and submission.user_id is not None:
        been = reading.ledger_homes(connection, submission.community_id, sorted(memory.records))
        rule = push_scope(connection, house, submission.community_id, submission.user_id, submission.scope, been)
    return Writer(
        submission.install_id,
        submission.kind,
        Chain(submission.install_id, ancestors),
        rule,
        submission.user_id,
        submission.system,
        _knowledge(connection, submission, groups) if memory.gone and submission.home is None else None,
    )


def _knowledge(connection: Connection, submission: Submission, groups: Sequence[Sequence[Prepared]]) -> Knowledge:
    """A phone says what it has read; at the office one sees what is there. Of phones with ODK Collect nothing is known."""
    community_id, install_id = submission.community_id, submission.install_id
    if submission.kind == "device":
        return Knowledge(crossings.told(connection, community_id, install_id))
    if submission.kind in ("user", "import"):
        numbers = [one.n for group in groups for one in group]
        return Knowledge(arrived=crossings.arrived(connection, community_id, install_id, min(numbers), max(numbers)))
    return Knowledge()
