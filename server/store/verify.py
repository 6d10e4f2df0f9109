"""Everything that `dishu verify` compares, read as ordered lanes with constant memory (S27).

Every function is a generator over one community, in the order that its docstring names; text is ordered byte by byte on
either database, so that lanes can be merged. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from server.models import (
    assignment,
    conflict,
    conflict_sibling,
    data_key,
    edition,
    feed,
    history,
    install,
    journal,
    journal_payload,
    operation,
    operation_status,
    placement_ledger,
    record,
    record_index,
    stream,
)
from server.store.database import rows_of, run
from server.store.push import pieces, wrapped_keys
from server.store.scoping import among
from server.store.search import new_entries

_CHUNK = 1_000
_COMMUNITY_KEY = "~community"
_ALL = (
    assignment, conflict, conflict_sibling, data_key, edition, feed, history, install, journal, journal_payload,
    operation, operation_status, placement_ledger, record, record_index, stream,
)  # fmt: skip

Rows = Iterator[Any]


def _lane(connection: Connection, statement: str, parameters: Sequence[Any]) -> Rows:
    """The rows of a query, fetched chunk by chunk: from a cursor of the server on PostgreSQL.

    ``{c}`` in the statement is the byte order of text there; SQLite has no other.
    """
    postgres = connection.dialect.name == "postgresql"
    text = statement.replace("{c}", ' COLLATE "C"' if postgres else "")
    if postgres:
        text = text.replace("%", "%%").replace("?", "%s")
    options = {"stream_results": True, "yield_per": _CHUNK}
    with connection.exec_driver_sql(text, tuple(parameters), execution_options=options) as result:
        yield from result


def communities(connection: Connection) -> list[str]:
    """Every community that any of the compared tables has rows of, sorted."""
    union = " UNION ".join(f"SELECT DISTINCT community_id FROM {table.name}" for table in _ALL)
    return sorted(row[0] for row in _lane(connection, union, ()))


def sizes(connection: Connection, community_id: str) -> dict[str, int]:
    """Table → number of rows."""
    parts = " UNION ALL ".join(f"SELECT '{t.name}', count(*) FROM {t.name} WHERE community_id = ?" for t in _ALL)
    return {row[0]: int(row[1]) for row in _lane(connection, parts, [community_id] * len(_ALL))}


# ---------------------------------------------------------------- the journal
def entries(connection: Connection, community_id: str) -> Rows:
    """(number, command, install, configuration, effects) by number."""
    statement = (
        "SELECT number, command, install_id, configuration, effects FROM journal WHERE community_id = ? ORDER BY number"
    )
    return _lane(connection, statement, (community_id,))


def entry_heads(connection: Connection, community_id: str) -> Rows:
    """(number, command, install, effects of reused ids and repairs only) by number."""
    statement = (
        "SELECT number, command, install_id, CASE WHEN command IN ('reused', 'repair') THEN effects END FROM journal "
        "WHERE community_id = ? ORDER BY number"
    )
    return _lane(connection, statement, (community_id,))


def effects(connection: Connection, community_id: str) -> Rows:
    """(record, v, number, JSON of a version or of a move) by record, v, number. All effects must be readable JSON."""
    if connection.dialect.name == "postgresql":
        statement = (
            "SELECT r.key{c} AS record_id, (e.value ->> 0)::bigint AS v, j.number AS number, e.value::text "
            "FROM journal j CROSS JOIN LATERAL jsonb_each(j.effects::jsonb -> 'records') r "
            "CROSS JOIN LATERAL jsonb_array_elements(r.value) e WHERE j.community_id = ? "
            "UNION ALL SELECT m.key{c}, (m.value ->> 0)::bigint, j.number, m.value::text "
            "FROM journal j CROSS JOIN LATERAL jsonb_each(j.effects::jsonb -> 'moves') m WHERE j.community_id = ? "
            "ORDER BY 1, 2, 3"
        )
    else:
        statement = (
            "SELECT r.key AS record_id, json_extract(e.value, '$[0]') AS v, j.number AS number, e.value "
            "FROM journal j, json_each(j.effects, '$.records') r, json_each(r.value) e WHERE j.community_id = ? "
            "UNION ALL SELECT m.key, json_extract(m.value, '$[0]'), j.number, m.value "
            "FROM journal j, json_each(j.effects, '$.moves') m WHERE j.community_id = ? ORDER BY 1, 2, 3"
        )
    return _lane(connection, statement, (community_id, community_id))


def published_editions(connection: Connection, community_id: str) -> Rows:
    """(layer, edition) that are in force, by layer."""
    statement = (
        "SELECT layer, edition_id FROM edition WHERE community_id = ? AND state = 'published' ORDER BY layer{c}"
    )
    return _lane(connection, statement, (community_id,))


def departures(connection: Connection, community_id: str) -> Rows:
    """Records that live in another community now, by id."""
    return _lane(connection, "SELECT id, to_community FROM departure WHERE community_id = ? ORDER BY id{c}", (community_id,))


def redirects(connection: Connection, community_id: str) -> Rows:
    """(id, target) of ids that lead to others, by id."""
    return _lane(connection, "SELECT id, target_id FROM redirect WHERE community_id = ? ORDER BY id{c}", (community_id,))


def assignments(connection: Connection, community_id: str) -> Rows:
    """(assignment, user, cell, revoked_at) by assignment."""
    statement = (
        "SELECT assignment_id, user_id, cell_id, revoked_at FROM assignment WHERE community_id = ? "
        "ORDER BY assignment_id{c}"
    )
    return _lane(connection, statement, (community_id,))


# ---------------------------------------------------------------- by record
def records(connection: Connection, community_id: str) -> Rows:
    """Records by id, with the kind of the install that made them and the data key of their subject."""
    statement = (
        "SELECT r.id, r.type, r.v, r.tag, r.life, r.home, r.dedicated, r.conflicts, r.stamps, r.fields, r.secret, r.created_install, "
        "i.kind AS made_by, k.subject_id AS has_key, k.wrapped FROM record r "
        "LEFT JOIN install i ON i.community_id = r.community_id AND i.install_id = r.created_install "
        "LEFT JOIN data_key k ON k.community_id = r.community_id AND k.subject_id = coalesce(r.subject_id, ?) "
        "WHERE r.community_id = ? ORDER BY r.id{c}"
    )
    return _lane(connection, statement, (_COMMUNITY_KEY, community_id))


def versions(connection: Connection, community_id: str) -> Rows:
    """History by record and v: (record, v, tag, number, op_id, install, n, units, life)."""
    statement = (
        "SELECT record_id, v, tag, number, op_id, install_id, n, units, life FROM history WHERE community_id = ? "
        "ORDER BY record_id{c}, v"
    )
    return _lane(connection, statement, (community_id,))


def moves(connection: Connection, community_id: str) -> Rows:
    """The placement ledger by record, entry and version: (record, number, from, to)."""
    statement = (
        "SELECT record_id, number, from_home, to_home FROM placement_ledger WHERE community_id = ? "
        "ORDER BY record_id{c}, number, v, step"
    )
    return _lane(connection, statement, (community_id,))


def shown(connection: Connection, community_id: str) -> Rows:
    """Feed rows of records, by record and stream: (record, stream, kind, v, tag)."""
    statement = (
        "SELECT record_id, stream_id, kind, v, tag FROM feed WHERE community_id = ? AND kind <> 'STATUS' "
        "ORDER BY record_id{c}, stream_id{c}"
    )
    return _lane(connection, statement, (community_id,))


def open_conflicts(connection: Connection, community_id: str) -> Rows:
    """(record, unit) of open conflicts, by both."""
    statement = (
        "SELECT record_id, unit FROM conflict WHERE community_id = ? AND state = 'open' ORDER BY record_id{c}, unit{c}"
    )
    return _lane(connection, statement, (community_id,))


def search_entries(connection: Connection, community_id: str) -> Rows:
    """(record, key) by record: of the tree, and of the few thousands that are not in it yet."""
    statement = "SELECT record_uuid, key FROM record_index WHERE community_id = ? ORDER BY record_uuid"
    tree = ((bytes(row[0]), row[1]) for row in _lane(connection, statement, (community_id,)))
    new = sorted((record_uuid, key) for key, record_uuid in new_entries(connection, community_id))
    return ((str(UUID(bytes=record_uuid)), key) for record_uuid, key in merge(tree, new, key=itemgetter(0)))


# ---------------------------------------------------------------- by stream
def streams(connection: Connection, community_id: str) -> Rows:
    """Counter rows by stream: (stream, seq, count, digest, floor)."""
    statement = "SELECT stream_id, seq, count, digest, floor FROM stream WHERE community_id = ? ORDER BY stream_id{c}"
    return _lane(connection, statement, (community_id,))


def feed_rows(connection: Connection, community_id: str) -> Rows:
    """Feed rows by stream: (stream, seq, record or op_id, kind, v, tag)."""
    statement = (
        "SELECT stream_id, seq, record_id, kind, v, tag FROM feed WHERE community_id = ? ORDER BY stream_id{c}, seq"
    )
    return _lane(connection, statement, (community_id,))


def statuses_due(connection: Connection, community_id: str) -> Rows:
    """(install stream, op_id, status) that phones must be told, by both."""
    statement = (
        "SELECT ('install/' || o.install_id){c} AS stream_id, o.op_id{c} AS op_id, max(o.status) FROM operation o "
        "JOIN install i ON i.community_id = o.community_id AND i.install_id = o.install_id AND i.kind = 'device' "
        "WHERE o.community_id = ? AND o.status > 1 AND o.op_id <> '00000000-0000-0000-0000-000000000000' "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return _lane(connection, statement, (community_id,))


def statuses_told(connection: Connection, community_id: str) -> Rows:
    """(install stream, op_id, status) that feeds hold, by both."""
    statement = (
        "SELECT stream_id, record_id, v FROM feed WHERE community_id = ? AND kind = 'STATUS' "
        "ORDER BY stream_id{c}, record_id{c}"
    )
    return _lane(connection, statement, (community_id,))


# ---------------------------------------------------------------- by install
def installs(connection: Connection, community_id: str) -> Rows:
    """(install, last_n, last_op_id) by install."""
    statement = (
        "SELECT install_id, last_n, last_op_id FROM install WHERE community_id = ? ORDER BY install_id{c}"
    )
    return _lane(connection, statement, (community_id,))


def operations(connection: Connection, community_id: str) -> Rows:
    """Operations by install and n, with the tag that history has for the version that they made."""
    statement = (
        "SELECT o.install_id, o.n, o.op_id, o.canonical, o.first, o.first_reason, o.now, o.now_reason, o.status, o.v, "
        "o.tag, h.tag AS made FROM operation o LEFT JOIN history h ON h.community_id = o.community_id "
        "AND h.record_id = coalesce(o.entered_id, o.record_id) AND h.v = o.v WHERE o.community_id = ? ORDER BY o.install_id{c}, o.n"
    )
    return _lane(connection, statement, (community_id,))


def outcomes(connection: Connection, community_id: str) -> Rows:
    """Later outcomes of operations by install, n, status: (install, n, status, outcome, reason)."""
    statement = (
        "SELECT install_id, n, status, outcome, reason FROM operation_status WHERE community_id = ? "
        "ORDER BY install_id{c}, n, status"
    )
    return _lane(connection, statement, (community_id,))


# ---------------------------------------------------------------- by journal entry: what was sent
def consumed(connection: Connection, community_id: str) -> Rows:
    """Operations by journal entry, with the subject whose key seals their text."""
    statement = (
        "SELECT number, install_id, n, coalesce(subject_id, ?) AS subject, op_id, content_hash, kind, record_type, "
        "record_id, first FROM operation WHERE community_id = ? ORDER BY number"
    )
    return _lane(connection, statement, (_COMMUNITY_KEY, community_id))


def payloads(connection: Connection, community_id: str) -> Rows:
    """Sealed texts by journal entry, with their data key: (number, subject_id, sealed, has_key, wrapped)."""
    statement = "SELECT number, parts, sealed FROM journal_payload WHERE community_id = ? ORDER BY number"
    for number, parts, sealed in _lane(connection, statement, (community_id,)):
        found = list(pieces(parts, bytes(sealed)))
        keys = wrapped_keys(connection, community_id, [subject_id for subject_id, _ in found])
        for subject_id, piece in found:
            yield Payload(number, subject_id, piece, subject_id if subject_id in keys else None, keys.get(subject_id))


class Payload(NamedTuple):
    """The texts of one (entry, data key); ``has_key`` None: there is no such key; ``wrapped`` None: it was destroyed."""

    number: int
    subject_id: str
    sealed: bytes
    has_key: str | None
    wrapped: bytes | None


# ---------------------------------------------------------------- keys and what they seal
def data_keys(connection: Connection, community_id: str) -> Rows:
    """(subject, wrapped, destroyed_at), in no order."""
    statement = "SELECT subject_id, wrapped, destroyed_at FROM data_key WHERE community_id = ?"
    return _lane(connection, statement, (community_id,))


def sealed_values(connection: Connection, community_id: str) -> Rows:
    """Values sealed in history and conflicts: (what, record, v or null, sealed, has_key, wrapped), in no order."""
    key = (
        "LEFT JOIN data_key k ON k.community_id = t.community_id AND k.subject_id = coalesce(t.subject_id, ?) "
        "WHERE t.community_id = ?"
    )
    statement = (
        "SELECT 'version' AS what, t.record_id, t.v, t.sealed, k.subject_id AS has_key, k.wrapped "
        f"FROM history t {key} AND t.sealed IS NOT NULL "
        "UNION ALL SELECT 'conflict', t.record_id, NULL, t.sealed, k.subject_id, k.wrapped "
        f"FROM conflict t {key} AND t.sealed IS NOT NULL "
        "UNION ALL SELECT 'conflict', t.record_id, NULL, s.sealed, k.subject_id, k.wrapped FROM conflict_sibling s "
        f"JOIN conflict t ON t.community_id = s.community_id AND t.conflict_id = s.conflict_id {key} "
        "AND s.sealed IS NOT NULL"
    )
    return _lane(connection, statement, (_COMMUNITY_KEY, community_id) * 3)


# ---------------------------------------------------------------- deciding again
def present(connection: Connection, community_id: str) -> Rows:
    """Records of people and places that are not erased, by id, with their values."""
    statement = (
        "SELECT id, type, fields, secret, subject_id, form_version, created_install, created_n FROM record "
        "WHERE community_id = ? AND life <> 'erased' AND type <> 'reference' ORDER BY id{c}"
    )
    return _lane(connection, statement, (community_id,))


def operations_by_id(connection: Connection, community_id: str, op_ids: Iterable[str]) -> dict[str, Any]:
    """Where the text of each operation lies, repaired ones as they were repaired: n, number, subject_id."""
    columns = ("op_id", "n", "number", "subject_id", "repaired_number", "repaired_subject")
    found = {}
    for row in rows_of(connection, operation, columns, community_id, "op_id", sorted(op_ids), "t.canonical = 1"):
        place = (row.number, row.subject_id) if row.repaired_number is None else (row.repaired_number, row.repaired_subject)
        found[row.op_id] = Text(row.n, *place)
    return found


class Text(NamedTuple):
    """Where the text of an operation lies."""

    n: int
    number: int
    subject_id: str | None


def versions_of_other_engines(
    connection: Connection, community_id: str, record_ids: Sequence[str], engine: str
) -> set[tuple[str, int]]:
    """(record, v) of these records that another engine than this one has decided."""
    wanted, values = among("h.record_id", record_ids)
    statement = (
        "SELECT h.record_id, h.v FROM history h JOIN journal j ON j.community_id = h.community_id AND j.number = h.number "
        f"WHERE h.community_id = ? AND {wanted} AND j.engine_version <> ?"
    )
    return {(row[0], int(row[1])) for row in run(connection, statement, (community_id, *values, engine))}
