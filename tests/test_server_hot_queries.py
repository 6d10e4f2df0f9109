"""Growth: everything that a push, a release or a pull asks searches by full keys, on both databases (trap 27)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from server_kit import COMMUNITY, anchor, building, create, furnish, home, open_ground, operation, patch, resident
from sqlalchemy import event

from server.house import uuid7
from server.store.database import write
from server.store.search import fold

BIG = {
    "record", "record_index", "history", "operation", "operation_status", "feed", "journal", "journal_payload",
    "placement_ledger", "finding", "data_key", "conflict", "conflict_sibling", "held_wait", "stream",
}  # fmt: skip
FILLED = {"record", "record_index", "history", "operation", "feed", "data_key"}
_NAMED = re.compile(r'\b(?:FROM|JOIN|UPDATE|INTO|USING)\s+"?(\w+)"?(?:\s+(?:AS\s+)?"?(?!ON\b|SET\b|WHERE\b|USING\b|ORDER\b)(\w+)"?)?')


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    ground.close()


@contextmanager
def listening(engine: Any) -> Iterator[dict[str, Any]]:
    """Every statement that is executed, with the parameters of its first execution."""
    heard: dict[str, Any] = {}

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.split(None, 1)[0] in {"SELECT", "UPDATE", "DELETE", "WITH"}:
            heard.setdefault(statement, parameters[0] if many else parameters)

    event.listen(engine, "before_cursor_execute", hear)
    yield heard
    event.remove(engine, "before_cursor_execute", hear)


def work(ground: Any) -> None:
    """A bit of everything: creations, patches over old copies, disputes, moves, waits, deletions, pulls."""
    one, two = ground.worker(0, 1), ground.worker(0, 1)
    made, far = home(0, "张一", "张二"), home(1)
    one.write(*made.operations, *far.operations)
    person, base = made.persons[0], ground.base(made.persons[0])
    one.write(patch(ground, person, {"birth_date": "1960-01-01", "birth_precision": "day", "name": "张壹"}))
    two.outcomes([patch(ground, person, {"birth_date": "1961-01-01", "name": "张仪"}, base=base)])
    two.outcomes([patch(ground, person, {"birth_date": "1962-01-01"}, base=base)])
    siblings = [row.op_id for row in ground.rows("SELECT op_id FROM conflict_sibling JOIN conflict USING (conflict_id)")]
    resolved = {"unit": "birth", "siblings": siblings, "set": {"birth_date": "1962-01-01", "birth_precision": "day"}}
    one.outcomes([operation("resolve", "person", person, base=ground.base(person)) | resolved])
    one.write(patch(ground, person, {"registration_dwelling": far.dwelling}))
    one.write(patch(ground, person, {"residence_household": far.household, "relation_to_head": "02"}))
    one.write(patch(ground, made.building, {"anchor": anchor(1)}))
    parent = building(0)
    two.outcomes([create("dwelling", {"building": parent["id"], "door_number": "1"})])
    one.write(parent)
    one.write(operation("confirm", "household", made.household, base=ground.base(made.household)))
    one.write(operation("delete", "household", made.household, base=ground.base(made.household)))
    one.write(operation("restore", "household", made.household, base=ground.base(made.household)))
    one.send(one.batch([[building(0)]], after=(one.n, one.op_id)))
    one.pull()
    two.pull(3)


def test_hot_queries_search_by_full_keys(ground):
    """Trap 27: no statement of a push, release or pull reads a table, or a whole community, to find a few rows."""
    phone = ground.worker(0, 1)
    for _ in range(2):
        phone.push(*[[building(number % 2)] for number in range(400)])
    phone.push(*[[resident(None, f"人{number}")] for number in range(200)])
    roots = [building(0) for _ in range(100)]
    phone.push(*[[one] for one in roots])
    phone.push(*[[create("dwelling", {"building": root["id"], "door_number": str(n)})] for root in roots for n in range(4)])
    others = [ground.worker(0), ground.worker(0)]
    for other in others:
        other.push(*[[create("dwelling", {"building": uuid7(), "door_number": "9"})] for _ in range(400)])
    with write(ground.house.engine) as connection:
        fold(connection, COMMUNITY)  # the tree of search entries is filled, as it is in a grown community
    with ground.house.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    assert not read_through(ground)


@pytest.mark.parametrize("prepared_database", ["sqlite"], indirect=True)
def test_hot_queries_of_a_new_house_search_by_full_keys(ground):
    """Trap 27: with the statistics that a new SQLite database is given (and keeps: nobody counts again) the same statements find the same keys."""
    with write(ground.house.engine) as connection:
        known = {name for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master")}
        told = {name for (name,) in connection.exec_driver_sql("SELECT idx FROM sqlite_stat1")}
    assert {"record", "operation", "history", "feed"} <= known and told and told <= known, "statistics of an index that is not there"
    assert not read_through(ground)


def read_through(ground: Any) -> list[str]:
    """Do a bit of everything; the steps, with their statements, that read a table or a whole community to find a few rows."""
    postgres = ground.house.engine.dialect.name == "postgresql"
    with listening(ground.house.engine) as heard:
        work(ground)
    wrong = []
    with write(ground.house.engine) as connection:
        if postgres:
            for road in ("seqscan", "hashjoin", "mergejoin"):  # right for tables as small as these, wrong for grown ones
                connection.exec_driver_sql(f"SET LOCAL enable_{road} = off")
        for statement, parameters in heard.items():
            if "JOIN conflict USING" in statement:
                continue  # the test's own
            if not {one for one, _ in _NAMED.findall(statement)} & BIG or "FROM held_wait" in statement:
                continue
            plan = postgres_plan(connection, statement, parameters) if postgres else sqlite_plan(connection, statement, parameters)
            wrong += [f"{one}\n    of {statement[:300]}" for one in plan]
    assert len(heard) > 30
    return wrong


def sqlite_plan(connection: Any, statement: str, parameters: Any) -> list[str]:
    """Steps that scan a big table, or search it by its community only."""
    tables = {alias or name: name for name, alias in _NAMED.findall(statement)}
    steps = [row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)]
    wrong = []
    for step in steps:
        kind, name = step.split()[:2]
        if kind in {"SCAN", "SEARCH"} and tables.get(name, name) in BIG:
            keys = re.findall(r"(\w+)[=<>]", step[step.rfind("("):]) if "(" in step else []
            if kind == "SCAN" or set(keys) <= {"community_id"}:
                wrong.append(step)
    return wrong


def postgres_plan(connection: Any, statement: str, parameters: Any) -> list[str]:
    """Nodes that read a filled table sequentially, or by an index on its community only (a few rows have no plan)."""
    found = connection.exec_driver_sql("EXPLAIN (FORMAT JSON) " + statement, parameters).scalar_one()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    wrong, pending = [], [plan]
    while pending:
        node = pending.pop()
        pending += node.get("Plans", [])
        table = node.get("Relation Name")
        kind, condition = node["Node Type"], node.get("Index Cond", "")
        by_key = "Scan" in kind and re.sub(r"\(?\w*\.?community_id = [^)]*\)?", "", condition).strip("() AND")
        if table in FILLED and (kind == "Seq Scan" or (kind in {"Index Scan", "Index Only Scan"} and not by_key)):
            wrong.append(f"{kind} on {table}: {condition} {node.get('Filter', '')}")
    return wrong
