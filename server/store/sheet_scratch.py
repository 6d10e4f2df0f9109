"""What planning a table keeps of the rows before, and of where people live: a database of its own that goes with the import.

SQLite lays it into a file without a name once it outgrows some megabytes; memory does not grow with the table or the community.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable
from uuid import UUID

_TABLES = """
CREATE TABLE seen (key BLOB PRIMARY KEY, row INTEGER NOT NULL, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE taken (id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE door (parent TEXT, door TEXT, dwelling TEXT, PRIMARY KEY (parent, door, dwelling)) WITHOUT ROWID;
CREATE TABLE line (key BLOB PRIMARY KEY, dwelling TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE dwelling (id TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE told (person BLOB PRIMARY KEY, key BLOB NOT NULL, row INTEGER NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE told_key (key BLOB PRIMARY KEY, person BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE expected (key BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE head (id TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
"""


def digest(*parts: str) -> bytes:
    """16 bytes that stand for some texts."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Scratch:
    """Keys and contents by id; closed, it is gone."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, cached_statements=32)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8192", "temp_store=FILE"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_TABLES)
        self._database.execute("BEGIN")  # never committed: nothing of it is to last
        self._ask = self._database.execute

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def row_of(self, key: bytes) -> tuple[int, str] | None:
        """The row of the table that a key was first seen in, and the name there."""
        found = self._ask("SELECT row, name FROM seen WHERE key = ?", (key,)).fetchone()
        return None if found is None else (int(found[0]), str(found[1]))

    def saw(self, key: bytes, row: int, name: str) -> None:
        """Note the row of a key, and its name."""
        self._ask("INSERT INTO seen VALUES (?, ?, ?)", (key, row, name))

    def took(self, person_ids: Iterable[str]) -> None:
        """Note persons that rows of the table are about."""
        self._database.executemany("INSERT OR IGNORE INTO taken VALUES (?)", ((UUID(one).bytes,) for one in person_ids))

    def is_taken(self, person_id: str) -> bool:
        """Whether a row before is about this person."""
        return self._ask("SELECT 1 FROM taken WHERE id = ?", (UUID(person_id).bytes,)).fetchone() is not None

    def tell(self, rows: Iterable[tuple[str, bytes | None, int, bytes]], joined: Callable[[bytes, bytes], bytes]) -> None:
        """Note what earlier tables said of persons: (person, key, row, content); the key leads to the first one that is noted under it.

        Of whom something was noted before, ``joined`` makes one content of that and the new one.
        """
        for person_id, key, row, content in rows:
            person = UUID(person_id).bytes
            before = self._ask("SELECT content FROM told WHERE person = ?", (person,)).fetchone()
            if before is None:
                self._ask("INSERT INTO told VALUES (?, ?, ?, ?)", (person, key or b"", row, content))
            else:
                self._ask("UPDATE told SET content = ? WHERE person = ?", (joined(before[0], content), person))
            if key is not None:
                self._ask("INSERT OR IGNORE INTO told_key VALUES (?, ?)", (key, person))

    def told_of(self, person_id: str) -> tuple[int, bytes, bytes] | None:
        """(row, key, content) of a person in an earlier table."""
        found = self._ask("SELECT row, key, content FROM told WHERE person = ?", (UUID(person_id).bytes,)).fetchone()
        return None if found is None else (int(found[0]), bytes(found[1]), bytes(found[2]))

    def told_under(self, key: bytes) -> str | None:
        """The person whom the row of an earlier table with this key was written to."""
        found = self._ask("SELECT person FROM told_key WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(UUID(bytes=found[0]))

    def expect(self, keys: Iterable[bytes]) -> None:
        """Note the keys of the rows that will come."""
        self._database.executemany("INSERT OR IGNORE INTO expected VALUES (?)", ((one,) for one in keys))

    def is_expected(self, key: bytes) -> bool:
        """Whether a row with this key will come, or came."""
        return self._ask("SELECT 1 FROM expected WHERE key = ?", (key,)).fetchone() is not None

    def add_doors(self, doors: Iterable[tuple[str, str, str]]) -> None:
        """Note dwellings by (what they stand in, door)."""
        self._database.executemany("INSERT OR IGNORE INTO door VALUES (?, ?, ?)", doors)

    def behind(self, parent: str, door: str) -> list[str]:
        """At most two of the dwellings behind a door."""
        return [row[0] for row in self._ask("SELECT dwelling FROM door WHERE parent = ? AND door = ? LIMIT 2", (parent, door))]

    def add_line(self, line: str, dwelling_id: str) -> None:
        """Note a dwelling by its address in one line; the first one stays."""
        self._ask("INSERT OR IGNORE INTO line VALUES (?, ?)", (digest(line), dwelling_id))

    def at_line(self, line: str) -> str | None:
        """The dwelling of an address in one line."""
        found = self._ask("SELECT dwelling FROM line WHERE key = ?", (digest(line),)).fetchone()
        return None if found is None else str(found[0])

    def dwelling(self, dwelling_id: str) -> bytes | None:
        """What is known of a dwelling."""
        found = self._ask("SELECT content FROM dwelling WHERE id = ?", (dwelling_id,)).fetchone()
        return None if found is None else bytes(found[0])

    def keep_dwellings(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Know dwellings by (id, content), in place of what was known."""
        self._database.executemany("INSERT OR REPLACE INTO dwelling VALUES (?, ?)", contents)

    def add_heads(self, ids: Iterable[str]) -> None:
        """Note persons whose names will be asked for."""
        self._database.executemany("INSERT OR IGNORE INTO head VALUES (?, NULL)", ((one,) for one in ids))

    def name_heads(self, names: Iterable[tuple[str, str]]) -> None:
        """Names of persons by (name, id); those that nobody will ask for are passed over."""
        self._database.executemany("UPDATE head SET name = ? WHERE id = ?", names)

    def name_of(self, person_id: str) -> str:
        """The name of a head of a household, empty where it is not known."""
        found = self._ask("SELECT name FROM head WHERE id = ?", (person_id,)).fetchone()
        return str(found[0] or "") if found else ""
