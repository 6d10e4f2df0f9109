"""Filling a template: one workbook, or one for each cell in a ZIP; it appears under its name only when it is whole."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from datetime import timedelta
from typing import Any

from server.errors import ServerError
from server.house import House
from server.jobs.progress import JobRefused, Progress
from server.permissions import Actor
from server.services import audit, templates
from server.services.looks import Look
from server.services.roster_grounds import community_ground
from server.services.tables import XLSX_MEDIA
from server.services.template_data import Data
from server.services.template_fill import Trace, fill, saved
from server.services.template_runs import KEPT_DAYS, folder, moment_asked, scope_of_run, trace_path, write_trace
from server.store.database import read, stamp
from server.store.jobs import Job
from sync.days import day_at

ZIP_MEDIA = "application/zip"
_UNFIT = re.compile(r'[\\/:*?"<>|\x00-\x1f]+')


def run_template(house: House, job: Job, progress: Progress) -> dict[str, Any]:
    """Run one filling; see `services.template_runs.request_run` for its arguments."""
    try:
        return _run(house, job, progress)
    except ServerError as error:
        raise JobRefused(error.errors[0].code if error.errors else "refused") from error


def _run(house: House, job: Job, progress: Progress) -> dict[str, Any]:
    asked, scope = job.arguments, scope_of_run(job)
    as_of = stamp(house.clock())
    cells: list[str | None] = [asked["cell"]]
    if asked["per"] == "cells":
        whole = community_ground(house, scope, job.community_id)
        cells = [code for home, code in whole.codes.items() if home in whole.homes]
    part = folder(house) / f"{job.job_id}.{job.attempt}.part"
    traces: list[tuple[str, Trace]] = []
    progress.expect(len(cells))
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as target:
        if asked["per"] == "cells":
            with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
                for cell in cells:
                    name, content, found = _filled(house, job, cell, as_of)
                    archive.writestr(f"{_plain(f'{cell} {name}')}.xlsx", content)
                    traces += [(cell or "", one) for one in found]
                    progress.advance(1)
        else:
            name, content, found = _filled(house, job, cells[0], as_of)
            target.write(content)
            traces = [("", one) for one in found]
            progress.advance(1)
        target.flush()
        os.fsync(target.fileno())
        target.seek(0)
        digest = hashlib.file_digest(target, "sha256").hexdigest()
    rows = sum(1 for _, one in traces if not one.cell)
    _note(house, job, rows)
    write_trace(trace_path(house, job.job_id), traces)
    suffix, media = ("zip", ZIP_MEDIA) if asked["per"] == "cells" else ("xlsx", XLSX_MEDIA)
    size = part.stat().st_size
    os.replace(part, folder(house) / f"{job.job_id}.{suffix}")
    return {
        "file": f"{job.job_id}.{suffix}",
        "name": f"{_plain(' '.join(filter(None, (asked['name'], asked['cell'], asked['day']))))}.{suffix}",
        "media_type": media,
        "size": size,
        "sha256": digest,
        "rows": rows,
        "as_of": as_of,
        "expires_at": stamp(house.clock() + timedelta(days=KEPT_DAYS)),
    }


def _filled(house: House, job: Job, cell: str | None, as_of: str) -> tuple[str, bytes, list[Trace]]:
    """(name of the place, workbook, traces) of one cell or of the community."""
    _name, book, plan = templates.opened(house, job.community_id, job.arguments["template_id"])
    with read(house.engine) as connection:
        data = Data(
            house, connection, scope_of_run(job), job.community_id, plan, moment_asked(job), cell=cell,
            filled_by=job.arguments["actor"]["name"], filled_on=day_at(as_of),
        )  # fmt: skip
        found = fill(book, plan, data)
        place = data.ground.name
    return place, saved(book), found


def _note(house: House, job: Job, count: int) -> None:
    """What was taken out in the end, into the audit log, before anybody can fetch it."""
    who = job.arguments["actor"]
    fields = job.arguments["personal"]
    if not fields:
        return
    actor = Actor(who["user_id"], who["role"], who["community_id"])
    look = Look(actor, "export", job.arguments["purpose"], job.arguments["request_id"])
    audit.note(
        house, look, scope=f"run={job.job_id} {scope_of_run(job).describe()}", community_id=job.community_id,
        fields=fields, count=count,
    )  # fmt: skip


def _plain(name: str) -> str:
    return _UNFIT.sub(" ", name).strip()[:100] or "table"
