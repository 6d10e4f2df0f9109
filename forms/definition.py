"""The shape of a record type: fields, units of merging, where it stands, whose key seals it.

Values only; reading the JSON files is loading.py, the collection of all types is registry.py.
Record types compare by identity, so they can key caches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from forms.codelist import CodeList

FieldType = Literal[
    "text",
    "integer",
    "decimal",
    "boolean",
    "date",
    "datetime",
    "select_one",
    "select_multiple",
    "text_set",
    "ref",
    "location",
]
Policy = Literal["last", "keep", "review", "max", "min", "union", "append", "add"]
Privacy = Literal["public", "internal", "personal", "secret"]
TextFormat = Literal["phone", "identifier", "photo"]
Labels = Mapping[str, str]
Tree = Mapping[str, Any]

FIELD_TYPES: tuple[str, ...] = get_args(FieldType)
POLICIES: tuple[str, ...] = get_args(Policy)
PRIVACY_CLASSES: tuple[Privacy, ...] = get_args(Privacy)
TEXT_FORMATS: tuple[str, ...] = get_args(TextFormat)

#: Source name in ``placed_by`` for the record's own location field ``anchor``.
OWN_ANCHOR = "@anchor"


@dataclass(frozen=True, slots=True)
class Mask:
    """How many characters of a secret may be shown at each end."""

    keep_start: int
    keep_end: int


@dataclass(frozen=True, slots=True)
class Constraint:
    """A condition on one field's own value (``.``). A value that fails is refused."""

    text: str
    tree: Tree
    message: Labels


@dataclass(frozen=True, slots=True, eq=False)
class FieldSpec:
    """One field. Its meaning, unit and codes never change (S10): a new meaning is a new field.

    ``codelist`` names the list, ``codes`` is the list itself; both None unless the type is a selection.
    ``hint`` is shown under the label, ``default`` is what a new record starts with (in normal form); neither
    changes what is accepted. ``min`` and ``max`` are inclusive. ``max_length`` counts characters after normalisation, of each
    element in a set. ``mask`` is present exactly when ``privacy`` is ``secret``.
    """

    name: str
    type: FieldType
    unit: str
    label: Labels
    privacy: Privacy
    required: bool = False
    indexed: bool = False
    identifying: bool = False
    format: TextFormat | None = None
    codelist: str | None = None
    codes: CodeList | None = None
    ref_type: str | None = None
    constraint: Constraint | None = None
    relevant: Tree | None = None
    calculation: Tree | None = None
    measure: str | None = None
    min: float | None = None
    max: float | None = None
    max_length: int | None = None
    mask: Mask | None = None
    standard: str | None = None
    source: str | None = None
    note: str | None = None
    hint: Labels | None = None
    default: Any = None


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """What merges as one: a field, or the fields that are one fact.

    ``exclusive`` marks a relation that a record can have once only (S6).
    """

    name: str
    fields: tuple[str, ...]
    policy: Policy
    exclusive: bool = False
    label: Labels | None = None


@dataclass(frozen=True, slots=True)
class CrossConstraint:
    """A condition over several fields. Where it does not hold a finding is raised, never a rejection (S7)."""

    name: str
    text: str
    tree: Tree
    fields: tuple[str, ...]
    message: Labels


@dataclass(frozen=True, slots=True)
class ScreenNote:
    """Words on a screen that ask nothing; before one of its fields, or (None) at its end."""

    name: str
    label: Labels
    before: str | None = None
    relevant: Tree | None = None


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen of a view: fields in order, shown only where ``relevant`` holds."""

    name: str
    label: Labels
    fields: tuple[str, ...]
    relevant: Tree | None = None
    notes: tuple[ScreenNote, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Ordered screens over the fields of a record type."""

    name: str
    label: Labels
    screens: tuple[Screen, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RecordType:
    """One version of a record type.

    Invariants: every field is in exactly one unit; ``unit_of`` maps field name to unit name;
    ``placed_by``, ``parents`` and ``subject`` name ref fields of the type (or ``@anchor``, ``self``);
    secret fields are never in clear in an index.

    ``subject`` says whose data key seals the record (S28): ``self``, a ref field that leads to a person, or
    None for the community. ``document`` is the JSON that devices receive: the definition file, with the tree
    of each expression beside its text.
    """

    name: str
    version: int
    label: Labels
    fields: Mapping[str, FieldSpec]
    units: Mapping[str, UnitSpec]
    unit_of: Mapping[str, str]
    placed_by: tuple[str, ...]
    parents: tuple[str, ...]
    subject: str | None
    server_made: bool
    secret_fields: tuple[str, ...]
    indexed_fields: tuple[str, ...]
    required_fields: tuple[str, ...]
    constraints: tuple[CrossConstraint, ...]
    views: tuple[View, ...]
    document: Mapping[str, Any]
    note: str = ""
    #: Of a special survey: the condition over the household or person that says who is asked; None: everybody.
    audience: Mapping[str, Any] | None = None
    #: (name, kind) of what a workbook asks of the device and nobody answers, see `forms.metadata`.
    metadata: tuple[tuple[str, str], ...] = ()

    def unit_of_field(self, field: str) -> str:
        """Name of the unit that merges a field; a field this version does not know is a unit of its own."""
        return self.unit_of.get(field, field)

    def policy_of(self, unit: str) -> Policy:
        """Policy of a unit; ``last`` for a unit this version does not know."""
        spec = self.units.get(unit)
        return spec.policy if spec is not None else "last"
