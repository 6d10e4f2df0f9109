"""What came through ODK: filled forms by their own id, and how far a phone's chain of updates was taken in."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary

from server.models.base import key, keyed, may, need

# The answers themselves are operations of the install, ``first_n`` + 1 to ``first_n`` + ``count``.
odk_submission = keyed(
    "odk_submission",
    key("instance_id"),
    need("install_id"),
    need("form_id"),
    need("form_version"),
    need("content_hash", LargeBinary),  # keyed: the same id with other content is refused
    may("device_id"),
    may("user_agent"),
    need("arrived_at"),
    need("first_n", BigInteger),
    need("count", Integer),
    need("files"),  # JSON {keyed hash of a file's name: [record type, record id, form version]}: photos that belong to it
    need("metadata", server_default="{}"),  # JSON {name: text}: when the form was begun and finished, on which device; no answers
    may("review_state"),
)
Index("ix_odk_submission_form", odk_submission.c.community_id, odk_submission.c.form_id, odk_submission.c.arrived_at)

# Several updates of one record that a phone made without a network; an earlier one that arrives later adds nothing.
odk_branch = keyed("odk_branch", key("branch_id"), key("record_id"), need("base_version", Integer), clustered=True)
