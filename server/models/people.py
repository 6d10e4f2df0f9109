"""Who: users, what they are assigned to, their installs, codes, tokens and sessions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, Index, Integer

from server.models.base import key, keyed, may, need

user_account = keyed(
    "user_account",
    key("user_id"),
    need("login"),
    need("name"),
    need("role"),  # see server.permissions.ROLES
    may("area_code"),  # of officers: subdistrict or district code below which they see
    need("topics", server_default="[]"),  # JSON, of a community worker
    need("topics_past", server_default="[]"),  # JSON, [[until scope version, topics]]: late work is judged by them (S18)
    need("password_hash"),
    need("failed_count", Integer, server_default="0"),
    may("locked_until"),
    need("created_at"),
    may("closed_at"),
)
Index("uq_user_account_login", user_account.c.login, unique=True)

# A scope version of a user rises with every change of assignments; S18 judges late work by it.
user_scope = keyed("user_scope", key("user_id"), need("version", Integer), clustered=True)

assignment = keyed(
    "assignment",
    key("assignment_id"),
    need("user_id"),
    need("cell_id"),
    need("duty"),  # lead | regular | substitute
    need("from_on"),
    may("to_on"),
    need("granted_version", Integer),
    may("revoked_version", Integer),
    need("granted_at"),
    may("revoked_at"),
    may("granted_by"),
)
Index("ix_assignment_user", assignment.c.community_id, assignment.c.user_id)

install = keyed(
    "install",
    key("install_id"),
    need("kind"),  # device | user | import | system | odk (a code for ODK Collect) | odk_phone (a phone that uses one)
    may("user_id"),
    need("label"),
    may("parent_install_id"),
    may("parent_n", BigInteger),
    need("last_n", BigInteger, server_default="0"),
    may("last_op_id"),
    need("enrolled_at"),
    may("revoked_at"),
    may("revoked_reason"),  # lost | retired | replaced
    may("flag"),  # op_id_reused …: shown to the secretary
    may("skew_s", Float),
    may("last_seen_at"),
    may("unsent", BigInteger),  # operations that the phone says it has still to send
    need("departures_seen", BigInteger, server_default="0"),  # the newest departure that its pushes have said to know (S30)
    may("app_version"),
)
Index("ix_install_user", install.c.community_id, install.c.user_id)

enrolment_code = keyed(
    "enrolment_code",
    key("code_hash"),
    need("user_id"),
    need("created_at"),
    need("created_by"),
    need("expires_at"),
    may("used_at"),
    may("install_id"),
)

read_token = keyed(
    "read_token",
    key("token_id"),
    need("token_hash"),
    need("user_id"),
    need("label"),
    need("created_at"),
    need("expires_at"),
    may("revoked_at"),
)

sign_in_session = keyed(
    "sign_in_session",
    key("session_hash"),
    need("user_id"),
    need("csrf_token"),
    need("created_at"),
    need("expires_at"),
    may("ended_at"),
)
