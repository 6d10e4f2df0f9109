"""Many short texts as one long one, so that a search over a community is a search in memory that the machine does itself."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Literal

Mode = Literal["part", "start", "end", "whole"]

_EDGE = "\n"


class Column:
    """Texts, each belonging to an entry by its position; an entry may have none or several.

    Parameters
    ----------
    texts : for every entry its texts, without line breaks
    """

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        self._owners: list[int] = []
        flat: list[str] = []
        for owner, mine in enumerate(texts):
            for text in mine:
                flat.append(text)
                self._owners.append(owner)
        self._whole = _EDGE + _EDGE.join(flat) + _EDGE
        self._starts = list(accumulate((len(text) + 1 for text in flat), initial=1))

    def find(self, wanted: str, mode: Mode) -> set[int]:
        """Entries that have the text as a part, at the start, at the end, or as the whole of one of theirs."""
        if not wanted or _EDGE in wanted or not self._owners:
            return set()
        before = _EDGE if mode in {"start", "whole"} else ""
        sought = before + wanted + (_EDGE if mode in {"end", "whole"} else "")
        whole, starts, owners = self._whole, self._starts, self._owners
        found: set[int] = set()
        at = whole.find(sought)
        while at != -1:
            number = bisect.bisect_right(starts, at + len(before)) - 1
            found.add(owners[number])
            at = whole.find(sought, max(at + 1, starts[number + 1] - len(before)))  # on to the next text
        return found
