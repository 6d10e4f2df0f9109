"""`make bench` runs from end to end; no second is asserted here, the table is for people."""

from __future__ import annotations

import pytest
import shapely

from bench.measure_editions import publishing
from bench.measure_exports import measure_exports
from bench.measure_locate import irregular_cells, many, single
from bench.measure_odk import submissions
from bench.measure_office import placement
from bench.measure_sync import Size, measure
from bench.measure_tables import checking, duplicates, tables_in
from bench.report import table


@pytest.mark.long
def test_every_measure_stands_in_the_table_beside_its_target() -> None:
    """Whoever runs `make bench` sees each promised measure with its target and what was measured."""
    lines = measure(Size(small=1_000, large=2_500, households=50, rounds=2), lambda text: None)
    lines.append(placement(1_000, rounds=1))
    lines += publishing(500, cells=5)
    lines += [*tables_in(40), *duplicates(300), *checking(40)]
    lines += measure_exports(300, rounds=1)
    shown = table(lines)
    promised = [one for one in lines if one.bar is not None]
    assert {one.bar for one in promised} == {0.25, 0.17, 0.4, 0.5, 0.67, 1.0, 1.15, 1.5, 2.0, 3.0, 50.0}
    for name in ("new records", "patches", "pull pages", "growth of a push", "incremental pull", "roster", "first sync"):
        assert name in shown
    assert shown.count("export of") == 2
    assert "placement of 1,000 points" in shown
    assert "dry run over 500 records" in shown and "write lock of publishing" in shown
    assert "import of 40 rows" in shown and "duplicates: precision" in shown and "checking valid records" in shown
    assert all(one.verdict in {"ok", "NOT MET"} for one in promised)


def test_points_are_measured_in_irregular_cells_without_gap_or_overlap(tmp_path) -> None:
    """The section `locate`: cells that share every corner, the same answer as the exact test; one point within its bar."""
    for vertices in (30, 200):
        cells = irregular_cells(6, vertices)
        assert shapely.coverage_is_valid([one.geometry for one in cells])
        (line,) = many(tmp_path, None, cells, 2_000, vertices, 5.0, 1)
        assert line.value > 0 and "ties included" in line.note
    assert single(irregular_cells(6, 30)).bar == 5.0


@pytest.mark.long
def test_filled_forms_are_measured_beside_their_floor() -> None:
    """The section `odk` of `make bench` runs from end to end."""
    lines = submissions(2, lambda text: None, rounds=1)
    assert [one.bar for one in lines] == [0.4, None] and all(one.value > 0 for one in lines)
