"""What a command means: the plain changes of records that it stands for (docs/protocol.md, Commands).

Pure: it looks at the records that were read and says what to change; how each change is merged is decided as for any other write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sync.arguments import HEAD, MERGES, Forms, day_of, relation_of
from sync.duplicates import PastMerge, undo, values_of_merge
from sync.operation import Fields, Operation
from sync.record import PastVersion, Record

Records = Mapping[str, Record]

_RESIDENCE = ("residence_household", "relation_to_head", "resident_from", "joined_reason", "presence", "absent_since")


@dataclass(slots=True)
class Step:
    """One record's part of a command: ``create``, ``patch``, ``end`` (it leads to another from now on) or ``revive``."""

    id: str
    type: str
    kind: str
    set: Fields


@dataclass(slots=True)
class Expansion:
    """What a command stands for: at most one step per record, in the order in which they are entered.

    ``left_on`` and ``left_reason`` are for the episodes of those who leave a household; ``moved_from`` is the dwelling that
    a household left with everybody in it; ``redirects`` maps ids that end to those that they lead to from now on. ``review``: units of the survivor of an undone merge
    that were written since.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    left_on: str = ""
    left_reason: str | None = None
    moved_from: str | None = None
    redirects: dict[str, str] = field(default_factory=dict)
    review: tuple[str, ...] = ()
    corrects: bool = False
    """Nobody has moved: no episode is closed."""

    def patch(self, record_id: str, record_type: str, **values: object) -> None:
        """Change fields of a record; further changes of it join the same step."""
        step = self.steps.setdefault(record_id, Step(record_id, record_type, "patch", {}))
        step.set |= values


def expand(
    operation: Operation,
    records: Records,
    today: str,
    forms: Forms,
    merge: PastMerge | None = None,
    past: Sequence[PastVersion] = (),
) -> Expansion:
    """The plain changes that a command stands for.

    Parameters
    ----------
    operation : a command whose arguments were found right
    records : what was read: everything that it names, and everybody who lives in the households that it names
    today : the day of arrival, for commands that do not say ``on``
    merge, past : for ``undo``, the merge that it names and its survivor's history (None: there is nothing to undo)

    Returns
    -------
    Expansion
        A record that is not there, or no longer alive where that matters, has no step.
    """
    found = Expansion(left_on=day_of(operation, today))
    if operation.name in MERGES:
        _merge(operation, records, forms, found)
    elif operation.name == "undo":
        _undo(operation, records, forms, merge, past, found)
    else:
        _EXPAND[operation.name or ""](operation, records, found)
    return found


def _merge(operation: Operation, records: Records, forms: Forms, found: Expansion) -> None:
    """Only roots get here; the same root on both sides means that there is nothing left to merge (S8)."""
    found.corrects = True
    survivor, merged = records.get(operation.id), records.get(operation.arguments["merged"])
    if survivor is None or merged is None or survivor.id == merged.id:
        return
    values = values_of_merge(operation, forms(operation.type), survivor, merged)
    found.patch(survivor.id, operation.type, **values)
    found.steps[merged.id] = Step(merged.id, operation.type, "end", {})
    found.redirects[merged.id] = survivor.id


def _undo(
    operation: Operation,
    records: Records,
    forms: Forms,
    merge: PastMerge | None,
    past: Sequence[PastVersion],
    found: Expansion,
) -> None:
    found.corrects = True
    survivor = records.get(merge.survivor) if merge is not None else None
    if merge is None or survivor is None or merge.merged not in records:
        return
    back = undo(forms(survivor.type), survivor, operation.arguments["command"], merge, past)
    found.patch(survivor.id, survivor.type, **back.survivor)
    found.steps[merge.merged] = Step(merge.merged, survivor.type, "revive", back.merged)
    found.review = back.review


def living_in(household: str, records: Records) -> list[str]:
    """The persons who live in a household now, in the order of their ids."""
    return sorted(
        one.id
        for one in records.values()
        if one.type == "person" and one.life == "live" and one.fields.get("residence_household") == household
    )


def _members(operation: Operation, household: str, records: Records) -> list[str]:
    """Whom a command takes along: everybody who lives there, or those whom it names.

    Who is named without having been on the screen is passed over where they live elsewhere by now; who was on the screen is
    taken, and merging sees whether somebody else moved them meanwhile.
    """
    here = living_in(household, records)
    named = operation.arguments.get("members")
    if named is None:
        return here
    return [one for one in dict.fromkeys(named) if one in here or operation.others.get(one) is not None]


def _move_household(operation: Operation, records: Records, found: Expansion) -> None:
    given = operation.arguments
    if "community" in given:  # nothing changes until the other community has accepted (S30)
        found.patch(operation.id, "household")
        return
    household = records.get(operation.id)
    found.left_reason = given.get("left_reason", "moved_out")
    found.moved_from = household.fields.get("dwelling") if household is not None else None
    found.patch(operation.id, "household", dwelling=given["dwelling"], moved_in_on=found.left_on)
    for person in _members(operation, operation.id, records):
        found.patch(
            person, "person", residence_household=operation.id, resident_from=found.left_on,
            joined_reason=given.get("joined_reason", "moved_in"),
        )  # fmt: skip


def _move_person(operation: Operation, records: Records, found: Expansion) -> None:
    found.patch(operation.id, "person")  # as a household that moves to another community


def _split_household(operation: Operation, records: Records, found: Expansion) -> None:
    given, old = operation.arguments, records.get(operation.id)
    there: Fields = old.fields if old is not None else {}
    made, head = given["new_household"], given.get("head")
    found.left_reason = given.get("left_reason", "household_split")
    fields: Fields = {
        "dwelling": given.get("dwelling", there.get("dwelling")), "kind": given.get("kind", there.get("kind")), "head": head,
        "moved_in_on": found.left_on,
    }  # fmt: skip
    found.steps[made] = Step(made, "household", "create", {name: one for name, one in fields.items() if one is not None})
    members = _members(operation, operation.id, records)
    for person in members:
        found.patch(
            person, "person", residence_household=made, resident_from=found.left_on,
            joined_reason=given.get("joined_reason", "household_split"), **relation_of(operation, person, head),
        )  # fmt: skip
    if "new_head" in given or there.get("head") in members:
        _give_head(operation.id, given.get("new_head"), found)
    _relations(operation, records, found)


def _join_households(operation: Operation, records: Records, found: Expansion) -> None:
    given, stays = operation.arguments, records.get(operation.id)
    if given["household"] == operation.id:
        return  # the other one leads here already
    head = stays.fields.get("head") if stays is not None else None
    found.left_reason = given.get("left_reason", "moved_out")
    for person in _members(operation, given["household"], records):
        found.patch(
            person, "person", residence_household=operation.id, resident_from=found.left_on,
            joined_reason=given.get("joined_reason", "moved_in"), **relation_of(operation, person, head),
        )  # fmt: skip
    found.patch(operation.id, "household")
    found.steps[given["household"]] = Step(given["household"], "household", "end", {})
    found.redirects[given["household"]] = operation.id
    _relations(operation, records, found)


def _change_head(operation: Operation, records: Records, found: Expansion) -> None:
    head, household = operation.arguments["head"], records.get(operation.id)
    former = records.get(str(household.fields.get("head"))) if household is not None else None
    if former is not None and former.id != head and _is_head_of(former, operation.id):
        found.patch(former.id, "person", relation_to_head=None)
    _give_head(operation.id, head, found)
    _relations(operation, records, found)


def _is_head_of(person: Record, household: str) -> bool:
    fields = person.fields
    return fields.get("residence_household") == household and fields.get("relation_to_head") == HEAD


def _person_left(operation: Operation, records: Records, found: Expansion) -> None:
    found.left_reason = operation.arguments["reason"]
    _leave(operation, operation.arguments["household"], records, found)


def _person_died(operation: Operation, records: Records, found: Expansion) -> None:
    found.left_reason = "died"
    found.patch(operation.id, "person", vital_status="deceased", died_on=operation.arguments.get("on"))
    _leave(operation, operation.arguments.get("household"), records, found)


def _leave(operation: Operation, household: str | None, records: Records, found: Expansion) -> None:
    """Clear a person's residence in a household, and its head where that was the person."""
    person = records.get(operation.id)
    lives = person.fields.get("residence_household") if person is not None else None
    if household is not None and (lives == household or operation.base is not None):
        found.patch(operation.id, "person", **dict.fromkeys(_RESIDENCE))
    else:
        found.patch(operation.id, "person")
    left = records.get(household or "")
    if left is not None and left.fields.get("head") == operation.id:
        _give_head(left.id, operation.arguments.get("new_head"), found)


def _give_head(household: str, head: str | None, found: Expansion) -> None:
    found.patch(household, "household", head=head)
    if head is not None:
        found.patch(head, "person", relation_to_head=HEAD)


def _relations(operation: Operation, records: Records, found: Expansion) -> None:
    for person, code in operation.arguments.get("relations", {}).items():
        found.patch(person, "person", relation_to_head=code)


def _correct_place(operation: Operation, records: Records, found: Expansion) -> None:
    given = operation.arguments
    values = {name: given[name] for name in ("building", "entrance", "floor_number") if name in given}
    entrance = records.get(str(values.get("entrance")))
    if entrance is not None and "building" not in values:
        values["building"] = entrance.fields.get("building")
    elif "entrance" not in values:
        values["entrance"] = None  # the entrance of another building is wrong too
    found.patch(operation.id, "dwelling", **values)


_EXPAND: dict[str, Callable[[Operation, Records, Expansion], None]] = {
    "move_household": _move_household,
    "move_person": _move_person,
    "split_household": _split_household,
    "join_households": _join_households,
    "change_head": _change_head,
    "person_left": _person_left,
    "person_died": _person_died,
    "correct_place": _correct_place,
}
