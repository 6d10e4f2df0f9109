"""What a pull cursor holds (S19), and its compact text. Signing is the server's business."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from sync.errors import MalformedCursor

FIRST_PAGE_ROWS = 1_000
LAST_PAGE_ROWS = 32_000


@dataclass(slots=True)
class Cursor:
    """Where an install stands in the streams of one community.

    ``streams`` maps a stream to the last sequence number read; ``fresh`` are streams being read from zero, with the
    number that they had when that began: REMOVE rows below it mean nothing to this reader. ``rows`` is the page limit that the
    next page of this pull may have, ``turn`` the position in the rotation, ``head`` how far the install's own log was consumed.
    """

    install_id: str
    epoch: str
    scope_version: int
    projection: str
    streams: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    rows: int = FIRST_PAGE_ROWS
    turn: int = 0
    head: int = 0

    def to_text(self) -> str:
        """Compact JSON."""
        return json.dumps(
            [
                2,
                self.install_id,
                self.epoch,
                self.scope_version,
                self.projection,
                self.streams,
                self.fresh,
                self.rows,
                self.turn,
                self.head,
            ],
            separators=(",", ":"),
            ensure_ascii=False,
        )

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        """The cursor of a text that ``to_text`` made; MalformedCursor for anything else."""
        try:
            version, install_id, epoch, scope_version, projection, streams, fresh, rows, turn, head = json.loads(text)
            if version != 2:
                raise MalformedCursor("a cursor of another version")
            return cls(
                str(install_id),
                str(epoch),
                int(scope_version),
                str(projection),
                {str(name): int(seq) for name, seq in streams.items()},
                {str(name): int(seq) for name, seq in fresh.items()},
                int(rows),
                int(turn),
                int(head),
            )
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise MalformedCursor("not a cursor") from error
