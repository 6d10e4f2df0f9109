"""What every suite shares: databases, a clock, identifiers, outside programs, and how a run is judged.

Field data: files named test_*_field_data.py are collected only where DISHU_FIELD_DATA names a folder.
Skips: where a person runs the tests, a suite whose program is missing says so and is skipped; in CI that fails.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from browser_kit import (  # noqa: F401 - fixtures of every suite that uses a browser
    browser_type_launch_args,
    demo_copy,
    demo_site,
    office_page,
    phone_context,
    phone_page,
)
from field_phone import office  # noqa: F401 - of every story of the field app
from ground_kit import ground  # noqa: F401 - of the suites that bring no community of their own
from hypothesis import HealthCheck, settings
from werkzeug.routing import Rule

from bench.postgres import PostgresServer, running_postgres
from server.services import sign_in
from server.simulation.shelf import quick_folder

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
FIELD_DATA = os.environ.get("DISHU_FIELD_DATA", "")
FIELD_DATA_PATTERN = "test_*_field_data.py"
collect_ignore_glob = [] if FIELD_DATA else [FIELD_DATA_PATTERN]

# Quick suites first: a broken rule is shown before any server starts.
_QUICK_FIRST = ("test_forms", "test_geo", "test_sync", "test_architecture", "test_docs")
# Shared out among workers, the longest files first: none of them is begun last, while the other workers have nothing left.
_LONG_FIRST = ("test_kills", "test_web_field", "test_web_console", "test_web", "test_bench", "test_simulation", "test_demo")

_ROOM_FOR_ALL = 6 << 30

# A database that is opened again for every example is slow by nature, not by mistake.
_PATIENT = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("default", max_examples=50, deadline=None, derandomize=IN_CI, suppress_health_check=_PATIENT)
settings.register_profile("long", max_examples=2000, deadline=None, print_blob=True, suppress_health_check=_PATIENT)
settings.load_profile("default")


# ---------------------------------------------------------------- how a run is judged
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = _LONG_FIRST if "PYTEST_XDIST_WORKER" in os.environ else _QUICK_FIRST

    def rank(item: pytest.Item) -> int:
        name = item.path.name
        return next((place for place, start in enumerate(order) if name.startswith(start)), len(order))

    items.sort(key=rank)


class _SkipCounter:
    """Counts what was skipped, so that a green run in CI means that everything ran."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if IN_CI and self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not FIELD_DATA:
            terminalreporter.write_line("field-data suite: not collected (DISHU_FIELD_DATA is not set)")
        if IN_CI and self.skipped:
            terminalreporter.write_line(f"CI: {len(self.skipped)} skipped, which counts as failed:", red=True)
            for nodeid in self.skipped:
                terminalreporter.write_line(f"  {nodeid}", red=True)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    _lie_in_memory(config)
    if FIELD_DATA and not Path(FIELD_DATA).is_dir():
        raise pytest.UsageError(f"DISHU_FIELD_DATA names no folder: {FIELD_DATA}")
    config.pluginmanager.register(_SkipCounter(), "dishu-skips")


def _lie_in_memory(config: pytest.Config) -> None:
    """Where workers share the tests, their files lie in memory, if there is room: waiting for a disk is half of their time.

    Programs are killed here, machines do not lose power. One by one, files stay under the folder for temporary files, to be looked at.
    """
    place = quick_folder(room=_ROOM_FOR_ALL)
    if "PYTEST_XDIST_WORKER" in os.environ or not config.getoption("numprocesses", None) or config.option.basetemp or place is None:
        return
    config.option.basetemp = folder = tempfile.mkdtemp(prefix="dishu-tests-", dir=place)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


# ---------------------------------------------------------------- what is costly on purpose, or costly once
@pytest.fixture(scope="session", autouse=True)
def _passwords_are_cheap() -> Iterator[None]:
    """Argon2id with the least work, in this process only: a guess is meant to cost a tenth of a second, and tests sign in thousands of times.

    ``tests/test_server_auth.py`` holds what a password costs in service; programs that tests start hash as in service.
    """
    with pytest.MonkeyPatch.context() as change:
        change.setattr(sign_in, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session", autouse=True)
def _rules_are_compiled_once() -> Iterator[None]:
    """Werkzeug reads two hundred addresses and compiles two functions for each whenever an application is made: once a process is enough."""
    compiled: dict[tuple[object, ...], dict[str, Any]] = {}
    compile_rule = Rule.compile

    def once(rule: Rule) -> None:
        key = (rule.rule, rule.subdomain, rule.host, repr(rule.defaults), rule.is_leaf, rule.merge_slashes, rule.map.host_matching)
        if key not in compiled:
            before = vars(rule) | {"arguments": set(rule.arguments)}
            compile_rule(rule)
            compiled[key] = {name: value for name, value in vars(rule).items() if name not in before or before[name] != value}
        vars(rule).update(compiled[key])

    with pytest.MonkeyPatch.context() as change:
        change.setattr(Rule, "compile", once)
        yield


# ---------------------------------------------------------------- databases
@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole run (see bench/postgres.py); where workers share the tests it lies in memory: it makes a thousand databases."""
    with running_postgres(place=quick_folder(room=_ROOM_FOR_ALL) if "PYTEST_XDIST_WORKER" in os.environ else None) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """URL of the server's maintenance database: for creating databases, not for tables."""
    return postgres_server.url.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new empty database; a test that takes it runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'dishu.sqlite3'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture(scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, object], str]:
    """Databases already built, by kind and builder."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def prepared_database(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    _prepared: dict[tuple[str, object], str],
) -> Iterator[Callable[[Callable[[str], None]], str]]:
    """Copies of a database that is costly to build.

    ``prepared_database(build)`` calls ``build(url)`` once per run and kind of database (it creates the tables,
    loads a fixture, and closes its connections) and returns the URL of a fresh copy on every call.
    ``build`` is known by identity: pass a module-level function.
    """
    kind: str = request.param
    copies: list[str] = []
    server: PostgresServer | None = request.getfixturevalue("postgres_server") if kind == "postgresql" else None

    def copy(build: Callable[[str], None]) -> str:
        key = (kind, build)
        if server is not None:
            if key not in _prepared:
                template = server.create_database()
                build(template)
                _prepared[key] = template
            url = server.create_database(template=_prepared[key])
        else:
            if key not in _prepared:
                original = tmp_path_factory.mktemp("prepared") / "dishu.sqlite3"
                build(f"sqlite:///{original}")
                _prepared[key] = str(original)
            target = tmp_path / f"dishu-{len(copies)}.sqlite3"
            _copy_sqlite(Path(_prepared[key]), target)
            url = f"sqlite:///{target}"
        copies.append(url)
        return url

    yield copy
    if server is not None:
        for url in copies:
            server.drop_database(url)


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy through SQLite itself: what is still in the write-ahead log comes along."""
    with sqlite3.connect(source) as original, sqlite3.connect(target) as copy:
        original.backup(copy)
    original.close()
    copy.close()


# ---------------------------------------------------------------- time and identifiers
class FixedClock:
    """A clock that moves only when told. Call it for the present: an aware UTC date-time."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> datetime:
        """Move on by the keyword arguments of ``timedelta`` and return the new present."""
        self.now += timedelta(**duration)
        return self.now


class NumberedIds:
    """UUIDs of version 7 in ascending order, the same in every run: time from a clock, the rest from a seed."""

    def __init__(self, clock: Callable[[], datetime], seed: int = 1) -> None:
        self._clock = clock
        self._random = random.Random(seed)
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        milliseconds = int(self._clock().timestamp() * 1000)
        value = milliseconds << 80 | 0x7 << 76 | (self._count & 0xFFF) << 64 | 0b10 << 62 | self._random.getrandbits(62)
        return str(uuid.UUID(int=value))


@pytest.fixture
def clock() -> FixedClock:
    """Monday, 2 March 2026, 09:00 in China, until the test moves it."""
    return FixedClock()


@pytest.fixture
def new_id(clock: FixedClock) -> NumberedIds:
    """Makes the next identifier: ``new_id()``."""
    return NumberedIds(clock)


# ---------------------------------------------------------------- what lies outside the project
@pytest.fixture(scope="session")
def field_data() -> Path:
    """The folder of real field data; only for files named test_*_field_data.py."""
    assert FIELD_DATA, f"use this fixture in files named {FIELD_DATA_PATTERN} only"
    return Path(FIELD_DATA)


@pytest.fixture(scope="session")
def ogrinfo() -> str:
    """Path of GDAL's ogrinfo, the other program that reopens our exports."""
    return required_program("ogrinfo")


def required_program(name: str) -> str:
    """Path of a program outside Python; without it the test is skipped with the way to get it (in CI: failed)."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"the program `{name}` is missing; `make setup-ci` installs it")
    return path
