"""What other communities ask this one to take: the requests of its inbox, and the communities that one may ask (S30)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server.permissions import Scope
from server.services.community_forms import at_home
from server.services.labels import form_of, title_of
from server.services.looks import Look, seen
from server.services.proposals import texts_of_rows
from server.services.reference import neighbours
from server.store import crossings
from server.store import inbox as people
from server.store import push as reading
from server.store.assignments import communities
from server.store.database import read, stamp
from server.store.scoping import see_community
from sync.commands import living_in
from sync.operation import Operation
from sync.record import Record

if TYPE_CHECKING:
    from server.house import House


def others(house: House, community_id: str) -> list[dict[str, str]]:
    """The other communities of the house, by code: those that a household can be sent to."""
    with read(house.engine) as connection:
        return neighbours(connection, community_id)


def arrivals(house: House, scope: Scope, community_id: str, look: Look) -> dict[str, Any]:
    """Requests of other communities, oldest first.

    Returns
    -------
    dict
        ``as_of``, ``next`` (none: all are given) and ``rows``: from which community, who asks since when, who would come (names, written into the audit log of the
        community where they are), the day and the reason that were given. Empty for who does not see the whole community.
    """
    see_community(scope, community_id)
    rows: list[dict[str, Any]] = []
    if scope.streams is None:
        with read(house.engine) as connection:
            named = {one.community_id: one.name for one in communities(connection)}
            found = crossings.requests(connection, community_id)
            for row in found:
                rows.append(_row(connection, house, row, named))
    for row in rows:
        fields = sorted({f"{one['type']}.{one.pop('field')}" for one in row["records"] if one["field"] is not None})
        where = f"inbox=arrivals of {community_id}"
        seen(house, look, scope, row["from"]["community_id"], fields=fields, count=len(row["records"]), where=where)
        for one in row["records"]:
            one.pop("field", None)
    return {"as_of": stamp(house.clock()), "rows": rows, "next": None}


def _row(connection: Any, house: House, row: dict[str, Any], named: dict[str, str]) -> dict[str, Any]:
    there = row["community_id"]
    home = at_home(house, there, connection)
    text = texts_of_rows(connection, home, there, [row])[0]
    who = people.people_of_installs(connection, there, [row["install_id"]])
    given = text.arguments if text is not None else {}
    return {
        "from": {"community_id": there, "name": named.get(there, there)},
        "install_id": row["install_id"],
        "n": row["n"],
        "op_id": row["op_id"],
        "type": row["record_type"],
        "record_id": row["record_id"],
        "on": given.get("on"),
        "left_reason": given.get("left_reason"),
        "records": [_shown(home, one) for one in _coming(connection, there, text)],
        "by": who.get(row["install_id"]),
        "claimed_at": row["claimed_at"],
        "arrived_at": row["arrived_at"],
    }


def _coming(connection: Any, community_id: str, text: Operation | None) -> list[Record]:
    """The household and who lives in it, or the person."""
    if text is None:
        return []
    ids = [text.id, *(one[0] for one in reading.dependants(connection, community_id, [text.id]) if one[1] == "person")]
    records, _ = reading.load_records(connection, community_id, ids)
    members = living_in(text.id, records)
    return [records[one] for one in dict.fromkeys([text.id, *members]) if one in records]


def _shown(house: House, record: Record) -> dict[str, Any]:
    title, field = title_of(form_of(house.registry, record.type, None), record.fields, personal=True)
    return {"id": record.id, "type": record.type, "title": title, "life": record.life, "field": field}
