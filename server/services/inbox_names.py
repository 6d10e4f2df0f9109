"""What to call the records that a value of the inbox leads to: people by their names, homes by where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from forms.definition import RecordType
from server.house import House
from server.permissions import Scope
from server.services.addresses import Addresses
from server.services.labels import form_of, title_of
from server.store import record_page, rosters

_BY_PLACE = frozenset({"household", "dwelling", "entrance"})


def names_of(connection: Any, house: House, scope: Scope, community_id: str, ids: Iterable[str]) -> dict[str, str]:
    """Words for records by id; one that lies outside the scope, or has no words, is left out.

    A household, a dwelling or an entrance is called by its address, everything else by its title.
    """
    found = rosters.entries_by_id(connection, community_id, ids)
    visible = record_page.in_scope(connection, scope, community_id, found) if found else set()
    addresses = Addresses(lambda wanted: rosters.entries_by_id(connection, community_id, wanted))
    placed = {one: entry for one, entry in found.items() if one in visible and entry.type in _BY_PLACE}
    addresses.learn((entry.type, entry.fields) for entry in placed.values())
    names: dict[str, str] = {}
    for one, entry in found.items():
        line = addresses.line(entry.type, entry.fields) if one in placed else None
        if line is None and one in visible:
            line, _ = title_of(form_of(house.registry, entry.type, None), entry.fields, personal=scope.fields == "all")
        if line is not None:
            names[one] = line
    return names


def referred(form: RecordType, values: Iterable[Any]) -> set[str]:
    """Ids that the reference fields of these values (mappings by field) hold."""
    fields = [name for name, spec in form.fields.items() if spec.type == "ref"]
    return {
        one
        for held in values
        if isinstance(held, Mapping)
        for name in fields
        if isinstance(one := held.get(name), str)
    }
