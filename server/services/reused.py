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
from server.store.writing import finding_id
from sync.memory import Decided, Found, Prepared

if TYPE_CHECKING:
    from server.house import House
    from server.services.push import Sender
    from server.store.database import Connection

REUSED = "op_id_reused"


def keep_reused(connection: Connection, house: House, sender: Sender, reused: Sequence[Prepared]) -> None:
    """Keep the second contents in a journal entry of their own, flag the install, and raise a finding for each.

    A content that was kept before is not kept again: a retry changes nothing.
    """
    found = {finding_id(one): one for one in (reused_finding(sender.install_id, one) for one in reused)}
    known = reading.findings_known(connection, sender.community_id, list(found))
    fresh = [one for one in reused if finding_id(reused_finding(sender.install_id, one)) not in known]
    if not fresh:
        return
    number, at = next_journal_number(connection), stamp(house.clock())
    keys = DataKeys(house.keys)
    keys.learn([COMMUNITY], reading.wrapped_keys(connection, sender.community_id, [COMMUNITY]))
    texts = {str(one.n): one.text.decode("utf-8", "replace") for one in fresh}
    sealed = seal(keys.of(None), orjson.dumps(texts))
    writing.insert_keys(connection, sender.community_id, list(keys.made.items()))
    writing.insert_payloads(connection, sender.community_id, [(number, COMMUNITY, sealed)])
    effects = {"records": {}, "streams": {}, "reused": [[one.n, one.op_id] for one in fresh]}
    writing.insert_journal(
        connection,
        (
            sender.community_id, number, "reused", at, sender.user_id or "~system", sender.install_id, sender.source,
            ENGINE_VERSION, "{}", orjson.dumps(effects).decode(),
        ),
    )  # fmt: skip
    writing.flag_install(connection, sender.community_id, sender.install_id, REUSED)
    opened = [one for key, one in found.items() if key not in known]
    writing.write_findings(connection, sender.community_id, opened, number, at)


def flag_reused(connection: Connection, sender: Sender, decided: Sequence[Decided]) -> None:
    """Flag the install that sent a known op_id with other content under a number of its own."""
    if any(one.reason == REUSED for one in decided):
        writing.flag_install(connection, sender.community_id, sender.install_id, REUSED)


def reused_finding(install_id: str, one: Prepared) -> Found:
    """The finding of one second content: about the install, named by the operation and its content's keyed hash."""
    return Found(REUSED, f"{one.op_id}/{one.content_hash.hex()[:16]}", install_id, ())
