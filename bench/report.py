"""What is told in the end: one line per measure, beside its floor and its bar."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.served import Cost


@dataclass(frozen=True, slots=True)
class Line:
    """One measure. ``value`` is compared with ``bar``: at least it, or (``most``) at most it; None: for information."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    most: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """ok, NOT MET, NOT MEASURED (not a number: what it is compared with was not to be had), or nothing where there is no bar."""
        if self.bar is None:
            return ""
        if math.isnan(self.value):
            return "NOT MEASURED"
        return "ok" if (self.value <= self.bar if self.most else self.value >= self.bar) else "NOT MET"


def missed(lines: Sequence[Line]) -> bool:
    """Whether a bar was not met, or nobody knows whether it is."""
    return any(one.verdict.startswith("NOT") for one in lines)


def median(values: Sequence[float]) -> float:
    """The median; of nothing it is not a number."""
    return statistics.median(values) if values else float("nan")


def total(costs: Sequence[Cost]) -> Cost:
    """All of it together."""
    return Cost(sum(one.wall_s for one in costs), sum(one.cpu_s for one in costs))


def ratio(name: str, ours: Sequence[Cost], floor: Sequence[Cost], count: int, bar: float | None = None) -> Line:
    """Rate of the product over the rate of the floor, median of the rounds; ``count`` items each round."""
    pairs = [there.wall_s / here.wall_s for here, there in zip(ours, floor, strict=True)]
    mine, other = total(ours), total(floor)
    rounds = len(ours) * count
    note = (
        f"{count / median([one.wall_s for one in ours]):,.0f}/s beside {count / median([one.wall_s for one in floor]):,.0f}/s; "
        f"CPU {mine.cpu_s / max(1, rounds) * 1e6:,.0f} beside {other.cpu_s / max(1, rounds) * 1e6:,.0f} µs each, "
        f"ratio {other.cpu_s / mine.cpu_s if mine.cpu_s else 0:.2f}"
    )
    return Line(name, median(pairs), "of the floor", bar, note=note)


def growth(name: str, before: Sequence[Cost], after: Sequence[Cost], bar: float | None = None) -> Line:
    """How many times longer it takes later than before, by medians."""
    early, late = median([one.wall_s for one in before]), median([one.wall_s for one in after])
    cpu = total(after).cpu_s / max(1, len(after)) / (total(before).cpu_s / max(1, len(before)) or 1e-9)
    note = f"{early * 1e3:.1f} ms, then {late * 1e3:.1f} ms; CPU {cpu:.2f} times"
    return Line(name, late / early, "times", bar, most=True, note=note)


def table(lines: Sequence[Line]) -> str:
    """The lines as text in columns."""
    rows = [("measure", "target", "measured", "", "")]
    for one in lines:
        bar = "" if one.bar is None else f"{'≤' if one.most else '≥'} {one.bar:g}"
        shown = f"{one.value:,.0f}" if one.value >= 1000 else f"{one.value:,.2f}"
        rows.append((one.name, bar, f"{shown} {one.unit}", one.verdict, one.note))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]).rstrip()
        for row in rows
    )
