"""Photos: taken in byte by byte where the line breaks, kept sealed, given to those who may see a record that shows them.

A record names its photos by the SHA-256 of what was uploaded. Knowing that name opens nothing: a reference counts only
where somebody wrote it who had the bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from server.errors import (
    BodyTooLarge,
    HashDiffers,
    InputError,
    InvalidInput,
    NotFound,
    OffsetDiffers,
    SlowDown,
    StorageUnreachable,
    UploadExpired,
)
from server.permissions import Actor, Scope
from server.sealing import WrongKey, cipher, seal, unseal
from server.services import blob_store, photos_along
from server.services.audit import Look, note
from server.services.labels import PERSONAL
from server.services.photos import FORMATS, without_places
from server.store import blobs as store
from server.store import push as reading
from server.store.database import read, stamp, write

if TYPE_CHECKING:
    from server.house import House

LIFE = timedelta(days=7)
MOST_UPLOADS = 500
"""Of one install, finished ones of the last days included."""

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Upload:
    """How far an upload is; ``offset_bytes`` is where to go on."""

    upload_id: str
    sha256: str
    media_type: str
    length_bytes: int
    offset_bytes: int
    expires_at: str


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo as it is given; ``kept_sha256`` is of these bytes, the name is of what was uploaded."""

    content: bytes
    media_type: str
    kept_sha256: str


# ---------------------------------------------------------------- taking in
def begin(house: House, actor: Actor, *, sha256: str, media_type: str, length_bytes: int) -> Upload:
    """A new upload by the install of ``actor``.

    Raises
    ------
    InvalidInput
        Not a SHA-256, an unknown media type, an empty file.
    BodyTooLarge
        More bytes than this house takes.
    SlowDown
        `MOST_UPLOADS` are remembered already.
    """
    wrong = []
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        wrong.append(InputError("/sha256", "not_a_hash", "64 small hexadecimal digits are expected"))
    if media_type not in FORMATS:
        wrong.append(InputError("/type", "media_type", f"one of {', '.join(FORMATS)} is expected"))
    if length_bytes < 1:
        wrong.append(InputError("/length", "too_small", "a photo has at least one byte"))
    if wrong:
        raise InvalidInput("this upload cannot begin", errors=wrong)
    if length_bytes > house.settings.max_blob_bytes:
        raise BodyTooLarge(f"a photo has at most {house.settings.max_blob_bytes} bytes")
    made = Upload(house.new_id(), sha256, media_type, length_bytes, 0, stamp(house.clock() + LIFE))
    install_id = _install(actor)
    with write(house.engine) as connection:
        if store.count_uploads(connection, actor.community_id, install_id) >= MOST_UPLOADS:
            raise SlowDown("too many uploads of this device in seven days", retry_after_s=3600)
        row = (actor.community_id, made.upload_id, sha256, media_type, length_bytes, 0, install_id, made.expires_at)
        store.add_upload(connection, row)
    return made


def progress(house: House, actor: Actor, upload_id: str) -> Upload:
    """How far an upload of this install is. One that has arrived whole is kept by now, also where the program ended behind its last byte.

    Raises
    ------
    NotFound, UploadExpired
        There is none of this install, or it is past its time.
    HashDiffers, InvalidInput
        All has arrived and is not the file that was announced, or no picture: the upload is gone.
    StorageUnreachable
        All has arrived and cannot be kept now.
    """
    with read(house.engine) as connection:
        row = store.upload_of(connection, actor.community_id, _install(actor), upload_id)
    if row is None:
        raise NotFound("there is no such upload of this device")
    if row.expires_at < stamp(house.clock()):
        raise UploadExpired("this upload is past its time")
    found = Upload(row.upload_id, row.sha256, row.media_type, row.length_bytes, row.offset_bytes, row.expires_at)
    if found.offset_bytes == found.length_bytes:
        _finish(house, actor, found)
    return found


def append(
    house: House,
    actor: Actor,
    upload_id: str,
    *,
    offset_bytes: int,
    take: Callable[[int], bytes],
    checksum: tuple[str, bytes] | None = None,
) -> Upload:
    """Take in what arrives from ``offset_bytes`` on; whatever arrived before the line broke counts.

    Parameters
    ----------
    take : gives at most so many bytes, b"" at the end; an OSError means that the line broke
    checksum : (algorithm, digest) of exactly this piece; where it differs nothing of the piece counts

    Raises
    ------
    OffsetDiffers
        The upload stands elsewhere, or another request went on with it meanwhile.
    HashDiffers
        The piece (nothing of it counts), or the whole file at its end (the upload is gone).
    InvalidInput
        More bytes than were announced; or, at the end, no picture, and the upload is gone.
    """
    found = progress(house, actor, upload_id)
    if found.offset_bytes != offset_bytes:
        raise OffsetDiffers(f"the upload goes on at byte {found.offset_bytes}")
    if offset_bytes == found.length_bytes:
        return found
    folder = _spool(house, upload_id).parent
    folder.mkdir(mode=0o700, exist_ok=True)
    # A request that hangs on a broken line must not hold up the one that goes on: each has a file of its own.
    with tempfile.TemporaryFile(dir=folder) as piece:
        end = offset_bytes + _receive(piece, take, checksum, found.length_bytes - offset_bytes)
        with write(house.engine) as connection:
            if not store.advance_upload(connection, actor.community_id, upload_id, before=offset_bytes, after=end):
                raise OffsetDiffers("another request went on with this upload")
            _join(_spool(house, upload_id), piece, offset_bytes)
    return progress(house, actor, upload_id)


def _receive(piece: IO[bytes], take: Callable[[int], bytes], checksum: tuple[str, bytes] | None, room: int) -> int:
    """Write what arrives into ``piece``; how many bytes that were."""
    digest, size = hashlib.new(checksum[0]) if checksum else None, 0
    try:
        while part := take(_CHUNK):
            size += len(part)
            if size > room:
                raise InvalidInput("more bytes than were announced")
            piece.write(part)
            if digest is not None:
                digest.update(part)
    except OSError:
        if digest is not None:
            raise HashDiffers("the line broke before the piece was whole") from None
    if digest is not None and checksum is not None and digest.digest() != checksum[1]:
        raise HashDiffers("this piece is not what its checksum says")
    return size


def _join(path: Path, piece: IO[bytes], offset_bytes: int) -> None:
    """Write a piece behind what has arrived before; bytes that a crash left there are written over."""
    piece.seek(0)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        file.seek(offset_bytes)
        shutil.copyfileobj(piece, file)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _finish(house: House, actor: Actor, found: Upload) -> None:
    """Check the whole, leave out what tells places, seal and keep it. Done twice it changes nothing."""
    path, community_id = _spool(house, found.upload_id), actor.community_id
    try:
        content = path.read_bytes()[: found.length_bytes]
    except FileNotFoundError:
        with read(house.engine) as connection:
            if store.blob_of(connection, community_id, found.sha256) is not None:
                return
        content = b""  # a restored database knows of it, and its bytes are gone: it is begun anew
    try:
        if hashlib.sha256(content).hexdigest() != found.sha256:
            raise HashDiffers("the file is not the one that was announced")
        kept = without_places(content, found.media_type)
    except (HashDiffers, InvalidInput):
        with write(house.engine) as connection:
            store.drop_upload(connection, community_id, found.upload_id)
        path.unlink(missing_ok=True)
        raise
    _keep(house, community_id, _install(actor), found.sha256, found.media_type, kept)
    path.unlink(missing_ok=True)


def keep_photo(house: House, actor: Actor, content: bytes, media_type: str) -> str:
    """Keep a photo that arrived whole, as one that was uploaded by the install of ``actor``; its name.

    Raises
    ------
    InvalidInput
        No whole picture of this type.
    BodyTooLarge
        More bytes than this house takes.
    """
    if len(content) > house.settings.max_blob_bytes:
        raise BodyTooLarge(f"a photo has at most {house.settings.max_blob_bytes} bytes")
    sha256 = hashlib.sha256(content).hexdigest()
    _keep(house, actor.community_id, _install(actor), sha256, media_type, without_places(content, media_type))
    return sha256


def _keep(house: House, community_id: str, install_id: str, sha256: str, media_type: str, kept: bytes) -> None:
    """Seal the bytes and note who has them. Done twice, or by two at once, it changes nothing."""
    at, made = stamp(house.clock()), None
    with read(house.engine) as connection:
        known = store.blob_of(connection, community_id, sha256)
    if known is None:
        plain, wrapped = house.keys.new_data_key()
        file, digest = blob_store.new_file(house, community_id, sha256), hashlib.sha256(kept).hexdigest()
        # The file before the row, and while nobody waits: a row always has its file. What a crash leaves between is swept (`blob_leftovers`).
        with write(house.engine) as connection:
            store.begin_file(connection, community_id, file, at)
        blob_store.put(house, file, seal(cipher(plain), kept))
        made = (community_id, sha256, media_type, len(kept), digest, at, file, wrapped)
    with write(house.engine) as connection:
        # A move out of here happens before or after, never at once: one of the two sees the other and takes the photo along.
        reading.lock_placement(connection, community_id, exclusive=False)
        stands = made and store.add_blob(connection, made)
        if stands and stands.file == file and not store.end_file(connection, community_id, file):
            raise StorageUnreachable("this photo took a day to arrive in the storage; it is to be sent again", retry_after_s=30)
        store.add_holders(connection, community_id, [(sha256, install_id, store.UPLOADED)], at)
        photos_along.follow(connection, house, community_id, install_id, sha256, at)
    if stands and stands.file != file:  # another was faster
        blob_store.drop(house, file)


def held_by_phone(house: House, community_id: str, names: Sequence[str]) -> dict[str, list[str]]:
    """What becomes of photos that a phone holds.

    Returns
    -------
    dict
        ``blobs_missing``: the house does not have them, they are to be uploaded (again); ``blobs_safe``: they are in the two newest
        verified backups, the phone may let go of them (S26).
    """
    with read(house.engine) as connection:
        there = store.stored_among(connection, community_id, list(names))
        safe = store.backed_up(connection, community_id, list(names))
    return {"blobs_missing": sorted(set(names) - there), "blobs_safe": sorted(safe)}


def sweep_uploads(house: House) -> None:
    """Forget uploads past their time, with what had arrived of them."""
    with read(house.engine) as connection:
        late = store.expired_uploads(connection, stamp(house.clock()))
    for community_id, upload_id in late:
        with write(house.engine) as connection:
            store.drop_upload(connection, community_id, upload_id)
        _spool(house, upload_id).unlink(missing_ok=True)


# ---------------------------------------------------------------- giving
def fetch(house: House, actor: Actor, scope: Scope, sha256: str, look: Look) -> Photo:
    """A photo that this actor has uploaded, or that a record in their scope shows now.

    Raises
    ------
    NotFound
        There is none, or none that the actor may see: which of them is not told.
    """
    community_id = actor.community_id
    with read(house.engine) as connection:
        row = store.blob_of(connection, community_id, sha256)
        had = store.holders(connection, community_id, [sha256]).get(sha256, {}) if row is not None else {}
        own = actor.install_id in had.get(store.UPLOADED, ())
        shown = None if own or row is None else _showing(connection, house, scope, community_id, sha256, had)
    if row is None or row.wrapped_key is None or not (own or shown):
        raise NotFound("there is no such photo within your scope")
    if shown is not None and shown[2] in PERSONAL:
        note(house, look, scope=scope.describe(), record_type=shown[0], record_id=shown[1], fields=(store.PHOTOS,), count=1)
    sealed = blob_store.get(house, row.file)
    if sealed is None:
        raise StorageUnreachable("the file of this photo is not in the storage")
    try:
        content = unseal(cipher(house.keys.unwrap(row.wrapped_key)), sealed)
    except WrongKey as error:
        raise StorageUnreachable("the file of this photo is not the one that was kept") from error
    if shown is not None and actor.install_id is not None:
        with write(house.engine) as connection:
            photos_along.note_reading(connection, house, community_id, actor.install_id, sha256, shown[1], stamp(house.clock()))
    return Photo(content, row.media_type, row.kept_sha256)


def _showing(
    connection: Any, house: House, scope: Scope, community_id: str, sha256: str, had: Mapping[str, set[str]]
) -> tuple[str, str, str] | None:
    """(type, id, privacy class) of a record in the scope where somebody has named the photo whose word counts there."""
    key = house.keys.search_key(store.PHOTOS, sha256)
    for row in store.referring(connection, scope, community_id, key):
        spec = house.registry.latest(row.type).fields.get(store.PHOTOS)
        if spec is None or (scope.fields != "all" and spec.privacy in PERSONAL):
            continue
        if photos_along.counts(connection, community_id, row.id, had):
            return row.type, row.id, spec.privacy
    return None


def _install(actor: Actor) -> str:
    if actor.install_id is None:
        raise ValueError("an upload belongs to an install")
    return actor.install_id


def _spool(house: House, upload_id: str) -> Path:
    return house.settings.data_dir / "uploads" / upload_id
