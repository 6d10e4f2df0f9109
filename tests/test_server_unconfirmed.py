"""S26: an install that a restored database does not know pushes into hold, may not pull, and waits for the secretary."""

from __future__ import annotations

from front_door import problem
from server_kit import COMMUNITY, PASSWORD, building, home

from server.services import enrolment
from server.services.release import sweep
from server.store.database import run, write


def forgotten(ground):
    """A phone that was enrolled after the backup: the restored database has no row of it."""
    phone = ground.worker(0)
    with write(ground.house.engine) as connection:
        run(connection, "DELETE FROM install WHERE community_id = ? AND install_id = ?", (COMMUNITY, phone.install_id))
        run(connection, "DELETE FROM stream WHERE community_id = ? AND stream_id = ?", (COMMUNITY, f"install/{phone.install_id}"))
    return phone


def office(ground):
    client = ground.app.test_client()
    token = client.post("/api/v1/session", json={"login": "secretary-1", "password": PASSWORD}).json["csrf_token"]
    return lambda path, body: client.post(path, json=body, headers={"X-CSRF-Token": token})


def test_it_pushes_into_hold_and_goes_on_once_confirmed(ground):
    """Nothing that it wrote is lost, nothing is shown to it before, and everything is decided in order afterwards."""
    phone, other = forgotten(ground), ground.worker(0)
    made = home(0, "张一")
    assert set(phone.outcomes(*[[one] for one in made.operations])) == {("held", "install")}
    assert phone.outcomes(["{torn"]) == [("quarantined", "malformed")]
    assert ground.count() == 0
    assert problem(phone.post("pull", {"protocol": 1, "install_id": phone.install_id, "cursor": None})) == (403, "install-unconfirmed")
    ask, path = office(ground), f"/api/v1/devices/{phone.install_id}/confirm"
    assert problem(ask(path, {"user_id": "nobody"})) == (422, "invalid-input")
    answer = ask(path, {"user_id": phone.user_id})
    assert answer.status_code == 200 and (answer.json["user_id"], answer.json["flag"]) == (phone.user_id, None)
    assert ground.record(made.persons[0]).home == ground.streams[0]
    phone.pull()
    assert {row["outcome"] for row in phone.statuses.values()} == {"applied"} and len(phone.statuses) == 4
    assert phone.outcomes([building(0)]) == [("applied", None)]
    other.pull()
    assert set(made.persons) <= other.visible
    assert problem(ask(path, {"user_id": phone.user_id})) == (409, "already-decided")


def test_the_sweeper_finishes_what_a_confirmation_began(ground):
    """S14: killed between confirming and releasing, the sweeper comes back to it."""
    phone = forgotten(ground)
    phone.push(home(0, "张一").operations)
    with write(ground.house.engine) as connection:
        run(connection, "UPDATE install SET user_id = ?, flag = NULL WHERE install_id = ?", (phone.user_id, phone.install_id))
    assert sweep(ground.house) == 1 and ground.count() == 4


def test_one_that_was_revoked_stays_out(ground):
    """S26: a revocation outlives the database; so does a token that this house never signed."""
    phone = ground.worker(0)
    enrolment.revoke_install(ground.house, ground.secretary, phone.install_id, reason="lost")
    with write(ground.house.engine) as connection:
        run(connection, "DELETE FROM install WHERE community_id = ? AND install_id = ?", (COMMUNITY, phone.install_id))
    assert problem(phone.post("push", phone.batch([[building(0)]]))) == (401, "token-refused")
