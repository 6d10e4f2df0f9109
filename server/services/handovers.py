"""What an outside system has not got yet: rows of a roster that are new, others or gone since they were handed over, ticked off.

What was handed over is kept as a keyed hash of the columns that the system gets, so a later change of any of them brings the
record back, also one of what it refers to; a change of other columns does not. No copy of the values is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.permissions import Actor, Scope
from server.sealing import seal
from server.services import audit, rosters
from server.services.keys import DataKeys
from server.services.looks import Look
from server.services.roster_query import Query, from_body, moment_of
from server.services.roster_values import has_label, table_value
from server.services.tables import Column, Sheet, Value
from server.services.unsealing import learn, open_sealed
from server.store import handovers as store
from server.store import writing
from server.store.database import read, stamp, write

if TYPE_CHECKING:
    from server.house import House

MOST_SYSTEMS = 50
STATES = {"new": "新增", "changed": "变更", "gone": "撤销"}


def systems(house: House, actor: Actor) -> list[dict[str, Any]]:
    """The outside systems of the actor's community: id, name, roster, columns."""
    with read(house.engine) as connection:
        rows = store.systems(connection, actor.community_id)
        opened = open_sealed(connection, house, actor.community_id, [(None, row.sealed) for row in rows])
    return [
        {"system_id": row.system_id, "name": row.name, "roster": row.roster, "columns": (asked or {}).get("columns"), "created_at": row.created_at}
        for row, asked in zip(rows, opened, strict=True)
    ]


def add(house: House, actor: Actor, scope: Scope, given: Mapping[str, Any]) -> str:
    """Keep an outside system; its id.

    Parameters
    ----------
    given : ``name``, ``roster``, and if wanted ``columns`` (all when left out) and ``filters``

    Raises
    ------
    NotFound, OutsideScope, InvalidInput
        No such roster; it is not for this actor; or it cannot be asked like this.
    """
    asked = {"columns": given.get("columns"), "filters": given.get("filters")}
    _query(house, scope, given["roster"], asked)
    name = " ".join(str(given["name"]).split())
    if not name:
        raise InvalidInput(errors=[InputError("/name", "required", "a system needs a name")])
    with write(house.engine) as connection:
        rows = store.systems(connection, actor.community_id)
        if any(row.name == name for row in rows):
            raise InvalidInput(errors=[InputError("/name", "taken", "there is a system of this name")])
        if len(rows) >= MOST_SYSTEMS:
            raise InvalidInput(errors=[InputError("/name", "too_many", f"at most {MOST_SYSTEMS} systems; remove one first")])
        keys = DataKeys(house.keys)
        learn(keys, connection, actor.community_id, [None])
        sealed = seal(keys.of(None), orjson.dumps(asked))
        writing.insert_keys(connection, actor.community_id, list(keys.made.items()))
        made = house.new_id()
        store.keep(
            connection, actor.community_id, made, actor.user_id, stamp(house.clock()), name=name, roster=given["roster"], sealed=sealed
        )
    return made


def remove(house: House, actor: Actor, system_id: str) -> None:
    """Remove an outside system, with everything known about what it got. Raises NotFound."""
    with write(house.engine) as connection:
        if not store.remove(connection, actor.community_id, system_id):
            raise NotFound("there is no such system")


def due(house: House, actor: Actor, scope: Scope, system_id: str, look: Look) -> dict[str, Any]:
    """What a system has not got yet, now.

    Returns
    -------
    dict
        ``as_of`` (to be ticked off with), ``columns``, ``rows`` ({id, v, state new | changed, external_key, values}), ``gone``
        ({id, external_key, handed_at}: handed over, no longer in the roster) and ``same``, how many are up to date

    Raises
    ------
    NotFound, OutsideScope
    """
    as_of = stamp(house.clock())
    name, query, known, here = _here(house, actor, scope, system_id, None)
    if query.personal:
        audit.note(
            house, look, scope=f"handover={system_id} {scope.describe()}", community_id=actor.community_id,
            record_type=query.roster.base, fields=query.personal, count=len(here),
        )  # fmt: skip
    rows = [
        {"id": one, "v": v, "state": "changed" if one in known else "new", "external_key": known[one].external_key if one in known else None, "values": values}
        for one, (v, mark, values) in here.items() if one not in known or known[one].mark != mark
    ]  # fmt: skip
    gone = [
        {"id": one.record_id, "external_key": one.external_key, "handed_at": one.handed_at}
        for one in known.values() if one.mark and one.record_id not in here
    ]  # fmt: skip
    columns = [{"name": column.name, "label": column.label} for column in query.columns]
    return {
        "as_of": as_of, "system_id": system_id, "name": name, "roster": query.roster.name, "columns": columns, "rows": rows, "gone": gone,
        "same": len(here) - len(rows),
    }  # fmt: skip


def tick(
    house: House, actor: Actor, scope: Scope, system_id: str, as_of: str, look: Look, *, ids: Collection[str] | None = None,
    keys: Mapping[str, str] | None = None,
) -> dict[str, int]:  # fmt: skip
    """Tick off what was due at a time, as it was known then: what changed afterwards is due again.

    Parameters
    ----------
    as_of : the ``as_of`` of what was exported
    ids : only these records; all that were due when left out
    keys : what the other system calls records, by record id

    Returns
    -------
    dict
        ``handed`` and ``gone``: how many were ticked off.

    Raises
    ------
    NotFound, OutsideScope, InvalidInput
    """
    _, at = moment_of(None, as_of)
    if at is None or at > stamp(house.clock()):
        raise InvalidInput(errors=[InputError("/as_of", "not_a_time", "the time of what was exported is expected")])
    _name, query, known, here = _here(house, actor, scope, system_id, at)
    now, named = stamp(house.clock()), dict(keys or {})
    given = [
        store.Handed(one, named.get(one), v, mark, at, actor.user_id)
        for one, (v, mark, _) in here.items()
        if (ids is None or one in ids) and (one in named or one not in known or known[one].mark != mark)
    ]
    gone = [
        store.Handed(one.record_id, named.get(one.record_id), one.handed_v, "", at, actor.user_id)
        for one in known.values() if one.mark and one.record_id not in here and (ids is None or one.record_id in ids)
    ]  # fmt: skip
    with write(house.engine) as connection:
        store.tick(connection, actor.community_id, system_id, [*given, *gone])
        line = audit.line_of(
            house, look, scope=f"handover={system_id} ticked at {now}", community_id=actor.community_id, record_type=query.roster.base,
            fields=query.personal, count=len(given) + len(gone),
        )  # fmt: skip
        audit.store.append(connection, line)
    return {"handed": len(given), "gone": len(gone)}


def of_record(house: House, actor: Actor, record_id: str) -> list[dict[str, Any]]:
    """Where a record was handed over to: system, its key there, version and time; ``withdrawn`` where it was told to be gone."""
    with read(house.engine) as connection:
        found = store.of_record(connection, actor.community_id, record_id)
    return [
        {"system": name, "external_key": one.external_key, "v": one.handed_v, "handed_at": one.handed_at, "withdrawn": not one.mark}
        for name, one in found
    ]


def as_sheets(told: Mapping[str, Any]) -> list[Sheet]:
    """What is due as a workbook: how it stands, the key of the other system, the columns."""
    columns = [Column("~state", "状态"), Column("~key", "对方编号"), *(Column(one["name"], one["label"]["zh"]) for one in told["columns"])]
    rows: list[list[Value]] = [
        [STATES[row["state"]], row["external_key"], *(row["values"].get(one["name"]) for one in told["columns"])] for row in told["rows"]
    ]
    rows += [[STATES["gone"], one["external_key"], *([None] * len(told["columns"]))] for one in told["gone"]]
    about = [("系统", told["name"]), ("截至", told["as_of"]), ("行数", str(len(rows)))]
    return [Sheet(str(told["name"]), columns, rows), Sheet("说明", [Column("name", "项目"), Column("value", "内容")], about)]


# ---------------------------------------------------------------- reading
def _here(
    house: House, actor: Actor, scope: Scope, system_id: str, known_at: str | None
) -> tuple[str, Query, dict[str, store.Handed], dict[str, tuple[int, str, dict[str, Any]]]]:
    """(name, query, what was handed over, rows as (v, mark, values for people) by record)."""
    with read(house.engine) as connection:
        row = store.find(connection, actor.community_id, system_id)
        if row is None:
            raise NotFound("there is no such system")
        [asked] = open_sealed(connection, house, actor.community_id, [(None, row.sealed)])
    query = _query(house, scope, row.roster, {**(asked or {}), "known_at": known_at})
    ground = rosters.community_ground(house, scope, actor.community_id, query)
    with read(house.engine) as connection:
        known = store.handed(connection, actor.community_id, system_id)
        here = {}
        for given in rosters.rows_of(house, connection, scope, ground, query):
            plain = [given.get(column.name) for column in query.columns]
            mark = house.keys.search_hash("handover", f"{system_id}\0{orjson.dumps(plain, option=orjson.OPT_SORT_KEYS).decode()}")
            values = {
                column.name: table_value(given.get(f"{column.name}_label" if has_label(column) else column.name)) for column in query.columns
            }
            here[given["id"]] = (given["v"], mark, values)
    return row.name, query, known, here


def _query(house: House, scope: Scope, name: str, asked: Mapping[str, Any]) -> Query:
    roster = rosters.find_roster(house, name)
    if scope.topics is not None and roster.base == "care_status":
        raise OutsideScope("what is handed over of people in care is not cut by lines of work: the secretary does it")
    return from_body(roster, asked, personal=rosters.sees_personal(scope, roster))
