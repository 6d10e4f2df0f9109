"""XLSForm workbooks out: any record type, the built-in ones too. ``read_xlsform`` reads back what was written.

What XLSForm has no word for (units, policies, privacy, refs) stands in columns and sheets called ``dishu_…``, which other
programs pass over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from forms.codelist import CodeList
from forms.definition import RecordType
from forms.errors import DefinitionError
from forms.expressions import parse
from forms.xlsform_rules import (
    ALWAYS,
    CODE_KEYS,
    EN,
    EXTRA,
    FLAG_KEYS,
    NOT_SHOWN,
    NUMBER_KEYS,
    TEXT_KEYS,
    YES_NO,
    ZH,
    condition_of,
    limits_text,
    number_text,
    required_rule,
    with_limits,
)

Cells = dict[str, str]

_TYPES = {"datetime": "dateTime", "location": "geopoint", "text_set": "text", "ref": "text"}
_SURVEY = [
    "type", "name", f"label::{ZH}", f"label::{EN}", f"hint::{ZH}", f"hint::{EN}", "required", f"required_message::{ZH}",
    f"required_message::{EN}", "relevant", "constraint", f"constraint_message::{ZH}", f"constraint_message::{EN}", "calculation",
    "default", *(f"dishu_{key}" for key in EXTRA),
]  # fmt: skip
_CHOICES = [
    "list_name",
    "name",
    f"label::{ZH}",
    f"label::{EN}",
    *(f"dishu_{key}" for key in CODE_KEYS),
    "dishu_retired",
]
_SETTINGS = ["form_title", "form_id", "version", "default_language", "dishu_title_en", "dishu_audience"]
_UNITS = ["name", "policy", "exclusive", "fields", f"label::{ZH}", f"label::{EN}"]
_FINDINGS = ["name", "holds", "fields", f"label::{ZH}", f"label::{EN}"]
_LISTS = ["list_name", f"label::{ZH}", f"label::{EN}", "standard", "source", "note"]
_ABOUT = ["key", "content"]


def plain_document(record_type: RecordType) -> dict[str, Any]:
    """The definition document as it is written by hand: expressions are text."""
    plain: dict[str, Any] = _plain(record_type.document)
    return plain


def canonical(document: Mapping[str, Any]) -> dict[str, Any]:
    """The one form of a definition that a workbook comes back as: all keys of a type, no key of a field that says nothing."""
    fields = [
        {key: value for key, value in item.items() if key == "default" or (value is not None and value is not False)}
        for item in document["fields"]
    ]
    return {
        "name": document["name"],
        "version": document["version"],
        "label": document["label"],
        "note": document.get("note", ""),
        "server_made": bool(document.get("server_made", False)),
        "subject": document.get("subject"),
        "placed_by": list(document.get("placed_by", ())),
        "parents": list(document.get("parents", ())),
        **({"audience": document["audience"]} if document.get("audience") else {}),
        "fields": fields,
        "units": list(document.get("units", ())),
        "constraints": list(document.get("constraints", ())),
        "views": list(document.get("views", ())),
        **({"metadata": list(document["metadata"])} if document.get("metadata") else {}),
    }


def write_xlsform(record_type: RecordType, target: BinaryIO | str) -> None:
    """Write a record type as an XLSForm workbook.

    Parameters
    ----------
    record_type : RecordType
        Any; of several views only the first could be kept, so more than one is refused.
    target : path or binary file
        Overwritten.

    Raises
    ------
    DefinitionError
        The definition has what a workbook cannot say: two views, a field on two screens, a list of an unknown name.
    """
    import openpyxl  # only who exports a workbook pays for it
    from openpyxl.cell import WriteOnlyCell

    sheets = xlsform_sheets(record_type)
    book = openpyxl.Workbook(write_only=True)
    for title, (head, rows) in sheets.items():
        sheet = book.create_sheet(title)
        for values in (head, *([row.get(name, "") for name in head] for row in rows)):
            cells = []
            for value in values:
                cell = WriteOnlyCell(sheet, value=value or None)
                if value:
                    cell.data_type = "s"  # a label that begins with = is no formula
                cells.append(cell)
            sheet.append(cells)
    book.save(target)


def xlsform_sheets(record_type: RecordType) -> dict[str, tuple[list[str], list[Cells]]]:
    """Sheets of the workbook by title: column names, and rows as column name to text."""
    document = canonical(plain_document(record_type))
    if len(document["views"]) > 1:
        raise DefinitionError(record_type.name, "/views/1", "a workbook holds one view")
    writer = _Writer(document, record_type)
    metadata = [{"type": item["kind"], "name": item["name"]} for item in document.get("metadata", ())]
    survey = [*metadata, *writer.survey()]
    lists = list(record_type_lists(record_type))
    return {
        "survey": (_SURVEY, survey),
        "choices": (_CHOICES, list(_choices(lists, writer.has_boolean))),
        "settings": (_SETTINGS, [_settings(document)]),
        "dishu": (_ABOUT, [{"key": key, "content": value} for key, value in writer.about()]),
        "dishu_units": (_UNITS, [_unit(item) for item in document["units"]]),
        "dishu_findings": (_FINDINGS, [_finding(item) for item in document["constraints"]]),
        "dishu_lists": (_LISTS, [_list(found) for found in lists]),
    }


def record_type_lists(record_type: RecordType) -> Iterator[CodeList]:
    """The code lists of a record type, each once, in the order of its fields."""
    seen = set()
    for spec in record_type.fields.values():
        if spec.codes is not None and spec.codes.name not in seen:
            seen.add(spec.codes.name)
            yield spec.codes


class _Writer:
    """The rows of the sheet ``survey``."""

    def __init__(self, document: Mapping[str, Any], record_type: RecordType) -> None:
        self.document = document
        self.name = record_type.name
        self.fields = {item["name"]: item for item in document["fields"]}
        self.order = {name: str(position) for position, name in enumerate(self.fields, start=1)}
        self.rules = {rule["name"]: rule for rule in document["constraints"]}
        self.has_boolean = any(item["type"] == "boolean" for item in document["fields"])

    def about(self) -> Iterator[tuple[str, str]]:
        """What ``settings`` has no place for."""
        document = self.document
        yield "subject", document["subject"] or ""
        yield "placed_by", " ".join(document["placed_by"])
        yield "parents", " ".join(document["parents"])
        yield "note", document["note"]
        yield "server_made", "yes" if document["server_made"] else "no"
        for view in document["views"]:
            yield "view", view["name"]
            yield "view_zh", view["label"]["zh"]
            yield "view_en", view["label"]["en"]

    def survey(self) -> Iterator[Cells]:
        """All rows: each screen a group, and a group for what no screen shows."""
        shown: set[str] = set()
        for view in self.document["views"]:
            for screen in view["screens"]:
                again = shown.intersection(screen["fields"])
                if again:
                    raise DefinitionError(self.name, "/views/0", f"the field {min(again)!r} is on two screens")
                shown.update(screen["fields"])
                yield from self._screen(screen)
        hidden = [name for name in self.fields if name not in shown]
        if hidden:
            yield {
                "type": "begin_group",
                "name": NOT_SHOWN,
                "relevant": "false()",
                **_words("label", {"zh": "不显示", "en": "Not shown"}),
            }
            yield from (self._field(name, None) for name in hidden)
            yield {"type": "end_group"}

    def _screen(self, screen: Mapping[str, Any]) -> Iterator[Cells]:
        yield {
            "type": "begin_group",
            "name": screen["name"],
            "relevant": screen.get("relevant", ""),
            **_words("label", screen["label"]),
        }
        notes = screen.get("notes", [])
        for name in screen["fields"]:
            yield from (_note(note) for note in notes if note.get("before") == name)
            yield self._field(name, screen.get("relevant"))
        yield from (_note(note) for note in notes if note.get("before") is None)
        yield {"type": "end_group"}

    def _field(self, name: str, screen_relevant: str | None) -> Cells:
        item = self.fields[name]
        row: Cells = {
            "type": self._type(item),
            "name": name,
            "dishu_order": self.order[name],
            **_words("label", item["label"]),
        }
        row |= _words("hint", item.get("hint"))
        if item["type"] in ("boolean", "text_set"):
            row["dishu_type"] = item["type"]
        elif item["type"] == "ref":
            row["dishu_type"] = f"ref {item['ref_type']}"
        for key in ("relevant", "calculation", *(() if "default" not in item else ("default",))):
            row[key] = _default(item[key]) if key in item else ""
        for key in TEXT_KEYS:
            row[f"dishu_{key}"] = item.get(key, "")
        for key in FLAG_KEYS:
            row[f"dishu_{key}"] = "yes" if item.get(key) else ""
        for key in NUMBER_KEYS:
            row[f"dishu_{key}"] = number_text(item[key]) if key in item else ""
        if "mask" in item:
            row["dishu_mask"] = f"{item['mask']['keep_start']} {item['mask']['keep_end']}"
        return row | self._conditions(item) | self._required(item, screen_relevant)

    def _type(self, item: Mapping[str, str]) -> str:
        if item["type"] == "boolean":
            return f"select_one {YES_NO}"
        if item["type"] in ("select_one", "select_multiple"):
            return f"{item['type']} {item['codelist']}"
        return _TYPES.get(item["type"], item["type"])

    def _conditions(self, item: Mapping[str, Any]) -> Cells:
        """Limits and condition in one column, so that every program holds them."""
        limits = limits_text(item.get("min"), item.get("max")) if item["type"] in ("integer", "decimal") else ""
        if "constraint" in item:
            own, message = item["constraint"]["text"], item["constraint"]["message"]
        else:
            rule = self.rules.get(f"{item['name']}_condition")
            found = None if rule is None else condition_of(rule, item["name"])
            own, message = found or "", rule["message"] if found and rule else None
        return {"constraint": with_limits(own, limits), **_words("constraint_message", message)}

    def _required(self, item: Mapping[str, Any], screen_relevant: str | None) -> Cells:
        if item.get("required"):
            return {"required": "yes", ALWAYS: "yes" if screen_relevant or "relevant" in item else ""}
        rule = self.rules.get(f"{item['name']}_required")
        trees = [parse(text) for text in (screen_relevant, item.get("relevant")) if text]
        if rule is None or not trees or required_rule(item["name"], trees, rule["message"]) != rule:
            return {}
        return {"required": "yes", **_words("required_message", rule["message"])}


def _note(note: Mapping[str, Any]) -> Cells:
    return {
        "type": "note",
        "name": note["name"],
        "relevant": note.get("relevant", ""),
        **_words("label", note["label"]),
    }


def _words(base: str, label: Mapping[str, str] | None) -> Cells:
    return {} if label is None else {f"{base}::{ZH}": label["zh"], f"{base}::{EN}": label["en"]}


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    return " ".join(value) if isinstance(value, list) else str(value)


def _choices(lists: Iterable[CodeList], has_boolean: bool) -> Iterator[Cells]:
    if has_boolean:
        yield {"list_name": YES_NO, "name": "true", **_words("label", {"zh": "是", "en": "Yes"})}
        yield {"list_name": YES_NO, "name": "false", **_words("label", {"zh": "否", "en": "No"})}
    for found in lists:
        for entry in found.document["entries"]:
            yield {
                "list_name": found.name,
                "name": entry["code"],
                **_words("label", entry),
                **{f"dishu_{key}": entry.get(key) or "" for key in CODE_KEYS},
                "dishu_retired": "yes" if entry.get("retired") else "",
            }


def _settings(document: Mapping[str, Any]) -> Cells:
    label = document["label"]
    return {
        "form_title": label["zh"],
        "dishu_title_en": label["en"],
        "form_id": document["name"],
        "version": str(document["version"]),
        "default_language": ZH,
        "dishu_audience": document.get("audience", ""),
    }


def _unit(item: Mapping[str, Any]) -> Cells:
    exclusive = "yes" if item.get("exclusive") else ""
    fields = " ".join(item["fields"])
    return {"name": item["name"], "policy": item["policy"], "exclusive": exclusive, "fields": fields} | _words(
        "label", item["label"]
    )


def _finding(item: Mapping[str, Any]) -> Cells:
    return {"name": item["name"], "holds": item["holds"], "fields": " ".join(item["fields"])} | _words(
        "label", item["message"]
    )


def _list(found: CodeList) -> Cells:
    about = {"list_name": found.name, "standard": found.standard or "", "source": found.source, "note": found.note}
    return about | _words("label", found.label)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"text", "tree"}:
            return str(value["text"])
        return {key: _plain(part) for key, part in value.items() if not (key == "tree" and "text" in value)}
    return [_plain(part) for part in value] if isinstance(value, list) else value
