"""The questions that an office asks every week, answered by rosters: their filters as of today, their figures per cell."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from forms.question import QuestionList, filters_on
from server.errors import NotFound, OutsideScope
from server.house import House
from server.permissions import Scope, cell_stream
from server.services import rosters
from server.services.accounts import today
from server.services.looks import Look
from server.services.roster_grounds import Ground
from server.services.roster_query import Query, from_body
from server.store import places
from server.store.database import read, stamp


def all_questions(house: House, scope: Scope, as_of: str | None = None) -> list[dict[str, Any]]:
    """Every question with its lists. Lists about people are left out where the scope has none.

    Days in filters are seen from ``as_of`` (None: today); lists of the present alone are seen from today whatever was asked.
    """
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
                    {"name": one.name, "label": one.label, "roster": one.roster,
                     "filters": filters_on(one, _seen_from(house, one, as_of)), "sort": list(one.sort) or None,
                     "of_the_present": one.of_the_present}
                    for one in lists
                ],
            }
        )  # fmt: skip
    return told


def counts(
    house: House, scope: Scope, community_id: str, name: str, look: Look, as_of: str | None = None
) -> dict[str, Any]:
    """How many answer a question, for each of its lists and each cell; as of a past day where the list can tell of one.

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
    told = []
    for one in allowed:
        query = _query(house, scope, one, as_of)
        ground = rosters.community_ground(house, scope, community_id, query)
        cells = _cells(house, ground)
        found = rosters.counted(house, scope, ground, query, look)
        told.append(
            {
                "name": one.name, "label": one.label, "true_on": query.as_of, "count": sum(found.values()),
                "cells": [cell | {"count": found.get(cell["code"], 0)} for cell in cells],
                "elsewhere": sum(number for code, number in found.items() if code not in {cell["code"] for cell in cells}),
            }
        )  # fmt: skip
    return {"as_of": stamp(house.clock()), "name": question.name, "label": question.label, "lists": told}


def _cells(house: House, ground: Ground) -> list[dict[str, Any]]:
    """The cells of the ground's edition that it covers, in their order."""
    if ground.edition is None:
        return []
    with read(house.engine) as connection:
        found = places.cells_of(connection, ground.community_id, ground.edition.edition_id)
    return [
        {"cell_id": cell.cell_id, "code": cell.code, "name": cell.name}
        for cell in sorted(found, key=lambda cell: (cell.order_number, cell.code))
        if cell_stream(cell.cell_id) in ground.homes
    ]


def _seen_from(house: House, asked: QuestionList, as_of: str | None) -> date:
    return date.fromisoformat(as_of if as_of is not None and not asked.of_the_present else today(house))


def _query(house: House, scope: Scope, asked: QuestionList, as_of: str | None) -> Query:
    roster = rosters.find_roster(house, asked.roster)
    personal = rosters.sees_personal(scope, roster)
    body = {"filters": filters_on(asked, _seen_from(house, asked, as_of)), "columns": ["cell_code"]}
    query = from_body(roster, body, personal=personal)
    return query if asked.of_the_present else replace(query, as_of=as_of)


def _allowed(house: House, scope: Scope, asked: QuestionList) -> bool:
    roster = rosters.find_roster(house, asked.roster)
    try:
        personal = rosters.sees_personal(scope, roster)
    except OutsideScope:
        return False
    columns = {column.name for column in roster.columns if personal or not column.tells_of_people}
    return all(one["column"] in columns for one in asked.filters)
