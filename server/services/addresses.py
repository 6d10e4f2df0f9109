"""Where a dwelling is, in one line: estate, building, entrance, door."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from server.store.rosters import Entry

Fetch = Callable[[Iterable[str]], Mapping[str, Entry]]
"""Records by id; unknown ids are left out."""

_UP = {
    "person": ("residence_household", "registration_dwelling"),
    "household": ("dwelling",),
    "dwelling": ("entrance", "building"),
    "entrance": ("building",),
    "building": ("estate",),
}
"""The refs that lead to where a record stands, the first that has a value."""

_STEPS = 6


class Addresses:
    """Address lines of records, with everything above them fetched step by step and kept."""

    def __init__(self, fetch: Fetch, known: Mapping[str, Entry] | None = None) -> None:
        self._fetch = fetch
        self._known: dict[str, Entry] = dict(known or {})

    def learn(self, records: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Fetch what these records (type, fields) stand in: at most one query for each step upwards."""
        wanted = {up for kind, fields in records if (up := parent_of(kind, fields)) is not None}
        for _ in range(_STEPS):
            found = self._fetch(wanted - self._known.keys())
            self._known.update(found)
            here = (self._known[one] for one in wanted if one in self._known)
            wanted = {up for entry in here if (up := parent_of(entry.type, entry.fields)) is not None}
            if not wanted:
                return

    def line(self, kind: str, fields: Mapping[str, Any]) -> str | None:
        """The address of a learned record; of a dwelling its own words where it names no building. None without any."""
        parts: dict[str, str] = {}
        text = None
        for _ in range(_STEPS):
            if kind == "dwelling":
                parts["door"] = str(fields.get("door_number") or "")
                text = fields.get("address_text")
            elif kind in {"entrance", "building"}:
                parts[kind] = str(fields.get("number") or fields.get("name") or "")
            elif kind == "estate":
                parts["estate"] = str(fields.get("name") or "")
            up = parent_of(kind, fields)
            entry = self._known.get(up) if up is not None else None
            if entry is None:
                break
            kind, fields = entry.type, entry.fields
        numbers = "-".join(parts[name] for name in ("building", "entrance", "door") if parts.get(name))
        line = " ".join(part for part in (parts.get("estate"), numbers) if part)
        return text if isinstance(text, str) and text and not (parts.get("building") or parts.get("estate")) else line or None


def parent_of(kind: str, fields: Mapping[str, Any]) -> str | None:
    """Id of the record that a record stands in; None where it names none."""
    return next((value for name in _UP.get(kind, ()) if isinstance(value := fields.get(name), str)), None)
