"""Everything that the first version keeps.

Why: records, journal, streams, places, people and office as laid out in server/models, the number sequence of the
journal on PostgreSQL, and triggers that refuse any change of what is written once (audit log and journal).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Float, Integer, LargeBinary, Text

revision = "0001"
down_revision = None

# How many rows a table has and how many share each prefix of an index, as ANALYZE would find them in a community at work
# (https://www.sqlite.org/fileformat2.html#the_sqlite_stat1_table). Without any, SQLite takes every index that begins with the
# community for equally good and reads whole communities; measured ones would make plans depend on when they were taken.
STATISTICS = {
    ("record", "sqlite_autoindex_record_1"): "400000 20000 1",
    ("record", "ix_record_home"): "400000 20000 4000 200 1",
    ("record", "ix_record_place_parent"): "380000 19000 3",
    ("record", "ix_record_served"): "120000 6000 500 1",
    ("operation", "operation"): "800000 40000 2000 1",
    ("operation", "uq_operation_op_id"): "800000 40000 1",
    ("operation", "ix_operation_open"): "400 20 5 1",
    ("operation", "ix_operation_asked"): "400 20 4 1",
    ("conflict", "ix_conflict_asked"): "400 20 4",
    ("finding", "ix_finding_asked"): "400 20 4",
    ("feed", "feed"): "400000 20000 800 1",
    ("feed", "uq_feed_record"): "400000 20000 800 1",
    ("history", "sqlite_autoindex_history_1"): "800000 40000 2 1",
    ("record_index", "record_index"): "900000 45000 2 1",
}

# Written once: neither changed nor deleted, not even by us.
APPEND_ONLY = ("audit", "journal")


def key(name: str, kind: Any = Text) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def need(name: str, kind: Any = Text, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default=default)


def may(name: str, kind: Any = Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def table(name: str, *columns: sa.Column[Any], clustered: bool = False) -> None:
    keys = [column.name for column in columns if column.primary_key]
    options = {"sqlite_with_rowid": False} if clustered else {}
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"), **options)


def index(name: str, on: str, columns: list[str], unique: bool = False, where: str | None = None) -> None:
    part: dict[str, Any] = {} if where is None else {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}
    op.create_index(name, on, columns, unique=unique, **part)


# fmt: off
def upgrade() -> None:
    table("assignment",
        key("community_id"), key("assignment_id"), need("user_id"), need("cell_id"), need("duty"), need("from_on"),
        may("to_on"), need("granted_version", Integer), may("revoked_version", Integer), need("granted_at"),
        may("revoked_at"), may("granted_by"))
    index("ix_assignment_user", "assignment", ["community_id", "user_id"])
    table("audit",
        key("community_id"), key("audit_id"), need("at"), need("actor_id"), need("role"), need("action"),
        need("purpose"), need("scope"), may("record_type"), may("record_id"), need("fields", default="[]"),
        may("count", BigInteger), may("request_id"))
    index("ix_audit_at", "audit", ["community_id", "at"])
    index("ix_audit_record", "audit", ["community_id", "record_type", "record_id", "at"])
    table("backup_blob", key("community_id"), key("sha256"), key("backup_id"), clustered=True)
    table("backup_copy",
        key("community_id"), key("backup_id"), need("epoch"), need("at"), need("expires_at"), may("destroyed_at"),
        need("file_name"))
    table("backup_install",
        key("community_id"), key("install_id"), key("backup_id"), need("n", BigInteger), clustered=True)
    table("begun_file", key("community_id"), key("file"), need("begun_at"))
    table("blob",
        key("community_id"), key("sha256"), need("media_type"), need("size_bytes", BigInteger), need("kept_sha256"),
        need("stored_at"), need("file"), may("wrapped_key", LargeBinary))
    table("blob_holder",
        key("community_id"), key("sha256"), key("install_id"), key("record_id"), need("since"), clustered=True)
    table("cell",
        key("community_id"), key("edition_id"), key("cell_id"), need("code"), need("name"),
        need("order_number", Integer), need("geometry", LargeBinary), need("area_m2", Float),
        need("label_lon", Float), need("label_lat", Float), may("properties"))
    table("cell_lineage",
        key("community_id"), key("edition_id"), key("old_cell_id"), key("new_cell_id"), may("from_edition_id"),
        need("kind"), need("area_m2", Float), need("share_of_old", Float), need("share_of_new", Float),
        may("households", Integer), may("household_share_of_old", Float), may("household_share_of_new", Float),
        need("counts", Integer), clustered=True)
    table("checked_stream", key("community_id"), key("stream_id"), need("seq", BigInteger), need("day"), clustered=True)
    table("community",
        key("community_id"), need("code"), need("name"), need("subdistrict_code"), need("district_code"),
        need("code_profile"), may("boundary", LargeBinary), need("placement_version", BigInteger, default="0"),
        need("created_at"))
    table("community_rule", key("community_id"), key("name"), need("document"), need("changed_at"), need("changed_by"))
    table("conflict",
        key("community_id"), key("conflict_id"), need("record_id"), need("unit"), need("kind"), need("policy"),
        need("state"), may("delegated_to"), may("delegated_at"), need("opened_at"), need("opened_number", BigInteger),
        may("closed_at"), may("closed_number", BigInteger), may("closed_by"), may("subject_id"), may("sealed", LargeBinary))
    index("ix_conflict_asked", "conflict", ["community_id", "delegated_to"], where="delegated_to IS NOT NULL")
    index("ix_conflict_record", "conflict", ["community_id", "record_id"])
    index("ix_conflict_state", "conflict", ["community_id", "state", "opened_at"])
    index("uq_conflict_open", "conflict", ["community_id", "record_id", "unit"], unique=True, where="state = 'open'")
    table("conflict_sibling",
        key("community_id"), key("conflict_id"), key("op_id"), need("role"), need("state"), need("install_id"),
        need("n", BigInteger), may("user_id"), may("claimed_at"), need("arrived_at"), may("form_version", Integer),
        may("sealed", LargeBinary), clustered=True)
    table("daily_figure", key("community_id"), key("day"), key("home"), need("figures"), clustered=True)
    table("data_key",
        key("community_id"), key("subject_id"), may("wrapped", LargeBinary), may("destroyed_at"), clustered=True)
    table("database_life",
        key("epoch"), need("started_at"))
    table("departure",
        key("community_id"), key("id"), need("to_community"), need("number", BigInteger), clustered=True)
    index("ix_departure_number", "departure", ["community_id", "number"])
    table("departure_told",
        key("community_id"), key("install_id"), key("seen", BigInteger), key("until_n", BigInteger), need("last_n", BigInteger),
        clustered=True)
    table("distinct_pair",
        key("community_id"), key("first_id"), key("second_id"), need("decided_at"), need("decided_by"), clustered=True)
    table("edition",
        key("community_id"), key("edition_id"), need("layer"), need("number", Integer), need("state"),
        need("profile"), may("certificate"), may("content_hash"), need("created_at"), may("published_at"),
        may("published_by"), may("journal_number", BigInteger))
    table("enrolment_code",
        key("community_id"), key("code_hash"), need("user_id"), need("created_at"), need("created_by"),
        need("expires_at"), may("used_at"), may("install_id"))
    table("external_ref",
        key("community_id"), key("system_id"), key("record_id"), may("external_key"), need("handed_v", Integer),
        need("mark"), need("handed_at"), need("handed_by"), clustered=True)
    table("feed",
        key("community_id"), key("stream_id"), key("seq", BigInteger), need("record_id"), need("kind"),
        may("reason"), need("v", Integer), may("tag"), clustered=True)
    index("uq_feed_record", "feed", ["community_id", "stream_id", "record_id"], unique=True)
    table("finding",
        key("community_id"), key("finding_id"), need("kind"), need("name"), may("record_id"),
        need("units", default="[]"), need("state"), need("opened_at"), need("opened_number", BigInteger),
        may("closed_at"), may("detail"), may("delegated_to"), may("delegated_at"))
    index("ix_finding_asked", "finding", ["community_id", "delegated_to"], where="delegated_to IS NOT NULL")
    index("ix_finding_record", "finding", ["community_id", "record_id"])
    table("held_wait",
        key("community_id"), key("waits_for"), key("install_id"), key("group_n", BigInteger), need("since"),
        clustered=True)
    table("handover_system",
        key("community_id"), key("system_id"), need("name"), need("roster"), need("created_by"), need("created_at"),
        need("sealed", LargeBinary))
    table("history",
        key("community_id"), key("record_id"), key("v", Integer), need("tag"), need("number", BigInteger),
        need("op_id"), need("install_id"), need("n", BigInteger), need("at"), need("units"),
        need("set_aside", default="[]"), may("life"), may("subject_id"), may("sealed", LargeBinary))
    table("home_count",
        key("community_id"), key("home"), need("seq", BigInteger), need("epoch"), need("figures"))
    table("install",
        key("community_id"), key("install_id"), need("kind"), may("user_id"), need("label"),
        may("parent_install_id"), may("parent_n", BigInteger), need("last_n", BigInteger, default="0"),
        may("last_op_id"), need("enrolled_at"), may("revoked_at"), may("revoked_reason"), may("flag"),
        may("skew_s", Float), may("last_seen_at"), may("unsent", BigInteger), need("departures_seen", BigInteger, default="0"),
        may("app_version"))
    index("ix_install_user", "install", ["community_id", "user_id"])
    table("job",
        key("community_id"), key("job_id"), need("kind"), need("state"), need("arguments"), need("requested_by"),
        need("requested_at"), may("lease_until"), may("worker"), need("done_count", BigInteger, default="0"),
        may("total_count", BigInteger), may("result"), may("error"), may("ended_at"),
        need("attempt", Integer, default="0"))
    table("journal",
        key("community_id"), key("number", BigInteger), need("command"), need("at"), need("actor_id"),
        need("install_id"), need("source"), need("engine_version"), need("configuration"), need("effects"))
    table("journal_payload",
        key("community_id"), key("number", BigInteger), need("parts"), need("sealed", LargeBinary))
    table("odk_branch",
        key("community_id"), key("branch_id"), key("record_id"), need("base_version", Integer), clustered=True)
    table("odk_submission",
        key("community_id"), key("instance_id"), need("install_id"), need("form_id"), need("form_version"),
        need("content_hash", LargeBinary), may("device_id"), may("user_agent"), need("arrived_at"),
        need("first_n", BigInteger), need("count", Integer), need("files"), need("metadata", default="{}"),
        may("review_state"))
    index("ix_odk_submission_form", "odk_submission", ["community_id", "form_id", "arrived_at"])
    table("operation",
        key("community_id"), key("install_id"), key("n", BigInteger), need("op_id"), need("canonical", Integer),
        need("group_n", BigInteger), need("number", BigInteger), need("content_hash", LargeBinary),
        may("record_type"), may("record_id"), may("subject_id"), need("kind"), need("first"), may("first_reason"),
        need("now"), may("now_reason"), need("status", Integer, default="1"), may("v", Integer), may("tag"),
        may("detail"), may("claimed_at"), need("arrived_at"), may("entered_id"), may("repaired_number", BigInteger),
        may("repaired_subject"), may("delegated_to"), may("delegated_at"), clustered=True)
    index("uq_operation_op_id", "operation", ["community_id", "op_id"], unique=True, where="canonical = 1")
    index("ix_operation_asked", "operation", ["community_id", "delegated_to"], where="delegated_to IS NOT NULL")
    index("ix_operation_entered", "operation", ["community_id", "entered_id"], where="entered_id IS NOT NULL")
    index("ix_operation_open", "operation", ["community_id", "install_id", "group_n"],
        where="now IN ('held', 'quarantined')")
    table("operation_status",
        key("community_id"), key("install_id"), key("n", BigInteger), key("status", Integer), need("outcome"),
        may("reason"), need("number", BigInteger), need("at"), clustered=True)
    table("operation_target",
        key("community_id"), key("install_id"), key("n", BigInteger), key("record_id"), clustered=True)
    table("placement_ledger",
        key("community_id"), key("record_id"), key("v", Integer), key("step", BigInteger), need("from_home"),
        need("to_home"), need("number", BigInteger), need("at"), may("reason"), clustered=True)
    index("ix_placement_ledger_from_home", "placement_ledger", ["community_id", "from_home"])
    table("published_figure",
        key("community_id"), key("edition_id"), key("period"), key("cell_id"), key("measure"), may("value", BigInteger),
        need("made_at"), clustered=True)
    table("read_token",
        key("community_id"), key("token_id"), need("token_hash"), need("user_id"), need("label"),
        need("created_at"), need("expires_at"), may("revoked_at"))
    table("record",
        key("community_id"), key("id"), need("type"), need("v", Integer), need("tag"), need("life"), need("home"),
        may("dedicated"), may("place_parent"), may("subject_id"), need("fields"), may("secret", LargeBinary),
        need("stamps", default="{}"), need("conflicts", default="[]"), need("confirmed", default="{}"),
        may("placement"), may("lon", Float), may("lat", Float), need("form_version", Integer),
        need("created_install"), need("created_n", BigInteger), need("created_at"), need("updated_at"),
        need("fresh_at"))
    index("ix_record_home", "record", ["community_id", "type", "home", "id"])
    index("ix_record_served", "record", ["community_id", "type", "id"],
        where="type <> 'person'")
    index("ix_record_place_parent", "record", ["community_id", "place_parent"], where="place_parent IS NOT NULL")
    table("record_index",
        key("community_id"), key("key", BigInteger), key("record_uuid", LargeBinary), clustered=True)
    table("record_index_new",
        key("community_id"), key("number", BigInteger), need("entries", LargeBinary))
    table("recovery",
        key("community_id"), key("recovery_id"), need("record_id"), need("record_type"), need("v", Integer),
        need("tag"), may("home"), need("epoch"), need("install_id"), need("offered_at"), need("state"),
        may("closed_at"), may("closed_by"), may("subject_id"), need("sealed", LargeBinary))
    index("ix_recovery_open", "recovery", ["community_id", "state", "offered_at"])
    table("redirect",
        key("community_id"), key("id"), need("target_id"), need("number", BigInteger), clustered=True)
    table("road_network",
        key("community_id"), need("name"), need("datum"), need("joins"), need("lines", LargeBinary),
        need("content_hash"), need("line_count", Integer), need("length_m", Float), need("added_at"), need("added_by"))
    table("saved_roster",
        key("community_id"), key("saved_id"), need("user_id"), need("name"), need("roster"), may("cell_code"),
        need("shared", Integer, default="0"), need("created_at"), need("changed_at"), need("sealed", LargeBinary))
    index("ix_saved_roster_user", "saved_roster", ["community_id", "user_id"])
    table("sequence",
        key("name"), need("value", BigInteger))
    table("sheet_mapping", key("community_id"), key("heading_hash"), need("mapping"), need("used_at"))
    table("sign_in_session",
        key("community_id"), key("session_hash"), need("user_id"), need("csrf_token"), need("created_at"),
        need("expires_at"), may("ended_at"))
    table("stream",
        key("community_id"), key("stream_id"), need("seq", BigInteger, default="0"),
        need("count", BigInteger, default="0"), need("digest", default="00000000000000000000000000000000"),
        need("floor", BigInteger, default="0"), clustered=True)
    table("survey",
        key("community_id"), key("name"), key("version", Integer), need("state"), need("content_hash"), need("document"),
        need("made_at"), need("made_by"), may("published_at"), may("published_by"), may("closed_at"), may("closed_by"))
    table("table_template",
        key("community_id"), key("template_id"), need("name"), need("file_name"), need("described"),
        need("created_by"), need("created_at"), need("changed_at"), need("sealed", LargeBinary))
    table("upload",
        key("community_id"), key("upload_id"), need("sha256"), need("media_type"), need("length_bytes", BigInteger),
        need("offset_bytes", BigInteger), need("install_id"), need("expires_at"))
    index("ix_upload_install", "upload", ["community_id", "install_id"])
    table("user_account",
        key("community_id"), key("user_id"), need("login"), need("name"), need("role"), may("area_code"),
        need("topics", default="[]"), need("topics_past", default="[]"), need("password_hash"), need("failed_count", Integer, default="0"),
        may("locked_until"), need("created_at"), may("closed_at"))
    index("uq_user_account_login", "user_account", ["login"], unique=True)
    table("user_scope",
        key("community_id"), key("user_id"), need("version", Integer), clustered=True)
# fmt: on

    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE journal_number")
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        for name in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
        return
    for name in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {name}_no_{change.lower()} BEFORE {change} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
            )
    op.execute("ANALYZE")  # makes the table of statistics
    for (name, one), numbers in STATISTICS.items():
        op.execute(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('{name}', '{one}', '{numbers}')")
    op.execute("ANALYZE sqlite_master")  # read by the connection that wrote them, too; nothing is counted
