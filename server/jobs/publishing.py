"""Putting a kept draft in force: one transaction, so a worker that dies in the middle leaves the old edition as it was."""

from __future__ import annotations

from typing import Any

from server.errors import ServerError
from server.house import House
from server.jobs.progress import JobRefused, Progress
from server.services import drafts, editions
from server.services.publishing import publisher_of
from server.store.jobs import Job


def run_publish(house: House, job: Job, progress: Progress) -> dict[str, Any]:
    """Run one publishing. Begun again after it was done it does nothing more."""
    edition_id, result = job.arguments["edition_id"], {"edition_id": job.arguments["edition_id"]}
    try:
        if drafts.find_edition(house, job.community_id, edition_id).state != "draft":
            return result

        def tell(done: int, of: int) -> None:
            if progress.total != of:
                progress.done = 0  # planned anew
                progress.expect(of)
            progress.advance(max(done - progress.done, 0))

        editions.publish_draft(house, publisher_of(job), job.community_id, edition_id, progress=tell)
    except ServerError as error:
        raise JobRefused(error.errors[0].code if error.errors else type(error).__name__) from error
    return result
