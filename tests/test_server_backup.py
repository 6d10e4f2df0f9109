"""`dishu backup` (S26, S28): whole while others write, sealed, verified by restoring it, and only then it counts."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import FixedClock
from server_kit import KEY, building, furnish, home, open_ground

from server.errors import StartError
from server.sealing import KeyRing
from server.services.archive import ArchiveDamaged
from server.services.backup import Backup, back_up, destroy_key, new_file, read_key, revision_of
from server.store import backup as store
from server.store.database import read, run, write


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path / "data", FixedClock())
    yield ground
    ground.close()


def safe_n(ground, phone) -> int:
    """What the server says of a phone in both answers."""
    pushed = phone.send(phone.batch([]))["safe_n"]
    assert pushed == phone.pull()[-1]["safe_n"]
    return pushed


def later(ground, **duration) -> None:
    """Move the house's clock."""
    ground.house.clock.advance(**duration)


def test_s26_two_verified_copies_make_operations_safe(ground, tmp_path):
    """S26: a phone may forget what both of the two newest verified copies hold, and nothing before there are two."""
    phone, other = ground.worker(0), ground.worker(0)
    phone.write(*home(0, "某人").operations)
    assert safe_n(ground, phone) == 0
    first = back_up(ground.house, tmp_path / "copies")
    assert first.difference is None and first.counted == 1 and safe_n(ground, phone) == 0
    phone.write(building(0))
    other.write(building(0))
    back_up(ground.house, tmp_path / "copies")
    assert safe_n(ground, phone) == 4 and safe_n(ground, other) == 0
    back_up(ground.house, tmp_path / "copies")
    assert safe_n(ground, phone) == 5 and safe_n(ground, other) == 1


def test_s26_a_copy_that_does_not_hold_does_not_count(ground, tmp_path):
    """S26: a row that the journal does not account for: the archive is kept under another name, nobody relies on it."""
    phone = ground.worker(0)
    phone.write(*home(0, "某人").operations)
    back_up(ground.house, tmp_path / "copies")
    with write(ground.house.engine) as connection:
        run(connection, "DELETE FROM record_index_new")
    made = back_up(ground.house, tmp_path / "copies")
    assert made.difference is not None and made.counted == 1 and made.archive.name.endswith(".unverified")
    assert safe_n(ground, phone) == 0


def test_s28_an_archive_shows_nothing_and_opens_with_both_keys_only(ground, tmp_path):
    """S28: a name is nowhere in the file; without its key file, under another house key or with a changed byte it stays shut."""
    phone = ground.worker(0)
    phone.write(*home(0, "张某某").operations)
    made = back_up(ground.house, tmp_path / "copies")
    content = made.archive.read_bytes()
    assert "张某某".encode() not in content and stat.S_IMODE(made.archive.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    assert revision_of(ground.house, made.archive, made.key_file) == "0001"
    stranger = replace(ground.house, keys=KeyRing.from_secret(KEY[::-1]))
    with pytest.raises(StartError, match="another house key"):
        revision_of(stranger, made.archive, made.key_file)
    for damaged in (
        content[:-1],
        content[: len(content) // 2],
        content[:-40] + b"\0" + content[-39:],
        content[:200] + bytes([content[200] ^ 1]) + content[201:],
        b"",
    ):
        made.archive.write_bytes(damaged)
        with pytest.raises(ArchiveDamaged):
            revision_of(ground.house, made.archive, made.key_file)
    made.archive.write_bytes(content)
    destroy_key(made.key_file)
    with pytest.raises(StartError, match="nobody opens it"):
        revision_of(ground.house, made.archive, made.key_file)


def test_s28_keys_are_destroyed_when_their_copies_expire(ground, tmp_path):
    """S28: past its day the key of a copy goes, but never one of the two newest; each copy has a key of its own."""
    made: list[Backup] = []
    for _ in range(4):
        made.append(back_up(ground.house, tmp_path / "copies", keep_days=30))
        later(ground, days=20)
    keys = {read_key(ground.house, one.key_file, one.backup_id) for one in made if one.key_file.exists()}
    assert [one.key_file.exists() for one in made] == [False, False, True, True] and len(keys) == 2
    assert made[3].destroyed == (made[1].backup_id,) and made[3].counted == 2
    later(ground, days=400)
    last = back_up(ground.house, tmp_path / "copies")
    assert [one.key_file.exists() for one in (*made, last)] == [False, False, False, True, True]


def test_a_run_that_was_killed_leaves_nothing_that_counts(ground, tmp_path):
    """A copy that ends in the middle: no archive, no key, no plain copy; what an earlier one left is swept away."""
    left = ground.house.settings.data_dir / "backup-work-1"
    left.mkdir()
    (left / "copy.sqlite3").write_bytes(b"plain")

    def torn(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    ground.worker(0).write(*home(0, "某人").operations)
    with pytest.raises(KeyboardInterrupt):
        back_up(ground.house, tmp_path / "copies", progress=torn)
    assert list((tmp_path / "copies").iterdir()) == []
    assert sorted(one.name for one in ground.house.settings.data_dir.glob("backup-*")) == ["backup-keys"]
    assert list((ground.house.settings.data_dir / "backup-keys").iterdir()) == []
    with read(ground.house.engine) as connection:
        assert store.copies(connection) == []


def test_a_copy_is_one_snapshot_while_others_write(ground, tmp_path, monkeypatch):
    """What arrives while the copy is made is wholly in it or not at all, and nobody waits for the copy."""
    phone = ground.worker(0)
    phone.write(*home(0, "某人").operations)
    lines = store.lines

    def busy(connection, name, columns):
        if name in {"history", "operation", "stream"}:
            phone.write(building(0))
        return lines(connection, name, columns)

    monkeypatch.setattr(store, "lines", busy)
    made = back_up(ground.house, tmp_path / "copies")
    assert made.difference is None and phone.n == 7


def test_values_survive_in_every_shape(ground, tmp_path):
    """Tabs, line ends, backslashes, quotes, other planes, empty text, null, numbers and bytes come back as they were."""
    odd = "a\tb\nc\r\\N\\x41 \"'\b\f\v\U00020000 ~"
    with write(ground.house.engine) as connection:
        run(connection, "UPDATE community SET name = ?, code_profile = '', boundary = ?", (odd, bytes(range(256))))
        run(connection, "UPDATE cell SET area_m2 = 0.1, label_lon = 1e-7, label_lat = -31.3000001")
    aside = new_file(ground.house, tmp_path / "aside.sqlite3", "0001")
    for name in ("community", "cell"):
        columns = store.tables()[name]
        with read(ground.house.engine) as connection:
            blocks = list(store.lines(connection, name, columns))
            before = sorted(map(plain, run(connection, f"SELECT * FROM {name}")))
        with write(aside.engine) as connection:
            store.load(connection, name, columns, blocks)
            assert sorted(map(plain, run(connection, f"SELECT * FROM {name}"))) == before
    with read(aside.engine) as connection:
        found = run(connection, "SELECT name, code_profile, boundary FROM community").one()
    assert tuple(found) == (odd, "", bytes(range(256)))
    aside.engine.dispose()


def plain(row) -> list[str]:
    """The values of a row, to be compared between databases."""
    return [repr(bytes(one) if isinstance(one, memoryview) else one) for one in row]


def test_only_one_backup_at_a_time(ground, tmp_path):
    """Two that start together do not sweep each other's work away."""

    def second(_done: int, _of: int) -> None:
        with pytest.raises(StartError, match="under way"):
            back_up(ground.house, Path(tmp_path / "others"))

    assert back_up(ground.house, tmp_path / "copies", progress=second).difference is None
    assert not os.path.exists(tmp_path / "others")
