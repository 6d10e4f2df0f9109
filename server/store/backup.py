"""Tables written to and read from portable lines, and what is known of backups (S26).

A line is a row in the text format of PostgreSQL's COPY: columns between tabs, ``\\N`` for null, bytes as ``\\x`` and
hexadecimal digits. PostgreSQL writes and reads it itself; for SQLite it is done here. A copy of one goes into the other.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, Float, Integer, LargeBinary

from server.models import HOUSE, backup_blob, backup_copy, backup_install, metadata
from server.store.database import delete_rows, insert_rows, run

_ROWS = 1_000
_LEFT_OUT = frozenset({"sequence", "begun_file"})
"""``sequence`` is a number, said in the manifest; PostgreSQL keeps it elsewhere. Files that were on their way are the living house's alone."""

Columns = list[tuple[str, str]]
"""(name, kind) of each column; a kind is text, integer, float or bytes."""


# ---------------------------------------------------------------- tables as lines
def tables() -> dict[str, Columns]:
    """Every table that a backup holds, by name."""
    return {
        name: [(column.name, _kind(column.type)) for column in table.columns]
        for name, table in sorted(metadata.tables.items())
        if name not in _LEFT_OUT
    }


def _kind(column_type: Any) -> str:
    if isinstance(column_type, BigInteger | Integer):
        return "integer"
    if isinstance(column_type, Float):
        return "float"
    return "bytes" if isinstance(column_type, LargeBinary) else "text"


def copy_file(engine: Engine, target: Path) -> None:
    """A whole copy of an SQLite database while others write, through SQLite itself."""
    with closing(sqlite3.connect(str(engine.url.database))) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def count(connection: Connection, table: str) -> int:
    """Rows of a table in this snapshot."""
    return int(run(connection, f'SELECT count(*) FROM "{table}"').scalar_one())


def lines(connection: Connection, table: str, columns: Columns) -> Iterator[bytes]:
    """A table as blocks of whole lines, in the order of storage; memory does not grow with the table."""
    names = ", ".join(f'"{name}"' for name, _ in columns)
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        with raw.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) TO STDOUT') as copy:
            yield from map(bytes, copy)
        return
    with closing(raw.execute(f'SELECT {names} FROM "{table}"')) as cursor:
        while rows := cursor.fetchmany(_ROWS):
            yield "".join("\t".join(map(_written, row)) + "\n" for row in rows).encode()


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
_TO_ESCAPE = re.compile(r"[\\\n\r\t\b\f\v]")
_ESCAPED = re.compile(r"\\(.)")
_MEANT = {written[1]: meant for meant, written in _ESCAPES.items()}


def _written(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], value)
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return repr(value)


def _read(text: str, kind: str) -> Any:
    if text == "\\N":
        return None
    if kind == "integer":
        return int(text)
    if kind == "float":
        return float(text)
    if kind == "bytes":
        return bytes.fromhex(text[3:])
    return _ESCAPED.sub(lambda found: _MEANT[found[1]], text) if "\\" in text else text


def load(connection: Connection, table: str, columns: Columns, blocks: Iterable[bytes]) -> None:
    """Fill an empty table from blocks of whole lines."""
    names = ", ".join(f'"{name}"' for name, _ in columns)
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        with raw.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
            for block in blocks:
                copy.write(block)
        return
    statement = f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'
    kinds = [kind for _, kind in columns]
    rows = (
        [_read(text, kind) for text, kind in zip(line.split("\t"), kinds, strict=True)]
        for block in blocks
        for line in block.decode().split("\n")[:-1]
    )
    while some := list(islice(rows, _ROWS)):
        raw.executemany(statement, some)


def empty(connection: Connection) -> bool:
    """Whether nothing was ever recorded here: no community, no journal entry."""
    return all(run(connection, f'SELECT 1 FROM "{name}" LIMIT 1').first() is None for name in ("community", "journal"))


def clear(connection: Connection) -> None:
    """Take away what a new database has written of itself, before `load`."""
    for name in tables():
        if name not in ("audit", "journal"):  # empty, and they refuse it
            run(connection, f'DELETE FROM "{name}"')


def drop_everything(connection: Connection) -> None:
    """PostgreSQL: take away our tables, sequence and function in this transaction, to make them anew."""
    for name in [*metadata.tables, "alembic_version"]:
        run(connection, f'DROP TABLE IF EXISTS "{name}" CASCADE')
    run(connection, "DROP SEQUENCE IF EXISTS journal_number")
    run(connection, "DROP FUNCTION IF EXISTS refuse_change() CASCADE")


# ---------------------------------------------------------------- journal numbers
def number_given(connection: Connection) -> int:
    """The highest journal number that was given out, also by a transaction that was taken back."""
    source = "SELECT last_value FROM journal_number"
    if connection.dialect.name != "postgresql":
        source = "SELECT coalesce(max(value), 0) FROM sequence WHERE name = 'journal_number'"
    return int(run(connection, source).scalar_one())


def journal_number(connection: Connection) -> int:
    """A number that no journal entry is above."""
    highest = run(connection, "SELECT coalesce(max(number), 0) FROM journal").scalar_one()
    return max(number_given(connection), int(highest))


def set_journal_number(connection: Connection, number: int) -> None:
    """The next journal number is above ``number`` from now on."""
    if connection.dialect.name == "postgresql":
        run(connection, "SELECT setval('journal_number', ?)", (max(1, number),))
        return
    run(connection, "DELETE FROM sequence WHERE name = 'journal_number'")
    run(connection, "INSERT INTO sequence (name, value) VALUES ('journal_number', ?)", (number,))


# ---------------------------------------------------------------- what is known of backups
def consumed(connection: Connection) -> list[tuple[str, str, int]]:
    """(community, install, n) of everything that was consumed here."""
    found = run(connection, "SELECT community_id, install_id, last_n FROM install WHERE last_n > 0 ORDER BY 1, 2")
    return [(row[0], row[1], int(row[2])) for row in found]


def add_copy(
    connection: Connection, *, backup_id: str, epoch: str, at: str, expires_at: str, file_name: str,
    installs: Sequence[tuple[str, str, int]], blobs: Sequence[tuple[str, str]] = (),
) -> None:  # fmt: skip
    """A copy was verified: from now on it counts."""
    columns = ("community_id", "backup_id", "epoch", "at", "expires_at", "file_name")
    insert_rows(connection, backup_copy, columns, [(HOUSE, backup_id, epoch, at, expires_at, file_name)])
    rows = [(community_id, install_id, backup_id, n) for community_id, install_id, n in installs]
    insert_rows(connection, backup_install, ("community_id", "install_id", "backup_id", "n"), rows)
    photos = [(community_id, sha256, backup_id) for community_id, sha256 in blobs]
    insert_rows(connection, backup_blob, ("community_id", "sha256", "backup_id"), photos)


def copies(connection: Connection) -> list[Any]:
    """(backup_id, epoch, at, expires_at, file_name) of the verified copies whose keys are there, newest first."""
    statement = (
        "SELECT backup_id, epoch, at, expires_at, file_name FROM backup_copy WHERE community_id = ? "
        "AND destroyed_at IS NULL ORDER BY backup_id DESC"
    )
    return list(run(connection, statement, (HOUSE,)).all())


def forget_copies(connection: Connection, backup_ids: Sequence[str], at: str) -> None:
    """The keys of these copies were destroyed: they count no more."""
    for backup_id in backup_ids:
        run(
            connection,
            "UPDATE backup_copy SET destroyed_at = ? WHERE community_id = ? AND backup_id = ?",
            (at, HOUSE, backup_id),
        )
        rows = run(connection, "SELECT community_id, install_id FROM backup_install WHERE backup_id = ?", (backup_id,))
        gone = [(row[0], row[1], backup_id) for row in rows.all()]
        delete_rows(connection, backup_install, ("community_id", "install_id", "backup_id"), gone)
        run(connection, "DELETE FROM backup_blob WHERE backup_id = ?", (backup_id,))


# The lower n of the two: no clock is trusted to say which of them is older (L9).
_STANDING = (
    "SELECT (SELECT epoch FROM database_life ORDER BY started_at DESC LIMIT 1), "
    "(SELECT CASE WHEN count(*) = 2 THEN min(n) ELSE 0 END FROM backup_install "
    "WHERE community_id = ? AND install_id = ? AND backup_id IN (SELECT backup_id FROM (SELECT backup_id "
    "FROM backup_copy WHERE community_id = ? AND destroyed_at IS NULL ORDER BY backup_id DESC LIMIT 2) newest))"
)


def standing(connection: Connection, community_id: str, install_id: str) -> tuple[str | None, int]:
    """(epoch, safe n) of an install: how far both of the two newest verified copies have it; 0 without two (S26)."""
    epoch, safe_n = run(connection, _STANDING, (community_id, install_id, HOUSE)).one()
    return epoch, int(safe_n)


# ---------------------------------------------------------------- after a restore
def end_what_was_open(connection: Connection, at: str) -> None:
    """Sign-ins and unused codes of a restored database end: some of them were ended or used since."""
    run(connection, "UPDATE sign_in_session SET ended_at = ? WHERE ended_at IS NULL", (at,))
    run(connection, "UPDATE enrolment_code SET expires_at = ? WHERE used_at IS NULL AND expires_at > ?", (at, at))


def settle(path: Path) -> None:
    """SQLite: carry the log of a closed database into its file, and leave no companions beside it."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA synchronous = FULL")
        raw.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """SQLite: hold the writers' lock of a database file; whether no other process has the file open.

    Its log is carried into the file, which then stands alone and may be renamed.
    """
    handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        free = True
        if path.exists():
            with closing(sqlite3.connect(path, timeout=1.0)) as raw:
                try:  # leaving the write-ahead log needs the file for oneself
                    free = raw.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete"
                except sqlite3.OperationalError:
                    free = False
        yield free
    finally:
        os.close(handle)
