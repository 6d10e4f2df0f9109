"""A repair as it is proposed: which cells change, how, and which findings it settles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from geo.area import area_m2
from geo.cell import Cell
from geo.errors import GeoError
from geo.problem import Problem

_TEXTS = {
    "swap_axes": ("exchange longitude and latitude of {n} cells", "将 {n} 个网格的经度与纬度对调"),
    "redeclare_datum": ("read {n} cells as {detail}", "将 {n} 个网格改按 {detail} 坐标系读取"),
    "close_ring": ("close the open rings of {n} cells", "闭合 {n} 个网格的边界环"),
    "rebuild_ring": ("rebuild the crossing border of {n} cells", "重建 {n} 个网格自相交的边界"),
    "match_edges": ("put shared corners into the borders of {n} cells", "为 {n} 个网格的公共边补齐顶点"),
    "clean_coverage": (
        "close overlaps, and gaps up to {detail} m, between {n} cells",
        "消除 {n} 个网格之间的重叠以及不超过 {detail} 米的缝隙",
    ),
    "drop_ring": (
        "leave out holes and parts with fewer than three points of {n} cells, which have no ground",
        "舍去 {n} 个网格中不足三个点、没有面积的孔或部分",
    ),
    "new_code": ("give {n} cells the next code that no cell ever had: {detail}", "为 {n} 个网格改用从未用过的编码：{detail}"),
    "fill_to_boundary": (
        "fill gaps up to {detail} m wide that open to the community's border, with {n} cells",
        "将 {n} 个网格补到社区边界，填上通向边界、宽不超过 {detail} 米的缝隙",
    ),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One cell before and after; ``at`` is its place in the draft. With ``new_code`` its shape stays and its code changes."""

    at: int
    cell_code: str
    before: Any
    after: Any
    new_code: str | None = None

    @property
    def area_change_m2(self) -> float:
        """What the cell wins (or loses, below 0) in m²."""
        return area_m2(self.after) - area_m2(self.before)


@dataclass(frozen=True, slots=True)
class Repair:
    """A proposal.

    Invariants: every ``after`` has area; no cell comes twice; ``settles`` are findings of the draft that go when the
    proposal is applied (findings of the certificate go when it is asked again).
    """

    kind: str
    changes: tuple[Change, ...]
    settles: tuple[Problem, ...]
    message_en: str
    message_zh: str
    detail: str = ""

    @property
    def cell_codes(self) -> tuple[str, ...]:
        """The cells that change, or whose finding is settled."""
        return tuple(dict.fromkeys([change.cell_code for change in self.changes] + codes_of(self.settles)))

    @property
    def largest_area_change_m2(self) -> float:
        """The largest win or loss of a single cell, without sign."""
        return max((abs(change.area_change_m2) for change in self.changes), default=0.0)


class StaleRepair(GeoError):
    """A proposal for a draft that has changed since."""

    def __init__(self) -> None:
        super().__init__("the draft has changed since this repair was proposed", code="stale_repair")


def offered(kind: str, changes: Sequence[Change], settles: Sequence[Problem], *, detail: str = "") -> list[Repair]:
    """One proposal in words."""
    repair = Repair(kind, tuple(changes), tuple(settles), "", "")
    # Two cells may have one name while codes are given; else a cell comes once, whatever names it.
    count = len(changes) if kind == "new_code" else len(repair.cell_codes)
    english, chinese = (text.format(n=count, detail=detail) for text in _TEXTS[kind])
    return [replace(repair, message_en=english, message_zh=chinese, detail=detail)]


def codes_of(problems: Iterable[Problem]) -> list[str]:
    """The cells that findings name, each as often as it is named."""
    return [code for problem in problems for code in problem.cell_codes]


def name_of(cell: Cell) -> str:
    """What a cell is called in findings and proposals."""
    return cell.code or cell.cell_id
