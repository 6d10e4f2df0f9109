"""What is recorded: one table for all record types, its history, conflicts, search index and data keys."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, Index, Integer, LargeBinary, text

from server.models.base import key, keyed, may, need

record = keyed(
    "record",
    key("id"),
    need("type"),
    need("v", Integer),
    need("tag"),  # 16 hex digits, see sync.version
    need("life"),  # live | deleted | merged | moved | erased
    need("home"),  # stream id: cell/<cell_id> or ~unplaced
    may("dedicated"),  # stream id of a dedicated cell
    may("place_parent"),  # the record whose place is this record's place
    may("subject_id"),  # whose data key seals the secret part; null: the community's
    need("fields"),  # JSON object, keys sorted; secret fields as {"mask": …}
    may("secret", LargeBinary),  # sealed JSON object of the secret fields
    need("stamps", server_default="{}"),  # JSON {unit: [v, install, n]}, only those that differ from the creation's
    need("conflicts", server_default="[]"),  # JSON list of units with an open conflict
    need("confirmed", server_default="{}"),  # JSON {unit: {op_id, claimed_at, arrived_at}} (S9)
    may("placement"),  # JSON: decision, candidates, edition, datum_suspect …
    may("lon", Float),
    may("lat", Float),
    need("form_version", Integer),
    need("created_install"),
    need("created_n", BigInteger),
    need("created_at"),
    need("updated_at"),
    need("fresh_at"),  # last write or confirmation as claimed, never later than its arrival (S9)
)
Index("ix_record_home", record.c.community_id, record.c.type, record.c.home, record.c.id)
# What is read feature after feature (`store.ogc`): by id, which never changes, whatever cell a record moves to meanwhile.
# Persons are never served and by far the most: all the others are, or are few; a list of types would be gone through for each.
SERVED_TYPES = "type <> 'person'"
Index(
    "ix_record_served",
    record.c.community_id,
    record.c.type,
    record.c.id,
    sqlite_where=text(SERVED_TYPES),
    postgresql_where=text(SERVED_TYPES),
)
Index(
    "ix_record_place_parent",
    record.c.community_id,
    record.c.place_parent,
    sqlite_where=text("place_parent IS NOT NULL"),
    postgresql_where=text("place_parent IS NOT NULL"),
)

# Exact search: the key is a keyed hash (H64) of an indexed field's name and normalised text, for secret ones and others
# alike, beside the 16 bytes of the record's id. New ones wait in rows of many, because this tree is changed in as many places as
# there are entries (server.store.search).
record_index = keyed("record_index", key("key", BigInteger), key("record_uuid", LargeBinary), clustered=True)
record_index_new = keyed("record_index_new", key("number", BigInteger), need("entries", LargeBinary))

# In order of arrival: a change lands beside the last change, not beside each record's own past.
history = keyed(
    "history",
    key("record_id"),
    key("v", Integer),
    need("tag"),
    need("number", BigInteger),  # journal entry
    need("op_id"),
    need("install_id"),
    need("n", BigInteger),
    need("at"),
    need("units"),  # JSON list of applied units, in byte order
    need("set_aside", server_default="[]"),  # JSON list of units whose new value was set aside
    may("life"),  # the new life state where it changed
    may("subject_id"),
    may("sealed", LargeBinary),  # sealed JSON {"previous": {unit: {field: value}}, "set_aside": {…}}
)

conflict = keyed(
    "conflict",
    key("conflict_id"),
    need("record_id"),
    need("unit"),
    need("kind"),  # value | delete_over_edit | edit_over_delete
    need("policy"),
    need("state"),  # open | closed
    may("delegated_to"),  # who was asked to settle it at the door
    may("delegated_at"),
    need("opened_at"),
    need("opened_number", BigInteger),
    may("closed_at"),
    may("closed_number", BigInteger),
    may("closed_by"),
    may("subject_id"),
    may("sealed", LargeBinary),  # sealed JSON {"base": {field: value} | null}
)
Index(
    "uq_conflict_open",
    conflict.c.community_id,
    conflict.c.record_id,
    conflict.c.unit,
    unique=True,
    sqlite_where=text("state = 'open'"),
    postgresql_where=text("state = 'open'"),
)
Index("ix_conflict_record", conflict.c.community_id, conflict.c.record_id)
Index(
    "ix_conflict_asked",
    conflict.c.community_id,
    conflict.c.delegated_to,
    sqlite_where=text("delegated_to IS NOT NULL"),
    postgresql_where=text("delegated_to IS NOT NULL"),
)
Index("ix_conflict_state", conflict.c.community_id, conflict.c.state, conflict.c.opened_at)

conflict_sibling = keyed(
    "conflict_sibling",
    key("conflict_id"),
    key("op_id"),
    need("role"),  # current (stands in the record when listed) | set_aside | overwritten
    need("state"),  # open | replaced | chosen | rejected
    need("install_id"),
    need("n", BigInteger),
    may("user_id"),
    may("claimed_at"),
    need("arrived_at"),
    may("form_version", Integer),
    may("sealed", LargeBinary),  # sealed JSON {field: value}
    clustered=True,
)

data_key = keyed("data_key", key("subject_id"), may("wrapped", LargeBinary), may("destroyed_at"), clustered=True)

# Records that live in another community now, and which (S30).
departure = keyed("departure", key("id"), need("to_community"), need("number", BigInteger), clustered=True)
Index("ix_departure_number", departure.c.community_id, departure.c.number)

# From which own operation on a phone has known of the departures up to a number (S30); until_n is 0, or the last operation of those that it took over
# from a phone that had read of them.
departure_told = keyed(
    "departure_told", key("install_id"), key("seen", BigInteger), key("until_n", BigInteger), need("last_n", BigInteger), clustered=True
)

redirect = keyed("redirect", key("id"), need("target_id"), need("number", BigInteger), clustered=True)
