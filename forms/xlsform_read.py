"""XLSForm workbooks in: a special survey (专项调查) as a record type with its code lists, whole or not at all.

What is supported is listed in docs/xlsform.md. Everything else is refused, all at once, each with sheet, row and column.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from forms.codelist import CodeList, read_code_list
from forms.definition import RecordType
from forms.errors import DefinitionError, ExpressionError, UnknownCodeList
from forms.loading import read_record_type
from forms.registry import Registry, load_registry
from forms.survey import audience_fields, changed_meaning
from forms.xlsform_choices import Choices
from forms.xlsform_expressions import field_name, kept_text, translate
from forms.xlsform_labels import Words, says
from forms.xlsform_logic import Logic
from forms.xlsform_refusals import Complaints, Refusal, XlsformRefused
from forms.xlsform_sheets import Row, Sheet, Source, language_of, read_sheets
from forms.xlsform_survey import USABLE_NAME, Survey

__all__ = ["ImportedForm", "Refusal", "XlsformRefused", "read_xlsform"]

SUBJECTS = ("household", "person", "none")
_REF_LABELS = {"household": {"zh": "住户", "en": "Household"}, "person": {"zh": "人员", "en": "Person"}}
_SETTINGS_LOST = {"public_key", "submission_url", "allow_choice_duplicates", "entity"}
_EMPTY = Row(1, {})


@dataclass(frozen=True, slots=True)
class ImportedForm:
    """A workbook that was imported whole: the definition document and the code list documents that it brings along."""

    definition: dict[str, Any]
    codelists: tuple[dict[str, Any], ...]

    @property
    def document(self) -> dict[str, Any]:
        """Both in one JSON-ready object."""
        return {"definition": self.definition, "codelists": list(self.codelists)}


def read_xlsform(
    source: Source, *, name: str | None = None, registry: Registry | None = None, reserved: Collection[str] = (),
    subject: str | None = None, earlier: Callable[[str], RecordType | None] = lambda _: None,
) -> ImportedForm:  # fmt: skip
    """Import an XLSForm workbook.

    Parameters
    ----------
    source : path or binary file
        XLSX.
    name : str, optional
        The form's name where its settings give no ``form_id``, for example the file's name.
    registry : Registry, optional
        What refs and code lists may name; the built-in declarations by default.
    reserved : collection of str
        Names that the form may not take, for example those of the built-in record types.
    subject : {"household", "person", "none"}, optional
        Whom the answers are linked to, whatever the setting ``dishu_subject`` says.
    earlier : callable, optional
        The published version of a form of this name, if there is one: the new one must be a later version of it (S10).

    Returns
    -------
    ImportedForm
        ``load_registry([form.definition], form.codelists)`` accepts it. A workbook written by ``write_xlsform`` comes back
        as the definition that it was written from.

    Raises
    ------
    XlsformRefused
        With every reason and its place. Nothing is imported.
    """
    complaints = Complaints()
    sheets = read_sheets(source, complaints)
    if not sheets:
        complaints.raise_any()
    form = _Form(sheets, complaints, registry or load_registry(), name, subject)
    if form.name in reserved:
        form.refuse("form_id", "form_taken", form.name)
    imported = form.build()
    complaints.raise_any()
    assert imported is not None
    made = form.verify(imported)
    before = earlier(form.name)
    if made is not None and before is not None:
        form.follow(before, made)
    complaints.raise_any()
    return imported


class _Form:
    """One workbook becoming one definition."""

    def __init__(
        self, sheets: Mapping[str, Sheet], complaints: Complaints, registry: Registry, name: str | None, subject: str | None
    ) -> None:
        self.sheets = sheets
        self.complaints = complaints
        self.registry = registry
        self.survey: Survey | None = None
        self.subject = subject
        self.settings = sheets.get("settings", Sheet("settings"))
        self.setting_row = self.settings.rows[0] if self.settings.rows else _EMPTY
        self.words = Words(complaints, self._language())
        self.name = self._name(name)
        for kind in ("external_choices", "entities", "osm"):
            if kind in sheets and sheets[kind].rows:
                refusal = "sheet_external" if kind == "external_choices" else "sheet_not_kept"
                complaints.add(sheets[kind].name, None, None, refusal, *([kind] if kind != "external_choices" else []))

    def build(self) -> ImportedForm | None:
        """The definition; None where there is no survey. What is wrong is complained of."""
        sheet = self.sheets.get("survey")
        if sheet is None:
            self.complaints.add("survey", None, None, "no_survey")
            return None
        for column in self.settings.columns:
            if column.base in _SETTINGS_LOST and column.position in self.setting_row.cells:
                self.complaints.add(self.settings.name, 1, column.position, "column_not_kept", column.header)
        title = self._title()
        choices = Choices(self.sheets, self.complaints, self.registry.codelists(), self.words, self.name)
        survey = self.survey = Survey(sheet, choices, self.words, self.complaints, title)
        if not survey.questions:
            self.complaints.add(sheet.name, None, None, "form_empty")
        about = self._about()
        subject, placing, lead = self._link(survey, about)
        logic = Logic(survey, {lead["name"]: "ref"} if lead else {})
        privacy = self._setting("dishu_privacy") or ("internal" if subject == "none" else "personal")
        fields = [self._field(question.made, privacy) for question in self._ordered(survey)]
        screens: list[dict[str, Any]] = [
            {
                "name": screen.name,
                "label": screen.label,
                **({"relevant": when} if (when := logic.relevance_of(screen)) is not None else {}),
                "fields": list(screen.fields),
                **({"notes": screen.notes} if screen.notes else {}),
            }
            for screen in survey.screens
        ]
        if lead is not None:
            fields.insert(0, lead)
            if screens:
                screens[0]["fields"].insert(0, lead["name"])
        view = {"name": about.get("view", "survey"), "label": self._view_label(), "screens": screens}
        definition = {
            "name": self.name,
            "version": self._version(),
            "label": title,
            "note": about.get("note", ""),
            "server_made": about.get("server_made") == "yes",
            **placing,
            **self._audience(survey, subject, placing["placed_by"]),
            "fields": fields,
            "units": self._units(),
            "constraints": self._constraints(logic),
            "views": [view] if screens else [],
            **({"metadata": survey.metadata} if survey.metadata else {}),
        }
        return ImportedForm(definition, choices.new_documents())

    def verify(self, imported: ImportedForm) -> RecordType | None:
        """Hold the definition against the reader of all definitions: what it refuses has its place in the workbook too."""
        lists: dict[str, CodeList] = self.registry.codelists()

        def find(name: str) -> CodeList:
            if name not in lists:
                raise UnknownCodeList(name)
            return lists[name]

        try:
            lists |= {document["name"]: read_code_list(document) for document in imported.codelists}
            record_type = read_record_type(imported.definition, find)
        except DefinitionError as wrong:
            self._blame(imported, wrong.pointer, wrong.reason)
            return None
        for position, spec in enumerate(record_type.fields.values()):
            if spec.ref_type not in (None, self.name, *self.registry.types()):
                self._blame(imported, f"/fields/{position}/ref_type", f"no record type {spec.ref_type!r}")
        return record_type

    def follow(self, before: RecordType, made: RecordType) -> None:
        """Complain of what a later version may not change of the published one."""
        assert self.survey is not None
        if made.version <= before.version:
            self.refuse("version", "version_not_newer", before.version)
        for name, what in changed_meaning(before, made):
            question = self.survey.questions.get(name)
            if question is None:
                self.refuse("dishu_subject", "subject_changed")
                continue
            column = self.survey.sheet.place({"privacy": "dishu_privacy", "unit": "dishu_unit", "policy": "dishu_policy"}.get(what, "type"))
            self.complaints.add(self.survey.sheet.name, question.row.number, column, "field_changed", name, what)

    def _blame(self, imported: ImportedForm, pointer: str, reason: str) -> None:
        """Complain of a definition at the row that it came from, as far as the pointer tells."""
        assert self.survey is not None
        parts = pointer.split("/")
        if len(parts) > 2 and parts[1] == "fields":
            question = self.survey.questions.get(imported.definition["fields"][int(parts[2])]["name"])
            if question is not None:
                key = parts[3] if len(parts) > 3 else "name"
                sheet = self.survey.sheet
                column = sheet.place(f"dishu_{key}")
                column = sheet.place(key) if column is None else column
                self.complaints.add(sheet.name, question.row.number, column, "definition", reason)
                return
        self.complaints.add("settings", None, None, "definition", f"{pointer} {reason}")

    # ------------------------------------------------------------ settings
    def _setting(self, base: str) -> str | None:
        return self.settings.get(self.setting_row, base)

    def refuse(self, base: str, code: str, *names: object) -> None:
        """Complain of a setting."""
        self.complaints.add(self.settings.name, self.setting_row.number, self.settings.place(base), code, *names)

    def _language(self) -> str:
        given = language_of(self.settings.get(self.setting_row, "default_language") or "")
        return given if given in ("zh", "en") else ""

    def _name(self, fallback: str | None) -> str:
        given = self._setting("form_id") or fallback
        if given is None:
            self.refuse("form_id", "form_id_missing")
            return "form"
        name = field_name(given)
        if not USABLE_NAME.fullmatch(name):
            self.refuse("form_id", "form_id", given)
            return "form"
        return name

    def _title(self) -> dict[str, str]:
        title = self.words.of(self.settings, self.setting_row, "form_title") or {"zh": self.name, "en": self.name}
        return {"zh": title["zh"], "en": self._setting("dishu_title_en") or title["en"]}

    def _version(self) -> int:
        given = self._setting("version") or "1"
        if not (given.isascii() and given.isdigit() and len(given) <= 15 and int(given) > 0):
            self.refuse("version", "version")
            return 1
        return int(given)

    # ------------------------------------------------------------ what only our own workbooks say
    def _about(self) -> dict[str, str]:
        sheet = self.sheets.get("dishu")
        if sheet is None:
            return {}
        pairs = ((sheet.get(row, "key"), sheet.get(row, "content")) for row in sheet.rows)
        return {key: value or "" for key, value in pairs if key is not None}

    def _view_label(self) -> dict[str, str]:
        about = self._about()
        return {"zh": about.get("view_zh", "采集"), "en": about.get("view_en", "Survey")}

    def _link(self, survey: Survey, about: Mapping[str, str]) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
        """Whom the answers are linked to: subject, the keys of the definition, and the field that the link needs."""
        if "placed_by" in about and self.subject is None:
            kept = about.get("subject") or None
            link = {
                "subject": kept,
                "placed_by": about["placed_by"].split(),
                "parents": about.get("parents", "").split(),
            }
            return "own", link, None
        subject = (self.subject or self._setting("dishu_subject") or "household").lower()
        if subject not in SUBJECTS:
            self.refuse("dishu_subject", "subject")
            subject = "household"
        if subject == "none":
            anchor = survey.questions.get("anchor")
            if anchor is None or anchor.kind != "location":
                self.refuse("dishu_subject", "no_anchor")
            return subject, {"subject": None, "placed_by": ["@anchor"], "parents": []}, None
        if subject in survey.questions:
            row = survey.questions[subject].row
            self.complaints.add(survey.sheet.name, row.number, survey.sheet.place("name"), "subject_taken", subject)
        lead = {"name": subject, "type": "ref", "ref_type": subject, "label": _REF_LABELS[subject], "privacy": "personal", "required": True}  # fmt: skip
        sealed = "person" if subject == "person" else None
        return subject, {"subject": sealed, "placed_by": [subject], "parents": [subject]}, lead

    def _audience(self, survey: Survey, subject: str, placed_by: list[str]) -> dict[str, str]:
        """Who is asked: a condition over the household or person that the answers are linked to."""
        text = self._setting("dishu_audience")
        if text is None:
            return {}
        leads = [survey.questions[name].made.get("ref_type") for name in placed_by if name in survey.questions]
        subject = next((kind for kind in leads if kind in _REF_LABELS), subject)
        if subject not in _REF_LABELS:
            self.refuse("dishu_audience", "audience_of_nobody")
            return {}
        try:
            tree = translate(text, audience_fields(self.registry.latest(subject)))
        except ExpressionError as wrong:
            self.refuse("dishu_audience", "audience", str(wrong))
            return {}
        return {"audience": kept_text(text, tree)}

    def _ordered(self, survey: Survey) -> list[Any]:
        def place(question: Any) -> tuple[float, int]:
            order = survey.sheet.get(question.row, "dishu_order")
            try:
                return (float(order) if order is not None else float("inf"), question.row.number)
            except ValueError:
                self.complaints.add(
                    survey.sheet.name, question.row.number, survey.sheet.place("dishu_order"), "not_a_number"
                )
                return (float("inf"), question.row.number)

        return sorted(survey.questions.values(), key=place)

    def _field(self, made: dict[str, Any], privacy: str) -> dict[str, Any]:
        return made if "privacy" in made else {**made, "privacy": privacy}

    def _units(self) -> list[dict[str, Any]]:
        sheet = self.sheets.get("dishu_units")
        if sheet is None:
            return []
        return [
            {
                "name": sheet.get(row, "name") or "",
                "policy": sheet.get(row, "policy") or "",
                "label": self.words.of(sheet, row, "label") or {},
                "fields": (sheet.get(row, "fields") or "").split(),
                **({"exclusive": True} if says(sheet.get(row, "exclusive") or "no") else {}),
            }
            for row in sheet.rows
        ]

    def _constraints(self, logic: Logic) -> list[dict[str, Any]]:
        """Findings of the sheet ``dishu_findings`` in their order, those that columns gave in their place or behind."""
        rules = dict(logic.rules)
        sheet = self.sheets.get("dishu_findings")
        found = []
        for row in sheet.rows if sheet is not None else ():
            assert sheet is not None
            name = sheet.get(row, "name") or ""
            if name in rules:
                found.append(rules.pop(name))
                continue
            holds, fields = sheet.get(row, "holds") or "", (sheet.get(row, "fields") or "").split()
            message = self.words.of(sheet, row, "label") or {}
            found.append({"name": name, "holds": holds, "fields": fields, "message": message})
        return found + list(rules.values())
