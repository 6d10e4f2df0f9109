"""`dishu restore`: an archive becomes the database, in a new life, with everything revoked that was revoked since (S25, S26)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as with_changes
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server import migrations
from server.errors import StartError
from server.sealing import WrongKey
from server.services.accounts import OPERATOR
from server.services.archive import head_of
from server.services.audit import Look, line_of
from server.services.backup import find_key, load_archive, new_file, revision_of, sync_folder
from server.services.code_profiles import put_back
from server.services.differences import Difference, Progress
from server.services.lives import journal_life
from server.services.revocations import apply_again, log_path
from server.services.verify import verify_snapshot
from server.store import audit as audit_store
from server.store import backup as store
from server.store import reach
from server.store.database import read, stamp, write
from server.store.life import begin_next_life, check_key, epoch

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection


class NotEmpty(StartError):
    """There is a database already, and nobody said that it may be replaced."""


class Differs(StartError):
    """The archive is whole, but its journal and its state part; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore` did.

    ``replaced`` is where the SQLite file lies that was there before; ``profiles`` are rules of cell codes as files, and
    ``set_aside`` those that had their names.
    """

    backup_id: str
    at: str
    epoch: str
    rows: int
    revoked_again: int
    replaced: Path | None
    difference: Difference | None
    profiles: Mapping[str, bytes]
    set_aside: tuple[Path, ...] = ()


def restore(
    house: House,
    archive: Path,
    *,
    key_file: Path | None = None,
    revocations: Path | None = None,
    replace: bool = False,
    even_if_different: bool = False,
    progress: Progress | None = None,
) -> Restored:
    """Put an archive in the place of the database: wholly, or nothing changes.

    Parameters
    ----------
    key_file : the archive's key or its folder; None looks into the data folder and beside the archive
    revocations : the file of revocations; None takes that of the data folder
    replace : whether a database that has something in it may be replaced; an SQLite file is kept under another name
    even_if_different : restore also what `dishu verify` would not agree with

    Raises
    ------
    ArchiveDamaged, NotEmpty, Differs, StartError
        Nothing was changed.
    """
    with archive.open("rb") as file:
        head, _ = head_of(file)
    key_file = find_key(house, archive, head["backup_id"], key_file)
    revision = revision_of(house, archive, key_file)
    reach.make_file(house.engine)
    if not replace and not _is_empty(house):
        raise NotEmpty(
            f"the database at {reach.place_of(house.engine)} is not empty; --replace puts the backup in its place"
        )
    work = _Work(house, archive, key_file, revocations or log_path(house), even_if_different, progress)
    try:
        done = _into_sqlite(work, revision) if house.engine.dialect.name == "sqlite" else _into_postgres(work, revision)
    except WrongKey as error:
        raise StartError("this backup was made under another house key") from error
    except migrations.UnknownRevision as error:
        raise StartError(f"{error}; restore it with the version that made it") from error
    return with_changes(done, set_aside=tuple(put_back(house, done.profiles)))


def _is_empty(house: House) -> bool:
    if reach.revision(house.engine) is None:
        return True
    with read(house.engine) as connection:
        return store.empty(connection)


@dataclass(frozen=True, slots=True)
class _Work:
    house: House
    archive: Path
    key_file: Path
    revocations: Path
    even_if_different: bool
    progress: Progress | None


def _fill(connection: Connection, work: _Work, replaced: Path | None = None) -> Restored:
    """Everything that happens inside the one transaction, once the tables are there and empty."""
    house = work.house
    manifest: dict[str, Any] = load_archive(connection, house, work.archive, work.key_file)
    migrations.upgrade_on(connection)
    check_key(connection, house.keys)
    difference = verify_snapshot(connection, house, progress=work.progress).difference
    if difference is not None and not work.even_if_different:
        raise Differs(f"the backup is whole, but its journal and its state differ: {difference}")
    new, at, was = house.new_id(), stamp(house.clock()), epoch(connection)
    begin_next_life(connection, new, at, was=was)
    store.end_what_was_open(connection, at)
    again = apply_again(connection, house, work.revocations)
    look = Look(OPERATOR, "change", "restored from a backup")
    audit_store.append(connection, line_of(house, look, scope=f"backup/{manifest['backup_id']}"))
    journal_life(connection, at, "restore", {"epoch": new, "was": was, "backup": manifest["backup_id"]})
    profiles = {name: bytes.fromhex(content) for name, content in manifest.get("profiles", {}).items()}
    rows = sum(table["rows"] for table in manifest["tables"].values())
    return Restored(manifest["backup_id"], manifest["at"], new, rows, again, replaced, difference, profiles)


def _into_postgres(work: _Work, revision: str) -> Restored:
    """Tables are dropped, made and filled in one transaction: others see the old database until they see the new one."""
    with write(work.house.engine) as connection:
        store.drop_everything(connection)
        migrations.upgrade_on(connection, revision)
        return _fill(connection, work)


def _into_sqlite(work: _Work, revision: str) -> Restored:
    """A new file beside the old one, put in its place when it is whole."""
    target = Path(str(work.house.engine.url.database))
    beside = target.with_name(target.name + ".restoring")
    kept = target.with_name(f"{target.name}.replaced-{stamp(work.house.clock())[:19].replace(':', '')}")
    _remove(beside)
    try:
        house = new_file(work.house, beside, revision)
        try:
            with write(house.engine) as connection:
                done = _fill(connection, work, kept if target.exists() and not _is_empty(work.house) else None)
        finally:
            house.engine.dispose()
        store.settle(beside)
        work.house.engine.dispose()
        with store.alone(target) as free:
            if not free:
                raise StartError(f"{target} is in use; stop the server first")
            if done.replaced is not None:
                os.replace(target, kept)
            os.replace(beside, target)
            sync_folder(target.parent)
    finally:
        _remove(beside)
    return done


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", ".lock"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).unlink()
