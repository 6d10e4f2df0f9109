"""The list of what is asked: each rule by the number that docs/protocol.md gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from server.conformance.ground import Ground

Check = Callable[[Ground], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """``name`` is the rule's number with a letter for each part of it that is asked; ``text`` says what must hold."""

    name: str
    text: str
    check: Check


RULES: list[Rule] = []


def rule(name: str) -> Callable[[Check], Check]:
    """Put a check on the list; its docstring is what must hold."""

    def listed(check: Check) -> Check:
        RULES.append(Rule(name, (check.__doc__ or "").strip().rstrip("."), check))
        return check

    return listed
