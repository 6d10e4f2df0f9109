"""What planning a table knows of doors and households: found again however many came between, in memory that does not grow."""

from __future__ import annotations

import tracemalloc

import pytest

from server.services.sheet_ground import Dwelling, Ground, Home, Lead, Place, place_of


def filled(count):
    ground = Ground()
    ground.learn_places([("b", "building", {"number": "3幢"}), ("e", "entrance", {"building": "b", "number": "1"})])
    for number in range(count):
        dwelling = Dwelling(f"d-{number}", {"entrance": "e", "door_number": str(number)}, None)
        ground.add(dwelling, "e", "b", str(number), "")
        dwelling.homes.append(Home(f"h-{number}", "", None, f"户主{number}", {"kind": "family"}, {"v": 1, "tag": "t"}))
    return ground


def test_a_door_is_found_again_with_its_households_however_many_came_between():
    """A table that comes back to a household after thousands of others finds it as the rows before left it."""
    ground = filled(5_000)
    for number in (0, 1, 2_500, 4_999):
        lead = ground.lead_of(Place(building="3", entrance="1", door=f"{number}室"))
        assert lead == Lead(f"d-{number}", "e", "b")
        dwelling = ground.dwelling(lead.dwelling)
        assert dwelling.fields["door_number"] == str(number) and dwelling.homes[0].base == {"v": 1, "tag": "t"}
        assert ground.head_name(dwelling.homes[0]) == f"户主{number}"
        dwelling.homes[0].fields["phone"] = "1"
    for number in range(100, 4_000):
        ground.dwelling(f"d-{number}")
    assert ground.dwelling("d-0").homes[0].fields == {"kind": "family", "phone": "1"}
    assert ground.dwelling("nobody") is None
    ground.scratch.close()


def test_an_address_without_a_building_is_one_dwelling():
    """In parts or in one line, with a suffix or without: the same text is the same door, which waits for its place."""
    ground = Ground()
    place = Place("某苑", "99幢", "1", "101室")
    assert ground.lead_of(place) == Lead(doubt="no_building")
    ground.add(Dwelling("d", {}, None), None, None, place.door, place.text)
    for same in (place, Place("某苑", "99栋", "1", "101"), Place(line=place.text)):
        assert ground.lead_of(same).dwelling == "d"
    assert ground.lead_of(Place("某苑", "99幢", "1", "102")).dwelling is None
    ground.scratch.close()


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        (Place("桑榆里", "1", "2", "101"), Lead("south-2-101", "e2", "south")),
        (Place("某某路8号桑榆里小区", "1", "1", "101"), Lead("south-1-101", "e1", "south")),  # more words than the name
        (Place("", "7", "", "301"), Lead(None, None, "seven")),  # a door that nobody has recorded, in a building that is the only 7
        (Place("无此小区", "7", "", "301"), Lead(doubt="other_estate")),  # the 7 stands elsewhere
        (Place("", "1", "1", "101"), Lead(doubt="several_buildings")),
        (Place("桑榆里", "1", "", "101"), Lead(doubt="several_doors")),  # behind each entrance one
        (Place("桑榆里", "1", "9", "101"), Lead(doubt="no_entrance")),
        (Place("桑榆里", "8", "", "101"), Lead(doubt="no_building")),
    ],
)
def test_an_address_that_is_not_certain_places_nobody(place, wanted):
    """People are never put into a home because its number looks alike: what is not certain waits for somebody, with the reason."""
    ground = Ground()
    ground.learn_places([
        ("s", "estate", {"name": "桑榆里"}), ("n", "estate", {"name": "北桥新村"}),
        ("south", "building", {"number": "1", "estate": "s"}), ("north", "building", {"number": "1", "estate": "n"}),
        ("seven", "building", {"number": "7", "estate": "n"}),
        ("e1", "entrance", {"building": "south", "number": "1"}), ("e2", "entrance", {"building": "south", "number": "2"}),
    ])  # fmt: skip
    for entrance, number in (("e1", 1), ("e2", 2)):
        ground.add(Dwelling(f"south-{number}-101", {}, None), entrance, "south", "101", "")
    assert ground.lead_of(place) == wanted
    ground.scratch.close()


def test_the_same_door_of_two_stairways_is_never_one_dwelling():
    """A building without recorded entrances: each stairway's 501 waits for its place by itself; a 501 recorded there may be either."""
    ground = Ground()
    ground.learn_places([("b", "building", {"number": "3"})])
    first, second = (place_of({"place.building": "3幢", "place.entrance": f"{n}单元", "place.door": "501"}) for n in (1, 2))
    for place in (first, second):
        assert ground.lead_of(place) == Lead(doubt="no_entrance")
    ground.add(Dwelling("d-1", {}, None), None, None, first.door, first.text)
    assert ground.lead_of(first).dwelling == "d-1" and ground.lead_of(second).dwelling is None
    ground.add(Dwelling("old", {}, {"v": 1, "tag": "t"}), None, "b", "501", "")
    assert ground.lead_of(second) == Lead(doubt="no_entrance", near=("old",))
    assert ground.lead_of(Place(building="3", door="501")) == Lead("old", None, "b")
    ground.scratch.close()


def test_a_line_that_names_the_street_alone_makes_no_two_doors_one():
    """Beside columns for building and door the line of the address counts only where it says the same."""
    parts = {"place.building": "99", "place.entrance": "1", "place.address": "桂花新村"}
    texts = {place_of(parts | {"place.door": door}).text for door in ("101", "102")}
    assert len(texts) == 2
    whole = place_of({"place.building": "99幢", "place.door": "101室", "place.address": "桂花新村99幢101室"})
    assert whole.text == "桂花新村99幢101室"


def test_what_is_held_does_not_grow_with_the_table():
    """More than twice the doors are held in the memory of a few thousand."""
    held = []
    for count in (3_000, 7_000):
        tracemalloc.start()
        ground = filled(count)
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        ground.scratch.close()
    assert held[1] < held[0] * 1.3
