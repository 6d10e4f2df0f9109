"""Pages and answers as a server would write them, and phones that are enrolled already."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forms.registry import load_registry
from sync.device import HttpTransport, Phone, PullReport
from sync.device.pull import keep_page
from sync.device.push import store_answers
from sync.device.store import Store, no_fault
from sync.digest import record_hash, status_hash, to_hex

INSTALL = "01900000-0000-7000-8000-0000000000aa"
OWN_STREAM = f"install/{INSTALL}"
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens there


def claimed() -> datetime:
    """A device clock that is wrong by decades; nothing may depend on it."""
    return datetime(1999, 12, 31, 23, 59, tzinfo=UTC)


class Ids:
    """Ascending UUIDv7 texts that name their maker."""

    def __init__(self, maker: int = 1) -> None:
        self.maker, self.count = maker, 0

    def __call__(self) -> str:
        self.count += 1
        return f"01900000-0000-7{self.maker:03x}-8000-{self.count:012x}"


def phone_at(path: Path, fault: Callable[[str], None] = no_fault, *, ids: Callable[[], str] | None = None) -> Phone:
    """A phone without a network, enrolled if its file was new."""
    phone = Phone(
        path,
        HttpTransport(NOWHERE, timeout=1),
        claimed,
        ids or Ids(random.Random(str(path)).randrange(4096)),
        load_registry(),
        fault,
    )
    if phone.install_id is None:
        with phone._store.change("test"):
            phone._store.run(
                "INSERT INTO identity (one, community_id, install_id, token, user, limits) VALUES (1, 'c', ?, 't', '{}', '{}')",
                INSTALL,
            )
    return phone


def put(stream: str, seq: int, record_id: str, v: int = 1, **more: Any) -> dict[str, Any]:
    """A PUT row; further members go into the record."""
    record = {"id": record_id, "type": "household", "v": v, "tag": f"{v:016x}", "life": "live", "form_version": 1}
    record |= {"home": stream, "fields": {}, "conflicts": [], "confirmed": {}}
    return {"stream": stream, "seq": seq, "kind": "PUT", "record": record | more}


def remove(stream: str, seq: int, record_id: str, reason: str, v: int = 2) -> dict[str, Any]:
    """A REMOVE row."""
    return {
        "stream": stream,
        "seq": seq,
        "kind": "REMOVE",
        "reason": reason,
        "id": record_id,
        "v": v,
        "tag": f"{v:016x}",
    }


def totals(*rows: tuple[str, Mapping[str, int], Mapping[str, int]]) -> dict[str, Any]:
    """What a server says of its streams: (stream, {record id: v}, {op_id: status})."""
    return {
        stream: {
            "seq": 99,
            "count": len(records),
            "digest": to_hex(
                sum(record_hash(one, v, f"{v:016x}") for one, v in records.items())
                + sum(status_hash(one, status) for one, status in statuses.items())
            ),
        }
        for stream, records, statuses in rows
    }


def keep(
    store: Store,
    rows: Sequence[Mapping[str, Any]],
    *,
    streams: Sequence[str],
    told: Mapping[str, Any] | None = None,
    applied: tuple[int, str | None] = (0, None),
    epoch: str = "first",
    scope_version: int = 1,
    replace: Sequence[str] = (),
    from_zero: bool = False,
    departures: str = "first:0",
) -> PullReport:
    """Let the phone keep one page; ``told`` makes it a complete one."""
    report = PullReport()
    identity = store.identity()
    assert identity is not None
    answer: dict[str, Any] = {
        "epoch": epoch,
        "cursor": "next",
        "complete": told is not None,
        "scope": {"version": scope_version, "streams": [*streams, OWN_STREAM], "added": [], "dropped": []},
        "replace": list(replace),
        "rows": list(rows),
    }
    if told is not None:
        answer |= {"streams": dict(told), "applied": {"n": applied[0], "op_id": applied[1]}, "safe_n": 0, "departures": departures}
    keep_page(store, None if from_zero else identity["cursor"], answer, report)
    return report


def answer_all(
    phone: Phone, outcome: str = "applied", *, reason: str | None = None, v: int | None = None, epoch: str = "first"
) -> None:
    """Let the phone keep an answer about everything that it has not got one for."""
    store = phone._store
    batch = store.rows("SELECT n, op_id FROM log WHERE state <> 'answered' ORDER BY n")
    results = [
        {
            "n": row["n"],
            "op_id": row["op_id"],
            "first": {"outcome": outcome, "reason": reason},
            "now": {"outcome": outcome, "reason": reason, "status": 1},
            "record": None if v is None else {"id": "?", "v": v, "tag": "0" * 16},
        }
        for row in batch
    ]
    store_answers(store, batch, {"epoch": epoch, "results": results}, results)
