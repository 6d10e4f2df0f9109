"""Rows of photos, of uploads under way and of who has held what. No file is touched here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import backup_blob, begun_file, blob, blob_holder, upload
from server.permissions import Scope
from server.store.backup import copies
from server.store.database import insert_rows, rows_of, run
from server.store.scoping import among, record_cut
from server.store.search import found_under

PHOTOS = "photos"
"""The field of every record type that has photos, and the unit that it is."""


# ---------------------------------------------------------------- uploads
def add_upload(connection: Connection, row: Sequence[Any]) -> None:
    """A new upload: community, upload id, SHA-256, media type, length, offset, install, end of its life."""
    columns = ("community_id", "upload_id", "sha256", "media_type", "length_bytes", "offset_bytes", "install_id", "expires_at")
    insert_rows(connection, upload, columns, [row])


def upload_of(connection: Connection, community_id: str, install_id: str, upload_id: str) -> Any | None:
    """An upload of this install; None for any other."""
    return run(
        connection,
        "SELECT upload_id, sha256, media_type, length_bytes, offset_bytes, expires_at FROM upload"
        " WHERE community_id = ? AND upload_id = ? AND install_id = ?",
        (community_id, upload_id, install_id),
    ).first()


def count_uploads(connection: Connection, community_id: str, install_id: str) -> int:
    """Uploads of this install, finished ones that are still remembered too."""
    statement = "SELECT count(*) FROM upload WHERE community_id = ? AND install_id = ?"
    return int(run(connection, statement, (community_id, install_id)).scalar_one())


def advance_upload(connection: Connection, community_id: str, upload_id: str, *, before: int, after: int) -> bool:
    """Note what has arrived; False where another request was faster."""
    statement = "UPDATE upload SET offset_bytes = ? WHERE community_id = ? AND upload_id = ? AND offset_bytes = ?"
    return bool(run(connection, statement, (after, community_id, upload_id, before)).rowcount)


def drop_upload(connection: Connection, community_id: str, upload_id: str) -> None:
    """Forget an upload."""
    run(connection, "DELETE FROM upload WHERE community_id = ? AND upload_id = ?", (community_id, upload_id))


def expired_uploads(connection: Connection, now: str) -> list[Any]:
    """(community, upload id) of uploads past their time."""
    return list(run(connection, "SELECT community_id, upload_id FROM upload WHERE expires_at < ?", (now,)))


# ---------------------------------------------------------------- blobs
def add_blob(connection: Connection, row: Sequence[Any]) -> Any:
    """A stored blob: community, SHA-256, media type, size, SHA-256 of what is kept, time, file, wrapped key.

    Stored twice, also at the same time, the first row stays. The row that stands, as `blob_of`: which file it is and which key opens it.
    """
    columns = ("community_id", "sha256", "media_type", "size_bytes", "kept_sha256", "stored_at", "file", "wrapped_key")
    insert_rows(connection, blob, columns, [row], "ON CONFLICT DO NOTHING")
    return blob_of(connection, row[0], row[1])


def blob_of(connection: Connection, community_id: str, sha256: str) -> Any | None:
    """The row of a blob."""
    return run(
        connection,
        "SELECT media_type, size_bytes, kept_sha256, file, wrapped_key FROM blob WHERE community_id = ? AND sha256 = ?",
        (community_id, sha256),
    ).first()


def stored_among(connection: Connection, community_id: str, names: Sequence[str]) -> set[str]:
    """Of these SHA-256, those that are stored."""
    return {row[0] for row in rows_of(connection, blob, ("sha256",), community_id, "sha256", names)}


def names(connection: Connection, community_id: str) -> frozenset[str]:
    """The SHA-256 of all blobs of a community, erased ones too."""
    return frozenset(row[0] for row in run(connection, "SELECT sha256 FROM blob WHERE community_id = ?", (community_id,)))


def backed_up(connection: Connection, community_id: str, names: Sequence[str]) -> set[str]:
    """Of these SHA-256, those whose files are in both of the two newest verified copies (S26)."""
    newest = [row.backup_id for row in copies(connection)[:2]]
    if len(newest) < 2:
        return set()
    rows = rows_of(connection, backup_blob, ("sha256", "backup_id"), community_id, "sha256", names)
    counted = Counter(row[0] for row in rows if row[1] in newest)
    return {name for name, times in counted.items() if times == 2}


def every_blob(connection: Connection) -> list[Any]:
    """All blobs of the house that are not erased, in order."""
    statement = "SELECT community_id, sha256, kept_sha256, file, wrapped_key FROM blob WHERE wrapped_key IS NOT NULL ORDER BY community_id, sha256"
    return list(run(connection, statement))


def file_to_drop(connection: Connection, community_id: str, sha256: str) -> str | None:
    """The file of an erased blob; None where there is none, or another community still shows it."""
    statement = (
        "SELECT b.file FROM blob b WHERE b.community_id = ? AND b.sha256 = ? AND NOT EXISTS (SELECT 1 FROM community c "
        "JOIN blob o ON o.community_id = c.community_id AND o.sha256 = b.sha256 WHERE o.file = b.file AND o.wrapped_key IS NOT NULL)"
    )
    return run(connection, statement, (community_id, sha256)).scalar_one_or_none()  # type: ignore[no-any-return]


# ---------------------------------------------------------------- files on their way
def begin_file(connection: Connection, community_id: str, file: str, at: str) -> None:
    """Note a file before it is written."""
    insert_rows(connection, begun_file, ("community_id", "file", "begun_at"), [(community_id, file, at)])


def end_file(connection: Connection, community_id: str, file: str) -> bool:
    """A row names the file from now on; False where it was given up meanwhile."""
    statement = "DELETE FROM begun_file WHERE community_id = ? AND file = ? AND begun_at <> ''"
    return bool(run(connection, statement, (community_id, file)).rowcount)


def late_files(connection: Connection, before: str) -> list[Any]:
    """(community, file) of those begun before a time, or given up."""
    return list(run(connection, "SELECT community_id, file FROM begun_file WHERE begun_at < ? ORDER BY community_id, file", (before,)))


def give_up(connection: Connection, community_id: str, file: str, before: str) -> bool:
    """From now on nobody can end this file, begun before a time; False where it was ended meanwhile."""
    statement = "UPDATE begun_file SET begun_at = '' WHERE community_id = ? AND file = ? AND begun_at < ?"
    return bool(run(connection, statement, (community_id, file, before)).rowcount)


def forget_file(connection: Connection, community_id: str, file: str) -> None:
    """A file that was given up is gone."""
    run(connection, "DELETE FROM begun_file WHERE community_id = ? AND file = ? AND begun_at = ''", (community_id, file))


def named_files(connection: Connection, names: Sequence[str]) -> set[str]:
    """The files of blobs with these SHA-256 that somebody can open, in any community."""
    wanted, values = among("b.sha256", names)
    statement = (
        "SELECT b.file FROM community c JOIN blob b ON b.community_id = c.community_id "
        f"WHERE {wanted} AND b.wrapped_key IS NOT NULL"
    )
    return {row[0] for row in run(connection, statement, values)}


# ---------------------------------------------------------------- who may read
UPLOADED = ""
"""In the place of a record: what this install says of the photo counts everywhere."""


def add_holders(connection: Connection, community_id: str, held: Iterable[tuple[str, str, str]], at: str) -> None:
    """(SHA-256, install, record or `UPLOADED`): what the install says of the photo counts there from now on."""
    columns = ("community_id", "sha256", "install_id", "record_id", "since")
    rows = [(community_id, *one, at) for one in sorted(held)]
    if rows:
        insert_rows(connection, blob_holder, columns, rows, "ON CONFLICT DO NOTHING")


def holders(connection: Connection, community_id: str, names: Sequence[str]) -> dict[str, dict[str, set[str]]]:
    """SHA-256 → record, or `UPLOADED` → the installs whose word counts there."""
    found: dict[str, dict[str, set[str]]] = {}
    for row in rows_of(connection, blob_holder, ("sha256", "record_id", "install_id"), community_id, "sha256", names):
        found.setdefault(row[0], {}).setdefault(row[1], set()).add(row[2])
    return found


def referring(connection: Connection, scope: Scope, community_id: str, key: int) -> list[Any]:
    """(id, type) of living records in the scope that are indexed under this key."""
    found: list[Any] = []
    cut, values = record_cut(connection, scope, community_id)
    for record_id in showing(connection, community_id, key):
        statement = f"SELECT r.id, r.type FROM record r WHERE {cut} AND r.id = ? AND r.life = 'live'"
        found += run(connection, statement, (*values, record_id)).all()
    return found


def showing(connection: Connection, community_id: str, key: int) -> list[str]:
    """Ids of the records that are indexed under this key."""
    return [record_id for _, record_id in found_under(connection, community_id, [key])]


def writers_of_photos(connection: Connection, community_id: str, record_id: str, *, home: str | None = None) -> set[tuple[str, str]]:
    """(install whose write of this record's photos stands in its history, install that has sent the very same operation).

    The second is the first itself, or one that took its log over: a fork, or a phone that read a rescue file. ``home`` is the community to
    which they sent it, where that is another one.
    """
    statement = (
        "SELECT DISTINCT h.install_id, h.install_id FROM history h WHERE h.community_id = ? AND h.record_id = ? AND h.units LIKE ? "
        "UNION SELECT h.install_id, o.install_id FROM history h "
        "JOIN operation f ON f.community_id = ? AND f.install_id = h.install_id AND f.n = h.n "
        "JOIN operation o ON o.community_id = f.community_id AND o.op_id = f.op_id AND o.content_hash = f.content_hash "
        "WHERE h.community_id = ? AND h.record_id = ? AND h.units LIKE ?"
    )
    which = (community_id, record_id, f'%"{PHOTOS}"%')
    return {(row[0], row[1]) for row in run(connection, statement, (*which, home or community_id, *which))}
