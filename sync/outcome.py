"""The closed list of outcomes, and how the members of a group share one fate (S13)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

APPLIED = "applied"
MERGED = "merged"
UNCHANGED = "unchanged"
CONFLICT = "conflict"
HELD = "held"
QUARANTINED = "quarantined"
ERASED = "erased"

PROPOSAL = "proposal"
"""The reason of a held command that somebody over all of its records has to confirm (S18)."""

ELSEWHERE = "community/"
"""What a proposal waits for that the secretary of another community has to accept, before that community's id (S30)."""

ASKED_THERE = "asked_there"
"""The code by which a proposal says that it is the other community that it waits for now, and not this one's own secretary (S30)."""

MOVED = "moved"
"""The life of a record that lives in another community now; the reason of what is decided there (S30)."""

MOVED_AWAY = "moved_away"
"""The reason of what is about such a record by somebody who could know that it had left: their office decides (S30)."""

NOT_ALONE = "not_alone"
"""The reason of a group in which anything stands beside a move to another community: that one leaves by itself (S30)."""

OUTCOMES = (APPLIED, MERGED, UNCHANGED, CONFLICT, HELD, QUARANTINED, ERASED)
REASONS = (
    "parent", "form", "behind", "install", PROPOSAL, MOVED, MOVED_AWAY, NOT_ALONE, "malformed", "oversized", "invalid", "unknown_type", "type_differs",
    "server_made", "out_of_scope", "op_id_reused", "survey_closed", "unexpected", "declined", "discarded", "group",
)  # fmt: skip
"""Every reason that the server gives for an outcome; clients have words for each of them."""

OPEN = frozenset({HELD, QUARANTINED})
"""Not final: held, and quarantined until it is repaired."""


@dataclass(slots=True)
class Refusal:
    """Why an operation does not enter the records now: held (``waits_for`` names what it waits for) or quarantined.

    ``errors`` are dicts of pointer, code and message, without values.
    """

    outcome: str
    reason: str
    waits_for: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)


def worst(refusals: list[Refusal]) -> Refusal | None:
    """The refusal that decides for a whole group: any quarantined, else any held, else None.

    Of proposals, one for this community's own secretary goes before one for another community.
    """
    for refusal in refusals:
        if refusal.outcome == QUARANTINED:
            return refusal
    if refusals and asks_elsewhere(refusals[0].waits_for):
        return next((one for one in refusals if one.reason == PROPOSAL and one.waits_for is None), refusals[0])
    return refusals[0] if refusals else None


def asks_elsewhere(waits_for: str | None) -> bool:
    """Whether what an operation waits for is another community's consent."""
    return waits_for is not None and waits_for.startswith(ELSEWHERE)
