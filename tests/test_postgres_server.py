"""The database servers that the other tests stand on."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy.pool import NullPool


def _make_table(url: str) -> None:
    engine = sqlalchemy.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE cell (code TEXT)"))
        connection.execute(sqlalchemy.text("INSERT INTO cell VALUES ('110101001001001')"))
    engine.dispose()


def _count(url: str) -> int:
    engine = sqlalchemy.create_engine(url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            return connection.execute(sqlalchemy.text("SELECT count(*) FROM cell")).scalar_one()
    finally:
        engine.dispose()


def test_every_test_gets_an_empty_database(database_url):
    """A test never sees what another one stored, on either database."""
    engine = sqlalchemy.create_engine(database_url, poolclass=NullPool)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    engine.dispose()
    _make_table(database_url)
    assert _count(database_url) == 1


def test_copies_of_a_prepared_database_are_independent(prepared_database):
    """A database that is costly to build is built once; what one test deletes, another still finds."""
    first, second = prepared_database(_make_table), prepared_database(_make_table)
    engine = sqlalchemy.create_engine(first, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM cell"))
    engine.dispose()
    assert (_count(first), _count(second)) == (0, 1)
