"""A wrong key, a database that is not there: one line says what is wrong, and nothing is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cells_kit import counts, populate_ground
from click.testing import CliRunner
from front_door import FIRST_DAY, open_office
from hand_phone import HandPhone
from records_kit import CODE_A

from server.cli import main
from server.house import uuid7

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    clock.now = FIRST_DAY + timedelta(days=1)
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


@pytest.fixture
def phone(office):
    return HandPhone(office)


def dishu(*words: str, **environment: str) -> tuple[int, str, str]:
    """Run a command of ours in this process: (exit status, standard output, standard error)."""
    clean = {name: None for name in os.environ if name.startswith("DISHU_") or name == "PORT"}
    answer = CliRunner(env=clean | environment).invoke(main, list(words))
    return answer.exit_code, answer.stdout, answer.stderr


def dishu_process(*words: str, **environment: str) -> tuple[int, str, str]:
    """The same in a process of its own, as a shell sees it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DISHU_") and name != "PORT"}
    answer = subprocess.run(
        [sys.executable, "-c", "from server.cli import main; main()", *words],
        cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return answer.returncode, answer.stdout, answer.stderr


def one_line(answer: tuple[int, str, str]) -> str:
    """What the terminal shows of a refusal: one line and a status, never a traceback."""
    status, said, error = answer
    assert status != 0 and said == ""
    [line] = error.strip().splitlines()
    return line


def url_of(office) -> str:
    return office.house.engine.url.render_as_string(hide_password=False)


@pytest.mark.parametrize("command", [("user", "list"), ("serve",), ("db", "upgrade")], ids=" ".join)
def test_a_wrong_key_file_changes_nothing(office, tmp_path, command):
    """The house says that this key did not seal this database, and does not touch it; the right key opens it."""
    before = counts(office.house)
    folder = tmp_path / "other"
    folder.mkdir()
    key_file = folder / "house.key"
    key_file.write_text("ab" * 32 + "\n")
    key_file.chmod(0o600)
    answer = dishu(*command, DISHU_DATA=str(folder), DISHU_DATABASE_URL=url_of(office), PORT="0")
    line = one_line(answer)
    assert str(key_file) in line and "not the key" in line and "ab" * 8 not in line
    assert counts(office.house) == before
    right = b"a made-up key of thirty-two bytes".hex()
    again = dishu("user", "list", DISHU_DATA=str(folder), DISHU_DATABASE_URL=url_of(office), DISHU_KEY=right)
    assert again[0] == 0 and "secretary-1" in again[1]


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("ab" * 32, 0o644, "chmod 600"),
        ("too short", 0o600, "hexadecimal or base64"),
        ("ab" * 8, 0o600, "bytes"),
        ("\xff", 0o600, ""),
    ],
    ids=["readable by others", "not a key", "short", "binary"],
)
def test_an_unusable_key_file_is_named(tmp_path, content, mode, said):
    """The line names the file and the remedy, not the key; no database is made."""
    key_file = tmp_path / "house.key"
    key_file.write_bytes(content.encode("latin-1"))
    key_file.chmod(mode)
    line = one_line(dishu("db", "upgrade", DISHU_DATA=str(tmp_path)))
    assert str(key_file) in line and said in line and "ab" * 8 not in line
    assert not list(tmp_path.glob("*.sqlite3"))


@pytest.mark.parametrize("command", [("user", "list"), ("serve",), ("work", "--once"), ("demo",)], ids=" ".join)
@pytest.mark.parametrize("kind", ["server", "folder", "not a database"])
def test_a_database_that_is_not_there_is_one_line(tmp_path, kind, command):
    """Whoever starts a command reads which database cannot be reached, without its password and without a traceback."""
    blocker = tmp_path / "file"
    blocker.write_text("this is not a database, though it is longer than a hundred bytes " * 4)
    url, place = {
        "server": ("postgresql://dishu:pass-word@127.0.0.1:1/dishu", "127.0.0.1:1/dishu"),
        "folder": (f"sqlite:///{blocker}/dishu.sqlite3", "dishu.sqlite3"),
        "not a database": (f"sqlite:///{blocker}", str(blocker)),
    }[kind]
    before = blocker.read_bytes()
    run = dishu_process if (kind, command) == ("server", ("serve",)) else dishu
    line = one_line(run(*command, DISHU_DATA=str(tmp_path / "data"), DISHU_DATABASE_URL=url, PORT="0"))
    assert place in line and "pass-word" not in line and "cannot" in line
    assert blocker.read_bytes() == before


@pytest.mark.parametrize("command", [("verify",), ("user", "list")], ids=" ".join)
def test_a_mistyped_place_shows_no_empty_house(tmp_path, command):
    """A command that only reads says that there is no database, and makes neither folder nor file nor key."""
    line = one_line(dishu(*command, DISHU_DATA=str(tmp_path / "typo")))
    assert "typo" in line and "dishu serve" in line
    assert not (tmp_path / "typo").exists()


def test_a_lost_key_file_is_asked_for_and_not_replaced(tmp_path):
    """The key file is gone: the line says that it is missing and to put the copy back; no new key is made."""
    assert dishu("db", "upgrade", DISHU_DATA=str(tmp_path))[0] == 0
    (tmp_path / "house.key").unlink()
    line = one_line(dishu("user", "list", DISHU_DATA=str(tmp_path)))
    assert "missing" in line and str(tmp_path / "house.key") in line
    assert not (tmp_path / "house.key").exists()


LATE = {
    "op_id": uuid7(), "type": "resource", "id": uuid7(), "kind": "create", "base": None, "was": {}, "form_version": 1,
    "claimed_at": "2026-03-03T01:00:00Z", "set": {"name": "迟到", "kind": "supply"},
}  # fmt: skip


def test_a_database_that_goes_away_is_a_problem_that_passes(office, phone):
    """While the database is away everybody is asked to come back; nothing is consumed, and later it goes in."""
    batch = phone.body(LATE)
    secretary = office.signed_in("secretary")
    before = counts(office.house)
    hide(office)
    try:
        for answer in (
            phone.send(batch),
            secretary.get(f"/api/v1/cells/{CODE_A}/roster/persons"),
            office.client().get("/readyz"),
        ):
            assert answer.status_code == 503, answer.data
            said = answer.get_data(as_text=True)
            assert "张三" not in said and "迟到" not in said and "Traceback" not in said
    finally:
        bring_back(office)
    assert counts(office.house) == before
    assert phone.send(batch).json["results"][0]["now"]["outcome"] == "applied"


def hide(office) -> None:
    """Put the database out of reach of new connections."""
    office.house.engine.dispose()
    url = office.house.engine.url
    if url.drivername.startswith("sqlite"):
        for path in Path(url.database).parent.glob(Path(url.database).name + "*"):
            path.rename(path.with_name("hidden-" + path.name))
        Path(url.database).mkdir()
        return
    _admin(url, f'ALTER DATABASE "{url.database}" WITH ALLOW_CONNECTIONS false')


def bring_back(office) -> None:
    office.house.engine.dispose()
    url = office.house.engine.url
    if url.drivername.startswith("sqlite"):
        Path(url.database).rmdir()
        for path in Path(url.database).parent.glob("hidden-*"):
            path.rename(path.with_name(path.name.removeprefix("hidden-")))
        return
    _admin(url, f'ALTER DATABASE "{url.database}" WITH ALLOW_CONNECTIONS true')


def _admin(url, statement: str) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
