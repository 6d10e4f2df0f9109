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

    def joined_on(self, person: Entry, *, by_birth: bool) -> str | None:
        """The day on which a resident moved into the community, or was born into it: of the two never both, for one stay.

        Born into it is who came by birth, or in the month of birth, or of whom no coming is known: on the day of birth, or on that of coming
        where it is later. All others moved in on the day on which they came. Days of moving in and of birth of a month add up to
        those of a year.
        """
        if person.fields.get("residence_household") is None:
            return None
        (came, reason), birth = self._begun(person.id, person.fields), person.fields.get("birth_date")
        born = isinstance(birth, str) and (came is None or reason == "born" or came[:7] == birth[:7])
        if not by_birth:
            return None if born or reason == "born" else came
        return max(str(birth), came or "") if born else None

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
        if self.by_death(episode, person):
            return str((person.fields.get("died_on") if person is not None else None) or until)
        if person is not None and person.fields.get("residence_household") is not None and (person.fields.get("resident_from") or "") <= until:
            return None
        for one in self._closed[self._root(str(fields.get("person")))]:
            later = (one.fields.get("resident_to") or "", one.id) > (until, episode.id)
            if one.id != episode.id and later and (one.fields.get("resident_from") or "") <= until:
                return None
        return str(until)

    @staticmethod
    def by_death(episode: Entry, person: Entry | None) -> bool:
        """Whether a closed residence ended by death: by the step that says so, or of somebody who was dead by then."""
        if episode.fields.get("left_reason") == "died":
            return True
        fields = person.fields if person is not None else {}
        until = episode.fields.get("resident_to") or ""
        return fields.get("vital_status") == "deceased" and "" < (fields.get("died_on") or "") <= until

    def _began(self, person: str, fields: Mapping[str, object]) -> str | None:
        return self._begun(person, fields)[0]

    def _begun(self, person: str, fields: Mapping[str, object]) -> tuple[str | None, object]:
        """(day on which a stay began, the reason given for it)."""
        since, reason = fields.get("resident_from"), fields.get("joined_reason")
        going_on = True
        while going_on and isinstance(since, str):
            going_on = False
            for one in self._closed[person]:
                begun = one.fields.get("resident_from")
                if (begun or "") < since <= (one.fields.get("resident_to") or ""):
                    since, reason, going_on = begun, one.fields.get("joined_reason"), True
                    break
        return (since if isinstance(since, str) and reason not in _KNOWN_LATE else None), reason
