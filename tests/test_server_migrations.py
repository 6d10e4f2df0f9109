"""The tables as migrations make them are the tables that the program uses, on both databases."""

from __future__ import annotations

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, inspect, text
from sqlalchemy.exc import DBAPIError

from server import migrations
from server.models import audit, journal, metadata
from server.store.database import next_journal_number, open_engine, read, write


def test_an_empty_database_grows_to_what_the_program_uses(database_url):
    """After upgrading, no table, column or index differs from what the queries expect."""
    engine = open_engine(database_url)
    assert migrations.current(engine) is None
    assert migrations.upgrade(engine) == migrations.revisions()
    assert migrations.current(engine) == migrations.head()
    with read(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        keys = {name: inspect(connection).get_pk_constraint(name)["constrained_columns"] for name in metadata.tables}
    assert {name: columns for name, columns in keys.items() if columns[0] != "community_id"} == {
        "database_life": ["epoch"],
        "sequence": ["name"],
    }
    engine.dispose()


def test_upgrading_again_changes_nothing(database_url):
    """Two servers that start together upgrade once; a later start is quick."""
    engines = [open_engine(database_url) for _ in range(3)]
    done: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda engine=engine: done.append(migrations.upgrade(engine))) for engine in engines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted([migrations.revisions(), [], []])
    for engine in engines:
        engine.dispose()


def test_an_older_program_leaves_a_newer_database_alone(database_url):
    """Starting an old version on a new database is refused by name, and nothing is touched."""
    engine = open_engine(database_url)
    migrations.upgrade(engine)
    with write(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(migrations.UnknownRevision, match="9999"):
        migrations.upgrade(engine)
    engine.dispose()


_AUDIT = {
    "community_id": "c1", "audit_id": "a1", "at": "2026-03-02T01:00:00.000Z", "actor_id": "u1", "role": "secretary",
    "action": "read", "purpose": "roster", "scope": "communities=c1",
}  # fmt: skip
_JOURNAL = {
    "community_id": "c1", "number": 1, "command": "push", "at": "2026-03-02T01:00:00.000Z", "actor_id": "u1",
    "install_id": "i1", "source": "device", "engine_version": "1", "configuration": "{}", "effects": "{}",
}  # fmt: skip


@pytest.mark.parametrize("table, row", [(audit, _AUDIT), (journal, _JOURNAL)], ids=["audit", "journal"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET actor_id = 'nobody'", "DELETE FROM {}"], ids=["update", "delete"])
def test_what_is_written_once_stays_written(database_url, table, row, statement):
    """Nobody, not even with a database client, changes or removes a line of the audit log or the journal."""
    engine = open_engine(database_url)
    migrations.upgrade(engine)
    with write(engine) as connection:
        connection.execute(insert(table).values(row))
    with pytest.raises(DBAPIError, match="append-only"), write(engine) as connection:
        connection.execute(text(statement.format(table.name)))
    with read(engine) as connection:
        assert connection.execute(text(f"SELECT actor_id FROM {table.name}")).scalars().all() == ["u1"]
    engine.dispose()


def test_journal_numbers_rise(database_url):
    """Every journal entry gets a number above the ones before."""
    engine = open_engine(database_url)
    migrations.upgrade(engine)
    with write(engine) as connection:
        numbers = [next_journal_number(connection) for _ in range(3)]
    assert numbers == sorted(set(numbers))
    engine.dispose()


def test_revisions_are_numbered_without_gap():
    """A revision is cited by its number."""
    assert migrations.revisions() == [f"{number:04d}" for number in range(1, len(migrations.revisions()) + 1)]
