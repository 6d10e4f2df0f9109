"""Lawful erasure (S28): the keys of somebody are destroyed, what is current is emptied, the journal keeps its envelopes."""

from __future__ import annotations

import re
from collections import Counter as Counted
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import InputError, InvalidInput, NotFound
from server.services import blob_store, snapshots
from server.services.carry import ENGINE_VERSION
from server.services.revocations import ERASURE, note_revocation
from server.services.transact import statuses_changed
from server.services.unsealing import open_sealed
from server.store import blobs, commands, counted, crossings, erasing, writing
from server.store import push as reading
from server.store.blobs import PHOTOS
from server.store.database import next_journal_number, read, stamp, write
from server.store.errors import PlanOutdated
from sync.days import day_at
from sync.digest import version_tag
from sync.feedrows import Counter, stream_changes, streams_of
from sync.memory import Memory, Version
from sync.outcome import ERASED
from sync.record import Record

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

REASONS = {
    "request": "本人要求",
    "relative": "监护人或近亲属要求",
    "court": "法院或主管机关要求",
    "purpose_ended": "收集目的已经实现",
    "mistake": "误登记",
}
"""Why somebody is erased: kept in the journal, so it is chosen from a list and cannot name anybody."""

_SYSTEM = "~system"
_FILE_NAME = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class Target:
    """Who is to be erased: every id that leads to them, and every record about them."""

    community_id: str
    subject_id: str
    subjects: tuple[str, ...]
    records: tuple[Any, ...]

    @property
    def record_ids(self) -> list[str]:
        """Ids of the records, erased ones too."""
        return [row.id for row in self.records]

    @property
    def living(self) -> list[Any]:
        """Records that hold something still."""
        return [row for row in self.records if row.life != "erased"]


def target_of(connection: Connection, house: House, community_id: str, subject_id: str) -> Target:
    """Everything that a community stores about a person: merged ids too, cards, episodes, what refers to them as its subject.

    Raises
    ------
    NotFound
        There is no record of this id.
    InvalidInput
        It is about no person.
    """
    return targets_of(connection, house, community_id, subject_id)[0]


def targets_of(connection: Connection, house: House, community_id: str, subject_id: str) -> tuple[Target, ...]:
    """What every community stores about a person, the asked one first, then by id.

    Ids that were merged in one community lead to others, whose keys lead to further communities, until nothing is added (S8, S30).
    Raises as `target_of`, where the asked community has no such record.
    """
    local = _same_person(connection, community_id, [subject_id])
    communities, subjects = _reached(connection, community_id, local)
    found = tuple(
        _found(connection, house, one, subject_id, subjects)
        for one in sorted(communities, key=lambda one: (one != community_id, one))
    )
    own = [row for row in found[0].records if row.id in local]
    if not own:
        raise NotFound("nobody of this id is recorded here")
    if all(row.subject_id != row.id for row in own):
        raise InvalidInput(errors=[InputError("/id", "nobody", "this record is about no person; delete it instead")])
    return found


def _reached(connection: Connection, community_id: str, subjects: set[str]) -> tuple[set[str], set[str]]:
    """Communities that have, or had, a key of a person, and all the ids that the person has in them."""
    while True:
        communities = {community_id, *crossings.communities_of(connection, sorted(subjects))}
        wider = subjects.union(*(_same_person(connection, one, subjects) for one in communities))
        if wider == subjects:
            return communities, subjects
        subjects = wider


def _same_person(connection: Connection, community_id: str, subjects: Iterable[str]) -> set[str]:
    """These ids, those that they were merged into, and all that lead there, as one community knows it."""
    asked = set(subjects)
    redirects = commands.redirects_of(connection, community_id, asked)
    ends = asked | set(redirects.values())
    return ends | commands.leading_to(connection, community_id, ends).keys()


def _found(connection: Connection, house: House, community_id: str, subject_id: str, subjects: Iterable[str]) -> Target:
    """What a community stores about these ids of one person; it is named by the id that its record has there."""
    ids = sorted(subjects)
    types = [name for name in house.registry.types() if house.registry.latest(name).subject is not None]
    rows = [
        row
        for row in erasing.about(connection, community_id, ids, types)
        if row.subject_id in ids or row.id in ids or _names(house, row, ids)
    ]
    root = Memory.rooted(commands.redirects_of(connection, community_id, [subject_id, *ids]))
    ends = [root(subject_id), *sorted(map(root, ids))]
    recorded = {row.id for row in rows}
    name = next((one for one in ends if one in recorded), ends[0])
    return Target(community_id, name, tuple(ids), tuple(rows))


def _names(house: House, row: Any, subjects: Sequence[str]) -> bool:
    """Whether a record says by its own field that it is about one of these."""
    field = house.registry.latest(row.type).subject
    return field not in (None, "self") and orjson.loads(row.fields).get(field) in subjects


def photos_of(connection: Connection, house: House, target: Target) -> list[str]:
    """SHA-256 of the photos that the records show, and of stored ones that their history or an operation about them names.

    What was sealed is searched for names of files, so that a text that nobody could read counts too.
    """
    shown = {name for row in target.living for name in orjson.loads(row.fields).get(PHOTOS) or ()}
    subjects = sorted(_all_subjects(connection, target))
    sealed = erasing.sealed_about(connection, target.community_id, target.record_ids, subjects)
    said = (orjson.dumps(one).decode() for one in open_sealed(connection, house, target.community_id, sealed) if one is not None)
    once = {name for text in said for name in _FILE_NAME.findall(text)} - shown
    return sorted(shown | erasing.photos_there(connection, target.community_id, sorted(once)))


@dataclass(frozen=True, slots=True)
class By:
    """Who erases, why, and the number of the file that asks for it."""

    actor_id: str
    reason: str
    reference: str = ""
    source: str = "console"


def erase(house: House, target: Target, by: By) -> dict[str, int]:
    """Erase, in every community where the person has been (S30); what was done, in numbers.

    Raises PlanOutdated where something about the person was written meanwhile.
    """
    done: Counted[str] = Counted()
    dropped: list[tuple[str, str]] = []
    noted: list[tuple[Target, list[str]]] = []
    with write(house.engine) as connection:
        local = _same_person(connection, target.community_id, [target.subject_id])
        locked, _ = _reached(connection, target.community_id, local)
        for community_id in sorted(locked):
            reading.lock_placement(connection, community_id, exclusive=True)
        everywhere = targets_of(connection, house, target.community_id, target.subject_id)
        if {one.community_id for one in everywhere} != locked:
            raise PlanOutdated
        for now in everywhere:
            noted.append((now, sorted(_all_subjects(connection, now))))
            told, photos = _erase_in(connection, house, now, by)
            done.update(told)
            dropped += [(now.community_id, name) for name in photos]
        for now, subjects in noted:
            note_revocation(
                house, ERASURE, now.community_id, now.subject_id, by.reason, people=list(now.subjects), subjects=subjects,
                reference=by.reference,
            )  # fmt: skip
    with read(house.engine) as connection:
        files = _files_to_drop(connection, dropped)
    for file in files:
        blob_store.drop(house, file)
    return dict(done)


def _files_to_drop(connection: Connection, photos: Iterable[tuple[str, str]]) -> set[str]:
    """Files of erased photos, (community, SHA-256), that nobody shows any more."""
    return {file for one in photos if (file := blobs.file_to_drop(connection, *one)) is not None}


def erase_again(connection: Connection, house: House, line: Mapping[str, Any]) -> bool:
    """Erase in a restored database somebody who was erased before; whether anything was there to be erased.

    The database may not know yet whom a record is about: whatever had a key of its own when it was erased goes too.
    """
    community_id = line["community_id"]
    people = _same_person(connection, community_id, [line["id"], *line.get("people", ()), *line["subjects"]])
    found = _found(connection, house, community_id, line["id"], people)
    alive = any(erasing.keys_there(connection, community_id, found.subjects).values())
    by = By(_SYSTEM, line["reason"], line.get("reference", ""), "system")
    _, photos = _erase_in(connection, house, found, by)
    for file in _files_to_drop(connection, [(community_id, name) for name in photos]):
        blob_store.drop(house, file)
    return alive or bool(found.living)


def _all_subjects(connection: Connection, target: Target) -> set[str]:
    """Every key to destroy: the person's, those of records that had one of their own, those of texts that were unread."""
    own = {*target.subjects, *target.record_ids}
    return own | erasing.raw_subjects(connection, target.community_id, sorted(own))


def _erase_in(connection: Connection, house: House, target: Target, by: By) -> tuple[dict[str, int], list[str]]:
    """The erasure as part of a transaction; what was done, and photos whose files can go."""
    community_id, at = target.community_id, stamp(house.clock())
    subjects = sorted(_all_subjects(connection, target))
    ids = target.record_ids
    photos = photos_of(connection, house, target)
    if photos:
        shared = erasing.photos_elsewhere(connection, community_id, photos, ids)
        photos = [name for name in photos if name not in shared]
    waiting = erasing.open_operations(connection, community_id, ids, subjects)
    records = [_record(row) for row in target.living]
    devices = reading.device_installs(connection, community_id, sorted({one.created_install for one in records}))
    told = frozenset(row.install_id for row in waiting if row.kind == "device")
    streams = {f"install/{one}" for one in told}
    for one in records:
        streams |= streams_of(one.home, one.life, one.created_install, devices, one.dedicated)
    counters = {
        name: Counter.read(*row) for name, row in reading.lock_streams(connection, community_id, streams).items()
    }
    number = next_journal_number(connection)
    memory = _emptied(house, records, at)
    changed = [(row.install_id, row.op_id, row.status + 1) for row in waiting]
    changes = stream_changes(memory, counters, devices, statuses_changed(changed, told))
    erasing.empty_records(connection, community_id, [(one.id, one.v, one.tag) for one in records], at)
    erasing.add_versions(
        connection,
        [(community_id, one.record_id, one.v, one.tag, number, one.op_id, _SYSTEM, 0, at, "[]", ERASED, one.subject_id)
         for one in memory.versions],
    )  # fmt: skip
    erasing.drop_search(connection, community_id, ids)
    erasing.close_what_is_open(connection, community_id, ids, number, at)
    counted.forget(connection, community_id)
    rows = [(ERASED, None, row.status + 1, None, None, number, at, row.install_id, row.n) for row in waiting]
    writing.change_statuses(connection, community_id, rows)
    uploads = erasing.drop_photos(connection, community_id, photos)
    destroyed = erasing.destroy_keys(connection, community_id, subjects, at)
    erasing.drop_keys(connection, community_id, snapshots.SUBJECT)
    writing.write_feed(connection, community_id, changes.rows)
    moved = {name: counters[name].row() for name in changes.touched}
    writing.write_counters(connection, community_id, [(name, *row) for name, row in moved.items()])
    reading.raise_placement_version(connection, community_id)
    effects = {
        "records": {one.record_id: [[one.v, one.tag, [], ERASED, [], _home(records, one)]] for one in memory.versions},
        "moves": {}, "streams": moved,
        "erased": {"id": target.subject_id, "reason": by.reason, "reference": by.reference, "keys": destroyed},
    }  # fmt: skip
    writing.insert_journal(
        connection,
        (
            community_id, number, "erase", at, by.actor_id, _SYSTEM, by.source, ENGINE_VERSION, "{}",
            orjson.dumps(effects).decode(),
        ),
    )  # fmt: skip
    snapshots.forget(house, community_id)
    for upload_id in uploads:
        (house.settings.data_dir / "uploads" / upload_id).unlink(missing_ok=True)
    done = {"records": len(records), "keys": destroyed, "photos": len(photos), "waiting": len(waiting)}
    return done, photos


def _record(row: Any) -> Record:
    return Record(
        row.id, row.type, row.v, row.tag, row.life, row.home, None, row.subject_id, {}, {}, [], {}, 1, row.created_install, 0,
        dedicated=row.dedicated,
    )  # fmt: skip


def _emptied(house: House, records: Sequence[Record], at: str) -> Memory:
    """The versions that end these records, in working memory, so that streams are told like of any other change."""
    memory = Memory({one.id: one for one in records}, _nowhere, house.registry.latest, at, day_at(at))
    for one in records:
        memory.touch(one)
        op_id = house.new_id()
        one.v, one.tag, one.life = one.v + 1, version_tag(one.tag, op_id, ()), ERASED
        memory.wrote(Version(one.id, one.v, one.tag, op_id, _SYSTEM, 0, (), {}, {}, ERASED, one.subject_id))
    return memory


def _nowhere(_: Any) -> Any:
    raise NotImplementedError("what is erased is placed nowhere")


def _home(records: Sequence[Record], version: Version) -> str:
    return next(one.home for one in records if one.id == version.record_id)
