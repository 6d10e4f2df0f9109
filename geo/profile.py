"""How cell codes are written: a profile is data, because every city has its own rule.

Profiles that come with the project lie in ``geo/profiles``; a customer's own is the same JSON object
(:func:`profile_from_dict`). No list of communities is shipped: the community code is given by whoever asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

import shapely

from geo.cell import Cell
from geo.errors import ProfileError
from geo.problem import Problem, a_problem

CHARACTERS = {"digits": "0-9", "alphanumeric": "0-9A-Z", "any": r"\S"}
_CHARACTERS_ZH = {"digits": "数字", "alphanumeric": "数字或大写字母", "any": "非空白字符"}
# Two cells stand in one row (column) when their extents overlap by so much of the longer one.
_SAME_ROW = 0.8


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a code: its name, its width in characters, which characters it may hold, and what new codes have there.

    ``default`` is for segments that are neither the community's nor the sequence; codes of a file are not held to it.
    """

    name: str
    width: int
    characters: str = "digits"
    default: str = ""


@dataclass(frozen=True, slots=True)
class ReservedRange:
    """Texts of a segment, from ``low`` to ``high``, that no cell may have; ``reason`` says what they are kept for."""

    segment: str
    low: str
    high: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HouseholdBand:
    """How many households a cell should have: 0 < minimum ≤ target ≤ maximum. Outside the band is a warning only."""

    minimum: int
    target: int
    maximum: int


@dataclass(frozen=True, slots=True)
class CodeProfile:
    """The rule of one family of cell codes.

    Invariants: the widths add up to the length of every code; ``community_segments`` are adjacent, and their text is
    the code of the community; sequence bounds have the sequence's width. A profile with ``pattern`` and no segments
    checks that regular expression alone and knows neither community nor sequence.
    """

    name: str
    segments: tuple[Segment, ...] = ()
    community_segments: tuple[str, ...] = ()
    sequence_segment: str | None = None
    sequence_from: str = ""
    sequence_to: str = ""
    undivided: str | None = None
    pattern: str | None = None
    source: str = ""
    households: HouseholdBand | None = None
    reserved: tuple[ReservedRange, ...] = ()

    @property
    def length(self) -> int:
        """Characters of a code; 0 when only a pattern is known."""
        return sum(segment.width for segment in self.segments)

    def part(self, code: str, names: Collection[str]) -> str:
        """The text of the named segments of a code that fits the profile."""
        text, at = "", 0
        for segment in self.segments:
            if segment.name in names:
                text += code[at : at + segment.width]
            at += segment.width
        return text

    def community_of(self, code: str) -> str | None:
        """The community code inside a cell code; None when the profile does not hold one."""
        return self.part(code, self.community_segments) if self.community_segments else None

    def sequence_of(self, code: str) -> str | None:
        """The sequence number inside a cell code; None when the profile does not hold one."""
        return self.part(code, (self.sequence_segment,)) if self.sequence_segment else None

    def misfit(self, code: str) -> str | None:
        """What is wrong with the form of a code, in English; None when it fits."""
        told = self.misfit_told(code)
        return None if told is None else told[0]

    def misfit_told(self, code: str) -> tuple[str, str] | None:
        """What is wrong with the form of a code, in English and Chinese; None when it fits."""
        if self.length and len(code) != self.length:
            return f"{self.length} characters are expected, {len(code)} found", f"应为 {self.length} 位，实为 {len(code)} 位"
        at = 0
        for segment in self.segments:
            text = code[at : at + segment.width]
            if not re.fullmatch(f"[{CHARACTERS[segment.characters]}]*", text):
                place = f"{at + 1} to {at + segment.width}"
                return (
                    f"{segment.name} ({place}) must be {segment.characters}",
                    f"第 {at + 1} 至 {at + segment.width} 位应为{_CHARACTERS_ZH[segment.characters]}",
                )
            at += segment.width
        if self.pattern is not None and not re.fullmatch(self.pattern, code):
            return "it does not match the pattern", "与规定的格式不符"
        sequence = self.sequence_of(code)
        if sequence is not None and not self.sequence_from <= sequence <= self.sequence_to:
            low, high = self.sequence_from, self.sequence_to
            return f"the sequence must be {low} to {high}", f"顺序码应在 {low} 至 {high} 之间"
        return None

    def reserved_told(self, code: str) -> tuple[str, str] | None:
        """Which reserved range a code that fits the profile lies in, in English and Chinese; None when in none."""
        for one in self.reserved:
            text = self.part(code, (one.segment,))
            if one.low <= text <= one.high:
                low, high = one.low, one.high
                english = f"{one.segment} {low} to {high} is reserved" + (f" ({one.reason})" if one.reason else "")
                return english, f"{one.segment} 的 {low} 至 {high} 为预留号段" + (f"（{one.reason}）" if one.reason else "")
        return None


def profile_from_dict(data: Mapping[str, Any]) -> CodeProfile:
    """Make a profile from its JSON object.

    Raises
    ------
    ProfileError
        Naming what is missing or contradicts itself; a wrong profile never accepts codes silently.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("name"), str) or not data["name"]:
        raise ProfileError("a profile needs a name")
    try:
        segments = tuple(
            Segment(str(one["name"]), one["width"], one.get("characters", "digits"), one.get("default", ""))
            for one in data.get("segments", ())
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ProfileError("/segments: each segment needs a name and a width") from error
    for segment in segments:
        if not isinstance(segment.width, int) or isinstance(segment.width, bool) or segment.width < 1:
            raise ProfileError(f"segment {segment.name}: width must be a whole number above 0")
        if segment.characters not in CHARACTERS:
            raise ProfileError(f"segment {segment.name}: characters must be one of {', '.join(CHARACTERS)}")
        if segment.default != "" and not _fills(segment, segment.default):
            raise ProfileError(f"segment {segment.name}: default must be {segment.width} characters of {segment.characters}")
    names = [segment.name for segment in segments]
    community, sequence = tuple(data.get("community_segments", ())), data.get("sequence_segment")
    if len(set(names)) != len(names):
        raise ProfileError("segment names must differ")
    if community and community not in {tuple(names[i : i + len(community)]) for i in range(len(names))}:
        raise ProfileError("community_segments must be adjacent segments")
    pattern = data.get("pattern")
    if not segments and pattern is None:
        raise ProfileError("a profile needs segments or a pattern")
    if pattern is not None:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise ProfileError("pattern is not a regular expression") from error
    low = high = ""
    if sequence is not None:
        if sequence not in names:
            raise ProfileError("sequence_segment must be a segment")
        width = segments[names.index(sequence)].width
        low, high = str(data.get("sequence_from", "0" * width)), str(data.get("sequence_to", "9" * width))
        if len(low) != width or len(high) != width or low > high:
            raise ProfileError("sequence_from and sequence_to must have the width of the sequence")
    return CodeProfile(
        name=data["name"],
        segments=segments,
        community_segments=community,
        sequence_segment=sequence,
        sequence_from=low,
        sequence_to=high,
        undivided=data.get("undivided"),
        pattern=pattern,
        source=str(data.get("source", "")),
        households=_band(data.get("households")),
        reserved=tuple(_reserved(one, at, segments, sequence) for at, one in enumerate(data.get("reserved") or ())),
    )


def _fills(segment: Segment, text: Any) -> bool:
    kind = f"[{CHARACTERS[segment.characters]}]{{{segment.width}}}"
    return isinstance(text, str) and re.fullmatch(kind, text) is not None


def _reserved(data: Any, at: int, segments: Sequence[Segment], sequence: str | None) -> ReservedRange:
    """One reserved range; of the sequence where it names no segment, of one number where it has no end."""
    if not isinstance(data, Mapping):
        raise ProfileError(f"/reserved/{at}: an object with from and to is expected")
    name, low = data.get("segment", sequence), data.get("from")
    high = data.get("to", low)
    segment = next((one for one in segments if one.name == name), None)
    if segment is None:
        raise ProfileError(f"/reserved/{at}: segment must be a segment")
    if not _fills(segment, low) or not _fills(segment, high) or str(low) > str(high):
        raise ProfileError(f"/reserved/{at}: from and to must fill the {segment.width} characters of {segment.name}, from <= to")
    return ReservedRange(segment.name, str(low), str(high), str(data.get("for", "")))


def _band(data: Any) -> HouseholdBand | None:
    if data is None:
        return None
    numbers: list[Any] = [data.get(key) for key in ("min", "target", "max")] if isinstance(data, Mapping) else []
    if not numbers or not all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
        raise ProfileError("households needs whole numbers min, target and max")
    low, target, high = numbers
    if not 0 < low <= target <= high:
        raise ProfileError("households: 0 < min <= target <= max")
    return HouseholdBand(low, target, high)


def shipped_profiles() -> frozenset[str]:
    """Names of the profiles that come with the project."""
    return frozenset(one.name.removesuffix(".json") for one in resources.files("geo").joinpath("profiles").iterdir())


@cache
def load_profile(name: str = "cn-grid-15") -> CodeProfile:
    """A profile that comes with the project, by name; ProfileError when there is none of that name."""
    known = {entry.name.removesuffix(".json"): entry for entry in resources.files("geo").joinpath("profiles").iterdir()}
    if name not in known:
        raise ProfileError(f"no profile of that name; known are {', '.join(sorted(known))}")
    return profile_from_dict(json.loads(known[name].read_text("utf-8")))


CN15 = load_profile("cn-grid-15")


def check_code(
    code: str,
    community_code: str | None = None,
    *,
    profile: CodeProfile = CN15,
    retired: Collection[str] = frozenset(),
) -> list[Problem]:
    """Check one cell code by itself.

    Parameters
    ----------
    code : str
        The code; surrounding blanks are not forgiven.
    community_code : str, optional
        The community that the cell must belong to; None asks nothing.
    profile : CodeProfile
        The rule of the place.
    retired : collection of str
        Codes that were ever retired: they are never used again.

    Returns
    -------
    list of Problem
        ``code_missing``, ``code_outside_profile``, ``code_other_community``, ``code_reserved``, ``code_retired``; empty
        when all is well.
    """
    if not code:
        return [a_problem("code_missing")]
    problems = []
    misfit = profile.misfit_told(code)
    if misfit is not None:
        problems.append(a_problem("code_outside_profile", (code,), detail=misfit[0], detail_zh=misfit[1]))
    elif community_code is not None and profile.community_of(code) not in (None, community_code):
        problems.append(a_problem("code_other_community", (code,), detail=community_code))
    reserved = profile.reserved_told(code) if misfit is None else None
    if reserved is not None:
        problems.append(a_problem("code_reserved", (code,), detail=reserved[0], detail_zh=reserved[1]))
    if code in retired:
        problems.append(a_problem("code_retired", (code,)))
    return problems


def check_code_set(cells: Sequence[Cell], profile: CodeProfile) -> list[Problem]:
    """Check codes against each other: the undivided code beside others, and the drawing order (a warning).

    Sequence numbers should run west to east, north to south. Rows of real cells are ragged, so a neighbour in number is
    named only where it breaks the rule however rows are read: it lies further west *and* further north than its
    predecessor, or clearly in the same row to the west of it, or in the same column to the north.
    """
    problems = []
    fitting = [cell for cell in cells if profile.sequence_segment and profile.misfit(cell.code) is None]
    by_community: dict[tuple[str, str | None], list[Cell]] = {}
    for cell in fitting:
        by_community.setdefault((cell.layer, profile.community_of(cell.code)), []).append(cell)
    for members in by_community.values():
        for cell in members:
            if (
                len(members) > 1
                and profile.undivided is not None
                and profile.sequence_of(cell.code) == profile.undivided
            ):
                detail = f"sequence {profile.undivided} is for a community that is not divided"
                own = f"顺序码 {profile.undivided} 只用于未划分网格的社区"
                problems.append(a_problem("code_outside_profile", (cell.code,), detail=detail, detail_zh=own, at=_middle(cell)))
        numbered = sorted(members, key=lambda cell: cell.code)
        for before, after in pairwise(numbered):
            if _is_backwards(before.geometry.bounds, after.geometry.bounds):
                problems.append(a_problem("code_order", (before.code, after.code), at=_middle(after)))
    return problems


def _is_backwards(earlier: Sequence[float], later: Sequence[float]) -> bool:
    """Whether the later of two cells breaks the order; boxes are west, south, east, north."""
    # Wholly apart, so that a hair's breadth is no reproach.
    is_west = later[2] <= earlier[0] and later[0] < earlier[0]
    is_north = later[1] >= earlier[3] and later[3] > earlier[3]
    return (is_west and (is_north or _overlap(earlier, later, 1) > _SAME_ROW)) or (
        is_north and _overlap(earlier, later, 0) > _SAME_ROW
    )


def _overlap(one: Sequence[float], other: Sequence[float], axis: int) -> float:
    """What two boxes share of the longer one along an axis, 0 to 1."""
    shared = min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis])
    longer = max(one[axis + 2] - one[axis], other[axis + 2] - other[axis])
    return max(shared, 0.0) / longer if longer > 0 else 0.0


def _middle(cell: Cell) -> tuple[float, float]:
    point = shapely.point_on_surface(cell.geometry)
    return (point.x, point.y)
