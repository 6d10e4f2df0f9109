"""What the office keeps beside the records: findings, jobs, the audit log, the life of the database, its backups."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, text

from server.models.base import key, keyed, may, metadata, need

# One row: a random id of this life of the database (S25).
database_life = Table(
    "database_life", metadata, Column("epoch", Text, primary_key=True), Column("started_at", Text, nullable=False)
)

finding = keyed(
    "finding",
    key("finding_id"),
    need("kind"),  # constraint | orphaned | left_behind | confirm | missing_range | retired_code …
    need("name"),
    may("record_id"),
    need("units", server_default="[]"),
    need("state"),  # open | closed
    need("opened_at"),
    need("opened_number", BigInteger),
    may("closed_at"),
    may("detail"),  # JSON without personal values
    may("delegated_to"),  # who was asked to see to it
    may("delegated_at"),
)
Index("ix_finding_record", finding.c.community_id, finding.c.record_id)
Index(
    "ix_finding_asked",
    finding.c.community_id,
    finding.c.delegated_to,
    sqlite_where=text("delegated_to IS NOT NULL"),
    postgresql_where=text("delegated_to IS NOT NULL"),
)

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
# Who looked at this: lines about one record; lists of a type have none.
Index("ix_audit_record", audit.c.community_id, audit.c.record_type, audit.c.record_id, audit.c.at)

# Verified backups of this life (S26), of the house. What failed its verification has no row.
backup_copy = keyed(
    "backup_copy",
    key("backup_id"),
    need("epoch"),
    need("at"),
    need("expires_at"),
    may("destroyed_at"),  # its key file is gone: nobody opens the archive any more
    need("file_name"),
)

# How far each install was consumed in a copy, read inside the copy.
backup_install = keyed("backup_install", key("install_id"), key("backup_id"), need("n", BigInteger), clustered=True)

# The photos in a copy, read inside the copy.
backup_blob = keyed("backup_blob", key("sha256"), key("backup_id"), clustered=True)

# Copies that phones hold of records that a restored database lacks: shown to people, never merged unasked (S25).
recovery = keyed(
    "recovery",
    key("recovery_id"),
    need("record_id"),
    need("record_type"),
    need("v", Integer),
    need("tag"),
    may("home"),
    need("epoch"),  # of the life that the copy is from
    need("install_id"),  # whose phone offered it first
    need("offered_at"),
    need("state"),  # open | closed
    may("closed_at"),
    may("closed_by"),
    may("subject_id"),
    need("sealed", LargeBinary),  # sealed JSON: the copy
)
Index("ix_recovery_open", recovery.c.community_id, recovery.c.state, recovery.c.offered_at)

# Which column of a table meant what, by the headings of the table: asked once, remembered for the next one.
sheet_mapping = keyed("sheet_mapping", key("heading_hash"), need("mapping"), need("used_at"))
