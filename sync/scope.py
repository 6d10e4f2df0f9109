"""Whether an install may write a record (S18): its cells now, or where the record has been while they were its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sync.record import Chain, Record


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """What one push is judged by.

    ``streams`` are the install's streams in the scope version that the phone has applied, ``ever`` those of every
    version up to it; ``last_n`` is the last operation made before it applied that version; ``behind`` says that the
    server has a newer one. ``been`` maps record ids to the streams that they have been in (placement ledger).
    """

    streams: frozenset[str]
    ever: frozenset[str]
    last_n: int
    behind: bool
    been: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def allows(self, record: Record, n: int, chain: Chain, home: str | None = None) -> bool:
        """Whether operation ``n`` may name this record; ``home`` is where it was when the transaction began.

        A late operation may name what was ever in a stream of its author's scope. Any other may name what is, or has
        been, in a stream that is still its author's: whoever works offline cannot know that it has moved (L10).
        """
        late = self.behind or n <= self.last_n
        streams = self.ever if late else self.streams
        if record.home in streams or record.dedicated in streams or home in streams or chain.has(record.created_install, record.created_n):
            return True
        return not streams.isdisjoint(self.been.get(record.id, frozenset()))
