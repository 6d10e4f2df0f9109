"""Reading a definition document into a RecordType, refusing what cannot be true.

A refusal names the JSON pointer. Documents come from forms/definitions and from special surveys.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

from forms.codelist import CodeList
from forms.definition import (
    FIELD_TYPES,
    OWN_ANCHOR,
    POLICIES,
    PRIVACY_CLASSES,
    TEXT_FORMATS,
    Constraint,
    CrossConstraint,
    FieldSpec,
    Labels,
    Mask,
    RecordType,
    Screen,
    ScreenNote,
    UnitSpec,
    View,
)
from forms.errors import DefinitionError, ExpressionError, UnknownCodeList
from forms.expressions import fields_used, parse, uses_today
from forms.metadata import read_metadata
from forms.values import Refused, check_for

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_FIELD_KEYS = frozenset(
    ["name", "type", "unit", "policy", "exclusive", "label", "privacy", "required", "indexed", "identifying", "format", "codelist",
     "ref_type", "constraint", "relevant", "calculation", "measure", "min", "max", "max_length", "mask", "standard", "source", "note",
     "hint", "default"]
)  # fmt: skip
_TYPE_KEYS = frozenset(
    ["name", "version", "label", "note", "server_made", "subject", "placed_by", "parents", "audience", "fields", "units",
     "constraints", "views", "metadata"]
)  # fmt: skip
#: Policies that need a certain kind of value.
_POLICY_TYPES = {
    "union": {"text_set", "select_multiple"},
    "append": {"text"},
    "add": {"integer", "decimal"},
    "max": {"integer", "decimal", "date", "datetime"},
    "min": {"integer", "decimal", "date", "datetime"},
}
_SETS = {"text_set", "select_multiple"}
#: Types that a new record cannot start with a value of.
_NO_DEFAULT = {"text_set", "ref", "location"}


def read_record_type(document: Mapping[str, Any], codelist: Callable[[str], CodeList]) -> RecordType:
    """Build a record type from its definition document.

    Parameters
    ----------
    document : mapping
        As in forms/definitions; expressions are text.
    codelist : callable
        Finds a code list by name, raises ``UnknownCodeList``.

    Raises
    ------
    DefinitionError
        With the pointer of the first thing that is wrong.
    """
    reader = _Reader(document, codelist)
    try:
        return reader.read()
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as wrong:
        raise reader.fail("", f"the document is malformed: {type(wrong).__name__} {wrong}") from wrong


class _Reader:
    """One reading of one document. ``served`` grows beside it: the same document with expression trees."""

    def __init__(self, document: Mapping[str, Any], codelist: Callable[[str], CodeList]) -> None:
        self.document = document
        self.codelist = codelist
        self.name = str(document.get("name", "?"))
        self.served: dict[str, Any] = copy.deepcopy(dict(document))

    def fail(self, pointer: str, reason: str) -> DefinitionError:
        return DefinitionError(self.name, pointer, reason)

    def read(self) -> RecordType:
        document = self.document
        self._keys(document, _TYPE_KEYS, "")
        for key in ("name", "version", "label", "fields"):
            if key not in document:
                raise self.fail("", f"{key} is missing")
        if not _NAME.fullmatch(self.name):
            raise self.fail("/name", "a name is lower-case words joined by _")
        version = document["version"]
        if type(version) is not int or version < 1:
            raise self.fail("/version", "a whole number from 1 is needed")
        fields = self._fields()
        units, unit_of = self._units(fields)
        self._defaults(fields, units)
        constraints = tuple(
            self._cross_constraint(item, f"/constraints/{n}", fields, self.served["constraints"][n])
            for n, item in enumerate(document.get("constraints", ()))
        )
        views = self._views(fields)
        placed_by = self._refs("placed_by", fields, OWN_ANCHOR)
        parents = self._refs("parents", fields, None)
        subject = document.get("subject")
        if (
            subject is not None
            and subject != "self"
            and (subject not in fields or fields[subject].ref_type != "person")
        ):
            raise self.fail("/subject", "self, a ref field that leads to a person, or null is needed")
        return RecordType(
            name=self.name,
            version=version,
            label=self._label(document["label"], "/label"),
            fields=fields,
            units=units,
            unit_of=unit_of,
            placed_by=placed_by,
            parents=parents,
            subject=subject,
            server_made=bool(document.get("server_made", False)),
            secret_fields=tuple(f.name for f in fields.values() if f.privacy == "secret"),
            indexed_fields=tuple(f.name for f in fields.values() if f.indexed),
            required_fields=tuple(f.name for f in fields.values() if f.required),
            constraints=constraints,
            views=views,
            document=self.served,
            note=document.get("note", ""),
            audience=self._audience(),
            metadata=read_metadata(document, fields),
        )

    def _audience(self) -> Mapping[str, Any] | None:
        """The tree of the condition; its fields are those of another record type, which `forms.survey` knows."""
        text = self.document.get("audience")
        if text is None:
            return None
        try:
            tree = parse(text)
        except ExpressionError as wrong:
            raise self.fail("/audience", str(wrong)) from wrong
        self.served["audience"] = {"text": text, "tree": tree}
        return tree

    def _fields(self) -> dict[str, FieldSpec]:
        items = self.document["fields"]
        names = {item.get("name") for item in items if isinstance(item, Mapping)}
        fields: dict[str, FieldSpec] = {}
        for position, item in enumerate(items):
            spec = self._field(item, f"/fields/{position}", names, self.served["fields"][position])
            if spec.name in fields:
                raise self.fail(f"/fields/{position}/name", "the name is repeated")
            fields[spec.name] = spec
        return fields

    def _field(self, item: Mapping[str, Any], at: str, names: set[Any], served: dict[str, Any]) -> FieldSpec:
        self._keys(item, _FIELD_KEYS, at)
        for key in ("name", "type", "label", "privacy"):
            if key not in item:
                raise self.fail(at, f"{key} is missing")
        name, kind, privacy = item["name"], item["type"], item["privacy"]
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise self.fail(f"{at}/name", "a name is lower-case words joined by _")
        self._one_of(kind, FIELD_TYPES, f"{at}/type")
        self._one_of(privacy, PRIVACY_CLASSES, f"{at}/privacy")
        codes = self._codes(item, at, kind)
        if (kind == "ref") != ("ref_type" in item):
            raise self.fail(f"{at}/ref_type", "a ref, and only a ref, names a record type")
        if "format" in item:
            self._one_of(item["format"], TEXT_FORMATS, f"{at}/format")
            if kind not in ("text", "text_set"):
                raise self.fail(f"{at}/format", "only text has a format")
        if item.get("indexed") and kind in ("location", "boolean", "decimal"):
            raise self.fail(f"{at}/indexed", f"a {kind} is not searched by its text")
        for key in ("min", "max", "max_length"):
            number = item.get(key)
            if number is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
                raise self.fail(f"{at}/{key}", "a number is needed")
        mask = Mask(**item["mask"]) if "mask" in item else None
        if (mask is not None) != (privacy == "secret"):
            raise self.fail(f"{at}/mask", "a secret, and only a secret, has a mask")
        if privacy == "secret" and kind != "text":
            raise self.fail(f"{at}/privacy", "only a text can be secret")
        constraint = None
        if "constraint" in item:
            given = item["constraint"]
            tree = self._tree(given.get("text", ""), f"{at}/constraint/text", frozenset(), no_today=True)
            served["constraint"]["tree"] = tree
            constraint = Constraint(given["text"], tree, self._label(given.get("message"), f"{at}/constraint/message"))
        trees: dict[str, Any] = {}
        for key in ("relevant", "calculation"):
            if key in item:
                trees[key] = self._tree(item[key], f"{at}/{key}", names)
                served[key] = {"text": item[key], "tree": trees[key]}
        return FieldSpec(
            name=name,
            type=kind,
            unit=item.get("unit", name),
            label=self._label(item["label"], f"{at}/label"),
            privacy=privacy,
            required=bool(item.get("required", False)),
            indexed=bool(item.get("indexed", False)),
            identifying=bool(item.get("identifying", False)),
            format=item.get("format"),
            codelist=item.get("codelist"),
            codes=codes,
            ref_type=item.get("ref_type"),
            constraint=constraint,
            relevant=trees.get("relevant"),
            calculation=trees.get("calculation"),
            measure=item.get("measure"),
            min=item.get("min"),
            max=item.get("max"),
            max_length=item.get("max_length"),
            mask=mask,
            standard=item.get("standard"),
            source=item.get("source"),
            note=item.get("note"),
            hint=self._label(item["hint"], f"{at}/hint") if "hint" in item else None,
            default=item.get("default"),
        )

    def _defaults(self, fields: Mapping[str, FieldSpec], units: Mapping[str, UnitSpec]) -> None:
        for position, spec in enumerate(fields.values()):
            at = f"/fields/{position}/default"
            if spec.default is None:
                continue
            if spec.type in _NO_DEFAULT or spec.privacy == "secret":
                raise self.fail(at, "this field cannot start with a value")
            try:
                normal = check_for(spec, units[spec.unit].policy)(spec.default)
            except Refused as wrong:
                raise self.fail(at, wrong.problems[0].message_en) from wrong
            if normal != spec.default or type(normal) is not type(spec.default):
                raise self.fail(at, "the value is not in its normal form")

    def _codes(self, item: Mapping[str, Any], at: str, kind: str) -> CodeList | None:
        if (kind in ("select_one", "select_multiple")) != ("codelist" in item):
            raise self.fail(f"{at}/codelist", "a selection, and only a selection, names a code list")
        if "codelist" not in item:
            return None
        try:
            return self.codelist(item["codelist"])
        except UnknownCodeList as unknown:
            raise self.fail(f"{at}/codelist", str(unknown)) from unknown

    def _units(self, fields: Mapping[str, FieldSpec]) -> tuple[dict[str, UnitSpec], dict[str, str]]:
        declared: dict[str, UnitSpec] = {}
        for position, item in enumerate(self.document.get("units", ())):
            at = f"/units/{position}"
            name, members = item["name"], tuple(item["fields"])
            self._one_of(item["policy"], POLICIES, f"{at}/policy")
            if name in fields or name in declared:
                raise self.fail(f"{at}/name", "the name is taken by a field or another unit")
            if item["policy"] not in ("last", "keep", "review"):
                raise self.fail(f"{at}/policy", "a unit of several fields is last, keep or review")
            if [f.name for f in fields.values() if f.unit == name] != sorted(members, key=list(fields).index):
                raise self.fail(f"{at}/fields", "does not agree with the unit that the fields name")
            label = self._label(item["label"], f"{at}/label")
            declared[name] = UnitSpec(name, members, item["policy"], bool(item.get("exclusive", False)), label)
        units: dict[str, UnitSpec] = {}
        unit_of: dict[str, str] = {}
        for position, (item, spec) in enumerate(zip(self.document["fields"], fields.values(), strict=True)):
            at = f"/fields/{position}"
            unit_of[spec.name] = spec.unit
            if spec.unit in declared:
                if "policy" in item or "exclusive" in item:
                    raise self.fail(f"{at}/policy", "the policy stands with the unit")
                units[spec.unit] = declared[spec.unit]
                continue
            if spec.unit != spec.name:
                raise self.fail(f"{at}/unit", "no such unit is declared")
            policy = item.get("policy", "union" if spec.type in _SETS else "last")
            self._one_of(policy, POLICIES, f"{at}/policy")
            if spec.type not in _POLICY_TYPES.get(policy, {spec.type}):
                raise self.fail(f"{at}/policy", f"{policy} does not suit a {spec.type}")
            units[spec.name] = UnitSpec(spec.name, (spec.name,), policy, bool(item.get("exclusive", False)), spec.label)
        return units, unit_of

    def _cross_constraint(
        self, item: Mapping[str, Any], at: str, fields: Mapping[str, FieldSpec], served: dict[str, Any]
    ) -> CrossConstraint:
        tree = self._tree(item["holds"], f"{at}/holds", frozenset(fields))
        served["holds"] = {"text": item["holds"], "tree": tree}
        for field in item["fields"]:
            if field not in fields:
                raise self.fail(f"{at}/fields", f"no field {field!r}")
        message = self._label(item["message"], f"{at}/message")
        return CrossConstraint(item["name"], item["holds"], tree, tuple(item["fields"]), message)

    def _views(self, fields: Mapping[str, FieldSpec]) -> tuple[View, ...]:
        views = []
        for n, view in enumerate(self.document.get("views", ())):
            screens = []
            for m, screen in enumerate(view["screens"]):
                at = f"/views/{n}/screens/{m}"
                unknown = [field for field in screen["fields"] if field not in fields]
                if unknown:
                    raise self.fail(f"{at}/fields", f"no field {unknown[0]!r}")
                tree = None
                if "relevant" in screen:
                    tree = self._tree(screen["relevant"], f"{at}/relevant", frozenset(fields))
                    self.served["views"][n]["screens"][m]["relevant"] = {"text": screen["relevant"], "tree": tree}
                notes = self._notes(screen, at, fields, self.served["views"][n]["screens"][m])
                label = self._label(screen["label"], f"{at}/label")
                screens.append(Screen(screen["name"], label, tuple(screen["fields"]), tree, notes))
            views.append(View(view["name"], self._label(view["label"], f"/views/{n}/label"), tuple(screens)))
        return tuple(views)

    def _notes(
        self, screen: Mapping[str, Any], at: str, fields: Mapping[str, FieldSpec], served: dict[str, Any]
    ) -> tuple[ScreenNote, ...]:
        notes = []
        for n, item in enumerate(screen.get("notes", ())):
            before = item.get("before")
            if before is not None and before not in screen["fields"]:
                raise self.fail(f"{at}/notes/{n}/before", "no field of this screen")
            tree = None
            if "relevant" in item:
                tree = self._tree(item["relevant"], f"{at}/notes/{n}/relevant", frozenset(fields))
                served["notes"][n]["relevant"] = {"text": item["relevant"], "tree": tree}
            notes.append(ScreenNote(item["name"], self._label(item["label"], f"{at}/notes/{n}/label"), before, tree))
        return tuple(notes)

    def _refs(self, key: str, fields: Mapping[str, FieldSpec], also: str | None) -> tuple[str, ...]:
        names = tuple(self.document.get(key, ()))
        for position, name in enumerate(names):
            at = f"/{key}/{position}"
            if name == also:
                anchor = fields.get("anchor")
                if anchor is None or anchor.type != "location":
                    raise self.fail(at, "the type has no location field called anchor")
            elif name not in fields or fields[name].type != "ref":
                raise self.fail(at, f"no ref field {name!r}")
        return names

    def _tree(self, text: str, at: str, names: frozenset[str] | set[Any], *, no_today: bool = False) -> dict[str, Any]:
        try:
            tree = parse(text)
        except ExpressionError as wrong:
            raise self.fail(at, str(wrong)) from wrong
        for name in fields_used(tree):
            if name not in names:
                reason = f"no field {name!r}" if names else "a constraint sees its own value (.) only"
                raise self.fail(at, reason)
        if no_today and uses_today(tree):
            # A verdict must not depend on a clock (L9): what the day decides is a finding.
            raise self.fail(at, "a constraint does not know the day; make it a cross-field constraint")
        return tree

    def _label(self, label: Any, at: str) -> Labels:
        if not isinstance(label, Mapping) or not label.get("zh") or not label.get("en"):
            raise self.fail(at, "a label in zh and en is needed")
        return label

    def _keys(self, item: Any, allowed: frozenset[str], at: str) -> None:
        if not isinstance(item, Mapping):
            raise self.fail(at, "an object is needed")
        for key in item:
            if key not in allowed:
                raise self.fail(f"{at}/{key}", "unknown key")

    def _one_of(self, value: Any, allowed: tuple[str, ...], at: str) -> None:
        if value not in allowed:
            raise self.fail(at, f"one of {', '.join(allowed)} is needed")
