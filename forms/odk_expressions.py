"""Our expressions as ODK's form engines have to read them to mean the same; compared in tests/test_forms_expression_oracle.py.

Two things are said otherwise. A pattern asks the whole text with us and in Collect, anywhere in the text in ODK Web Forms: with
both ends said, all agree. A day plus days is a day with us, a number of days since 1970 there: ``date()`` makes it a day
again, where there is a day to begin with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forms.expression_text import text_of
from forms.expressions import Node, parse


def odk_text(expression: str, types: Mapping[str, str], own: str | None = None) -> str:
    """The text of an expression for an XForm.

    Parameters
    ----------
    expression : str
        In our grammar; the empty one stays empty.
    types : mapping
        Field name to field type.
    own : str, optional
        Type of the field that ``.`` stands for.

    Returns
    -------
    str
        As written where both read it alike.
    """
    if not expression:
        return expression
    tree = parse(expression)
    said = odk_tree(tree, types, own)
    return expression if said == tree else text_of(said)


def odk_tree(tree: Mapping[str, Any], types: Mapping[str, str], own: str | None = None) -> Node:
    """The same of a tree."""
    if "args" not in tree:
        return dict(tree)
    name, arguments = tree["call"], [odk_tree(each, types, own) for each in tree["args"]]
    if name == "regex":
        return {"call": name, "args": [arguments[0], {"lit": f"^(?:{tree['args'][1]['lit']})$"}]}
    made = {"call": name, "args": arguments}
    if name not in ("+", "-") or not _is_day(tree, types, own):
        return made
    day = arguments[0] if _is_day(tree["args"][0], types, own) else arguments[1]
    nothing: Node = {"lit": ""}
    return {"call": "if", "args": [{"call": "=", "args": [day, nothing]}, nothing, {"call": "date", "args": [made]}]}


def _is_day(tree: Mapping[str, Any], types: Mapping[str, str], own: str | None) -> bool:
    if "lit" in tree:
        return False
    if "field" in tree or "self" in tree:
        return (types.get(tree["field"]) if "field" in tree else own) == "date"
    name, arguments = tree["call"], tree["args"]
    days = [_is_day(each, types, own) for each in arguments]
    if name in ("+", "-"):
        return any(days) and not all(days)
    return name in ("today", "date", "resident-id-birth") or (name in ("if", "coalesce") and any(days[int(name == "if") :]))
