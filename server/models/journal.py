"""What happened: the append-only journal, its sealed payloads, and one row per consumed operation."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, text

from server.models.base import key, keyed, may, metadata, need

# SQLite has no sequences; PostgreSQL uses its own (journal_number), so that no row lock is taken (S15).
sequence = Table(
    "sequence", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)

journal = keyed(
    "journal",
    key("number", BigInteger),
    need("command"),  # push | release | publish | assign | erase …
    need("at"),
    need("actor_id"),
    need("install_id"),
    need("source"),  # device | console | import | odk | system
    need("engine_version"),
    need("configuration"),  # JSON: ids of form set and edition that decided
    # JSON, no values: {"records": {id: [[v, tag, units, life, open units, home], …]}, "moves": {id: [v, home]},
    # "streams": {id: [seq, count, digest]}}; assignments and reused ids have members of their own.
    need("effects"),
)

journal_payload = keyed(
    "journal_payload",
    key("number", BigInteger),
    need("parts"),  # JSON [[subject, length], …]: whose data key seals which piece
    need("sealed", LargeBinary),  # the pieces, one after the other: each sealed JSON {"<n>": "<operation text>"}
)

operation = keyed(
    "operation",
    key("install_id"),
    key("n", BigInteger),
    need("op_id"),
    need("canonical", Integer),  # 1: the row that answers for this op_id; 0: a repeat of it (fork, reuse)
    need("group_n", BigInteger),  # n of the first member of its group
    need("number", BigInteger),
    need("content_hash", LargeBinary),
    may("record_type"),
    may("record_id"),
    may("subject_id"),  # under whose key its text lies in the payload of its journal entry
    need("kind"),
    need("first"),
    may("first_reason"),
    need("now"),
    may("now_reason"),
    need("status", Integer, server_default="1"),
    may("v", Integer),
    may("tag"),
    may("detail"),  # JSON: pointers and codes, never values
    may("claimed_at"),
    need("arrived_at"),
    may("entered_id"),  # the record that it entered where the id in its text leads to another one (S8)
    may("repaired_number", BigInteger),  # the entry that holds its text as it was repaired (S13)
    may("repaired_subject"),
    may("delegated_to"),  # who was asked to see to it while it waits
    may("delegated_at"),
    clustered=True,
)
Index(
    "uq_operation_op_id",
    operation.c.community_id,
    operation.c.op_id,
    unique=True,
    sqlite_where=text("canonical = 1"),
    postgresql_where=text("canonical = 1"),
)
Index(
    "ix_operation_entered",
    operation.c.community_id,
    operation.c.entered_id,
    sqlite_where=text("entered_id IS NOT NULL"),
    postgresql_where=text("entered_id IS NOT NULL"),
)
Index(
    "ix_operation_asked",
    operation.c.community_id,
    operation.c.delegated_to,
    sqlite_where=text("delegated_to IS NOT NULL"),
    postgresql_where=text("delegated_to IS NOT NULL"),
)
Index(
    "ix_operation_open",
    operation.c.community_id,
    operation.c.install_id,
    operation.c.group_n,
    sqlite_where=text("now IN ('held', 'quarantined')"),
    postgresql_where=text("now IN ('held', 'quarantined')"),
)

operation_status = keyed(
    "operation_status",
    key("install_id"),
    key("n", BigInteger),
    key("status", Integer),
    need("outcome"),
    may("reason"),
    need("number", BigInteger),
    need("at"),
    clustered=True,
)

# The records of a command beside the one in its operation's row: what waits on them waits behind it.
operation_target = keyed(
    "operation_target", key("install_id"), key("n", BigInteger), key("record_id"), clustered=True
)

# What a held group waits for: a record id, a form (type/version) or an install.
held_wait = keyed(
    "held_wait", key("waits_for"), key("install_id"), key("group_n", BigInteger), need("since"), clustered=True
)
