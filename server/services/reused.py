"""The same op_id with other content: both are kept, the device is flagged (L6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from server.sealing import seal
from server.services.carry import ENGINE_VERSION
from server.services.keys import COMMUNITY, DataKeys
from server.store import push as reading
from server.store import writing
from server.store.database import next_journal_number, stamp
from sync.memory import Found, Prepared

if TYPE_CHECKING:
    from server.house import House
    from server.services.push import Sender
    from server.store.database import Connection


def keep_reused(connection: Connection, house: House, sender: Sender, reused: Sequence[Prepared]) -> None:
    """Keep the second contents in a journal entry of their own, flag the install, and raise a finding for each."""
    number, at = next_journal_number(connection), stamp(house.clock())
    keys = DataKeys(house.keys)
    keys.learn([COMMUNITY], reading.wrapped_keys(connection, sender.community_id, [COMMUNITY]))
    texts = {str(one.n): one.text.decode("utf-8", "replace") for one in reused}
    sealed = seal(keys.of(None), orjson.dumps(texts))
    writing.insert_keys(connection, sender.community_id, list(keys.made.items()))
    writing.insert_payloads(connection, sender.community_id, [(number, COMMUNITY, sealed)])
    writing.insert_journal(
        connection,
        (
            sender.community_id, number, "reused", at, sender.user_id or "~system", sender.install_id, sender.source,
            ENGINE_VERSION, "{}", orjson.dumps({"reused": [[one.n, one.op_id] for one in reused]}).decode(),
        ),
    )  # fmt: skip
    writing.flag_install(connection, sender.community_id, sender.install_id, "op_id_reused")
    findings = [Found("op_id_reused", one.op_id, sender.install_id, ()) for one in reused]
    writing.write_findings(connection, sender.community_id, findings, number, at)
