"""Tables into the house: looked at first, written through the one write path, undone as one act.

Each import writes through an install of its own, so what it wrote can be told apart for ever.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from forms.sheet_columns import guess_columns, plain_heading, targets
from server.errors import AlreadyDecided, InputError, InvalidInput, NotFound
from server.permissions import Actor
from server.services.push import Batch, Sender, accept, user_operation
from server.services.sheet_earlier import Earlier
from server.services.sheet_file import Heading, count_rows, data_rows, heading_of, open_sheet, sheets_of
from server.services.sheet_plan import Planner, RowPlan
from server.services.sheet_read import Reader, column_letter
from server.store import installs, jobs
from server.store import push as reading
from server.store import sheets as store
from server.store.database import read, stamp, write
from server.store.installs import Install
from server.store.jobs import Job

if TYPE_CHECKING:
    from server.house import House

KIND = "import"
KEPT = timedelta(days=30)
BATCH_ROWS = 500


# ---------------------------------------------------------------- looking at a table
def look_at(house: House, community_id: str, path: Path, sheet: str | None = None) -> dict[str, Any]:
    """Headings, the proposed target of each, and the targets that there are; nothing is kept.

    The mapping that was used last for a table with these headings wins over guessing.
    """
    heading = _first_heading(house, path, sheet)
    with read(house.engine) as connection:
        before = store.mapping_of(connection, community_id, _hash(heading))
    guessed = guess_columns(heading.names, house.registry)
    keys = _keys(heading)
    proposed = [before.get(key) if before is not None else guess for key, guess in zip(keys, guessed, strict=True)]
    return {
        "sheet": heading.sheet,
        "heading_row": heading.row,
        "rows": count_rows(path, heading.sheet or None),
        "sheets": sheets_of(path),
        "columns": [
            {"heading": name, "key": key, "target": target} for name, key, target in zip(heading.names, keys, proposed, strict=True)
        ],
        "remembered": before is not None,
        "targets": [{"target": name, "label": dict(label)} for name, label in targets(house.registry).items()],
    }


def _first_heading(house: House, path: Path, sheet: str | None) -> Heading:
    """The headings of a sheet; of the first sheet that has any where none is named: a cover comes before the table."""
    try:
        return heading_of(path, house.registry, sheet)
    except InvalidInput:
        for name in sheets_of(path)[1:] if sheet is None else ():
            with suppress(InvalidInput):
                return heading_of(path, house.registry, name)
        raise


def mapped(house: House, heading: Heading, mapping: Mapping[str, str | None] | None) -> list[str | None]:
    """The target of each column: as ``mapping`` says by heading or by letter (``#C``), guessed where it is None.

    A heading that stands twice, and an empty one, are told apart by their letters.

    Raises
    ------
    InvalidInput
        An unknown heading or target, a target twice, no column with the name.
    """
    if mapping is None:
        chosen = guess_columns(heading.names, house.registry)
    else:
        known = targets(house.registry)
        letters = [f"#{column_letter(place)}" for place in range(len(heading.names))]
        there = {*heading.names, *letters}
        wrong = [InputError(f"/mapping/{name}", "unknown_heading", "the table has no such heading") for name in mapping if name not in there]
        wrong += [
            InputError(f"/mapping/{name}", "unknown_target", "no such field")
            for name, target in mapping.items() if target is not None and target not in known
        ]  # fmt: skip
        chosen = [mapping.get(letter, mapping.get(name)) for letter, name in zip(letters, heading.names, strict=True)]
        twice = {target for target in chosen if target is not None and chosen.count(target) > 1}
        wrong += [InputError("/mapping", "target_twice", f"two columns for {target}") for target in sorted(twice)]
        if wrong:
            raise InvalidInput("this mapping cannot be used", errors=wrong)
    if "person.name" not in chosen:
        raise InvalidInput("this mapping cannot be used", errors=[InputError("/mapping", "no_name", "no column holds the name of the person")])
    return chosen


def plans(
    house: House, community_id: str, path: Path, sheet: str | None, mapping: Mapping[str, str | None] | None,
    alive: Callable[[], None] = lambda: None,
) -> Iterator[list[RowPlan]]:  # fmt: skip
    """The plans of all rows, some hundred at a time, each made when it is asked for; memory does not grow with the table.

    ``alive`` is called again and again, also while the house and the earlier tables are read before the first plan: minutes after a month of tables.
    """
    heading = heading_of(path, house.registry, sheet)
    with read(house.engine) as connection:
        mine = frozenset(one.install_id for one in installs.installs(connection, [community_id], kind="import"))
    targets = mapped(house, heading, mapping)
    planner = Planner(house, community_id, heading.names, targets, mine)
    try:
        with read(house.engine) as connection:
            planner.learn(connection, alive)
        tables = earlier_tables(house, community_id, heading, targets, alive)
        if tables:
            with open_sheet(path, sheet) as (_, rows):
                planner.compare_with(tables, data_rows(rows, heading), alive)
        with open_sheet(path, sheet) as (_, rows):
            waiting = data_rows(rows, heading)
            while some := list(islice(waiting, BATCH_ROWS)):
                alive()
                with read(house.engine) as connection:
                    planned = planner.plan(connection, some)
                yield planned
    finally:
        planner.close()


def earlier_tables(
    house: House, community_id: str, heading: Heading, targets: Sequence[str | None], alive: Callable[[], None]
) -> list[Earlier]:
    """The tables that were written and not taken back, as far as their files are kept: those with these headings first, the newest first;
    then the others, those with the most columns in common first."""
    with read(house.engine) as connection:
        every = jobs.of_community(connection, community_id, KIND, since=stamp(house.clock() - KEPT))
    undone = {one.arguments["file"] for one in every if one.arguments["act"] == "undo" and one.state != "failed"}
    here = {target for target in targets if target is not None}
    found: list[Earlier] = []
    for job in every:
        alive()
        asked = job.arguments
        path, report = table_path(house, community_id, asked["file"]), report_path(house, job.job_id)
        if asked["act"] != "write" or job.state != "done" or job.job_id in undone or not (path.exists() and report.exists()):
            continue
        with suppress(InvalidInput):  # written by a program that knew other fields
            there = heading_of(path, house.registry, asked["sheet"])
            reader = Reader(house.registry, there.names, mapped(house, there, asked["mapping"]))
            found.append(Earlier(job.job_id, path, asked["sheet"], there, reader, report, _hash(there) == _hash(heading)))
    return sorted(found, key=lambda one: (not one.same, -len(one.reader.columns & here) / len(one.reader.columns | here)))


# ---------------------------------------------------------------- writing
def write_plans(house: House, job: Job, planned: Sequence[RowPlan]) -> None:
    """Write the groups of some rows; a row that the server set aside says so as its outcome.

    Rows are planned against what is there, so an import that was cut off and begins again finds its own rows and goes on.
    """
    install_id = import_install(house, job.community_id, job.job_id, job.requested_by)
    with read(house.engine) as connection:
        n, op_id = reading.consumed_up_to(connection, job.community_id, install_id)
    groups, rows, first = [], {}, (n, op_id)
    for one in planned:
        group = []
        for operation in one.operations:
            n += 1
            group.append((n, user_operation(house, operation)))
            rows[n] = one
        if group:
            groups.append(tuple(group))
    sender = Sender(job.community_id, install_id, job.requested_by, "import", scoped=False, source="import")
    left = tuple(groups)
    while left:
        answer = accept(house, sender, Batch(left, *first))
        for result in answer["results"]:
            outcome = result["now"]["outcome"]
            if outcome in ("quarantined", "held", "conflict"):
                rows[result["n"]].outcome = outcome
        first = (answer["applied"]["n"], answer["applied"]["op_id"])
        left = tuple(group for group in left if group[-1][0] > first[0]) if "continue_from" in answer else ()


def import_install(house: House, community_id: str, job_id: str, user_id: str) -> str:
    """The install through which one import writes, made when it is first asked for; its id is that of the import."""
    with write(house.engine) as connection:
        if installs.install_of(connection, community_id, job_id) is None:
            installs.add_install(connection, Install(community_id, job_id, "import", user_id, "import", stamp(house.clock())))
    return job_id


def remember(house: House, community_id: str, path: Path, sheet: str | None, mapping: Mapping[str, str | None] | None) -> None:
    """Keep the mapping for the next table with these headings."""
    heading = heading_of(path, house.registry, sheet)
    chosen = dict(zip(_keys(heading), mapped(house, heading, mapping), strict=True))
    with write(house.engine) as connection:
        store.keep_mapping(connection, community_id, _hash(heading), chosen, stamp(house.clock()))


def _keys(heading: Heading) -> list[str]:
    """What each column is called in a mapping: its heading; its letter where that stands twice or is empty."""
    counted = Counter(heading.names)
    return [name if name and counted[name] == 1 else f"#{column_letter(place)}" for place, name in enumerate(heading.names)]


def _hash(heading: Heading) -> str:
    return hashlib.sha256("\0".join(plain_heading(name) for name in heading.names).encode()).hexdigest()[:32]


# ---------------------------------------------------------------- imports as jobs
def folder(house: House) -> Path:
    """Where uploaded tables and their reports lie, for `KEPT` days."""
    return house.settings.data_dir / "imports"


def keep_file(house: House, community_id: str, content: Iterator[bytes]) -> str:
    """Keep an uploaded table; its id."""
    file_id = house.new_id()
    folder(house).mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(table_path(house, community_id, file_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for piece in content:
            file.write(piece)
    return file_id


def table_path(house: House, community_id: str, file_id: str) -> Path:
    """The file of an uploaded table; its name begins with the community, so that an id leads nobody to a neighbour's (L10)."""
    return folder(house) / f"{community_id}.{file_id}.table"


def report_path(house: House, job_id: str) -> Path:
    """The report of an import: one JSON line for each row, without a value."""
    return folder(house) / f"{job_id}.report"


def request_import(
    house: House, actor: Actor, *, file_id: str, name: str, sheet: str | None, mapping: Mapping[str, str | None] | None, act: str
) -> Job:
    """Queue the planning or the writing of an uploaded table, or the undoing of an import.

    Parameters
    ----------
    file_id : of `keep_file`; for ``undo`` the id of the import
    act : ``plan``, ``write`` or ``undo``
    """
    if act != "undo":
        path = table_path(house, actor.community_id, file_id)
        if not path.exists():
            raise NotFound("there is no such table; it is kept for thirty days")
        heading = _first_heading(house, path, sheet)
        mapped(house, heading, mapping)
        sheet = heading.sheet or None
    else:
        _may_undo(house, actor.community_id, file_id)
    job_id = house.new_id()
    arguments = {"file": file_id, "name": name[:200], "sheet": sheet, "mapping": mapping, "act": act}
    with write(house.engine) as connection:
        jobs.add(
            connection, community_id=actor.community_id, job_id=job_id, kind=KIND, arguments=arguments,
            requested_by=actor.user_id, at=house.clock(),
        )  # fmt: skip
        found = jobs.find(connection, actor.community_id, job_id)
    assert found is not None
    return found


def _may_undo(house: House, community_id: str, job_id: str) -> None:
    with read(house.engine) as connection:
        made = jobs.find(connection, community_id, job_id)
        every = jobs.of_community(connection, community_id, KIND, since=made.requested_at) if made is not None else []
    if made is None or made.kind != KIND or made.arguments["act"] != "write":
        raise NotFound("there is no such import")
    if made.state not in ("done", "failed"):
        raise AlreadyDecided("the import is still under way")
    if any(one.arguments["act"] == "undo" and one.arguments["file"] == job_id and one.state != "failed" for one in every):
        raise AlreadyDecided("this import was undone")


def import_of(house: House, community_id: str, job_id: str) -> Job:
    """One import, plan or undoing. Raises NotFound."""
    with read(house.engine) as connection:
        found = jobs.find(connection, community_id, job_id)
    if found is None or found.kind != KIND:
        raise NotFound("there is no such import")
    return found


def imports(house: House, community_id: str) -> list[Job]:
    """The newest imports, plans and undoings of a community."""
    with read(house.engine) as connection:
        return jobs.of_community(connection, community_id, KIND)


def report_rows(house: House, job_id: str, *, outcome: str | None, after: int, limit: int) -> list[dict[str, Any]]:
    """Rows of a report in the order of the table, behind row ``after``; only those with an outcome where one is named."""
    found: list[dict[str, Any]] = []
    path = report_path(house, job_id)
    if not path.exists():
        return found
    with path.open("rb") as file:
        for line in file:
            row = orjson.loads(line)
            if row["row"] > after and outcome in (None, row["outcome"]):
                found.append(row)
                if len(found) == limit:
                    break
    return found


def sweep_tables(house: House) -> None:
    """Remove uploaded tables and reports past their time."""
    with suppress(FileNotFoundError):
        for path in folder(house).iterdir():
            if path.stat().st_mtime < (house.clock() - KEPT).timestamp():
                path.unlink(missing_ok=True)
