"""First sync of a stream from a prepared file: read once, packed once, kept sealed, given to every phone (S20, S28).

A file holds the PUT rows of a stream up to one seq, as a page has them; what changed since comes as pages. It is sealed under a key of
its own (`data_key`, subject ``snapshot/<stream>``), so that an erasure ends it wherever a copy lies.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from server.permissions import Projection
from server.sealing import WrongKey, seal, unseal
from server.services.keys import DataKeys
from server.services.transact import forms_id
from server.services.unsealing import learn
from server.store import pull as store
from server.store import writing
from server.store.database import read, write
from server.store.errors import StoreError
from server.store.life import epoch
from server.store.push import wrapped_keys
from sync.feedrows import PUT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from server.house import House

FEWEST_ROWS = 500
"""A stream with less is read in a page or two."""
MOST_ROWS = 60_000
_MOST_BEHIND = 0.2
"""A file is used while so many of its rows, at most, have changed since."""
_KEPT = timedelta(hours=24)
_LEVEL = 9
SUBJECT = "snapshot/"

_makers: dict[str, threading.Lock] = {}
_gate = threading.Lock()


@dataclass(frozen=True, slots=True)
class Ready:
    """A prepared file: the stream's rows up to ``seq`` as a projection shows them; ``size`` as it is sent."""

    stream: str
    seq: int
    rows: int
    size: int
    projection: Projection


def folder(house: House) -> Path:
    """Where prepared files lie, sealed."""
    return house.settings.data_dir / "snapshots"


def ready(house: House, community_id: str, stream_id: str, projection: Projection) -> Ready | None:
    """A file that stands for the beginning of a stream, made now where there is none; None where pages are as good.

    Any number of phones that ask at the same time wait for one making, of this process.
    """
    with read(house.engine) as connection:
        counter = store.counters(connection, community_id, [stream_id]).get(stream_id)
        life = epoch(connection) or ""
    if counter is None or not FEWEST_ROWS <= counter[1] <= MOST_ROWS:
        return None
    name = _name(house, community_id, stream_id, projection, life)
    with _making(name):
        found = _newest(house, name, stream_id, projection)
        if found is not None and counter[3] <= found.seq <= counter[0] and counter[0] - found.seq <= _MOST_BEHIND * found.rows:
            return found
        try:
            return _make(house, community_id, stream_id, projection, name)
        except (StoreError, OSError):  # a busy database, a full disk: pages do as well
            return None


def content(house: House, community_id: str, stream_id: str, projection: Projection, seq: int) -> bytes | None:
    """The zstd frame of JSON ``{"stream", "seq", "rows"}`` of a file that was offered; None where it is gone."""
    with read(house.engine) as connection:
        life = epoch(connection) or ""
        keys = DataKeys(house.keys)
        learn(keys, connection, community_id, [SUBJECT + stream_id])
    name = _name(house, community_id, stream_id, projection, life)
    path = next(folder(house).glob(f"{name}.{seq}.*"), None)
    if path is None:
        return None
    try:
        return unseal(keys.of(SUBJECT + stream_id), path.read_bytes())
    except (OSError, WrongKey):
        return None


def unpacked(frame: bytes) -> bytes:
    """The JSON in a zstd frame, for clients that do not read zstd."""
    return zstd.decompress(frame)


def forget(house: House, community_id: str) -> None:
    """Drop every file of a community; after an erasure, once their keys are destroyed."""
    for path in folder(house).glob(f"{_led(community_id)}-*"):
        path.unlink(missing_ok=True)


def sweep(house: House) -> None:
    """Drop files that are a day old."""
    before = (house.clock() - _KEPT).timestamp()
    for path in folder(house).glob("*-*"):
        try:
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue


@contextmanager
def _making(name: str) -> Iterator[None]:
    with _gate:
        if len(_makers) > 1000:
            _makers.clear()
        mine = _makers.setdefault(name, threading.Lock())
    with mine:
        yield


def _led(community_id: str) -> str:
    return hashlib.blake2b(community_id.encode(), digest_size=8).hexdigest()


def _name(house: House, community_id: str, stream_id: str, projection: Projection, life: str) -> str:
    """One name per stream, projection, set of forms and life of the database."""
    told = "\0".join((str(house.engine.url), community_id, stream_id, projection.name, forms_id(house.registry), life))
    return f"{_led(community_id)}-{hashlib.blake2b(told.encode(), digest_size=16).hexdigest()}"


def _newest(house: House, name: str, stream_id: str, projection: Projection) -> Ready | None:
    found = []
    for path in folder(house).glob(f"{name}.*"):
        parts = path.name.split(".")
        if len(parts) == 4 and parts[3] == "sealed":
            found.append(Ready(stream_id, int(parts[1]), int(parts[2]), path.stat().st_size, projection))
    return max(found, key=lambda one: one.seq, default=None)


def _make(house: House, community_id: str, stream_id: str, projection: Projection, name: str) -> Ready | None:
    subject = SUBJECT + stream_id
    with read(house.engine) as connection:
        seq = int(store.counters(connection, community_id, [stream_id])[stream_id][0])
        rows = store.stream_rows(connection, community_id, stream_id, 0, MOST_ROWS * 2, seq, projection)
        keys = DataKeys(house.keys)
        learn(keys, connection, community_id, [subject])
    given = [orjson.Fragment(row[6]) for row in rows if row[2] == PUT]
    plain = orjson.dumps({"stream": stream_id, "seq": seq, "rows": given})
    frame = zstd.compress(plain, level=_LEVEL)
    sealed = seal(keys.of(subject), frame)
    if keys.made:
        with write(house.engine) as connection:
            if wrapped_keys(connection, community_id, [subject]):
                return None  # another process makes one at this moment
            writing.insert_keys(connection, community_id, list(keys.made.items()))
    folder(house).mkdir(mode=0o700, exist_ok=True)
    path = folder(house) / f"{name}.{seq}.{len(given)}.sealed"
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(sealed)
    os.replace(part, path)
    return Ready(stream_id, seq, len(given), len(sealed), projection)


def offered(found: Mapping[str, Ready]) -> list[dict[str, Any]]:
    """As the answer to a pull names them."""
    return [{"stream": one.stream, "seq": one.seq, "rows": one.rows, "size": one.size} for one in found.values()]
