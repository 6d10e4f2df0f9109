"""Since when somebody lives in the community without a break, and which closed residence ended that: moves inside it end nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from server.services.roster_source import Source
from server.store.rosters import Entry

_KNOWN_LATE = frozenset({"survey", "missed_before", "household_split"})
"""Reasons for joining a household of those who were in the community before."""
_NO_LEAVING = frozenset({"entered_in_error", "household_split"})


class Stays:
    """Who came into the community and left it, told from all their residences, the closed ones and the present one.

    A stay goes on where the next residence begins no later than the day on which the one before ended.
    """

    def __init__(self, source: Source) -> None:
        self._root = source.root
        self._closed: dict[str, list[Entry]] = defaultdict(list)
        for one in source.base("residence", None):
            person = one.fields.get("person")
            if isinstance(person, str) and one.fields.get("kind") != "registration" and one.fields.get("left_reason") != "entered_in_error":
                self._closed[self._root(person)].append(one)

    def came_on(self, person: Entry) -> str | None:
        """The day on which a resident came; None for who does not live here, was found by a survey or came on a day not known."""
        if person.fields.get("residence_household") is None:
            return None
        return self._began(person.id, person.fields)

    def began_on(self, episode: Entry) -> str | None:
        """The day on which the stay began that a closed residence belongs to; None as in `came_on`."""
        return self._began(self._root(str(episode.fields.get("person"))), episode.fields)

    def left_on(self, episode: Entry, person: Entry | None) -> str | None:
        """The day on which somebody left the community with a closed residence; None where they went on living in it.

        Neither a household that was split nor a mistaken entry is a leaving.
        """
        until, fields = episode.fields.get("resident_to"), episode.fields
        if until is None or fields.get("kind") == "registration" or fields.get("left_reason") in _NO_LEAVING:
            return None
        if fields.get("left_reason") == "died":
            return str(until)
        if person is not None and person.fields.get("residence_household") is not None and (person.fields.get("resident_from") or "") <= until:
            return None
        for one in self._closed[self._root(str(fields.get("person")))]:
            later = (one.fields.get("resident_to") or "", one.id) > (until, episode.id)
            if one.id != episode.id and later and (one.fields.get("resident_from") or "") <= until:
                return None
        return str(until)

    def _began(self, person: str, fields: Mapping[str, object]) -> str | None:
        since, reason = fields.get("resident_from"), fields.get("joined_reason")
        going_on = True
        while going_on and isinstance(since, str):
            going_on = False
            for one in self._closed[person]:
                begun = one.fields.get("resident_from")
                if (begun or "") < since <= (one.fields.get("resident_to") or ""):
                    since, reason, going_on = begun, one.fields.get("joined_reason"), True
                    break
        return since if isinstance(since, str) and reason not in _KNOWN_LATE else None
