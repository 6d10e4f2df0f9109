"""What stands in a record beside the values of a conflict: it may have been written after them, and then is none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from server.house import House
from server.services.labels import form_of
from server.services.unsealing import open_sealed
from server.store import inbox as store
from server.store.record_page import versions


def standing_values(house: House, connection: Any, community_id: str, found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What stands now in the disputed unit of each of these conflicts; a secret whose key was destroyed as its mask."""
    secrets = open_sealed(connection, house, community_id, [(row["owner"], row["secret"]) for row in found])
    made = {}
    for row, secret in zip(found, secrets, strict=True):
        fields = orjson.loads(row["fields"]) | (secret or {})
        unit = form_of(house.registry, row["type"], None).units.get(row["unit"])
        made[row["conflict_id"]] = {name: fields.get(name) for name in (unit.fields if unit is not None else (row["unit"],))}
    return made


def agrees(value: Mapping[str, Any], standing: Mapping[str, Any]) -> bool:
    """Whether a value of a conflict is what stands in the record."""
    return all(value.get(name) == one for name, one in standing.items())


def written_since(connection: Any, community_id: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Who wrote what stands, and when, of conflicts in which none of the values does: it was written over them since."""
    made = {}
    for row in rows:
        stamp_of = orjson.loads(row["stamps"]).get(row["unit"], [1])
        for one in versions(connection, community_id, row["record_id"], among_v=stamp_of[:1]):
            by = store.people_of_installs(connection, community_id, [one.install_id]).get(one.install_id)
            made[row["conflict_id"]] = {"by": by, "claimed_at": one.claimed_at, "arrived_at": one.at}
    return {row["conflict_id"]: made.get(row["conflict_id"], {"by": None, "claimed_at": None, "arrived_at": None}) for row in rows}
