"""One sealed file: members in order, packed, sealed piece by piece under a key that lies in a file of its own (S28).

File: magic ‖ length ‖ plain head (JSON) ‖ pieces. A piece is length ‖ AES-256-GCM of up to 1 MiB of one zlib stream; its
nonce is its number and whether it is the last, the head is bound to each: pieces cannot be changed, moved, left out or cut
off. Inside: frames of kind ‖ length ‖ content. ``H`` JSON, first; ``T`` JSON, a table begins; ``D`` lines of it; ``E`` JSON,
it ends; ``M`` JSON, last.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.errors import StartError

MAGIC = b"dishu-backup-1\n"
FORMAT = 1
_PIECE = 1 << 20
_BLOCK = 1 << 18
_LEVEL = 3


class ArchiveDamaged(StartError):
    """The file is not a whole archive, or another key sealed it."""


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")


class Writer:
    """Writes an archive to a file that was opened for it."""

    def __init__(self, file: IO[bytes], key: bytes, head: dict[str, Any]) -> None:
        self._file, self._cipher = file, AESGCM(key)
        self._head = orjson.dumps(head | {"format": FORMAT})
        self._packer = zlib.compressobj(_LEVEL)
        self._left = bytearray()
        self._number = 0
        file.write(MAGIC + len(self._head).to_bytes(4, "big") + self._head)

    def json(self, kind: str, content: dict[str, Any]) -> None:
        """One small member."""
        self._frame(kind, orjson.dumps(content))

    def table(self, name: str, columns: list[tuple[str, str]], blocks: Iterable[bytes]) -> dict[str, Any]:
        """A table from blocks of whole lines; what the manifest says of it: ``rows`` and ``sha256``."""
        self.json("T", {"name": name, "columns": columns})
        digest, rows, waiting = hashlib.sha256(), 0, bytearray()
        for block in blocks:
            digest.update(block)
            rows += block.count(b"\n")
            waiting += block
            if len(waiting) >= _BLOCK:
                self._frame("D", bytes(waiting))
                waiting.clear()
        if waiting:
            self._frame("D", bytes(waiting))
        said = {"rows": rows, "sha256": digest.hexdigest()}
        self.json("E", said)
        return said

    def close(self, manifest: dict[str, Any]) -> None:
        """The last member, and the end of the stream; the caller closes the file."""
        self.json("M", manifest)
        self._take(self._packer.flush())
        self._seal(bytes(self._left), last=True)

    def _frame(self, kind: str, content: bytes) -> None:
        self._take(self._packer.compress(kind.encode() + len(content).to_bytes(4, "big")))
        self._take(self._packer.compress(content))

    def _take(self, packed: bytes) -> None:
        self._left += packed
        while len(self._left) > _PIECE:
            self._seal(bytes(self._left[:_PIECE]), last=False)
            del self._left[:_PIECE]

    def _seal(self, plain: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number, last), plain, self._head)
        self._number += 1
        self._file.write(len(sealed).to_bytes(4, "big") + sealed)


def head_of(file: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """The plain head of an archive and its bytes; the file stands behind it."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ArchiveDamaged("this is not a backup of Dishu, or one of a newer version")
    raw = file.read(int.from_bytes(file.read(4), "big") & 0xFFFFFF)
    try:
        head: dict[str, Any] = orjson.loads(raw)
        if head["format"] != FORMAT or not isinstance(head["backup_id"], str):
            raise ArchiveDamaged("this backup has a format that this version does not know")
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ArchiveDamaged("the head of this backup cannot be read") from error
    return head, raw


def _pieces(file: IO[bytes], key: bytes, head: bytes) -> Iterator[bytes]:
    cipher, number, length = AESGCM(key), 0, file.read(4)
    while length:
        sealed = file.read(int.from_bytes(length, "big"))
        length = file.read(4)
        try:
            yield cipher.decrypt(_nonce(number, not length), sealed, head)
        except (InvalidTag, ValueError) as error:
            raise ArchiveDamaged("the backup is damaged or cut off, or this is not its key") from error
        number += 1
    if number == 0:
        raise ArchiveDamaged("the backup ends before it begins")


def _frames(file: IO[bytes], key: bytes, head: bytes) -> Iterator[tuple[str, bytes]]:
    unpacker, plain = zlib.decompressobj(), bytearray()
    for piece in _pieces(file, key, head):
        packed = piece
        while packed:  # a bounded part at a time: what is packed small may be large
            plain += unpacker.decompress(packed, _PIECE)
            packed = unpacker.unconsumed_tail
            while len(plain) >= 5 and len(plain) >= (end := 5 + int.from_bytes(plain[1:5], "big")):
                yield chr(plain[0]), bytes(plain[5:end])
                del plain[:end]
    if plain or not unpacker.eof:
        raise ArchiveDamaged("the backup ends in the middle")


Taker = Callable[[str, list[tuple[str, str]], Iterator[bytes]], None]
"""Told (table, its columns, its lines in blocks); must take them all."""


def read(file: IO[bytes], key: bytes, take: Taker) -> dict[str, Any]:
    """Read an archive from its beginning to its end; its manifest.

    Every table is checked against its own digest and against the manifest, also where nobody wants it.

    Raises
    ------
    ArchiveDamaged
        What was given to ``take`` so far must not be used.
    """
    _, raw = head_of(file)
    frames = _frames(file, key, raw)
    said: dict[str, dict[str, Any]] = {}
    try:
        kind, content = next(frames)
        for kind, content in frames:
            if kind != "T":
                break
            table = orjson.loads(content)
            lines = _Lines(frames)
            take(table["name"], [(name, form) for name, form in table["columns"]], iter(lines))
            said[table["name"]] = lines.end()
        if kind != "M" or next(frames, None) is not None:
            raise ArchiveDamaged("the backup has no manifest")
    except (StopIteration, orjson.JSONDecodeError, KeyError, TypeError, zlib.error) as error:
        raise ArchiveDamaged("the backup cannot be read") from error
    manifest: dict[str, Any] = orjson.loads(content)
    if manifest.get("tables") != said:
        raise ArchiveDamaged("the tables of the backup are not those of its manifest")
    return manifest


class _Lines:
    """The blocks of one table, counted and hashed as they pass."""

    def __init__(self, frames: Iterator[tuple[str, bytes]]) -> None:
        self._frames = frames
        self._digest, self._rows = hashlib.sha256(), 0
        self._ended: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[bytes]:
        for kind, content in self._frames:
            if kind != "D":
                self._ended = orjson.loads(content) if kind == "E" else {}
                return
            self._digest.update(content)
            self._rows += content.count(b"\n")
            yield content

    def end(self) -> dict[str, Any]:
        if self._ended is None:
            for _ in self:
                pass
        found = {"rows": self._rows, "sha256": self._digest.hexdigest()}
        if self._ended != found:
            raise ArchiveDamaged("a table of the backup is not what was written")
        return found
