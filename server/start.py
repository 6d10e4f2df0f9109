"""Before anything is served or changed: the database is there, has our tables, and opens with our key."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from server import migrations
from server.errors import StartError
from server.house import House
from server.sealing import WrongKey
from server.services.announce import announce_forms
from server.store import life, reach
from server.store.database import stamp, write


def prepare(house: House) -> list[str]:
    """Reach the database, migrate it under a lock, begin its life, check the house key, tell phones of new forms.

    Returns
    -------
    list of str
        The revisions that were applied, oldest first.

    Raises
    ------
    StartError
        One line says what is wrong; the database was not changed.
    """
    try:
        reach.make_file(house.engine)
        reach.revision(house.engine)
        applied = migrations.upgrade(house.engine)
        with write(house.engine) as connection:
            life.begin_life(connection, house.new_id(), stamp(house.clock()))
            life.check_key(connection, house.keys)
        announce_forms(house)
    except reach.Unreachable as error:
        raise StartError(str(error)) from error
    except migrations.UnknownRevision as error:
        raise StartError(f"{error}; use the newer version, or restore a backup") from error
    except WrongKey as error:
        where = "DISHU_KEY" if house.settings.key is not None else f"the key file {house.settings.key_file}"
        place = reach.place_of(house.engine)
        raise StartError(f"{where} is not the key that sealed the database at {place}") from error
    except (SQLAlchemyError, OSError) as error:
        place = reach.place_of(house.engine)
        raise StartError(f"the database at {place} cannot be prepared: {reach.reason_of(error)}") from error
    return applied
