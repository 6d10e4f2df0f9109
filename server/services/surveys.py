"""Special surveys (专项调查): a workbook checked, kept as a draft, published and closed, without a restart."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from forms.calculation import circular
from forms.chinese_reasons import zh_of
from forms.definition import FieldSpec, RecordType
from forms.errors import DefinitionError, ExpressionError
from forms.registry import Registry
from forms.survey import ROSTER_PREFIX, Survey, audience_fields, subject_of, with_surveys
from forms.xlsform_expressions import kept_text, translate
from forms.xlsform_read import ImportedForm, Refusal, XlsformRefused, read_xlsform
from forms.xlsform_refusals import REASONS
from forms.xlsform_write import write_xlsform
from server.errors import AlreadyExists, InputError, InvalidInput, NotFound
from server.house import House
from server.permissions import Actor
from server.services.announce import announce_forms_of
from server.services.community_forms import at_home
from server.services.odk_forms import said_by_collect
from server.services.release import sweep
from server.store import surveys as store
from server.store.database import read, stamp, write

MOST_SURVEYS = 200
MOST_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Checked:
    """What a workbook is: a form with its record type, or every reason why it is refused whole."""

    form: ImportedForm | None
    record_type: RecordType | None
    refusals: tuple[Refusal, ...]


def check(house: House, community_id: str, workbook: BinaryIO, *, name: str | None = None, subject: str | None = None) -> Checked:
    """Read a workbook against what is known in a community; nothing is kept.

    Parameters
    ----------
    house : at home in the community (`community_forms.at_home`)
    name : the form's name where its settings give no ``form_id``
    subject : ``household``, ``person`` or ``none``, whatever its settings say; None: as they say
    """
    base = house.built_in or house.registry
    there = set(house.registry.surveys)
    try:
        form = read_xlsform(
            workbook, name=name, registry=base, reserved=base.types(), subject=subject,
            earlier=lambda one: house.registry.latest(one) if one in there else None,
        )  # fmt: skip
    except XlsformRefused as refused:
        return Checked(None, None, refused.refusals)
    try:
        registry = _tried(house, community_id, form)
    except DefinitionError as wrong:
        zh, en = f"定义不成立：{wrong.pointer} {zh_of(wrong.reason)}", f"the definition does not hold: {wrong.pointer} {wrong.reason}"
        return Checked(None, None, (Refusal("settings", None, None, "definition", zh, en),))
    return Checked(form, registry.latest(form.definition["name"]), ())


def _tried(house: House, community_id: str, form: ImportedForm) -> Registry:
    """The registry of the community as if the form were published."""
    with read(house.engine) as connection:
        documents = store.documents(connection, community_id)
    surveys = [Survey(one["definition"], one["codelists"]) for _, one in documents]
    return with_surveys(house.built_in or house.registry, [*surveys, Survey(form.definition, form.codelists)])


def keep_draft(
    house: House, actor: Actor, community_id: str, workbook: BinaryIO, *, name: str | None = None, subject: str | None = None
) -> dict[str, Any]:
    """Keep a workbook as a draft, in place of an earlier draft of the same version; what `one` says of it.

    Raises
    ------
    InvalidInput
        The workbook is refused: ``errors`` name sheet, row and column of every reason. Nothing is kept.
    AlreadyExists
        This version is published.
    """
    checked = check(house, community_id, workbook, name=name, subject=subject)
    if checked.form is None:
        raise InvalidInput(
            "the workbook is refused; nothing was kept",
            errors=[InputError(f"/file/{one.place}", one.code, one.message_en) for one in checked.refusals],
        )
    return _kept(house, actor, community_id, checked.form.document)


def ask_only(house: House, actor: Actor, community_id: str, name: str, audience: str) -> dict[str, Any]:
    """Keep a draft of the survey that differs in whom it asks; of a published one it is the next version. What `one` says of it.

    Parameters
    ----------
    audience : a condition over the household or person, as in the setting ``dishu_audience``; empty: everybody is asked

    Raises
    ------
    NotFound
        No such survey.
    InvalidInput
        The condition cannot be read, asks for what is no field or a secret, or the survey is about nobody.
    """
    with read(house.engine) as connection:
        rows = store.versions(connection, community_id, name)
    if not rows:
        raise NotFound("there is no such survey")
    base, subject = house.built_in or house.registry, _told(rows)["subject"]
    document = orjson.loads(rows[0].document)
    definition = document["definition"]
    definition.pop("audience", None)
    if audience.strip():
        if subject not in ("household", "person"):
            raise InvalidInput(errors=[InputError("/audience", "audience_of_nobody", " / ".join(REASONS["audience_of_nobody"]))])
        try:
            definition["audience"] = kept_text(audience, translate(audience, audience_fields(base.latest(subject))))
        except ExpressionError as wrong:
            raise InvalidInput(errors=[InputError("/audience", "expression", f"{zh_of(str(wrong))} / {wrong}")]) from wrong
    if rows[0].state != store.DRAFT:
        definition["version"] += 1
    return _kept(house, actor, community_id, document)


def _kept(house: House, actor: Actor, community_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    document, definition = orjson.dumps(given, option=orjson.OPT_SORT_KEYS), given["definition"]
    with write(house.engine) as connection:
        if len({row.name for row in store.versions(connection, community_id)} | {definition["name"]}) > MOST_SURVEYS:
            raise InvalidInput(errors=[InputError("/file", "too_many", f"at most {MOST_SURVEYS} surveys in a community")])
        kept = store.keep_draft(
            connection, community_id, definition["name"], definition["version"], document=document.decode(),
            content_hash=hashlib.sha256(document).hexdigest(), made_at=stamp(house.clock()), made_by=actor.user_id,
        )  # fmt: skip
    if not kept:
        raise AlreadyExists("this version is published; give the workbook a higher version")
    return one(house, community_id, definition["name"])


def publish(house: House, actor: Actor, community_id: str, name: str, version: int) -> dict[str, Any]:
    """Put a draft in force for every process and phone, or take a closed survey up again. NotFound for an unknown version.

    Phones are told through their reference stream; what was held because its form was not known here yet goes on.
    """
    with write(house.engine) as connection:
        rows = {row.version: row for row in store.versions(connection, community_id, name)}
        if version not in rows:
            raise NotFound("there is no such version of a survey")
        newest = max((one for one, row in rows.items() if row.state != store.DRAFT), default=0)
        if rows[version].state == store.DRAFT and version < newest:
            raise InvalidInput(errors=[InputError("/version", "version_not_newer", f"version {newest} is published")])
        if rows[version].state == store.DRAFT:
            _agrees(house, connection, community_id, orjson.loads(rows[version].document))
        store.publish(connection, community_id, name, version, stamp(house.clock()), actor.user_id)
    _tell(house, community_id)
    return one(house, community_id, name)


def _agrees(house: House, connection: Any, community_id: str, document: Mapping[str, Any]) -> None:
    """A draft may have been kept before something else was published: all of them must hold together."""
    there = [Survey(one["definition"], one["codelists"]) for _, one in store.documents(connection, community_id)]
    try:
        draft = Survey(document["definition"], document["codelists"])
        made = with_surveys(house.built_in or house.registry, [*there, draft]).latest(draft.name)
        for name in circular(made):
            raise DefinitionError(draft.name, f"/fields/{list(made.fields).index(name)}/calculation", "the calculation needs its own value")
    except DefinitionError as wrong:
        raise InvalidInput(errors=[InputError(wrong.pointer or "/version", "definition", f"{zh_of(wrong.reason)} / {wrong.reason}")]) from wrong


def close(house: House, actor: Actor, community_id: str, name: str) -> dict[str, Any]:
    """Take no new answers; late ones are kept and wait for the secretary. NotFound unless the survey is open."""
    with write(house.engine) as connection:
        if not store.close(connection, community_id, name, stamp(house.clock()), actor.user_id):
            raise NotFound("there is no open survey of this name")
    _tell(house, community_id)
    return one(house, community_id, name)


def _tell(house: House, community_id: str) -> None:
    announce_forms_of(house, community_id)
    sweep(house)


def drop_draft(house: House, community_id: str, name: str, version: int) -> None:
    """Remove a draft; NotFound where there is none."""
    with write(house.engine) as connection:
        if not store.remove_draft(connection, community_id, name, version):
            raise NotFound("there is no such draft")


# ---------------------------------------------------------------- what there is
def all_surveys(house: House, community_id: str, *, drafts: bool) -> list[dict[str, Any]]:
    """Every survey of a community by name: its state and versions. Drafts only for those who make them."""
    with read(house.engine) as connection:
        rows = store.versions(connection, community_id)
    by_name: dict[str, list[Any]] = {}
    for row in rows:
        if drafts or row.state != store.DRAFT:
            by_name.setdefault(row.name, []).append(row)
    return [_told(found) for found in by_name.values()]


def one(house: House, community_id: str, name: str, *, drafts: bool = True) -> dict[str, Any]:
    """One survey with the questions of its newest version, of a draft where those are wanted; NotFound for an unknown name."""
    with read(house.engine) as connection:
        rows = [row for row in store.versions(connection, community_id, name) if drafts or row.state != store.DRAFT]
        documents = store.documents(connection, community_id)
    if not rows:
        raise NotFound("there is no such survey")
    told = _told(rows)
    there = [Survey(found["definition"], found["codelists"]) for _, found in documents]
    if rows[0].state == store.DRAFT:
        draft = orjson.loads(rows[0].document)
        there.append(Survey(draft["definition"], draft["codelists"]))
    form = with_surveys(house.built_in or house.registry, there).latest(name)
    return told | {"questions": questions_of(form), "collect": said_by_collect(form)}


def _told(rows: list[Any]) -> dict[str, Any]:
    newest = orjson.loads(rows[0].document)["definition"]
    public = next((row for row in rows if row.state != store.DRAFT), None)
    placed = newest["placed_by"][0] if newest["placed_by"] else "@anchor"
    return {
        "name": rows[0].name, "label": newest["label"], "state": public.state if public is not None else store.DRAFT,
        "version": public.version if public is not None else None,
        "draft_version": rows[0].version if rows[0].state == store.DRAFT else None,
        "subject": next((field["ref_type"] for field in newest["fields"] if field["name"] == placed), "none"),
        "audience": newest.get("audience"),
        "questions_count": sum(1 for field in newest["fields"] if field["name"] != placed),
        "roster": ROSTER_PREFIX + rows[0].name if public is not None else None,
        "versions": [
            {"version": row.version, "state": row.state, "made_at": row.made_at, "published_at": row.published_at,
             "closed_at": row.closed_at}
            for row in rows
        ],
    }  # fmt: skip


def questions_of(form: RecordType) -> list[dict[str, Any]]:
    """The questions of a form in the order of its screens, as people read them."""
    about = form.placed_by[0] if subject_of(form) != "none" else None
    names = [name for view in form.views for screen in view.screens for name in screen.fields]
    names += [name for name in form.fields if name not in names]
    return [_question(form.fields[name]) for name in names if name != about]


def _question(spec: FieldSpec) -> dict[str, Any]:
    return {
        "name": spec.name, "label": spec.label, "type": spec.type, "required": spec.required, "privacy": spec.privacy,
        "conditional": spec.relevant is not None, "calculated": spec.calculation is not None,
        "choices": [
            {"code": code.code, "label": {"zh": code.zh, "en": code.en}, "retired": code.retired}
            for code in spec.codes.entries.values()
        ] if spec.codes is not None else None,
    }  # fmt: skip


def workbook(house: House, community_id: str, name: str, version: int | None = None) -> bytes:
    """A published survey as an XLSForm workbook; the newest version when none is named. NotFound for an unknown one."""
    registry = at_home(house, community_id).registry
    form = None
    if name in registry.surveys:
        form = registry.latest(name) if version is None else registry.get(name, version)
    if form is None:
        raise NotFound("there is no such version of a survey")
    target = io.BytesIO()
    write_xlsform(form, target)
    return target.getvalue()
