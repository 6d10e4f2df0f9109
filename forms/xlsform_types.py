"""What a cell of the column ``type`` asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from forms.metadata import SPELLINGS

_SELECT = re.compile(
    r"(?P<how>select[_ ]?one(?: from)?|select1|select[_ ]multiple(?: from)?|select all that apply(?: from)?)\s+"
    r"(?P<list>\S+)(?P<other>\s+(?:or[_ ]other|or specify other))?",
    re.IGNORECASE,
)
_STRUCTURE = re.compile(r"(?P<end>begin|end)[_ ]?(?P<what>group|repeat|lgroup|looped group|loop)", re.IGNORECASE)
_SIMPLE = {
    "text": "text", "string": "text", "integer": "integer", "int": "integer", "decimal": "decimal", "date": "date",
    "datetime": "datetime", "geopoint": "location", "gps": "location", "location": "location", "note": "note", "calculate": "calculate",
}  # fmt: skip
_MEDIA = {"image", "photo", "audio", "video", "file", "background-audio", "signature", "draw", "annotate"}
_LINES = {"geotrace", "geoshape", "start-geotrace", "start-geoshape"}


@dataclass(frozen=True, slots=True)
class Asked:
    """``kind``: a field type, or note, calculate, begin, end, metadata, or refused; ``list_name`` of a selection; ``metadata`` its kind;
    ``or_other``: another answer in words may be given.

    ``refusal`` is the code of why the type cannot be imported; ``begin`` and ``end`` of a repeat keep their kind.
    """

    kind: str
    list_name: str | None = None
    refusal: str | None = None
    metadata: str | None = None
    or_other: bool = False


def read_type(text: str) -> Asked:
    """What a type asks for, aliases of older workbooks included."""
    plain = " ".join(text.split())
    lower = plain.lower()
    structure = _STRUCTURE.fullmatch(lower)
    if structure:
        repeats = structure["what"] != "group" and structure["end"] == "begin"
        return Asked(structure["end"], refusal="type_repeat" if repeats else None)
    select = _SELECT.fullmatch(plain)
    if select:
        one = (
            select["how"]
            .lower()
            .replace("_", " ")
            .replace("selectone", "select one")
            .startswith(("select one", "select1"))
        )
        return Asked("select_one" if one else "select_multiple", select["list"], or_other=bool(select["other"]))
    if lower in _SIMPLE:
        return Asked(_SIMPLE[lower])
    first = lower.split(" ")[0]
    if lower in SPELLINGS:
        return Asked("metadata", metadata=SPELLINGS[lower])
    if first in _MEDIA:
        return Asked("refused", refusal="type_media")
    if first in (
        "select_one_external",
        "select_one_from_file",
        "select_multiple_from_file",
        "csv-external",
        "xml-external",
    ):
        return Asked("refused", refusal="type_external")
    if lower in _LINES:
        return Asked("refused", refusal="type_line")
    if lower in ("select_one", "select_multiple", "select one", "select multiple"):
        return Asked("refused", refusal="list_missing")
    return Asked("refused", refusal="type_unsupported")
