"""The lives of a database (S25): a copy that was put back by hand is noticed by what phones were told, and begins a new one.

A receipt is what a push answers and the next one shows: signed, so that only what this house really acknowledged counts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from server.services.carry import ENGINE_VERSION
from server.store import crossings, writing
from server.store import push as reading
from server.store.backup import number_given
from server.store.database import next_journal_number, stamp, write
from server.store.errors import CopiedBack
from server.store.life import begin_next_life, has_entry, newest_entry
from server.store.life import epoch as present_epoch
from server.store.writing import finding_id
from sync.memory import Found

if TYPE_CHECKING:
    from server.house import House
    from server.services.push import Sender
    from server.store.database import Connection
    from sync.cursor import Cursor

LOG = logging.getLogger("dishu.lives")
COPIED_BACK = "copied_back"
MISSING = "missing"
_SYSTEM = "~system"
_MARK_BYTES = 16


def receipt(house: House, install_id: str, epoch: str | None, n: int) -> str:
    """A signed text: in this life of the database the install was acknowledged up to n."""
    raw = orjson.dumps([install_id, epoch, n])
    return base64.urlsafe_b64encode(_mark(house, raw) + raw).decode()


def acknowledged(house: House, install_id: str, text: str | None) -> tuple[str | None, int]:
    """(epoch, n) of a receipt of this install; (None, 0) for anything else: an unreadable receipt proves nothing."""
    try:
        content = base64.urlsafe_b64decode((text or "").encode())
        mark, raw = content[:_MARK_BYTES], content[_MARK_BYTES:]
        if house.keys.is_signed(mark, b"receipt\0" + raw, _MARK_BYTES):
            named, epoch, n = orjson.loads(raw)
            if named == install_id:
                return epoch, int(n)
    except (ValueError, TypeError):
        pass
    return None, 0


def check_acknowledged(connection: Connection, shown: tuple[str | None, int], last_n: int) -> None:
    """CopiedBack when a receipt of the present life is ahead of what the database has."""
    was, n = shown
    if n > last_n and was == present_epoch(connection):
        raise CopiedBack(was, "operations", n, last_n)


def note_departures(connection: Connection, sender: Sender, told: tuple[str, int], taken: Sequence[tuple[str, int, int]], noted: int) -> None:
    """Write down which departures a phone knows of, where that is news; what it read in another life says nothing here (S30).

    Nor does a number that this house has not come to yet. The same departures with a larger n: it took another phone's work over. ``taken``
    says which part of its log that is, also where it has read of newer departures since, and what that phone had read when it wrote it.
    """
    if taken:
        given, life = number_given(connection), present_epoch(connection)
        spans = [(_seen(text, life), after, last_n) for text, after, last_n in taken]
        crossings.note_taken(connection, sender.community_id, sender.install_id, [one for one in spans if 0 < one[0] <= given])
        crossings.raise_told(connection, sender.community_id, sender.install_id, max(last_n for _, _, last_n in spans))
    seen = _seen(told[0], present_epoch(connection)) if told[0] else 0
    if seen < max(noted, 1):
        return
    if seen == noted:
        crossings.raise_told(connection, sender.community_id, sender.install_id, told[1])
    elif seen <= number_given(connection):
        crossings.note_told(connection, sender.community_id, sender.install_id, seen, told[1])


def _seen(text: str, life: str | None) -> int:
    """The newest departure that a phone names; 0 where it was of another life, or is no such text."""
    epoch, _, number = text.rpartition(":")
    return int(number) if epoch == life and number.isascii() and number.isdigit() and len(number) < 16 else 0


def check_cursor(connection: Connection, community_id: str, cursor: Cursor, seq: Mapping[str, int], last_n: int) -> None:
    """CopiedBack when a signed cursor of the present life is ahead of a stream, or of what the install had consumed, or read a journal
    with an entry that this one does not have: numbers that were lost are given again, the entries that had them do not come back.
    """
    if cursor.head > last_n:
        raise CopiedBack(cursor.epoch, "operations", cursor.head, last_n)
    for stream_id, read_to in cursor.streams.items():
        if read_to > seq.get(stream_id, read_to):
            raise CopiedBack(cursor.epoch, "stream", read_to, seq[stream_id])
    if cursor.journal is not None and not has_entry(connection, community_id, *cursor.journal):
        newest = newest_entry(connection, community_id)
        raise CopiedBack(cursor.epoch, "journal", cursor.journal[0], newest[0] if newest else 0)


def _mark(house: House, raw: bytes) -> bytes:
    return hmac.new(house.keys.signing, b"receipt\0" + raw, hashlib.sha256).digest()[:_MARK_BYTES]


def begin_again(house: House, community_id: str, install_id: str, seen: CopiedBack) -> None:
    """Begin a new life, write it into the journal, and tell the community; nothing where somebody else did it just now."""
    new, at = house.new_id(), stamp(house.clock())
    with write(house.engine) as connection:
        if not begin_next_life(connection, new, at, was=seen.was):
            return
        said = {"epoch": new, "was": seen.was, "noticed": seen.what, "known": seen.known, "found": seen.found}
        number = journal_life(connection, at, COPIED_BACK, said, community_id=community_id, install_id=install_id)
        writing.write_findings(connection, community_id, [Found(COPIED_BACK, new, install_id, ())], number, at)
    LOG.warning("an older copy of the database was put back: a new life begins, phones offer again what it lacks")


# ---------------------------------------------------------------- what nobody has any more
def pass_over(
    connection: Connection, house: House, sender: Sender, last: tuple[int, Any], after: tuple[int, str]
) -> None:
    """A range that this database lost and the phone has forgotten, being safe: written down as missing, and gone past."""
    number, at = next_journal_number(connection), stamp(house.clock())
    effects = {"records": {}, "streams": {}, "missing": [last[0] + 1, *after]}
    writing.insert_journal(
        connection,
        (
            sender.community_id, number, MISSING, at, sender.user_id or _SYSTEM, sender.install_id, sender.source,
            ENGINE_VERSION, "{}", orjson.dumps(effects).decode(),
        ),
    )  # fmt: skip
    writing.write_findings(connection, sender.community_id, [_missing(sender.install_id, after)], number, at)
    writing.advance_install(connection, sender.community_id, sender.install_id, *after, at, None)


def was_passed_over(connection: Connection, sender: Sender, after: tuple[int, str | None]) -> bool:
    """Whether this number is the end of a range that was written down as missing."""
    one = finding_id(_missing(sender.install_id, after))
    return bool(reading.findings_known(connection, sender.community_id, [one]))


def _missing(install_id: str, after: tuple[int, str | None]) -> Found:
    return Found("missing_range", f"{after[0]}/{after[1]}", install_id, ())


# ---------------------------------------------------------------- the journal
def journal_life(
    connection: Connection, at: str, command: str, said: dict[str, Any], *, community_id: str = "~house",
    install_id: str = _SYSTEM,
) -> int:  # fmt: skip
    """The journal entry of a new life (S27); its number."""
    number = next_journal_number(connection)
    writing.insert_journal(
        connection,
        (
            community_id, number, command, at, _SYSTEM, install_id, "system", ENGINE_VERSION,
            orjson.dumps(said).decode(), orjson.dumps({"records": {}, "streams": {}}).decode(),
        ),
    )  # fmt: skip
    return number
