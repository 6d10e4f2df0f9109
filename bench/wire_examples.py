"""The messages that docs/protocol.md shows: two phones and one server in one process, with a fixed clock and numbered ids.

Everything is what the program really sends and answers. Only secrets that are random by design are replaced.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flask import Flask

from forms.registry import load_registry
from geo.cells import read_cells
from server.app import create_app, house_of
from server.house import House
from server.permissions import Actor
from server.services import accounts, assignments, editions, enrolment, tokens
from server.settings import Settings
from server.start import prepare
from server.store.assignments import Community, add_community
from server.store.database import stamp, write
from sync.device import Answer, Phone
from sync.digest import ZERO_TAG, made_id, record_hash, status_hash, to_hex, version_tag

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
COMMUNITY = "999999001001"
CELLS = (f"{COMMUNITY}001", f"{COMMUNITY}002")
CODE = "K7QF-3M9D-XW2P"
WIDTH = 120
OPERATOR = Actor("~operator", "admin", "~house", name="operator")


def ids(maker: str) -> Callable[[], str]:
    """UUIDs of version 7 in ascending order that name their maker (one hex digit)."""
    count = itertools.count(1)
    return lambda: f"019cabcd-0000-7000-8{maker * 3}-{next(count):012x}"


class Wire:
    """Carries a phone's requests into the app, and remembers the last exchange of each path."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self.sent: dict[str, Any] = {}
        self.got: dict[str, Any] = {}

    def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, token: str | None = None
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self._client.open(path, method=method, json=body, headers=headers)
        name = path.rsplit("/", 1)[-1]
        self.sent[name], self.got[name] = body, answer.json
        return Answer(
            answer.status_code, {key.lower(): value for key, value in answer.headers.items()}, answer.json or {}
        )


def parts() -> Mapping[str, str]:
    """Every example by name, as Markdown code blocks."""
    with tempfile.TemporaryDirectory() as folder:
        found = {name: block(value) for name, value in _story(Path(folder)).items()}
    return found | {"digests": digests()}


def block(value: Any) -> str:
    """A message as a Markdown code block."""
    return "```json\n" + "\n".join(_pretty(value)) + "\n```"


def _pretty(value: Any, before: str = "", after: str = "") -> list[str]:
    """JSON with one member per line only where a line would be long."""
    line = before + json.dumps(value, ensure_ascii=False) + after
    if len(line) <= WIDTH or not isinstance(value, dict | list) or not value:
        return [line]
    indent = " " * (len(before) - len(before.lstrip()) + 2)
    if isinstance(value, dict):
        members = [(f"{indent}{json.dumps(name, ensure_ascii=False)}: ", one) for name, one in value.items()]
        marks = "{}"
    else:
        members = [(indent, one) for one in value]
        marks = "[]"
    lines = [before + marks[0]]
    for place, (head, one) in enumerate(members, 1):
        lines += _pretty(one, head, "," if place < len(members) else "")
    return [*lines, indent[2:] + marks[1] + after]


def served(folder: Path) -> tuple[Flask, House, list[str]]:
    """The program upon an empty database with a community, and its two workers."""
    app = create_app(Settings.in_folder(folder, key=bytes(range(32))), clock=lambda: NOW, new_id=ids("a"))
    house = house_of(app)
    prepare(house)
    return app, house, furnish(house)


def enrolled(folder: Path, app: Flask, house: House, number: int, user_id: str, code: str) -> tuple[Phone, Wire]:
    """A phone of somebody, enrolled with this code, that has pulled; and its line."""
    wire = Wire(app)
    phone = Phone(folder / f"phone-{number}", wire, lambda: NOW, ids(str(number)), load_registry())
    with patch.object(tokens, "new_code", lambda: code):  # ids of installs come from it
        phone.enrol(enrolment.create_code(house, OPERATOR, user_id, community_id=COMMUNITY)[0], label="test phone")
    phone.pull()
    return phone, wire


def _story(folder: Path) -> dict[str, Any]:
    app, house, workers = served(folder)
    phones = [enrolled(folder, app, house, number, worker, code) for number, worker, code in ((1, workers[0], CODE), (2, workers[1], CODE[::-1]))]
    (one, _), (two, _) = phones
    wires = [wire for _, wire in phones]
    shown: dict[str, Any] = {}
    enrol = wires[0]
    shown["enrol-request"] = enrol.sent["enroll"]
    shown["enrol-answer"] = enrol.got["enroll"]

    building, dwelling = _first_writes(one)
    one.push()
    shown["config-answer"] = wires[0].got["config"]
    shown["push-request"], shown["push-answer"] = wires[0].sent["push"], wires[0].got["push"]
    shown["operation"] = json.loads(wires[0].sent["push"]["groups"][0]["ops"][1]["op"])
    two.pull()
    shown["pull-request"], shown["pull-answer"] = wires[1].sent["pull"], wires[1].got["pull"]

    one.pull()
    one.patch(building, floors_count=6)
    one.patch(dwelling, occupancy="let")
    two.patch(building, built_year=1998)
    two.patch(building, anchor=place(0, 0.25))
    one.patch(building, anchor=place(0, 0.75))
    one.push()
    two.push()
    shown["conflict-answer"] = wires[1].got["push"]
    two.pull()
    shown["conflict-pull"] = _rows(wires[1].got["pull"])
    first, second = (phone.operations(building)[-1].op_id for phone in (one, two))
    two.resolve(building, "anchor", [first, second], anchor=place(0, 0.75))
    two.push()
    shown["resolve-operation"] = json.loads(wires[1].sent["push"]["groups"][0]["ops"][0]["op"])

    _held(one, two, dwelling, shown, wires)
    _refused(one, wires[0], building, shown)
    one.pull()
    two.pull()
    one.patch(building, anchor=place(1, 0.5))
    one.push()
    two.pull()
    shown["remove-pull"] = _rows(wires[1].got["pull"])
    _quarantined(one, wires[0], building, shown)
    house.engine.dispose()
    one.close()
    two.close()
    return shown


def _rows(answer: Mapping[str, Any]) -> Any:
    return answer["rows"][0] if len(answer["rows"]) == 1 else answer["rows"]


def _first_writes(phone: Phone) -> tuple[str, str]:
    with phone.group():
        building = phone.create("building", {"name": "1 幢", "anchor": place(0, 0.5)})
        dwelling = phone.create("dwelling", {"building": building, "door_number": "101"})
    return building, dwelling


def _held(one: Phone, two: Phone, dwelling: str, shown: dict[str, Any], wires: list[Wire]) -> None:
    """A visit arrives before the household that it was paid to, and is released by it."""
    household = "019cabcd-0000-7000-8111-0000000000ff"
    two.create("visit", {"household": household, "method": "door", "outcome": "met", "visited_at": stamp(NOW)})
    two.push()
    shown["held-result"] = wires[1].got["push"]["results"][0]
    one.create("household", {"dwelling": dwelling, "kind": "family"}, record_id=household)
    one.push()
    two.pull()
    shown["status-row"] = next(row for row in wires[1].got["pull"]["rows"] if row["kind"] == "STATUS")


def _refused(phone: Phone, wire: Wire, building: str, shown: dict[str, Any]) -> None:
    """A batch that follows nothing the server knows, and one of a protocol that it does not speak."""
    operation = _impossible(building)
    body = _envelope(phone, 99, operation["op_id"]) | {"groups": [{"ops": [{"n": 100, "op": json.dumps(operation)}]}]}
    wire.request("POST", "/api/v1/sync/push", body=body, token=phone.token)
    shown["expected-answer"] = wire.got["push"]
    wire.request("POST", "/api/v1/sync/push", body=body | {"protocol": 2}, token=phone.token)
    shown["problem"] = wire.got["push"]


def _quarantined(phone: Phone, wire: Wire, building: str, shown: dict[str, Any]) -> None:
    """Sent last: the phone's own log does not know this operation, so its next pull would ask for a fork."""
    last = phone.operations()[-1]
    group = [{"ops": [{"n": last.n + 1, "op": json.dumps(_impossible(building))}]}]
    body = _envelope(phone, last.n, last.op_id) | {"groups": group}
    wire.request("POST", "/api/v1/sync/push", body=body, token=phone.token)
    shown["quarantined-result"] = wire.got["push"]["results"][0]


def _impossible(building: str) -> dict[str, Any]:
    operation = {"op_id": "019cabcd-0000-7000-8111-0000000000fe", "type": "building", "id": building, "kind": "patch"}
    return operation | {
        "base": None, "set": {"built_year": "long ago"}, "was": {}, "form_version": 1, "claimed_at": stamp(NOW),
    }  # fmt: skip


def _envelope(phone: Phone, n: int, op_id: str) -> dict[str, Any]:
    return {"protocol": 1, "install_id": phone.install_id, "after": {"n": n, "op_id": op_id}}


def place(number: int, share: float) -> dict[str, Any]:
    """A surveyed point in a cell by its number, ``share`` of the way from its western to its eastern edge."""
    lon = round(120.6 + 0.01 * (number + share), 7)
    return {"lon": lon, "lat": 31.305, "datum": "cgcs2000", "accuracy_m": 5, "confidence": 0.95, "method": "survey"}


def furnish(house: House) -> list[str]:
    """A community of two square cells; the first worker works both, the second the first one."""
    with write(house.engine) as connection:
        add_community(
            connection,
            Community(COMMUNITY, COMMUNITY, "示例社区", COMMUNITY[:9], COMMUNITY[:6], "cn-grid-15"),
            at=stamp(NOW),
        )
    draft = read_cells(
        {"type": "FeatureCollection", "features": [_cell(number) for number in range(len(CELLS))]}, datum="cgcs2000"
    )
    editions.publish_edition(house, OPERATOR, COMMUNITY, draft)
    workers = []
    for number, cells in enumerate((CELLS, CELLS[:1]), 1):
        user = accounts.add_user(
            house, OPERATOR, login=f"worker{number}", name="网格员", role="grid_worker", password="not a secret",
            community_id=COMMUNITY,
        )  # fmt: skip
        workers.append(user.user_id)
        for cell in cells:
            assignments.assign(house, OPERATOR, user_id=user.user_id, cell_id=cell, community_id=COMMUNITY)
    return workers


def _cell(number: int) -> dict[str, Any]:
    west, east = 120.6 + 0.01 * number, 120.6 + 0.01 * (number + 1)
    ring = [[west, 31.3], [east, 31.3], [east, 31.31], [west, 31.31], [west, 31.3]]
    properties = {"code": CELLS[number], "name": f"第{number + 1}网格", "cell_id": CELLS[number], "order": number}
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def digests() -> str:
    """The worked example of tags, hashes and sums, in numbers that a client can check itself against."""
    record, other = "019cabcd-0000-7000-8111-000000000001", "019cabcd-0000-7000-8111-000000000003"
    ops = [f"019cabcd-0000-7000-8111-00000000001{number}" for number in range(3)]
    first = version_tag(ZERO_TAG, ops[0], ["residence", "name"])
    second = version_tag(first, ops[1], ["phones"])
    rows = [record_hash(record, 2, second), record_hash(other, 1, first), status_hash(ops[2], 2)]
    lines = [
        ("tag of the creation, units `name` and `residence`", first),
        ("tag of the patch that follows, unit `phones`", second),
        ("H128 of the record at v 2 with that tag", to_hex(rows[0])),
        ("H128 of another record at v 1 with the first tag", to_hex(rows[1])),
        (f"H128 of the status 2 of operation `{ops[2]}`", to_hex(rows[2])),
        ("digest of a stream with these three rows", to_hex(sum(rows))),
        ("the same stream after the other record left it", to_hex(rows[0] + rows[2])),
        ("id of the record's reference card", made_id("card", record)),
        ("id of the episode that the patch closed", made_id("residence", record, ops[1])),
    ]
    table = [f"| {what} | `{value}` |" for what, value in lines]
    head = [f"Record `{record}`, created by operation `{ops[0]}`, patched by `{ops[1]}`; another record `{other}`.", ""]
    return "\n".join([*head, "| What | Value |", "|---|---|", *table])
