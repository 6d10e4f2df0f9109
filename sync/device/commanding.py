"""Commands on the phone: one text for the server, and its plain changes laid over the copies until they contain it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from forms.definition import RecordType
from sync.arguments import COMMANDS, Forms, named_records, wrong_arguments
from sync.commands import Expansion, expand
from sync.device.errors import WrongArguments
from sync.device.store import Store
from sync.device.view import Fields, RecordView
from sync.device.writing import base_of_record, values_seen
from sync.operation import operation_of
from sync.record import Record, by_unit


def compose(
    store: Store,
    forms: Forms,
    operation: dict[str, Any],
    read: Callable[[str], RecordView | None],
    residents: Callable[[str], Iterable[RecordView]],
    today: str,
) -> list[dict[str, Any]]:
    """Complete a command with what the person was looking at; its parts, record by record.

    ``operation`` gets ``base``, ``was`` and ``others``. ``residents`` gives those who live in a household as it is shown. Raises
    WrongArguments.
    """
    command = operation_of(operation | {"set": {}})
    wrong = wrong_arguments(command, forms)
    if wrong:
        raise WrongArguments(wrong)
    # into another community everybody goes who lives there then
    takes = "members" in COMMANDS[operation["name"]].arguments and "community" not in operation["arguments"]
    if takes and "members" not in operation["arguments"]:
        left = operation["arguments"].get("household", operation["id"])  # everybody: those who were on the screen
        operation["arguments"] |= {"members": [view.id for view in residents(left)]}
        command = operation_of(operation | {"set": {}})
    views: dict[str, RecordView] = {}
    for record_id, record_type in named_records(command).items():
        found = [read(record_id), *(residents(record_id) if record_type == "household" else ())]
        views.update((view.id, view) for view in found if view is not None)
    records = {record_id: _record(view) for record_id, view in views.items()}
    expansion = expand(command, records, today, forms)
    _look(store, forms, operation, expansion, views)
    return [
        {"op_id": operation["op_id"], "type": one.type, "id": one.id, "kind": one.kind, "set": one.set}
        | {"base": _seen(operation, one.id).get("base"), "was": _seen(operation, one.id).get("was") or {}}
        for one in expansion.steps.values()
    ]


def _look(
    store: Store, forms: Forms, operation: dict[str, Any], expansion: Expansion, views: Mapping[str, RecordView]
) -> None:
    others: Fields = {}
    operation |= {"base": None, "was": {}}
    for step in expansion.steps.values():
        view = views.get(step.id)
        if view is None or (view.v is None and step.kind == "create"):
            continue
        seen = {"base": base_of_record(store, step.id), "was": _was(forms(step.type), view, step.set)}
        if step.id == operation["id"]:
            operation |= seen
        elif seen["base"] is not None:
            others[step.id] = seen
    operation["others"] = others


def _was(form: RecordType, view: RecordView, values: Mapping[str, Any]) -> Fields:
    return values_seen(form, view.fields, by_unit(form, dict(values)))


def _seen(operation: Mapping[str, Any], record_id: str) -> Fields:
    found = operation if record_id == operation["id"] else operation["others"].get(record_id, {})
    return {"base": found.get("base"), "was": found.get("was")}


def _record(view: RecordView) -> Record:
    return Record(
        view.id, view.type, view.v or 0, view.tag or "", view.life, view.home or "", None, None, dict(view.fields), {}, [], {}, 1, "", 0
    )  # fmt: skip


def keep_parts(store: Store, n: int, parts: Iterable[Mapping[str, Any]]) -> None:
    """Write the parts of a command beside its line of the log, in the same change."""
    for part in parts:
        store.run(
            "INSERT INTO part (n, record_id, type, text) VALUES (?, ?, ?, ?)",
            n, part["id"], part["type"], orjson.dumps(part).decode(),
        )  # fmt: skip
