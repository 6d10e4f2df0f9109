"""The lists of docs/api.md and docs/problems.md: every route with who may ask, every problem with its status."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from server.app import create_app
from server.openapi import document
from server.problems import PROBLEMS, TABLE
from server.settings import Settings

_METHODS = ("get", "post", "put", "patch", "delete")
_WHO = {
    frozenset({"device"}): "device token",
    frozenset({"session"}): "session",
    frozenset({"session", "read"}): "session or read token",
    frozenset({"session", "read", "device"}): "session, read token or device token",
    frozenset(): "anyone",
}


def api_parts() -> Mapping[str, str]:
    """The routes by tag, as the program's own OpenAPI document tells them."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in sorted(_document()["paths"].items()):
        for method in _METHODS:
            if method in methods:
                found = methods[method]
                by_tag.setdefault(found["tags"][0], []).append(_row(method, path, found))
    return {"routes": "\n".join(_sections(by_tag))}


def _document() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings.in_folder(folder, key=bytes(32)))
        return document(app, version="0")


def _sections(by_tag: Mapping[str, list[str]]) -> Iterator[str]:
    for tag, rows in by_tag.items():
        yield f"### {tag}"
        yield ""
        yield "| Request | 用途 · What for | Who |"
        yield "|---|---|---|"
        yield from rows
        yield ""


def _row(method: str, path: str, found: Mapping[str, Any]) -> str:
    said = str(found.get("summary", ""))
    more = str(found.get("description", "")).split("\n")[0]
    text = f"{said} · {more}" if more and more != said else said
    return f"| `{method.upper()} {path}` | {text.replace('|', '/')} | {_who(found.get('security', []))} |"


def _who(security: list[dict[str, Any]]) -> str:
    kinds = set()
    for one in security:
        for name in one:
            kinds.add("device" if "device" in name.lower() else "read" if "read" in name.lower() else "session")
    return _WHO.get(frozenset(kinds), ", ".join(sorted(kinds)))


def problem_parts() -> Mapping[str, str]:
    """The problems in the order of the program's table, with the errors that answer with them."""
    causes: dict[str, list[str]] = {}
    for error, slug in TABLE.items():
        causes.setdefault(slug, []).append(error.__name__)
    rows = ["| `/problems/…` | HTTP | 中文 | English | Raised as |", "|---|---|---|---|---|"]
    for slug, problem in PROBLEMS.items():
        zh = "。".join(part.rstrip("。") for part in (problem.zh, problem.help_zh) if part)
        en = ". ".join(part.rstrip(".") for part in (problem.en, problem.help_en) if part)
        raised = ", ".join(f"`{name}`" for name in causes.get(slug, ())) or "anything unforeseen"
        rows.append(f"| `{slug}` | {problem.status} | {zh} | {en} | {raised} |")
    return {"problems": "\n".join(rows)}
