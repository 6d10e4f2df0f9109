"""Special surveys (专项调查) beside the built-in types: all published versions of a community's surveys as one registry.

A survey is a record type that came from a workbook. Versions are kept for ever (S10); a later version may add, drop and
rename labels, never change what a field is. Codes that a later version leaves out are retired, not removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from forms.codelist import CodeList, read_code_list
from forms.definition import FieldSpec, RecordType
from forms.errors import DefinitionError, UnknownCodeList
from forms.evaluator import evaluate, is_true
from forms.expressions import fields_used
from forms.loading import read_record_type
from forms.registry import Registry

Subject = Literal["household", "person", "none"]

ROSTER_PREFIX = "survey_"
_ESTATE = {"zh": "小区", "en": "Estate"}
_BUILDING = {"zh": "楼号", "en": "Building"}
#: From a household to its place, as the built-in rosters say it.
_PLACE: tuple[tuple[str, Mapping[str, str], tuple[str, ...]], ...] = (
    ("estate", _ESTATE, ("dwelling.entrance.building.estate.name", "dwelling.building.estate.name")),
    ("building", _BUILDING, ("dwelling.entrance.building.number", "dwelling.building.number")),
    ("entrance", {"zh": "单元号", "en": "Entrance"}, ("dwelling.entrance.number",)),
    ("door_number", {"zh": "门牌号", "en": "Door"}, ("dwelling.door_number",)),
)
#: Of a field that was used, none of these may change (S10).
_MEANING = ("type", "codelist", "ref_type", "measure", "privacy")


@dataclass(frozen=True, slots=True)
class Survey:
    """One published version of a survey: its definition document and the code list documents that it brought along."""

    definition: Mapping[str, Any]
    codelists: Sequence[Mapping[str, Any]] = field(default=())
    closed: bool = False

    @property
    def name(self) -> str:
        """Name of the record type that its answers are."""
        return str(self.definition["name"])

    @property
    def version(self) -> int:
        """Its version, from 1."""
        return int(self.definition["version"])


def with_surveys(base: Registry, surveys: Iterable[Survey]) -> Registry:
    """The registry of a community: everything of ``base``, and every version of its surveys with a roster of its own each.

    Parameters
    ----------
    base : Registry
        Its record types are taken over as they are, so that what was compiled for them is used again.
    surveys : iterable of Survey
        Any order. A survey is closed when its latest version is.

    Returns
    -------
    Registry
        ``base`` itself where there is no survey.

    Raises
    ------
    DefinitionError
        A name is taken by the base or by another survey's list; a version is there twice; a document is wrong.
    """
    ordered = sorted(surveys, key=lambda one: (one.name, one.version))
    if not ordered:
        return base
    lists = _lists(base, ordered)
    known = base.codelists() | lists

    def find(name: str) -> CodeList:
        if name not in known:
            raise UnknownCodeList(name)
        return known[name]

    taken = set(base.types())
    types = []
    for one in ordered:
        if one.name in taken:
            raise DefinitionError(one.name, "/name", "a built-in record type has this name")
        types.append(read_record_type(one.definition, find))
    latest = {one.name: one for one in ordered}
    for made in types:
        strange = strange_in_audience(made, base)
        if strange is not None:
            raise DefinitionError(made.name, "/audience", f"no field {strange!r} that may be asked for")
    named = {made.name: made for made in types}
    closed = frozenset(name for name, one in latest.items() if one.closed)
    return base.extended(types, lists, [roster_of(named[name]) for name in sorted(named)], tuple(sorted(named)), closed)


def _lists(base: Registry, ordered: Sequence[Survey]) -> dict[str, CodeList]:
    """The newest document of each list, with the codes that earlier versions had retired behind its own."""
    owner: dict[str, str] = {}
    documents: dict[str, dict[str, Any]] = {}
    for one in ordered:
        for document in one.codelists:
            name = str(document.get("name"))
            if name in base.codelists() or owner.setdefault(name, one.name) != one.name:
                raise DefinitionError(one.name, f"/codelists/{name}", "another list has this name")
            present = {entry["code"] for entry in document["entries"]}
            gone = [
                {**entry, "retired": True}
                for entry in documents.get(name, {"entries": []})["entries"]
                if entry["code"] not in present
            ]
            documents[name] = {**document, "entries": [*document["entries"], *gone]}
    return {name: read_code_list(document) for name, document in documents.items()}


def subject_of(record_type: RecordType) -> Subject:
    """Whom the answers of a survey are about: the type of the first record that places them; ``none`` for a place on the map."""
    for name in record_type.placed_by:
        spec = record_type.fields.get(name)
        if spec is not None and spec.ref_type in ("household", "person"):
            return "household" if spec.ref_type == "household" else "person"
    return "none"


def subject_field(record_type: RecordType) -> str | None:
    """Name of the field that names the household or person; None for a survey about neither."""
    wanted = subject_of(record_type)
    return next((name for name in record_type.placed_by if name in record_type.fields and record_type.fields[name].ref_type == wanted), None)


def audience_fields(record_type: RecordType) -> dict[str, str]:
    """Fields by type that the audience of a survey about such records may ask for: all but secrets, which nobody compares."""
    return {name: spec.type for name, spec in record_type.fields.items() if spec.privacy != "secret"}


def strange_in_audience(record_type: RecordType, base: Registry) -> str | None:
    """A name in the audience of a survey that is no field of its subject, None where all are; of a survey about nobody any name is."""
    if record_type.audience is None:
        return None
    subject = subject_of(record_type)
    known = audience_fields(base.latest(subject)) if subject != "none" else {}
    names = sorted(fields_used(dict(record_type.audience)) - set(known))
    return names[0] if names else None if subject != "none" else ""


def is_asked(record_type: RecordType, fields: Mapping[str, Any], today: date) -> bool:
    """Whether a household or person with these fields is among those whom a survey asks."""
    return record_type.audience is None or is_true(evaluate(record_type.audience, fields, today))


def changed_meaning(earlier: RecordType, later: RecordType) -> list[tuple[str, str]]:
    """What a later version of a survey must not change: (field, what), in the order of the later version's fields.

    ``("", "subject")`` where the answers would be about something else. A field that is new or was left out changes nothing.
    """
    found: list[tuple[str, str]] = []
    if (subject_of(earlier), earlier.subject) != (subject_of(later), later.subject):
        found.append(("", "subject"))
    for name, spec in later.fields.items():
        before = earlier.fields.get(name)
        if before is not None:
            found += [(name, what) for what in _differences(before, spec, earlier, later)]
    return found


def _differences(before: FieldSpec, spec: FieldSpec, earlier: RecordType, later: RecordType) -> list[str]:
    wrong = [key for key in _MEANING if getattr(before, key) != getattr(spec, key)]
    if before.unit != spec.unit:
        wrong.append("unit")
    elif earlier.units[before.unit].policy != later.units[spec.unit].policy:
        wrong.append("policy")
    return wrong


def roster_of(record_type: RecordType) -> dict[str, Any]:
    """The roster document of a survey: where, about whom, every answer, when it was given or confirmed last."""
    about = subject_field(record_type)
    columns: list[dict[str, Any]] = [{"name": "cell_code", "derived": "cell_code"}]
    if about is not None:
        home = about if subject_of(record_type) == "household" else f"{about}.residence_household"
        for name, label, paths in _PLACE:
            columns.append({"name": f"at_{name}", "path": [f"{home}.{path}" for path in paths], "label": label})
        if home == about:
            columns.append({"name": "about_head", "path": f"{about}.head.name", "label": {"zh": "户主", "en": "Head"}})
        else:
            columns.append({"name": "about_name", "path": f"{about}.name", "label": {"zh": "姓名", "en": "Name"}})
    for spec in record_type.fields.values():
        if spec.type not in ("ref", "location"):
            columns.append({"name": f"q_{spec.name}", "path": spec.name})
    columns.append({"name": "confirmed_on", "derived": "confirmed_on"})
    sort = [{"column": "cell_code"}] + [{"column": f"at_{name}"} for name, _, _ in _PLACE if about is not None]
    filters = [{"column": "cell_code", "ops": ["eq", "in"]}, {"column": "confirmed_on", "ops": ["lt", "gte"]}]
    for spec in record_type.fields.values():
        ops = _FILTERS.get(spec.type)
        if ops is not None and spec.privacy != "secret":
            filters.append({"column": f"q_{spec.name}", "ops": ops})
    return {
        "name": ROSTER_PREFIX + record_type.name, "label": dict(record_type.label), "base": record_type.name, "note": "",
        "columns": columns, "sort": sort, "filters": filters,
    }  # fmt: skip


_FILTERS: dict[str, list[str]] = {
    "select_one": ["eq", "in", "is_null"],
    "select_multiple": ["has", "is_null"],
    "boolean": ["eq", "is_null"],
    "integer": ["eq", "lt", "lte", "gt", "gte", "is_null"],
    "decimal": ["lt", "lte", "gt", "gte", "is_null"],
    "date": ["eq", "lt", "lte", "gt", "gte", "is_null"],
    "text": ["contains", "is_null"],
}
