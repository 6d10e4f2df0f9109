"""Photos in a backup: one line each, sealed as they are in the storage (S26)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from server.sealing import WrongKey, cipher, unseal
from server.services import blob_store
from server.services.archive import ArchiveDamaged
from server.store import blobs as store

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

MEMBER = "~blobs"
COLUMNS = [("file", "text"), ("sealed", "bytes")]


def blob_lines(house: House, connection: Connection) -> Iterator[bytes]:
    """The files of all blobs in this snapshot. A row whose file is gone has no line: verifying the copy tells it."""
    for file in dict.fromkeys(row.file for row in store.every_blob(connection)):
        sealed = blob_store.get(house, file)
        if sealed is not None:
            yield f"{file}\t{sealed.hex()}\n".encode()


def take_blobs(house: House, blocks: Iterable[bytes]) -> None:
    """Put the files of a backup into the house's storage; those that are there are written again."""
    left = b""
    for block in blocks:
        *lines, left = (left + block).split(b"\n")
        for line in lines:
            file, content = line.decode().split("\t")
            blob_store.put(house, file, bytes.fromhex(content))


def check_blobs(house: House, connection: Connection) -> list[tuple[str, str]]:
    """Open every photo of a restored copy; (community, SHA-256) of each. ArchiveDamaged names the first that is not whole."""
    found = []
    for row in store.every_blob(connection):
        try:
            content = unseal(cipher(house.keys.unwrap(row.wrapped_key)), blob_store.get(house, row.file) or b"")
        except WrongKey:
            content = b""
        if hashlib.sha256(content).hexdigest() != row.kept_sha256:
            raise ArchiveDamaged(f"the photo {row.sha256} of community {row.community_id} is not whole in the copy")
        found.append((row.community_id, row.sha256))
    return found
