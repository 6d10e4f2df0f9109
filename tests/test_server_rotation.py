"""S28, key rotation: another house secret while everybody works; nothing has to be typed, enrolled or restored anew."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from front_door import problem
from records_kit import ZHANG_NUMBER
from server_kit import COMMUNITY, KEY, building, furnish, home, open_ground, resident
from stream_oracle import recount
from test_server_outbox import Locked

from server.cli import main
from server.errors import StartError
from server.services import rotation
from server.services.backup import back_up
from server.services.restore import restore
from server.services.verify import verify
from server.store.rotating import replace, wrapped


class Killed(BaseException):
    """The process was killed here."""


@pytest.fixture
def houses(prepared_database, tmp_path, clock):
    """Two processes of one house on one database and one key file."""
    url = prepared_database(furnish)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "house.key").write_text(KEY.hex())
    (folder / "house.key").chmod(0o600)
    grounds = [open_ground(url, folder, clock, key=None) for _ in range(2)]
    yield grounds
    recount(grounds[0])
    for ground in grounds:
        report = verify(ground.house)
        assert report.agrees, str(report.difference)
        ground.close()


def numbered(household):
    person = resident(household, "某人", document_type="resident_id", document_number=ZHANG_NUMBER)
    del person["set"]["document_missing_reason"]
    return person


def now_(ground):
    return rotation.rotate(ground.house, wait=lambda _: None)


def test_s28_a_rotation_goes_on_while_phones_work_and_after_a_kill(houses):
    """Killed before and in the middle, gone on with; both servers follow; phones notice nothing; nothing is wrapped by the old secret."""
    one, two = houses
    phone = one.worker(0)
    made = home(0, "邻居")
    phone.write(*made.operations, numbered(made.household))

    def killed(_):
        raise Killed

    with pytest.raises(Killed):
        rotation.rotate(one.house, wait=killed)
    left = rotation.standing(one.house).left
    assert left > 1
    phone.write(building(0))
    phone.ground = two
    phone.write(building(0))
    phone.pull()
    assert verify(two.house).agrees
    place, key = next(iter(wrapped(one.house.engine, 1)))[0]
    from server.store.database import write

    with write(one.house.engine) as connection:
        assert replace(connection, place, key, one.house.keys.wrap(one.house.keys.unwrap(key)))
    begun, count = now_(two)
    assert not begun and count >= left - 1
    assert rotation.standing(one.house) == rotation.Standing(1, 0)
    phone.ground = one
    phone.write(home(1, "新来的").operations[0])
    desk = one.app.test_client()
    token = desk.post("/api/v1/session", json={"login": "secretary-1", "password": "a-made-up-password"}).json["csrf_token"]
    found = desk.post(f"/api/v1/communities/{COMMUNITY}/find", headers={"X-CSRF-Token": token}, json={"text": ZHANG_NUMBER})
    assert found.status_code == 200 and ZHANG_NUMBER not in found.text and [one["count"] for one in found.json["groups"]] == [1], found.data
    assert now_(one)[0], "a finished rotation is followed by another one"
    assert rotation.standing(two.house) == rotation.Standing(2, 0)


def test_s28_what_the_former_secret_signed_holds_until_it_is_retired(houses):
    """Tokens, cursors and sealed work from before hold; the configuration gives a token anew; after retiring only that one is taken."""
    one, two = houses
    phone = one.worker(0)
    locked = Locked(phone)
    waiting, before = locked.sealed([[building(0)]]), phone.cursor
    now_(two)
    one.house.keys.renew(now=True)
    told = one.app.test_client().get("/api/v1/sync/config", headers={"Authorization": f"Bearer {phone.token}"}).json
    fresh = told["device_token"]
    assert fresh and fresh != phone.token
    pages = phone.pull()
    assert pages[0]["replace"] == [] and len(pages) == 1, "the cursor from before still holds"
    assert locked.send(waiting).status_code == 200
    late = locked.sealed([[building(0)]], first=2)
    head = (1, phone.ground.rows("SELECT last_op_id FROM install WHERE install_id = ?", phone.install_id)[0][0])
    assert rotation.retire(two.house) == 1
    one.house.keys.renew(now=True)
    assert problem(phone.post("pull", {"protocol": 1, "install_id": phone.install_id, "cursor": None})) == (401, "token-refused")
    phone.token = fresh
    told = one.app.test_client().get("/api/v1/sync/config", headers={"Authorization": f"Bearer {phone.token}"}).json
    assert told["device_token"] is None
    locked.token = told["send_token"]
    assert problem(locked.send(late, after=head)) == (422, "sealed-unreadable")
    again = phone.post("pull", {"protocol": 1, "install_id": phone.install_id, "cursor": before})
    assert problem(again) == (410, "cursor-unreadable")
    phone.n, phone.op_id = head
    phone.write(building(0))
    phone.pull()


def test_s28_an_archive_from_before_opens_with_the_key_of_its_time(houses, tmp_path, monkeypatch):
    """While the former secret is kept nothing is asked; after retiring it `--house-key` names the old file, and all is wrapped anew."""
    one, two = houses
    two.close()
    phone = one.worker(0)
    phone.write(*home(0, "某人").operations)
    folder = one.house.settings.data_dir
    kept = tmp_path / "house-old.key"
    kept.write_bytes((folder / "house.key").read_bytes())
    kept.chmod(0o600)
    made = back_up(one.house, tmp_path / "copies", key_folder=tmp_path / "elsewhere")
    inside = back_up(one.house, tmp_path / "copies")
    now_(one)
    restore(one.house, made.archive, key_file=made.key_file, replace=True)
    assert verify(one.house).agrees and rotation.standing(one.house).left > 0
    with pytest.raises(StartError, match="not finished"):
        rotation.retire(one.house)
    now_(one)
    assert rotation.retire(one.house) == 1
    with pytest.raises(StartError, match="another house key"):
        restore(one.house, made.archive, key_file=made.key_file, replace=True)
    with pytest.raises(StartError, match="another house key"):
        restore(one.house, inside.archive, replace=True)
    settings = one.house.settings
    one.close()
    monkeypatch.setenv("DISHU_DATA", str(folder))
    monkeypatch.setenv("DISHU_DATABASE_URL", settings.database_url)
    order = ["restore", str(made.archive), "--key", str(made.key_file), "--replace", "--house-key", str(kept)]
    done = CliRunner().invoke(main, order)
    assert done.exit_code == 0 and "wrapped anew" in done.output, done.output
    assert CliRunner().invoke(main, ["keys", "status"]).output == "1 former secrets are kept; they wrap 0 keys\n"
    assert CliRunner().invoke(main, ["keys", "retire"]).exit_code == 0


def test_s28_keys_of_archives_that_lie_elsewhere_are_rotated_where_their_folder_is_named(houses, tmp_path, monkeypatch):
    """S28: without the folder the archive is told by its name; with it the key is wrapped anew, and nothing is left to the former secret."""
    one, two = houses
    two.close()
    one.worker(0).write(*home(0, "某人").operations)
    made = back_up(one.house, tmp_path / "copies", key_folder=tmp_path / "elsewhere")
    now_(one)
    assert rotation.standing(one.house).elsewhere == (made.archive.name,)
    folders = (tmp_path / "elsewhere",)
    assert rotation.standing(one.house, folders).left == 1
    monkeypatch.setenv("DISHU_DATA", str(one.house.settings.data_dir))
    monkeypatch.setenv("DISHU_DATABASE_URL", one.house.settings.database_url)
    assert made.archive.name in CliRunner().invoke(main, ["keys", "status"]).output
    rotation.rewrap(one.house, folders)
    said = CliRunner().invoke(main, ["keys", "status", "--keys", str(tmp_path / "elsewhere")])
    assert said.output == "1 former secrets are kept; they wrap 0 keys\n", said.output
    one.close()


def test_a_secret_of_the_environment_is_not_rotated(prepared_database, tmp_path, clock):
    """There is no file to write: the refusal says what to do."""
    ground = open_ground(prepared_database(furnish), tmp_path, clock)
    with pytest.raises(StartError, match="DISHU_KEY_FILE"):
        now_(ground)
    ground.close()
