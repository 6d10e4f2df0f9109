"""What the author of an operation had seen of a record: the questions that every policy asks (S1, S2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forms.definition import RecordType
from forms.validate import validator
from sync.operation import Fields, Operation
from sync.policies import union_change
from sync.record import Chain, PastVersion, Record, value_at


class Seen:
    """One record as the chain of an operation knows it.

    ``past`` ascends by version: the rows of history from a known base on, all rows where the base is unknown.
    """

    __slots__ = ("_was", "base", "chain", "form", "known", "operation", "past", "present", "record")

    def __init__(
        self,
        form: RecordType,
        record: Record,
        operation: Operation,
        chain: Chain,
        known: bool,
        past: Sequence[PastVersion],
    ) -> None:
        self.form = form
        self.record = record
        self.operation = operation
        self.chain = chain
        self.known = known
        self.past = past
        self.base = operation.base[0] if known and operation.base else 0
        self.present = known and self.base == record.v
        self._was: Fields | None = None

    @property
    def was(self) -> Fields:
        """``was`` in the normal form of values, so that equal values compare equal (S3)."""
        if self._was is None:
            told = self.operation.was
            self._was = {**told, **validator(self.form)(told, False)[0]} if told else told
        return self._was

    def concurrent(self, unit: str, current: Fields) -> bool:
        """S1: the last write is newer than a known base (any write with an unknown one) and not in the chain.

        What nobody has ever written is nobody's write.
        """
        stamp = self.record.stamps.get(unit)
        if stamp is None:
            if self.known or all(value is None for value in current.values()):
                return False
            return not self.chain.has(self.record.created_install, self.record.created_n)
        v, install, n = stamp
        return (not self.known or v > self.base) and not self.chain.has(install, n)

    def value(self, unit: str, current: Fields, change: Fields) -> Fields | None:
        """S2: the unit as the author saw it, or None where nothing tells.

        With a known base the chain's own later write, else the value in history at base. With an unknown base what
        ``was`` tells comes first, because it cannot be older than the chain's own last write.
        """
        if not self.known:
            told = {name: self.was.get(name) for name in current if name in self.was}
            if told:
                # a field that is written but not told was seen empty; one that is neither is taken as it stands
                return {**current, **{name: None for name in change if name in current}, **told}
        for row in reversed(self.past):
            if row.v > self.base and self.chain.has(row.install, row.n):
                if unit in row.units:
                    return value_at(self.past, unit, row.v, current)
                if unit in row.set_aside:
                    return dict(row.set_aside[unit])
        if self.known:
            return value_at(self.past, unit, self.base, current)
        return None

    def shown(self, unit: str, current: Fields, policy: str) -> Fields:
        """The unit as the author's own screen built it: the value at base with the chain's later writes laid over it.

        For ``append`` and ``union``, whose own writes stand in the record mixed with what others added unseen. With
        an unknown base it starts empty.
        """
        if self.present:
            return current
        shown = value_at(self.past, unit, self.base, current) if self.known else dict.fromkeys(current)
        for row in self.past:
            if row.v > self.base and self.chain.has(row.install, row.n) and unit in row.units:
                before: Fields = dict(row.previous.get(unit, {}))
                after = value_at(self.past, unit, row.v, current)
                step = _appended if policy == "append" else union_change
                shown = {name: step(shown.get(name), before.get(name), after.get(name)) for name in current}
        return shown

    def told(self, names: Sequence[str]) -> Fields | None:
        """The fields of a unit as ``was`` tells them; None where it tells nothing of it."""
        return {name: self.was.get(name) for name in names} if any(name in self.was for name in names) else None

    def written_upon(self, unit: str, value: Fields) -> bool:
        """S25: the author of the present value had seen ``value``, in a history that was lost since."""
        return next((row.was.get(unit) == value for row in reversed(self.past) if unit in row.units), False)

    def others_wrote(self) -> bool:
        """Whether somebody outside the chain changed the record since the base."""
        if self.present:
            return False
        return any(row.v > self.base and not self.chain.has(row.install, row.n) for row in self.past)

    def knew_deletion(self) -> bool:
        """Whether the author had seen that the record is deleted."""
        if self.present:
            return True
        for row in reversed(self.past):
            if row.life == "deleted":
                return self.chain.has(row.install, row.n) or (self.known and row.v <= self.base)
        return self.known


def _appended(shown: Any, before: Any, after: Any) -> Any:
    start = before or ""
    if isinstance(after, str) and after.startswith(start):
        return (shown or "") + after[len(start) :]
    return after
