"""Whose word about a photo counts, and how photos go along to another community of the house (S30, S26).

A reference opens a photo only where it was written by somebody who had uploaded it or could read it then. Who could read it only
is noted by record: where they have read it, and where they have named it while they could. A record that leaves their scope takes the
photo with it.

Photos are noted by community, sealed under a key of their own that the key of the house wraps: the other community has the same file and key.
With them goes whose word counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from server.store import blobs, crossings, installs
from server.store import push as reading

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection
    from sync.memory import Prepared, Writer
    from sync.record import Record


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
        values = (to_community, name, row.media_type, row.size_bytes, row.kept_sha256, at, row.file, row.wrapped_key)
        if blobs.add_blob(connection, values).wrapped_key is None:
            continue
        had = blobs.holders(connection, from_community, [name]).get(name, {})
        held = {
            (name, install_id, record_id)
            for record_id, whose in had.items()
            for install_id in installs.with_relatives(connection, from_community, whose)
        }
        for one in shown_by[name]:
            trusted = _trusted(connection, from_community, one, had)
            pairs = blobs.writers_of_photos(connection, from_community, one)
            held |= {(name, writer, one) for writer, sender in pairs if sender in trusted}
        blobs.add_holders(connection, to_community, held, at)


def follow(connection: Connection, house: House, community_id: str, install_id: str, name: str, at: str) -> None:
    """Bring a photo that an install has just uploaded to the communities where its work about departed records was decided."""
    key = house.keys.search_key(blobs.PHOTOS, name)
    same = installs.with_relatives(connection, community_id, [install_id])
    for other in crossings.reached_from(connection, community_id):
        pairs = [pair for one in blobs.showing(connection, other, key) for pair in blobs.writers_of_photos(connection, other, one, home=community_id)]
        known = {writer for writer, sender in pairs if sender in same}
        if known:
            bring(connection, house, community_id, other, {name: ()}, at)
        # who took its log over has brought it what it wrote of
        blobs.add_holders(connection, other, {(name, writer, blobs.UPLOADED) for writer in known}, at)


def counts(connection: Connection, community_id: str, record_id: str, had: Mapping[str, set[str]]) -> bool:
    """Whether somebody has named a photo in this record whose word counts there: ``had`` is by record who has, as `store.blobs.holders` gives it.

    Installs and their forks are one, and so is who has sent the very operation, having taken a log over (S21, C10).
    """
    trusted = _trusted(connection, community_id, record_id, had)
    return bool(trusted) and any(sender in trusted for _, sender in blobs.writers_of_photos(connection, community_id, record_id))


def _trusted(connection: Connection, community_id: str, record_id: str, had: Mapping[str, set[str]]) -> set[str]:
    whose = had.get(blobs.UPLOADED, set()) | had.get(record_id, set())
    return installs.with_relatives(connection, community_id, whose) if whose else whose


def note_reading(connection: Connection, house: House, community_id: str, install_id: str, name: str, shown_by: str, at: str) -> None:
    """An install has read a photo in a record of its scope: what it said of it before, when the photo had not arrived yet, counts too."""
    same = installs.with_relatives(connection, community_id, [install_id])
    showing = blobs.showing(connection, community_id, house.keys.search_key(blobs.PHOTOS, name))
    written = {one for one in showing if any(writer in same for writer, _ in blobs.writers_of_photos(connection, community_id, one))}
    blobs.add_holders(connection, community_id, {(name, install_id, one) for one in written | {shown_by}}, at)


def note_references(
    connection: Connection, house: House, community_id: str, groups: Iterable[Iterable[Prepared]], writer: Writer, at: str
) -> None:
    """Of operations that arrive: note where they name photos that their author did not upload and could read when they were written.

    That is a photo which a record of their scope shows, or which they have read in a record that was in their scope when they wrote (S18).
    """
    named = [
        (prepared.n, prepared.operation.id, photos)
        for group in groups
        for prepared in group
        if prepared.operation is not None and blobs.PHOTOS in prepared.values and (photos := named_in(prepared.values))
    ]
    if not named:
        return
    names = sorted(set[str]().union(*(photos for *_, photos in named)))
    had = blobs.holders(connection, community_id, names)
    same = installs.with_relatives(connection, community_id, [writer.install_id])
    foreign = [one for one in names if had.get(one) and same.isdisjoint(had[one].get(blobs.UPLOADED, ()))]
    if not foreign:
        return
    shown = {name: blobs.showing(connection, community_id, house.keys.search_key(blobs.PHOTOS, name)) for name in foreign}
    read = {name: {one for one, whose in had[name].items() if one and not same.isdisjoint(whose)} for name in foreign}
    wanted = sorted({one for name in foreign for one in (*shown[name], *read[name])})
    records, _ = reading.load_records(connection, community_id, wanted)
    been = reading.ledger_homes(connection, community_id, wanted) if writer.scope is not None else {}
    kept = set()
    for n, record_id, photos in named:
        for name in photos & set(foreign):
            sources: list[tuple[Record, Mapping[str, frozenset[str]]]]
            sources = [
                (records[one], {})
                for one in shown[name]
                if one in records and records[one].life == "live" and counts(connection, community_id, one, had[name])
            ]
            sources += [(records[one], been) for one in read[name] if one in records]
            if any(_saw(writer, record, n, where) for record, where in sources):
                kept.add((name, writer.install_id, record_id))
    blobs.add_holders(connection, community_id, kept, at)


def _saw(writer: Writer, record: Record, n: int, been: Mapping[str, frozenset[str]]) -> bool:
    """Whether operation ``n`` was written with this record in its author's scope; ``been`` is where it may have been meanwhile."""
    return writer.scope is None or replace(writer.scope, been=been).allows(record, n, writer.chain)
