"""Every kind of job and what runs it; every sweeper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.house import House
from server.jobs.exporting import export, sweep_files
from server.jobs.filling import run_template
from server.jobs.importing import run_import
from server.jobs.progress import Progress
from server.jobs.publishing import run_publish
from server.jobs.scrubbing import run_scrub
from server.services.blob_leftovers import sweep as sweep_leftovers
from server.services.blobs import sweep_uploads
from server.services.cell_figures import sweep as keep_counts
from server.services.daily_figures import reckon_back
from server.services.daily_figures import sweep as keep_daily_figures
from server.services.disagreements import sweep as compare_derived
from server.services.distant_cards import sweep as follow_cards
from server.services.erasure_reach import SCRUB
from server.services.exports import KIND as EXPORT
from server.services.publishing import KIND as PUBLISH
from server.services.release import sweep as release_held
from server.services.sheet_import import KIND as IMPORT
from server.services.sheet_import import sweep_tables
from server.services.snapshots import sweep as sweep_snapshots
from server.services.template_runs import KIND as TEMPLATE
from server.services.template_runs import sweep as sweep_templates
from server.store.jobs import Job

Runner = Callable[[House, Job, Progress], dict[str, Any]]
Sweeper = Callable[[House], object]

JOB_KINDS: dict[str, Runner] = {
    EXPORT: export, IMPORT: run_import, TEMPLATE: run_template, SCRUB: run_scrub, PUBLISH: run_publish,
}  # fmt: skip
"""A runner gives the result that is kept with the job; it calls ``progress.advance`` at least once a minute."""

SWEEPERS: tuple[Sweeper, ...] = (
    sweep_files, sweep_snapshots, sweep_uploads, sweep_leftovers, sweep_tables, sweep_templates, release_held, follow_cards, keep_counts,
    keep_daily_figures, reckon_back, compare_derived,
)  # fmt: skip
"""Called at start and every minute by each worker (S14); calling twice changes nothing."""
