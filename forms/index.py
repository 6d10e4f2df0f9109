"""What of a record can be searched, and what of a secret may be shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

from forms.definition import FieldSpec, RecordType

_WIDE = re.compile("[\uff01-\uff5e\u3000]")
_HAN = re.compile("[\u4e00-\u9fff]+").fullmatch
_HALF_WIDTH: dict[int, int] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_NOT_DIALLED = re.compile(r"[\s\-()‐-―−]+")


def normalise_for_search(text: str, format: str | None = None) -> str:
    """The form under which a text is stored in an index and looked up.

    Half-width, NFC, case-folded, spaces at the edges stripped and inside made one. Format ``phone`` also drops
    spaces, dashes and brackets, ``identifier`` drops spaces. Idempotent. Empty in, empty out.
    """
    if _HAN(text):
        return text  # already as it is looked up: most names
    if not text.isascii():
        if _WIDE.search(text):
            text = text.translate(_HALF_WIDTH)
        # Case folding may leave a text that is not composed; composing may leave one that is not folded (once).
        text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).casefold()
        text = unicodedata.normalize("NFC", text)
    else:
        text = text.casefold()
        if text.isalnum():
            return text  # nothing to strip or to drop: most numbers
    if format == "phone":
        return _NOT_DIALLED.sub("", text)
    return ("" if format == "identifier" else " ").join(text.split())


def index_entries(record_type: RecordType, fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Index rows of a merged record.

    Parameters
    ----------
    record_type : RecordType
    fields : mapping
        Plain normalised values; secret ones in clear (the caller hashes what ``secret_fields`` names).

    Returns
    -------
    list of (field name, normalised text)
        One for each value of an indexed field, one per element of a set; none for nulls. No pair twice.
    """
    entries: list[tuple[str, str]] = []
    for name, format in _indexed(record_type):
        value = fields.get(name)
        if value is None:
            continue
        if type(value) is str:
            text = normalise_for_search(value, format)
            if text:
                entries.append((name, text))
        elif type(value) is list and len(value) == 1 and type(value[0]) is str:
            text = normalise_for_search(value[0], format)
            if text:
                entries.append((name, text))
        elif isinstance(value, list):
            texts = (normalise_for_search(item, format) for item in value if isinstance(item, str))
            entries.extend((name, text) for text in dict.fromkeys(texts) if text)
        elif type(value) is int:
            entries.append((name, str(value)))
    return entries


def mask_value(spec: FieldSpec, value: str | None) -> dict[str, str | None]:
    """What may be shown of a secret: ``{"mask": "****1234"}``.

    The stars are always four, so that they do not tell the length. A value shorter than twice the characters to
    keep shows nothing of itself. Null gives ``{"mask": None}``. A field that is not secret has no mask: also nothing shown.
    """
    if value is None:
        return {"mask": None}
    start, end = (spec.mask.keep_start, spec.mask.keep_end) if spec.mask is not None else (0, 0)
    if len(value) < 2 * (start + end):
        start = end = 0
    return {"mask": value[:start] + "****" + (value[-end:] if end else "")}


@cache
def _indexed(record_type: RecordType) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, record_type.fields[name].format) for name in record_type.indexed_fields)
