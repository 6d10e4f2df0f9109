"""`dishu backup`: one archive, sealed under a key of its own, verified by restoring it; only then it counts (S26, S28)."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from server import migrations
from server.errors import NotFound, StartError
from server.sealing import WrongKey
from server.services.accounts import OPERATOR
from server.services.archive import ArchiveDamaged, Writer, head_of
from server.services.archive import read as read_archive
from server.services.audit import Look, note
from server.services.blob_archive import COLUMNS, MEMBER, blob_lines, check_blobs, take_blobs
from server.services.code_profiles import profile_files
from server.services.differences import Difference, Progress
from server.services.verify import verify_snapshot
from server.store import backup as store
from server.store.database import open_engine, read, stamp, write
from server.store.life import check_key, epoch

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

KEY_FOLDER = "backup-keys"
ENDING = ".dishu-backup"
KEEP_DAYS = 180


@dataclass(frozen=True, slots=True)
class Backup:
    """What `back_up` made. ``difference``: the copy restores, but its journal and state part; it does not count."""

    backup_id: str
    archive: Path
    key_file: Path
    rows: int
    bytes: int
    counted: int
    destroyed: tuple[str, ...]
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class _Copy:
    """What was found in an archive when it was restored aside: ``installs`` up to the n that it covers with everything that belongs to it."""

    manifest: dict[str, Any]
    installs: list[tuple[str, str, int]]
    blobs: list[tuple[str, str]]
    difference: Difference | None


def back_up(
    house: House, folder: Path, *, key_folder: Path | None = None, keep_days: int = KEEP_DAYS,
    progress: Progress | None = None,
) -> Backup:  # fmt: skip
    """Write an archive of the whole database while it is in use, restore it aside, verify that, and count it.

    Keys of copies past their day are destroyed then, but never those of the two newest.

    Parameters
    ----------
    folder : where the archive goes; made where it is missing
    key_folder : where the key of the archive goes, ``backup-keys`` of the data folder where not given
    keep_days : how long the copy is meant to be openable
    """
    backup_id, now = house.new_id(), house.clock()
    key_folder = key_folder or house.settings.data_dir / KEY_FOLDER
    expires_at = stamp(now + timedelta(days=keep_days))
    with _work_folder(house) as work:
        note(house, Look(OPERATOR, "export", "backup"), scope=f"backup/{backup_id}")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        archive = folder / f"dishu-{stamp(now)[:19].replace(':', '')}-{backup_id[-6:]}{ENDING}"
        part = archive.with_name(archive.name + ".part")
        key_file = _write_key(house, key_folder, backup_id, expires_at)
        try:
            _write_archive(house, part, key_file, backup_id, stamp(now), work)
            copy = _verified(house, part, key_file, work, progress)
        except BaseException:
            part.unlink(missing_ok=True)
            key_file.unlink(missing_ok=True)
            raise
        if copy.difference is not None:
            archive = archive.with_name(archive.name + ".unverified")
        os.replace(part, archive)
        sync_folder(folder)
        destroyed: tuple[str, ...] = ()
        if copy.difference is None:
            _count(house, copy, expires_at, archive.name)
            destroyed = _expire(house, key_folder)
    with read(house.engine) as connection:
        counted = len(store.copies(connection))
    rows = sum(table["rows"] for table in copy.manifest["tables"].values())
    size = archive.stat().st_size
    return Backup(backup_id, archive, key_file, rows, size, counted, destroyed, copy.difference)


@contextmanager
def _work_folder(house: House) -> Iterator[Path]:
    """A private folder for plain copies while the archive is made; what a killed run left is removed. One run at a time."""
    data = house.settings.data_dir
    with (data / "backup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError("another backup of this data folder is under way") from error
        for left in data.glob("backup-work-*"):
            shutil.rmtree(left, ignore_errors=True)
        work = data / f"backup-work-{os.getpid()}"
        work.mkdir(mode=0o700)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


# ---------------------------------------------------------------- keys
def _write_key(house: House, folder: Path, backup_id: str, expires_at: str) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{backup_id}.key"
    _, wrapped = house.keys.new_data_key()
    said = {"backup_id": backup_id, "expires_at": expires_at, "wrapped": wrapped.hex()}
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps(said) + b"\n")
        file.flush()
        os.fsync(handle)
    sync_folder(folder)
    return path


def read_key(house: House, key_file: Path, backup_id: str) -> bytes:
    """The key in a key file, opened with the house key.

    Raises
    ------
    StartError
        One line says what is wrong: no such file, of another archive, of another house.
    """
    try:
        said = orjson.loads(key_file.read_bytes())
        if said["backup_id"] != backup_id:
            raise StartError(f"{key_file} is the key of another backup")
        return house.keys.unwrap(bytes.fromhex(said["wrapped"]))
    except FileNotFoundError as error:
        raise StartError(f"the key of this backup, {backup_id}.key, is missing; without it nobody opens it") from error
    except WrongKey as error:
        raise StartError("this backup was made under another house key") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StartError(f"the key file {key_file} cannot be read") from error


def find_key(house: House, archive: Path, backup_id: str, given: Path | None) -> Path:
    """The key file of an archive: the given one, else in the data folder, else beside the archive."""
    if given is not None:
        return given / f"{backup_id}.key" if given.is_dir() else given
    inside = house.settings.data_dir / KEY_FOLDER / f"{backup_id}.key"
    return inside if inside.exists() else archive.with_name(f"{backup_id}.key")


def _expire(house: House, key_folder: Path) -> tuple[str, ...]:
    """Destroy the keys of copies past their day, never of the two newest."""
    now = stamp(house.clock())
    with read(house.engine) as connection:
        past = [row.backup_id for row in store.copies(connection)[2:] if row.expires_at < now]
    for backup_id in past:
        destroy_key(key_folder / f"{backup_id}.key")
    if past:
        with write(house.engine) as connection:
            store.forget_copies(connection, past, now)
    return tuple(past)


def destroy_key(path: Path) -> None:
    """Overwrite and remove a key file; nothing happens where there is none."""
    with suppress(FileNotFoundError):
        with path.open("r+b") as file:
            file.write(b"\0" * path.stat().st_size)
            file.flush()
            os.fsync(file.fileno())
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Names in the folder are on disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---------------------------------------------------------------- writing
@contextmanager
def _snapshot(house: House, work: Path) -> Iterator[Connection]:
    """One snapshot to read from. SQLite: a whole copy first, so that its log does not grow while the archive is made."""
    if house.engine.dialect.name != "sqlite":
        with read(house.engine) as connection:
            yield connection
        return
    copy = work / "copy.sqlite3"
    store.copy_file(house.engine, copy)
    engine = open_engine(f"sqlite:///{copy}")
    try:
        with read(engine) as connection:
            yield connection
    finally:
        engine.dispose()
        for one in work.glob("copy.sqlite3*"):
            one.unlink()


def _write_archive(house: House, path: Path, key_file: Path, backup_id: str, at: str, work: Path) -> None:
    key = read_key(house, key_file, backup_id)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        archive = Writer(file, key, {"backup_id": backup_id, "at": at})
        with _snapshot(house, work) as connection:
            revision = migrations.current_on(connection)
            archive.json("H", {"revision": revision})
            said: dict[str, Any] = {}
            for name, columns in store.tables().items():
                said[name] = archive.table(name, columns, store.lines(connection, name, columns))
                if said[name]["rows"] != store.count(connection, name):
                    raise StartError(f"the copy of table {name} has not as many rows as the table")
            said[MEMBER] = archive.table(MEMBER, COLUMNS, blob_lines(house, connection))
            manifest = {
                "backup_id": backup_id, "at": at, "epoch": epoch(connection), "revision": revision, "tables": said,
                "journal_number": store.journal_number(connection), "installs": store.consumed(connection),
                "profiles": {name: content.hex() for name, content in profile_files(house).items()},
            }  # fmt: skip
        archive.close(manifest)
        file.flush()
        os.fsync(file.fileno())


# ---------------------------------------------------------------- reading it again
def load_archive(connection: Connection, house: House, archive: Path, key_file: Path) -> dict[str, Any]:
    """Fill a database whose tables are there and empty; the manifest.

    Raises
    ------
    ArchiveDamaged
        Roll the transaction back.
    """
    with archive.open("rb") as file:
        head, _ = head_of(file)
        key = read_key(house, key_file, head["backup_id"])
        file.seek(0)
        known = store.tables()

        def take(name: str, columns: list[tuple[str, str]], blocks: Iterator[bytes]) -> None:
            if name == MEMBER:
                take_blobs(house, blocks)
            elif name in known:
                store.load(connection, name, columns, blocks)
            else:
                raise ArchiveDamaged(f"the backup has a table {name}, which this version does not know")

        manifest = read_archive(file, key, take)
    for name, table in manifest["tables"].items():
        if name != MEMBER and store.count(connection, name) != table["rows"]:
            raise ArchiveDamaged(f"table {name} has not as many rows as in the backup")
    store.set_journal_number(connection, manifest["journal_number"])
    return manifest


def revision_of(house: House, archive: Path, key_file: Path) -> str:
    """Read the whole archive once; the revision of its tables. Raises ArchiveDamaged where it is not whole."""
    with archive.open("rb") as file:
        head, _ = head_of(file)
        key = read_key(house, key_file, head["backup_id"])
        file.seek(0)
        manifest = read_archive(file, key, lambda *_: None)
    return str(manifest["revision"])


def new_file(house: House, path: Path, revision: str) -> House:
    """A house on a new SQLite file whose tables are those of a revision, and empty. A process makes such a file once, and copies it then."""
    content = _empty.get(revision)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "wb") as file:
        file.write(content or b"")
    engine = open_engine(f"sqlite:///{path}")
    if content is None:
        migrations.upgrade(engine, revision)
        engine.dispose()  # everything is in the file
        _empty[revision] = path.read_bytes()
    return replace(house, engine=engine)


_empty: dict[str, bytes] = {}


def _verified(
    house: House, archive: Path, key_file: Path, work: Path, progress: Progress | None
) -> _Copy:
    """Open the archive again, restore it into a file of its own, and fold its journal there."""
    revision = revision_of(house, archive, key_file)
    aside = new_file(house, work / "restored.sqlite3", revision)
    aside = replace(aside, settings=replace(house.settings, blobs_url=(work / "blobs").as_uri()))
    try:
        with write(aside.engine) as connection:
            manifest = load_archive(connection, aside, archive, key_file)
        migrations.upgrade(aside.engine)
        with read(aside.engine) as connection:
            check_key(connection, house.keys)
            installs = store.consumed(connection)
            if epoch(connection) != manifest["epoch"] or [list(one) for one in installs] != manifest["installs"]:
                raise ArchiveDamaged("the restored copy is not what the manifest says")
            blobs = check_blobs(aside, connection)
            report = verify_snapshot(connection, aside, progress=progress)
    finally:
        aside.engine.dispose()
    # An operation is in the copy when its photos are (S26); one that never arrives holds the phone's log until its 90 days are over.
    covered = [(home, install_id, min(n, report.bare.get((home, install_id), n + 1) - 1)) for home, install_id, n in installs]
    return _Copy(manifest, covered, blobs, report.difference)


def _count(house: House, copy: _Copy, expires_at: str, name: str) -> None:
    manifest = copy.manifest
    with write(house.engine) as connection:
        if epoch(connection) != manifest["epoch"]:
            raise NotFound("the database began another life meanwhile; this copy does not count, make another")
        store.add_copy(
            connection, backup_id=manifest["backup_id"], epoch=manifest["epoch"], at=manifest["at"],
            expires_at=expires_at, file_name=name, installs=copy.installs, blobs=copy.blobs,
        )  # fmt: skip
