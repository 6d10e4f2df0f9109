"""Putting an edition in force as a job: where much is to be placed anew, whoever asks is told how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server.errors import NotFound
from server.permissions import Actor
from server.services import drafts, editions
from server.store import jobs
from server.store import places as store
from server.store.database import read, write
from server.store.jobs import Job

if TYPE_CHECKING:
    from server.house import House

KIND = "publish"
AT_ONCE = 20_000
"""Records of a community up to which an edition is put in force while the asker waits."""
_WAITING = ("queued", "running")


def is_long(house: House, community_id: str) -> bool:
    """Whether a community holds so many records that publishing should not keep a request waiting."""
    with read(house.engine) as connection:
        return store.holds_more_than(connection, community_id, AT_ONCE)


def request_publish(house: House, actor: Actor, community_id: str, edition_id: str) -> Job:
    """Queue the publishing of a kept draft; the job that already waits for it, where there is one.

    Raises
    ------
    CellsRefused, NotFound, OutsideScope
        As `editions.publish_draft`; what the gate refuses is refused now, not later.
    """
    editions.demand_sound(house, actor, community_id, edition_id)
    who = {"user_id": actor.user_id, "role": actor.role, "community_id": actor.community_id, "area_code": actor.area_code}
    job_id = house.new_id()
    with write(house.engine) as connection:
        waiting = _waiting(connection, community_id, edition_id)
        if waiting is not None:
            return waiting
        jobs.add(
            connection, community_id=community_id, job_id=job_id, kind=KIND, requested_by=actor.user_id, at=house.clock(),
            arguments={"edition_id": edition_id, "actor": who},
        )  # fmt: skip
        made = jobs.find(connection, community_id, job_id)
    assert made is not None
    return made


def job_of(house: House, actor: Actor, community_id: str, job_id: str) -> Job:
    """One publishing of a community; NotFound, OutsideScope."""
    drafts.demand_publisher(actor, community_id)
    with read(house.engine) as connection:
        found = jobs.find(connection, community_id, job_id)
    if found is None or found.kind != KIND:
        raise NotFound("there is no such publishing")
    return found


def waiting_job(house: House, community_id: str, edition_id: str) -> Job | None:
    """The publishing of a draft that waits or runs, None where there is none."""
    with read(house.engine) as connection:
        return _waiting(connection, community_id, edition_id)


def publisher_of(job: Job) -> Actor:
    """Who asked for it, as they were then."""
    who = job.arguments["actor"]
    return Actor(who["user_id"], who["role"], who["community_id"], area_code=who["area_code"])


def described(job: Job) -> dict[str, Any]:
    """A publishing as it is answered; of ``done`` and ``total`` only the share means anything."""
    return {
        "job_id": job.job_id,
        "edition_id": job.arguments["edition_id"],
        "state": job.state,
        "done": job.done_count,
        "total": job.total_count,
        "error": job.error,
        "href": f"/api/v1/communities/{job.community_id}/publishings/{job.job_id}",
    }


def _waiting(connection: Any, community_id: str, edition_id: str) -> Job | None:
    found = jobs.of_community(connection, community_id, KIND, 20)
    return next((one for one in found if one.state in _WAITING and one.arguments["edition_id"] == edition_id), None)
