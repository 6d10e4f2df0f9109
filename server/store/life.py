"""The life of a database (S25) and the proof that it was sealed with our key (S28)."""

from __future__ import annotations

import hashlib

import orjson
from sqlalchemy import Connection, delete, insert, select

from server.models import HOUSE, data_key, database_life
from server.sealing import KeyRing
from server.store.database import run

_CHECK = "~check"
_MARKED = 4_000  # characters of an entry's effects: they begin with ids and tags that nobody can guess


def epoch(connection: Connection) -> str | None:
    """The id of this life of the database, None before the first start."""
    found: str | None = run(connection, "SELECT epoch FROM database_life ORDER BY started_at DESC LIMIT 1").scalar()
    return found


def begin_life(connection: Connection, new_epoch: str, at: str) -> None:
    """Begin the life of a database that has none."""
    if epoch(connection) is None:
        connection.execute(insert(database_life).values(epoch=new_epoch, started_at=at))


def begin_next_life(connection: Connection, new_epoch: str, at: str, *, was: str | None) -> bool:
    """End the life ``was`` and begin another; False when somebody else was faster. One row is kept: no clock orders lives."""
    gone = connection.execute(delete(database_life).where(database_life.c.epoch == was))
    if gone.rowcount != 1:
        return False
    connection.execute(insert(database_life).values(epoch=new_epoch, started_at=at))
    return True


def newest_entry(connection: Connection, community_id: str) -> tuple[int, str] | None:
    """The newest entry of a community's journal in this snapshot: its number and its mark."""
    newest = "number = (SELECT max(number) FROM journal WHERE community_id = ? AND number > 0)"  # the end of the key's range: one step
    return _entry(connection, community_id, newest, community_id)


def has_entry(connection: Connection, community_id: str, number: int, mark: str) -> bool:
    """Whether the journal has exactly that entry. It is append-only: what was in it once is gone only where an older copy was put back."""
    return _entry(connection, community_id, "number = ?", number) == (number, mark)


def _entry(connection: Connection, community_id: str, which: str, given: object) -> tuple[int, str] | None:
    statement = f"SELECT number, at, command, install_id, substr(effects, 1, {_MARKED}) FROM journal WHERE community_id = ? AND {which}"
    row = run(connection, statement, (community_id, given)).first()
    return None if row is None else (int(row[0]), hashlib.sha256(orjson.dumps(list(row))).hexdigest()[:32])


def check_key(connection: Connection, keys: KeyRing) -> None:
    """Prove that this house key opens this database; the first key that asks becomes the database's own.

    Raises
    ------
    server.sealing.WrongKey
        Another key sealed this database.
    """
    wrapped = connection.execute(
        select(data_key.c.wrapped).where(data_key.c.community_id == HOUSE, data_key.c.subject_id == _CHECK)
    ).scalar()
    if wrapped is None:
        connection.execute(
            insert(data_key).values(community_id=HOUSE, subject_id=_CHECK, wrapped=keys.new_data_key()[1])
        )
    else:
        keys.unwrap(bytes(wrapped))
