"""Conditions across units: checked after the merge, raised as findings, never a rejection (S7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any

from forms.calculation import checked, differing
from forms.compiled import Predicate, Rules, compile_condition, compile_rules
from forms.definition import Labels, RecordType
from forms.expressions import fields_used

RETIRED_CODE = "retired_code"
CALCULATION = "_calculation"
"""Ends the name of the finding that a calculated field holds something else than the answers come to."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at again. ``name`` is stable within the record type; messages carry no value."""

    name: str
    message_zh: str
    message_en: str
    fields: tuple[str, ...]


def findings(
    record_type: RecordType, fields: Mapping[str, Any], today: date, changed: Collection[str] | None = None
) -> list[Finding]:
    """What is implausible about a merged record.

    Parameters
    ----------
    record_type : RecordType
        Its cross-field constraints are checked in order, then its fields for retired codes, then its calculated fields.
    fields : mapping
        Plain merged values, secret ones in clear. An absent field is null.
    today : datetime.date
        The community's day, decided by the caller.
    changed : collection of str, optional
        Check only what reads one of these fields. None checks everything.

    Returns
    -------
    list of Finding
        Empty for a plausible record. One ``retired_code`` for each field that holds one.
    """
    if changed is None:
        rules, coded, broken = _rules(record_type)
        found = [rules[at][2] for at in broken(fields, today)]
    else:
        touched, coded = _rules_reading(record_type, frozenset(changed))
        found = [finding for holds, _, finding in touched if not holds(fields, today)]
    for name, retired, finding in coded:
        value = fields.get(name)
        if value is None:
            continue
        if (
            (value in retired)
            if isinstance(value, str)
            else (isinstance(value, list) and not retired.isdisjoint(value))
        ):
            found.append(finding)
    if checked(record_type):
        found += [_differs(record_type, name) for name in differing(record_type, fields, today, changed)]
    return found


def message_of(record_type: RecordType, name: str) -> Labels | None:
    """The words of a finding of ``findings`` by its name; None where the type has none of that name, and for retired codes."""
    found = next((rule.message for rule in record_type.constraints if rule.name == name), None)
    field = name.removesuffix(CALCULATION)
    if found is None and field != name and any(one.spec.name == field for one in checked(record_type)):
        differs = _differs(record_type, field)
        found = {"zh": differs.message_zh, "en": differs.message_en}
    return found


def _differs(record_type: RecordType, name: str) -> Finding:
    label = record_type.fields[name].label
    return Finding(f"{name}{CALCULATION}", f"{label['zh']}与按答案计算的结果不一致", f"{label['en']} is not what the answers come to", (name,))


_Rule = tuple[Predicate, frozenset[str], Finding]
_Coded = tuple[str, frozenset[str], Finding]


@lru_cache(maxsize=1024)
def _rules_reading(record_type: RecordType, changed: frozenset[str]) -> tuple[tuple[_Rule, ...], tuple[_Coded, ...]]:
    """Those that read one of these fields: few sets of fields make up nearly all changes."""
    rules, coded, _ = _rules(record_type)
    return tuple(one for one in rules if not one[1].isdisjoint(changed)), tuple(one for one in coded if one[0] in changed)


@cache
def _rules(record_type: RecordType) -> tuple[tuple[_Rule, ...], tuple[_Coded, ...], Rules]:
    rules = tuple(
        (
            compile_condition(rule.tree),
            fields_used(dict(rule.tree)),
            Finding(rule.name, rule.message["zh"], rule.message["en"], rule.fields),
        )
        for rule in record_type.constraints
    )
    coded = tuple(
        (
            spec.name,
            spec.codes.retired,
            Finding(
                RETIRED_CODE, f"{spec.label['zh']}使用了停用代码", f"{spec.label['en']}: a retired code", (spec.name,)
            ),
        )
        for spec in record_type.fields.values()
        if spec.codes is not None and spec.codes.retired
    )
    return rules, coded, compile_rules([rule.tree for rule in record_type.constraints])
