"""S30, S26: photos of those who move are seen in the other community, also those that arrive late."""

from __future__ import annotations

import json

import pytest
from crossing_kit import NOWHERE, OTHER, accept, ask, family, rows, there, two_communities
from server_kit import COMMUNITY, PASSWORD, building, create, patch
from test_server_blobs import Uploader, name_of, picture
from test_server_crossing import erase_there

from server.store import installs
from server.store.database import write


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


def forked(ground, phone):
    """A phone that goes on from this one as an install of its own."""
    fork = ground.enrol(phone.user_id)
    with write(ground.house.engine) as connection:
        installs.set_parent(connection, COMMUNITY, fork.install_id, phone.install_id, phone.n)
    return fork


def test_s21_a_photo_is_seen_whichever_of_a_phone_and_its_fork_wrote_of_it(ground):
    """S21, S26, S30: uploaded by the fork, or before it was one; here and where they moved; another fork's upload opens nothing."""
    phone = ground.worker(0)
    near, _ = family(phone)
    red, blue, green, late = picture("red"), picture("blue"), picture("green"), picture("yellow")
    phone.write(visit_with(near, red), visit_with(near, late))
    uploads_of(ground, phone).upload(blue)
    fork, other = forked(ground, phone), forked(ground, phone)
    fork.write(visit_with(near, blue), visit_with(near, green))
    for uploader, content in ((fork, red), (other, green)):
        uploads_of(ground, uploader).upload(content)
    assert [seen_by(ground, "secretary-1", one)[0] for one in (red, blue, green, late)] == [200, 200, 404, 404]
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting, NOWHERE)
    uploads_of(ground, fork).upload(late)
    assert [seen_by(ground, "secretary-2", one)[0] for one in (red, blue, green, late)] == [200, 200, 404, 200]


def test_s26_a_photo_that_another_phone_took_over_with_its_work_is_seen(ground):
    """C10, S26, S30: the visit had arrived, the photo comes from the phone that read the file; whoever has not sent that work opens nothing."""
    lost, taker, stranger = ground.worker(0), ground.worker(0), ground.worker(0)
    near, _ = family(lost)
    red, blue = picture("red"), picture("blue")
    visits = [visit_with(near, red), visit_with(near, blue)]
    lost.write(*visits)
    for one in (red, blue):
        uploads_of(ground, stranger).upload(one)
    assert seen_by(ground, "secretary-1", red)[0] == 404
    uploads_of(ground, taker).upload(red)
    assert seen_by(ground, "secretary-1", red)[0] == 404
    taker.push(*[[one] for one in visits])
    assert [seen_by(ground, "secretary-1", one)[0] for one in (red, blue)] == [200, 404]
    _, waiting = ask(ground, lost, near.household)
    accept(ground, waiting, NOWHERE)
    assert [seen_by(ground, "secretary-2", one)[0] for one in (red, blue)] == [200, 404]
    uploads_of(ground, taker).upload(blue)
    assert seen_by(ground, "secretary-2", blue) == (200, True)


def test_s28_s30_a_photo_that_both_communities_show_goes_where_its_person_is_erased(ground):
    """Both have one file: it stays as long as a record anywhere shows it, and is destroyed with the last one."""
    phone = ground.worker(0)
    near, _ = family(phone)
    red, blue = picture("red"), picture("blue")
    for one in (red, blue):
        uploads_of(ground, phone).upload(one)
    names = [name_of(one) for one in (red, blue)]
    shelf = {"name": "柜", "kind": "supply", "photos": {"add": names[:1]}, "anchor": building(0)["set"]["anchor"]}
    phone.write(create("care_status", {"person": near.persons[0], "kind": "disabled", "photos": names}), create("resource", shelf))
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting, NOWHERE)
    assert opens(ground) == sorted([(where, name) for where in (COMMUNITY, OTHER) for name in names])
    files = [path for path in (ground.house.settings.data_dir / "blobs").rglob("*") if path.is_file()]
    erase_there(ground, near.persons[0])
    assert opens(ground) == [(COMMUNITY, names[0])] and seen_by(ground, "secretary-1", red) == (200, True)
    assert len(files) == 2 and [path.stem for path in files if path.exists()] == names[:1]


def opens(ground):
    """(community, SHA-256) of the photos whose keys are there."""
    return sorted(tuple(one) for one in rows(ground, "SELECT community_id, sha256 FROM blob WHERE wrapped_key IS NOT NULL"))
