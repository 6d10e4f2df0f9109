"""The tables as they grew: Alembic revisions, forward only. Going back is a restore (docs/operations.md).

`flask db` works too (Flask-Migrate); `upgrade` is what `dishu` itself calls, in one transaction under a lock.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from server.store.database import read, write

FOLDER = Path(__file__).resolve().parent

# Any constant that no other program locks with: "dishu" in hexadecimal.
_LOCK = 0x6469736875


def head() -> str:
    """The newest revision that this program knows."""
    return revisions()[-1]


def revisions() -> list[str]:
    """Every revision, oldest first."""
    return list(_known())


@cache
def _known() -> tuple[str, ...]:
    """Read once: every readiness check and every backup asks, and the files are those of this program."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())[::-1]


def current(engine: Engine) -> str | None:
    """The revision of the database; None for an empty one."""
    with read(engine) as connection:
        return current_on(connection)


def upgrade(engine: Engine, to: str = "head") -> list[str]:
    """Bring the database to a revision; returns the revisions that were applied, oldest first.

    Processes that start together wait for each other; the later ones find nothing to do. A revision that fails
    leaves the database as it was.
    """
    with write(engine) as connection:
        return upgrade_on(connection, to)


def upgrade_on(connection: Connection, to: str = "head") -> list[str]:
    """As `upgrade`, in a transaction that is open already."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    known = revisions()
    before = current_on(connection)
    if before is not None and before not in known:
        raise UnknownRevision(before)
    if to != "head" and to not in known:
        raise UnknownRevision(to)
    if before != (head() if to == "head" else to):
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    after = current_on(connection)
    start = known.index(before) + 1 if before else 0
    return known[start : known.index(after) + 1] if after else []


class UnknownRevision(Exception):
    """The database was migrated by a newer program than this one."""

    def __init__(self, revision: str) -> None:
        super().__init__(f"the database is at revision {revision}, which this version does not know")
        self.revision = revision


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def current_on(connection: Connection) -> str | None:
    """The revision of the database in a transaction that is open already."""
    return MigrationContext.configure(connection).get_current_revision()
