"""Opening what was sealed in history and conflicts, many blobs with few keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from server.house import House
from server.sealing import unseal
from server.services.keys import DataKeys, SubjectErased
from server.store.push import wrapped_keys


def open_sealed(
    connection: Any, house: House, community_id: str, blobs: Sequence[tuple[str | None, bytes | None]]
) -> list[Any]:
    """The JSON values in sealed blobs.

    Parameters
    ----------
    blobs : (subject id or None for the community, sealed bytes or None)

    Returns
    -------
    list
        In the same order; None for an empty blob and for one whose key was destroyed.
    """
    keys = DataKeys(house.keys)
    learn(keys, connection, community_id, (subject for subject, _ in blobs))
    opened: list[Any] = []
    for subject, sealed in blobs:
        if sealed is None:
            opened.append(None)
            continue
        try:
            opened.append(orjson.loads(unseal(keys.of(subject), bytes(sealed))))
        except SubjectErased:
            opened.append(None)
    return opened


def learn(keys: DataKeys, connection: Any, community_id: str, subjects: Iterable[str | None]) -> None:
    """Fetch the wrapped keys of these subjects that were not fetched yet."""
    asked = keys.missing(subjects)
    keys.learn(asked, wrapped_keys(connection, community_id, asked))
