"""Forms for ODK Collect, made from record types: the sheets of an XLSForm, and where in a filled form each answer stands.

A form works on entities: it lists the records that the worker's lists hold, fills itself from the one that was chosen, or makes a
new one. XForms has no mark for an answer that was not touched; ``dishu_seen`` therefore takes along which version was shown, so that the
server can tell (odk_values.py, docs/odk.md).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from forms.definition import FieldSpec, RecordType, Screen
from forms.errors import DefinitionError
from forms.metadata import asked_metadata
from forms.odk_expressions import odk_text
from forms.registry import Registry
from forms.survey import subject_field, subject_of
from forms.xlsform_rules import EN, ZH
from forms.xlsform_write import record_type_lists, xlsform_sheets

Row = dict[str, str]

#: Record types that are asked by a form of their own, in the order of the list on the phone.
SINGLE = (
    "person", "visit", "dwelling", "building", "entrance", "care_status", "check_in", "party_member", "organization",
    "service_record", "resource",
)  # fmt: skip
#: A household with its members, asked in one go.
SURVEY = "household_survey"
_EVENTS = frozenset({"visit", "care_status", "check_in", "service_record"})
PHOTO_QUESTIONS = 3
MEMBER = "member"
_MEMBER_PREFIX = "p_"
#: Names that the columns of an entity list may not have.
_RESERVED = frozenset({"name", "label"})
SEEN = "dishu_seen"
_ASKED = "dishu_asked_"
_KEPT = ("hint", "required_message", "constraint_message")
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_VERSION = re.compile(r"([0-9]{1,5})\.[0-9a-f]{10}")


@dataclass(frozen=True, slots=True)
class Part:
    """The questions about one record: node names are ``prefix`` + field name; ``repeat`` names the repeat that they stand in."""

    record_type: RecordType
    prefix: str = ""
    repeat: str | None = None
    #: A ref field that leads to the record of the first part, and is not asked.
    within: str | None = None
    #: Mostly made anew; of all others an existing record is mostly opened.
    made_anew: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CollectForm:
    """A form: ``sheets`` for pyxform, ``parts`` to read what comes back, ``lists`` the entity lists that it uses.

    ``version`` is the version of the (first) record type, a dot, and a hash of everything asked. Who serves the form as XML puts a hash
    of the XML in its place, so that no two documents share a version.
    """

    form_id: str
    version: str
    title: str
    parts: tuple[Part, ...]
    lists: tuple[str, ...]
    sheets: Mapping[str, list[Row]]


@lru_cache(maxsize=32)
def collect_forms(registry: Registry) -> Mapping[str, CollectForm]:
    """All forms for Collect by their id, in order, special surveys behind the built-in ones.

    Closed surveys are among them: what was filled in before they closed may still arrive. One that a single form cannot say is left out.
    """
    forms = [_survey(registry), *(_single(registry.latest(name)) for name in SINGLE)]
    for name in registry.surveys:
        try:
            forms.append(survey_form(registry.latest(name)))
        except DefinitionError:
            continue
    return {form.form_id: form for form in forms}


@lru_cache(maxsize=32)
def entity_lists(registry: Registry) -> tuple[str, ...]:
    """Names of the record types that some form lists or refers to, sorted."""
    return tuple(sorted({name for form in collect_forms(registry).values() for name in form.lists}))


def version_of(given: str) -> int | None:
    """The version of the (first) record type by which a form of this version was filled in; None where that cannot be known."""
    found = _VERSION.fullmatch(given)
    return int(found[1]) if found else None


def property_of(field: str) -> str:
    """The column of a field in an entity list."""
    return f"{field}_" if field in _RESERVED else field


def audience_columns(registry: Registry, kind: str) -> dict[str, RecordType]:
    """The columns of the list of a record type that say whom an open survey with an audience asks (``false``: not), with the survey."""
    open_ones = (registry.latest(name) for name in registry.surveys if name not in registry.closed)
    return {_ASKED + one.name: one for one in open_ones if one.audience is not None and subject_of(one) == kind}


def listed_fields(record_type: RecordType) -> list[FieldSpec]:
    """The fields that an entity list shows: no secrets, no photos, nothing that no screen asks."""
    return [spec for spec in asked_fields(record_type) if spec.privacy != "secret" and spec.format != "photo"]


def asked_fields(record_type: RecordType) -> list[FieldSpec]:
    """The fields of the first view in the order of its screens; before them what the record is about, where no screen asks it."""
    screens = record_type.views[0].screens if record_type.views else ()
    names = [name for screen in screens for name in screen.fields]
    about = [name for name in record_type.placed_by if name in record_type.fields and name not in names]
    return [record_type.fields[name] for name in (*about, *names)]


def _single(record_type: RecordType, *, made_anew: bool = False) -> CollectForm:
    part = Part(record_type, made_anew=made_anew or record_type.name in _EVENTS)
    return _form(record_type.name, record_type.label, (part,), [*asked_metadata(record_type.metadata), *_part_rows(part, several=False)])


@lru_cache(maxsize=64)
def survey_form(record_type: RecordType) -> CollectForm:
    """The form of a special survey. Raises DefinitionError where a single form cannot say it."""
    return _single(record_type, made_anew=True)


def _survey(registry: Registry) -> CollectForm:
    household = Part(registry.latest("household"))
    member = Part(registry.latest("person"), _MEMBER_PREFIX, MEMBER, "residence_household")
    rows = list(_part_rows(household, several=True))
    rows.append({"type": "select_one dishu_yes_no", "name": "dishu_members", "required": "yes", "default": "true",
                 **_words("label", "要登记或更新家庭成员吗？", "Members to add or to update?")})  # fmt: skip
    rows.append({"type": "begin_repeat", "name": MEMBER, "relevant": "${dishu_members} = 'true'", **_words("label", "家庭成员", "Member")})
    rows += _part_rows(member, several=True)
    rows.append({"type": "end_repeat", "name": MEMBER})
    return _form(SURVEY, {"zh": "入户采集", "en": "Household survey"}, (household, member), rows)


def _form(form_id: str, label: Mapping[str, str], parts: tuple[Part, ...], survey: list[Row]) -> CollectForm:
    survey = [*survey, {"type": "end", "name": "dishu_end"}]
    if circle := _circle(survey):
        raise DefinitionError(form_id, "", f"whether these are asked, or what they are, depends on themselves: {', '.join(circle)}")
    lists = {part.record_type.name for part in parts}
    lists |= {spec.ref_type for part in parts for spec in asked_fields(part.record_type) if spec.ref_type}
    sheets = {"survey": survey, "choices": _choices(parts), "entities": [_entity(part) for part in parts]}
    known = json.dumps(sheets, ensure_ascii=False, sort_keys=True).encode()
    version = f"{parts[0].record_type.version}.{hashlib.sha256(known).hexdigest()[:10]}"
    settings = {"form_title": label["zh"], "form_id": form_id, "version": version, "default_language": ZH}
    sheets["settings"] = [settings]
    return CollectForm(form_id, version, label["zh"], parts, tuple(sorted(lists)), sheets)


def _circle(survey: list[Row]) -> list[str]:
    """Questions of which one depends on the next and the last on the first, empty where there are none: the engines of ODK refuse such a form.

    What asks for a group asks for everything in it. What is filled in when something is chosen (``trigger``) depends on nothing.
    """
    needs: dict[str, set[str]] = {}
    open_groups: list[set[str]] = [set()]
    for row in survey:
        kind = row["type"]
        if kind in ("end_group", "end_repeat"):
            open_groups.pop()
            continue
        said = [row.get("relevant", ""), row.get("required", ""), "" if "trigger" in row else row.get("calculation", "")]
        needs[row["name"]] = open_groups[-1] | set(_REFERENCE.findall(" ".join(said)))
        if kind in ("begin_group", "begin_repeat"):
            open_groups.append(open_groups[-1] | set(_REFERENCE.findall(row.get("relevant", ""))))
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _part_rows(part: Part, *, several: bool) -> Iterator[Row]:
    """Which record, then the screens of its view, then whether the rest was seen unchanged.

    In a repeat there are no groups: the path from the chosen record to what is filled in from it is then the same from either end, and
    engines differ in the end from which they read it.
    """
    kind, prefix = part.record_type, part.prefix
    action, record, new, own_id = (f"{prefix}dishu_{one}" for one in ("action", "record", "new", "id"))
    update = f"${{{action}}} = 'update'"
    grouped = part.repeat is None
    if grouped:
        yield {"type": "begin_group", "name": "dishu_which", **_words("label", kind.label["zh"], kind.label["en"])}
    yield {
        "type": "select_one dishu_action", "name": action, "required": "yes",
        "default": "create" if part.made_anew else "update", **_words("label", "更新已有记录还是新增？", "Update a record or add one?"),
    }  # fmt: skip
    yield {
        "type": f"select_one_from_file {kind.name}.csv", "name": record, "required": "yes", "relevant": update,
        "appearance": "minimal autocomplete",
        "choice_filter": f"{part.within} = ${{dishu_id}}" if part.within else "",
        **_words("label", f"选择{kind.label['zh']}", f"Which {kind.label['en'].lower()}"),
    }  # fmt: skip
    yield {"type": "calculate", "name": new, "default": "uuid()"}
    yield {"type": "calculate", "name": own_id, "calculation": f"if({update}, ${{{record}}}, ${{{new}}})"}
    yield {"type": "calculate", "name": prefix + SEEN, **_filled(kind.name, record, SEEN)}
    if part.within:
        yield {
            "type": "calculate", "name": prefix + part.within, "calculation": "${dishu_id}",
            "save_to": _save_to(kind.name, part.within, several),
        }  # fmt: skip
    if grouped:
        yield {"type": "end_group", "name": "dishu_which"}
    written = _written_rows(kind)
    shown = {name for screen in kind.views[0].screens for name in screen.fields}
    for spec in asked_fields(kind):
        if spec.name not in shown:
            yield from _question(part, spec, written[spec.name], several)
    for screen in kind.views[0].screens:
        yield from _screen_rows(part, screen, written, several)
    yield {
        "type": "acknowledge", "name": f"{prefix}dishu_confirmed", "relevant": update,
        **_words("label", "其余内容已核实，没有变化", "I have seen that the rest is unchanged"),
    }  # fmt: skip


def _written_rows(kind: RecordType) -> dict[str, Row]:
    """The rows that the workbook of this type has for its fields and notes."""
    survey = xlsform_sheets(kind)["survey"][1]
    metadata = dict(kind.metadata)
    rows = {row["name"]: row for row in survey if "name" in row and row["type"] != "begin_group" and row["name"] not in metadata}
    asks = {name: set(_REFERENCE.findall(row.get("relevant", ""))) for name, row in rows.items()}
    for name in list(rows):
        # Two questions that hide each other are a circle, which XForms refuses: the earlier one is always asked.
        if any(name in asks.get(other, ()) for other in asks[name]):
            rows[name] = {key: value for key, value in rows[name].items() if key != "relevant"}
            asks[name] = set()
    return rows


def _screen_rows(part: Part, screen: Screen, written: Mapping[str, Row], several: bool) -> Iterator[Row]:
    kind, grouped = part.record_type, part.repeat is None
    relevant = next(
        (one.get("relevant", "") for one in kind.document["views"][0]["screens"] if one["name"] == screen.name), ""
    )
    text = _named(relevant["text"] if isinstance(relevant, Mapping) else relevant, part)
    group = f"s_{screen.name}"
    if grouped:
        yield {"type": "begin_group", "name": group, "relevant": text, **_words("label", screen.label["zh"], screen.label["en"])}
    for field in (*screen.fields, None):
        notes = [written[note.name] for note in screen.notes if note.before == field]
        rows = [note | {"name": part.prefix + note["name"], "relevant": _named(note.get("relevant", ""), part)} for note in notes]
        if field is not None and field != part.within:
            rows += _question(part, kind.fields[field], written[field], several)
        for row in rows:
            own = row.get("relevant", "")
            both = f"({text}) and ({own})" if text and own else text or own
            yield row if grouped else row | {"relevant": both}
    if grouped:
        yield {"type": "end_group", "name": group}


def _question(part: Part, spec: FieldSpec, written: Row, several: bool) -> Iterator[Row]:
    name = part.prefix + spec.name
    if spec.format == "photo":
        for number in range(1, PHOTO_QUESTIONS + 1):
            yield {"type": "image", "name": f"{name}_{number}", **_words("label", f"{spec.label['zh']} {number}", f"{spec.label['en']} {number}")}
        return
    row = {key: value for key, value in written.items() if key in ("type", "required") or key.startswith(("label", *_KEPT))}
    row |= {"name": name, "relevant": _named(written.get("relevant", ""), part), "constraint": _named(written.get("constraint", ""), part, spec.type)}
    if spec.ref_type is not None:
        row |= {"type": f"select_one_from_file {spec.ref_type}.csv", "appearance": "minimal autocomplete"}
        if part.record_type.audience is not None and spec.name == subject_field(part.record_type):
            row |= {"choice_filter": f"{_ASKED}{part.record_type.name} != 'false'"}  # whom the phone itself has added is offered
    elif spec.format == "phone" or spec.type == "text_set" or (spec.type == "text" and (spec.max_length or 0) > 200):
        row |= {"appearance": "multiline"} if spec.format != "phone" else {}
    if spec.type == "text_set":
        row |= _words("hint", "多项用分号隔开", "Several are parted by semicolons")
    if written.get("calculation"):
        row |= {"calculation": _named(written["calculation"], part), "read_only": "yes"}
    elif spec.privacy == "secret":
        row |= _words("hint", "不显示已有内容；留空表示不改", "What is known is not shown; empty leaves it as it is")
    else:
        row |= _filled(part.record_type.name, part.prefix + "dishu_record", property_of(spec.name))
    if spec.privacy != "secret":
        row["save_to"] = _save_to(part.record_type.name, spec.name, several)
    yield row


def _filled(kind: str, record: str, column: str) -> Row:
    """Filled from the chosen record at the moment of choosing, and then the worker's to change."""
    return {"calculation": f"instance('{kind}')/root/item[name = ${{{record}}}]/{column}", "trigger": f"${{{record}}}"}


def _save_to(kind: str, field: str, several: bool) -> str:
    return f"{kind}#{property_of(field)}" if several else property_of(field)


def _named(expression: str, part: Part, own: str | None = None) -> str:
    """An expression of the record type with the node names of this part, as the engines of ODK mean the same; ``own`` is the type of ``.``."""
    expression = odk_text(expression, {name: spec.type for name, spec in part.record_type.fields.items()}, own)
    return _REFERENCE.sub(lambda match: f"${{{part.prefix}{match[1]}}}", expression)


def _literal(text: str) -> str:
    """A text as the engines of ODK read it within an expression; they have no way to write both kinds of quotes into one literal."""
    text = " ".join(text.split())
    if "'" not in text or '"' not in text:
        return f'"{text}"' if "'" in text else f"'{text}'"
    parts = ", \"'\", ".join(f"'{part}'" for part in text.split("'"))
    return f"concat({parts})"


def _entity(part: Part) -> Row:
    action, kind = f"${{{part.prefix}dishu_action}}", part.record_type
    title = next((name for name in ("name", "number", "door_number") if name in kind.fields), None)
    words = _literal(kind.label["zh"])
    return {
        "list_name": kind.name,
        "entity_id": f"${{{part.prefix}dishu_id}}",
        "create_if": f"{action} = 'create'",
        "update_if": f"{action} = 'update'",
        "label": f"if(${{{part.prefix}{title}}} = '', {words}, ${{{part.prefix}{title}}})" if title else words,
    }


def _choices(parts: tuple[Part, ...]) -> list[Row]:
    rows = [
        {"list_name": "dishu_action", "name": "update", **_words("label", "更新已有记录", "Update a record")},
        {"list_name": "dishu_action", "name": "create", **_words("label", "新增", "Add one")},
        {"list_name": "dishu_yes_no", "name": "true", **_words("label", "是", "Yes")},
        {"list_name": "dishu_yes_no", "name": "false", **_words("label", "否", "No")},
    ]
    seen: set[str] = set()
    for part in parts:
        for codes in record_type_lists(part.record_type):
            if codes.name not in seen:
                seen.add(codes.name)
                # Retired codes too: a record may hold one, and a choice that is not offered would be emptied on the phone.
                rows += (
                    {"list_name": codes.name, "name": one.code, **_words("label", one.zh + ("（停用）" if one.retired else ""), one.en)}
                    for one in codes.entries.values()
                )
    return rows


def _words(base: str, zh: str, en: str) -> Row:
    return {f"{base}::{ZH}": zh, f"{base}::{EN}": en}


def document_of(form: CollectForm) -> dict[str, Any]:
    """The sheets as pyxform takes them: rows without their empty cells, and a header that names every column."""
    told: dict[str, Any] = {}
    for title, rows in form.sheets.items():
        told[title] = [{key: value for key, value in row.items() if value} for row in rows]
        told[f"{title}_header"] = [dict.fromkeys(key for row in told[title] for key in row)]
    return told
