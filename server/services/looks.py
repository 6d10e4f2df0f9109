"""Reading personal fields and writing it down before they are given: no line, no answer (L11).

The line has a short transaction of its own, so that a long look never holds up the phones that push.
"""

from __future__ import annotations

from collections.abc import Iterable

from server.house import House
from server.permissions import Scope
from server.services.audit import Look, note

__all__ = ["Look", "seen"]


def seen(
    house: House,
    look: Look,
    scope: Scope,
    community_id: str,
    *,
    fields: Iterable[str],
    count: int,
    where: str = "",
    record_type: str | None = None,
    record_id: str | None = None,
) -> None:
    """Write the audit line of what was just read, before it is given; nothing when no personal field was among it.

    Parameters
    ----------
    fields : names of the personal fields that are given
    count : how many records they are given of
    where : what was looked through (a roster, a cell), put before the scope
    """
    names = tuple(fields)
    if not names:
        return
    note(
        house,
        look,
        scope=" ".join(part for part in (where, scope.describe()) if part),
        community_id=community_id,
        record_type=record_type,
        record_id=record_id,
        fields=names,
        count=count,
    )
