"""Codes for new cells: under the profile, outside reserved ranges, and never one that a cell had before (rule L4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from geo.errors import GeoError
from geo.profile import CodeProfile

_PLAIN_WIDTH = 3
"""Digits of a number behind the community's code where the profile has no sequence, as with a pattern alone."""


def free_code(profile: CodeProfile, community_code: str, taken: Collection[str]) -> str:
    """The code after the highest one taken, else the first free one.

    Parameters
    ----------
    taken
        Every code that a cell of the community has or ever had: they are never used again.

    Raises
    ------
    GeoError
        ``no_code``: all numbers are used or reserved, or the profile does not say how a code is completed.
    """
    prefix, width, numbers = _numbering(profile, community_code, taken)
    used = _used(prefix, width, taken)
    usual = [number for number in used if number in numbers and not _is_reserved(profile, _made(prefix, number, width))]
    after = max(usual, default=numbers.start - 1) + 1
    for number in (*range(after, numbers.stop), *range(numbers.start, after)):
        code = _made(prefix, number, width)
        if number not in used and code not in taken and _is_usable(profile, code):
            return code
    raise GeoError("every number of the profile is used", code="no_code")


def free_codes(profile: CodeProfile, community_code: str, taken: Collection[str]) -> Iterator[str]:
    """Codes that no cell ever had, lowest number first; ends where the profile has no more. Raises as `free_code`."""
    prefix, width, numbers = _numbering(profile, community_code, taken)
    for number in numbers:
        code = _made(prefix, number, width)
        if code not in taken and _is_usable(profile, code):
            yield code


def _numbering(profile: CodeProfile, community_code: str, taken: Collection[str]) -> tuple[tuple[str, str], int, range]:
    """What stands before and behind the number, its digits, and the numbers that there are."""
    if profile.sequence_segment is None:
        if profile.segments:
            raise GeoError("the profile has no sequence, so codes are given by hand", code="no_code")
        return (community_code, ""), _PLAIN_WIDTH, range(1, 10**_PLAIN_WIDTH)
    if not (profile.sequence_from.isdecimal() and profile.sequence_to.isdecimal()):
        raise GeoError("the sequence of the profile is not made of numbers, so codes are given by hand", code="no_code")
    return _around(profile, community_code, taken), len(profile.sequence_from), range(
        max(int(profile.sequence_from), 1), int(profile.sequence_to) + 1
    )


def _around(profile: CodeProfile, community_code: str, taken: Collection[str]) -> tuple[str, str]:
    """The segments beside the number: the community's, and for others what its codes have there, else the profile's default."""
    own = [
        code for code in taken if profile.misfit(code) is None and profile.community_of(code) in (None, community_code)
    ]
    parts, at = ["", ""], 0
    behind = False
    for segment in profile.segments:
        if segment.name == profile.sequence_segment:
            behind = True
        elif segment.name in profile.community_segments:
            parts[behind] += community_code[at : at + segment.width]
            at += segment.width
        else:
            parts[behind] += _usual(profile, segment.name, own) or segment.default or _missing(segment.name)
    return parts[0], parts[1]


def _usual(profile: CodeProfile, name: str, codes: Collection[str]) -> str | None:
    counted = Counter(profile.part(code, (name,)) for code in codes)
    return min(counted, key=lambda text: (-counted[text], text)) if counted else None


def _missing(name: str) -> str:
    raise GeoError(f'what stands in segment {name} of a new code is not known: give it a "default" in the profile', code="no_code")


def _used(prefix: tuple[str, str], width: int, taken: Collection[str]) -> set[int]:
    before, behind = prefix
    middle = slice(len(before), len(before) + width)
    same = (code for code in taken if len(code) == len(before) + width + len(behind))
    return {int(code[middle]) for code in same if code.startswith(before) and code.endswith(behind) and code[middle].isdecimal()}


def _made(around: tuple[str, str], number: int, width: int) -> str:
    return f"{around[0]}{number:0{width}}{around[1]}"


def _is_reserved(profile: CodeProfile, code: str) -> bool:
    return profile.reserved_told(code) is not None


def _is_usable(profile: CodeProfile, code: str) -> bool:
    return profile.misfit(code) is None and not _is_reserved(profile, code)
