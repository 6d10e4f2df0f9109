"""The community that most suites of the server begin with, and what holds of it whatever a test did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_kit import Ground, furnish, open_ground
from stream_oracle import recount

from server.services.verify import verify


@pytest.fixture
def ground(prepared_database: Any, tmp_path: Path, clock: Any) -> Iterator[Ground]:
    """A furnished community; afterwards its counters are counted again, and the journal accounts for everything (S27)."""
    made = open_ground(prepared_database(furnish), tmp_path, clock)
    yield made
    recount(made)
    report = verify(made.house)
    assert report.agrees, str(report.difference)
    made.close()
