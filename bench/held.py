"""Which test holds which rule of docs/protocol.md: read from the docstrings of the tests, which cite rules by number."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from server.conformance.run import listed

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 4
"""Tests named for each rule; how many more there are is told."""

_CITED = re.compile(r"\b([SCWTL])(\d{1,2})(?:[–-]\1?(\d{1,2}))?\b")
_IN_NAME = re.compile(r"_([s])(\d{1,2})_")


@cache
def held_by(folder: Path = ROOT / "tests") -> dict[str, list[str]]:
    """Rule to the tests that cite it in their docstring or name, as ``test_file.py: test_name``, in order of file and place."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for rule in sorted(rules_cited(node.name, ast.get_docstring(node) or "")):
                    found[rule].append(f"{path.name}: {node.name}")
    return dict(found)


def rules_cited(name: str, docstring: str) -> set[str]:
    """Rules that a test cites: ``S12``, ``S1–S5``, or ``_s24_`` in its name."""
    cited = {f"{letter.upper()}{number}" for letter, number in _IN_NAME.findall(name)}
    for letter, first, last in _CITED.findall(docstring):
        cited |= {f"{letter}{number}" for number in range(int(first), int(last or first) + 1)}
    return cited


def rules_told(text: str) -> list[str]:
    """The numbers of all rules of the specification, in its order."""
    own = re.sub(r"<!-- written: rules-.*?<!-- end: rules-\w+ -->", "", text, flags=re.DOTALL)
    return list(dict.fromkeys(re.findall(r"^(?:\| |- \*\*)((?:S|C|W|T)\d+|L(?:[5-9]|10))(?: \||\*\* | )", own, re.MULTILINE)))


def parts() -> Mapping[str, str]:
    """The table of rules with their tests, and that of what `dishu conformance` asks."""
    tests = held_by()
    told = rules_told((ROOT / "docs" / "protocol.md").read_text(encoding="utf-8"))
    asked = defaultdict(list)
    for one in listed():
        asked[re.findall(r"^[A-Z]\d+", one.name)[0]].append(one.name)
    rows = ["| Rule | Held by | Asked by `dishu conformance` |", "|---|---|---|"]
    for rule in told:
        names = _spread(tests.get(rule, []))
        more = len(tests.get(rule, [])) - len(names)
        shown = "; ".join(f"`{one}`" for one in names) + (f" and {more} more" if more else "")
        rows.append(f"| {rule} | {shown} | {', '.join(asked.get(rule, [])) or '—'} |")
    questions = ["| Name | What must hold |", "|---|---|"] + [f"| {one.name} | {one.text} |" for one in listed()]
    return {"rules-held": "\n".join(rows), "rules-asked": "\n".join(questions)}


def _spread(names: list[str]) -> list[str]:
    """A few of the tests, from as many files as there are."""
    first: dict[str, str] = {}
    for one in names:
        first.setdefault(one.partition(":")[0], one)
    chosen = [*first.values(), *(one for one in names if one not in first.values())][:SHOWN]
    return sorted(chosen)
