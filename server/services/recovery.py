"""Witnesses (S25): copies of what a restored database lacks come from phones into a queue; a person decides, nothing merges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import NotFound
from server.permissions import Actor, Scope
from server.sealing import seal
from server.services.audit import Look, line_of
from server.services.keys import DataKeys, SubjectErased
from server.services.labels import PERSONAL, title_of
from server.services.looks import seen
from server.services.paging import make_cursor, read_cursor
from server.services.unsealing import learn, open_sealed
from server.store import audit as audit_store
from server.store import inbox, writing
from server.store import recovery as store
from server.store.database import read, stamp, write
from server.store.errors import Busy, PlanOutdated
from sync.digest import made_id
from sync.entering import subject_of

if TYPE_CHECKING:
    from server.house import House

TRIES = 3
MOST_PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class Witness:
    """A copy of a record at a version, as a phone had pulled it in an earlier life of the database."""

    epoch: str
    record_id: str
    record_type: str
    v: int
    tag: str
    home: str | None
    copy: dict[str, Any]


def offer(house: House, community_id: str, install_id: str, witnesses: Sequence[Witness]) -> dict[str, int]:
    """Keep copies that the database has no version of.

    Returns
    -------
    dict
        ``kept`` now; ``known``: here already, as a version or as a copy that was offered before; ``erased``: about
        somebody whose data was lawfully erased, kept nowhere.
    """
    for _ in range(TRIES):
        try:
            return _offer(house, community_id, install_id, witnesses)
        except PlanOutdated:
            continue
    raise Busy(retry_after_s=2)


def _offer(house: House, community_id: str, install_id: str, witnesses: Sequence[Witness]) -> dict[str, int]:
    by_id = {made_id("recovery", one.record_id, str(one.v), one.tag): one for one in witnesses}
    said = {"kept": 0, "known": len(witnesses) - len(by_id), "erased": 0}
    at = stamp(house.clock())
    with write(house.engine) as connection:
        here = store.known_versions(connection, community_id, [one.record_id for one in by_id.values()])
        before = store.known_offers(connection, community_id, list(by_id))
        subjects = {key: _subject(house, one) for key, one in by_id.items()}
        keys = DataKeys(house.keys)
        learn(keys, connection, community_id, subjects.values())
        rows = []
        for key, one in by_id.items():
            if key in before or (one.record_id, one.v, one.tag) in here:
                said["known"] += 1
                continue
            try:
                sealed = seal(keys.of(subjects[key]), orjson.dumps(one.copy))
            except SubjectErased:
                said["erased"] += 1
                continue
            rows.append(
                (
                    key, one.record_id, one.record_type, one.v, one.tag, one.home, one.epoch, install_id, at, "open",
                    subjects[key], sealed,
                )
            )  # fmt: skip
        said["kept"] = len(rows)
        writing.insert_keys(connection, community_id, list(keys.made.items()))
        store.add_offers(connection, community_id, rows)
    return said


def _subject(house: House, one: Witness) -> str | None:
    """Whose key seals it; a copy of a type that is not known here has a key of its own."""
    if one.record_type not in house.registry.types():
        return one.record_id
    return subject_of(house.registry.latest(one.record_type), one.record_id, one.copy.get("fields") or {})


def waiting(
    house: House, scope: Scope, community_id: str, look: Look, *, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Copies that wait for a person, oldest first, each beside the version that the record has now."""
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/recovery/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        found = store.open_offers(connection, scope, community_id, after=after, limit=limit + 1)
        page = found[:limit]
        people = inbox.people_of_installs(connection, community_id, (row["install_id"] for row in page))
        copies = open_sealed(connection, house, community_id, [(row["subject_id"], row["sealed"]) for row in page])
    personal: set[str] = set()
    rows = []
    for row, copy in zip(page, copies, strict=True):
        fields = (copy or {}).get("fields") or {}
        rows.append(_row(house, row, fields, erased=copy is None) | {"by": people.get(row["install_id"])})
        personal |= _personal(house, row["record_type"], fields)
    seen(house, look, scope, community_id, fields=sorted(personal), count=len(rows), where="inbox=recovery")
    last = [page[-1]["offered_at"], page[-1]["recovery_id"]] if len(found) > limit else None
    following = make_cursor(house.keys, use, last) if last is not None else None
    return {"as_of": stamp(house.clock()), "rows": rows, "next": following}


def _row(house: House, row: dict[str, Any], fields: dict[str, Any], *, erased: bool) -> dict[str, Any]:
    form = house.registry.latest(row["record_type"]) if row["record_type"] in house.registry.types() else None
    present = None
    if row["present_v"] is not None:
        present = {"v": row["present_v"], "tag": row["present_tag"], "life": row["present_life"]}
    return {
        "recovery_id": row["recovery_id"],
        "epoch": row["epoch"],
        "offered_at": row["offered_at"],
        "record": {
            "id": row["record_id"],
            "type": row["record_type"],
            "type_label": form.label if form is not None else None,
            "title": title_of(form, fields, personal=True)[0] if form is not None else None,
            "v": row["v"],
            "tag": row["tag"],
            "home": row["home"],
        },
        "fields": None if erased else fields,
        "present": present,
    }


def _personal(house: House, record_type: str, fields: dict[str, Any]) -> set[str]:
    """Names of the personal fields that are given; of an unknown type, all."""
    specs = house.registry.latest(record_type).fields if record_type in house.registry.types() else {}
    return {f"{record_type}.{name}" for name in fields if name not in specs or specs[name].privacy in PERSONAL}


def close(house: House, actor: Actor, scope: Scope, community_id: str, recovery_id: str, look: Look) -> None:
    """Say that a copy was dealt with: looked at, and written anew by somebody where it was right. NotFound if none waits."""
    with write(house.engine) as connection:
        at = stamp(house.clock())
        if not store.close_offer(connection, scope, community_id, recovery_id, at=at, by=actor.user_id):
            raise NotFound("no such copy waits here")
        audit_store.append(connection, line_of(house, look, scope=f"recovery/{recovery_id}", community_id=community_id))
