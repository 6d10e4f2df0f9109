"""What people at the office keep for their own work: saved lists, pairs that are no duplicates, figures of past days, special surveys."""

from __future__ import annotations

from sqlalchemy import Index, Integer, LargeBinary

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
    need("sealed", LargeBinary),  # sealed JSON {"columns", "filters", "sort"}: a filter may hold what somebody is called
)
Index("ix_saved_roster_user", saved_roster.c.community_id, saved_roster.c.user_id)

# Two records that look like one and are not; the smaller id first. Whoever decided so may take it back.
distinct_pair = keyed(
    "distinct_pair", key("first_id"), key("second_id"), need("decided_at"), need("decided_by"), clustered=True
)

# What a cell looked like on a day, written once a day by the sweeper: the trend of the overview.
daily_figure = keyed("daily_figure", key("day"), key("home"), need("figures"), clustered=True)

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
