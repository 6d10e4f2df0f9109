"""The same op_id with other content: both are kept, the device is flagged (L6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from server.services.carry import ENGINE_VERSION, declared_subject
from server.services.keys import COMMUNITY, DataKeys
from server.services.unsealing import learn
from server.store import erasing, writing
from server.store import push as reading
from server.store.database import next_journal_number, stamp
from server.store.writing import finding_id
from sync.memory import Decided, Found, Prepared

if TYPE_CHECKING:
    from server.house import House
    from server.services.push import Sender
    from server.store.database import Connection

REUSED = "op_id_reused"


def keep_reused(
    connection: Connection, house: House, sender: Sender, reused: Sequence[tuple[Prepared, str | None]]
) -> None:
    """Keep the second contents in a journal entry of their own, flag the install, and raise a finding for each.

    A content that was kept before is not kept again: a retry changes nothing. Each is sealed under the key of whom it is about, like
    any operation (S28), and what is about an erased person is not kept.

    Parameters
    ----------
    reused : (second content, subject of the operation that came first)
    """
    found = {finding_id(one): one for one in (reused_finding(sender.install_id, one) for one, _ in reused)}
    known = reading.findings_known(connection, sender.community_id, list(found))
    fresh = [pair for pair in reused if finding_id(reused_finding(sender.install_id, pair[0])) not in known]
    if not fresh:
        return
    number, at = next_journal_number(connection), stamp(house.clock())
    named = [one.operation.id for one, _ in fresh if one.operation is not None]
    recorded = erasing.subjects_of(connection, sender.community_id, named)
    subjects = [_subject(one, first, recorded) for one, first in fresh]
    keys = DataKeys(house.keys)
    learn(keys, connection, sender.community_id, subjects)
    texts: dict[str | None, dict[str, str]] = {}
    kept: list[list[int | str]] = []
    for (one, _), subject in zip(fresh, subjects, strict=True):
        if subject not in keys.erased:
            texts.setdefault(subject, {})[str(one.n)] = one.text.decode("utf-8", "replace")
            kept.append([one.n, one.op_id])
    sealed = [(number, subject or COMMUNITY, keys.seal(subject, orjson.dumps(said))) for subject, said in texts.items()]
    writing.insert_keys(connection, sender.community_id, list(keys.made.items()))
    writing.insert_payloads(connection, sender.community_id, sealed)
    effects = {"records": {}, "streams": {}, "reused": kept}
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


def _subject(one: Prepared, first: str | None, recorded: Mapping[str, str | None]) -> str | None:
    """Whom a second content is about; where it cannot be read, whoever the first was about."""
    if one.operation is None:
        return first
    if one.operation.id in recorded:
        return recorded[one.operation.id]
    return declared_subject(one.form, one.operation) if one.form is not None else first


def flag_reused(connection: Connection, sender: Sender, decided: Sequence[Decided]) -> None:
    """Flag the install that sent a known op_id with other content under a number of its own."""
    if any(one.reason == REUSED for one in decided):
        writing.flag_install(connection, sender.community_id, sender.install_id, REUSED)


def reused_finding(install_id: str, one: Prepared) -> Found:
    """The finding of one second content: about the install, named by the operation and its content's keyed hash."""
    return Found(REUSED, f"{one.op_id}/{one.content_hash.hex()[:16]}", install_id, ())
