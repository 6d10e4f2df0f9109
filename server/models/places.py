"""Where: communities, editions and the cells of each edition."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, Integer, LargeBinary

from server.models.base import key, keyed, may, need

community = keyed(
    "community",
    need("code"),
    need("name"),
    need("subdistrict_code"),
    need("district_code"),
    need("code_profile"),
    may("boundary", LargeBinary),  # WKB, CGCS2000 lon/lat
    need("placement_version", BigInteger, server_default="0"),
    need("created_at"),
)

edition = keyed(
    "edition",
    key("edition_id"),
    need("layer"),  # base | dedicated
    need("number", Integer),
    need("state"),  # draft | published | retired
    need("profile"),
    may("certificate"),  # JSON
    may("content_hash"),
    need("created_at"),
    may("published_at"),
    may("published_by"),
    may("journal_number", BigInteger),  # of the entry that put it in force, under which the ledger has its moves
)

cell = keyed(
    "cell",
    key("edition_id"),
    key("cell_id"),
    need("code"),
    need("name"),
    need("order_number", Integer),
    need("geometry", LargeBinary),  # WKB, CGCS2000 lon/lat
    need("area_m2", Float),
    need("label_lon", Float),
    need("label_lat", Float),
    may("properties"),
)

# What became of each cell when an edition was published; "" where ground was, or is, in no cell. Never changed.
cell_lineage = keyed(
    "cell_lineage",
    key("edition_id"),
    key("old_cell_id"),
    key("new_cell_id"),
    may("from_edition_id"),
    need("kind"),  # same | reshape | split | merge | transfer | new | end
    need("area_m2", Float),
    need("share_of_old", Float),
    need("share_of_new", Float),
    may("households", Integer),
    may("household_share_of_old", Float),
    may("household_share_of_new", Float),
    need("counts", Integer),  # 0: too little to decide the kind
    clustered=True,
)

# What was told to people without personal fields, as it was told: every file of a month says the same (ADR 0016).
published_figure = keyed(
    "published_figure",
    key("edition_id"),
    key("period"),  # month in the communities, 2026-03
    key("cell_id"),  # or ~total
    key("measure"),
    may("value", BigInteger),  # null: withheld
    need("made_at"),
    clustered=True,
)

# Roads and paths on foot, one network for a community; another takes its place as a whole.
road_network = keyed(
    "road_network",
    need("name"),
    need("datum"),
    need("joins"),  # crossings | ends: where lines meet
    need("lines", LargeBinary),  # WKB MultiLineString, CGCS2000 lon/lat
    need("content_hash"),
    need("line_count", Integer),
    need("length_m", Float),
    need("added_at"),
    need("added_by"),
)
