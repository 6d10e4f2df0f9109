"""The parts of docs/ that are written from the program: ``python -m bench.documents`` renews them, a test holds them current.

A written part stands between ``<!-- written: name -->`` and ``<!-- end: name -->``; everything around it is edited by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import glossary, held, routes, wire_examples, wire_more

ROOT = Path(__file__).resolve().parent.parent

Parts = Callable[[], Mapping[str, str]]

WRITTEN: dict[str, Parts] = {
    "docs/glossary.md": glossary.parts,
    "docs/api.md": routes.api_parts,
    "docs/problems.md": routes.problem_parts,
    "docs/protocol.md": lambda: {**wire_examples.parts(), **wire_more.parts(), **held.parts()},
}
"""Document to the function that gives its written parts by name."""


def renewed(text: str, parts: Mapping[str, str]) -> str:
    """The document with its parts written anew.

    Raises
    ------
    ValueError
        A part has no place in the document, or a place has no part.
    """
    places = set(re.findall(r"<!-- written: ([a-z-]+) -->", text))
    if places != set(parts):
        raise ValueError(f"places without a part or parts without a place: {sorted(places ^ set(parts))}")
    for name, content in parts.items():
        begin, end = f"<!-- written: {name} -->", f"<!-- end: {name} -->"
        head, _, rest = text.partition(begin)
        _, found, tail = rest.partition(end)
        if not found:
            raise ValueError(f"the part {name} has no end")
        text = f"{head}{begin}\n{content.strip()}\n{end}{tail}"
    return text


def main() -> None:
    """Renew every document and say which ones changed."""
    for name, parts in WRITTEN.items():
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = renewed(before, parts())
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"renewed {name}\n")


if __name__ == "__main__":
    main()
