"""Whom a row of a table means: the same person for certain, or somebody who looks like the same after a correction.

Pure. Nobody is made one with somebody else because they look alike: that is for people to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forms.index import normalise_for_search
from server.services.duplicate_pairs import is_slip
from server.services.pinyin import spellings

Values = Mapping[str, Any]

_PARTS = {"year": 4, "month": 7, "day": 10}


def means(row: Values, stored: Values, homes: frozenset[str]) -> bool:
    """Whether a row of this name, whose document number leads to nobody, is about a person of the same name.

    Parameters
    ----------
    row, stored : fields of a person, as the table and as the house has them
    homes : the household that the row belongs to, empty where there is none yet
    """
    if row.get("document_number") and stored.get("document_number"):
        return False
    same = _same_birth(row, stored)
    if same and _known(row, stored) == "day":
        return True
    return same is not False and stored.get("residence_household") in homes


def looks_like(row: Values, stored: Values, homes: frozenset[str]) -> bool:
    """Whether a row that means nobody for certain may be about this person, with a slip put right in the table or made there.

    Behind one door: the same name, the same day of birth or tail of a document under another name, or one character of the name where
    nothing else is known to differ. Elsewhere: the same name with the same day of birth or a slip in it.

    Parameters
    ----------
    homes : the households behind the door that the row names
    """
    same, name = _same_birth(row, stored), _same_name(row, stored)
    if stored.get("residence_household") not in homes:
        return name and (same is True or _birth_slip(row, stored))
    if name or same is True:
        return True
    mine, other = _tail(row), _tail(stored)
    if mine and other:
        return mine == other
    return same is None and _one_character(str(row.get("name") or ""), str(stored.get("name") or ""))


def may_be_one_name(mine: str, other: str) -> bool:
    """Whether two names may be one person's as two people wrote it down: the same, of one sound, or one character apart."""
    left, right = normalise_for_search(mine, None), normalise_for_search(other, None)
    return left == right or _one_character(left, right) or not spellings(left).isdisjoint(spellings(right))


def no_less_known(row: Values, stored: Values) -> Values:
    """The row without its month or year of birth where the day is recorded, and lies in it."""
    said = str(row.get("birth_precision") or "day")
    if _same_birth(row, stored) and _PARTS.get(said, 10) < _PARTS.get(str(stored.get("birth_precision") or "day"), 10):
        return {name: value for name, value in row.items() if name not in ("birth_date", "birth_precision")}
    return row


def _same_birth(row: Values, stored: Values) -> bool | None:
    """Compared as far as both are known: a month alone is the same as any day in it. None where one is not known."""
    mine, other = row.get("birth_date"), stored.get("birth_date")
    if not mine or not other:
        return None
    known = _PARTS[_known(row, stored)]
    return bool(mine[:known] == other[:known])


def _known(row: Values, stored: Values) -> str:
    """How far both days of birth are known."""
    said = {str(one.get("birth_precision") or "day") for one in (row, stored)}
    return next(one for one in _PARTS if one in said or one == "day")


def _birth_slip(row: Values, stored: Values) -> bool:
    mine, other = row.get("birth_date"), stored.get("birth_date")
    return bool(mine and other and mine != other and is_slip(mine, other))


def _same_name(row: Values, stored: Values) -> bool:
    return normalise_for_search(str(row.get("name") or ""), None) == normalise_for_search(str(stored.get("name") or ""), None)


def _one_character(mine: str, other: str) -> bool:
    return len(mine) == len(other) > 1 and sum(a != b for a, b in zip(mine, other, strict=True)) == 1


def _tail(values: Values) -> str:
    """The last four characters of a document number, hidden or not."""
    number = values.get("document_number")
    if isinstance(number, Mapping):
        number = number.get("mask")
    return number[-4:] if isinstance(number, str) and len(number) > 4 else ""
