"""Photos go where the records go that show them, to another community of the house too (S30, S26).

They are stored by community, sealed under a key of their own that the key of the house wraps: the bytes are copied as they are. With
them goes who has had them, because a reference counts only where somebody wrote it who had the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from server.services import blob_store
from server.store import blobs, crossings, installs

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection


def named_in(fields: Mapping[str, Any]) -> set[str]:
    """SHA-256 of the photos that values name: of a record, or what an operation adds; what it takes away is not among them."""
    value = fields.get(blobs.PHOTOS)
    if isinstance(value, Mapping):
        value = value.get("add")
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()


def bring(
    connection: Connection, house: House, from_community: str, to_community: str, shown_by: Mapping[str, Iterable[str]], at: str
) -> None:
    """Let another community have these photos too, each with the records that show it there and had a past here.

    Done twice it changes nothing; one that was erased in either stays so. Whose work somebody took over who has the bytes counts as having
    them from now on: the operations by which that is seen stay here.

    Names of which nothing has arrived yet are left out: `follow` brings them once they have.
    """
    for name in sorted(shown_by):
        row = blobs.blob_of(connection, from_community, name)
        if row is None or row.wrapped_key is None:
            continue
        present = blobs.blob_of(connection, to_community, name)
        if present is None:
            content = blob_store.get(house, from_community, name)
            if content is None:
                continue
            blob_store.put(house, to_community, name, content)
            values = (to_community, name, row.media_type, row.size_bytes, row.kept_sha256, at, row.wrapped_key)
            blobs.add_blob(connection, values)
        elif present.wrapped_key is None:
            continue
        had = installs.with_relatives(connection, from_community, blobs.holders(connection, from_community, name))
        pairs = {pair for one in shown_by[name] for pair in blobs.writers_of_photos(connection, from_community, one)}
        for install_id in sorted(had | {writer for writer, sender in pairs if sender in had}):
            blobs.add_holder(connection, to_community, name, install_id, at)


def follow(connection: Connection, house: House, community_id: str, install_id: str, name: str, at: str) -> None:
    """Bring a photo that an install has just uploaded to the communities where its work about departed records was decided."""
    key = house.keys.search_key(blobs.PHOTOS, name)
    same = installs.with_relatives(connection, community_id, [install_id])
    for other in crossings.reached_from(connection, community_id):
        pairs = [pair for one in blobs.showing(connection, other, key) for pair in blobs.writers_of_photos(connection, other, one, home=community_id)]
        known = {writer for writer, sender in pairs if sender in same}
        if known:
            bring(connection, house, community_id, other, {name: ()}, at)
        for writer in sorted(known):  # who took its log over has brought it what it wrote of
            blobs.add_holder(connection, other, name, writer, at)
