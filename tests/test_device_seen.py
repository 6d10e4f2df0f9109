"""What a form showed is what its author had seen, whatever was pulled behind it: the cases that every client shares."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.device import Phone
from sync.device.view import RecordView
from tests.device_kit import answer_all, keep, phone_at, put, totals

CASES = json.loads((Path(__file__).parent / "vectors" / "seen" / "cases.json").read_text(encoding="utf-8"))["cases"]
CELL = "cell/a"
PERSON = "p1"


def _tag(v: int) -> str:
    return f"{v:016x}"


def _pull(phone: Phone, v: int, fields: dict[str, Any]) -> None:
    """Everything written is sent and answered, and the copy that comes contains it."""
    answer_all(phone)
    last = phone._store.maybe("SELECT n, op_id FROM log ORDER BY n DESC LIMIT 1")
    keep(
        phone._store, [put(CELL, v, PERSON, v, type="person", fields=fields)],
        streams=[CELL], told=totals((CELL, {PERSON: v}, {})), applied=(last["n"], last["op_id"]) if last else (0, None),
    )  # fmt: skip


def _form(forms: dict[str, RecordView], step: dict[str, Any]) -> RecordView | None:
    """What the form of a step shows."""
    if "seen" not in step:
        return None
    view = forms[step["seen"]]
    if "at" in step:
        view = replace(view, v=step["at"], tag=_tag(step["at"]))
    return replace(view, fields=step.get("showing", view.fields))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_was_pulled_behind_an_open_form_is_not_taken_for_seen(tmp_path: Path, case: dict[str, Any]):
    """S2: base and values seen are those of the moment when the form was opened, on this phone as on the other."""
    phone = phone_at(tmp_path / "phone.sqlite3")
    forms: dict[str, RecordView] = {}
    for step in case["steps"]:
        if "pull" in step:
            _pull(phone, step["pull"]["v"], step["pull"]["fields"])
        elif "open" in step:
            view = phone.read(PERSON)
            assert view is not None
            forms[step["open"]] = view
        elif "create" in step:
            phone.create("person", step["create"], record_id=PERSON)
        elif "write" in step:
            phone.patch(PERSON, seen=_form(forms, step), **step["write"])
        else:
            phone.resolve(PERSON, step["unit"], step["siblings"], seen=_form(forms, step), **step["resolve"])
    shown = phone.read(PERSON)
    assert shown is not None and shown.fields == case["shown"]
    written = [json.loads(row["text"]) for row in phone._store.rows("SELECT text FROM log ORDER BY n")]
    expected = [one | {"base": one["base"] and {"v": one["base"], "tag": _tag(one["base"])}} for one in case["sent"]]
    assert [{name: one[name] for name in ("base", "set", "was")} for one in written] == expected
