"""docs/forms.md, written from the declarations: ``python -m forms.document > docs/forms.md``. A test holds it current."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from forms.codelist import CodeList
from forms.definition import FieldSpec, RecordType
from forms.derived import DERIVED
from forms.document_reasons import reasons, why_of
from forms.dwelling_facts import ARRANGEMENTS, OLD_FROM, PERSON_STATES
from forms.observed import DISAGREEMENTS
from forms.question import Question
from forms.registry import Registry, load_registry
from forms.roster import Roster
from forms.values import MESSAGES
from forms.visits import visit_rules

HEAD = """# Forms: what is recorded

Written from `forms/` by `python -m forms.document > docs/forms.md`; edit the definitions, not this page.

- **Privacy**: `public` may be shown to anyone; `internal` to staff; `personal` to those who work with people, every look
  audited; `secret` is sealed when stored, found by a keyed hash, and shown masked.
- **Unit**: what merges as one. A field is its own unit unless another is named.
- **Policy** of a unit written by two people at once: `last` the later arrival; `keep` the earlier; `review` a person decides;
  `max`, `min` the greater or smaller; `union` elements added and removed one by one; `append` both texts; `add` both movements.
  An *exclusive* unit is a relation that a record can have once only.
- **Flags**: R required when created, I searchable, K identifies the subject (duplicates are looked for by it).
- Codes are append-only. A *retired* code is accepted, because phones that were offline still write it, and raises the
  finding `retired_code`.
- The check digit of an ID number or credit code, and everything that depends on the day or on several fields, raises a
  *finding* and never refuses: a record that somebody wrote at a door is kept, and looked at again. Of an ID number only check
  digit and date are judged; the area code is a hint, and 15-digit numbers cannot be confirmed.
- Unknown fields are kept and returned, never an error. An unknown form version is held until its form arrives.
- Special surveys come as workbooks: [xlsform.md](xlsform.md).
"""

EXPRESSIONS = """## Expressions

A subset of XLSForm, read once into a JSON tree; devices receive the tree. Every evaluator passes `tests/vectors/expressions`.

```text
expression     = conjunction *( "or" conjunction )          ; all of these from left to right
conjunction    = equality *( "and" equality )
equality       = comparison *( ( "=" / "!=" ) comparison )
comparison     = sum *( ( "<" / "<=" / ">" / ">=" ) sum )
sum            = product *( ( "+" / "-" ) product )
product        = negation *( ( "*" / "div" / "mod" ) negation )
negation       = "-" negation / primary
primary        = number / text / field / "." / "(" expression ")" / call
call           = function "(" [ expression *( "," expression ) ] ")"
field          = "${" name "}"                              ; . is the field's own value, in a constraint
number         = 1*DIGIT [ "." 1*DIGIT ] / "." 1*DIGIT
text           = "'" *( any but "'" ) "'" / DQUOTE *( any but DQUOTE ) DQUOTE
```

At most 4,000 characters, nested at most 40 deep. White space may stand between any two of these.

- Tree: `{"lit": value}`, `{"field": name}`, `{"self": true}` for `.`, `{"call": name, "args": [...]}`; operators are calls under
  their own name, unary minus is `neg`.
- Loosest to tightest, left to right: `or`, `and`, `= !=`, `< <= > >=`, `+ -`, `* div mod`, unary `-`.
- `if(c, a, b)`, `coalesce(a, b, …)`, `not`, `true()`, `false()`, `number`, `selected(set, code)`, `count-selected`,
  `regex(text, 'pattern')`, `string-length`, `starts-with`, `contains`, `today()`, `date`. Beyond XLSForm:
  `years-between(day, day)`, `resident-id-ok`, `resident-id-birth`, `resident-id-sex`, `credit-code-ok`.
- Nothing: null, an empty text and an empty list are the same. Nothing equals only nothing; an ordering with nothing is
  false; a sum with nothing is nothing; nothing is false. False and zero are false, everything else is true.
- `=` compares as numbers if either side is a number or a boolean (text that is no number is equal to none); otherwise as text.
- An ordering holds between numbers, texts that are numbers, and ISO days or UTC times; between anything else it
  is false. A day with a time is compared by the day that it is in China then (UTC+8), which is also what `date` gives of a time:
  the same day as `today()`, at any hour.
- Sums are done in double precision; a result that is not finite is nothing, `div` by zero too; whole results up to 2^53 are
  integers. `mod` has the sign of its left side. Day minus day is a number of days; day plus or minus whole days is a day.
- `regex` matches the whole text, ASCII classes, with a literal pattern of what Python and ECMAScript share: no look-around, no
  back references, no repeated groups, no `\\s` and `\\b`. `string-length` counts code points.
- A constraint sees its own value (`.`) and not the day. Cross-field constraints and relevance see all fields.

### Where XPath of ODK differs

The common subset is compared with ODK's own form engine (`@getodk/xforms-engine`, `tests/test_forms_expression_oracle.py`; `make test-long`
compares thousands). It gives the same values but for these:

- `regex` asks anywhere in the text there, and `day + days` is a number of days since 1970. What goes out to ODK Collect is
  therefore written `regex(…, '^(?:…)$')` and `if(day = '', '', date(day + days))`, and means the same (`forms/odk_expressions.py`).
- `--x` is written `-(-x)`, because that engine reads no two minus signs in a row.
- A sum that is nothing with us (no number in it, division by zero) is NaN or Infinity there: `NaN != NaN` holds, `coalesce(1 div 0, 2)` is Infinity.
- An answer by itself as a condition (`if(${a}, …)`, `not(${a})`) asks there whether the question exists, here whether it has an answer
  other than false and 0. Write `${a} != ''`.
- Two answers of different types are compared as texts there (`2` and `2.0` differ). Write `number(${a})`.
- A time has the day of the device's own zone there, which is China's on a phone in China; here it is China's wherever a server stands.
- `string-length` counts UTF-16 units there, code points here; `number` reads `1e3` and days there, neither here.
"""


def forms_page(registry: Registry) -> str:
    """The whole page as Markdown, ending in one line feed."""
    parts = [HEAD]
    for name in registry.types():
        parts.append("\n".join(_record_type(registry.latest(name))) + "\n")
    parts.append("\n".join(reasons(registry)) + "\n")
    parts.append("\n".join(_code_lists(registry.codelists().values())) + "\n")
    parts.append("\n".join(_rosters(registry.rosters().values())) + "\n")
    parts.append("\n".join(_questions(registry.questions().values())) + "\n")
    parts.append("\n".join(_dwelling_facts()) + "\n")
    parts.append("\n".join(_visit_rules()) + "\n")
    parts.append(EXPRESSIONS)
    parts.append("\n".join(_errors()) + "\n")
    return "\n".join(parts)


def _record_type(record_type: RecordType) -> Iterator[str]:
    yield f"## `{record_type.name}` {record_type.label['zh']} · {record_type.label['en']}, version {record_type.version}"
    yield ""
    if record_type.note:
        yield record_type.note
        yield ""
    if record_type.server_made:
        yield "- Made by the server; a client never writes it."
    yield f"- Placed by: {_names(record_type.placed_by)}"
    yield f"- Waits for (held until they exist): {_names(record_type.parents)}"
    sealed = {None: "the community's key", "self": "its own key"}.get(
        record_type.subject, f"the key of its `{record_type.subject}`"
    )
    yield f"- Sealed with {sealed}"
    yield ""
    yield "| Field | 名称 · Label | Type | Unit | Policy | Privacy | Why | Flags | Note |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for spec in record_type.fields.values():
        unit = record_type.units[spec.unit]
        policy = unit.policy + (", exclusive" if unit.exclusive else "")
        flags = "".join(letter for letter, on in _flags(spec) if on)
        yield (
            f"| `{spec.name}` | {spec.label['zh']} · {spec.label['en']} | {_type(spec)} | "
            f"{'' if unit.name == spec.name else f'`{unit.name}`'} | {policy} | {spec.privacy} | "
            f"[{why_of(record_type, spec)}](#why-these-policies-and-classes) | {flags} | {_note(spec)} |"
        )
    if record_type.constraints:
        yield ""
        yield "| Finding | 提示 · Meaning | Holds when |"
        yield "|---|---|---|"
        for rule in record_type.constraints:
            yield f"| `{rule.name}` | {rule.message['zh']} · {rule.message['en']} | `{rule.text}` |"


def _flags(spec: FieldSpec) -> tuple[tuple[str, bool], ...]:
    return (("R", spec.required), ("I", spec.indexed), ("K", spec.identifying))


def _type(spec: FieldSpec) -> str:
    if spec.codelist is not None:
        return f"{spec.type} [`{spec.codelist}`](#code-lists)"
    if spec.ref_type is not None:
        return f"ref `{spec.ref_type}`"
    return spec.type if spec.format is None else f"{spec.type} ({spec.format})"


def _note(spec: FieldSpec) -> str:
    notes = [spec.note, spec.standard, None if spec.measure is None else f"in {spec.measure}"]
    if spec.min is not None or spec.max is not None:
        notes.append(f"{'' if spec.min is None else spec.min} to {'' if spec.max is None else spec.max}")
    if spec.max_length is not None:
        notes.append(f"≤ {spec.max_length} characters")
    if spec.mask is not None:
        notes.append(f"mask keeps the last {spec.mask.keep_end}")
    if spec.constraint is not None:
        notes.append(f"`{spec.constraint.text}`")
    return "; ".join(note for note in notes if note).replace("|", "\\|")


def _code_lists(lists: Iterable[CodeList]) -> Iterator[str]:
    yield "## Code lists"
    yield ""
    yield "| List | 名称 · Label | Codes | Standard | Source | Note |"
    yield "|---|---|---|---|---|---|"
    for found in sorted(lists, key=lambda item: item.name):
        retired = "".join(f" Retired: `{code}`." for code in sorted(found.retired))
        yield (
            f"| `{found.name}` | {found.label['zh']} · {found.label['en']} | {len(found.entries)} | {found.standard or 'our own'} | "
            f"{found.source} | {found.note}{retired} |"
        )


def _rosters(rosters: Iterable[Roster]) -> Iterator[str]:
    yield "## Rosters"
    yield ""
    yield "A column follows ref fields from the base record to one field; of several paths the first with a value wins. Its privacy"
    yield "is the strictest of all that the path passes through. Derived: " + _names(sorted(DERIVED)) + "."
    for roster in sorted(rosters, key=lambda item: item.name):
        yield ""
        yield f"### `{roster.name}` {roster.label['zh']} · {roster.label['en']}, of `{roster.base}`"
        yield ""
        order = ", ".join(f"`{name}`" + (" descending" if descending else "") for name, descending in roster.sort)
        yield f"Sorted by {order}."
        yield ""
        yield "| Column | 名称 · Label | From | Privacy | Filters |"
        yield "|---|---|---|---|---|"
        for column in roster.columns:
            paths = ", else ".join("`" + ".".join(path) + "`" for path in column.paths if path)
            if column.derived is not None:
                paths = f"derived `{column.derived}`" + (f" of {paths}" if paths else "")
            filters = " ".join(sorted(roster.filters.get(column.name, ())))
            yield f"| `{column.name}` | {column.label['zh']} · {column.label['en']} | {paths} | {column.privacy} | {filters} |"


def _visit_rules() -> Iterator[str]:
    rules = visit_rules()
    yield "## Visit rules"
    yield ""
    yield "Who is to be seen how often (`forms/rules/visits.json`, `forms/visits.py`; twin `web/shared/forms/visits.ts`). A household follows the"
    yield "group with the fewest days that it is in; a community may lay rules of its own over these (`PUT …/rules/visits`,"
    yield "`dishu rules set`, 待办 → 走访 at the console), in force without a restart."
    yield "Seen is who was met in a visit, or whose household was confirmed or changed. An agreed day takes the place of the rule's."
    yield f"After a failed try the next is due {rules.retry_days} day later, at another part of the day; after {rules.escalate_after}, or when somebody"
    yield "refused or moved away, the household is also listed for the office and counted in its inbox. A visit that meets somebody resets all of it."
    yield ""
    yield "| Group | 名称 · Label | Every … days | Of whom |"
    yield "|---|---|---|---|"
    for group in rules.groups:
        asked = {name: getattr(group, name) for name in ("arrangements", "occupancies", "care_levels", "care_kinds")}
        words = [f"{name} {_names(sorted(codes))}" for name, codes in asked.items() if codes is not None]
        words += [f"somebody of {group.age_from} or more"] if group.age_from is not None else []
        yield f"| `{group.name}` | {group.label['zh']} · {group.label['en']} | {group.every_days} | {'; '.join(words) or 'everybody'} |"
    yield ""
    yield f"Outcomes: seen {_names(sorted(rules.seen))}; failed {_names(sorted(rules.failed))}; for the office {_names(sorted(rules.office))}."


def _questions(questions: Iterable[Question]) -> Iterator[str]:
    yield "## Questions"
    yield ""
    yield "What an office asks every week (`forms/questions/`): a roster with filters, days counted from the day that asks."
    yield ""
    yield "| Question | 问题 | Answered by |"
    yield "|---|---|---|"
    for question in questions:
        lists = [f"`{one.roster}`: " + ", ".join(_condition(item) for item in one.filters) for one in question.lists]
        told = "; ".join(lists) if lists else f"the queue `{question.queue}`"
        asked = f"; asks for {_names(question.ask)}" if question.ask else ""
        yield f"| `{question.name}` | {question.label['zh']} | {told}{asked} |"


def _condition(item: Mapping[str, Any]) -> str:
    value = item["value"]
    if isinstance(value, Mapping):
        value = value["relative"] + (f" {value['days']:+d} days" if "days" in value else "")
    return f"{item['column']} {item['op']} {' '.join(map(str, value)) if isinstance(value, list) else value}"


def _dwelling_facts() -> Iterator[str]:
    yield "## Derived from a dwelling"
    yield ""
    yield "Computed from all persons who live or are registered behind a door, of whichever household; never asked. The dead are not"
    yield f"counted; who is away for long is counted where they went. Old is {OLD_FROM} completed years; a missing birth date that decides"
    yield "gives `unknown`. A registration hangs (空挂) where nobody of the register lives in the dwelling any more."
    yield "A grid worker is not told who lives behind a door of somebody else's cells: whether a registration there hangs is unknown from here, and such"
    yield "a person reads 户在人不在, which is so either way; the office reads 空挂 where it is that."
    for kind, words in (("Person", PERSON_STATES), ("Dwelling", ARRANGEMENTS)):
        yield ""
        yield f"| {kind} | 名称 | Meaning |"
        yield "|---|---|---|"
        yield from (f"| `{name}` | {zh} | {en} |" for name, (zh, en) in words.items())
    yield ""
    yield "What somebody asked or saw and what follows from the records may disagree: then the secretary has a finding (kind `derived`),"
    yield "which closes when they agree again. The server compares the cells that changed within a minute, and every cell once a day, because"
    yield "ages change without a write. What is unknown contradicts nothing; a visit counts until somebody writes or confirms a member anew."
    yield ""
    yield "| Finding | 提示 | Meaning |"
    yield "|---|---|---|"
    yield from (f"| `{name}` | {words['zh']} | {words['en']} |" for name, words in DISAGREEMENTS.items())


def _errors() -> Iterator[str]:
    yield "## Error codes of values"
    yield ""
    yield "Each comes with a JSON pointer into the operation and never with the value."
    yield ""
    yield "| Code | 提示 | Message |"
    yield "|---|---|---|"
    for code, (zh, en) in MESSAGES.items():
        yield f"| `{code}` | {zh} | {en} |"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


if __name__ == "__main__":
    sys.stdout.write(forms_page(load_registry()))
