"""What to call the records that a value leads to: people by their names, homes by where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from forms.definition import RecordType
from server.house import House
from server.permissions import Scope
from server.services.addresses import Addresses
from server.services.labels import form_of, title_of
from server.store import record_page, rosters
from server.store.rosters import Entry

_BY_PLACE = frozenset({"household", "dwelling", "entrance"})


def names_of(connection: Any, house: House, scope: Scope, community_id: str, ids: Iterable[str]) -> dict[str, str]:
    """Words for records by id; one that lies outside the scope, or has no words, is left out.

    A household, a dwelling or an entrance is called by its address, everything else by its title; what has none, such as a care
    record, by whom or what it is about.
    """
    return _names(connection, house, scope, community_id, ids, of_others=True)


def _names(connection: Any, house: House, scope: Scope, community_id: str, ids: Iterable[str], *, of_others: bool) -> dict[str, str]:
    found = rosters.entries_by_id(connection, community_id, ids)
    visible = record_page.in_scope(connection, scope, community_id, found) if found else set()
    placed = addresses_of(connection, community_id, (entry for one, entry in found.items() if one in visible))
    names: dict[str, str] = {}
    about: dict[str, str] = {}
    for one, entry in found.items():
        line = placed.get(one)
        if line is None and one in visible:
            line, _ = title_of(form_of(house.registry, entry.type, None), entry.fields, personal=scope.fields == "all")
        if line is not None:
            names[one] = line
        elif one in visible and (other := _about(form_of(house.registry, entry.type, None), entry.fields)) is not None:
            about[one] = other
    if about and of_others:
        others = _names(connection, house, scope, community_id, set(about.values()), of_others=False)
        names |= {one: others[other] for one, other in about.items() if other in others}
    return names


def addresses_of(connection: Any, community_id: str, entries: Iterable[Entry]) -> dict[str, str]:
    """The address lines of the households, dwellings and entrances among these records, by id; what stands nowhere is left out."""
    placed = [entry for entry in entries if entry.type in _BY_PLACE]
    addresses = Addresses(lambda wanted: rosters.entries_by_id(connection, community_id, wanted))
    addresses.learn((entry.type, entry.fields) for entry in placed)
    return {entry.id: line for entry in placed if (line := addresses.line(entry.type, entry.fields)) is not None}


def _about(form: RecordType, fields: Mapping[str, Any]) -> str | None:
    """Id of whom or what a record is about: its subject, else what it stands under."""
    for name in (form.subject, *form.parents):
        if name is not None and isinstance(one := fields.get(name), str):
            return one
    return None


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
