"""Filling a template as a job: asked for under a scope that is fixed then, fetched, traced to its records."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.permissions import Actor, Scope, may
from server.services import audit, templates
from server.services.accounts import today
from server.services.exports import scope_document, scope_from
from server.services.looks import Look
from server.services.roster_grounds import cell_ground
from server.services.template_data import Moment, moment_of
from server.services.template_fill import Trace
from server.store import jobs
from server.store.database import read, write
from server.store.jobs import Job
from sync.days import day_at

if TYPE_CHECKING:
    from server.house import House

KIND = "template"
KEPT_DAYS = 7
"""How long a filled workbook is kept; where it came from stays longer, it holds no values."""
TRACED_DAYS = 400
PER = ("community", "cell", "cells")
"""One workbook of the community, one of a cell, or one for each cell in a ZIP."""
_SHORTEST_PURPOSE = 2


def folder(house: House) -> Path:
    """Where filled workbooks and their traces lie."""
    path = house.settings.data_dir / "tables"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def request_run(
    house: House, actor: Actor, scope: Scope, community_id: str, template_id: str, asked: Mapping[str, Any], look: Look
) -> Job:
    """Queue the filling of a template.

    Parameters
    ----------
    asked : ``per`` (one of `PER`), ``cell`` (a code, where per is ``cell``), ``day`` (ISO, today when left out), ``begins`` and
        ``ends`` of the period (the month of the day)
    look : who asks and what for; written into the audit log where the template shows personal columns

    Raises
    ------
    NotFound
        No such template, no cell with this code.
    OutsideScope
        The community or cell is not the actor's, or the template shows personal columns to somebody who may not export them.
    InvalidInput
        A purpose is missing, a day is none, the period ends before it begins.
    """
    name, _book, plan = templates.opened(house, community_id, template_id)
    allowed = scope.fields == "all" and may(actor, "export_personal", community_id=community_id)
    if plan.personal and not allowed:
        raise OutsideScope(f"this template shows personal columns that you may not export: {', '.join(plan.personal)}")
    errors = []
    if plan.personal and len(look.purpose.strip()) < _SHORTEST_PURPOSE:
        errors.append(InputError("/purpose", "required", "say what it is for"))
    per, cell = asked.get("per") or "community", asked.get("cell")
    if (per == "cell") != (cell is not None):
        errors.append(InputError("/cell", "required" if per == "cell" else "conflict", "a cell is named where it is filled for one"))
    days = {one: asked.get(one) for one in ("day", "begins", "ends")}
    for one, text in days.items():
        if text is not None and not _is_day(text):
            errors.append(InputError(f"/{one}", "not_a_day", "a day such as 2026-03-01 is expected"))
    if errors:
        raise InvalidInput("this table cannot be filled like this", errors=errors)
    moment = moment_of(date.fromisoformat(today(house)), day=days["day"], begins=days["begins"], ends=days["ends"])
    if moment.ends < moment.begins or moment.day > today(house):
        raise InvalidInput(errors=[InputError("/day", "not_a_period", "not in the future, and no end before its beginning")])
    if cell is not None:
        cell_ground(house, scope, cell)
    arguments = {
        "template_id": template_id, "name": name, "per": per, "cell": cell,
        "day": moment.day, "begins": moment.begins, "ends": moment.ends, "purpose": look.purpose,
        "personal": list(plan.personal), "scope": scope_document(scope),
        "actor": {"user_id": actor.user_id, "role": actor.role, "community_id": actor.community_id, "name": actor.name},
        "request_id": look.request_id,
    }  # fmt: skip
    job_id = house.new_id()
    with write(house.engine) as connection:
        jobs.add(
            connection, community_id=community_id, job_id=job_id, kind=KIND, arguments=arguments,
            requested_by=actor.user_id, at=house.clock(),
        )  # fmt: skip
        if plan.personal:
            line = audit.line_of(
                house, look, scope=f"template={template_id} run={job_id} {scope.describe()}", community_id=community_id,
                fields=plan.personal,
            )  # fmt: skip
            audit.store.append(connection, line)
        made = jobs.find(connection, community_id, job_id)
    assert made is not None
    return made


def moment_asked(job: Job, known_at: str | None = None) -> Moment:
    """The moment that a run speaks of; as it was known at a time where one is given."""
    asked = job.arguments
    past = asked["day"] < day_at(job.requested_at)
    return Moment(asked["day"], asked["begins"], asked["ends"], asked["day"] if past else None, known_at)


def scope_of_run(job: Job) -> Scope:
    """The scope under which a run was asked for."""
    return scope_from(job.arguments["scope"])


def runs(house: House, actor: Actor, scope: Scope, community_id: str, template_id: str | None = None) -> list[Job]:
    """The newest fillings of a community that the actor may read, of one template where one is named."""
    with read(house.engine) as connection:
        found = jobs.of_community(connection, community_id, KIND, 500)
    return [one for one in found if template_id in (None, one.arguments["template_id"]) and may_read(actor, scope, one)]


def may_read(actor: Actor, scope: Scope, job: Job) -> bool:
    """Whether a filling is the actor's own, or a colleague's that shows nothing the actor could not have filled in themselves."""
    if job.requested_by == actor.user_id:
        return True
    theirs = scope_of_run(job)
    return (
        scope.sees_community(job.community_id)
        and (scope.streams is None or (theirs.streams is not None and theirs.streams <= scope.streams))
        and (scope.topics is None or (theirs.topics is not None and set(theirs.topics) <= set(scope.topics)))
        and scope.fields in (theirs.fields, "all")
        and (not job.arguments["personal"] or (scope.fields == "all" and may(actor, "export_personal", community_id=job.community_id)))
    )


def run_of(house: House, actor: Actor, scope: Scope, run_id: str) -> Job:
    """One filling that the actor may read; NotFound for everybody else's."""
    with read(house.engine) as connection:
        found = jobs.find_any(connection, run_id, scope.community_ids)
    if found is None or found.kind != KIND or not may_read(actor, scope, found):
        raise NotFound("there is no such filled table that you may read")
    return found


def run_before(house: House, actor: Actor, scope: Scope, now: Job) -> Job:
    """The finished filling of the same table, over the same cells, that was asked for last before this one, whoever of the office asked for it.

    Raises
    ------
    InvalidInput
        There is none.
    """
    for one in runs(house, actor, scope, now.community_id, now.arguments["template_id"]):
        earlier = (one.requested_at, one.job_id) < (now.requested_at, now.job_id)
        is_same = all(one.arguments[name] == now.arguments[name] for name in ("cell", "per"))
        if earlier and one.state == "done" and is_same and scope_of_run(one).streams == scope_of_run(now).streams:
            return one
    raise InvalidInput(errors=[InputError("/against", "nothing_before", "this table was not filled before: there is nothing to compare it with")])


def described(job: Job) -> dict[str, Any]:
    """A filling as whoever may read it sees it; ``by``: who asked for it."""
    result = job.result or {}
    asked = job.arguments
    file = None
    if job.state == "done":
        file = {name: result.get(name) for name in ("name", "media_type", "size", "sha256", "expires_at")}
        file |= {"removed": bool(result.get("removed")), "href": f"/api/v1/template-runs/{job.job_id}/file"}
    return {
        "run_id": job.job_id, "state": job.state, "requested_at": job.requested_at, "done": job.done_count,
        "total": job.total_count, "error": job.error if job.state == "failed" else None, "as_of": result.get("as_of"),
        "rows": result.get("rows"), "personal": bool(asked["personal"]), "file": file,
        "by": {name: asked["actor"][name] for name in ("user_id", "name")},
        **{name: asked[name] for name in ("template_id", "name", "per", "cell", "day", "begins", "ends")},
    }  # fmt: skip


def finished_file(house: House, actor: Actor, scope: Scope, run_id: str, look: Look) -> tuple[Path, dict[str, Any]]:
    """The filled workbook of a run that the actor may read; with personal columns it is written into the audit log. Raises NotFound."""
    job = run_of(house, actor, scope, run_id)
    result = job.result or {}
    path = folder(house) / str(result.get("file", "-"))
    if job.state != "done" or result.get("removed") or not path.is_file():
        raise NotFound("this table has no file: not finished yet, failed, or no longer kept")
    if job.arguments["personal"]:
        audit.note(
            house, look, scope=f"download={run_id}", community_id=job.community_id, fields=job.arguments["personal"],
            count=result.get("rows"),
        )  # fmt: skip
    return path, result


# ---------------------------------------------------------------- where a cell came from
def write_trace(path: Path, traces: Iterable[tuple[str, Trace]]) -> None:
    """Keep where every filled place came from: one JSON line each, without a value."""
    with gzip.open(path, "wb", compresslevel=3) as file:
        for part, one in traces:
            file.write(orjson.dumps([part, one.sheet, one.row, one.cell, one.at, one.source, one.ids]) + b"\n")


def trace_path(house: House, job_id: str) -> Path:
    """The file that tells where a run's cells came from."""
    return folder(house) / f"{job_id}.trace.gz"


def traces_of(house: House, job: Job) -> Iterator[tuple[str, Trace]]:
    """(cell code or empty, trace) of a run, in the order of the workbook; none where it is no longer kept."""
    path = trace_path(house, job.job_id)
    if not path.is_file():
        return
    with gzip.open(path, "rb") as file:
        for line in file:
            part, sheet, row, cell, at, source, ids = orjson.loads(line)
            yield part, Trace(sheet, row, cell, at, source, tuple(ids))


def came_from(house: House, job: Job, *, sheet: str, cell: str, part: str = "") -> list[tuple[str, list[str]]]:
    """(source, record ids) of a filled cell: the record of its row, and what its figure counts.

    Raises
    ------
    NotFound
        Nothing was filled there, or it is no longer known.
    """
    row = int("".join(letter for letter in cell if letter.isdigit()) or 0)
    found = [
        (one.source, list(one.ids)) for where, one in traces_of(house, job)
        if where == part and one.sheet == sheet and one.row == row and one.cell == cell.upper()
    ]  # fmt: skip
    found = found or [
        (one.source, list(one.ids)) for where, one in traces_of(house, job)
        if where == part and one.sheet == sheet and one.row == row and not one.cell
    ]  # fmt: skip
    if not found:
        raise NotFound("nothing was filled in there, or it is no longer known")
    return found


def sweep(house: House) -> None:
    """Remove filled workbooks and traces past their time."""
    now = house.clock()
    with read(house.engine) as connection:
        old = jobs.ended_before(connection, KIND, now - timedelta(days=KEPT_DAYS))
    for job in old:
        if job.result is None or job.result.get("removed"):
            continue
        (folder(house) / job.result["file"]).unlink(missing_ok=True)
        with write(house.engine) as connection:
            jobs.mark_removed(connection, job)
    for path in folder(house).iterdir():
        days = TRACED_DAYS if path.name.endswith(".trace.gz") else KEPT_DAYS + 1
        if path.stat().st_mtime < (now - timedelta(days=days)).timestamp():
            path.unlink(missing_ok=True)


def _is_day(text: Any) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except (TypeError, ValueError):
        return False

