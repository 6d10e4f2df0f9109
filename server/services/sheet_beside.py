"""What a row of a table changes in records that stand, beside what earlier tables said of them and who has written them since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from server.services.sheet_difference import Difference, corrected, difference, unseen
from server.services.sheet_earlier import Said
from server.store import sheets as store
from server.store.odk import tag_at

if TYPE_CHECKING:
    from forms.definition import RecordType
    from server.store.database import Connection

Values = Mapping[str, Any]
_UNKNOWN = "0" * 16
"""The tag of a version that nobody is known to have seen."""


def operation(kind: str, record_type: str, record_id: str, base: Values | None, fields: Values) -> dict[str, Any]:
    """One operation of a row."""
    return {"kind": kind, "type": record_type, "id": record_id, "base": base, "set": dict(fields)}


class Beside:
    """Compares rows with records of one community.

    Parameters
    ----------
    forms : the definitions of the types that rows hold values of
    imports : the installs that tables were written through
    """

    def __init__(self, community_id: str, forms: Mapping[str, RecordType], imports: frozenset[str]) -> None:
        self._community_id, self._forms, self._imports = community_id, forms, imports

    def change(
        self, connection: Connection, kind: str, record_id: str, base: Values, stored: Values, values: Values, said: Said | None,
        operations: list[dict[str, Any]], *, secrets: Values | None = None,
    ) -> Difference:  # fmt: skip
        """What ``values`` change in a record; its operations are added.

        Parameters
        ----------
        base, stored : the version of the record, and its fields
        said : what earlier tables said of it, None where nothing is kept of any
        """
        form, stamps = self._forms[kind], dict[str, tuple[int, str]]()
        missing = difference(values, stored, form)
        if any(stored.get(name) is not None for name in missing) or (said is not None and any(said.values.get(name) != one for name, one in values.items())):
            stamps = self._stamps(connection, kind, record_id)
        others = lambda unit: stamps[unit][1] not in self._imports if stamps else False  # noqa: E731
        found = unseen(missing, stored, form, others) if said is None else corrected(values, said, stored, form, others, secrets=secrets)
        if found.write:
            operations.append(operation("patch", kind, record_id, base, found.write))
        if found.against and said is None:  # seen by nobody who wrote the table, as far as anything tells
            operations.append(operation("patch", kind, record_id, {"v": base["v"], "tag": _UNKNOWN}, found.against))
        elif found.against and said is not None:  # what the table's author saw: the version before somebody wrote
            seen = min(stamps[form.unit_of[name]][0] - 1 for name in found.against)
            tag = tag_at(connection, self._community_id, record_id, seen) if seen else None
            was = {name: said.values[name] for name in found.against if name in said.values and form.fields[name].privacy != "secret"}
            operations.append(operation("patch", kind, record_id, {"v": max(seen, 1), "tag": tag or _UNKNOWN}, found.against) | {"was": was})
        return found

    def by_hand(self, connection: Connection, kind: str, record_id: str, name: str) -> bool:
        """Whether somebody else than a table wrote a fact of a record last."""
        return self._stamps(connection, kind, record_id)[self._forms[kind].unit_of[name]][1] not in self._imports

    def _stamps(self, connection: Connection, kind: str, record_id: str) -> dict[str, tuple[int, str]]:
        """(version, install) of the last write of each unit of a record."""
        stood = store.stamps_of(connection, self._community_id, [record_id])[record_id]
        written = orjson.loads(stood.stamps)
        return {unit: tuple(written[unit][:2]) if unit in written else (1, stood.created_install) for unit in self._forms[kind].units}
