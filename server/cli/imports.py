"""`dishu import`."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from server.cli.house import open_house
from server.cli.running import run_here
from server.errors import InvalidInput, OutsideScope, StartError
from server.house import House
from server.permissions import Actor, may
from server.services import accounts, sheet_import
from server.store.jobs import Job

_TABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
_AS = click.option("--as", "login", required=True, help="Login of the secretary who imports.")
_SHEET = click.option("--sheet", help="Name of a sheet; the first when left out.")
_MAPPING = click.option(
    "--mapping", type=_TABLE, help='JSON {"heading": "person.name", …}; guessed and remembered when left out.'
)
_REPORT = click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write what became of each row here, as JSON lines.")


@click.group("import")
def command() -> None:
    """Tables (台账) in XLSX or CSV: looked at, planned, written, taken back."""


@command.command("columns")
@click.argument("table", type=_TABLE)
@_AS
@_SHEET
def columns(table: Path, login: str, sheet: str | None) -> None:
    """Print the headings of a table and the field proposed for each, as a mapping to be put right by hand."""
    house = open_house()
    found = sheet_import.look_at(house, _actor(house, login).community_id, table, sheet)
    mapping = {one["key"]: one["target"] for one in found["columns"]}
    click.echo(orjson.dumps(mapping, option=orjson.OPT_INDENT_2).decode())


@command.command("plan")
@click.argument("table", type=_TABLE)
@_AS
@_SHEET
@_MAPPING
@_REPORT
def plan(table: Path, login: str, sheet: str | None, mapping: Path | None, report: Path | None) -> None:
    """Say what the rows of a table would change; nothing is written."""
    _start(table, login, sheet, mapping, report, "plan")


@command.command("write")
@click.argument("table", type=_TABLE)
@_AS
@_SHEET
@_MAPPING
@_REPORT
def write(table: Path, login: str, sheet: str | None, mapping: Path | None, report: Path | None) -> None:
    """Write the rows of a table; rows that are the same as what is on record change nothing."""
    _start(table, login, sheet, mapping, report, "write")


@command.command("undo")
@click.argument("import_id")
@_AS
def undo(import_id: str, login: str) -> None:
    """Take an import back: its records are deleted, former values come back, later work of others stays."""
    house = open_house()
    actor = _actor(house, login)
    job = sheet_import.request_import(house, actor, file_id=import_id, name="", sheet=None, mapping=None, act="undo")
    _tell(_run(house, job))


def _start(table: Path, login: str, sheet: str | None, mapping: Path | None, report: Path | None, act: str) -> None:
    house = open_house()
    actor = _actor(house, login)
    chosen = None
    if mapping is not None:
        try:
            chosen = orjson.loads(mapping.read_bytes())
        except orjson.JSONDecodeError as error:
            raise StartError(f"{mapping}: not JSON at line {error.lineno}, column {error.colno}") from error
    with table.open("rb") as file:
        file_id = sheet_import.keep_file(house, actor.community_id, iter(lambda: file.read(1 << 16), b""))
    try:
        job = sheet_import.request_import(house, actor, file_id=file_id, name=table.name, sheet=sheet, mapping=chosen, act=act)
    except InvalidInput as error:
        sheet_import.table_path(house, actor.community_id, file_id).unlink(missing_ok=True)
        told = "; ".join(f"{one.pointer} {one.message}" for one in error.errors)
        raise StartError(f"{table}: {told or error.message}") from error
    done = _run(house, job)
    if report is not None:
        report.write_bytes(sheet_import.report_path(house, done.job_id).read_bytes())
    _tell(done)


def _tell(job: Job) -> None:
    result = job.result or {}
    told = result.get("outcomes") or {name: count for name, count in result.items() if name != "rows"}
    click.echo(f"{job.job_id}  " + "  ".join(f"{name} {count}" for name, count in told.items() if count or name in ("new", "deleted")))


def _actor(house: House, login: str) -> Actor:
    user = accounts.user_of_login(house, login)
    actor = Actor(user.user_id, user.role, user.community_id, user.area_code, name=user.name, topics=user.topics)
    if not may(actor, "import_records", community_id=user.community_id):
        raise OutsideScope(f"the role {user.role} does not import tables")
    return actor


def _run(house: House, job: Job) -> Job:
    return run_here(house, f"import {job.arguments['act']}", lambda: sheet_import.import_of(house, job.community_id, job.job_id))
