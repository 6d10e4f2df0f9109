"""S30, S26: photos of those who move are seen in the other community, also those that arrive late."""

from __future__ import annotations

import json

import pytest
from crossing_kit import NOWHERE, accept, ask, family, there, two_communities
from server_kit import PASSWORD, create, patch
from test_server_blobs import Uploader, name_of, picture


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    with two_communities(prepared_database, tmp_path, clock) as found:
        yield found


def uploads_of(ground, phone):
    return Uploader(ground.app.test_client(), {"Authorization": f"Bearer {phone.token}"})


def seen_by(ground, login, content):
    """What somebody in the office gets who asks for a photo: the status, and whether it is a picture."""
    client = ground.app.test_client()
    client.post("/api/v1/session", json={"login": login, "password": PASSWORD})
    said = client.get(f"/api/v1/blobs/{name_of(content)}")
    return said.status_code, said.data[:3] == b"\xff\xd8\xff"


def visit_with(near, content):
    fields = {"household": near.household, "method": "door", "outcome": "met", "attempt_number": 1}
    return create("visit", fields | {"photos": {"add": [name_of(content)]}})


def test_s30_photos_of_who_moves_are_seen_where_they_live_now(ground):
    """S30: uploaded before the move, or by the phone only afterwards; a photo that nobody there wrote about stays unseen."""
    phone = ground.worker(0)
    near, _ = family(phone)
    red, blue, green = picture("red"), picture("blue"), picture("green")
    up = uploads_of(ground, phone)
    up.upload(red)
    up.upload(green)
    phone.write(visit_with(near, red), visit_with(near, blue))
    assert seen_by(ground, "secretary-1", red) == (200, True)
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting, NOWHERE)
    assert seen_by(ground, "secretary-2", red) == (200, True)
    assert [seen_by(ground, "secretary-2", one)[0] for one in (blue, green)] == [404, 404]
    up.upload(blue)
    assert seen_by(ground, "secretary-2", blue) == (200, True)
    assert seen_by(ground, "secretary-2", green)[0] == 404


def test_s30_photos_of_late_work_are_seen_where_it_was_decided(ground):
    """S30, S14: the photo was there before the late visit, or comes after it; a stranger's upload of the same name opens nothing."""
    phone, away = ground.worker(0), ground.worker(0)
    near, seen = family(phone)
    away.pull()
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting, NOWHERE)
    red, blue = picture("red"), picture("blue")
    uploads_of(ground, away).upload(red)
    late, later = visit_with(near, red), visit_with(near, blue)
    known = patch(ground, seen, {"photos": {"add": [name_of(blue)]}})
    away.push([late], [later], [known])
    assert json.loads(there(ground, late["id"]).fields)["photos"] == [name_of(red)]
    assert seen_by(ground, "secretary-2", red) == (200, True)
    assert seen_by(ground, "secretary-2", blue)[0] == 404
    uploads_of(ground, phone).upload(blue)  # who has not written of it
    assert seen_by(ground, "secretary-2", blue)[0] == 404
    uploads_of(ground, away).upload(blue)
    assert seen_by(ground, "secretary-2", blue) == (200, True)
