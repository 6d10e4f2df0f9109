"""What an erasure reaches, and what it leaves for people to decide: texts and files that still name somebody (S28)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import AlreadyDecided, InputError, InvalidInput, OutsideScope
from server.permissions import Actor, may
from server.sealing import unseal
from server.services import erasing, exports, sheet_import, template_runs
from server.services.audit import Look, line_of
from server.services.keys import COMMUNITY, DataKeys
from server.services.paging import make_cursor, read_cursor
from server.services.unsealing import learn, open_sealed
from server.store import audit, backup, jobs
from server.store import erasing as store
from server.store.assignments import communities
from server.store.database import read, stamp, write
from server.store.errors import PlanOutdated

if TYPE_CHECKING:
    from server.house import House
    from server.services.erasing import By, Target
    from server.store.database import Connection

SCRUB = "scrub"
"""The job that writes the database anew, so that its files hold nothing of what was erased."""

MOST_NAMED = 200
_STANDS = timedelta(minutes=15)
_SAYS = ("name", "former_names", "phones", "phone", "document_number", "credit_code")
_SHORTEST = 2


def preview(house: House, actor: Actor, community_id: str, subject_id: str, look: Look) -> dict[str, Any]:
    """What erasing somebody would do, and the text that confirms exactly this within fifteen minutes.

    Returns
    -------
    dict
        ``records`` by type, ``photos``, ``waiting`` operations, of every community that has them, ``merged`` ids that go too; ``named`` in other records (at most
        `MOST_NAMED`) and ``lists`` that people saved: for people to decide about; ``elsewhere``: of each other community where the
        person has been, how many records and lists name them, for its secretary to decide about; outside ``systems`` that were
        given the person; ``databases`` that were replaced by a restore and lie
        beside the present one; ``backups`` with the day after which nobody opens them;
        ``confirm``.

    Raises
    ------
    NotFound, InvalidInput, AlreadyDecided, OutsideScope
        Nobody of this id; the record is about no person; erased already; not the actor's to do.
    """
    _demand(actor, community_id)
    with read(house.engine) as connection:
        targets = _alive(connection, house, community_id, subject_id)
        said = _reach(connection, house, targets)
    target = targets[0]
    personal = [f"{name}.*" for name in said["records"]]
    with write(house.engine) as connection:
        line = line_of(
            house, look, scope=f"erasure/{target.subject_id}", community_id=community_id, record_id=target.subject_id,
            fields=personal, count=sum(len(one.records) for one in targets),
        )  # fmt: skip
        audit.append(connection, line)
    return said | {"confirm": make_cursor(house.keys, _use(actor, target), [stamp(house.clock()), _version(targets)])}


def erase(house: House, actor: Actor, community_id: str, subject_id: str, by: By, confirm: str, look: Look) -> dict[str, Any]:
    """Erase whom a preview has shown; what was done, what is left to decide, and the job that writes the files anew.

    Raises
    ------
    InvalidInput
        ``/confirm``: not of this preview, older than fifteen minutes, or something was written meanwhile; ``/reference`` names
        the person.
    NotFound, AlreadyDecided, OutsideScope
        As `preview`.
    """
    _demand(actor, community_id)
    if by.reason not in erasing.REASONS:
        raise _wrong("/reason", "choice", "one of " + ", ".join(erasing.REASONS))
    with read(house.engine) as connection:
        targets = _alive(connection, house, community_id, subject_id)
        said = _reach(connection, house, targets)
        if any(one in by.reference for one in _words(connection, house, targets)):
            raise _wrong("/reference", "names_the_person", "must not name the person")
    target = targets[0]
    at, shown = read_cursor(house.keys, _use(actor, target), confirm)
    if shown != _version(targets) or at < stamp(house.clock() - _STANDS):
        raise _wrong("/confirm", "outdated", "something was written meanwhile, or this was shown too long ago; look again")
    try:
        done = erasing.erase(house, target, by)
    except PlanOutdated as error:
        raise _wrong("/confirm", "outdated", "something was written meanwhile; look again") from error
    files = sum(drop_files(house, one.community_id) for one in targets)
    job_id = house.new_id()
    with write(house.engine) as connection:
        jobs.add(
            connection, community_id=community_id, job_id=job_id, kind=SCRUB, arguments={}, requested_by=actor.user_id,
            at=house.clock(),
        )  # fmt: skip
        line = line_of(
            house, look, scope=f"erasure/{target.subject_id}", community_id=community_id, record_id=target.subject_id,
            count=done["records"],
        )  # fmt: skip
        audit.append(connection, line)
    left = {name: said[name] for name in ("named", "lists", "elsewhere", "systems", "databases", "backups", "backups_end")}
    return {"id": target.subject_id, "done": done | {"files": files}, "job_id": job_id} | left


def past(house: House, actor: Actor, community_id: str) -> list[dict[str, Any]]:
    """The erasures of a community, newest first: when, by whom, why, how much; nobody's name."""
    _demand(actor, community_id)
    with read(house.engine) as connection:
        rows = store.erasures(connection, community_id)
    found = []
    for row in rows:
        effects = orjson.loads(row.effects)
        erased = effects["erased"]
        found.append(
            {
                "id": erased["id"], "at": row.at, "by": row.actor_id, "reason": erased["reason"],
                "reference": erased["reference"], "records": len(effects["records"]), "keys": erased["keys"],
            }
        )  # fmt: skip
    return found


def drop_files(house: House, community_id: str) -> int:
    """Remove exports, filled templates and uploaded tables that may hold people of a community; how many there were."""
    gone = 0
    for kind, folder in ((exports.KIND, exports.folder), (template_runs.KIND, template_runs.folder)):
        with read(house.engine) as connection:
            finished = jobs.ended_before(connection, kind, house.clock() + timedelta(days=1))
        for job in finished:
            theirs = community_id in {job.community_id, *exports.communities_of(job)}
            if not job.result or job.result.get("removed") or not theirs:
                continue
            (folder(house) / job.result["file"]).unlink(missing_ok=True)
            with write(house.engine) as connection:
                jobs.mark_removed(connection, job)
            gone += 1
    for path in sheet_import.folder(house).glob(f"{community_id}.*.table"):
        path.unlink(missing_ok=True)
        gone += 1
    return gone


def _demand(actor: Actor, community_id: str) -> None:
    if not may(actor, "erase", community_id=community_id):
        raise OutsideScope("only the community's secretary or an administrator erases")


def _alive(connection: Connection, house: House, community_id: str, subject_id: str) -> tuple[Target, ...]:
    targets = erasing.targets_of(connection, house, community_id, subject_id)
    if not any(one.living for one in targets):
        raise AlreadyDecided("erased already")
    return targets


def _reach(connection: Connection, house: House, targets: Sequence[Target]) -> dict[str, Any]:
    """Counts and systems of all communities (S30); texts that name somebody where the actor can change them."""
    target, words = targets[0], _words(connection, house, targets)
    named, lists = _named(connection, target, words), _lists(connection, house, target.community_id, words)
    elsewhere = []
    titles = {one.community_id: one.name for one in communities(connection)}
    for one in targets[1:]:
        said = {"named": len({row["id"] for row in _named(connection, one, words)}), "lists": len(_lists(connection, house, one.community_id, words))}
        if any(said.values()):
            elsewhere.append({"community_id": one.community_id, "name": titles.get(one.community_id, one.community_id), **said})
    copies = [
        {"file_name": row.file_name, "at": row.at, "expires_at": row.expires_at} for row in backup.copies(connection)
    ]
    return {
        "id": target.subject_id,
        "merged": [one for one in target.subjects if one != target.subject_id],
        "records": dict(sorted(Counter(row.type for one in targets for row in one.living).items())),
        "photos": sum(len(erasing.photos_of(connection, house, one)) for one in targets),
        "waiting": sum(
            len(store.open_operations(connection, one.community_id, one.record_ids, one.subjects)) for one in targets
        ),
        "named": named[:MOST_NAMED],
        "lists": lists,
        "elsewhere": elsewhere,
        "systems": sorted({name for one in targets for name in store.handed_to(connection, one.community_id, one.record_ids)}),
        "databases": sorted(path.name for path in house.settings.data_dir.glob("*.replaced-*")),
        "backups": copies,
        "backups_end": max((one["expires_at"] for one in copies), default=None),
    }


def _named(connection: Connection, target: Target, words: Sequence[str]) -> list[dict[str, Any]]:
    """Fields of other records of a community that refer to somebody, or hold a name or number of theirs."""
    gone = set(target.record_ids)
    named = []
    for row in store.mentions(connection, target.community_id, [*words, *target.subjects], MOST_NAMED + len(gone)):
        if row.id in gone:
            continue
        for field, value in orjson.loads(row.fields).items():
            text = orjson.dumps(value).decode()
            refers = any(one in text for one in target.subjects)
            if refers or any(one in text for one in words):
                named.append({"id": row.id, "type": row.type, "field": field, "how": "refers" if refers else "names"})
    return named


def _lists(connection: Connection, house: House, community_id: str, words: Sequence[str]) -> list[str]:
    """Names of the lists that people of a community saved and that hold a name or number of theirs."""
    lists = store.saved_lists(connection, community_id)
    opened = open_sealed(connection, house, community_id, [(None, row.sealed) for row in lists])
    return [row.name for row, asked in zip(lists, opened, strict=True) if _is_said(asked, words)]


def _is_said(asked: Any, words: Iterable[str]) -> bool:
    text = orjson.dumps(asked).decode()
    return any(one in text for one in words)


def _words(connection: Connection, house: House, targets: Iterable[Target]) -> list[str]:
    """What somebody is called and by which numbers they are known, in any community, to look for it elsewhere."""
    found: set[str] = set()
    for target in targets:
        keys = DataKeys(house.keys)
        learn(keys, connection, target.community_id, (row.subject_id or COMMUNITY for row in target.living))
        for row in target.living:
            fields = orjson.loads(row.fields)
            if row.secret is not None:
                fields |= orjson.loads(unseal(keys.of(row.subject_id), bytes(row.secret)))
            for name in _SAYS:
                values = fields.get(name)
                found.update(one for one in (values if isinstance(values, list) else [values]) if isinstance(one, str))
    return sorted(one for one in found if len(one) >= _SHORTEST)


def _version(targets: Iterable[Target]) -> list[list[Any]]:
    return [[one.community_id, row.id, row.v, row.tag] for one in targets for row in one.records]


def _use(actor: Actor, target: Target) -> str:
    return f"erase/{target.community_id}/{target.subject_id}/{actor.user_id}"


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(errors=[InputError(pointer, code, message)])
