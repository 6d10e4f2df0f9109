"""`dishu restore` (S25, S26): wholly or not at all, in a new life, with everything revoked that was revoked since."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import FixedClock
from server_kit import COMMUNITY, KEY, building, furnish, home, open_ground

from server.cli import main
from server.errors import StartError
from server.services import accounts, enrolment
from server.services import backup as backing
from server.services import restore as restoring
from server.services.archive import ArchiveDamaged
from server.services.backup import back_up
from server.services.restore import NotEmpty, restore
from server.services.verify import verify
from server.store.database import read, run, write
from server.store.life import epoch


@pytest.fixture
def url(prepared_database):
    return prepared_database(furnish)


@pytest.fixture
def ground(url, tmp_path):
    ground = open_ground(url, tmp_path / "data", FixedClock())
    yield ground
    ground.close()


def everything(ground) -> dict[str, list[str]]:
    """Every row that is recorded, as text."""
    tables = ("record", "history", "journal_payload", "operation", "feed", "stream", "install", "data_key", "finding")
    return {
        one: sorted(
            str(tuple(bytes(v) if isinstance(v, memoryview) else v for v in row))
            for row in ground.rows(f"SELECT * FROM {one}")
        )
        for one in tables
    }


def life(ground) -> str | None:
    with read(ground.house.engine) as connection:
        return epoch(connection)


def test_s25_a_restored_database_is_the_one_that_was_copied_in_a_new_life(ground, tmp_path):
    """S25: what was recorded comes back to the last row; what came later does not; journal and state agree; the epoch is new."""
    phone = ground.worker(0)
    phone.write(*home(0, "某人", "某人二").operations)
    before, first = everything(ground), life(ground)
    made = back_up(ground.house, tmp_path / "copies")
    phone.write(*[building(0) for _ in range(3)])
    with pytest.raises(NotEmpty):
        restore(ground.house, made.archive)
    assert phone.n == 8 and life(ground) == first
    done = restore(ground.house, made.archive, replace=True)
    assert everything(ground) == before and life(ground) == done.epoch != first
    assert verify(ground.house).agrees
    told = phone.pull()[0]
    assert told["epoch"] == done.epoch and told["replace"]
    phone.n, phone.op_id = 5, ground.rows("SELECT last_op_id FROM install WHERE install_id = ?", phone.install_id)[0][0]
    phone.write(building(0))
    assert verify(ground.house).agrees
    numbers = [row[0] for row in ground.rows("SELECT number FROM journal ORDER BY number")]
    assert len(numbers) == len(set(numbers))


def test_s26_what_was_revoked_since_stays_revoked(ground, tmp_path):
    """S26: a lost phone, a closed account, an ended assignment: a restore gives none of them back. Codes and sign-ins end."""
    lost, kept, closed = ground.worker(0), ground.worker(0, 1), ground.worker(0)
    code, _ = enrolment.create_code(ground.house, ground.secretary, kept.user_id)
    made = back_up(ground.house, tmp_path / "copies")
    enrolment.revoke_install(ground.house, ground.secretary, lost.install_id, reason="lost")
    account = accounts.find_user(ground.house, ground.secretary, closed.user_id)
    accounts.close_user(ground.house, ground.secretary, account)
    ground.unassign(kept.user_id, 1)
    done = restore(ground.house, made.archive, replace=True)
    assert done.revoked_again == 3
    assert [
        one.post("pull", {"protocol": 1, "install_id": one.install_id, "cursor": None}).status_code
        for one in (lost, closed, kept)
    ] == [403, 403, 200]
    kept.pull()
    assert set(kept.told) == {f"install/{kept.install_id}", ground.streams[0], "~reference"}
    answer = ground.app.test_client().post("/api/v1/enroll", json={"code": code, "label": "", "app_version": ""})
    assert answer.status_code == 410
    assert verify(ground.house).agrees


def test_a_torn_line_of_the_revocations_stops_nothing(ground, tmp_path):
    """A power cut while a revocation was written down: the others are applied all the same."""
    lost = ground.worker(0)
    made = back_up(ground.house, tmp_path / "copies")
    enrolment.revoke_install(ground.house, ground.secretary, lost.install_id, reason="lost")
    with (ground.house.settings.data_dir / "revocations.log").open("ab") as log:
        log.write(b'{"kind": "devi')
    assert restore(ground.house, made.archive, replace=True).revoked_again == 1


@pytest.mark.parametrize("step", ["load", "verify", "revoke"])
def test_a_restore_that_fails_changes_nothing(ground, tmp_path, monkeypatch, step):
    """Stopped anywhere, the database that was there is still there and in use."""
    phone = ground.worker(0)
    phone.write(building(0))
    made = back_up(ground.house, tmp_path / "copies")
    phone.write(building(0))
    before, first = everything(ground), life(ground)

    def torn(*_args, **_named):
        raise KeyboardInterrupt

    names = {"load": "load_archive", "verify": "verify_snapshot", "revoke": "apply_again"}
    with monkeypatch.context() as patched:
        patched.setattr(restoring, names[step], torn)
        with pytest.raises(KeyboardInterrupt):
            restore(ground.house, made.archive, replace=True)
    made.archive.write_bytes(made.archive.read_bytes()[:-3])
    with pytest.raises(ArchiveDamaged):
        restore(ground.house, made.archive, replace=True)
    assert everything(ground) == before and life(ground) == first
    assert not list(tmp_path.rglob("*.restoring*"))
    phone.write(building(0))


def test_a_copy_that_differs_is_restored_only_when_asked(ground, tmp_path):
    """The only archive left has a row that the journal does not account for: refused with its name, possible all the same."""
    ground.worker(0).write(*home(0, "某人").operations)
    with write(ground.house.engine) as connection:
        run(connection, "DELETE FROM record_index_new")
    made = back_up(ground.house, tmp_path / "copies")
    assert made.difference is not None
    with pytest.raises(restoring.Differs):
        restore(ground.house, made.archive, replace=True)
    assert restore(ground.house, made.archive, replace=True, even_if_different=True).difference == made.difference


def test_an_archive_of_one_database_goes_into_the_other(prepared_database, tmp_path, postgres_server):
    """A community that outgrows SQLite moves with its backup, and back."""
    ground = open_ground(prepared_database(furnish), tmp_path / "data", FixedClock())
    phone = ground.worker(0)
    phone.write(*home(0, "某人").operations)
    before = everything(ground)
    made = back_up(ground.house, tmp_path / "copies")
    ground.close()
    here = ground.house.engine.dialect.name
    other_url = postgres_server.create_database() if here == "sqlite" else f"sqlite:///{tmp_path / 'other.sqlite3'}"
    from server.app import create_app, house_of
    from server.settings import Settings

    house = house_of(create_app(Settings.in_folder(tmp_path / "data", database_url=other_url, key=KEY)))
    restore(house, made.archive)
    house.engine.dispose()
    other = open_ground(other_url, tmp_path / "data", FixedClock())
    assert everything(other) == before and verify(other.house).agrees
    moved = phone.__class__(other, phone.install_id, phone.token, phone.user_id, phone.n, phone.op_id)
    moved.pull()
    moved.write(building(0))
    assert moved.n == 5 and verify(other.house).agrees
    other.close()
    if here == "sqlite":
        postgres_server.drop_database(other_url)


def test_a_running_server_is_noticed(tmp_path):
    """On SQLite a restore under a running server is refused: it would go on writing into the old file."""
    url = f"sqlite:///{tmp_path / 'dishu.sqlite3'}"
    furnish(url)
    ground = open_ground(url, tmp_path / "data", FixedClock())
    made = back_up(ground.house, tmp_path / "copies")
    running = sqlite3.connect(tmp_path / "dishu.sqlite3")
    running.execute("SELECT count(*) FROM record").fetchone()
    with pytest.raises(StartError, match="stop the server"):
        restore(ground.house, made.archive, replace=True)
    running.close()
    done = restore(ground.house, made.archive, replace=True)
    assert done.replaced is not None and done.replaced.exists()
    ground.close()


def test_the_two_commands(tmp_path, monkeypatch):
    """`dishu backup`, twice, and `dishu restore` from the command line, the key file beside the archive."""
    data = tmp_path / "data"
    for name in ("DISHU_DATABASE_URL", "DISHU_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISHU_DATA", str(data))
    monkeypatch.setenv("DISHU_KEY", KEY.hex())
    data.mkdir(mode=0o700)
    furnish(f"sqlite:///{data / 'dishu.sqlite3'}")

    def said(*words: str) -> str:
        answer = CliRunner().invoke(main, list(words))
        assert answer.exit_code == 0, answer.output
        return answer.output

    assert "phones keep everything" in said("backup", str(tmp_path / "usb"))
    assert "2 verified backups" in said("backup", str(tmp_path / "usb"))
    archives = sorted(Path(tmp_path / "usb").glob("*.dishu-backup"))
    for key in (data / backing.KEY_FOLDER).iterdir():
        shutil.move(key, tmp_path / "usb" / key.name)
    shutil.rmtree(data)
    assert "look through `dishu device list`" in said("restore", str(archives[0]))
    assert "journal and database agree" in said("verify") and COMMUNITY
    refused = CliRunner().invoke(main, ["restore", str(archives[0])])
    assert refused.exit_code == 1 and "--replace" in refused.output
