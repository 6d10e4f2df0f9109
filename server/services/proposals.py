"""The proposals of an inbox: commands over records that are not all in their author's scope (S18)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from server.permissions import Scope
from server.services.checks import add_checks
from server.services.inbox import cells_by_home
from server.services.keys import COMMUNITY
from server.services.labels import PERSONAL, form_of, shown, title_of
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.services.unsealing import open_sealed
from server.services.waiting import harms_of_types
from server.store import commands
from server.store import inbox as people
from server.store import push as reading
from server.store.database import read, stamp
from server.store.scoping import see_community
from server.store.sieve import EVERYTHING, Sieve
from sync.arguments import named_records
from sync.errors import MalformedOperation
from sync.operation import Operation, operation_of
from sync.outcome import asks_elsewhere
from sync.record import Record

if TYPE_CHECKING:
    from server.house import House

MOST_PER_PAGE = 200


def proposals(
    house: House,
    scope: Scope,
    community_id: str,
    look: Look,
    *,
    cursor: str | None = None,
    limit: int = 50,
    sieve: Sieve = EVERYTHING,
) -> dict[str, Any]:
    """Operations that wait for somebody over all of their records, the most harmful first.

    Returns
    -------
    dict
        ``as_of``, ``rows`` and ``next``. A row says who proposes what since when: ``name`` and ``arguments`` of the command, and
        ``records``, the title, type and cell stream of each record that it names; ``elsewhere``, whether it waits for the secretary of
        another community. Titles of persons are written into the audit
        log. Empty for who does not see the whole community.
    """
    see_community(scope, community_id)
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/proposals/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        sieve, whole = replace(sieve, harms=harms_of_types(house)), scope.streams is None
        found = commands.proposals(connection, community_id, after=after, limit=limit + 1, sieve=sieve) if whole else []
        count = commands.count_proposals(connection, community_id, sieve) if whole else 0
        cells = cells_by_home(connection, community_id)
        page = found[:limit]
        texts = texts_of_rows(connection, house, community_id, page)
        named = {record_id for one in texts if one is not None for record_id in _named(one)}
        records, _ = reading.load_records(connection, community_id, sorted(named))
        waits = people.waits_for(connection, community_id, [(row["install_id"], row["group_n"]) for row in page])
        who = people.people_of_installs(connection, community_id, (row["install_id"] for row in page))
    personal: set[str] = set()
    rows = [
        {
            "install_id": row["install_id"],
            "n": row["n"],
            "group_n": row["group_n"],
            "op_id": row["op_id"],
            "kind": row["kind"],
            "type": row["record_type"],
            "record_id": row["record_id"],
            "name": text.name if text is not None else None,
            "arguments": _asked(house, text, personal) if text is not None else {},
            "records": {one: _shown(house, records[one], personal) | {"cell": cells.get(records[one].home or "")} for one in _named(text) if one in records} if text else {},
            "harm": row["harm"],
            "delegated_to": row["delegated_to"],
            "elsewhere": any(asks_elsewhere(one) for one in waits.get((row["install_id"], row["group_n"]), ())),
            "by": who.get(row["install_id"]),
            "claimed_at": row["claimed_at"],
            "arrived_at": row["arrived_at"],
        }
        for row, text in zip(page, texts, strict=True)
    ]
    with read(house.engine) as connection:
        personal |= add_checks(house, connection, scope, community_id, rows, [f"operation/{row['install_id']}/{row['n']}" for row in rows])
    seen(house, look, scope, community_id, fields=sorted(personal), count=len(rows), where="inbox=proposals")
    last = [page[-1][name] for name in ("harm", "arrived_at", "install_id", "n")] if len(found) > limit else None
    following = make_cursor(house.keys, use, last) if last is not None else None
    return {"as_of": stamp(house.clock()), "count": count, "rows": rows, "next": following}


def texts_of_rows(connection: Any, house: House, community_id: str, page: list[dict[str, Any]]) -> list[Operation | None]:
    """The operations as they were sent, or as they were repaired; None where the key was destroyed."""
    blobs = []
    for row in page:
        kept = "" if row["repaired_number"] is None else "repaired_"
        number, subject = row[kept + "number"], row["repaired_subject" if kept else "subject_id"]
        blobs.append((subject, reading.payload(connection, community_id, number, subject or COMMUNITY)))
    found: list[Operation | None] = []
    for row, texts in zip(page, open_sealed(connection, house, community_id, blobs), strict=True):
        try:
            found.append(operation_of(orjson.loads(texts[str(row["n"])])) if texts else None)
        except (MalformedOperation, KeyError):
            found.append(None)
    return found


def _asked(house: House, operation: Operation, personal: set[str]) -> dict[str, Any]:
    """The arguments, secret fields among the values of a merge masked."""
    given = dict(operation.arguments)
    if isinstance(given.get("set"), dict):
        form = form_of(house.registry, operation.type, None)
        given["set"] = {name: shown(form.fields.get(name), value, unmask=False) for name, value in given["set"].items()}
        personal |= {f"{form.name}.{name}" for name in given["set"] if name in form.fields and form.fields[name].privacy in PERSONAL}
    return given


def _named(operation: Operation) -> list[str]:
    return list(named_records(operation)) if operation.kind == "command" else [operation.id]


def _shown(house: House, record: Record, personal: set[str]) -> dict[str, Any]:
    title, field = title_of(form_of(house.registry, record.type, None), record.fields, personal=True)
    if field is not None:
        personal.add(f"{record.type}.{field}")
    return {"type": record.type, "title": title, "home": record.home, "v": record.v, "tag": record.tag, "life": record.life}
