"""One grid cell, as every part of this room knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BASE_LAYER = "base"
DEDICATED_LAYER = "dedicated"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of one edition.

    Invariants: ``geometry`` is a shapely Polygon or MultiPolygon in CGCS2000 degrees on the 1e-7 grid, outer rings
    counter-clockwise. ``code`` is text (leading zeros count) and may be "" only in a draft. ``order`` is 0 unless the
    edition says otherwise; ties of a border point go to the smallest (order, code). ``cell_id`` is the identity that
    survives a change of code or outline.
    """

    cell_id: str
    code: str
    name: str
    geometry: Any
    layer: str = BASE_LAYER
    order: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tie_key(self) -> tuple[int, str, str]:
        """What a shared border is decided by; the id only separates cells of a draft that share a code."""
        return (self.order, self.code, self.cell_id)
