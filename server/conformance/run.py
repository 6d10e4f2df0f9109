"""Ask every rule, one after the other, each from where the one before left the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from server.conformance import about_merging, about_pulling, about_pushing, about_requests
from server.conformance.device import Broken, NotTested
from server.conformance.ground import Ground
from server.conformance.line import NoAnswer
from server.conformance.rules import RULES, Rule

ASKED = (about_requests, about_pushing, about_merging, about_pulling)
"""The modules whose rules are on the list, in the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one rule: ``PASS``, ``FAIL`` or ``NOT TESTED``, with the reason of the latter two."""

    rule: Rule
    found: str
    reason: str = ""


def judge(ground: Ground, wanted: Callable[[Rule], bool] = lambda one: True) -> Iterator[Verdict]:
    """One verdict after the other."""
    for rule in listed():
        if wanted(rule):
            yield _judge(ground, rule)


def listed() -> list[Rule]:
    """Every rule, in the order in which they are asked."""
    places = {module.__name__: place for place, module in enumerate(ASKED)}
    return sorted(RULES, key=lambda one: places[one.check.__module__])


def _judge(ground: Ground, rule: Rule) -> Verdict:
    try:
        ground.steady()
        ground.both()
        rule.check(ground)
    except NotTested as missing:
        return Verdict(rule, "NOT TESTED", str(missing))
    except (Broken, NoAnswer) as broken:
        return Verdict(rule, "FAIL", str(broken))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:  # an answer of another shape
        return Verdict(rule, "FAIL", f"an answer is not of the shape that the specification gives: {type(error).__name__} {error}")
    return Verdict(rule, "PASS")
