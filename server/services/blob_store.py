"""Where sealed photos lie: a folder, or S3-compatible storage with the same five verbs.

S3 takes its credentials and its endpoint from the usual environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL`` …).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from server.errors import StorageUnreachable

if TYPE_CHECKING:
    from server.house import House

Given = TypeVar("Given")


def new_file(house: House, community_id: str, sha256: str) -> str:
    """A name under which nothing was ever kept."""
    return f"{community_id}/{sha256[:2]}/{sha256}.{house.new_id()}"


def put(house: House, file: str, sealed: bytes) -> None:
    """Keep the bytes; whole or not at all. StorageUnreachable where the storage does not answer."""
    import obstore

    try:
        _asked(lambda: obstore.put(_store(house.settings.blobs_url), file, sealed))
    except FileNotFoundError as error:
        raise StorageUnreachable("the storage of photos has no such bucket or folder", retry_after_s=30) from error


def get(house: House, file: str) -> bytes | None:
    """The bytes, None where there are none."""
    import obstore

    try:
        return _asked(lambda: bytes(obstore.get(_store(house.settings.blobs_url), file).bytes()))
    except FileNotFoundError:
        return None


def drop(house: House, file: str) -> None:
    """Destroy the bytes; nothing happens where there are none."""
    import obstore

    try:
        _asked(lambda: obstore.delete(_store(house.settings.blobs_url), file))
    except FileNotFoundError:
        pass


def files(house: House) -> Iterator[list[tuple[str, datetime]]]:
    """(name, when it was written last) of everything that lies there, some hundred at a time."""
    import obstore

    pages = iter(_asked(lambda: obstore.list(_store(house.settings.blobs_url), chunk_size=500)))
    while page := _asked(lambda: next(pages, None)):
        yield [(one["path"], one["last_modified"]) for one in page]


@lru_cache(maxsize=8)
def _store(url: str) -> Any:
    # Loaded when the first photo arrives: a native library that most requests do not need.
    from obstore.store import LocalStore, from_url

    if url.startswith("file://"):
        folder = Path(unquote(url.removeprefix("file://")))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(folder)
    patience: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
    client: Any = {"allow_http": True, "timeout": "30s"}
    return from_url(url, client_options=client, retry_config=patience)


def _asked(act: Callable[[], Given]) -> Given:
    from obstore.exceptions import BaseError

    try:
        return act()
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise StorageUnreachable("the storage of photos does not answer", retry_after_s=30) from error
