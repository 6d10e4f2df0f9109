"""Decide a batch: groups in order, each whole or not at all, in memory (S13, S15). The service carries the plan out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sync.arguments import made_records, target_community
from sync.commanding import enter_command, targets_of
from sync.entering import enter
from sync.judging import is_erased, refusal_of
from sync.memory import Decided, Memory, Prepared, Writer
from sync.outcome import ERASED, NOT_ALONE, OPEN, PROPOSAL, QUARANTINED, Refusal, asks_elsewhere, worst
from sync.redirects import followed


def decide(groups: Iterable[Sequence[Prepared]], writer: Writer, memory: Memory) -> None:
    """Decide every group in order; the results are in ``memory``.

    A group is judged before any of its members is applied, so that a refused group leaves no trace. Raises
    IncompletePlan when something must be read first.
    """
    for group in groups:
        # what was merged a moment ago leads elsewhere already; without that two merges could make a circle (S8)
        _decide_group(followed([group], memory.root)[0] if memory.redirects else group, writer, memory)


def _decide_group(group: Sequence[Prepared], writer: Writer, memory: Memory) -> None:
    gone = [prepared for prepared in group if is_erased(prepared, memory)]
    if gone:  # what is left of the group shares one fate without them
        memory.decided += [Decided(prepared, ERASED, group_n=group[0].n) for prepared in gone]
        left = [prepared for prepared in group if prepared not in gone]
        if left:
            _decide_group(left, writer, memory)
        return
    if len(group) == 1:
        _decide_single(group[0], writer, memory)
        return
    mixed = _beside_a_move(group)
    if mixed is not None:
        _refuse(group, mixed, {}, memory)
        return
    coming: dict[str, str] = {}
    for prepared in group:
        operation = prepared.operation
        if operation is None or prepared.repeat_of is not None:
            continue
        if operation.kind == "create":
            coming.setdefault(operation.id, operation.type)
        elif operation.kind == "command" and prepared.refusal is None:
            coming |= {one: type_ for one, type_ in made_records(operation).items() if one not in coming}
    made: dict[str, str] = {}
    refusals: list[Refusal] = []
    own: dict[int, Refusal] = {}
    for prepared in group:
        operation = prepared.operation
        if prepared.repeat_of is not None:
            if operation is not None and prepared.repeat_of[2] in OPEN:
                memory.blocked |= targets_of(operation)  # what came before under another number still waits
            continue
        refusal = prepared.refusal or refusal_of(prepared, writer, memory, made, coming)
        if refusal is not None:
            refusals.append(refusal)
            own[prepared.n] = refusal
        if operation is not None and operation.kind == "create":
            made.setdefault(operation.id, operation.type)
        elif operation is not None and operation.kind == "command" and prepared.refusal is None:
            made |= {one: type_ for one, type_ in made_records(operation).items() if one not in made}
    shared = worst(refusals)
    if shared is not None:
        _refuse(group, shared, own, memory)
        return
    decided = {}
    for prepared in _parents_first(group, coming):
        decided[prepared.n] = _enter(prepared, group[0].n, writer, memory)
    memory.decided.extend(decided[prepared.n] for prepared in group)


def _beside_a_move(group: Sequence[Prepared]) -> Refusal | None:
    """S30: who goes, goes as they stood before the group: what else it wrote would be left behind, or taken along unseen."""
    return Refusal(QUARANTINED, NOT_ALONE) if len(parted(group)) > 1 else None


def parted(group: Sequence[Prepared]) -> list[list[Prepared]]:
    """A group in order as groups in which every move to another community is by itself (S30); without one, the group."""
    parts: list[list[Prepared]] = [[]]
    for prepared in group:
        operation = prepared.operation
        if operation is not None and prepared.refusal is None and prepared.repeat_of is None and target_community(operation) is not None:
            parts += [[prepared], []]
        else:
            parts[-1].append(prepared)
    return [part for part in parts if part]


_NOBODY: dict[str, str] = {}


def _decide_single(prepared: Prepared, writer: Writer, memory: Memory) -> None:
    """A group of one, as most groups are: nothing comes with it."""
    operation = prepared.operation
    if prepared.repeat_of is not None:
        if operation is not None and prepared.repeat_of[2] in OPEN:
            memory.blocked |= targets_of(operation)
    else:
        refusal = prepared.refusal or refusal_of(prepared, writer, memory, _NOBODY, _NOBODY)
        if refusal is not None:
            _refuse((prepared,), refusal, {prepared.n: refusal}, memory)
            return
    memory.decided.append(_enter(prepared, prepared.n, writer, memory))


def _enter(prepared: Prepared, group_n: int, writer: Writer, memory: Memory) -> Decided:
    if prepared.repeat_of is not None:
        decided = Decided(prepared, prepared.repeat_of[2], prepared.repeat_of[3])
    else:
        if memory.redirects:  # also by an earlier member of its group
            prepared = followed([[prepared]], memory.root)[0][0]
        command = prepared.operation is not None and prepared.operation.kind == "command"
        decided = (enter_command if command else enter)(prepared, writer, memory)
    decided.group_n = group_n
    return decided


def _refuse(group: Sequence[Prepared], shared: Refusal, own: dict[int, Refusal], memory: Memory) -> None:
    """S13: the worst member decides for the group; later operations on its records wait behind."""
    for prepared in group:
        mine = own.get(prepared.n)
        waits_for = mine.waits_for if mine else shared.waits_for
        if asks_elsewhere(waits_for) and not asks_elsewhere(shared.waits_for):
            waits_for = None  # another community is asked when nothing else of the group stands against it
        if prepared.operation is not None and shared.reason != PROPOSAL:
            memory.blocked |= targets_of(prepared.operation)
        memory.decided.append(
            Decided(
                prepared,
                shared.outcome,
                shared.reason,
                waits_for=waits_for,
                group_n=group[0].n,
                errors=mine.errors if mine else [],
            )
        )


def _parents_first(group: Sequence[Prepared], coming: dict[str, str]) -> Iterable[Prepared]:
    """The members in order, but a record that another one of the group stands in is created before it."""
    if len(coming) < 2:
        return group
    makers: dict[str, Prepared] = {}
    for prepared in group:
        operation = prepared.operation
        if operation is not None and operation.kind == "create" and prepared.repeat_of is None:
            makers.setdefault(operation.id, prepared)
    ordered: dict[int, Prepared] = {}
    open_now: set[int] = set()

    def enter(prepared: Prepared) -> None:
        if prepared.n in ordered or prepared.n in open_now:
            return
        open_now.add(prepared.n)
        if prepared.form is not None and prepared.repeat_of is None:
            for name in prepared.form.parents:
                parent = makers.get(prepared.values.get(name) or "")
                if parent is not None:
                    enter(parent)
        ordered[prepared.n] = prepared

    for prepared in group:
        enter(prepared)
    return ordered.values()
