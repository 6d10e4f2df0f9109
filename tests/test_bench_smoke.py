"""`make bench` runs from end to end; no second is asserted here, the table is for people."""

from __future__ import annotations

import socket
import threading

import numpy as np
import pytest
import shapely

from bench.measure_crowd import throughput
from bench.measure_editions import publishing
from bench.measure_exports import measure_exports
from bench.measure_lighthouse import SCREENS, OtherPage, scores_of
from bench.measure_locate import beside, compare, irregular_cells, many, single
from bench.measure_odk import submissions
from bench.measure_office import placement
from bench.measure_sync import Size, measure
from bench.measure_tables import checking, duplicates, tables_in
from bench.report import missed, table
from bench.slow_line import Pace, slow_line


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
    assert {one.bar for one in promised} == {0.25, 0.17, 0.4, 0.5, 0.67, 0.9, 0.95, 0.99, 1.0, 1.15, 1.25, 1.5, 2.0, 3.0, 50.0}
    for name in ("new records", "patches", "pull pages", "growth of a push", "incremental pull", "roster", "first sync"):
        assert name in shown
    assert shown.count("export of") == 4 and shown.count("memory of an export") == 2
    assert "placement of 1,000 points" in shown
    assert "dry run over 500 records" in shown and "write lock of publishing" in shown
    assert "import of 40 rows" in shown and "duplicates: precision" in shown and "checking valid records" in shown
    unmeasured = [one.name for one in promised if one.verdict == "NOT MEASURED"]
    assert all(name.startswith("pull pages") for name in unmeasured), unmeasured  # of so few records there is no whole page


def test_points_are_measured_in_irregular_cells_without_gap_or_overlap(tmp_path) -> None:
    """The section `locate`: cells that share every corner, the same answer as the exact test; one point within its bar."""
    for vertices in (30, 200):
        cells = irregular_cells(6, vertices)
        assert shapely.coverage_is_valid([one.geometry for one in cells])
        line, *others = many(tmp_path, None, cells, 2_000, vertices, 5.0, 1)
        assert line.value > 0 and "ties included" in line.note
        assert [one.bar for one in others] == [5.0, 2.5 if vertices == 30 else None]
    assert single(irregular_cells(6, 30)).bar == 5.0


def test_what_could_not_be_compared_is_no_success() -> None:
    """A library that is not to be had keeps its target: the table says that it was not measured, and the run ends as one that missed it."""
    told = {"a": "ModuleNotFoundError: no such thing\nat line 1"}
    lines = beside("points", 1.0, np.array([0]), np.array([False]), told, {"a": 5.0, "b": 2.5, "c": None})
    assert [one.verdict for one in lines] == ["NOT MEASURED", "NOT MEASURED", ""] and missed(lines) and not missed(lines[2:])
    assert "no such thing" in lines[0].note and "≥ 5" in table(lines)


def test_the_others_answers_are_compared_with_ours(tmp_path) -> None:
    """Points off borders have the same cell, or none, for everybody, or the run ends; those on borders are counted apart."""
    answers, shared, pairs = np.array([0, 1, -1, 2, 0]), np.array([False, False, False, True, True]), np.array([[0, 1, 3, 3, 4], [0, 1, 1, 2, 1]])
    np.save(tmp_path / "a.npy", pairs)
    (line,) = beside("points", 1.0, answers, shared, {"a": [5.0, tmp_path / "a.npy"]}, {"a": 5.0})
    assert line.verdict == "ok" and "all 3 points off borders; of 2 on borders ours is among theirs for 1" in line.note
    for wrong in ([1, 1, -1, 2, 0], [0, 1, 1, 2, 0], [-1, 1, -1, 2, 0]):
        with pytest.raises(AssertionError, match="1 points off borders stand elsewhere for a"):
            compare(np.array(wrong), shared, pairs, "a")
    with pytest.raises(AssertionError, match="1 points"):  # found twice by the other one
        compare(answers, np.array([False] * 4 + [True]), pairs, "a")


def test_a_page_behind_the_door_is_scored_for_what_it_shows() -> None:
    """Lighthouse's word on the sign-in page never stands for the overview: a screen counts only where the server answered what it is made of."""
    behind = [one for one in SCREENS if one.login]
    assert [one.path for one in behind] == ["/", "/#/rosters/persons"] and all("/api/v1/communities/" in one.answered for one in behind)
    for screen in behind:
        asked = [{"url": f"http://here{path}", "statusCode": status} for path, status in (("/", 200), (screen.answered, 401))]
        report = {"finalDisplayedUrl": "http://here/#/sign-in", "audits": {"network-requests": {"details": {"items": asked}}}, "categories": {"accessibility": {"score": 0.96}}}
        with pytest.raises(OtherPage):
            scores_of(report, "http://here", screen.answered)
        asked[1]["statusCode"] = 200
        assert scores_of(report, "http://here", screen.answered) == {"accessibility": 96}


@pytest.mark.long
def test_filled_forms_are_measured_beside_their_floor() -> None:
    """The section `odk` of `make bench` runs from end to end."""
    lines = submissions(2, lambda text: None, rounds=1)
    assert [one.bar for one in lines] == [0.4, None] and all(one.value > 0 for one in lines)


def test_a_slow_line_carries_no_more_than_it_is_said_to() -> None:
    """A line of 1 Mbit/s lets 125,000 bytes by in a second, whoever sends how fast; a pause is not saved up."""
    pace, now, sent = Pace(1e6), 100.0, 0
    for _ in range(500):
        sent += 4096
        now += pace.wait_s(4096, now)
    assert sent == pytest.approx(125_000 * (now - 100.0 + 0.05), rel=0.01)
    assert pace.wait_s(125_000, now + 60) == pytest.approx(0.95)


def test_what_goes_over_the_slow_line_arrives_and_is_counted() -> None:
    """An echo behind the line: the same bytes come back, as many as were counted up and down."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        with slow_line("127.0.0.1", server.getsockname()[1], 1e9) as line, socket.create_connection(("127.0.0.1", line.port), 10) as near:
            near.sendall(bytes(range(256)) * 40)
            got = b""
            while len(got) < 256 * 40:
                got += near.recv(65536)
    assert got == bytes(range(256)) * 40 and (line.up, line.down) == (10_240, 10_240)


def _echo(server: socket.socket) -> None:
    far, _ = server.accept()
    with far:
        while piece := far.recv(4096):
            far.sendall(piece)


@pytest.mark.parametrize(("times", "cores", "verdict"), [(1.7, 4, "ok"), (1.5, 8, "NOT MET"), (0.9, 2, "")])
def test_four_processes_are_judged_where_they_can_run_beside_each_other(times: float, cores: int, verdict: str) -> None:
    """1.6 times the operations of one process are asked for on four cores; on fewer the table says that nobody judged them, and why."""
    line = throughput(times, cores)
    assert line.verdict == verdict and f"{cores} cores" in line.note and ("not judged" in line.note) == (verdict == "")
