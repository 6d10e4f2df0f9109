"""Relevance, constraints, calculations, requiredness and defaults of a workbook, read into a definition's own."""

from __future__ import annotations

from typing import Any

from forms.calculation import in_circles
from forms.errors import ExpressionError
from forms.expression_text import text_of
from forms.expressions import Node, fields_used, uses_today
from forms.values import Refused, clean_date, clean_datetime
from forms.xlsform_expressions import kept_text, kind_of, translate
from forms.xlsform_labels import says
from forms.xlsform_rules import (
    ALWAYS,
    CONDITION_MESSAGE,
    REQUIRED_MESSAGE,
    Rule,
    both,
    condition_rule,
    limits_text,
    required_rule,
    without_limits,
)
from forms.xlsform_sheets import Row
from forms.xlsform_survey import Question, Screen, Survey

_NUMBERS = ("integer", "decimal")


class Logic:
    """Fills the fields, notes and screens of a survey. ``rules`` are the findings that columns were turned into."""

    def __init__(self, survey: Survey, known_fields: dict[str, str]) -> None:
        self.survey = survey
        self.sheet = survey.sheet
        self.names = {**known_fields, **dict.fromkeys(survey.questions, "")}
        self.known_fields = known_fields
        self.rules: dict[str, Rule] = {}
        self._calculations: dict[str, Node] = {}
        given = [question for question in survey.questions.values() if question.kind is not None]
        for question in survey.questions.values():
            self._calculation(question)
        for question in survey.questions.values():
            self._settle_kind(question)
        for question in given:
            self._hold_kind(question)
        for question in survey.questions.values():
            self._question(question)
        self._circles()
        for row, note in survey.notes:
            self._relevance(row, note)

    def relevance_of(self, screen: Screen) -> str | None:
        """Relevance of a screen with all the groups around it; None if it is always shown."""
        trees = self._conditions(screen)
        if len(trees) == 1:
            row = next(row for row in screen.when if self._tree(row, "relevant") is not None)
            return self._text(row, "relevant", trees[0])
        tree = both(trees)
        return None if tree is None else text_of(tree)

    def _say(self, row: Row, base: str, code: str, *names: object) -> None:
        self.survey.complaints.add(self.sheet.name, row.number, self.sheet.place(base), code, *names)

    def _tree(self, row: Row, base: str, own: str | None = None, text: str | None = None) -> Node | None:
        given = text if text is not None else self.sheet.get(row, base)
        if given is None:
            return None
        try:
            return translate(given, self.names, own=own)
        except ExpressionError as wrong:
            self._say(row, base, "expression", wrong)
            return None

    def _text(self, row: Row, base: str, tree: Node, text: str | None = None) -> str:
        try:
            return kept_text(text if text is not None else self.sheet.get(row, base) or "", tree)
        except ExpressionError as wrong:
            self._say(row, base, "expression", wrong)
            return "true()"

    def _conditions(self, screen: Screen) -> list[Node]:
        return [tree for row in screen.when if (tree := self._tree(row, "relevant")) is not None]

    def _relevance(self, row: Row, made: dict[str, Any]) -> Node | None:
        tree = self._tree(row, "relevant")
        if tree is not None:
            made["relevant"] = self._text(row, "relevant", tree)
        return tree

    def _question(self, question: Question) -> None:
        relevant = self._relevance(question.row, question.made)
        self._constraint(question)
        self._required(question, relevant)
        self._default(question)

    # ------------------------------------------------------------ calculations
    def _calculation(self, question: Question) -> None:
        tree = self._tree(question.row, "calculation")
        if tree is not None:
            question.made["calculation"] = self._text(question.row, "calculation", tree)
            self._calculations[question.name] = tree
        elif question.kind is None and self.sheet.get(question.row, "calculation") is None:
            self._say(question.row, "calculation", "no_expression")

    def _settle_kind(self, question: Question) -> None:
        """The type of a calculation, from what it reads; the order of rows does not matter."""
        waiting: list[str] = [question.name]
        while waiting:
            name = waiting[-1]
            asked = self.survey.questions[name]
            tree = self._calculations.get(name)
            if asked.kind is not None or tree is None:
                asked.kind = asked.kind or "text"
                waiting.pop()
                continue
            reads = [f for f in sorted(fields_used(tree)) if f in self.survey.questions]
            unsettled = [f for f in reads if self.survey.questions[f].kind is None]
            if any(f in waiting for f in unsettled):
                self._say(asked.row, "calculation", "calculation_cycle")
                asked.kind = "text"
            elif unsettled:
                waiting.append(unsettled[0])
            else:
                types = self.known_fields | {f: self.survey.questions[f].kind or "text" for f in reads}
                try:
                    asked.kind = kind_of(tree, types)
                except ValueError:
                    self._say(asked.row, "calculation", "calculation_kind")
                    asked.kind = "text"
                asked.made["type"] = asked.kind

    def _circles(self) -> None:
        """No calculation may need its own value, neither by other calculations nor by what decides whether an answer is asked for."""
        reads = {}
        for name, question in self.survey.questions.items():
            trees = [self._calculations.get(name), self._tree(question.row, "relevant"), *self._conditions(question.screen)]
            reads[name] = frozenset().union(*(fields_used(tree) for tree in trees if tree is not None))
        for name in in_circles(reads, self._calculations):
            self._say(self.survey.questions[name].row, "calculation", "calculation_cycle")

    def _hold_kind(self, question: Question) -> None:
        """A question that shows a calculation must be able to hold what it gives."""
        tree = self._calculations.get(question.name)
        if tree is None:
            return
        types = self.known_fields | {name: one.kind or "text" for name, one in self.survey.questions.items()}
        takes = {"integer": "decimal", "select_one": "text", "ref": "text", "datetime": "date"}
        try:
            fits = kind_of(tree, types) == takes.get(question.kind or "", question.kind)
        except ValueError:
            fits = False
        if not fits:
            self._say(question.row, "calculation", "calculation_kind")

    # ------------------------------------------------------------ conditions
    def _constraint(self, question: Question) -> None:
        row, made = question.row, question.made
        text = self.sheet.get(row, "constraint")
        message = self.survey.words.of(self.sheet, row, "constraint_message") or CONDITION_MESSAGE
        if text is None:
            return
        if question.kind in _NUMBERS:
            text = without_limits(text, limits_text(made.get("min"), made.get("max")))
            if not text:
                return
        tree = self._tree(row, "constraint", question.name, text)
        if tree is None:
            return
        if fields_used(tree) or uses_today(tree):
            # What the day or another answer decides is shown to somebody, never refused (S7).
            self._keep(question, "constraint", condition_rule(question.name, tree, message))
        else:
            made["constraint"] = {"text": self._text(row, "constraint", tree, text), "message": message}

    def _required(self, question: Question, relevant: Node | None) -> None:
        row = question.row
        if self.survey.words.flag(self.sheet, row, ALWAYS):
            question.made["required"] = True
            return
        given = self.sheet.get(row, "required")
        if given is None or says(given) is False:
            return
        conditions = self._conditions(question.screen)
        if relevant is not None:
            conditions.append(relevant)
        if not says(given):
            tree = self._tree(row, "required")
            if tree is None:
                return
            conditions.append(tree)
        if conditions:
            message = self.survey.words.of(self.sheet, row, "required_message") or REQUIRED_MESSAGE
            self._keep(question, "required", required_rule(question.name, conditions, message))
        else:
            question.made["required"] = True

    def _keep(self, question: Question, base: str, rule: Rule) -> None:
        tree_fits = self._tree(question.row, base, text=rule["holds"])
        if tree_fits is not None:
            self.rules[rule["name"]] = rule

    # ------------------------------------------------------------ defaults
    def _default(self, question: Question) -> None:
        text = self.sheet.get(question.row, "default")
        if text is None:
            return
        if "${" in text or (text.endswith(")") and self._is_call(text)):
            self._say(question.row, "default", "default_dynamic")
            return
        try:
            question.made["default"] = self._value(question, text)
        except (ValueError, OverflowError, Refused):
            self._say(question.row, "default", "default_wrong")

    def _is_call(self, text: str) -> bool:
        head = text.partition("(")[0].strip()
        return bool(head) and head.replace("-", "").replace(":", "").isalnum() and head.isascii()

    def _value(self, question: Question, text: str) -> Any:
        kind = question.kind
        if kind == "text":
            return text
        if kind in _NUMBERS:
            number = float(text)
            if kind == "integer" and not number.is_integer():
                raise ValueError("no whole number")
            return int(number) if number.is_integer() else number
        if kind == "boolean":
            said = says(text)
            if said is None:
                raise ValueError("neither yes nor no")
            return said
        if kind == "date":
            return clean_date(text)
        if kind == "datetime":
            return clean_datetime(text)
        codes = self.survey.choices.codes(question.list_name or "")
        chosen = sorted(set(text.split())) if kind == "select_multiple" else [text]
        if kind not in ("select_one", "select_multiple") or not codes.issuperset(chosen):
            raise ValueError("no such choice")
        return chosen if kind == "select_multiple" else text
