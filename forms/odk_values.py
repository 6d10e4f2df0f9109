"""Values as ODK writes them: text in an entity list, text in an answer. Comparing both tells what a worker changed.

Answers are compared as values, not as letters: a phone writes ``5.0`` where the list had ``5``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from forms.definition import FieldSpec

_SEPARATORS = re.compile(r"[;；\n]+")


def text_of(spec: FieldSpec, value: Any) -> str:
    """A stored value as the text of an entity list; empty where there is none or it may not be shown."""
    if value is None or spec.privacy == "secret":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if spec.type == "location":
        return _geopoint(value) if isinstance(value, Mapping) else ""
    if isinstance(value, list):
        return ("；" if spec.type == "text_set" else " ").join(str(one) for one in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def value_of(spec: FieldSpec, text: str) -> Any:
    """An answer as a value of its field; None for an empty answer.

    What cannot be read stays the text that it is: it is judged with everything else, and kept (S17).
    """
    text = text.strip()
    if not text:
        return None
    if spec.type == "boolean":
        return {"true": True, "false": False, "1": True, "0": False}.get(text, text)
    if spec.type == "integer":
        return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else text
    if spec.type == "decimal":
        return _number(text)
    if spec.type == "select_multiple":
        return list(dict.fromkeys(text.split()))
    if spec.type == "text_set":
        return list(dict.fromkeys(one.strip() for one in _SEPARATORS.split(text) if one.strip()))
    if spec.type == "location":
        return _location(text)
    if spec.type == "date":
        return text[:10]
    return text


def same(spec: FieldSpec, answer: str, shown: str) -> bool:
    """Whether an answer says what was shown."""
    if answer.strip() == shown.strip():
        return True
    one, other = value_of(spec, answer), value_of(spec, shown)
    if spec.type == "datetime":
        return bool(_instant(one) == _instant(other))
    if spec.type == "location" and isinstance(one, dict) and isinstance(other, dict):
        return bool((one["lon"], one["lat"]) == (other["lon"], other["lat"]))
    if spec.type in ("select_multiple", "text_set") and isinstance(one, list) and isinstance(other, list):
        return set(one) == set(other)
    return bool(one == other)


def change(spec: FieldSpec, policy: str, answer: str, shown: str) -> Any:
    """What goes into ``set`` for a touched answer: the new value, or what was done to a set or an amount (docs/protocol.md §4)."""
    new, old = value_of(spec, answer), value_of(spec, shown)
    if policy == "union" and (old is None or isinstance(old, list)) and (new is None or isinstance(new, list)):
        had, has = old or [], new or []
        return {"add": [one for one in has if one not in had], "remove": [one for one in had if one not in has]}
    if policy == "add" and old is not None and _is_number(old) and _is_number(new):
        return {"delta": round(new - old, 9)}
    return new


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> Any:
    try:
        found = float(text)
    except ValueError:
        return text
    return (int(found) if found.is_integer() and abs(found) < 1e15 else found) if math.isfinite(found) else text


def _geopoint(value: Mapping[str, Any]) -> str:
    """Latitude, longitude, height, accuracy. CGCS2000 and WGS 84 differ by less than any phone can measure."""
    if "lon" not in value or "lat" not in value:
        return ""
    return f"{value['lat']:.7f} {value['lon']:.7f} 0 {value.get('accuracy_m', 0)}"


def _location(text: str) -> Any:
    parts = [_number(one) for one in text.split()]
    if len(parts) < 2 or not all(_is_number(one) for one in parts):
        return text
    found = {"lon": round(parts[1], 7), "lat": round(parts[0], 7), "datum": "wgs84", "method": "gps"}
    if len(parts) > 3 and parts[3] > 0:
        # Android tells the radius that holds the place in 68 of 100 cases.
        found |= {"accuracy_m": parts[3], "confidence": 0.68}
    return found


def _instant(value: Any) -> Any:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return value
    return found.timestamp() if found.tzinfo is not None else value
