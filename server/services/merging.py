"""Looking at two records before they are merged: unit by unit, what would be taken over, and what speaks against it (S8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from forms.definition import RecordType
from server.errors import InputError, InvalidInput, NotFound
from server.permissions import Scope, may
from server.sealing import unseal
from server.services.keys import DataKeys
from server.services.labels import PERSONAL, code_labels, field_label, shown
from server.services.looks import Look, seen
from server.services.unsealing import learn
from server.store import commands
from server.store import push as reading
from server.store.database import read
from sync.duplicates import Compared, compare
from sync.memory import Memory
from sync.record import Record

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

COMMANDS = {"person": "merge_persons", "household": "merge_households"}
"""Record types that can be merged, and the command for each."""


def preview(
    house: House, scope: Scope, community_id: str, look: Look, *, record_type: str, survivor_id: str, merged_id: str
) -> dict[str, Any]:
    """What merging would do, written into the audit log as a look at both records.

    Returns
    -------
    dict
        ``survivor`` and ``merged`` (id, v, tag), ids that lead elsewhere being followed to their end; ``units``, each with its
        ``state`` (``same``, ``only_survivor``, ``only_merged``, ``joined``, ``differs``) and fields with both values and what the survivor
        ``becomes``; ``findings`` (``same_record``, ``identity_differs``, ``not_live``); ``command``, the operation to send for it,
        without op_id.

    Raises
    ------
    InvalidInput
        Records of this type cannot be merged.
    NotFound
        One of them is not there, of another type, or outside the scope.
    """
    if record_type not in COMMANDS:
        raise InvalidInput(errors=[InputError("/type", "not_mergeable", "persons and households can be merged")])
    form = house.registry.latest(record_type)
    with read(house.engine) as connection:
        root = Memory.rooted(commands.redirects_of(connection, community_id, [survivor_id, merged_id]))
        survivor, merged = _both(connection, house, scope, community_id, form, root(survivor_id), root(merged_id))
    compared = compare(form, survivor, merged)
    unmask = may(look.actor, "unmask", community_id=community_id)
    fields = [f"{record_type}.{name}" for one in compared for name in one.survivor if _privacy(form, name) in PERSONAL]
    seen(house, look, scope, community_id, fields=fields, count=2, record_type=record_type, record_id=survivor.id)
    return {
        "survivor": _version(survivor),
        "merged": _version(merged),
        "units": [_unit(form, one, unmask) for one in compared],
        "findings": _findings(form, survivor, merged, compared),
        "command": {
            "kind": "command",
            "name": COMMANDS[record_type],
            "type": record_type,
            "id": survivor.id,
            "base": {"v": survivor.v, "tag": survivor.tag},
            "arguments": {"merged": merged.id},
            "others": {merged.id: {"base": {"v": merged.v, "tag": merged.tag}, "was": {}}},
            "form_version": form.version,
        },
    }


def _both(
    connection: Connection, house: House, scope: Scope, community_id: str, form: RecordType, *ids: str
) -> tuple[Record, Record]:
    records, secrets = reading.load_records(connection, community_id, sorted(set(ids)))
    for one in ids:
        record = records.get(one)
        if record is None or record.type != form.name or not scope.sees_stream(community_id, record.home):
            raise NotFound("no such record within your scope")
    keys = DataKeys(house.keys)
    learn(keys, connection, community_id, (record.subject_id for record in records.values()))
    for record_id, sealed in secrets.items():
        record = records[record_id]
        if record.life != "erased":
            record.fields.update(orjson.loads(unseal(keys.of(record.subject_id), sealed)))
    return records[ids[0]], records[ids[1]]


def _version(record: Record) -> dict[str, Any]:
    return {"id": record.id, "v": record.v, "tag": record.tag, "life": record.life, "home": record.home}


def _unit(form: RecordType, one: Compared, unmask: bool) -> dict[str, Any]:
    spec = form.units.get(one.unit)
    fields = []
    for name in one.survivor:
        field = form.fields.get(name)
        values = {which: found.get(name) for which, found in (("survivor", one.survivor), ("merged", one.merged), ("becomes", one.becomes))}
        fields.append(
            {
                "name": name,
                "label": field_label(form, name),
                "privacy": _privacy(form, name),
                **{
                    which: {"value": shown(field, value, unmask=unmask), "label": code_labels(field.codes if field else None, value)}
                    for which, value in values.items()
                },
            }
        )
    return {
        "unit": one.unit,
        "label": spec.label if spec is not None and spec.label else field_label(form, one.unit),
        "policy": form.policy_of(one.unit),
        "state": one.state,
        "fields": fields,
    }


def _findings(form: RecordType, survivor: Record, merged: Record, compared: list[Compared]) -> list[dict[str, Any]]:
    if survivor.id == merged.id:
        return [{"kind": "same_record", "units": []}]
    found = []
    if survivor.life != "live" or merged.life != "live":
        found.append({"kind": "not_live", "units": []})
    identity = [
        one.unit
        for one in compared
        if one.state == "differs" and any(name in form.fields and form.fields[name].identifying for name in one.survivor)
    ]
    if identity:
        found.append({"kind": "identity_differs", "units": identity})
    return found


def _privacy(form: RecordType, name: str) -> str:
    return form.fields[name].privacy if name in form.fields else "internal"
