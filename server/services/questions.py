"""The questions that an office asks every week, answered by rosters: their filters as of today, their figures per cell."""

from __future__ import annotations

from datetime import date
from typing import Any

from forms.question import QuestionList, filters_on
from server.errors import NotFound, OutsideScope
from server.house import House
from server.permissions import Scope
from server.services import rosters
from server.services.accounts import today
from server.services.inbox import cells_by_home
from server.services.looks import Look
from server.services.roster_query import Query, from_body
from server.store.database import read, stamp


def all_questions(house: House, scope: Scope) -> list[dict[str, Any]]:
    """Every question with its lists; days in filters are seen from today. Lists about people are left out where the scope has none."""
    day = date.fromisoformat(today(house))
    told = []
    for question in house.registry.questions().values():
        lists = [one for one in question.lists if _allowed(house, scope, one)]
        if (question.lists and not lists) or (question.queue is not None and scope.fields != "all"):
            continue
        told.append(
            {
                "name": question.name, "label": question.label, "note": question.note, "ask": list(question.ask),
                "queue": question.queue,
                "lists": [
                    {"name": one.name, "label": one.label, "roster": one.roster, "filters": filters_on(one, day),
                     "sort": list(one.sort) or None}
                    for one in lists
                ],
            }
        )  # fmt: skip
    return told


def counts(house: House, scope: Scope, community_id: str, name: str, look: Look) -> dict[str, Any]:
    """How many answer a question, for each of its lists and each cell.

    Raises
    ------
    NotFound
        No such question, or one that is a queue.
    OutsideScope
        The question is about people, and the scope holds none; or another community.
    """
    question = house.registry.questions().get(name)
    if question is None or not question.lists:
        raise NotFound("there is no such question")
    allowed = [one for one in question.lists if _allowed(house, scope, one)]
    if not allowed:
        raise OutsideScope("this question is about people")
    ground = rosters.community_ground(house, scope, community_id)
    with read(house.engine) as connection:
        cells = [cell for home, cell in cells_by_home(connection, community_id).items() if home in ground.homes]
    told = []
    for one in allowed:
        found = rosters.counted(house, scope, ground, _query(house, scope, one), look)
        told.append(
            {
                "name": one.name, "label": one.label, "count": sum(found.values()),
                "cells": [cell | {"count": found.get(cell["code"], 0)} for cell in cells],
                "elsewhere": sum(number for code, number in found.items() if code not in {cell["code"] for cell in cells}),
            }
        )  # fmt: skip
    return {"as_of": stamp(house.clock()), "name": question.name, "label": question.label, "lists": told}


def _query(house: House, scope: Scope, asked: QuestionList) -> Query:
    roster = rosters.find_roster(house, asked.roster)
    personal = rosters.sees_personal(scope, roster)
    body = {"filters": filters_on(asked, date.fromisoformat(today(house))), "columns": ["cell_code"]}
    return from_body(roster, body, personal=personal)


def _allowed(house: House, scope: Scope, asked: QuestionList) -> bool:
    roster = rosters.find_roster(house, asked.roster)
    try:
        personal = rosters.sees_personal(scope, roster)
    except OutsideScope:
        return False
    columns = {column.name for column in roster.columns if personal or not column.tells_of_people}
    return all(one["column"] in columns for one in asked.filters)
