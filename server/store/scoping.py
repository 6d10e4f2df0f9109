"""The cut of a scope as SQL, and the small SQL differences of the two databases that readers need.

Every query that reads records takes its condition from `record_cut`, so that a view that forgot its check
cannot leak a neighbour's roster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from server.errors import OutsideScope
from server.permissions import Scope
from sync.scope import CARE, LINE

PLACE_TYPES = frozenset({"estate", "building", "entrance", "dwelling", "organization", "resource"})
"""Record types that people without personal fields may read one by one; of all others they get figures."""

UNPLACED = "~unplaced"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NEVER = "1 = 0"

Condition = tuple[str, list[Any]]
"""SQL with ``?`` marks, and the values for them."""


def is_postgres(connection: Connection) -> bool:
    """Whether the connection speaks to PostgreSQL."""
    return connection.dialect.name == "postgresql"


def among(column: str, values: Iterable[Any]) -> Condition:
    """``column`` is one of the values; never, when there are none."""
    wanted = list(values)
    if not wanted:
        return _NEVER, []
    return f"{column} IN ({', '.join('?' * len(wanted))})", wanted


def json_text(connection: Connection, alias: str, field: str, column: str = "fields") -> str:
    """SQL of one field of a JSON column as text: NULL when absent or null, booleans as ``true``/``false`` or ``1``/``0``."""
    if not _NAME.fullmatch(field):
        raise ValueError("a field name has small letters, digits and underscores")
    if is_postgres(connection):
        return f"({alias}.{column}::json ->> '{field}')"
    return f"json_extract({alias}.{column}, '$.{field}')"


def see_community(scope: Scope, community_id: str) -> None:
    """Stop with OutsideScope unless records of this community can be in the scope at all."""
    if not scope.sees_community(community_id):
        raise OutsideScope("this community is not among those you work for")


def record_cut(connection: Connection, scope: Scope, community_id: str, alias: str = "r") -> Condition:
    """The condition that keeps the records of one community that the scope sees.

    Parameters
    ----------
    scope : what the actor sees
    community_id : the community that the query reads
    alias : name of the ``record`` table in the query

    Returns
    -------
    Condition
        Begins with the community; never true where the scope sees nothing.

    Raises
    ------
    OutsideScope
        The community is not in the scope.
    """
    see_community(scope, community_id)
    parts, values = [f"{alias}.community_id = ?"], [community_id]
    if scope.fields == "aggregate":
        return _NEVER, []
    if scope.fields == "internal":
        kinds, names = among(f"{alias}.type", sorted(PLACE_TYPES))
        parts.append(kinds)
        values += names
    if scope.streams is not None:
        cut, streams = stream_cut(scope.streams, alias)
        parts.append(cut)
        values += streams
    if scope.topics is not None:
        topic, lines = line_cut(connection, scope.topics, alias)
        parts.append(topic)
        values += lines
    return " AND ".join(parts), values


def line_cut(connection: Connection, lines: Iterable[str], alias: str = "r") -> Condition:
    """Records that are no care records, or those of these lines of work."""
    named, values = among(json_text(connection, alias, LINE), lines)
    return f"({alias}.type <> '{CARE}' OR {named})", values


def stream_cut(streams: frozenset[str], alias: str = "r") -> Condition:
    """Records whose home is among the streams, and unplaced ones that an install among them has created."""
    homes = sorted(stream for stream in streams if not stream.startswith(("install/", "dedicated/")))
    installs = sorted(stream.removeprefix("install/") for stream in streams if stream.startswith("install/"))
    placed, values = among(f"{alias}.home", homes)
    special = sorted(stream for stream in streams if stream.startswith("dedicated/"))
    if special:
        lies, names = among(f"{alias}.dedicated", special)
        placed, values = f"({placed} OR {lies})", [*values, *names]
    if not installs:
        return placed, values
    own, names = among(f"{alias}.created_install", installs)
    return f"({placed} OR ({alias}.home = ? AND {own}))", [*values, UNPLACED, *names]


def both(*conditions: Condition) -> Condition:
    """All of the conditions."""
    texts = [text for text, _ in conditions]
    values: list[Any] = [value for _, given in conditions for value in given]
    return " AND ".join(texts), values


def chunks(values: Sequence[Any], size: int = 5_000) -> Iterable[Sequence[Any]]:
    """The values in slices of at most ``size``."""
    return (values[start : start + size] for start in range(0, len(values), size))
