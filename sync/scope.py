"""Whether an install may write a record (S18): its cells now, or where the record has been while they were its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sync.record import Chain, Record

CARE, LINE = "care_status", "line_of_work"
"""The record type that a line of work keeps to itself, and the field that names the line (S23)."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What an author knew of who has left for another community (S30).

    ``told``: (seen, last_n, until_n) by which a phone has said that its operations after ``last_n`` were made knowing of the departures
    up to the journal number ``seen``; where ``until_n`` is not 0, those up to there only, which it took over from another phone. ``arrived``: of who writes at the office, and therefore knows of all that had left by then, the
    journal number by which each stored operation arrived; one that is not there arrives now. None: nothing is known of this author.
    """

    told: tuple[tuple[int, int, int], ...] = ()
    arrived: Mapping[int, int] | None = None

    def knows(self, departure: int, n: int) -> bool:
        """Whether operation ``n`` was made by somebody who could know of this departure."""
        if self.arrived is not None:
            return self.arrived.get(n, departure) >= departure
        return any(seen >= departure and n > last_n and (until_n == 0 or n <= until_n) for seen, last_n, until_n in self.told)


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """What one push is judged by.

    ``streams`` are the install's streams in the scope version that the phone has applied, ``ever`` those of every
    version up to it; ``last_n`` is the last operation made before it applied that version; ``behind`` says that the
    server has a newer one. ``been`` maps record ids to the streams that they have been in (placement ledger).
    ``streams`` is None for who works in the whole community. ``lines`` are the lines of work whose care records the phone saw in
    that scope version, ``lines_ever`` in every one up to it; None: all of them (S23).
    """

    streams: frozenset[str] | None
    ever: frozenset[str]
    last_n: int
    behind: bool
    been: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lines: frozenset[str] | None = None
    lines_ever: frozenset[str] | None = None

    def allows(self, record: Record, n: int, chain: Chain, home: str | None = None) -> bool:
        """Whether operation ``n`` may name this record; ``home`` is where it was when the transaction began.

        A late operation may name what was ever in a stream of its author's scope. Any other may name what is, or has
        been, in a stream that is still its author's: whoever works offline cannot know that it has moved (L10).
        """
        if self.streams is None:
            return True
        streams = self.ever if self._is_late(n) else self.streams
        if record.home in streams or record.dedicated in streams or home in streams or chain.has(record.created_install, record.created_n):
            return True
        return not streams.isdisjoint(self.been.get(record.id, frozenset()))

    def reads_line(self, line: object, n: int) -> bool:
        """Whether operation ``n`` may name a care record of this line of work."""
        lines = self.lines_ever if self._is_late(n) else self.lines
        return lines is None or line in lines

    def _is_late(self, n: int) -> bool:
        return self.behind or n <= self.last_n
