"""What a row of a table changes in a record: beside the record alone, and beside what an earlier table of the same kind said.

Pure. Beside earlier tables only cells that differ from it count: what somebody else has written since is not put back by a cell that
nobody touched, and where both changed the same fact, both values are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from forms.definition import FieldSpec, RecordType
from server.services.sheet_earlier import Said

Values = Mapping[str, Any]
_SETS = ("text_set", "select_multiple")


@dataclass(frozen=True, slots=True)
class Difference:
    """``write``: values for the record as it is. ``against``: corrected cells whose fact somebody has changed since. ``kept``: names of facts
    that somebody has changed since, and the table says as before."""

    write: dict[str, Any] = field(default_factory=dict)
    against: dict[str, Any] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


def difference(values: Values, stored: Values, form: RecordType) -> dict[str, Any]:
    """The values that a record does not have yet. Sets only grow, notes are added to, an empty cell clears nothing."""
    changed: dict[str, Any] = {}
    for name, value in values.items():
        spec, had = form.fields[name], stored.get(name)
        if spec.privacy == "secret":
            if had is None:
                changed[name] = value
        elif spec.type in _SETS:
            more = [one for one in value if one not in (had or [])]
            if more:
                changed[name] = {"add": more, "remove": []}
        elif _appends(form, spec):
            if value not in (had or ""):
                changed[name] = f"{had}\n{value}" if had else value
        elif value != had:
            changed[name] = value
    return changed


def unseen(changed: Values, stored: Values, form: RecordType, others: Callable[[str], bool]) -> Difference:
    """What `difference` found, where nothing is kept of what a table said of these facts before.

    A value that somebody wrote by hand, and that this one would replace, may be the newer one: it stays, or both are told where people
    decide on the fact anyhow.
    """
    found = Difference()
    for name, value in changed.items():
        spec, unit = form.fields[name], form.unit_of[name]
        grows = spec.type in _SETS or _appends(form, spec) or stored.get(name) is None
        if not grows and others(unit) and form.units[unit].policy == "last":
            found.kept.append(name)
        else:
            (found.write if grows or not others(unit) else found.against)[name] = value
    return found


def corrected(
    values: Values, said: Said, stored: Values, form: RecordType, others: Callable[[str], bool], *, secrets: Values | None = None
) -> Difference:
    """The same beside what earlier tables that were written said of the record.

    A fact that somebody has written since keeps its value where any of them said the same as the table now, and no value that was taken
    out of a set comes back. A fact that none of them had a column for is judged as `unseen` does.

    Parameters
    ----------
    others : unit → whether somebody else than a table has written it last
    secrets : secret values that the record is known to hold; a record shows none
    """
    found = Difference()
    for name, value in values.items():
        spec, had = form.fields[name], stored.get(name)
        unit, before, more = form.unit_of[name], said.values.get(name), said.others.get(name, ())
        missing = difference({name: value}, stored, form)
        if before is None and name not in said.columns:
            new = unseen(missing, stored, form, others)
            found.write.update(new.write)
            found.against.update(new.against)
            found.kept.extend(new.kept)
        elif value == before or (value in more and others(unit)):
            found.kept.extend(missing)
        elif spec.privacy == "secret":
            if missing and had is None:
                found.write.update(missing)
            elif (secrets or {}).get(name) != value:
                (found.against if others(unit) else found.write)[name] = value
        elif spec.type in _SETS:
            hand, once = others(unit), {one for every in (before or (), *more) for one in every}
            add = [one for one in missing.get(name, {}).get("add", []) if not (hand and one in once)]
            gone = [] if hand else [one for one in before or () if one not in value and one in (had or [])]
            if add or gone:
                found.write[name] = {"add": add, "remove": gone}
            elif missing:
                found.kept.append(name)
        elif _appends(form, spec):
            if had and before and before in had:
                found.write[name] = had.replace(before, value, 1)
            else:
                found.write.update(missing)
        elif missing:
            (found.against if had != before and others(unit) else found.write).update(missing)
    return found


def _appends(form: RecordType, spec: FieldSpec) -> bool:
    return form.units[form.unit_of[spec.name]].policy == "append"
