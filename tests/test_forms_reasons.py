"""Why each field merges as it does and is as private as it is: stated for each by its own name, never guessed from it."""

from __future__ import annotations

from forms.document_reasons import reasons, stated, why_of
from forms.registry import load_registry

REGISTRY = load_registry()


def test_every_unit_that_is_decided_and_every_personal_field_has_its_reason():
    """Who adds a field says why; who removes one takes its reason away."""
    told = stated()
    types = [REGISTRY.latest(name) for name in REGISTRY.types()]
    decided = {(one.name, unit.name) for one in types for unit in one.units.values() if unit.policy == "review"}
    personal = {(one.name, spec.name) for one in types for spec in one.fields.values() if spec.privacy == "personal"}
    assert {(kind, unit) for kind, units in told["merging"].items() for unit in units} == decided
    assert {(kind, field) for kind, fields in told["privacy"].items() for field in fields} == personal


def test_every_reason_is_explained():
    """Each word beside a field stands in the table of words, and each word of the table beside some field."""
    table = [line.split("|") for line in reasons(REGISTRY) if line.startswith("|") and line.count("|") == 6 and not line.startswith("|-")]
    explained = [{row[at].strip() for row in table[1:]} - {""} for at in (1, 4)]
    used = [why_of(one, spec).split(" · ") for one in map(REGISTRY.latest, REGISTRY.types()) for spec in one.fields.values()]
    unused = {"max", "min"}  # policies that a record type may name, and none of the house does
    assert [{merging for merging, _ in used}, {privacy for _, privacy in used}] == [explained[0] - unused, explained[1]]


def test_a_number_is_no_free_word_and_what_the_server_writes_nobody_saw():
    """The three that a guess by name got wrong."""
    why = {name: why_of(REGISTRY.latest(name.split(".")[0]), REGISTRY.latest(name.split(".")[0]).fields[name.split(".")[1]])
           for name in ("household.household_number", "tenure.contract_number", "residence.kind")}  # fmt: skip
    assert why == {"household.household_number": "identity · number", "tenure.contract_number": "last · number", "residence.kind": "made · person"}
