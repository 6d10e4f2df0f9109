"""Whether the database is there, in plain words and without its password."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from server import migrations
from server.store.errors import StoreError


class Unreachable(StoreError):
    """The database is not there or does not answer; ``place`` names it without user and password."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"the database at {place} cannot be reached: {reason}")
        self.place = place


def revision(engine: Engine) -> str | None:
    """The revision of the database, None for an empty one; Unreachable when it does not answer."""
    try:
        return migrations.current(engine)
    except (SQLAlchemyError, OSError) as error:
        raise Unreachable(place_of(engine), reason_of(error)) from error


def demand_file(url: str) -> None:
    """Stop where an SQLite database is not there; Unreachable names its place. Other databases answer for themselves."""
    made = make_url(url)
    path = made.database
    if made.get_backend_name() != "sqlite" or not path or path == ":memory:":
        return
    if not Path(path).exists():
        raise Unreachable(path, "there is no such file; `dishu serve` or `dishu db upgrade` makes one")


def has_life(engine: Engine) -> bool:
    """Whether the database has been used: it holds things that a key has sealed. False where it is not there."""
    try:
        demand_file(engine.url.render_as_string(hide_password=False))
        with engine.connect() as connection:
            return connection.exec_driver_sql("SELECT epoch FROM database_life").first() is not None
    except (SQLAlchemyError, OSError, StoreError):
        return False


def make_file(engine: Engine) -> None:
    """Make the file of an SQLite database, for nobody else to read; Unreachable where that is not possible.

    The data folder is there by now; any other folder must be: a mistyped path shows no empty house.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        return
    try:
        if not Path(path).exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # its WAL inherits the mode
    except OSError as error:
        raise Unreachable(place_of(engine), error.strerror or type(error).__name__) from error


def place_of(engine: Engine) -> str:
    """Where the database is: the file, or host, port and name."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        return str(url.database)
    host = url.host or url.query.get("host") or "localhost"
    return f"{host}:{url.port or 5432}/{url.database or ''}"


def reason_of(error: Exception) -> str:
    """The first line of what the driver says, without addresses and passwords."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    line = said[0] if said else type(error).__name__
    # libpq begins with the whole connection target, which we name ourselves.
    return line.rpartition("failed: ")[2] if "failed: " in line else line
