"""Files of photos that no row names: what a crash between a file and its row leaves, and what nobody knows of.

Only what this database has begun itself is removed: storage may be shared, and a database that was copied back knows less than its storage.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from server.services import blob_store
from server.store import blobs as store
from server.store.database import read, stamp, write

if TYPE_CHECKING:
    from server.house import House

KEPT = timedelta(days=1)
"""No request lasts as long: whoever has begun a file has ended it by then, or never will."""


def sweep(house: House) -> None:
    """Remove files that were begun more than a day ago and that no row has come to name.

    A file is given up first, so that whoever would still end it is told to begin anew; where the storage is away it goes at the next round.
    """
    before = stamp(house.clock() - KEPT)
    with read(house.engine) as connection:
        late = store.late_files(connection, before)
    for community_id, file in late:
        with write(house.engine) as connection:
            given_up = store.give_up(connection, community_id, file, before)
            named = file in store.named_files(connection, [_sha256_of(file)])
        if given_up and not named:
            blob_store.drop(house, file)
        with write(house.engine) as connection:
            store.forget_file(connection, community_id, file)


def unnamed(house: House, community_id: str | None = None) -> Iterator[str]:
    """Files in the storage, more than a day old, that no row names: nobody can open them. Of one community, or of all.

    Raises
    ------
    StorageUnreachable
    """
    begins = f"{community_id}/" if community_id is not None else ""
    for page in blob_store.files(house):
        late = [file for file, at in page if at < house.clock() - KEPT and file.startswith(begins)]
        with read(house.engine) as connection:
            named = store.named_files(connection, sorted({_sha256_of(file) for file in late})) if late else set()
        yield from (file for file in late if file not in named)


def _sha256_of(file: str) -> str:
    return file.rsplit("/", 1)[-1].partition(".")[0]
