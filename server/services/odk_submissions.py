"""Filled forms from ODK Collect: one form is one group of operations of the phone that sends it, with its photos behind it.

The form's own id makes the ids of its operations, so the same form sent again changes nothing (L6). The row that says that it
came is written with the operations, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from forms.errors import DefinitionError
from forms.odk_answers import Entity, Submission, SubmissionUnreadable, entities_of, metadata_of, read_submission
from forms.odk_form import CollectForm, collect_forms, survey_form, version_of
from server.errors import AlreadyExists, InputError, InvalidInput, NotFound
from server.house import House
from server.permissions import Actor
from server.services.blobs import keep_photo
from server.services.odk_access import phone, phone_id
from server.services.odk_operations import Source, operation_id, operations_of
from server.services.push import Batch, Sender, accept
from server.services.tokens import kept_hash
from server.store import assignments
from server.store import odk as store
from server.store import push as reading
from server.store.blobs import PHOTOS
from server.store.database import read, stamp, write
from server.store.errors import StoreError

MOST_TEXT = 255
"""Of what a phone says of itself: its id, its program."""
_SIGNS = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


_ON_RECORD = frozenset({"applied", "merged", "unchanged", "conflict"})


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a filled form: whether it came before, and how many of its operations have which outcome."""

    instance_id: str
    repeated: bool
    outcomes: Mapping[str, int]


class _CameBefore(StoreError):
    """A form of this id is there."""


class _NoPhone(StoreError):
    """This phone has sent nothing before."""


def take(
    house: House, actor: Actor, content: bytes, files: Mapping[str, bytes], *, device_id: str = "", user_agent: str = ""
) -> Taken:
    """Take in a filled form, or more photos of one that came before.

    Parameters
    ----------
    content : the XML
    files : what came beside it, by name; what the form does not name is passed over

    Raises
    ------
    InvalidInput
        No filled form of ours, or a photo that is no picture; the code of its error says what.
    NotFound
        There is no such form.
    AlreadyExists
        The same id with other content (``instance_differs``), or an edit of a form that was sent (``edited``).
    """
    submission = _read(content)
    digest = house.keys.content_hash(content)
    device_id, user_agent = device_id[:MOST_TEXT], user_agent[:MOST_TEXT]  # before anything is told by them: what is kept names the same phone again
    writer = actor.with_install(phone_id(actor, device_id))
    outcomes: dict[str, int] = {}
    repeated = False
    try:
        try:
            outcomes = _take_first(house, writer, submission, digest, device_id, user_agent)
        except _NoPhone:
            phone(house, actor, device_id)
            outcomes = _take_first(house, writer, submission, digest, device_id, user_agent)
        if not files:
            return Taken(submission.instance_id, False, outcomes)
    except _CameBefore:
        repeated = True
    row = _row(house, actor.community_id, submission.instance_id)
    assert row is not None
    if bytes(row.content_hash) != digest:
        raise AlreadyExists(
            "another form of this id was sent before", errors=[InputError("/instanceID", "instance_differs", "same id, other content")]
        )
    _keep_photos(house, writer, row, files)
    return Taken(submission.instance_id, repeated, outcomes)


def _read(content: bytes) -> Submission:
    try:
        submission = read_submission(content)
    except SubmissionUnreadable as error:
        raise InvalidInput("this is no filled form", errors=[InputError("", error.code, str(error))]) from error
    if submission.deprecated_id:
        raise AlreadyExists("a form that was sent is not edited", errors=[InputError("/deprecatedID", "edited", "fill in a new one")])
    return submission


def _row(house: House, community_id: str, instance_id: str) -> Any | None:
    with read(house.engine) as connection:
        return store.submission_of(connection, community_id, instance_id)


def _form(house: House, submission: Submission) -> tuple[CollectForm, int]:
    """The form that was filled in and its version: of a special survey that very one, for a later one may have dropped what was answered."""
    registry, form_id = house.registry, submission.form_id
    form = None if form_id in registry.surveys else collect_forms(registry).get(form_id)
    if form is None and form_id not in registry.surveys:
        raise NotFound("there is no such form", errors=[InputError("/id", "unknown_form", "no form of this id")])
    unknown = InvalidInput(
        "this version of the form is not known", errors=[InputError("/version", "unknown_version", "never given out")]
    )
    version = version_of(submission.form_version)
    if version is None:
        raise unknown
    asked = registry.get(form_id if form is None else form.parts[0].record_type.name, version)
    if asked is None:
        raise unknown
    try:
        return form or survey_form(asked), version
    except DefinitionError as none:  # no form says that version
        raise unknown from none


def _take_first(
    house: House, writer: Actor, submission: Submission, digest: bytes, device_id: str, user_agent: str
) -> dict[str, int]:
    form, version = _form(house, submission)
    entities = entities_of(form, submission)
    if not entities:
        raise InvalidInput("the form is about no record", errors=[InputError("", "no_record", "no entity of this form's lists")])
    community_id, install_id = writer.community_id, writer.install_id or ""
    source = Source(community_id, submission.instance_id, install_id, version, submission.ended_at)
    with read(house.engine) as connection:
        current = [one for one in entities if not _is_late(connection, community_id, one)]
        operations = operations_of(connection, house, source, current)
        scope_version = assignments.scope_version(connection, community_id, writer.user_id)
    files = {
        _name(house, name): [one.part.record_type.name, one.record_id, version] for one in entities for name in one.photos
    }
    texts = [orjson.dumps(one).decode() for one in operations]
    at = stamp(house.clock())

    def keep_row(connection: Any, last_n: int) -> None:
        new = store.add_submission(
            connection,
            (
                community_id, submission.instance_id, install_id, form.form_id, submission.form_version, digest,
                device_id or None, user_agent or None, at, last_n, len(texts), orjson.dumps(files).decode(),
                orjson.dumps(metadata_of(form, submission)).decode(),
            ),
        )  # fmt: skip
        if not new:
            raise _CameBefore

    def advance(connection: Any, outcomes: Mapping[str, str]) -> None:
        """A chain goes on where its answers are on record; where they wait, an earlier form still brings its own."""
        waiting = {one["id"] for one in operations if outcomes.get(one["op_id"]) not in _ON_RECORD}
        for one in current:
            if one.branch_id and not one.creates and one.record_id not in waiting:
                store.advance_branch(connection, community_id, one.branch_id, one.record_id, one.base_version or 0)

    if not texts:
        with write(house.engine) as connection:
            row = reading.lock_install(connection, community_id, install_id)
            if row is None:
                raise _NoPhone
            keep_row(connection, int(row.last_n))
            advance(connection, {})
        return {}
    batch = Batch((tuple(enumerate(texts, 1)),), 0, None, scope=(scope_version, 0), at_end=True, beside=keep_row, behind=advance)
    try:
        return _counted(accept(house, _sender(writer), batch)["results"])
    except NotFound as error:
        raise _NoPhone from error


def _is_late(connection: Any, community_id: str, entity: Entity) -> bool:
    """An earlier update of a chain behind a later one, which carried its answers along."""
    if not entity.branch_id or entity.creates or entity.base_version is None:
        return False
    reached = store.branch_base(connection, community_id, entity.branch_id, entity.record_id)
    return reached is not None and entity.base_version < reached


def _sender(writer: Actor) -> Sender:
    return Sender(
        writer.community_id, writer.install_id or "", writer.user_id, "odk", writer.role == "grid_worker", source="odk"
    )


def _counted(results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in results:
        outcome = one["now"]["outcome"]
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


# ---------------------------------------------------------------- photos
def _name(house: House, name: str) -> str:
    return kept_hash(house.keys, "odk-file", name)


def _keep_photos(house: House, writer: Actor, row: Any, files: Mapping[str, bytes]) -> None:
    """Each photo that the form names becomes a blob, and is named by its record in an operation of its own."""
    expected: dict[str, list[Any]] = orjson.loads(row.files)
    wanted = {key: content for name, content in files.items() if (key := _name(house, name)) in expected}
    if not wanted:
        return
    ids = {key: operation_id(writer.community_id, row.instance_id, f"photo/{key}") for key in wanted}
    with read(house.engine) as connection:
        known = reading.seen_operations(connection, writer.community_id, list(ids.values()))
        scope_version = assignments.scope_version(connection, writer.community_id, writer.user_id)
    for key, content in wanted.items():
        if ids[key] in known:
            continue
        kind, record_id, version = expected[key]
        sha256 = keep_photo(house, writer, content, _media_type(content))
        operation = {
            "op_id": ids[key], "type": kind, "id": record_id, "kind": "patch", "base": None, "set": {PHOTOS: {"add": [sha256]}},
            "was": {}, "form_version": version, "claimed_at": None,
        }  # fmt: skip
        text = orjson.dumps(operation).decode()
        accept(house, _sender(writer), Batch((((1, text),),), 0, None, scope=(scope_version, 0), at_end=True))


def add_photo(house: House, actor: Actor, instance_id: str, name: str, content: bytes) -> None:
    """One photo of a filled form that came before.

    Raises
    ------
    NotFound
        No such form, or one that names no such file.
    InvalidInput
        No whole picture.
    """
    row = _row(house, actor.community_id, instance_id)
    if row is None or _name(house, name) not in orjson.loads(row.files):
        raise NotFound("the form names no such file")
    _keep_photos(house, phone(house, actor, row.device_id or ""), row, {name: content})


def _media_type(content: bytes) -> str:
    for sign, media_type in _SIGNS:
        if content.startswith(sign):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    raise InvalidInput("a photo is JPEG, PNG or WebP", errors=[InputError("", "no_picture", "a whole picture is expected")])
