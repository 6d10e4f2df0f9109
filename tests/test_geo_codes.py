"""Codes that are given to new cells, and ranges that a profile keeps from being given (L4)."""

import pytest

from geo.codes import free_code, free_codes
from geo.errors import GeoError, ProfileError
from geo.profile import check_code, load_profile, profile_from_dict

COMMUNITY = "999999001001"
RESERVED = {
    "name": "own",
    "segments": [
        {"name": "community", "width": 12},
        {"name": "kind", "width": 2, "default": "01"},
        {"name": "sequence", "width": 3},
        {"name": "check", "width": 1, "default": "X", "characters": "alphanumeric"},
    ],
    "community_segments": ["community"],
    "sequence_segment": "sequence",
    "sequence_from": "001",
    "sequence_to": "999",
    "reserved": [
        {"from": "003", "to": "005", "for": "parks"},
        {"from": "900", "to": "999"},
        {"segment": "kind", "from": "99"},
    ],
}
OWN = profile_from_dict(RESERVED)


def codes_of(code):
    return [one.code for one in check_code(code, COMMUNITY, profile=OWN)]


def test_a_code_in_a_reserved_range_is_told_with_the_range():
    """Each end of a range lies in it; what it is kept for is said; a range may be of any segment."""
    for number, expected in (("002", []), ("003", ["code_reserved"]), ("005", ["code_reserved"]), ("006", []), ("900", ["code_reserved"])):
        assert codes_of(f"{COMMUNITY}01{number}X") == expected
    (told,) = check_code(f"{COMMUNITY}01004X", COMMUNITY, profile=OWN)
    assert (told.severity, "parks" in told.message_en, "003 至 005" in told.message_zh) == ("error", True, True)
    assert codes_of(f"{COMMUNITY}99001X") == ["code_reserved"]


@pytest.mark.parametrize(
    "one",
    [
        "900", {"to": "900"}, {"from": "90", "to": "99"}, {"from": "999", "to": "900"}, {"segment": "none", "from": "001"},
        {"from": 900, "to": 999}, {"from": "9A0", "to": "9A9"},
    ],
)  # fmt: skip
def test_a_reserved_range_that_says_nothing_is_refused(one):
    """A range that no code can lie in never stands in a profile silently."""
    with pytest.raises(ProfileError, match="/reserved/0"):
        profile_from_dict(RESERVED | {"reserved": [one]})


def test_new_codes_fill_every_segment_and_leave_out_reserved_numbers():
    """Segments beside the number have what the community's codes have there, else the default; reserved numbers are not given."""
    assert free_code(OWN, COMMUNITY, set()) == f"{COMMUNITY}01001X"
    taken = {f"{COMMUNITY}07001Y", f"{COMMUNITY}07002Y", f"{COMMUNITY}01009X"}
    assert free_code(OWN, COMMUNITY, taken) == f"{COMMUNITY}07006Y"
    made = list(free_codes(OWN, COMMUNITY, taken))
    assert made[0] == f"{COMMUNITY}07006Y" and made[-1] == f"{COMMUNITY}07899Y"
    assert all(check_code(code, COMMUNITY, profile=OWN) == [] for code in made)


def test_the_end_of_the_numbers_is_not_the_end_of_the_codes():
    """After the last number the first free one comes; only when all were used there is none."""
    usable = list(free_codes(OWN, COMMUNITY, set()))
    assert free_code(OWN, COMMUNITY, {usable[-1]}) == usable[0]
    with pytest.raises(GeoError, match="every number") as told:
        free_code(OWN, COMMUNITY, set(usable))
    assert told.value.code == "no_code"


def test_a_segment_that_nobody_fills_is_named():
    """The 20-digit profile does not say an object class: codes on record do; without them the segment is named."""
    profile = load_profile("cj349-20")
    with pytest.raises(GeoError, match="object_class"):
        free_code(profile, COMMUNITY, set())
    assert free_code(profile, COMMUNITY, {f"010100{COMMUNITY}01"}) == f"010100{COMMUNITY}02"


def test_a_profile_without_numbers_asks_for_codes_by_hand():
    """Letters as a sequence, or none at all, are not counted on; a pattern takes the first number that it matches."""
    letters = RESERVED | {"segments": [{"name": "community", "width": 12}, {"name": "sequence", "width": 2, "characters": "alphanumeric"}]}
    letters |= {"sequence_from": "AA", "sequence_to": "ZZ", "reserved": []}
    for data in (letters, RESERVED | {"sequence_segment": None, "reserved": []}):
        with pytest.raises(GeoError, match="by hand"):
            free_code(profile_from_dict(data), COMMUNITY, set())
    pattern = profile_from_dict({"name": "own", "pattern": "[0-9]{12}00[5-9]"})
    assert free_code(pattern, COMMUNITY, {f"{COMMUNITY}005"}) == f"{COMMUNITY}006"
