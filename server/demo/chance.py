"""Chance with a seed: ids, days, documents, telephone numbers and operations that come out alike every time.

Nothing here reads a clock or the system's randomness; ``as_of`` is the day on which the demo is told.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, TypeVar

from forms.identity import credit_code_check_character, resident_id_check_character

REGION = "999999"
"""Assigned to no place, so that no document of the demo can be anybody's."""

PHONE_PREFIX = "102"
"""Mobile numbers begin with 13 to 19; nothing that can be dialled is known to begin with 102."""

LOCAL = timezone(timedelta(hours=8))
_BASE_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z: ids do not depend on the day of telling

T = TypeVar("T")


def uuid7_shaped(milliseconds: int, text: str) -> str:
    """A UUID of version 7 whose random part is a hash of ``text``: the same text gives the same id."""
    value = milliseconds << 80 | int.from_bytes(hashlib.sha256(text.encode()).digest()[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Chance:
    """One seeded source for one topic, so that a change in one topic leaves the others alone."""

    def __init__(self, seed: int, topic: str, as_of: date) -> None:
        self.random = random.Random(f"{seed}/{topic}")
        self.as_of = as_of

    def one(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as the others."""
        return options[int(self.random.random() * len(options))]

    def weighted(self, options: dict[T, float]) -> T:
        """One of the keys, as likely as their weights say."""
        at = self.random.random() * sum(options.values())
        for option, weight in options.items():
            at -= weight
            if at < 0:
                return option
        return next(reversed(options))

    def holds(self, probability: float) -> bool:
        """True that often."""
        return self.random.random() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random.random() * (high - low + 1))

    def birth(self, age: int) -> date:
        """A birth date of somebody who is ``age`` years old on ``as_of``."""
        return self.as_of - timedelta(days=int(age * 365.2425) + self.between(1, 364))

    def day(self, *, first: int, last: int) -> date:
        """A day between ``first`` and ``last`` days ago (first is the earlier one, the larger number)."""
        return self.as_of - timedelta(days=self.between(last, first))

    def moment(self, day: date) -> datetime:
        """A working hour of that day, in local time."""
        return datetime.combine(day, time(self.between(9, 19), self.between(0, 59), self.between(0, 59)), LOCAL)


class Documents:
    """Numbers that nobody has: each is given once."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"{seed}/documents")
        self._given: set[str] = set()

    def resident_id(self, birth: date, sex: str) -> str:
        """A resident ID number in region 999999 with this birth date and sex (``1`` or ``2``) and a right check digit."""
        while True:
            order = self._random.randrange(0, 500) * 2 + (1 if sex == "1" else 0)
            first = f"{REGION}{birth:%Y%m%d}{order:03d}"
            number = first + resident_id_check_character(first)
            if number not in self._given:
                self._given.add(number)
                return number

    def phone(self) -> str:
        """A number of 11 digits that reaches nobody."""
        while True:
            number = f"{PHONE_PREFIX}{self._random.randrange(10**8):08d}"
            if number not in self._given:
                self._given.add(number)
                return number

    def credit_code(self, category: str, order: int) -> str:
        """A unified social credit code whose organisation body is FAKEnnnn; ``category`` is its first two characters."""
        body = f"FAKE{order:04d}"
        value = {character: at for at, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
        weights = (3, 7, 9, 10, 5, 8, 4, 2)
        rest = 11 - sum(value[character] * weight for character, weight in zip(body, weights, strict=True)) % 11
        first = f"{category}{REGION}{body}{'X' if rest == 10 else '0' if rest == 11 else rest}"
        return first + credit_code_check_character(first)


class Writer:
    """Makes operations: every record a create with ids from the seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0

    def new_id(self, record_type: str) -> str:
        """An id for the next record of a type; ids rise in the order in which they are asked for."""
        self._made += 1
        return uuid7_shaped(_BASE_MS + self._made, f"{self._seed}/{record_type}/{self._made}")

    def create(self, record_type: str, record_id: str, fields: dict[str, Any], at: datetime) -> dict[str, Any]:
        """A create operation; fields that are None are left out."""
        return {
            "op_id": uuid7_shaped(int(at.timestamp() * 1000), f"{self._seed}/create/{record_id}"),
            "type": record_type,
            "id": record_id,
            "kind": "create",
            "base": None,
            "set": {name: value for name, value in fields.items() if value is not None},
            "was": {},
            "form_version": 1,
            "claimed_at": at.isoformat(timespec="seconds"),
        }
