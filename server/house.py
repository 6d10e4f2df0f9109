"""What every use case needs: settings, the database, keys, forms, a clock and a source of ids."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from forms.registry import Registry
from server.sealing import KeyRing

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from server.settings import Settings


def utc_now() -> datetime:
    """The server's clock."""
    return datetime.now(UTC)


def uuid7() -> str:
    """A time-ordered UUID (RFC 9562 version 7), so that keys arrive in index order.

    The 12 bits after the version are the fraction of the millisecond (section 6.2, method 3): of two ids that one
    process makes one after the other the second is the greater, as long as its clock does not step back.
    """
    whole_ms, rest_ns = divmod(time.time_ns(), 1_000_000)
    fraction = (rest_ns << 12) // 1_000_000
    value = whole_ms << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | int.from_bytes(os.urandom(8), "big") >> 2
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def time_of_uuid7(text: str) -> datetime | None:
    """When a version 7 UUID says that it was made; None for any other text or a year that no clock shows."""
    digits = text.replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        return None
    try:
        return datetime.fromtimestamp(int(digits[:12], 16) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class House:
    """One running Dishu. Immutable; what changes lives in the database.

    ``registry`` holds the built-in forms; with `services.community_forms.at_home` also the special surveys of one community.
    ``built_in`` and ``shelf`` are for that alone: what to build upon, and the registries that were built (community → tag, registry).
    """

    settings: Settings
    engine: Engine
    keys: KeyRing
    registry: Registry
    clock: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = uuid7
    built_in: Registry | None = None
    shelf: dict[str, tuple[object, Registry]] = field(default_factory=dict, compare=False, repr=False)
