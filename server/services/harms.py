"""What does the most harm while it waits: of records in no cell or between two, and which queue is opened first (docs/operations.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from server.house import House
from server.permissions import Scope
from server.services.accounts import today
from server.services.daily_figures import birthdays
from server.store.resting import Resting, resting
from server.store.scoping import Condition
from server.store.sieve import LESS

Place = tuple[int, int, str, str]
"""Order of a record without a sure place: harm, less its people, since when it waits, its id."""


def place_of(one: Resting) -> Place:
    """The place of a record in its queue: 0 where somebody very old and alone or in care rests on it, 1 where anybody does, else `LESS`;
    then with the most people first, then what waits longest."""
    harm = 0 if one.frail else 1 if one.people else LESS
    return harm, -one.people, one.created_at, one.id


def places_by_harm(house: House, connection: Any, community_id: str, chosen: Condition) -> list[Place]:
    """All of the chosen records ``r``, the most harmful first; whoever pages through them goes on behind the last one seen."""
    day = today(house)
    _, very_old, _ = birthdays(date.fromisoformat(day))
    return sorted(place_of(one) for one in resting(connection, community_id, chosen, very_old=very_old, day=day))


def page_of(places: Sequence[Place], after: Iterable[Any] | None, limit: int) -> tuple[list[Place], Place | None]:
    """The next places behind ``after`` (None: from the first on), and the last of them where there are more."""
    rest = [one for one in places if after is None or one > tuple(after)]
    return rest[:limit], rest[limit - 1] if len(rest) > limit else None


def visible_harms(scope: Scope, place: Place) -> dict[str, Any]:
    """What a row tells of it: its harm, and how many people rest on it where the reader sees people."""
    return {"harm": place[0], "people": -place[1] if scope.fields == "all" else None}
