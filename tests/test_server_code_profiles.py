"""A city's own rule of cell codes: a file in the data folder, from the community to the published edition."""

from __future__ import annotations

import json

import pytest
from cells_kit import SIDE, SOUTH, WEST, cell, collection, populate_ground
from front_door import open_office
from terminal_kit import terminal

from server.errors import InvalidInput
from server.house import uuid7
from server.services import cell_design
from server.services.backup import back_up
from server.store import places
from server.store.database import read

CODE = "999999001001000000001"  # 21 of 25 digits
PROFILE = {
    "name": "city-25",
    "segments": [
        {"name": "division", "width": 12},
        {"name": "zone", "width": 9},
        {"name": "sequence", "width": 4},
    ],
    "community_segments": ["division", "zone"],
    "sequence_segment": "sequence",
    "sequence_from": "0001",
    "sequence_to": "8999",
    "households": {"min": 100, "target": 150, "max": 200},
}


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


@pytest.fixture
def dishu(office, tmp_path):
    return terminal(office.house, tmp_path)


def profile_file(tmp_path, content, name="city-25"):
    folder = tmp_path / "profiles"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def cells_file(tmp_path, *codes):
    path = tmp_path / "cells.geojson"
    drawn = [
        cell(n, WEST + n * SIDE, SOUTH, WEST + (n + 1) * SIDE, SOUTH + SIDE, code=code, cell_id=code)
        for n, code in enumerate(codes, 1)
    ]
    path.write_text(json.dumps(collection(*drawn)), encoding="utf-8")
    return path


def test_a_citys_own_profile_goes_from_its_file_to_an_edition(office, dishu, tmp_path):
    """Codes of 25 digits under a profile of one's own are checked, refused where wrong, and published; so is its target."""
    profile_file(tmp_path, PROFILE)
    status, said, wrong = dishu("community", "add", CODE, "--name", "示例社区", "--profile", "city-25")
    assert (status, wrong) == (0, ""), said
    file = cells_file(tmp_path, f"{CODE}0001", f"{CODE}9000")
    status, said, _ = dishu("cells", "check", file, "--community", CODE, "--datum", "wgs84")
    assert status == 1 and "0001 to 8999" in said
    file = cells_file(tmp_path, f"{CODE}0001", f"{CODE}0002")
    status, said, _ = dishu("cells", "publish", file, "--community", CODE, "--datum", "wgs84")
    assert status == 0, said
    with read(office.house.engine) as connection:
        edition = places.published_edition(connection, CODE)
        codes = [row.code for row in places.cells_of(connection, CODE, edition.edition_id)]
    assert edition.profile == "city-25" and codes == [f"{CODE}0001", f"{CODE}0002"]
    told = cell_design.balance(office.house, CODE, edition.edition_id)
    assert (told["target"], told["band"]) == (150, [100, 200])


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"name": "city-25",\n "segments": }', "line 2, column 14"),
        (PROFILE | {"name": "other"}, "/name"),
        (PROFILE | {"segments": [{"name": "division", "width": 0}]}, "segment division"),
        (PROFILE | {"community_segments": 7}, "wrong kind"),
        (PROFILE | {"reserved": [{"from": "1", "to": "9999"}]}, "/reserved/0"),
    ],
)
def test_a_bad_profile_is_one_line(dishu, tmp_path, content, place):
    """The file and the place in it are said in one line, and no community is made."""
    file = profile_file(tmp_path, content)
    status, said, wrong = dishu("community", "add", CODE, "--name", "示例社区", "--profile", "city-25")
    assert status == 1 and said == "" and len(wrong.strip().splitlines()) == 1
    assert str(file) in wrong and place in wrong
    assert CODE not in dishu("community", "list")[1]


def test_profiles_that_are_known_are_named(dishu, tmp_path):
    """A name that no profile has is answered with those that there are; a shipped one is not replaced by a file."""
    profile_file(tmp_path, PROFILE)
    _, _, wrong = dishu("community", "add", CODE, "--name", "示例社区", "--profile", "nowhere")
    assert "cn-grid-15" in wrong and "city-25" in wrong
    profile_file(tmp_path, PROFILE | {"name": "cn-grid-15"}, "cn-grid-15")
    status, _, wrong = dishu("community", "add", "999999001009", "--name", "示例社区")
    assert status == 1 and "take another one" in wrong


def test_a_code_in_a_reserved_range_is_told(dishu, tmp_path):
    """Numbers that a city keeps for something are named with the range and what it is for, and stop publishing."""
    profile_file(tmp_path, PROFILE | {"reserved": [{"from": "8000", "to": "8999", "for": "专属网格"}]})
    dishu("community", "add", CODE, "--name", "示例社区", "--profile", "city-25")
    file = cells_file(tmp_path, f"{CODE}0001", f"{CODE}8001")
    status, said, _ = dishu("cells", "check", file, "--community", CODE, "--datum", "wgs84")
    assert status == 1 and f"{CODE}8001" in said and "8000 to 8999 is reserved (专属网格)" in said
    status, said, wrong = dishu("cells", "publish", file, "--community", CODE, "--datum", "wgs84")
    assert status == 1 and "reserved" in said and "nothing was changed" in wrong


def test_a_profile_that_is_gone_is_one_line_wherever_it_is_asked(office, dishu, tmp_path):
    """Balance, cutting and proposing name the community's profile that no longer lies there: one line, nothing half made."""
    file = profile_file(tmp_path, PROFILE)
    dishu("community", "add", CODE, "--name", "示例社区", "--profile", "city-25")
    drawn = cells_file(tmp_path, f"{CODE}0001", f"{CODE}0002")
    assert dishu("cells", "publish", drawn, "--community", CODE, "--datum", "wgs84")[0] == 0
    with read(office.house.engine) as connection:
        edition = places.published_edition(connection, CODE).edition_id
    file.unlink()
    with pytest.raises(InvalidInput, match="of the community: no profile of that name") as told:
        cell_design.balance(office.house, CODE, edition)
    assert [one.pointer for one in told.value.errors] == ["/code_profile"]
    status, _, wrong = dishu("cells", "check", drawn, "--community", CODE, "--datum", "wgs84")
    assert status == 1 and len(wrong.strip().splitlines()) == 1 and "city-25" not in wrong


def test_profiles_come_back_with_a_backup(office, dishu, tmp_path):
    """A backup holds the house's own profiles; a restore puts them back and leaves another one of that name beside."""
    file = profile_file(tmp_path, PROFILE)
    made = back_up(office.house, tmp_path / "archives")
    file.write_text("{}", encoding="utf-8")
    office.house.engine.dispose()
    status, said, wrong = dishu("restore", made.archive, "--key", made.key_file, "--replace")
    assert (status, wrong) == (0, ""), said
    assert "city-25.json" in said
    assert json.loads(file.read_text("utf-8")) == PROFILE
    (kept,) = file.parent.glob("city-25.json.replaced-*")
    assert kept.read_text("utf-8") == "{}" and str(kept) in said
