"""Operations that name a merged record are about the one that it leads to (S8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sync.arguments import COMMANDS
from sync.memory import Prepared
from sync.operation import Operation

Root = Callable[[str], str]


def followed(groups: Sequence[Sequence[Prepared]], root: Root) -> list[list[Prepared]]:
    """The groups with every operation about the record that its id leads to.

    References to a merged record stay as they were written. Nothing of what was given is changed.
    """
    return [[_followed(one, root) for one in group] for group in groups]


def _followed(prepared: Prepared, root: Root) -> Prepared:
    operation = prepared.operation
    if operation is None:
        return prepared
    target = root(operation.id)
    if operation.kind == "command" and operation.name in COMMANDS and operation.name != "undo":
        operation = _command(operation, root)
    if target != operation.id:
        operation = replace(operation, id=target, addressed=operation.addressed or operation.id)
    return prepared if operation is prepared.operation else replace(prepared, operation=operation)


def _command(operation: Operation, root: Root) -> Operation:
    """A command acts on the roots of what it names."""
    arguments = {
        name: value if name == "set" else _rooted(value, root) for name, value in operation.arguments.items()
    }
    others = {root(one): other for one, other in operation.others.items()}
    return replace(operation, arguments=arguments, others=others)


def _rooted(value: Any, root: Root) -> Any:
    if isinstance(value, str):
        return root(value)
    if isinstance(value, list):
        return list(dict.fromkeys(_rooted(one, root) for one in value))
    if isinstance(value, dict):
        return {root(one): code for one, code in value.items()}
    return value
