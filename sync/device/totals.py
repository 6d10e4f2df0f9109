"""What the phone counts itself, never adopting the server's word: count and digest per stream, parents that are missing."""

from __future__ import annotations

from typing import Any

from forms.registry import Registry
from sync.device.store import Store
from sync.digest import MODULUS, record_hash, status_hash, to_hex


def digests(store: Store) -> dict[str, dict[str, Any]]:
    """Count and digest of every held stream, from the rows on this phone.

    The count is of PUT rows; the digest is over PUT and STATUS rows. A stream without rows has count 0 and digest zero.
    """
    sums = {row["id"]: [0, 0] for row in store.rows("SELECT id FROM stream ORDER BY id")}
    for row in store.rows("SELECT stream, id, kind, v, tag FROM feed WHERE kind <> 'REMOVE'"):
        total = sums[row["stream"]]
        if row["kind"] == "PUT":
            total[0] += 1
            total[1] += record_hash(row["id"], row["v"], row["tag"])
        else:
            total[1] += status_hash(row["id"], row["v"])
    return {stream: {"count": count, "digest": to_hex(total % MODULUS)} for stream, (count, total) in sums.items()}


def differing(store: Store, told: dict[str, Any]) -> list[str]:
    """The held streams whose count or digest is not what the server says."""
    own = digests(store)
    return sorted(
        stream
        for stream, total in told.items()
        if stream in own
        and (own[stream]["digest"] != total.get("digest") or own[stream]["count"] != total.get("count"))
    )


def missing_parents(store: Store, registry: Registry) -> list[tuple[str, str, str]]:
    """(record id, field, parent id) of held records whose parent this phone does not hold."""
    found: list[tuple[str, str, str]] = []
    for row in store.rows("SELECT DISTINCT type FROM record WHERE type IS NOT NULL AND life = 'live' ORDER BY type"):
        if row["type"] not in registry.types():
            continue
        for name in registry.latest(row["type"]).parents:
            path = f'$."{name}"'
            found += [
                (record["id"], name, record["parent"])
                for record in store.rows(
                    "SELECT id, json_extract(fields, ?) AS parent FROM record WHERE type = ? AND life = 'live' AND "
                    "parent IS NOT NULL AND parent NOT IN (SELECT id FROM record WHERE life = 'live') ORDER BY id",
                    path,
                    row["type"],
                )
            ]
    return found
