"""Files beside the records: photos by their SHA-256, uploads that are not whole yet, who has held what."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary

from server.models.base import key, keyed, may, need

# The content is a sealed file of the blob store; its key is wrapped here, and destroyed with an erasure. Every sealing has a file of its own,
# and the row tells which: of two who bring the same photo at once, one's file is the one that the row's key opens. Communities may share it.
blob = keyed(
    "blob",
    key("sha256"),  # of what was uploaded: the name under which records refer to it
    need("media_type"),
    need("size_bytes", BigInteger),  # of what is kept, without metadata that tells a place
    need("kept_sha256"),
    need("stored_at"),
    need("file"),
    may("wrapped_key", LargeBinary),
)

# Files that are on their way into the blob store, until the row that names them is there. What a crash leaves behind is taken away by this alone:
# nothing that this database did not begin is ever removed. No backup holds it, because a copy of the house would remove what the house has kept.
begun_file = keyed("begun_file", key("file"), need("begun_at"))

# Whose reference to a photo counts: of an install that has uploaded it, everywhere (record_id ""); of one that could read it only, in the
# records where it has read it, or has named it while it could.
blob_holder = keyed("blob_holder", key("sha256"), key("install_id"), key("record_id"), need("since"), clustered=True)

# Uploads by the tus protocol; the bytes wait in a file of the data folder. What was received beyond offset_bytes is ignored.
upload = keyed(
    "upload",
    key("upload_id"),
    need("sha256"),
    need("media_type"),
    need("length_bytes", BigInteger),
    need("offset_bytes", BigInteger),
    need("install_id"),
    need("expires_at"),
)
Index("ix_upload_install", upload.c.community_id, upload.c.install_id)
