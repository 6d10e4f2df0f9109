"""What the office keeps beside the records: findings, jobs, the audit log, the life of the database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from server.models.base import key, keyed, may, metadata, need

# One row: a random id of this life of the database (S25).
database_life = Table(
    "database_life", metadata, Column("epoch", Text, primary_key=True), Column("started_at", Text, nullable=False)
)

finding = keyed(
    "finding",
    key("finding_id"),
    need("kind"),  # constraint | orphaned | confirm | missing_range | retired_code …
    need("name"),
    may("record_id"),
    need("units", server_default="[]"),
    need("state"),  # open | closed
    need("opened_at"),
    need("opened_number", BigInteger),
    may("closed_at"),
    may("detail"),  # JSON without personal values
)
Index("ix_finding_record", finding.c.community_id, finding.c.record_id)

job = keyed(
    "job",
    key("job_id"),
    need("kind"),
    need("state"),  # queued | running | done | failed
    need("arguments"),
    need("requested_by"),
    need("requested_at"),
    may("lease_until"),
    may("worker"),
    need("done_count", BigInteger, server_default="0"),
    may("total_count", BigInteger),
    may("result"),  # JSON: file name, media type, size, sha256
    may("error"),
    may("ended_at"),
    need("attempt", Integer, server_default="0"),
)

# Append-only: triggers of the first migration refuse UPDATE and DELETE.
audit = keyed(
    "audit",
    key("audit_id"),
    need("at"),
    need("actor_id"),
    need("role"),
    need("action"),  # read | search | export | unmask | sign_in | change
    need("purpose"),
    need("scope"),
    may("record_type"),
    may("record_id"),
    need("fields", server_default="[]"),
    may("count", BigInteger),
    may("request_id"),
)
Index("ix_audit_at", audit.c.community_id, audit.c.at)
