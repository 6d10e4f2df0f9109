"""Statements straight through SQLite's driver: for small transactions of many statements most of the cost was the layer above it.

The answers offer what the store uses of SQLAlchemy's results, with the same values and the same errors.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

# Python's driver looks in three places for somebody who would turn None or bytes into something else, for each value that is
# bound; one who gives them back as they are is found at the first, in half the time.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(type(None), lambda nothing: nothing)


def goes_straight(connection: Connection) -> bool:
    """Whether statements of this connection may: SQLite, inside a transaction, and nobody listens to statements."""
    return connection.dialect.name == "sqlite" and not connection.dispatch.before_cursor_execute and connection.in_transaction()


def begin(connection: Connection, statement: str) -> None:
    """Begin a transaction of SQLite."""
    if connection.dispatch.before_cursor_execute:
        connection.exec_driver_sql(statement)
    else:
        ask(connection, statement, ()).close()


def ask(connection: Connection, statement: str, parameters: Sequence[Any]) -> DriverRows:
    """Run one statement."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, parameters)
    except sqlite3.Error as error:
        raise _told(connection, statement, error) from error
    return DriverRows(connection, statement, cursor)


def ask_many(connection: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run one statement once for each row."""
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(statement, rows)
    except sqlite3.Error as error:
        raise _told(connection, statement, error) from error
    finally:
        cursor.close()


def _told(connection: Connection, statement: str, error: sqlite3.Error) -> Exception:
    """The error as SQLAlchemy would raise it, without what the statement was given."""
    told: Exception = DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect)  # type: ignore[call-overload]
    return told


@lru_cache(maxsize=2048)
def _row_type(names: tuple[str, ...]) -> Any:
    kind = namedtuple("Row", names, rename=True)  # type: ignore[misc]
    return type("Row", (kind,), {"__slots__": (), "_mapping": property(kind._asdict)})._make  # type: ignore[attr-defined]


class DriverRows:
    """What a statement gave: rows are named tuples. Whoever takes the first row ends the statement."""

    __slots__ = ("_connection", "_statement", "cursor")

    def __init__(self, connection: Connection, statement: str, cursor: Any) -> None:
        self._connection, self._statement, self.cursor = connection, statement, cursor

    @property
    def rowcount(self) -> int:
        """Rows that the statement changed."""
        return int(self.cursor.rowcount)

    def keys(self) -> list[str]:
        """Names of the columns."""
        return [one[0] for one in self.cursor.description or ()]

    def close(self) -> None:
        """End the statement."""
        self.cursor.close()

    def fetchall(self) -> list[Any]:
        """All rows."""
        try:
            rows = self.cursor.fetchall()
        except sqlite3.Error as error:
            raise _told(self._connection, self._statement, error) from error
        if not rows:
            return []
        return list(map(_row_type(tuple(self.keys())), rows))

    all = fetchall

    def __iter__(self) -> Iterator[Any]:
        make = _row_type(tuple(self.keys()))
        try:
            for row in self.cursor:
                yield make(row)
        except sqlite3.Error as error:
            raise _told(self._connection, self._statement, error) from error

    def _next(self) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self.cursor.fetchone()
        except sqlite3.Error as error:
            raise _told(self._connection, self._statement, error) from error
        return row

    def fetchone(self) -> Any | None:
        """The next row; None behind the last."""
        row = self._next()
        return None if row is None else _row_type(tuple(self.keys()))(row)

    def first(self) -> Any | None:
        """The first row or None."""
        row = self.fetchone()
        self.cursor.close()
        return row

    def one_or_none(self) -> Any | None:
        """The only row, None where there is none; MultipleResultsFound."""
        row = self.fetchone()
        if row is not None and self._next() is not None:
            raise MultipleResultsFound("more than one row")
        self.cursor.close()
        return row

    def one(self) -> Any:
        """The only row; NoResultFound, MultipleResultsFound."""
        row = self.one_or_none()
        if row is None:
            raise NoResultFound("no row")
        return row

    def scalar(self) -> Any:
        """The first value of the first row; None without a row."""
        row = self._next()
        self.cursor.close()
        return None if row is None else row[0]

    def scalar_one(self) -> Any:
        """The first value of the only row; NoResultFound, MultipleResultsFound."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """The first value of the only row; None without a row."""
        row = self.one_or_none()
        return None if row is None else row[0]

    def scalars(self) -> FirstValues:
        """The first value of each row."""
        return FirstValues(self)

    def mappings(self) -> list[dict[str, Any]]:
        """Rows by the names of their columns."""
        names = self.keys()
        return [dict(zip(names, row, strict=True)) for row in self.fetchall()]


class FirstValues:
    """The first value of each row of an answer."""

    __slots__ = ("_rows",)

    def __init__(self, rows: DriverRows) -> None:
        self._rows = rows

    def all(self) -> list[Any]:
        """All of them."""
        return [row[0] for row in self._rows.fetchall()]

    def first(self) -> Any:
        """The first; None where there is none."""
        return self._rows.scalar()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.all())
