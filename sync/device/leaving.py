"""A phone that was revoked: a lost one erases itself at once, any other once everything that it had has arrived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sync.device.errors import Revoked
from sync.device.store import Store

LOST = "lost"
HANDS_OVER = frozenset({"retired", "replaced", "closed"})


@contextmanager
def leaving(store: Store) -> Iterator[None]:
    """What a revocation means for the phone's file (docs/protocol.md, section 12); Revoked goes on to the caller.

    A phone pushes before it pulls, and a push is taken in unless it is lost: whoever is refused with nothing unsent has handed
    over everything. A reason that this program does not know erases nothing.
    """
    try:
        yield
    except Revoked as refusal:
        is_empty = store.maybe("SELECT 1 FROM log WHERE state <> 'answered'") is None
        if refusal.reason == LOST or (refusal.reason in HANDS_OVER and is_empty):
            store.wipe()
        raise
