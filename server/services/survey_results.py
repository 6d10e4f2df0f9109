"""What the answers of a special survey come to: progress per cell, counts per choice, figures of numbers. No single answer."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from forms.definition import FieldSpec, RecordType
from forms.survey import is_asked, subject_field, subject_of
from server.errors import NotFound
from server.house import House
from server.permissions import Scope
from server.services.accounts import today
from server.services.inbox import cells_by_home
from server.services.surveys import questions_of
from server.store import surveys as store
from server.store.database import read, stamp


def progress(house: House, scope: Scope, community_id: str, name: str) -> dict[str, Any]:
    """Answers of every cell in the scope, and how many households or persons there are to be asked.

    Returns
    -------
    dict
        ``as_of``, ``cells``, ``elsewhere`` (unplaced), ``total``: each with ``answers``, ``answered`` (households or persons with at
        least one answer) and ``expected``; these two are None for a survey about neither. ``waiting``: answers that are
        kept and not in force, None for those who see single cells only.

    Raises
    ------
    NotFound
        No published survey of this name.
    """
    form = _form(house, name)
    about = subject_field(form)
    with read(house.engine) as connection:
        given = store.answered(connection, scope, community_id, name, about)
        asked = _asked(house, connection, scope, community_id, form) if about is not None else {}
        cells = cells_by_home(connection, community_id)
        waiting = store.open_answers(connection, community_id, name) if scope.streams is None else None

    def told(homes: list[str]) -> dict[str, Any]:
        return {
            "answers": sum(given.get(home, (0, 0))[0] for home in homes),
            "answered": sum(given.get(home, (0, 0))[1] for home in homes) if about is not None else None,
            "expected": sum(asked.get(home, 0) for home in homes) if about is not None else None,
        }

    shown = [home for home in cells if scope.sees_stream(community_id, home)]
    others = sorted((set(given) | set(asked)) - set(cells))
    return {
        "as_of": stamp(house.clock()),
        "cells": [cells[home] | told([home]) for home in shown],
        "elsewhere": told(others),
        "total": told([*shown, *others]),
        "waiting": waiting,
    }


def _asked(house: House, connection: Any, scope: Scope, community_id: str, form: RecordType) -> dict[str, int]:
    """How many households or persons each home has that the survey asks."""
    if form.audience is None:
        return store.expected(connection, scope, community_id, subject_of(form))
    day = date.fromisoformat(today(house))
    found = store.subjects(connection, scope, community_id, subject_of(form))
    return Counter(home for home, fields in found if is_asked(form, fields, day))


def results(house: House, scope: Scope, community_id: str, name: str) -> dict[str, Any]:
    """Counts of the answers in the scope, question by question.

    Returns
    -------
    dict
        ``as_of``, ``answers`` and ``questions``: each question has ``answered`` (answers that say something) and, by its type,
        ``choices`` with counts, ``yes`` and ``no``, or ``lowest``, ``highest``, ``sum`` and ``mean`` of a number. Texts and places are counted only.

    Raises
    ------
    NotFound
        No published survey of this name.
    """
    form = _form(house, name)
    tallies = {spec.name: _Tally(spec) for spec in form.fields.values()}
    total = 0
    with read(house.engine) as connection:
        for _, fields in store.answers(connection, scope, community_id, name):
            total += 1
            for field, value in fields.items():
                if field in tallies and value not in (None, [], ""):
                    tallies[field].add(value)
    return {
        "as_of": stamp(house.clock()), "answers": total,
        "questions": [question | tallies[question["name"]].told() for question in questions_of(form)],
    }  # fmt: skip


class _Tally:
    """The answers to one question, counted."""

    def __init__(self, spec: FieldSpec) -> None:
        self._spec = spec
        self._counts: Counter[Any] = Counter()
        self._answered = 0
        self._sum = 0.0
        self._lowest: float | None = None
        self._highest: float | None = None

    def add(self, value: Any) -> None:
        self._answered += 1
        if self._spec.codes is not None:
            self._counts.update(value if isinstance(value, list) else [value])
        elif self._spec.type == "boolean":
            self._counts[bool(value)] += 1
        elif self._spec.type in ("integer", "decimal") and isinstance(value, int | float):
            self._sum += value
            self._lowest = value if self._lowest is None else min(self._lowest, value)
            self._highest = value if self._highest is None else max(self._highest, value)

    def told(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"answered": self._answered}
        codes = self._spec.codes
        if codes is not None:
            known = [
                {"code": code.code, "label": {"zh": code.zh, "en": code.en}, "retired": code.retired, "count": self._counts[code.code]}
                for code in codes.entries.values()
                if not code.retired or self._counts[code.code]
            ]
            strange = [
                {"code": code, "label": {"zh": code, "en": code}, "retired": True, "count": count}
                for code, count in sorted(self._counts.items()) if code not in codes
            ]  # fmt: skip
            answer["choices"] = known + strange
        elif self._spec.type == "boolean":
            answer |= {"yes": self._counts[True], "no": self._counts[False]}
        elif self._spec.type in ("integer", "decimal"):
            mean = round(self._sum / self._answered, 4) if self._answered else None
            answer |= {"lowest": self._lowest, "highest": self._highest, "sum": self._sum, "mean": mean}
        return answer


def _form(house: House, name: str) -> RecordType:
    if name not in house.registry.surveys:
        raise NotFound("there is no such survey")
    return house.registry.latest(name)
