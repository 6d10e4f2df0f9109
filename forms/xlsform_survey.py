"""The sheet ``survey``: questions, groups and notes in order, before expressions are read (xlsform_logic.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from forms.xlsform_choices import Choices
from forms.xlsform_expressions import field_name
from forms.xlsform_labels import Words, says
from forms.xlsform_refusals import Complaints
from forms.xlsform_rules import EXTRA, FLAG_KEYS, NOT_SHOWN, NUMBER_KEYS, TEXT_KEYS, YES_NO
from forms.xlsform_sheets import Row, Sheet
from forms.xlsform_types import Asked, read_type

USABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_READ = {
    "type", "name", "label", "hint", "required", "required_message", "relevant", "constraint", "constraint_message",
    "calculation", "default", "disabled", *(f"dishu_{key}" for key in EXTRA),
}  # fmt: skip
#: How a question looks, and what authors tell each other: not kept, and nothing that was asked is lost by it.
LOOKS = {"appearance", "notes", "note", "comment", "comments", "remarks"}
_MEDIA = {"image", "audio", "video", "media", "big-image"}
_NOT_KEPT = {
    "parameters",
    "trigger",
    "save_to",
    "autoplay",
    "guidance_hint",
    "body",
    "bind",
    "instance",
    "control",
    "entity",
}
_FLAGS = ("type_repeat",)
_OTHER = {"zh": "其他（请说明）", "en": "Specify other"}


@dataclass(slots=True)
class Screen:
    """A group: fields and notes in order; ``when`` are the rows of all groups around it that have a relevance."""

    name: str
    label: dict[str, str]
    when: tuple[Row, ...]
    shown: bool = True
    fields: list[str] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Question:
    """A row with an answer. ``made`` is the field of the definition, growing; ``kind`` its type, None until it is known."""

    row: Row
    name: str
    kind: str | None
    list_name: str | None
    screen: Screen
    made: dict[str, Any]


class Survey:
    """One reading of the sheet. ``questions``, ``notes`` (row and its note), ``screens`` and ``metadata`` are what it found."""

    def __init__(
        self, sheet: Sheet, choices: Choices, words: Words, complaints: Complaints, title: dict[str, str]
    ) -> None:
        self.sheet = sheet
        self.choices = choices
        self.words = words
        self.complaints = complaints
        self.title = title
        self.questions: dict[str, Question] = {}
        self.notes: list[tuple[Row, dict[str, Any]]] = []
        self.screens: list[Screen] = []
        self.metadata: list[dict[str, str]] = []
        self._groups: list[tuple[Row, Screen]] = []
        self._loose = Screen("main", title, ())
        self._waiting: list[dict[str, Any]] = []
        self._taken: set[str] = set()
        self._columns()
        for row in self._rows():
            self._row(row)
        for row, _ in self._groups:
            self._say(row, "type", "group_unclosed")

    def _say(self, row: Row, base: str, code: str, *names: object) -> None:
        self.complaints.add(self.sheet.name, row.number, self.sheet.place(base), code, *names)

    def _columns(self) -> None:
        for base in ("type", "name"):
            if self.sheet.column(base) is None:
                self.complaints.add(self.sheet.name, 1, None, "no_column", base)
        filled = {position for row in self.sheet.rows for position in row.cells}
        for column in self.sheet.columns:
            known = (
                column.base in _READ
                or column.base in LOOKS
                or column.base in ("choice_filter", "repeat_count", "read_only")
            )
            if known or column.position not in filled or column.base in _MEDIA:
                continue
            kept = "column_not_kept" if column.base.split("::")[0].split(":")[0] in _NOT_KEPT else "column_unknown"
            self.complaints.add(self.sheet.name, 1, column.position, kept, column.header)

    def _rows(self) -> Iterator[Row]:
        for row in self.sheet.rows:
            disabled = self.sheet.get(row, "disabled")
            if disabled is None or not says(disabled):
                yield row

    def _row(self, row: Row) -> None:
        text = self.sheet.get(row, "type")
        if text is None:
            # A row of remarks between questions: nothing is asked by it.
            if self.sheet.get(row, "name") is not None:
                self._say(row, "type", "type_missing")
            return
        asked = read_type(text)
        if asked.refusal is not None:
            self._say(row, "type", asked.refusal, *([] if asked.refusal in _FLAGS else [text]))
        for column in self.sheet.columns:
            if column.base in _MEDIA and column.position in row.cells:
                self.complaints.add(self.sheet.name, row.number, column.position, "column_media")
        if self.sheet.get(row, "choice_filter") is not None:
            self._say(row, "choice_filter", "choice_filter")
        if "search(" in (self.sheet.get(row, "appearance") or ""):
            self._say(row, "appearance", "search_appearance")
        if asked.kind == "begin":
            self._begin(row)
        elif asked.kind == "end":
            self._end(row)
        elif asked.kind == "note":
            self._note(row)
        elif asked.metadata is not None:
            name = self._name(row)
            if name is not None:
                self.metadata.append({"name": name, "kind": asked.metadata})
        else:
            self._question(row, asked)

    def _begin(self, row: Row) -> None:
        name = self._name(row) or "group"
        label = self.words.of(self.sheet, row, "label") or self.title
        around = self._groups[-1][1].when if self._groups else ()
        shown = name != NOT_SHOWN  # written by us, with a relevance that hides it from other programs
        when = (*around, row) if shown and self.sheet.get(row, "relevant") is not None else around
        self._flush()
        self._groups.append((row, Screen(name, label, when, shown=shown)))

    def _end(self, row: Row) -> None:
        if not self._groups:
            self._say(row, "type", "group_unopened")
            return
        self._flush()
        self._groups.pop()

    def _note(self, row: Row) -> None:
        name = self._name(row)
        label = self.words.of(self.sheet, row, "label") or self.words.of(self.sheet, row, "hint")
        if label is None:
            self._say(row, "label", "label_missing")
            return
        note: dict[str, Any] = {"name": name, "label": label}
        self.notes.append((row, note))
        self._waiting.append(note)
        self._screen().notes.append(note)

    def _flush(self) -> None:
        """Notes that wait for a field of their screen stand at its end."""
        self._waiting.clear()

    def _screen(self) -> Screen:
        """The screen that a row belongs to; a group that goes on after an inner one gets a further screen."""
        current = self._groups[-1][1] if self._groups else self._loose
        if not current.shown or (self.screens and self.screens[-1] is current):
            return current
        if any(screen is current for screen in self.screens):
            current = Screen(current.name, current.label, current.when)
        names = {screen.name for screen in self.screens}
        base, number = current.name, 1
        while current.name in names:
            number += 1
            current.name = f"{base}_{number}"
        if self._groups:
            self._groups[-1] = (self._groups[-1][0], current)
        else:
            self._loose = current
        self.screens.append(current)
        return current

    def _question(self, row: Row, asked: Asked) -> None:
        name = self._name(row)
        kind, made = self._kind(row, asked)
        if name is None:
            return
        made = {"name": name, **made}
        label = self.words.of(self.sheet, row, "label")
        hint = self.words.of(self.sheet, row, "hint")
        if label is None and asked.kind == "calculate":
            label = {"zh": name, "en": name}
        if label is None:
            label, hint = hint, None
        if label is None:
            if asked.kind != "refused":
                self._say(row, "label", "label_missing")
            label = {"zh": name, "en": name}
        made["label"] = label
        if hint is not None:
            made["hint"] = hint
        computed = asked.kind == "calculate" or self.sheet.get(row, "calculation") is not None
        if not computed and asked.kind != "refused" and says(self.sheet.get(row, "read_only") or "no") is not False:
            self._say(row, "read_only", "read_only")
        self._extras(row, made)
        screen = self._screen()
        for note in self._waiting:
            note["before"] = name
        self._waiting.clear()
        if screen.shown:
            screen.fields.append(name)
        self.questions[name] = Question(row, name, kind, asked.list_name, screen, made)
        if asked.or_other:
            self._specify_other(row, name, screen)

    def _specify_other(self, row: Row, name: str, screen: Screen) -> None:
        """The question that ``or_other`` stands for: the other answer in words, called as other programs call it."""
        other = f"{name}_other"
        if other in self._taken or not USABLE_NAME.fullmatch(other):
            self._say(row, "name", "name_repeated" if other in self._taken else "name_unusable", other)
            return
        self._taken.add(other)
        made = {"name": other, "type": "text", "label": dict(_OTHER), "relevant": f"selected(${{{name}}}, 'other')"}
        if screen.shown:
            screen.fields.append(other)
        self.questions[other] = Question(Row(row.number, {}), other, "text", None, screen, made)

    def _kind(self, row: Row, asked: Asked) -> tuple[str | None, dict[str, Any]]:
        """Type and what goes with it; None for a calculation, whose kind follows from its expression."""
        said = self.sheet.get(row, "dishu_type")
        if said is not None:
            base, _, target = said.partition(" ")
            if (base in ("boolean", "text_set") and not target) or (base == "ref" and target):
                return base, {"type": base} | ({"ref_type": target} if target else {})
            self._say(row, "dishu_type", "type_unsupported", said)
        if asked.kind in ("select_one", "select_multiple"):
            assert asked.list_name is not None
            if asked.or_other:
                self.choices.add_other(asked.list_name)
            document = self.choices.document(asked.list_name)
            if document is None and asked.list_name != YES_NO:
                self._say(row, "type", "list_unknown", asked.list_name)
            return asked.kind, {"type": asked.kind, "codelist": document["name"] if document else ""}
        if asked.kind == "calculate":
            return None, {"type": "text"}
        kind = "text" if asked.kind == "refused" else asked.kind
        return kind, {"type": kind}

    def _extras(self, row: Row, made: dict[str, Any]) -> None:
        """What a workbook that we wrote says beyond XLSForm."""
        for key in TEXT_KEYS:
            value = self.sheet.get(row, f"dishu_{key}")
            if value is not None:
                made[key] = value
        for key in FLAG_KEYS:
            if self.words.flag(self.sheet, row, f"dishu_{key}"):
                made[key] = True
        for key in NUMBER_KEYS:
            value = self.sheet.get(row, f"dishu_{key}")
            if value is not None:
                try:
                    number = float(value)
                    made[key] = int(number) if number.is_integer() else number
                except (ValueError, OverflowError):
                    self._say(row, f"dishu_{key}", "not_a_number")
        mask = self.sheet.get(row, "dishu_mask")
        if mask is not None:
            ends = mask.split()
            if len(ends) == 2 and all(end.isascii() and end.isdigit() for end in ends):
                made["mask"] = {"keep_start": int(ends[0]), "keep_end": int(ends[1])}
            else:
                self._say(row, "dishu_mask", "not_a_number")

    def _name(self, row: Row) -> str | None:
        given = self.sheet.get(row, "name")
        if given is None:
            self._say(row, "name", "name_missing")
            return None
        name = field_name(given)
        if not USABLE_NAME.fullmatch(name):
            self._say(row, "name", "name_unusable", given)
            return None
        kind = (self.sheet.get(row, "type") or "").lower()
        if not kind.startswith("begin"):
            if name in self._taken:
                self._say(row, "name", "name_repeated", given)
                return None
            self._taken.add(name)
        return name
