"""First sync from a prepared file (docs/protocol.md, section 7): the same copies as page by page, made once, small on the line."""

from __future__ import annotations

import json

import pytest
from front_door import problem
from server_kit import COMMUNITY, building, create, furnish, home, open_ground, operation, patch
from stream_oracle import recount

from server.services.enrolment import create_code
from server.services.erasing import By, erase, target_of
from server.services.snapshots import folder, zstd
from server.services.verify import verify
from server.store.database import read
from sync.device import Phone as ReferencePhone

ROWS = 520


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish_full), tmp_path / "data", clock)
    ground.workers = 10  # the names below are taken
    yield ground
    recount(ground)
    assert verify(ground.house).agrees
    ground.close()


def furnish_full(url):
    """A cell with some hundred dwellings and a household."""
    import tempfile
    from pathlib import Path

    furnish(url)
    with tempfile.TemporaryDirectory() as data:
        ground = open_ground(url, Path(data))
        phone, made = ground.worker(0), home(0, "某人")
        phone.write(*made.operations)
        floor = 1 + ROWS // 4
        doors = [
            create("dwelling", {"building": made.building, "door_number": f"{level}0{door}", "floor_number": level % 30,
                                "address_text": f"示例路 {level} 号 {door} 室"})
            for level in range(1, floor + 1) for door in range(1, 5)
        ]  # fmt: skip
        assert {one[0] for one in phone.outcomes(*[[one] for one in doors])} == {"applied"}
        ground.close()


def first_sync(phone, *, take=True, encoding="zstd"):
    """As a new phone: (the answers to the pull, the bytes of prepared files as they came)."""
    phone.cursor, taken = None, []
    phone.copies.clear()
    phone.bodies.clear()
    body = {"protocol": 1, "install_id": phone.install_id, "cursor": None, "snapshots": take}
    said = json.loads(phone.post("pull", body).data)
    for one in said.get("snapshots", ()):
        asked = {"protocol": 1, "install_id": phone.install_id, "stream": one["stream"], "seq": one["seq"]}
        client, headers = phone.ground.app.test_client(), {"Authorization": f"Bearer {phone.token}", "Accept-Encoding": encoding}
        answer = client.post("/api/v1/sync/snapshot", json=asked, headers=headers)
        assert answer.status_code == 200, answer.data
        packed = answer.headers.get("Content-Encoding")
        plain = zstd.decompress(answer.data) if packed == "zstd" else answer.data
        if packed == "gzip":
            import gzip

            plain = gzip.decompress(answer.data)
        rows = json.loads(plain)["rows"]
        assert len(rows) == one["rows"]
        for row in rows:
            phone._keep(row)
        taken.append(answer.data)
    phone.cursor = said["cursor"]
    for row in said["rows"]:
        phone._keep(row)
    if said["complete"]:
        phone._check(said)
    else:
        phone.pull()
    return said, taken


def test_a_prepared_file_gives_the_copies_that_pages_give(ground):
    """Counts and digests agree at once; the file is made once for all phones; what changed since follows as rows; nothing of it is plain on disk."""
    one, two = ground.worker(0), ground.worker(0)
    said, taken = first_sync(one)
    assert said["complete"] and len(taken) == 1
    assert all(row["stream"] == "~reference" for row in said["rows"])
    (file,) = folder(ground.house).iterdir()
    assert "示例路".encode() not in file.read_bytes() and file.stat().st_mode & 0o077 == 0
    writer = ground.worker(0, 1)
    dwellings = [each for each in sorted(one.visible) if one.bodies[each]["type"] == "dwelling"]
    victim, moved, changed = dwellings[:3]
    elsewhere = building(1)
    writer.write(
        elsewhere, operation("delete", "dwelling", victim, base=ground.base(victim)),
        patch(ground, moved, {"building": elsewhere["id"]}), patch(ground, changed, {"floor_number": 31}),
    )  # fmt: skip
    said, taken = first_sync(two)
    assert [path.name for path in folder(ground.house).iterdir()] == [file.name]
    assert {row["kind"] for row in said["rows"]} == {"PUT", "REMOVE"} and len(taken) == 1
    assert two.visible == one.visible - {victim, moved}
    assert two.bodies[changed]["fields"]["floor_number"] == 31
    said, taken = first_sync(two, encoding="gzip")
    assert len(taken) == 1
    said, taken = first_sync(two, take=False)
    assert "snapshots" not in said and two.visible == one.visible - {victim, moved}


def test_the_line_carries_little_more_than_the_packed_records(ground):
    """At most 1.15 times the zstd size of the same records as plain JSON lines."""
    phone = ground.worker(0)
    _, taken = first_sync(phone)
    lines = b"".join(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for body in phone.bodies.values())
    assert sum(map(len, taken)) <= 1.15 * len(zstd.compress(lines))


def test_a_prepared_file_is_for_whoever_follows_the_stream(ground):
    """A worker of another cell gets none; a seq that was never offered neither; small streams are not prepared at all."""
    mine, other = ground.worker(0), ground.worker(1)
    said, _ = first_sync(mine)
    (offered,) = said["snapshots"]
    asked = {"protocol": 1, "install_id": other.install_id, "stream": offered["stream"], "seq": offered["seq"]}
    assert problem(other.post("snapshot", asked)) == (404, "not-found")
    asked = {"protocol": 1, "install_id": mine.install_id, "stream": offered["stream"], "seq": offered["seq"] + 1}
    assert problem(mine.post("snapshot", asked)) == (404, "not-found")
    assert problem(mine.post("snapshot", asked | {"seq": "x"})) == (422, "invalid-input")
    assert "snapshots" not in first_sync(other)[0]


def test_s28_an_erasure_drops_prepared_files(ground):
    """The file and its key are gone; the next phone gets another file without the person."""
    phone = ground.worker(0)
    first_sync(phone)
    (before,) = folder(ground.house).iterdir()
    (person,) = (one for one, body in phone.bodies.items() if body["type"] == "person")
    with read(ground.house.engine) as connection:
        target = target_of(connection, ground.house, COMMUNITY, person)
    erase(ground.house, target, By("~operator", "request"))
    assert not before.exists()
    assert ground.rows("SELECT 1 FROM data_key WHERE subject_id LIKE 'snapshot/%'") == []
    assert person not in ground.worker(0).visible
    first_sync(phone)
    assert person not in phone.visible and len(list(folder(ground.house).iterdir())) == 1


class Wire:
    """Carries the reference phone's requests into the app; counts them by path."""

    def __init__(self, ground):
        self.client, self.paths, self.ground = ground.app.test_client(), [], ground

    def request(self, method, path, *, body=None, token=None):
        from sync.device import Answer

        self.paths.append(path.rsplit("/", 1)[-1])
        if self.paths[-1] == "snapshot" and self.paths.count("snapshot") == 1:
            for one in folder(self.ground.house).iterdir():
                one.unlink()  # gone between the offer and the fetching
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.client.open(path, method=method, json=body, headers=headers)
        return Answer(answer.status_code, {key.lower(): value for key, value in answer.headers.items()}, answer.json or {})


def test_the_reference_phone_takes_it_and_goes_page_by_page_where_it_is_gone(ground, tmp_path, clock, new_id):
    """Two phones: the first finds its file gone and reads pages, the second takes the file; both hold what the server has."""
    user = ground.worker(0).user_id
    held = []
    for number in range(2):
        wire = Wire(ground)
        if number:
            wire.paths.append("snapshot")
        phone = ReferencePhone(tmp_path / f"phone-{number}", wire, clock, new_id, ground.house.registry)
        phone.enrol(create_code(ground.house, ground.secretary, user)[0], label="phone")
        report = phone.pull()
        assert report.complete and not report.rebuilt
        assert wire.paths.count("pull") == (1 if number else 2) and wire.paths.count("snapshot") == 1 + number
        held.append(report.rows)
    assert held[0] == held[1] > ROWS
