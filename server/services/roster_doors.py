"""What follows from everybody behind a door: how the old people there live (独居, 空巢), and whose registration hangs (空挂)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from forms.dwelling_facts import Resident, arrangement, tied
from server.services.roster_source import Source


class Doors:
    """Knows who lives in the dwellings that were loaded into it.

    Parameters
    ----------
    today : the day that ages are counted to
    """

    def __init__(self, source: Source, today: date, homes: Sequence[str] | None) -> None:
        self._source, self._today, self._homes = source, today, homes
        self._residents: dict[str, list[Resident]] = {}

    def load(self, dwellings: Iterable[str]) -> None:
        """Fetch who lives in these dwellings; what is known already is not asked again."""
        wanted = sorted(set(dwellings) - self._residents.keys())
        found = self._source.residents(wanted, self._homes) if wanted else {}
        self._residents.update({one: found.get(one, []) for one in wanted})

    def lived_in(self, dwelling: str) -> str:
        """One of `forms.dwelling_facts.ARRANGEMENTS`."""
        return arrangement(dwelling, self._residents.get(dwelling, []), self._today)

    def is_tied(self, dwelling: str) -> bool:
        """Whether anybody who is registered in a dwelling lives in it."""
        return tied(dwelling, self._residents.get(dwelling, []))
