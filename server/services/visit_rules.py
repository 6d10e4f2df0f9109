"""Which visit rules hold in a community: its own, else those the house comes with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forms.dwelling_facts import ARRANGEMENTS
from forms.errors import DefinitionError
from forms.visits import VisitRules, read_visit_rules, unknown_codes, visit_rules
from server.errors import InputError, InvalidInput
from server.permissions import Actor
from server.store import rules as store
from server.store.database import stamp, write
from server.store.disagreements import compare_again

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

VISITS = "visits"


def visit_rules_of(connection: Connection, community_id: str) -> VisitRules:
    """The rules that hold in a community."""
    own = store.rule(connection, community_id, VISITS)
    return visit_rules() if own is None else read_visit_rules(own)


def set_visit_rules(house: House, actor: Actor, community_id: str, document: dict[str, Any] | None) -> VisitRules:
    """Keep rules of a community's own, or (None) go back to the house's; phones get them with their next reference data.

    Raises InvalidInput with the place of what cannot be followed; nothing is kept then.
    """
    try:
        rules = visit_rules() if document is None else read_visit_rules(document)
    except DefinitionError as wrong:
        raise InvalidInput("these rules cannot be followed", errors=[InputError(wrong.pointer, "definition", wrong.reason)]) from wrong
    lists = {"occupancies": "occupancy", "care_levels": "care_level", "care_kinds": "care_kind", "outcomes": "visit_outcome"}
    known = {name: house.registry.codelist(code_list) for name, code_list in lists.items()} | {"arrangements": ARRANGEMENTS}
    if unknown := unknown_codes(rules, known):
        raise InvalidInput(
            "these rules cannot be followed", errors=[InputError(pointer, "code", f"there is no code {code!r}") for pointer, code in unknown]
        )
    with write(house.engine) as connection:
        store.keep_rule(connection, community_id, VISITS, document, stamp(house.clock()), actor.user_id)
        compare_again(connection, community_id)
    return rules
