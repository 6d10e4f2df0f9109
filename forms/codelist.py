"""Closed lists of values, each with labels and the standard that it follows.

Codes are append-only: a code is never removed or given another meaning, it is *retired*. A retired code is still
accepted, because phones that were offline for a month still write it, and is reported as a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forms.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Code:
    """One entry. ``parent`` is a broader code of the same list, ``replaced_by`` what a retired code became."""

    code: str
    zh: str
    en: str
    parent: str | None = None
    group: str | None = None
    retired: bool = False
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CodeList:
    """A list in the order in which it is shown. ``document`` is the JSON that devices receive, unchanged."""

    name: str
    label: Mapping[str, str]
    standard: str | None
    source: str
    note: str
    entries: Mapping[str, Code]
    document: Mapping[str, Any]

    def __contains__(self, code: object) -> bool:
        return code in self.entries

    def label_of(self, code: str, language: str = "zh") -> str | None:
        """Label of a code in ``zh`` or ``en``; None for a code that is not in the list."""
        entry = self.entries.get(code)
        if entry is None:
            return None
        return entry.zh if language == "zh" else entry.en

    @property
    def retired(self) -> frozenset[str]:
        """Codes that should no longer be chosen."""
        return frozenset(code for code, entry in self.entries.items() if entry.retired)


def read_code_list(document: Mapping[str, Any]) -> CodeList:
    """Build a code list from its JSON document.

    Raises
    ------
    DefinitionError
        A key is missing, a code is repeated, or a parent or replacement is not in the list.
    """
    name = f"codelists/{document.get('name', '?')}"
    for key in ("name", "label", "source", "entries"):
        if key not in document:
            raise DefinitionError(name, "", f"{key} is missing")
    entries: dict[str, Code] = {}
    for position, item in enumerate(document["entries"]):
        pointer = f"/entries/{position}"
        try:
            code = Code(
                code=item["code"],
                zh=item["zh"],
                en=item["en"],
                parent=item.get("parent"),
                group=item.get("group"),
                retired=bool(item.get("retired", False)),
                replaced_by=item.get("replaced_by"),
            )
        except KeyError as missing:
            raise DefinitionError(name, pointer, f"{missing.args[0]} is missing") from missing
        if not isinstance(code.code, str) or not code.code or any(c.isspace() for c in code.code):
            raise DefinitionError(name, f"{pointer}/code", "a code is text without spaces")
        if code.code in entries:
            raise DefinitionError(name, f"{pointer}/code", "the code is repeated")
        entries[code.code] = code
    for position, code in enumerate(entries.values()):
        for key, other in (("parent", code.parent), ("replaced_by", code.replaced_by)):
            if other is not None and other not in entries:
                raise DefinitionError(name, f"/entries/{position}/{key}", "names a code that is not in the list")
    return CodeList(
        name=document["name"],
        label=document["label"],
        standard=document.get("standard"),
        source=document["source"],
        note=document.get("note", ""),
        entries=entries,
        document=document,
    )
