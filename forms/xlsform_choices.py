"""The lists of choices of a workbook as code lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forms.codelist import CodeList
from forms.xlsform_labels import Words
from forms.xlsform_refusals import Complaints
from forms.xlsform_rules import CODE_KEYS
from forms.xlsform_sheets import Row, Sheet

#: Columns of ``choices`` that are read; what others hold is refused, because it would be lost.
_COLUMNS = {"list_name", "name", "label", "dishu_retired", *(f"dishu_{key}" for key in CODE_KEYS)}
_MEDIA = {"image", "audio", "video", "media"}
SOURCE = "A special survey's workbook."


class Choices:
    """The lists of one workbook, made as they are asked for; a list that no question offers is not looked at."""

    def __init__(
        self,
        sheets: Mapping[str, Sheet],
        complaints: Complaints,
        known: Mapping[str, CodeList],
        words: Words,
        form: str,
    ) -> None:
        self.sheet = sheets.get("choices")
        self.about = sheets.get("dishu_lists")
        self.complaints = complaints
        self.known = known
        self.words = words
        self.form = form
        self.rows: dict[str, list[Row]] = {}
        self.made: dict[str, dict[str, Any]] = {}
        if self.sheet is not None:
            self._gather(self.sheet)

    def _gather(self, sheet: Sheet) -> None:
        for base in ("list_name", "name"):
            if sheet.column(base) is None:
                self.complaints.add(sheet.name, 1, None, "no_column", base)
        for row in sheet.rows:
            named = sheet.get(row, "list_name")
            if named is not None:
                self.rows.setdefault(named, []).append(row)
            elif sheet.get(row, "name") is not None:
                self.complaints.add(sheet.name, row.number, sheet.place("list_name"), "list_missing")

    def document(self, name: str) -> dict[str, Any] | None:
        """The code list document of a list; None where the workbook has no such list."""
        if name not in self.rows:
            return None
        if name not in self.made:
            self.made[name] = self._make(name)
        return self.made[name]

    def add_other(self, name: str) -> None:
        """Let a list end in ``other``, as ``or_other`` asks for, where it has no such choice of its own."""
        document = self.document(name)
        if document is not None and all(entry["code"] != "other" for entry in document["entries"]):
            document["entries"].append({"code": "other", "zh": "其他", "en": "Other"})

    def codes(self, name: str) -> set[str]:
        """Codes of a list; empty for an unknown one."""
        document = self.document(name)
        return {entry["code"] for entry in document["entries"]} if document else set()

    def new_documents(self) -> tuple[dict[str, Any], ...]:
        """The lists made that the house does not have already, as they were asked for."""
        return tuple(document for document in self.made.values() if document["name"] not in self.known)

    def _make(self, name: str) -> dict[str, Any]:
        assert self.sheet is not None
        document = self._head(name)
        document["entries"] = entries = []
        seen: set[str] = set()
        for row in self.rows[name]:
            entry = self._entry(row, self.sheet)
            if entry is None:
                continue
            if entry["code"] in seen:
                self.complaints.add(
                    self.sheet.name, row.number, self.sheet.place("name"), "code_repeated", entry["code"]
                )
            seen.add(entry["code"])
            entries.append(entry)
        known = self.known.get(document["name"])
        if known is not None and _written(known.document) != document:
            self.complaints.add(
                self.sheet.name, self.rows[name][0].number, self.sheet.place("list_name"), "list_taken", name
            )
        return document

    def _head(self, name: str) -> dict[str, Any]:
        about = self.about
        if about is not None:
            for row in about.rows:
                if about.get(row, "list_name") == name:
                    return {
                        "name": name,
                        "label": self.words.of(about, row, "label") or {"zh": name, "en": name},
                        "standard": about.get(row, "standard"),
                        "source": about.get(row, "source") or SOURCE,
                        "note": about.get(row, "note") or "",
                    }
        return {
            "name": f"{self.form}_{name}",
            "label": {"zh": name, "en": name},
            "standard": None,
            "source": SOURCE,
            "note": "",
        }

    def _entry(self, row: Row, sheet: Sheet) -> dict[str, Any] | None:
        code = sheet.get(row, "name")
        at = sheet.place("name")
        if code is None:
            self.complaints.add(sheet.name, row.number, at, "code_missing")
            return None
        if any(character.isspace() for character in code):
            self.complaints.add(sheet.name, row.number, at, "code_spaces")
        for column in sheet.columns:
            if column.position not in row.cells:
                continue
            if column.base in _MEDIA:
                self.complaints.add(sheet.name, row.number, column.position, "column_media")
            elif column.base not in _COLUMNS:
                self.complaints.add(sheet.name, 1, column.position, "column_unknown", column.header)
        label = self.words.of(sheet, row, "label")
        if label is None:
            self.complaints.add(sheet.name, row.number, sheet.place("label"), "label_missing")
            return None
        entry: dict[str, Any] = {"code": code, **label}
        for key in CODE_KEYS:
            value = sheet.get(row, f"dishu_{key}")
            if value is not None:
                entry[key] = value
        if self.words.flag(sheet, row, "dishu_retired"):
            entry["retired"] = True
        return entry


def _written(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a workbook can say of a code list; a list of ours may say more, for example the alphabetic codes of a standard."""
    keys = ("code", "zh", "en", *CODE_KEYS)
    entries = [
        {key: entry[key] for key in keys if entry.get(key) is not None}
        | ({"retired": True} if entry.get("retired") else {})
        for entry in document["entries"]
    ]
    about = {"standard": document.get("standard"), "source": document["source"], "note": document.get("note", "")}
    return {"name": document["name"], "label": document["label"], **about, "entries": entries}
