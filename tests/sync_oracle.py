"""What S1 to S5 promise for one record, told a second time and as simply as possible: an oracle for the laws.

It knows no versions and no history rows: per unit the list of what stood there after every arrival, and who wrote it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

UNITS: dict[str, tuple[str, tuple[str, ...]]] = {
    "a": ("last", ("a",)),
    "kept": ("keep", ("kept",)),
    "reviewed": ("review", ("reviewed",)),
    "most": ("max", ("most",)),
    "least": ("min", ("least",)),
    "tags": ("union", ("tags",)),
    "note": ("append", ("note",)),
    "stock": ("add", ("stock",)),
    "paper": ("review", ("paper_type", "paper_number", "paper_place")),
    "contact": ("last", ("contact_name", "contact_phone")),
}

Value = dict[str, Any]


@dataclass
class UnitStory:
    """``states``: (arrival, writer, value) of every change; ``tried``: writer → (arrival, value) of the own last write."""

    states: list[tuple[int, str, Value]]
    tried: dict[str, tuple[int, Value]] = field(default_factory=dict)
    waiting: dict[str, Value] = field(default_factory=dict)

    @property
    def now(self) -> Value:
        return self.states[-1][2]

    def at(self, arrival: int) -> Value:
        return next(value for when, _, value in reversed(self.states) if when <= arrival)


@dataclass
class Oracle:
    """One record, created by ``maker`` at arrival 0."""

    maker: str
    units: dict[str, UnitStory] = field(default_factory=dict)
    arrival: int = 0
    listed: list[tuple[str, Value, Value]] = field(default_factory=list)

    def create(self, fields: Value) -> None:
        for unit, (_, names) in UNITS.items():
            self.units[unit] = UnitStory([(0, self.maker, {name: fields.get(name) for name in names})])

    def write(self, writer: str, base: int, unit: str, change: Value, shown: Value) -> None:
        """An operation arrives. ``base`` is the arrival up to which its author had pulled, ``shown`` what they saw."""
        self.arrival += 1
        story, (policy, _) = self.units[unit], UNITS[unit]
        current = story.now
        if policy == "add":
            self._stand(story, writer, {"stock": (current["stock"] or 0) + change["stock"]["delta"]})
            return
        if policy == "union":
            before, after = shown["tags"] or [], change["tags"]
            kept = [one for one in current["tags"] or [] if one in after or one not in before]
            self._stand(story, writer, {"tags": [*kept, *(one for one in after if one not in before and one not in kept)] or None})
            return
        if policy == "append":
            suffix = change["note"][len(shown["note"] or "") :]
            self._stand(story, writer, {"note": (current["note"] or "") + suffix})
            return
        when, who, _ = story.states[-1]
        tried = story.tried.get(writer)
        seen = tried[1] if tried is not None and tried[0] > base else story.at(base)
        concurrent = when > base and who != writer
        new = {**(seen if concurrent else current), **change}
        if new != current and concurrent and current != seen:
            self.listed.append((unit, current, new))
            if not self._wins(policy, current, new):
                story.tried[writer] = (self.arrival, new)
                if policy == "review":
                    story.waiting[writer] = new
                return
        story.waiting.pop(writer, None)
        if new != current:
            story.tried[writer] = (self.arrival, new)
            self._stand(story, writer, new)

    def _stand(self, story: UnitStory, writer: str, value: Value) -> None:
        if value != story.now:
            story.states.append((self.arrival, writer, value))

    @staticmethod
    def _wins(policy: str, current: Value, new: Value) -> bool:
        old, fresh = next(iter(current.values())), next(iter(new.values()))
        if policy == "max":
            return fresh is not None and (old is None or fresh > old)
        if policy == "min":
            return fresh is not None and (old is None or fresh < old)
        return policy == "last"

    def fields(self) -> Value:
        """The record's fields, without nulls."""
        return {name: value for one in self.units.values() for name, value in one.now.items() if value is not None}

    def waiting(self) -> dict[str, set[str]]:
        """Unit → writers whose value is set aside and open."""
        return {unit: set(one.waiting) for unit, one in self.units.items() if one.waiting}
