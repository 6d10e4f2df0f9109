"""What people at the office keep for their own work: saved lists, templates of tables, what was handed over, special surveys, and so on."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary

from server.models.base import key, keyed, may, need

saved_roster = keyed(
    "saved_roster",
    key("saved_id"),
    need("user_id"),
    need("name"),
    need("roster"),
    may("cell_code"),  # null: of the whole community
    need("shared", Integer, server_default="0"),  # 1: everybody of the community who may see such a roster
    need("created_at"),
    need("changed_at"),
    need("sealed", LargeBinary),  # sealed JSON {"columns", "filters", "sort", ...}: a filter may hold what somebody is called
)
Index("ix_saved_roster_user", saved_roster.c.community_id, saved_roster.c.user_id)

# Two records that look like one and are not; the smaller id first. Whoever decided so may take it back.
distinct_pair = keyed(
    "distinct_pair", key("first_id"), key("second_id"), need("decided_at"), need("decided_by"), clustered=True
)

# What a cell looked like on a day, written once a day by the sweeper: the trend of the overview.
daily_figure = keyed("daily_figure", key("day"), key("home"), need("figures"), clustered=True)

# What is counted in a home stream at the position that it stands for: JSON of counts by type, by day of birth and by day of
# last confirmation (services/cell_figures). A row of another life of the database, or of another position, counts nothing.
home_count = keyed("home_count", key("home"), need("seq", BigInteger), need("epoch"), need("figures"))

# How far the records of a stream were compared with what follows from them: its number, and the day (ages change without a write).
checked_stream = keyed("checked_stream", key("stream_id"), need("seq", BigInteger), need("day"), clustered=True)

# Special surveys (专项调查): one row for each version; what was published is kept for ever (S10).
survey = keyed(
    "survey",
    key("name"),  # the record type that its answers are
    key("version", Integer),
    need("state"),  # draft | published | closed
    need("content_hash"),
    need("document"),  # JSON {"definition", "codelists"}; no personal value
    need("made_at"),
    need("made_by"),
    may("published_at"),
    may("published_by"),
    may("closed_at"),
    may("closed_by"),
)

# A department's own workbook that is filled again and again (docs/templates.md).
table_template = keyed(
    "table_template",
    key("template_id"),
    need("name"),
    need("file_name"),
    need("described"),  # JSON: sheets, lists, personal columns
    need("created_by"),
    need("created_at"),
    need("changed_at"),
    need("sealed", LargeBinary),  # the workbook
)

# An outside system that gets rows of a roster: what it is given.
handover_system = keyed(
    "handover_system",
    key("system_id"),
    need("name"),
    need("roster"),
    need("created_by"),
    need("created_at"),
    need("sealed", LargeBinary),  # sealed JSON {"columns", "filters"}
)

# What a record was when an outside system got it last. The mark is a keyed hash of the columns that were given.
external_ref = keyed(
    "external_ref",
    key("system_id"),
    key("record_id"),
    may("external_key"),  # what the other system calls it
    need("handed_v", Integer),
    need("mark"),
    need("handed_at"),
    need("handed_by"),
    clustered=True,
)

# Rules of a community that take the place of those the house comes with: who is visited how often.
community_rule = keyed("community_rule", key("name"), need("document"), need("changed_at"), need("changed_by"))
