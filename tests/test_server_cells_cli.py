"""`dishu cells` and `dishu community`, as somebody at the terminal of the server uses them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import shapely
from cells_kit import CODE, bow_tie, cell, collection, counts, populate_ground, row_of_cells
from front_door import COMMUNITY, open_office
from terminal_kit import terminal

from server.cli import cells
from server.cli.steps import Steps
from server.house import uuid7
from server.services import draft_repairs
from server.services.announce import announce_forms


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    announce_forms(found.house)  # as every start does, so that counts before and after compare the command alone
    yield found
    found.house.engine.dispose()


@pytest.fixture
def dishu(office, tmp_path):
    return terminal(office.house, tmp_path)


def written(tmp_path, document, name="cells.geojson"):
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_check_prints_every_problem_with_place_and_size(office, dishu, tmp_path):
    """One line a problem in both languages; the exit status says that there are errors; nothing is kept."""
    file = written(
        tmp_path, collection(cell(1, 120.6, 31.3, 120.611, 31.31), cell(2, 120.61, 31.3, 120.62, 31.31), bow_tie(3))
    )
    before = counts(office.house)
    status, said, _ = dishu("cells", "check", file, "--community", COMMUNITY, "--datum", "wgs84")
    assert status == 1
    lines = [line.split("\t") for line in said.splitlines()]
    overlap = next(
        line for line in lines if line[1] == "overlap" and f"{CODE}001" in line[5] and f"{CODE}002" in line[5]
    )
    severity, _, place, size, chinese, english = overlap
    assert severity == "error" and place.startswith("120.610") and size.endswith("m²")
    assert "重叠" in chinese and "overlap" in english
    assert any(line[1] == "ring_self_crossing" and line[2].startswith("120.60") for line in lines)
    assert lines[-1][0].startswith("refused") and "cells 3" in lines[-1]
    assert counts(office.house) == before


def test_how_far_a_repair_may_go_is_said_at_the_terminal(dishu, tmp_path):
    """Two cells that share five metres: told by default, closed in the new file only where both limits are widened, with what each cell loses."""
    file = written(tmp_path, collection(cell(1, 120.6, 31.3, 120.61, 31.31), cell(2, 120.60995, 31.3, 120.62, 31.31)))
    asked = ("cells", "repair", file, "--community", COMMUNITY, "--datum", "cgcs2000")
    for limits in ((), ("--clean-width-m", 6, "--share-at-most", 0.001), ("--clean-width-m", 4, "--share-at-most", 0.02)):
        status, said, _ = dishu(*asked, *limits)
        assert status == 1 and "clean_coverage" not in said and "\toverlap\t" in said
    out = tmp_path / "mended.geojson"
    status, said, _ = dishu(*asked, "--clean-width-m", 6, "--share-at-most", 0.02, "--out", out)
    assert status == 0 and out.exists(), said
    [closed] = [line for line in said.splitlines() if line.startswith("clean_coverage") and "+0.00 m²" not in line and "-0.00 m²" not in line]
    assert -6_000 < float(closed.split("\t")[2].removesuffix(" m²")) < -4_000 and "6 米" in closed
    assert dishu(*asked, "--clean-width-m", 51)[0] == 2


def test_repairing_goes_on_until_nothing_is_offered_and_says_when_it_stops_before(dishu, tmp_path, monkeypatch):
    """However many rounds borders take, the new file is finished; where there would be no end, that more is left is said."""
    column = [cell(at, 120.6, round(31.3 + 0.001 * at, 7), 120.61, round(31.301 + 0.001 * at, 7)) for at in range(1, 9)]
    beside = [cell(at + 20, 120.61, round(31.3005 + 0.001 * at, 7), 120.62, round(31.3015 + 0.001 * at, 7)) for at in range(8)]
    file, out = written(tmp_path, collection(*column, *beside)), tmp_path / "mended.geojson"
    propose = draft_repairs.proposals

    def one_cell_a_round(*asked, **words):
        return [replace(one, changes=one.changes[:1]) for one in propose(*asked, **words)]

    monkeypatch.setattr(draft_repairs, "proposals", one_cell_a_round)
    asked = ("cells", "repair", file, "--community", COMMUNITY, "--datum", "cgcs2000", "--out", out)
    status, said, wrong = dishu(*asked)
    assert status == 0 and said.count("match_edges") > 8 and "more could be repaired" not in wrong
    monkeypatch.setattr(cells, "_MOST_ROUNDS", 3)
    status, said, wrong = dishu(*asked)
    assert status == 1 and said.count("match_edges") == 3 and "after 3 rounds more could be repaired" in wrong


def test_how_far_a_comparison_is_stands_on_the_terminal(dishu, tmp_path, monkeypatch):
    """What cells would move is counted with a bar that goes to its end, not in silence."""
    told = []
    monkeypatch.setattr(Steps, "part", lambda steps, done, of: told.append((done, of)))
    file = written(tmp_path, row_of_cells(11, 12))
    assert dishu("cells", "diff", file, "--community", COMMUNITY, "--datum", "wgs84")[0] == 0
    assert told and told == sorted(told) and told[-1][0] == told[-1][1] > 0


def test_a_clean_file_is_checked_and_published(office, dishu, tmp_path):
    """The terminal says ok, and after publishing the records are where the new cells are."""
    file = written(tmp_path, "\ufeff" + json.dumps(row_of_cells(11, 12)))
    status, said, _ = dishu("cells", "check", file, "--community", CODE, "--datum", "wgs84")
    assert status == 0 and said.startswith("ok")
    status, said, _ = dishu("cells", "publish", file, "--community", CODE, "--datum", "wgs84")
    assert status == 0, said
    assert said.splitlines()[-1].startswith("published\t")
    listed = office.signed_in("secretary").get(f"/api/v1/communities/{COMMUNITY}/editions").json["editions"]
    assert [one["state"] for one in listed] == ["retired", "published"]
    roster = office.signed_in("secretary").get(f"/api/v1/cells/{CODE}011/roster/persons")
    assert roster.json["count"] == 3


def test_a_broken_file_publishes_nothing(office, dishu, tmp_path):
    """The problems are printed, one line says that nothing was changed."""
    before = counts(office.house)
    file = written(tmp_path, collection(bow_tie(1)))
    status, said, error = dishu("cells", "publish", file, "--community", COMMUNITY, "--datum", "wgs84")
    assert status == 1
    assert "ring_self_crossing" in said and "nothing was changed" in error and "Traceback" not in error
    assert counts(office.house) == before


def test_buildings_that_a_border_cuts_are_listed(dishu, tmp_path):
    """A warning names the building; it does not forbid publishing."""
    ring = [[120.6099, 31.305], [120.6101, 31.305], [120.6101, 31.3052], [120.6099, 31.3052], [120.6099, 31.305]]
    houses = {"type": "Feature", "properties": {"id": "7号楼"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    status, said, _ = dishu(
        "cells", "check", written(tmp_path, row_of_cells(1, 2)), "--community", COMMUNITY, "--datum", "wgs84",
        "--buildings", written(tmp_path, collection(houses), "houses.geojson"),
    )  # fmt: skip
    assert status == 0
    assert "building_cut" in said and "7号楼" in said


@pytest.mark.parametrize(
    ("content", "more", "place"),
    [
        ("{", (), "line 1, column 2"),
        ('{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[["x",1]]]}}]}', (), "feature 0"),
        (json.dumps(row_of_cells(1)), ("--map", "colour=x"), "colour"),
        (json.dumps(row_of_cells(1)), ("--map", "code"), "WORD=NAME"),
        (json.dumps(row_of_cells(1) | {"crs": {"type": "name", "properties": {"name": "EPSG:3857"}}}), (), "degrees"),
    ],
)  # fmt: skip
def test_an_unreadable_file_is_one_line(dishu, tmp_path, content, more, place):
    """What cannot be read is said in one line that names the place, without a traceback."""
    status, _, error = dishu(
        "cells", "check", written(tmp_path, content), "--community", COMMUNITY, "--datum", "wgs84", *more
    )
    assert status != 0
    assert place in error and "Traceback" not in error
    assert error.strip().splitlines()[-1].startswith("Error:")


def test_without_a_datum_every_feature_is_named(dishu, tmp_path):
    """Coordinates whose datum nobody declared are not guessed at."""
    file = written(tmp_path, row_of_cells(1, 2))
    status, _, error = dishu("cells", "check", file, "--community", COMMUNITY)
    assert status == 1 and "/features/0" in error and "/features/1" in error and "no declared datum" in error
    assert dishu("cells", "check", file, "--community", COMMUNITY, "--datum", "wgs48")[0] == 2
    assert "no community nowhere" in dishu("cells", "check", file, "--community", "nowhere", "--datum", "wgs84")[2]


def test_a_community_is_made_with_its_outline(dishu, tmp_path):
    """A new community is listed, and its first edition is held against its outline."""
    outline = json.loads(shapely.to_geojson(shapely.box(120.6, 31.3, 120.62, 31.31)))
    file = written(tmp_path, outline, "outline.geojson")
    status, said, error = dishu(
        "community", "add", "999999003001", "--name", "新社区", "--boundary", file, "--datum", "wgs84"
    )
    assert (status, said) == (0, "999999003001\t999999003001\t新社区\n"), error
    assert "999999003001\t999999003001\t新社区\tcn-grid-15" in dishu("community", "list")[1]
    half = collection(cell(1, 120.6, 31.3, 120.61, 31.31, code="999999003001001"))
    half_file = written(tmp_path, half)
    status, said, _ = dishu("cells", "check", half_file, "--community", "999999003001", "--datum", "wgs84")
    assert status == 1 and "gap_at_boundary" in said
    smaller = json.loads(shapely.to_geojson(shapely.box(120.6, 31.3, 120.61, 31.31)))
    assert (
        dishu(
            "community", "boundary", "999999003001", written(tmp_path, smaller, "smaller.geojson"), "--datum", "wgs84"
        )[0]
        == 0
    )
    assert dishu("cells", "publish", half_file, "--community", "999999003001", "--datum", "wgs84")[0] == 0


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("99999900300", "--name", "x"), "/code"),
        (("999999003001", "--name", " "), "/name"),
        (("999999003001", "--name", "x", "--id", "~house"), "/id"),
        (("999999003001", "--name", "x", "--district", "99"), "/district"),
        (("999999003001", "--name", "x", "--profile", "none"), "/profile"),
        (("999999001001", "--name", "x"), "exists"),
    ],
)
def test_a_wrong_community_is_refused_with_its_field(dishu, words, place):
    """Every wrong field is named, and no community appears."""
    listed = dishu("community", "list")
    status, _, error = dishu("community", "add", *words)
    assert status == 1 and place in error
    assert dishu("community", "list") == listed


def test_a_crossing_outline_is_refused(dishu, tmp_path):
    """An outline that crosses itself makes no community."""
    file = written(tmp_path, collection(bow_tie(1)))
    status, _, error = dishu("community", "add", "999999003001", "--name", "x", "--boundary", file, "--datum", "wgs84")
    assert status == 1 and "crosses itself" in error
    assert "999999003001" not in dishu("community", "list")[1]


def test_a_repaired_file_without_an_unread_cell_is_written_only_when_it_is_named(dishu, tmp_path):
    """`repair --out` names the cell that could not be read and writes nothing; `--without` its code writes the others."""
    broken = cell(2, 120.61, 31.3, 120.62, 31.31)
    broken["geometry"]["coordinates"] = [broken["geometry"]["coordinates"][0][:2]]
    file = written(tmp_path, collection(cell(1, 120.6, 31.3, 120.61, 31.31), broken))
    out = tmp_path / "fixed.geojson"
    words = ("cells", "repair", file, "--community", COMMUNITY, "--datum", "wgs84", "--out", out)
    status, _, said = dishu(*words)
    assert status == 1 and not out.exists() and f"{CODE}002" in said and len(said.splitlines()) == 1
    assert dishu(*words, "--without", f"{CODE}001")[0] == 1 and not out.exists()
    dishu(*words, "--without", f"{CODE}002")
    assert len(json.loads(out.read_text(encoding="utf-8"))["features"]) == 1


def test_a_code_used_twice_and_a_hole_without_ground_are_repaired_in_a_new_file(dishu, tmp_path):
    """`repair` tells each step, which cell gets which code among them, and `--out` writes a file that passes."""
    twice = cell(1, 120.61, 31.3, 120.62, 31.31, cell_id="other")
    corner = twice["geometry"]["coordinates"][0][0]
    twice["geometry"]["coordinates"].append([corner, [120.615, 31.305], corner])
    file, out = written(tmp_path, collection(cell(1, 120.6, 31.3, 120.61, 31.31), twice)), tmp_path / "out.geojson"
    words = ("--community", COMMUNITY, "--datum", "wgs84")
    status, said, wrong = dishu("cells", "repair", file, *words, "--out", out)
    assert status == 0, said + wrong
    assert [line.split("\t")[:2] for line in said.splitlines()[:2]] == [["drop_ring", f"{CODE}001"], ["new_code", f"{CODE}001"]]
    assert f"→ {CODE}" in said
    status, said, _ = dishu("cells", "check", out, "--community", COMMUNITY, "--datum", "cgcs2000")
    assert status == 0 and "cells 2" in said


def test_a_cell_that_is_only_renamed_is_told_as_such(dishu, tmp_path):
    """`diff` tells which cells go on under another code or name, which records none of, beside what happens to the ground."""
    words = ("--community", COMMUNITY, "--datum", "wgs84")
    assert dishu("cells", "publish", written(tmp_path, row_of_cells(1, 2)), *words)[0] == 0
    said = dishu("cells", "diff", written(tmp_path, row_of_cells(1, 2)), *words)[1]
    assert "rename" not in said
    other = row_of_cells(1, 3)
    other["features"][0]["properties"]["name"] = "新名网格"
    status, said, _ = dishu("cells", "diff", written(tmp_path, other), *words)
    lines = [line.split("\t") for line in said.splitlines()]
    assert status == 0 and [line[:3] for line in lines if line[0] == "rename"] == [
        ["rename", f"{CODE}001", f"{CODE}001"], ["rename", f"{CODE}002", f"{CODE}003"],
    ], said  # fmt: skip
    assert lines[0][-1].endswith("新名网格") and "→" in lines[0][-1] and ["renamed 改编码或名称", "2"] in lines
