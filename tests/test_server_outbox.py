"""A phone sends what it sealed to the server without its PIN (docs/protocol.md, section 5): it arrives, and nothing comes back but outcomes."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from front_door import problem
from server_kit import KEY, building, home

from server.envelopes import EnvelopeKey, EnvelopeUnreadable, bound_to, open_envelope, point_of, seal_envelope
from server.sealing import KeyRing
from server.services.tokens import DeviceClaim, send_token

CASES = json.loads((Path(__file__).parent / "vectors/envelope/cases.json").read_text(encoding="utf-8"))


def packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class Locked:
    """A phone whose PIN was not given since: it has its send token, its envelopes, and what it wrote beside them."""

    def __init__(self, phone):
        self.phone = phone
        told = phone.ground.app.test_client().get("/api/v1/sync/config", headers={"Authorization": f"Bearer {phone.token}"}).json
        self.public = base64.urlsafe_b64decode(told["server_public_key"] + "=")
        self.token = told["send_token"]

    def sealed(self, groups, *, first=1, install=None, token=None, squeeze=False, public=None):
        """One envelope of these groups, as the phone sealed it when they were written."""
        body = self.phone.batch(groups, after=(first - 1, None))
        plain = json.dumps({"token": token or self.phone.token, "groups": body["groups"]}, ensure_ascii=False).encode()
        last = first - 1 + sum(map(len, groups))
        bound = bound_to(install or self.phone.install_id, first, last)
        envelope = seal_envelope(public or self.public, gzip.compress(plain) if squeeze else plain, bound)
        return {"first_n": first, "last_n": last, "envelope": packed(envelope)}

    def send(self, *envelopes, after=(0, None), token=None):
        body = {
            "protocol": 1, "install_id": self.phone.install_id, "after": {"n": after[0], "op_id": after[1]},
            "scope": self.phone.scope, "sealed": list(envelopes),
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.phone.ground.app.test_client().post("/api/v1/sync/push/sealed", json=body, headers=headers)


def test_sealed_work_arrives_without_the_pin_and_only_outcomes_come_back(ground):
    """Two envelopes, one packed small; then the phone is opened and goes on where they ended; others see the records."""
    phone, other = ground.worker(0), ground.worker(0)
    locked, made = Locked(phone), home(0, "张一")
    first = locked.sealed([[one] for one in made.operations[:2]])
    second = locked.sealed([made.operations[2:]], first=3, squeeze=True)
    answer = locked.send(first, second)
    assert answer.status_code == 200, answer.data
    assert [one["now"]["outcome"] for one in answer.json["results"]] == ["applied"] * 4
    assert all(set(one) == {"n", "op_id", "first", "now"} for one in answer.json["results"])
    assert answer.json["applied"] == {"n": 4, "op_id": made.operations[3]["op_id"]}
    again = locked.send(first, second)
    assert again.json["results"] == answer.json["results"]
    phone.n, phone.op_id = 4, made.operations[3]["op_id"]
    assert phone.outcomes([building(0)]) == [("applied", None)]
    other.pull()
    assert set(made.persons) <= other.visible


def test_whoever_holds_the_phone_can_neither_read_nor_write_with_the_send_token(ground):
    """It opens no other address; operations that were not written behind the PIN are refused; nothing of a refused push is consumed."""
    phone, thief = ground.worker(0), ground.worker(1)
    locked = Locked(phone)
    client, headers = ground.app.test_client(), {"Authorization": f"Bearer {locked.token}"}
    body = {"protocol": 1, "install_id": phone.install_id, "cursor": None, "after": {"n": 0, "op_id": None}, "groups": []}
    assert problem(client.post("/api/v1/sync/pull", json=body, headers=headers)) == (401, "token-refused")
    assert problem(client.post("/api/v1/sync/push", json=body, headers=headers)) == (401, "token-refused")
    assert problem(client.get("/api/v1/reference", headers=headers)) == (401, "token-refused")
    good = locked.sealed([[building(0)]])
    for wrong, code in (
        (locked.sealed([[building(0)]], first=2, token="dishu-device.W10.AAAA"), "not_written_here"),
        (locked.sealed([[building(0)]], first=2, token=locked.token), "not_written_here"),
        (locked.sealed([[building(0)]], first=2, token=thief.token), "another_install"),
        (locked.sealed([[building(0)]], first=2, install=thief.install_id), "does_not_open"),
        (locked.sealed([[building(0)]], first=2, public=EnvelopeKey.from_secret(b"of another house, thirty-two bytes").public), "does_not_open"),
        (locked.sealed([[building(0)]], first=3) | {"first_n": 2, "last_n": 2}, "does_not_open"),
        (good | {"envelope": good["envelope"][:-1] + ("A" if good["envelope"][-1] != "A" else "Q")}, "does_not_open"),
        (good | {"envelope": ""}, "does_not_open"),
    ):
        answer = locked.send(good, wrong)
        assert problem(answer) == (422, "sealed-unreadable")
        assert [(one["pointer"], one["code"]) for one in answer.json["errors"]] == [("/sealed/1", code)]
    assert ground.count() == 0
    assert locked.send().json["applied"] == {"n": 0, "op_id": None}


def test_an_envelope_that_holds_no_groups_is_refused_by_name(ground):
    """Bytes that are no JSON, no groups, other numbers than were told, or larger unpacked than a push may be."""
    phone = ground.worker(0)
    locked = Locked(phone)
    bound = bound_to(phone.install_id, 1, 1)
    for plain, code in (
        (b"no json", "not_groups"), (b"[]", "not_groups"), (gzip.compress(b"x" * 9_000_000), "not_groups"),
        (gzip.compress(b"{}")[:-3], "not_groups"),
        (json.dumps({"token": phone.token, "groups": [{"ops": 1}]}).encode(), "not_groups"),
        (json.dumps({"token": phone.token, "groups": [{"ops": [{"n": 2, "op": "{}"}]}]}).encode(), "other_numbers"),
    ):  # fmt: skip
        answer = locked.send({"first_n": 1, "last_n": 1, "envelope": packed(seal_envelope(locked.public, plain, bound))})
        assert problem(answer) == (422, "sealed-unreadable")
        assert answer.json["errors"][0]["code"] == code
    for wrong in ([1], [{"first_n": 1, "last_n": 1, "envelope": "ä"}], [{"first_n": 0, "last_n": 9000, "envelope": ""}], None):
        body = {"protocol": 1, "install_id": phone.install_id, "after": {"n": 0, "op_id": None}, "sealed": wrong}
        headers = {"Authorization": f"Bearer {locked.token}"}
        assert problem(ground.app.test_client().post("/api/v1/sync/push/sealed", json=body, headers=headers)) == (422, "invalid-input")


def test_a_revoked_phone_sends_nothing_and_a_gap_is_told(ground):
    """A lost phone is refused by this door too; a batch that does not follow the server's head says what is expected."""
    phone = ground.worker(0)
    locked = Locked(phone)
    answer = locked.send(locked.sealed([[building(0)]], first=5), after=(4, "0" * 36))
    assert answer.json["expected"] == {"n": 0, "op_id": None} and answer.json["results"] == []
    from server.services import enrolment

    enrolment.revoke_install(ground.house, ground.secretary, phone.install_id, reason="lost")
    assert problem(locked.send(locked.sealed([[building(0)]]))) == (403, "install-revoked")


def test_enrolment_and_configuration_tell_the_same_key(ground):
    """A phone that was enrolled by an older server learns key and send token from the configuration."""
    phone = ground.worker(0)
    locked = Locked(phone)
    assert locked.public == ground.house.keys.envelope.public == KeyRing.from_secret(KEY).envelope.public
    claim = DeviceClaim("c-sync", phone.install_id, "")
    assert locked.token == send_token(ground.house.keys, claim)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_the_published_envelopes_open_and_are_made_alike(case):
    """Another language that follows docs/protocol.md makes exactly these bytes."""
    key = EnvelopeKey.from_secret(bytes.fromhex(CASES["house_secret"]))
    assert (packed(key.public), key.key_id) == (CASES["server_public_key"], CASES["key_id"])
    bound = bound_to(case["install_id"], case["first_n"], case["last_n"])
    assert bound.hex() == case["bound_hex"]
    own = ec.derive_private_key(int(case["ephemeral_private"], 16), ec.SECP256R1())
    assert packed(point_of(own)) == case["ephemeral_public"]
    envelope = base64.urlsafe_b64decode(case["envelope"] + "=" * (-len(case["envelope"]) % 4))
    assert seal_envelope(key.public, case["plain"].encode(), bound, own) == envelope
    assert open_envelope((key,), envelope, bound) == case["plain"].encode()
    with pytest.raises(EnvelopeUnreadable):
        open_envelope((key,), envelope, bound_to(case["install_id"], case["first_n"] + 1, case["last_n"] + 1))
