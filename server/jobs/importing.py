"""Planning, writing and undoing tables as jobs; the report beside the table names rows, columns and reasons, no values."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import orjson

from server.errors import ServerError
from server.house import House
from server.jobs.progress import JobRefused, Progress
from server.services.sheet_file import count_rows, heading_of
from server.services.sheet_import import folder, plans, remember, report_path, table_path, write_plans
from server.services.sheet_plan import OUTCOMES, RowPlan
from server.services.sheet_undo import undo
from server.store.jobs import Job


def run_import(house: House, job: Job, progress: Progress) -> dict[str, Any]:
    """Run one import job; see `services.sheet_import.request_import` for its arguments."""
    asked = job.arguments
    try:
        if asked["act"] == "undo":
            return _undo(house, job, progress)
        return _rows(house, job, progress)
    except ServerError as error:
        raise JobRefused(error.errors[0].code if error.errors else "refused") from error


def _rows(house: House, job: Job, progress: Progress) -> dict[str, Any]:
    asked = job.arguments
    path = table_path(house, job.community_id, asked["file"])
    heading = heading_of(path, house.registry, asked["sheet"])
    progress.expect(max(0, count_rows(path, asked["sheet"]) - heading.row))
    counted: Counter[str] = Counter()
    part = report_path(house, job.job_id).with_suffix(".part")
    folder(house).mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as report:
        for planned in plans(house, job.community_id, path, asked["sheet"], asked["mapping"], alive=lambda: progress.advance(0)):
            if asked["act"] == "write":
                write_plans(house, job, planned)
            for one in planned:
                counted[one.outcome] += 1
                report.write(orjson.dumps(said_of(one)) + b"\n")
            progress.advance(len(planned))
    progress.expect(progress.done)  # blank rows were counted among those to come
    os.replace(part, report_path(house, job.job_id))
    if asked["act"] == "write":
        remember(house, job.community_id, path, asked["sheet"], asked["mapping"])
    return {"rows": sum(counted.values()), "outcomes": dict.fromkeys(OUTCOMES, 0) | counted}


def _undo(house: House, job: Job, progress: Progress) -> dict[str, Any]:
    done: Counter[str] = Counter()
    for step in undo(house, job.community_id, job.arguments["file"], job.requested_by):
        if "expected" in step:
            progress.expect(step["expected"])
            continue
        done.update(step)
        progress.advance(sum(step.values()))
    return {"deleted": done["deleted"], "restored": done["restored"], "kept": done["kept"]}


def said_of(one: RowPlan) -> dict[str, Any]:
    """A row of the report."""
    return {
        "row": one.row,
        "outcome": one.outcome,
        "record_id": one.record_id,
        "of_row": one.of_row,
        "candidates": list(one.candidates),
        "place": one.place,
        "of_earlier": one.of_earlier,
        "kept": list(one.kept),
        "against": list(one.against),
        "gone": one.gone,
        "fields": list(one.fields),
        "errors": [
            {"column": error.column, "heading": error.heading, "code": error.code, "message_zh": error.message_zh, "message_en": error.message_en}
            for error in one.errors
        ],
    }  # fmt: skip
