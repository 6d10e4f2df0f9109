"""Workbooks of one small special survey, version after version, and how an office sends them."""

from __future__ import annotations

import io
from typing import Any

from workbook_kit import workbook

NAME = "dogs"
SUBJECT = "household"
_HEAD = ["type", "name", "label::中文 (zh)", "label::English (en)", "required", "relevant", "calculation"]
_CHOICES_HEAD = ["list_name", "name", "label::中文 (zh)", "label::English (en)"]


def dogs(
    version: int = 1, *, rows: list[list[Any]] | None = None, choices: list[list[Any]] | None = None,
    device: list[list[Any]] | None = None, **settings: str,
) -> io.BytesIO:  # fmt: skip
    """养犬登记: is there a dog, how many, of which kinds, of which size; ``device``: rows that ask the phone."""
    asked = rows or [
        ["begin group", "main", "养犬", "Dogs"],
        ["select_one yes", "has_dog", "是否养犬", "Is there a dog", "yes"],
        ["integer", "dogs_count", "几只", "How many", "", "${has_dog} = 'yes'"],
        ["select_multiple size", "sizes", "体型", "Sizes", "", "${has_dog} = 'yes'"],
        ["text", "words", "说明", "Words"],
        ["end group"],
    ]
    listed = choices or [
        ["yes", "yes", "有", "Yes"], ["yes", "no", "没有", "No"],
        ["size", "small", "小型", "Small"], ["size", "large", "大型", "Large"],
    ]  # fmt: skip
    given = {"form_id": NAME, "form_title": "养犬登记", "version": str(version)} | settings
    return workbook(
        {
            "survey": [_HEAD, *(device or []), *asked], "choices": [_CHOICES_HEAD, *listed],
            "settings": [list(given), list(given.values())],
        }
    )  # fmt: skip


def path(community_id: str, rest: str = "") -> str:
    """The address of the surveys of a community."""
    return f"/api/v1/communities/{community_id}/surveys{rest}"


def send(person: Any, community_id: str, file: io.BytesIO, rest: str = "", **form: str) -> Any:
    """Upload a workbook as the office's browser does."""
    return person.client.post(
        path(community_id, rest), data={"file": (file, "调查.xlsx"), **form}, headers=person.headers, content_type="multipart/form-data"
    )


def go_live(person: Any, community_id: str, file: io.BytesIO | None = None, version: int = 1, name: str = NAME) -> Any:
    """Keep a workbook and publish it; what the server says of the survey."""
    made = send(person, community_id, file or dogs(version))
    assert made.status_code == 201, made.data
    live = person.post(path(community_id, f"/{name}/publish"), {"version": version})
    assert live.status_code == 200, live.data
    return live.json
