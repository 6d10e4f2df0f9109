"""Answering a pull: one page from one snapshot, streams in rotation, conclusions only when complete (S19–S24)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import NotFound
from server.permissions import Projection
from server.services import snapshots
from server.services.asked import mark_of
from server.services.audit import Look, note
from server.services.lives import begin_again, check_cursor
from server.services.scope import REFERENCE, InstallScope, install_scope, settle_expired
from server.services.snapshots import Ready
from server.store import crossings
from server.store import pull as store
from server.store.backup import standing
from server.store.database import read
from server.store.errors import CopiedBack
from server.store.life import epoch, newest_entry
from sync.cursor import FIRST_PAGE_ROWS, LAST_PAGE_ROWS, Cursor
from sync.digest import ZERO_DIGEST
from sync.errors import MalformedCursor
from sync.feedrows import PUT, REMOVE, STATUS

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

PAGE_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Reader:
    """Which phone asks, and for whom."""

    community_id: str
    install_id: str
    user_id: str | None
    role: str


@dataclass(slots=True)
class _Page:
    rows: list[Any]
    bytes: int = 0

    def room(self, limit: int) -> int:
        return 0 if self.bytes >= PAGE_BYTES else limit - len(self.rows)


def pull(
    house: House,
    reader: Reader,
    cursor_text: str | None,
    look: Look,
    *,
    limit: int | None = None,
    replace: tuple[str, ...] = (),
    prepared: bool = False,
) -> dict[str, Any]:
    """One page of everything the install follows.

    Parameters
    ----------
    cursor_text : what the last page gave; None reads every stream from zero
    look : who asks; the first page of a pull is written into the audit log before anything is given (L11)
    limit : at most this many rows, for phones that want small pages
    replace : streams whose copies the phone doubts, to be read from zero again
    prepared : the phone takes prepared files: ``snapshots`` of the answer names those that stand for the beginning of a stream; the
        rest of the stream follows as rows

    Raises
    ------
    MalformedCursor
        Not a cursor that this house made for this install.
    """
    settle_expired(house, reader.community_id, reader.user_id if reader.role == "grid_worker" else None)
    try:
        answer, waiting, begins, seen = _snapshot(house, reader, cursor_text, limit, set(replace), prepared)
    except CopiedBack as back:
        begin_again(house, reader.community_id, reader.install_id, back)
        answer, waiting, begins, seen = _snapshot(house, reader, cursor_text, limit, set(replace), prepared)
    if begins and waiting:
        count, streams = sum(waiting.values()), ",".join(sorted(waiting))
        note(house, look, scope=f"streams={streams}", community_id=reader.community_id, fields=(seen.name,), count=count)
    return answer


def _snapshot(
    house: House, reader: Reader, cursor_text: str | None, limit: int | None, replace: set[str], prepared: bool
) -> tuple[dict[str, Any], dict[str, int], bool, Projection]:
    """The answer, what waits in record streams, whether a pull begins with this page, and what the phone sees of a record."""
    ready = _ready(house, reader) if prepared and cursor_text is None else {}
    with read(house.engine) as connection:
        life = epoch(connection) or ""
        head = store.install_head(connection, reader.community_id, reader.install_id)
        if head is None:
            raise NotFound("there is no such install")
        scope = install_scope(connection, house, reader.community_id, reader.user_id, reader.role)
        cursor, rebuilt = _cursor(house, reader, cursor_text, life, scope.projection.name)
        begins = cursor.turn == 0 or bool(replace)
        answer, waiting = _page(connection, house, reader, scope, cursor, rebuilt, limit, replace, head, life, ready)
    return answer, waiting, begins, scope.projection


def scope_of_reader(house: House, reader: Reader) -> tuple[frozenset[str], Projection]:
    """The record streams that an install follows now, and what it sees of their records."""
    with read(house.engine) as connection:
        scope = install_scope(connection, house, reader.community_id, reader.user_id, reader.role)
    return scope.streams - {REFERENCE}, scope.projection


def _ready(house: House, reader: Reader) -> dict[str, Ready]:
    """Prepared files for the streams of an install, made now where there are none."""
    streams, projection = scope_of_reader(house, reader)
    found = (snapshots.ready(house, reader.community_id, one, projection) for one in sorted(streams))
    return {one.stream: one for one in found if one is not None}


def _cursor(house: House, reader: Reader, text: str | None, life: str, projection: str) -> tuple[Cursor, bool]:
    """The cursor, and whether everything is read anew: at first, in another life, under another projection (S23)."""
    new = Cursor(reader.install_id, life, 0, projection)
    if text is None:
        return new, False
    cursor = Cursor.from_text(unsign(house, text))
    if cursor.install_id != reader.install_id:
        raise MalformedCursor("the cursor of another install")
    if cursor.epoch != life or cursor.projection != projection:
        return new, True
    return cursor, False


def _page(
    connection: Connection,
    house: House,
    reader: Reader,
    scope: InstallScope,
    cursor: Cursor,
    rebuilt: bool,
    limit: int | None,
    replace: set[str],
    head: Any,
    life: str,
    ready: Mapping[str, Ready],
) -> tuple[dict[str, Any], dict[str, int]]:
    """The answer, and how many rows of which record streams this pull is about to give."""
    own = f"install/{reader.install_id}"
    wanted = [own, *sorted(scope.streams)]
    counters = store.counters(connection, reader.community_id, wanted)
    nothing = (0, 0, ZERO_DIGEST, 0)
    seq = {one: counters.get(one, nothing)[0] for one in wanted}
    check_cursor(connection, reader.community_id, cursor, seq, int(head.last_n))
    held = set(cursor.streams)
    added, dropped = [one for one in wanted if one not in held], sorted(held - set(wanted))
    for one in dropped:
        cursor.streams.pop(one, None)
        cursor.fresh.pop(one, None)
    floors = {one for one in held - set(cursor.fresh) if cursor.streams.get(one, 0) < counters.get(one, nothing)[3]}
    again = (replace & held) | floors
    for one in [*added, *sorted(again)]:
        cursor.streams[one] = 0
        cursor.fresh[one] = seq[one]
    waiting = {one: seq[one] - cursor.streams[one] for one in wanted if one not in (own, REFERENCE)}
    waiting = {one: count for one, count in waiting.items() if count > 0}
    used = {one: found for one, found in ready.items() if one in added and found.projection == scope.projection and counters[one][3] <= found.seq <= seq[one]}
    for one, found in used.items():
        cursor.streams[one] = cursor.fresh[one] = found.seq
    most = min(limit or LAST_PAGE_ROWS, cursor.rows)
    page = _Page([])
    others = wanted[1:]
    turn = cursor.turn % max(1, len(others))
    for one in [own, *others[turn:], *others[:turn]]:
        _read_stream(connection, reader, scope.projection, one, seq[one], cursor, page, most)
    complete = all(cursor.streams[one] >= seq[one] for one in wanted)
    cursor.turn = 0 if complete else cursor.turn + 1
    cursor.rows = FIRST_PAGE_ROWS if complete else min(LAST_PAGE_ROWS, cursor.rows * 2)
    if complete:
        cursor.fresh.clear()
    cursor.scope_version, cursor.head, cursor.journal = scope.version, int(head.last_n), newest_entry(connection, reader.community_id)
    answer: dict[str, Any] = {
        "epoch": life,
        "cursor": sign(house, cursor.to_text()),
        "complete": complete,
        "scope": {
            "version": scope.version,
            "streams": wanted,
            "added": added if held else [],
            "dropped": dropped,
        },
        "replace": wanted if rebuilt else sorted(again),
        "rows": page.rows,
    }
    begun = {*added, *again} - {own}
    if begun:
        answer["coming_count"] = sum(counters.get(one, nothing)[1] for one in begun)
    if used:
        answer["snapshots"] = snapshots.offered(used)
    if complete:
        answer["streams"] = {
            one: {"seq": seq[one], "count": counters.get(one, nothing)[1], "digest": counters.get(one, nothing)[2]}
            for one in wanted
        }
        answer["applied"] = {"n": int(head.last_n), "op_id": head.last_op_id}
        answer["departures"] = f"{life}:{crossings.newest(connection, reader.community_id)}"
        answer["asked"] = mark_of(connection, reader.community_id, reader.user_id, scope)
        _, answer["safe_n"] = standing(connection, reader.community_id, reader.install_id)
    return answer, waiting


def _read_stream(
    connection: Connection,
    reader: Reader,
    projection: Projection,
    stream_id: str,
    end: int,
    cursor: Cursor,
    page: _Page,
    most: int,
) -> None:
    room = page.room(most)
    after = cursor.streams[stream_id]
    if room <= 0 or after >= end:
        return
    rows = store.stream_rows(
        connection, reader.community_id, stream_id, after, room, cursor.fresh.get(stream_id, 0), projection
    )
    asked = [row[1] for row in rows if row[2] == STATUS]
    became = store.statuses(connection, reader.community_id, asked) if asked else {}
    append, fragment = page.rows.append, orjson.Fragment
    read_to, size = end, 0
    for row in rows:
        seq, record_id, kind, reason, v, tag, put = row
        if kind == PUT:
            append(fragment(put))
            size += len(put) if isinstance(put, bytes) or put.isascii() else len(put.encode())
            if page.bytes + size >= PAGE_BYTES:
                read_to = seq
                break
        elif kind == REMOVE:
            append({"stream": stream_id, "seq": seq, "kind": REMOVE, "reason": reason, "id": record_id, "v": v, "tag": tag})
        else:
            append(_status(stream_id, seq, record_id, v, became.get(record_id)))
    page.bytes += size
    if read_to == end and len(rows) == room:
        read_to = int(rows[-1][0])  # there may be more
    cursor.streams[stream_id] = read_to


def _status(stream_id: str, seq: int, op_id: str, status: int, row: Any) -> dict[str, Any]:
    """What became of an operation since it was answered."""
    return {
        "stream": stream_id,
        "seq": seq,
        "kind": STATUS,
        "op_id": op_id,
        "status": status,
        "outcome": row.now if row is not None else None,
        "reason": row.now_reason if row is not None else None,
        "record": {"id": row.entered_id or row.record_id, "v": row.v, "tag": row.tag} if row is not None and row.v is not None else None,
        "errors": orjson.loads(row.detail) if row is not None and row.detail else [],
    }


def sign(house: House, text: str) -> str:
    """The text with a keyed mark, safe in JSON."""
    raw = text.encode()
    mark = hmac.new(house.keys.signing, b"cursor\0" + raw, hashlib.sha256).digest()[:16]
    return base64.urlsafe_b64encode(mark + raw).decode()


def unsign(house: House, text: str) -> str:
    """The text that ``sign`` was given; MalformedCursor when the mark is not ours."""
    try:
        content = base64.urlsafe_b64decode(text.encode())
    except (ValueError, UnicodeError) as error:
        raise MalformedCursor("not a cursor") from error
    mark, raw = content[:16], content[16:]
    if not house.keys.is_signed(mark, b"cursor\0" + raw, 16):
        raise MalformedCursor("not a cursor of this house")
    return raw.decode()
