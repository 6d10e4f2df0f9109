"""Whether the server can serve: the database answers and its tables are the ones this version uses."""

from __future__ import annotations

from typing import Any

from server import migrations
from server.house import House
from server.store.reach import Unreachable, revision


def readiness(house: House) -> dict[str, Any]:
    """What stands in the way, if anything: ``ready``, and ``ok`` or a reason for database and migrations."""
    try:
        current = revision(house.engine)
    except Unreachable:
        return {"ready": False, "database": "unreachable", "migrations": "unknown"}
    if current == migrations.head():
        state = "ok"
    else:
        state = "behind" if current is None or current in migrations.revisions() else "ahead"
    return {"ready": state == "ok", "database": "ok", "migrations": state}
