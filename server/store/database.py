"""The engine, the two kinds of transaction, and set-based row writing for both databases.

SQLite: WAL, ``synchronous=FULL``; writers stand in one first-in first-out queue per process, its head takes a file lock
so that other processes take turns too, then ``BEGIN IMMEDIATE`` (S16). PostgreSQL: READ COMMITTED for writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    BigInteger,
    Engine,
    Float,
    Integer,
    LargeBinary,
    Table,
    create_engine,
    event,
    make_url,
)
from sqlalchemy import Connection as Connection  # services name the type, not the library
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from server.store.driver_rows import ask, ask_many, begin, goes_straight
from server.store.errors import Busy, PlanOutdated, Unavailable
from server.store.queue import WriteQueue as WriteQueue
from server.store.queue import queue_of
from server.store.together import write_together

# A log of up to 32 MB (8000 pages): a page that many pushes change is carried into the database file once.
# Every connection of the pool fills its own cache, whose pages are worth nothing as soon as another one has written.
_PRAGMAS = (
    "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000", "cache_size=-16384",
    "wal_autocheckpoint=8000",
)  # fmt: skip

# For a transaction that changes much: pages stay in memory until the commit, and the log is not carried over within it.
_LARGE = ("cache_size=-262144", "wal_autocheckpoint=0")

_ROWS_AT_ONCE = 50
"""Rows in one INSERT; times the columns of the widest table this stays far below what every SQLite can bind (32,766)."""

T = TypeVar("T")

# PostgreSQL: serialization failure, deadlock, a key that another transaction has just written (S16).
_TRY_AGAIN = frozenset({"40001", "40P01", "23505"})
_WAITED_TOO_LONG = "55P03"


def stamp(at: datetime) -> str:
    """ISO-8601 text of an aware instant: UTC, milliseconds, ``Z``. Sorts as time does."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _sqlite_connect(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # we say BEGIN ourselves
    for pragma in _PRAGMAS:
        raw.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("dishu_write", False)
    begin(connection, "BEGIN IMMEDIATE" if write else "BEGIN")


def engine_options(url: str) -> dict[str, Any]:
    """Options for ``create_engine`` of this URL. Parameters are hidden: an error must not carry what a person typed."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"hide_parameters": True, "connect_args": {"check_same_thread": False, "timeout": 10}, "pool_size": 8, "max_overflow": 32, "pool_use_lifo": True}
    return {"hide_parameters": True, "pool_size": 8, "max_overflow": 32, "pool_pre_ping": True}


def prepare_engine(engine: Engine) -> Engine:
    """Hang our transaction rules on an engine made elsewhere; returns it."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    return engine


def open_engine(url: str) -> Engine:
    """An engine for ``sqlite:///path`` or ``postgresql+psycopg://…``; nothing is connected yet."""
    return prepare_engine(create_engine(url, **engine_options(url)))


@contextmanager
def write(engine: Engine, before: Callable[[Connection], None] | None = None) -> Iterator[Connection]:
    """One write transaction: commits at the end, rolls back on any exception.

    ``before`` is done on the same connection before SQLite's lock is taken, in a transaction of its own: temporary tables. On
    PostgreSQL, where a transaction locks nothing by itself, it is the beginning of this one.

    Raises
    ------
    Busy
        The queue is too long.
    PlanOutdated
        Another transaction was faster; starting again helps.
    Unavailable
        The database failed (full disk, lost connection, missing table): nothing was written, and nobody's input is to blame.
    """
    try:
        if engine.dialect.name == "sqlite":
            # Whoever waits holds no connection, unless something lies in it already.
            with ExitStack() as held:
                if before is not None:
                    connection = held.enter_context(engine.connect())
                    connection.detach()  # its temporary tables go with it
                    for pragma in _LARGE:
                        _raw(connection, pragma)
                    with connection.begin():
                        before(connection)
                    # What was written goes into the database file when others may write again.
                    held.callback(_raw, connection, "wal_checkpoint(PASSIVE)")
                    held.enter_context(queue_of(engine).turn())
                else:
                    held.enter_context(queue_of(engine).turn())
                    connection = held.enter_context(engine.connect())
                connection = connection.execution_options(dishu_write=True)
                with connection.begin():
                    yield connection
        else:
            with engine.begin() as connection:
                if before is not None:
                    before(connection)
                yield connection
    except DBAPIError as error:
        said = _said(error)
        if said is None:
            raise
        raise said from error


def written(engine: Engine, work: Callable[[Connection], T], *, alone: bool = False) -> T:
    """``work`` in a write transaction; its result. On SQLite, unless ``alone``, it may share the commit of others who wait
    (`write_together`): for short work.

    Raises
    ------
    Busy, PlanOutdated, Unavailable
        As `write`.
    """
    if alone or engine.dialect.name != "sqlite":
        with write(engine) as connection:
            return work(connection)
    try:
        return write_together(engine, queue_of(engine), work)
    except DBAPIError as error:
        said = _said(error)
        if said is None:
            raise
        raise said from error


def _said(error: DBAPIError) -> Exception | None:
    """What `write` tells instead; None for an error in a statement."""
    state = getattr(error.orig, "sqlstate", None)
    if state in _TRY_AGAIN:
        return PlanOutdated()
    if state == _WAITED_TOO_LONG:
        return Busy(retry_after_s=5)
    if isinstance(error, OperationalError | InterfaceError):
        return Unavailable(type(error.orig).__name__)
    return None


def rewrite(engine: Engine, tables: Sequence[str]) -> None:
    """Write the database anew without what was deleted: the whole file and its log, or (PostgreSQL) these tables.

    Raises
    ------
    Busy
        Somebody read for so long that the old log is still needed; nothing is lost by trying again.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for name in tables:
                connection.exec_driver_sql(f'VACUUM (FULL) "{name}"')
        return
    with queue_of(engine).turn():
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute("VACUUM")
            for _ in range(50):
                if cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                    return
                time.sleep(0.1)
        finally:
            raw.close()
    raise Busy(retry_after_s=5)


def _raw(connection: Connection, pragma: str) -> None:
    """Outside of every transaction."""
    connection.connection.cursor().execute(f"PRAGMA {pragma}")


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """One read snapshot (REPEATABLE READ, or one SQLite read transaction)."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


def run(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> Any:
    """Run hand-written SQL with ``?`` placeholders on either database; returns the cursor result."""
    if connection.dialect.name == "postgresql":
        statement = _percent(statement)
    elif goes_straight(connection):
        return ask(connection, statement, tuple(parameters))
    return connection.exec_driver_sql(statement, tuple(parameters))


def _each(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    """One statement for every row, on SQLite."""
    if goes_straight(connection):
        ask_many(connection, statement, rows)
    else:
        connection.exec_driver_sql(statement, rows)


@lru_cache(maxsize=512)
def _percent(statement: str) -> str:
    return statement.replace("%", "%%").replace("?", "%s")


def _array_type(column: Any) -> str:
    kind = column.type
    if isinstance(kind, BigInteger):
        return "bigint[]"
    if isinstance(kind, Integer):
        return "integer[]"
    if isinstance(kind, Float):
        return "double precision[]"
    if isinstance(kind, LargeBinary):
        return "bytea[]"
    return "text[]"


@lru_cache(maxsize=256)
def _insert_sql(table: Table, columns: tuple[str, ...], tail: str, postgres: bool, rows: int = 1) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    if postgres:
        arrays = ", ".join(f"%s::{_array_type(table.c[name])}" for name in columns)
        return f'INSERT INTO "{table.name}" ({names}) SELECT * FROM unnest({arrays}) {_percent(tail)}'
    marks = ", ".join([f"({', '.join('?' * len(columns))})"] * rows)
    # FAIL: the transaction is rolled back by whoever began it, so that SQLite need not be able to undo the statement alone
    return f'INSERT OR FAIL INTO "{table.name}" ({names}) VALUES {marks} {tail}'


def insert_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Sequence[Any]], tail: str = ""
) -> None:
    """Insert many rows in one statement; ``tail`` is an ``ON CONFLICT …`` clause. No rows: nothing happens."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        statement = _insert_sql(table, columns, tail, True)
        connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))
        return
    whole = 0 if tail else len(rows) // _ROWS_AT_ONCE * _ROWS_AT_ONCE
    if whole:  # SQLite enters and leaves a statement once for many rows; one with a tail would keep a journal of its own
        parts = [tuple(chain.from_iterable(rows[at : at + _ROWS_AT_ONCE])) for at in range(0, whole, _ROWS_AT_ONCE)]
        _each(connection, _insert_sql(table, columns, tail, False, _ROWS_AT_ONCE), parts)
    if whole < len(rows):
        _each(connection, _insert_sql(table, columns, tail, False), [tuple(row) for row in rows[whole:]])


def update_rows(
    connection: Connection,
    table: Table,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Update many rows in one statement; each row holds the new values of ``columns``, then the ``keys``."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        sets = ", ".join(f'"{name}" = d."{name}"' for name in columns)
        names = ", ".join(f'"{name}"' for name in columns + keys)
        arrays = ", ".join(f"%s::{_array_type(table.c[name])}" for name in columns + keys)
        where = " AND ".join(f't."{name}" = d."{name}"' for name in keys)
        connection.exec_driver_sql(
            f'UPDATE "{table.name}" AS t SET {sets} FROM unnest({arrays}) AS d({names}) WHERE {where}',
            tuple(list(column) for column in zip(*rows, strict=True)),
        )
        return
    sets = ", ".join(f'"{name}" = ?' for name in columns)
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    _each(connection, f'UPDATE "{table.name}" SET {sets} WHERE {where}', [tuple(row) for row in rows])


def delete_rows(connection: Connection, table: Table, keys: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Delete many rows by key in one statement."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        names = ", ".join(f'"{name}"' for name in keys)
        arrays = ", ".join(f"%s::{_array_type(table.c[name])}" for name in keys)
        where = " AND ".join(f't."{name}" = d."{name}"' for name in keys)
        connection.exec_driver_sql(
            f'DELETE FROM "{table.name}" AS t USING unnest({arrays}) AS d({names}) WHERE {where}',
            tuple(list(column) for column in zip(*rows, strict=True)),
        )
        return
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    _each(connection, f'DELETE FROM "{table.name}" WHERE {where}', [tuple(row) for row in rows])


def rows_of(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    community_id: str,
    key: str,
    values: Sequence[Any],
    also: str = "",
) -> list[Any]:
    """Rows of one community whose ``key`` column is among ``values`` (text or numbers); no values: no rows.

    ``also`` is a further fixed condition on ``t``, such as that of a partial index.
    """
    return list(_asked(connection, table, columns, community_id, key, values, also).all()) if values else []


def tuples_of(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    community_id: str,
    key: str,
    values: Sequence[Any],
    also: str = "",
) -> list[tuple[Any, ...]]:
    """The same as plain tuples, for many rows at a time."""
    if not values:
        return []
    result = _asked(connection, table, columns, community_id, key, values, also)
    found: list[tuple[Any, ...]] = result.cursor.fetchall()
    result.close()
    return found


def _asked(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    community_id: str,
    key: str,
    values: Sequence[Any],
    also: str,
) -> Any:
    names = ", ".join([f't."{name}"' for name in columns])
    also = f" AND {also}" if also else ""
    if connection.dialect.name == "postgresql":
        cast = _array_type(table.c[key])
        statement = f'SELECT {names} FROM "{table.name}" t WHERE t.community_id = %s AND t."{key}" = ANY(%s::{cast}){_percent(also)}'
        return connection.exec_driver_sql(statement, (community_id, list(values)))
    statement = (
        f'SELECT {names} FROM json_each(?) k CROSS JOIN "{table.name}" t ON t.community_id = ? AND t."{key}" = k.value{also}'
    )
    return run(connection, statement, (orjson.dumps(list(values)).decode(), community_id))


def next_journal_number(connection: Connection) -> int:
    """A number for a journal entry: from a sequence without a row lock, gaps allowed (S15)."""
    if connection.dialect.name == "postgresql":
        return int(connection.exec_driver_sql("SELECT nextval('journal_number')").scalar_one())
    statement = (
        "INSERT INTO sequence (name, value) VALUES ('journal_number', 1) "
        "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
    )
    return int(run(connection, statement).scalar_one())

