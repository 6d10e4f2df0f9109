"""More messages that docs/protocol.md shows: commands, a fork, sealed sending, and what is asked for behind a pull.

As in `wire_examples`, on a house of its own. What is long and says nothing to a reader is cut off with an ellipsis, and what depends on the
machine that packs it is replaced.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric import ec

from bench.wire_examples import CODE, COMMUNITY, OPERATOR, Wire, block, enrolled, place, served
from server.envelopes import bound_to, seal_envelope
from server.house import House
from server.permissions import Scope
from server.services import accounts, settling, snapshots
from server.services.audit import Look
from server.store.database import read, run
from sync.device import Phone


def parts() -> Mapping[str, str]:
    """Every example by name, as Markdown code blocks."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: block(value) for name, value in _story(Path(folder)).items()}


def _story(folder: Path) -> dict[str, Any]:
    app, house, workers = served(folder)
    visitor = accounts.add_user(
        house, OPERATOR, login="line", name="条线", role="community_worker", password="not a secret", community_id=COMMUNITY, topics=["veterans"],
    )  # fmt: skip
    one, first = enrolled(folder, app, house, 1, workers[0], CODE)
    two, second = enrolled(folder, app, house, 2, workers[1], CODE[::-1])
    three, third = enrolled(folder, app, house, 3, visitor.user_id, CODE[4:] + CODE[:4])
    shown: dict[str, Any] = {}
    dwelling, _ = _commands(one, first, shown)
    two.pull()
    one.patch(dwelling, floor_number=3)
    two.patch(dwelling, floor_number=4)
    one.push()
    two.sync()
    two.ask_disputes()
    shown["disputes-request"], shown["disputes-answer"] = second.sent["disputes"], second.got["disputes"]
    _asked(house, workers[1], two)
    shown["asked-request"], shown["asked-answer"] = second.sent["asked"], second.got["asked"]
    three.pull()
    shown["bare-row"] = next(row for row in third.got["pull"]["rows"] if row["kind"] == "PUT" and "type" not in row["record"])
    body = {"protocol": 1, "install_id": two.install_id, "cursor": None, "limit": None, "scope": {"version": 0}, "snapshots": True}
    with patch.object(snapshots, "FEWEST_ROWS", 1):
        second.request("POST", "/api/v1/sync/pull", body=body, token=two.token)
    shown["snapshots-answer"] = {"snapshots": [row | {"size": 911} for row in second.got["pull"]["snapshots"]]}
    shown["sealed-request"] = _sealed(house, three, third)
    two.create("building", {"name": "2 幢", "anchor": place(0, 0.5)})
    two.fork()
    shown["fork-request"], shown["fork-answer"] = second.sent["fork"], second.got["fork"]
    house.engine.dispose()
    for phone in (one, two, three):
        phone.close()
    return shown


def _commands(phone: Phone, wire: Wire, shown: dict[str, Any]) -> tuple[str, str]:
    """A family moves next door; two records of one person become one and are parted again. The other dwelling and a person of it."""
    with phone.group():
        building = phone.create("building", {"name": "1 幢", "anchor": place(0, 0.5)})
        dwellings = [phone.create("dwelling", {"building": building, "door_number": number}) for number in ("101", "102")]
        households = [phone.create("household", {"dwelling": one, "kind": "family"}) for one in dwellings]
        people = [
            phone.create("person", {"name": "王一", "residence_household": one, "document_missing_reason": "not_asked", **more})
            for one, more in zip(households, ({"resident_from": "2020-05-01"}, {"birth_date": "2016-05-01", "marital_code": "20"}), strict=True)
        ]
        phone.create("care_status", {"person": people[0], "kind": "aged", "line_of_work": "elderly_care"})
    phone.sync()
    moved = phone.command("move_household", households[0], dwelling=dwellings[1], on="2026-03-01", members=people[:1])
    shown["move-operation"] = _sent(phone, wire, moved)
    merge = phone.command("merge_persons", people[0], merged=people[1], set={"name": "王一一"})
    shown["merge-operation"] = _sent(phone, wire, merge)
    shown["undo-operation"] = _sent(phone, wire, phone.command("undo", people[0], command=merge))
    return dwellings[0], people[1]


def _sent(phone: Phone, wire: Wire, op_id: str) -> Any:
    """The text of an operation as it went over the wire, the last of its push."""
    phone.sync()
    told = json.loads(wire.sent["push"]["groups"][-1]["ops"][-1]["op"])
    assert told["op_id"] == op_id
    assert wire.got["push"]["results"][-1]["now"]["outcome"] == "applied", wire.got["push"]["results"]
    return told


def _asked(house: House, user_id: str, phone: Phone) -> None:
    """The office asks a worker to look at a finding."""
    with read(house.engine) as connection:
        found = run(connection, "SELECT finding_id FROM finding WHERE kind = 'constraint' AND state = 'open' ORDER BY finding_id").first()
    look = Look(OPERATOR, "change", "delegate")
    settling.delegate_waiting(house, OPERATOR, Scope((COMMUNITY,)), COMMUNITY, look, finding_id=found.finding_id, user_id=user_id)
    phone.sync()


def _sealed(house: House, phone: Phone, wire: Wire) -> dict[str, Any]:
    """A batch that was sealed when it was written, and is sent with the send token alone."""
    enrolment, install_id = wire.got["enroll"], phone.install_id or ""
    operation = {
        "op_id": phone.new_id(), "type": "household", "id": phone.new_id(), "kind": "create", "base": None, "set": {"kind": "family"}, "was": {},
        "form_version": 1, "claimed_at": None,
    }  # fmt: skip
    plain = json.dumps({"token": phone.token, "groups": [{"ops": [{"n": 1, "op": json.dumps(operation)}]}]}).encode()
    own = ec.derive_private_key(20260302, ec.SECP256R1())  # a published example: no client ever uses one twice
    sealed = seal_envelope(house.keys.envelope.public, plain, bound_to(install_id, 1, 1), own)
    envelope = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    body = {
        "protocol": 1, "install_id": install_id, "after": {"n": 0, "op_id": None}, "scope": {"version": 0, "last_n": 0}, "receipt": None,
        "sealed": [{"first_n": 1, "last_n": 1, "envelope": envelope}],
    }  # fmt: skip
    answer = wire.request("POST", "/api/v1/sync/push/sealed", body=body, token=enrolment["send_token"])
    assert answer.status == 200, answer.body
    return body | {"sealed": [{"first_n": 1, "last_n": 1, "envelope": envelope[:32] + "…"}]}
