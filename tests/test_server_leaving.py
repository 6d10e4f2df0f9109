"""A phone that is taken out of use hands over what it has; one that was lost is refused; both are told why (docs/protocol.md, section 12)."""

from __future__ import annotations

import pytest
from front_door import problem
from server_kit import COMMUNITY, building, furnish, home, open_ground
from test_server_outbox import Locked

from server.services import accounts, enrolment


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish), tmp_path, clock)
    yield ground
    ground.close()


def revoked(ground, phone, reason):
    return enrolment.revoke_install(ground.house, ground.secretary, phone.install_id, reason=reason)


def asked(ground, phone, path):
    return ground.app.test_client().get(path, headers={"Authorization": f"Bearer {phone.token}"})


@pytest.mark.parametrize("reason", ["retired", "replaced"])
def test_a_phone_out_of_use_hands_over_its_work_and_reads_nothing_more(ground, reason):
    """L5: open and sealed pushes are taken in and say why; every way of reading is closed."""
    phone, other = ground.worker(0), ground.worker(0)
    locked, made = Locked(phone), home(0, "张一")
    revoked(ground, phone, reason)
    assert asked(ground, phone, "/api/v1/sync/config").json["revoked"] == reason
    answer = phone.post("push", phone.batch([made.operations[:3]])).json
    assert [one["now"]["outcome"] for one in answer["results"]] == ["applied"] * 3 and answer["revoked"] == reason
    sealed = locked.send(locked.sealed([made.operations[3:]], first=4), after=(3, made.operations[2]["op_id"])).json
    assert [one["now"]["outcome"] for one in sealed["results"]] == ["applied"] and sealed["revoked"] == reason
    assert locked.send(after=(4, made.operations[3]["op_id"])).json["revoked"] == reason
    for refused in (
        phone.post("pull", {"protocol": 1, "install_id": phone.install_id, "cursor": None}),
        phone.post("fork", {"protocol": 1, "install_id": phone.install_id}),
        asked(ground, phone, "/api/v1/reference"),
    ):
        assert problem(refused) == (403, "install-revoked") and refused.json["reason"] == reason
    assert "revoked" not in other.post("push", other.batch([])).json
    assert asked(ground, other, "/api/v1/sync/config").json["revoked"] is None


def test_a_lost_phone_is_refused_everywhere_and_told_that_it_is_lost(ground):
    """Nothing comes in by either door, and nothing goes out."""
    phone = ground.worker(0)
    locked = Locked(phone)
    revoked(ground, phone, "lost")
    for refused in (
        phone.post("push", phone.batch([[building(0)]])), locked.send(locked.sealed([[building(0)]])), locked.send(),
        asked(ground, phone, "/api/v1/sync/config"), phone.post("pull", {"protocol": 1, "install_id": phone.install_id, "cursor": None}),
    ):  # fmt: skip
        assert problem(refused) == (403, "install-revoked") and refused.json["reason"] == "lost"
    assert ground.count() == 0


def test_a_retired_phone_may_be_found_to_be_lost_and_never_the_other_way(ground):
    """From then on it hands over nothing; a lost one does not come back by being retired."""
    phone = ground.worker(0)
    assert revoked(ground, phone, "retired").revoked_reason == "retired"
    assert revoked(ground, phone, "replaced").revoked_reason == "retired"
    assert revoked(ground, phone, "lost").revoked_reason == "lost"
    assert revoked(ground, phone, "retired").revoked_reason == "lost"
    assert phone.post("push", phone.batch([[building(0)]])).json["reason"] == "lost"


def test_the_phone_of_a_closed_account_hands_over_its_work(ground):
    """Who leaves the office has written something before: it arrives under their name."""
    phone = ground.worker(0)
    user = accounts.find_user(ground.house, ground.secretary, phone.user_id)
    accounts.close_user(ground.house, ground.secretary, user)
    answer = phone.post("push", phone.batch([[building(0)]])).json
    assert answer["results"][0]["now"]["outcome"] == "applied" and answer["revoked"] == "closed"
    assert asked(ground, phone, "/api/v1/reference").json["reason"] == "closed"
    assert user.community_id == COMMUNITY
