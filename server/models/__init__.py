"""Every table, as SQLAlchemy Core tables of one metadata; no queries here.

`records` what is recorded and its history; `journal` what happened; `streams` what phones follow;
`places` cells and editions; `people` who may ask; `blobs` photos; `office` jobs, audit and what else the office keeps;
`desk` what people at the office keep for their own work; `odk` what came through ODK.
Every key starts with ``community_id``, so that the schema can be distributed by community.
"""

from server.models.base import HOUSE, metadata
from server.models.blobs import begun_file, blob, blob_holder, upload
from server.models.desk import (
    checked_stream,
    community_rule,
    daily_figure,
    distinct_pair,
    external_ref,
    handover_system,
    home_count,
    saved_roster,
    survey,
    table_template,
)
from server.models.journal import (
    held_wait,
    journal,
    journal_payload,
    operation,
    operation_status,
    operation_target,
    sequence,
)
from server.models.odk import odk_branch, odk_submission
from server.models.office import (
    audit,
    backup_blob,
    backup_copy,
    backup_install,
    database_life,
    finding,
    job,
    recovery,
    sheet_mapping,
)
from server.models.people import (
    assignment,
    enrolment_code,
    install,
    read_token,
    sign_in_session,
    user_account,
    user_scope,
)
from server.models.places import cell, cell_lineage, community, edition, published_figure, road_network
from server.models.records import (
    conflict,
    conflict_sibling,
    data_key,
    departure,
    departure_told,
    history,
    record,
    record_index,
    record_index_new,
    redirect,
)
from server.models.streams import feed, placement_ledger, stream

__all__ = [
    "HOUSE",
    "assignment",
    "audit",
    "backup_blob",
    "backup_copy",
    "backup_install",
    "begun_file",
    "blob",
    "blob_holder",
    "cell",
    "cell_lineage",
    "checked_stream",
    "community",
    "community_rule",
    "conflict",
    "conflict_sibling",
    "daily_figure",
    "data_key",
    "database_life",
    "departure",
    "departure_told",
    "distinct_pair",
    "edition",
    "enrolment_code",
    "external_ref",
    "feed",
    "finding",
    "handover_system",
    "held_wait",
    "history",
    "home_count",
    "install",
    "job",
    "journal",
    "journal_payload",
    "metadata",
    "odk_branch",
    "odk_submission",
    "operation",
    "operation_status",
    "operation_target",
    "placement_ledger",
    "published_figure",
    "read_token",
    "record",
    "record_index",
    "record_index_new",
    "recovery",
    "redirect",
    "road_network",
    "saved_roster",
    "sequence",
    "sheet_mapping",
    "sign_in_session",
    "stream",
    "survey",
    "table_template",
    "upload",
    "user_account",
    "user_scope",
]
