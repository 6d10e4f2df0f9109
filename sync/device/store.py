"""The phone's own file: who it is, its write-ahead log of operations, and copies of the server's records.

One connection, one process. Every change goes through ``Store.change()``, which is one transaction with
``synchronous=FULL``: after a kill or a power cut a change is wholly there or not at all.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    community_id TEXT NOT NULL,
    install_id TEXT NOT NULL,
    token TEXT NOT NULL,
    user TEXT NOT NULL,                        -- JSON
    epoch TEXT,                                -- life of the server's database that the copies are from
    cursor TEXT,                               -- opaque; null: from zero
    scope_version INTEGER NOT NULL DEFAULT 0,
    scope_last_n INTEGER NOT NULL DEFAULT 0,   -- last n before that scope was known here (S18)
    departures TEXT,                           -- what the last complete page said of those who have left, to be told back (S30)
    departures_last_n INTEGER NOT NULL DEFAULT 0,  -- last n before that page was here
    taken TEXT NOT NULL DEFAULT '[]',          -- JSON [{"seen", "after", "last_n"}]: what phones had read whose work was taken over (S30)
    limits TEXT,                               -- JSON, of the server's config
    asked_mark TEXT,                           -- what the last complete page said of what the office asks this person (W8)
    asked TEXT NOT NULL DEFAULT '{"mark":null,"asked":[]}',  -- JSON: what it asked when it was fetched
    safe_n INTEGER NOT NULL DEFAULT 0,
    skew_s REAL,
    receipt TEXT,                              -- of the last push: what the server acknowledged, signed by it
    server_time REAL,                          -- seconds since 1970 by the server's clock, at the last push
    pruned_n INTEGER NOT NULL DEFAULT 0,       -- own operations up to here were forgotten: they are safe (S21)
    pruned_op_id TEXT,
    completed INTEGER NOT NULL DEFAULT 0,      -- pulls that ended complete
    needs_fork TEXT,                           -- JSON {"n", "op_id"} where the server's log differs (S21)
    fork_id TEXT                               -- of the install that this phone is about to become
) STRICT;

-- Before it is an install: the secret with which a lost answer is asked for again (W1).
CREATE TABLE enrolling (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    retry_key TEXT NOT NULL
) STRICT;

-- Own operations in the order they were written. `text` is frozen; nothing else of an operation is ever sent.
CREATE TABLE log (
    n INTEGER PRIMARY KEY,
    group_n INTEGER NOT NULL,                  -- n of the group's first operation
    op_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    record_id TEXT NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'unsent',      -- unsent | sent | answered
    acknowledged INTEGER NOT NULL DEFAULT 0,   -- the server has it: answered, or covered by `applied` (S21)
    acknowledged_at REAL,                      -- by the server's clock
    settled INTEGER NOT NULL DEFAULT 0,        -- final, and contained in the copies: no overlay any more (S20)
    first_outcome TEXT,
    first_reason TEXT,
    now_outcome TEXT,
    now_reason TEXT,
    status INTEGER NOT NULL DEFAULT 0,
    errors TEXT NOT NULL DEFAULT '[]',
    epoch TEXT,                                -- of the answer
    v INTEGER                                  -- of the record after this operation, in that epoch
) STRICT;
CREATE INDEX log_overlay ON log (record_id, n) WHERE settled = 0;
CREATE INDEX log_open ON log (n) WHERE state <> 'answered';

-- What the commands of the log mean record by record, to be laid over the copies: one line per record of a command.
CREATE TABLE part (
    n INTEGER NOT NULL,
    record_id TEXT NOT NULL,
    type TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (record_id, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX part_n ON part (n);
-- Own operations by the record that they change: a command by each of its parts.
CREATE VIEW overlay AS
    SELECT n, kind, type, record_id, text, settled, epoch, v, now_outcome FROM log WHERE kind <> 'command'
    UNION ALL SELECT part.n, 'command', part.type, part.record_id, part.text, settled, epoch,
        CASE WHEN log.record_id = part.record_id THEN v END, now_outcome
    FROM part JOIN log ON log.n = part.n;

-- Content at the highest version that any held stream brought. life 'deleted': the envelope only, for restoring.
CREATE TABLE record (
    id TEXT PRIMARY KEY,
    type TEXT,                                 -- null: a bare envelope, every field hidden from this role (S23)
    epoch TEXT NOT NULL,
    v INTEGER NOT NULL,
    tag TEXT NOT NULL,
    life TEXT NOT NULL,
    form_version INTEGER,
    home TEXT,
    fields TEXT NOT NULL,                      -- JSON, unknown fields kept
    conflicts TEXT NOT NULL,                   -- JSON list of units
    confirmed TEXT NOT NULL                    -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX record_type ON record (type);

-- The open conflicts of held records as the server showed them, with every value: to be settled at the door.
CREATE TABLE dispute (
    record_id TEXT NOT NULL,
    unit TEXT NOT NULL,
    v INTEGER NOT NULL,                        -- of the record when it was shown
    said TEXT NOT NULL,                        -- JSON
    PRIMARY KEY (record_id, unit)
) STRICT, WITHOUT ROWID;

-- The rows of every held stream. REMOVE rows wait here until a pull is complete.
CREATE TABLE feed (
    stream TEXT NOT NULL,
    id TEXT NOT NULL,                          -- of a STATUS row: the op_id
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,                        -- PUT | REMOVE | STATUS
    reason TEXT,
    v INTEGER NOT NULL,                        -- of STATUS: the status number
    tag TEXT,
    generation INTEGER NOT NULL,
    PRIMARY KEY (stream, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX feed_id ON feed (id);

CREATE TABLE stream (
    id TEXT PRIMARY KEY,
    generation INTEGER NOT NULL DEFAULT 0,     -- raised when it is built again from zero
    building INTEGER NOT NULL DEFAULT 0,       -- older rows go at the next complete page
    doubted INTEGER NOT NULL DEFAULT 0         -- count or digest differed: ask for a replacement
) STRICT, WITHOUT ROWID;

-- Copies from an earlier life of the database that the present one lacks: offered once, never merged (S25).
CREATE TABLE witness (
    epoch TEXT NOT NULL,
    id TEXT NOT NULL,
    copy TEXT NOT NULL,
    PRIMARY KEY (epoch, id)
) STRICT, WITHOUT ROWID;
"""

Fault = Callable[[str], None]


def no_fault(step: str) -> None:
    """The ordinary hook between steps: nothing happens."""


class Store:
    """The file. Rows are read as ``sqlite3.Row``.

    Parameters
    ----------
    path : path of the file; made at first use, readable by its owner only
    fault : called with the name of each step, so that tests can stop the phone anywhere
    """

    def __init__(self, path: str | Path, fault: Fault = no_fault) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self.fault = fault
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._depth = 0
        with self.change("open"):
            version = self.one("PRAGMA user_version")[0]
            if version == 0:
                for statement in SCHEMA.split(";\n"):
                    if statement.strip():
                        self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise ValueError(f"the phone's file has layout {version}, this program knows {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def changing(self) -> bool:
        """Whether a transaction is open."""
        return self._depth > 0

    @contextmanager
    def change(self, name: str) -> Iterator[None]:
        """One transaction; an inner one joins the outer one. Any exception takes all of it back."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
            self.fault(f"{name}: before commit")
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._depth = 0
        self.fault(f"{name}: committed")

    def run(self, sql: str, *values: Any) -> int:
        """Execute one statement inside a change; the number of rows it touched."""
        assert self._depth, "a write outside a transaction"
        return self._db.execute(sql, values).rowcount

    def run_many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Execute one statement for many rows inside a change."""
        assert self._depth, "a write outside a transaction"
        self._db.executemany(sql, rows)

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row:
        """The only row of a query that always has one."""
        row: sqlite3.Row = self._db.execute(sql, values).fetchone()
        return row

    def maybe(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return row

    def wipe(self) -> None:
        """Erase everything: who this phone is, its log, its copies. Killed anywhere, all of it is there or nothing is."""
        self._db.execute("PRAGMA secure_delete = ON")
        with self.change("wipe"):
            for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"):
                self.run(f"DELETE FROM {name}")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def retry_key(self, new_id: Callable[[], str]) -> str:
        """The secret of a phone that is no install yet; made once, gone with the enrolment."""
        with self.change("enrol: key"):
            self.run("INSERT OR IGNORE INTO enrolling (one, retry_key) VALUES (1, ?)", new_id() + new_id())
        key: str = self.one("SELECT retry_key FROM enrolling")["retry_key"]
        return key

    def identity(self) -> sqlite3.Row | None:
        """Who this phone is; None before enrolment."""
        return self.maybe("SELECT * FROM identity")

    def last_n(self) -> int:
        """The n of the last own operation, forgotten or not; 0 where there never was one."""
        found: int = self.one(
            "SELECT max(coalesce((SELECT max(n) FROM log), 0), coalesce((SELECT pruned_n FROM identity), 0))"
        )[0]
        return found
