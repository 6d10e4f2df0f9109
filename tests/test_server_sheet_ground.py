"""What planning a table knows of doors and households: found again however many came between, in memory that does not grow."""

from __future__ import annotations

import tracemalloc

from server.services.sheet_ground import Dwelling, Ground, Home, Place


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
        found, entrance, building = ground.dwelling_of(Place(building="3", entrance="1", door=f"{number}室"))
        assert (found, entrance, building) == (f"d-{number}", "e", "b")
        dwelling = ground.dwelling(found)
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
    assert ground.dwelling_of(place) == (None, None, None)
    ground.add(Dwelling("d", {}, None), None, None, place.door, place.text)
    for same in (place, Place("某苑", "99栋", "1", "101"), Place(line=place.text)):
        assert ground.dwelling_of(same)[0] == "d"
    assert ground.dwelling_of(Place("某苑", "99幢", "1", "102"))[0] is None
    ground.scratch.close()


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
