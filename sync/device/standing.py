"""What became of the own operations, told from the log."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import orjson

from sync.device.words import words


@dataclass(frozen=True, slots=True)
class Standing:
    """One own operation and what became of it.

    ``state`` is unsent, sent or answered; ``outcome`` and ``reason`` what the server says now, ``first`` what it said
    first. ``acknowledged``: the server has it for good. ``settled``: final, and the copies contain it. ``errors`` are
    {pointer, code, message}. ``zh`` and ``en`` say it to a person.
    """

    n: int
    group_n: int
    op_id: str
    kind: str
    type: str
    record_id: str
    state: str
    acknowledged: bool
    settled: bool
    first: str | None
    outcome: str | None
    reason: str | None
    errors: tuple[dict[str, Any], ...]
    zh: str
    en: str


def standing_of(row: sqlite3.Row) -> Standing:
    """The standing of one row of the log."""
    settled = bool(row["settled"])
    zh, en = words(row["state"], row["now_outcome"], row["now_reason"], settled)
    return Standing(
        row["n"],
        row["group_n"],
        row["op_id"],
        row["kind"],
        row["type"],
        row["record_id"],
        row["state"],
        bool(row["acknowledged"]),
        settled,
        row["first_outcome"],
        row["now_outcome"],
        row["now_reason"],
        tuple(orjson.loads(row["errors"])),
        zh,
        en,
    )
