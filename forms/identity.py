"""Resident ID numbers and unified social credit codes.

Only what the number itself proves: check character, and for a person a real date. The area code is a hint and never a
reason to refuse: withdrawn areas and residence permits belong to real people. Nothing here judges a person.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from operator import mul

# GB 11643: ISO 7064 MOD 11-2.
_ID_SHAPE = re.compile(r"[0-9]{17}[0-9X]", re.ASCII)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"
_ID_ZEROS = 48 * sum(_ID_WEIGHTS)

# GB 32100: digits and capitals without I, O, S, V, Z; weights are the powers of 3 modulo 31.
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_VALUE = {character: value for value, character in enumerate(_CREDIT_ALPHABET)}
_CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_CREDIT_SHAPE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}", re.ASCII)


def resident_id_check_character(first_17: str) -> str:
    """Check character of a resident ID number.

    Parameters
    ----------
    first_17 : str
        Seventeen ASCII digits.

    Raises
    ------
    ValueError
        Anything else.
    """
    if len(first_17) != 17 or not (first_17.isascii() and first_17.isdigit()):
        raise ValueError("seventeen digits are needed")
    return _ID_CHECK[sum(map(mul, map(int, first_17), _ID_WEIGHTS)) % 11]


def resident_id_ok(number: str) -> bool:
    """Whether a normalised number (18 characters, capital X) has a right check character and a real date.

    Numbers of 15 digits (withdrawn in 2013) have no check digit and are not confirmed: the answer is False.
    """
    return _proven_birth(number) is not None


def resident_id_birth(number: str) -> str | None:
    """Birth date in a correct number as ``YYYY-MM-DD``; None where ``resident_id_ok`` is False."""
    return _proven_birth(number)


def resident_id_sex(number: str) -> str | None:
    """Code of GB/T 2261.1 in a correct number, ``1`` or ``2``; None where ``resident_id_ok`` is False."""
    if _proven_birth(number) is None:
        return None
    return "1" if int(number[16]) % 2 else "2"


def credit_code_check_character(first_17: str) -> str:
    """Check character of a unified social credit code.

    Raises
    ------
    ValueError
        Not seventeen characters of the code's alphabet.
    """
    if len(first_17) != 17 or any(character not in _CREDIT_VALUE for character in first_17):
        raise ValueError("seventeen characters of the credit code alphabet are needed")
    total = sum(_CREDIT_VALUE[character] * weight for character, weight in zip(first_17, _CREDIT_WEIGHTS, strict=True))
    return _CREDIT_ALPHABET[(31 - total % 31) % 31]


def credit_code_ok(code: str) -> bool:
    """Whether a normalised code of 18 characters has the right shape and check character.

    The first two places may be letters (rural collectives, others); places 3 to 8 are the division's digits.
    The inner check digit of the organization code (place 17) is not judged: published codes break it.
    """
    return _CREDIT_SHAPE.fullmatch(code) is not None and credit_code_check_character(code[:17]) == code[17]


@lru_cache(maxsize=1)  # the rules of one record ask several times; a second number is never kept
def _proven_birth(number: str) -> str | None:
    if _ID_SHAPE.fullmatch(number) is None:
        return None
    # bytes of ASCII digits are their values plus 48
    if _ID_CHECK[(sum(map(mul, number.encode(), _ID_WEIGHTS)) - _ID_ZEROS) % 11] != number[17]:
        return None
    text = f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None
