"""What phones follow: one counter row per stream, one feed row per record in it, and where records have been."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer

from server.models.base import key, keyed, may, need

stream = keyed(
    "stream",
    key("stream_id"),  # cell/<cell_id> | ~unplaced | dedicated/<cell_id> | install/<install_id> | ~reference
    need("seq", BigInteger, server_default="0"),
    need("count", BigInteger, server_default="0"),
    need("digest", server_default="0" * 32),  # 32 hex digits, see sync.digest
    need("floor", BigInteger, server_default="0"),
    clustered=True,
)

feed = keyed(
    "feed",
    key("stream_id"),
    key("seq", BigInteger),
    need("record_id"),  # of a STATUS row: the op_id
    need("kind"),  # PUT | REMOVE | STATUS
    may("reason"),  # of REMOVE: deleted | moved | merged | erased
    need("v", Integer),  # of STATUS: the status number
    may("tag"),
    clustered=True,
)
Index("uq_feed_record", feed.c.community_id, feed.c.stream_id, feed.c.record_id, unique=True)

# A record that never changed its stream has no row: it was in its present home from the first version on.
placement_ledger = keyed(
    "placement_ledger",
    key("record_id"),
    key("v", Integer),
    key("step", BigInteger),
    need("from_home"),
    need("to_home"),
    need("number", BigInteger),
    need("at"),
    may("reason"),
    clustered=True,
)
Index("ix_placement_ledger_from_home", placement_ledger.c.community_id, placement_ledger.c.from_home)
