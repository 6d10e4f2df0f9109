"""Reading personal fields and writing it down, in one transaction: neither happens without the other (L11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from server.house import House
from server.permissions import Scope
from server.services.audit import Look, line_of
from server.store import audit as store
from server.store.database import read, write

__all__ = ["Look", "personal_reading", "reading", "seen"]


@contextmanager
def personal_reading(house: House) -> Iterator[Any]:
    """A transaction that reads and can also hold the audit line of what was read."""
    with write(house.engine) as connection:
        yield connection


@contextmanager
def reading(house: House, *, personal: bool) -> Iterator[Any]:
    """A read snapshot, or `personal_reading` where personal fields will be given."""
    with write(house.engine) if personal else read(house.engine) as connection:
        yield connection


def seen(
    connection: Any,
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
    """Write the audit line of what was just read; nothing when no personal field was among it.

    Parameters
    ----------
    fields : names of the personal fields that are given
    count : how many records they are given of
    where : what was looked through (a roster, a cell), put before the scope
    """
    names = tuple(fields)
    if not names:
        return
    store.append(
        connection,
        line_of(
            house,
            look,
            scope=" ".join(part for part in (where, scope.describe()) if part),
            community_id=community_id,
            record_type=record_type,
            record_id=record_id,
            fields=names,
            count=count,
        ),
    )
