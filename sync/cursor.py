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
    next page of this pull may have, ``turn`` the position in the rotation, ``head`` how far the install's own log was consumed, ``journal`` the newest entry of the community's
    journal: its number, and a mark that no other entry has. A cursor of version 2 knows of no entry.
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
    journal: tuple[int, str] | None = None

    def to_text(self) -> str:
        """Compact JSON."""
        return json.dumps(
            [
                3,
                self.install_id,
                self.epoch,
                self.scope_version,
                self.projection,
                self.streams,
                self.fresh,
                self.rows,
                self.turn,
                self.head,
                self.journal,
            ],
            separators=(",", ":"),
            ensure_ascii=False,
        )

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        """The cursor of a text that ``to_text`` made; MalformedCursor for anything else."""
        try:
            version, *parts = json.loads(text)
            if version == 2:
                parts.append(None)
            elif version != 3:
                raise MalformedCursor("a cursor of another version")
            install_id, epoch, scope_version, projection, streams, fresh, rows, turn, head, journal = parts
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
                None if journal is None else _entry(*journal),
            )
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise MalformedCursor("not a cursor") from error


def _entry(number: object, mark: object) -> tuple[int, str]:
    if not isinstance(number, int) or not isinstance(mark, str):
        raise MalformedCursor("not a cursor")
    return number, mark
