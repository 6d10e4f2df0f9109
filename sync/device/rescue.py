"""What was written on a phone as a file, and into another phone: for one that was revoked, is broken, or may not reach its server (C10).

Operations keep their op_ids, bytes and groups, so that what the server has already is recognised there (S11) and taken once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from sync.device.errors import RescueUnreadable
from sync.device.push import departures_known
from sync.device.store import Store

FORMAT = "dishu-rescue-1"
MOST_TAKEN = 100
MOST_N = (1 << 53) - 1


def rescue_file(store: Store) -> bytes:
    """The log as JSON: whole groups in order, each operation with its frozen text. What was forgotten was safe before."""
    identity = store.identity()
    parts: dict[int, list[list[str]]] = {}
    for row in store.rows("SELECT n, record_id, type, text FROM part ORDER BY n, record_id"):
        parts.setdefault(row["n"], []).append([row["record_id"], row["type"], row["text"]])
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in store.rows("SELECT n, group_n, text FROM log ORDER BY n"):
        groups.setdefault(row["group_n"], []).append({"n": row["n"], "op": row["text"], "parts": parts.get(row["n"], [])})
    community = identity["community_id"] if identity is not None else None
    install = identity["install_id"] if identity is not None else None
    said = {"format": FORMAT, "community_id": community, "install_id": install, "groups": list(groups.values())}
    return orjson.dumps(said | {"departures": departures_known(identity) if identity is not None else None})


def take_in(store: Store, content: bytes) -> int:
    """Write the groups of a file behind the own log, in one transaction; how many operations. What is there already is passed over.

    Raises
    ------
    RescueUnreadable
        Not such a file, or one of another community; nothing was written.
    """
    try:
        told = orjson.loads(content)
        groups = [[(orjson.loads(one["op"]), one["op"], one["parts"], one.get("n")) for one in group] for group in told["groups"]]
        wanted = [[(op["op_id"], op["kind"], op["type"], op["id"], text, parts, n) for op, text, parts, n in group] for group in groups]
        known = _known(told.get("departures"))
        community = told["community_id"] if told["format"] == FORMAT else None
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise RescueUnreadable("this is no rescue file") from error
    identity = store.identity()
    if identity is None or community != identity["community_id"]:
        raise RescueUnreadable("the file is of another community")
    taken = 0
    numbers: dict[int, int] = {}
    with store.change("rescue"):
        for group in wanted:
            new = [one for one in group if store.maybe("SELECT 1 FROM log WHERE op_id = ?", one[0]) is None]
            if len(new) < len(group):
                continue  # groups are written whole: this one is there
            first = store.last_n() + 1
            for n, (op_id, kind, record_type, record_id, text, parts, was) in enumerate(new, first):
                if was is not None:
                    numbers[was] = n
                store.run(
                    "INSERT INTO log (n, group_n, op_id, kind, type, record_id, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    n, first, op_id, kind, record_type, record_id, text,
                )  # fmt: skip
                store.run_many("INSERT INTO part (n, record_id, type, text) VALUES (?, ?, ?, ?)", [(n, *part) for part in parts])
            taken += len(new)
        if taken:  # written without what this phone has read meanwhile: late, like all that it has not sent (S18, S30)
            store.run("UPDATE identity SET scope_last_n = ?, departures_last_n = ?", store.last_n(), store.last_n())
            spans = joined([*orjson.loads(identity["taken"]), *_renumbered(known, numbers)])
            store.run("UPDATE identity SET taken = ?", orjson.dumps(spans).decode())
    return taken


def _known(told: Any) -> list[tuple[str, int, int]]:
    """What the other phone had read, and which of its operations it had written since: (seen, after, last_n); first all of them, knowing nothing."""
    told = told or {"seen": "", "last_n": 0}
    spans = [(one["seen"], int(one["after"]), int(one["last_n"])) for one in told.get("taken", ())]
    read = [*spans, (told["seen"], int(told["last_n"]), MOST_N)]
    return [("", 0, MOST_N), *(one for one in read if one[0])]


def _renumbered(known: Iterable[tuple[str, int, int]], numbers: Mapping[int, int]) -> Iterator[dict[str, Any]]:
    """The same by the numbers that the operations have here: they stay in order."""
    for seen, after, last_n in known:
        here = [n for was, n in numbers.items() if after < was <= last_n]
        if here:
            yield {"seen": seen, "after": min(here) - 1, "last_n": max(here)}


def joined(spans: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same in as few spans as a push may tell, first the one that says what was taken over at all.

    Without that one work would count as knowing what this phone has read, and be set apart. What had been read by the same text is one span where no
    operation lies between. Beyond the limit the oldest goes of what had been read: those operations are late, like all of which nothing is known.
    """
    nothing: list[dict[str, Any]] = []
    read: list[dict[str, Any]] = []
    for one in spans:
        among = read if one["seen"] else nothing
        for other in among:
            if other["seen"] == one["seen"] and (not one["seen"] or (one["after"] <= other["last_n"] and other["after"] <= one["last_n"])):
                other |= {"after": min(other["after"], one["after"]), "last_n": max(other["last_n"], one["last_n"])}
                break
        else:
            among.append(dict(one))
    return [*nothing, *read[-(MOST_TAKEN - len(nothing)) :]]
