"""Where the next page begins: a cursor that says nothing to whoever holds it and that nobody can make up.

The sort key of a row may be a name, and cursors travel in addresses: they are sealed, not only signed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from contextlib import suppress
from typing import Any

import orjson

from server.errors import InputError, InvalidInput
from server.sealing import KeyRing, WrongKey, cipher, seal, unseal


def make_cursor(keys: KeyRing, use: str, position: Any) -> str:
    """A cursor for the list ``use`` (a text that names list, filters and order) at a JSON position."""
    sealed = seal(_cipher(keys, use), orjson.dumps(position))
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_cursor(keys: KeyRing, use: str, cursor: str | None) -> Any:
    """The position in a cursor, None for None.

    Raises
    ------
    InvalidInput
        Not a cursor of this house, or one of another list, filter or order.
    """
    if cursor is None:
        return None
    try:
        sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        for ring in (keys, *keys.former):
            with suppress(WrongKey):
                return orjson.loads(unseal(_cipher(ring, use), sealed))
        raise WrongKey("another list, filter or order")
    except (WrongKey, ValueError, binascii.Error) as error:
        message = "this cursor belongs to another list, filter or order; begin again without it"
        raise InvalidInput(message, errors=[InputError("/next", "unknown_cursor", message)]) from error


def _cipher(keys: KeyRing, use: str) -> Any:
    """One key per list, so that a cursor opens only where it was made."""
    return cipher(hmac.new(keys.signing, b"cursor/" + use.encode(), hashlib.sha256).digest())
