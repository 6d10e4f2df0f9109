"""The command `dishu`: starting, refusing to start, and the work of whoever runs the server."""

from __future__ import annotations

import os
import re
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from front_door import COMMUNITY, PASSWORD, furnish, open_office
from sqlalchemy import create_engine, text

from server.app import create_app
from server.cli import COMMANDS, main
from server.errors import StartError
from server.house import utc_now, uuid7
from server.settings import Settings, SettingsError

KEY = b"a made-up key of thirty-two bytes".hex()


def dishu(*words: str, env: dict[str, str], typed: str | None = None) -> Result:
    """Run a command in this process, with nothing but this environment."""
    clean = {name: None for name in os.environ if name.startswith("DISHU_") or name == "PORT"}
    return CliRunner().invoke(main, words, env=clean | env, input=typed, catch_exceptions=False)


def refused(result: Result) -> str:
    """The one line of a refusal."""
    assert result.exit_code not in {0, 2}, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: "), result.output
    assert "Traceback" not in result.output
    return lines[0]


@pytest.fixture
def env(tmp_path) -> dict[str, str]:
    return {"DISHU_DATA": str(tmp_path / "data")}


# ---------------------------------------------------------------- settings and keys


def test_the_first_start_makes_folder_database_and_key(env, tmp_path):
    """One command on an empty machine; the key file is nobody else's business."""
    assert dishu("db", "upgrade", env=env).exit_code == 0
    key = tmp_path / "data" / "house.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert re.fullmatch(r"[0-9a-f]{64}\n", key.read_text())
    before = key.read_text()
    assert "already" in dishu("db", "upgrade", env=env).stdout
    assert key.read_text() == before


def test_a_key_file_that_others_can_read_is_refused(env, tmp_path):
    """A copied key is worse than a late start; the line says how to mend it."""
    dishu("db", "upgrade", env=env)
    (tmp_path / "data" / "house.key").chmod(0o640)
    said = refused(dishu("user", "list", env=env))
    assert "can be read by others" in said and "chmod 600" in said


def test_a_wrong_key_file_is_noticed_at_the_start(env, database_url, tmp_path):
    """A database sealed with another key is not touched, on either database; the right key opens it again."""
    env |= {"DISHU_DATABASE_URL": database_url, "DISHU_KEY_FILE": str(tmp_path / "right.key")}
    assert dishu("db", "upgrade", env=env).exit_code == 0
    other = tmp_path / "wrong.key"
    other.write_text("7" * 64)
    other.chmod(0o600)
    wrong = env | {"DISHU_KEY_FILE": str(other)}
    for command in (("user", "list"), ("db", "upgrade"), ("serve", "--port", "0")):
        assert "is not the key that sealed the database" in refused(dishu(*command, env=wrong))
    assert dishu("user", "list", env=env).exit_code == 0


@pytest.mark.parametrize(
    "content, said",
    [
        ("short", "hexadecimal or base64|at least 32 bytes"),
        ("", "at least 32 bytes"),
        ("é" * 40, "not a text file|cannot"),
    ],
    ids=["too short", "empty", "not ascii"],
)
def test_a_broken_key_file_is_refused(env, tmp_path, content, said):
    """A damaged key file is named and left as it is."""
    key = tmp_path / "house.key"
    key.write_text(content)
    key.chmod(0o600)
    line = refused(dishu("db", "upgrade", env=env | {"DISHU_KEY_FILE": str(key)}))
    assert re.search(said, line) and str(key) in line
    assert key.read_text() == content


@pytest.mark.parametrize(
    "url, said",
    [
        ("postgresql://reader:a-password@127.0.0.1:1/dishu", "127.0.0.1:1/dishu cannot be reached"),
        ("sqlite:////proc/no-such-folder/dishu.sqlite3", "/proc/no-such-folder/dishu.sqlite3 cannot be reached"),
        ("sqlite:////tmp/no-such-folder-of-dishu/dishu.sqlite3", "/tmp/no-such-folder-of-dishu/dishu.sqlite3 cannot be reached"),
        ("mysql://somewhere/dishu", "must begin with sqlite:/// or postgresql://"),
    ],
    ids=["postgresql", "sqlite", "a mistyped folder", "another kind"],
)
def test_a_database_that_is_not_there(env, url, said):
    """One line names the place, without the password, and nothing is served."""
    for command in (("serve", "--port", "0"), ("db", "status"), ("user", "list")):
        line = refused(dishu(*command, env=env | {"DISHU_DATABASE_URL": url, "DISHU_KEY": KEY}))
        assert said in line and "a-password" not in line


@pytest.mark.parametrize(
    "name, value", [("PORT", "eighty"), ("PORT", "70000"), ("DISHU_KEY", "zz"), ("DISHU_SESSION_HOURS", "0")]
)
def test_a_setting_that_cannot_be_used_is_named(env, name, value):
    """The line names the variable, never its secret value."""
    line = refused(dishu("user", "list", env=env | {name: value}))
    assert name in line and (name != "DISHU_KEY" or value not in line.replace("DISHU_KEY", ""))


def test_settings_come_from_the_environment():
    """What is set counts, what is empty does not, and a relative database lies where the command was started."""
    settings = Settings.from_environment(
        {"DISHU_DATA": "/srv/dishu", "PORT": "8100", "DISHU_HOST": "", "DISHU_KEY": KEY, "DISHU_SECURE": "1"}
    )
    assert settings.data_dir == Path("/srv/dishu")
    assert (settings.port, settings.host, settings.secure) == (8100, "127.0.0.1", True)
    assert settings.database_url == "sqlite:////srv/dishu/dishu.sqlite3"
    assert settings.secret().hex() == KEY and KEY not in repr(settings) and str(settings.key) not in repr(settings)
    postgres = Settings.from_environment({"DISHU_DATABASE_URL": "postgres://h/d"})
    assert postgres.database_url == "postgresql+psycopg://h/d"
    relative = Settings.from_environment({"DISHU_DATABASE_URL": "sqlite:///here.sqlite3"})
    assert relative.database_url == f"sqlite:///{Path.cwd() / 'here.sqlite3'}"
    with pytest.raises(SettingsError):
        Settings.from_environment({"DISHU_DATABASE_URL": "sqlite:///"})
    assert issubclass(SettingsError, StartError)


# ---------------------------------------------------------------- accounts, codes, tokens


def test_the_operator_makes_everything_that_an_office_needs(prepared_database, tmp_path, env):
    """Account, cells, enrolment code and read token from the command line work at the door."""
    url = prepared_database(furnish)
    env |= {"DISHU_DATABASE_URL": url, "DISHU_KEY": KEY}
    made = dishu(
        "user", "add", "li-1", "--name", "李某", "--role", "grid_worker", "--community", "999999001001",
        "--password-stdin", env=env, typed=PASSWORD + "\n",
    )  # fmt: skip
    assert made.exit_code == 0 and PASSWORD not in made.output
    assert dishu("assign", "li-1", "cell-a", "cell-b", "--duty", "regular", env=env).exit_code == 0
    code = dishu("enrol-code", "create", "li-1", env=env).stdout.split("\t")[0]
    token = dishu("token", "create", "planner-1", env=env).stdout.split("\t")[0]
    assert f"li-1\tgrid_worker\t{COMMUNITY}\topen" in dishu("user", "list", env=env).stdout
    office = open_office(url, tmp_path, utc_now, uuid7)
    phone = office.client().post("/api/v1/enroll", json={"code": code}).json
    cells = office.client().get("/api/v1/reference", headers={"Authorization": f"Bearer {phone['device_token']}"})
    assert {one["id"] for one in cells.json["cells"]["features"]} == {"cell-a", "cell-b"}
    assert office.client().get("/api/v1/reference", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert phone["install_id"] in dishu("device", "list", env=env).stdout
    assert dishu("device", "revoke", phone["install_id"], "--reason", "lost", env=env).exit_code == 0
    assert "revoked (lost)" in dishu("device", "list", env=env).stdout
    odk = dict(line.split(maxsplit=1) for line in dishu("device", "odk", "li-1", "--url", "https://x.example", env=env).stdout.splitlines())
    assert office.client().get(odk["address"].removeprefix("https://x.example") + "/formList").status_code == 200
    assert dishu("device", "revoke", odk["device"], "--reason", "lost", env=env).exit_code == 0
    assert office.client().get(odk["address"].removeprefix("https://x.example") + "/formList").status_code == 403
    assert dishu("user", "close", "li-1", env=env).exit_code == 0
    assert f"li-1\tgrid_worker\t{COMMUNITY}\tclosed" in dishu("user", "list", env=env).stdout
    office.house.engine.dispose()


def test_what_cannot_be_done_is_said_in_one_line(env):
    """Unknown accounts, communities and devices are named; fields that are wrong have their place."""
    dishu("db", "upgrade", env=env)
    assert "no open account" in refused(dishu("token", "create", "nobody", env=env))
    assert "there is no device" in refused(dishu("device", "revoke", "x", "--reason", "lost", env=env))
    add = ("user", "add", "li-1", "--name", "李某")
    assert "no community 123" in refused(dishu(*add, "--role", "secretary", "--community", "123", env=env))
    assert "/area_code 6 or 9 digits" in refused(dishu(*add, "--role", "subdistrict", env=env))
    short = dishu(*add, "--role", "admin", "--password-stdin", env=env, typed="short\n")
    assert "/password" in refused(short) and "short" not in short.output
    assert dishu("user", "add", "li-1", "--role", "king", "--name", "x", env=env).exit_code == 2


def test_every_command_explains_itself(env):
    """`dishu`, and every command below it, shows what it does."""
    shown = dishu("--help", env=env).stdout
    present = [name for name in COMMANDS if re.search(rf"^  {re.escape(name)} ", shown, re.MULTILINE)]
    assert {"serve", "db", "user", "device", "enrol-code", "token", "version"} <= set(present)
    for name in present:
        assert dishu(name, "--help", env=env).exit_code == 0, name


# ---------------------------------------------------------------- serving


@contextmanager
def serving(env: dict[str, str], *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A served house in a process of its own, and the address that it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DISHU_") and name != "PORT"}
    process = subprocess.Popen(
        [sys.executable, "-c", "from server.cli import main; main()", "serve", "--port", "0", *words],
        env=clean | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        address = ""
        for line in process.stdout:
            if line.startswith("http"):
                address = line.strip()
                break
        yield process, address
    finally:
        process.kill()
        process.communicate()


def test_serve_upgrades_serves_and_ends_when_told(env, database_url):
    """A new database is ready when the address is printed; SIGTERM ends the server with status 0 and a quiet log."""
    env |= {"DISHU_DATABASE_URL": database_url}
    with serving(env, "--access-log") as (process, address):
        with httpx.Client(base_url=address, timeout=30) as client:
            assert client.get("/readyz?secret=1").json() == {"ready": True, "database": "ok", "migrations": "ok"}
            assert client.get("/").status_code == 200
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "/readyz 200" in out and "secret" not in out + err
    assert "Traceback" not in err


def test_serve_over_tls(env, tmp_path):
    """Phones that trust the authority reach the server over HTTPS; sign-in cookies are for HTTPS only."""
    with serving(env, "--tls") as (_, address):
        assert address.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(tmp_path / "data" / "tls" / "dishu-ca.crt"))
        with httpx.Client(base_url=address, verify=context, timeout=30) as client:
            answer = client.get("/healthz")
            assert answer.status_code == 200 and "Strict-Transport-Security" in answer.headers
            assert client.get("/dishu-ca.crt").content.startswith(b"-----BEGIN CERTIFICATE-----")


def test_a_port_in_use_is_said_at_once(env):
    """Two servers on one port: the second says so in one line."""
    with serving(env) as (_, address):
        port = address.rstrip("/").rpartition(":")[2]
        assert f"cannot listen at 127.0.0.1:{port}" in refused(dishu("serve", "--port", port, env=env))


def test_readiness_notices_another_revision(env, tmp_path):
    """Behind a load balancer, a server whose tables are another version's gets no work."""
    dishu("db", "upgrade", env=env)
    engine = create_engine(f"sqlite:///{tmp_path / 'data' / 'dishu.sqlite3'}")
    client = create_app(Settings.in_folder(tmp_path / "data")).test_client()
    assert client.get("/readyz").status_code == 200
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["migrations"]) == (503, "ahead")
    assert "9999" in refused(dishu("serve", "--port", "0", env=env))
    engine.dispose()
