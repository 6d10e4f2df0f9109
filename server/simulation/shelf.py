"""Where the server's database lies, and copies of it by name: files for SQLite, databases of one server for PostgreSQL."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, create_engine, make_url, text

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there has a random name and belongs to its maker alone
_ROOM = 1 << 29


def quick_folder(room: int = _ROOM) -> Path | None:
    """Where files lie in memory, if this system has such a place with so many bytes of room; None: where temporary files lie.

    In a story programs end, but no machine loses power, so that waiting for a disk proves nothing; it took four fifths of the time.
    """
    try:
        return _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free >= room else None
    except OSError:
        return None


class Shelf(Protocol):
    """A database at ``url``. Nobody may be connected to it while it is kept or put back."""

    @property
    def url(self) -> str:
        """Where the server finds it."""

    def keep(self, name: str) -> None:
        """Copy the database as it is now under a name."""

    def put(self, name: str) -> None:
        """Put a copy in the place of the database."""

    def forget(self, name: str) -> None:
        """Throw a copy away."""


@dataclass(frozen=True)
class Files:
    """One SQLite file in a folder, copies beside it."""

    folder: Path

    @property
    def url(self) -> str:
        """The file that is served."""
        return f"sqlite:///{self._path}"

    @property
    def _path(self) -> Path:
        return self.folder / "server.sqlite3"

    def keep(self, name: str) -> None:
        """Copy the file; everything is in it, since its last connection closed."""
        shutil.copy(self._path, self.folder / f"kept-{name}")

    def put(self, name: str) -> None:
        """Copy it back, without what a write-ahead log still knows."""
        for tail in ("-wal", "-shm"):
            Path(f"{self._path}{tail}").unlink(missing_ok=True)
        shutil.copy(self.folder / f"kept-{name}", self._path)

    def forget(self, name: str) -> None:
        """Remove the copy."""
        (self.folder / f"kept-{name}").unlink(missing_ok=True)


@dataclass(frozen=True)
class Databases:
    """Databases of a PostgreSQL server, made from templates; ``server`` is the URL of one that is there already."""

    server: str
    prefix: str = field(default_factory=lambda: f"dishu_story_{secrets.token_hex(4)}")

    @property
    def url(self) -> str:
        """The database that is served."""
        return self._server.set(database=self.prefix).render_as_string(hide_password=False)

    @property
    def _server(self) -> URL:
        return make_url(self.server).set(drivername="postgresql+psycopg")

    def create(self) -> None:
        """Make the database, empty."""
        self._say(f'CREATE DATABASE "{self.prefix}" TEMPLATE template0 ENCODING \'UTF8\'')

    def keep(self, name: str) -> None:
        """Make a database like the one that is served."""
        self.forget(name)
        self._say(f'CREATE DATABASE "{self.prefix}_{name}" TEMPLATE "{self.prefix}"')

    def put(self, name: str) -> None:
        """Make the served database anew, like the copy."""
        self._say(f'DROP DATABASE IF EXISTS "{self.prefix}" WITH (FORCE)')
        self._say(f'CREATE DATABASE "{self.prefix}" TEMPLATE "{self.prefix}_{name}"')

    def forget(self, name: str) -> None:
        """Drop the copy."""
        self._say(f'DROP DATABASE IF EXISTS "{self.prefix}_{name}" WITH (FORCE)')

    def clear(self) -> None:
        """Drop everything that was made here."""
        engine = create_engine(self._server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            found = connection.execute(text("SELECT datname FROM pg_database WHERE starts_with(datname, :prefix)"), {"prefix": self.prefix})
            names = [row[0] for row in found]
        engine.dispose()
        for name in names:
            self._say(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _say(self, statement: str) -> None:
        engine = create_engine(self._server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()
