from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta

import numpy as np
import pytest
import shapely

from forms.findings import findings
from forms.identity import credit_code_ok, resident_id_birth, resident_id_ok, resident_id_sex
from forms.registry import load_registry
from forms.validate import validator
from server.demo.chance import PHONE_PREFIX, REGION
from server.demo.community import SEED, batches, demo_groups, fingerprint
from server.demo.places import cell_shapes

AS_OF = date(2026, 3, 1)


@pytest.fixture(scope="module")
def groups():
    return list(demo_groups(AS_OF))


@pytest.fixture(scope="module")
def by_type(groups):
    found: dict[str, dict[str, dict]] = defaultdict(dict)
    for group in groups:
        for operation in group:
            found[operation["type"]][operation["id"]] = operation["set"]
    return found


def test_the_same_seed_tells_the_same_story_byte_for_byte(groups):
    """Two runs with one seed and one day give the same bytes; another seed gives other people."""
    assert fingerprint(demo_groups(AS_OF, SEED)) == fingerprint(groups)
    assert fingerprint(demo_groups(AS_OF, SEED + 1)) != fingerprint(groups)


def test_records_keep_their_ids_whatever_the_day(groups):
    """Told on another day (a leap day too) the records have the same ids and types."""
    other = [(one["type"], one["id"]) for group in demo_groups(date(2028, 2, 29)) for one in group]
    assert other == [(one["type"], one["id"]) for group in groups for one in group]


def test_the_figures_are_those_that_the_demo_promises(by_type):
    """2,500 households, 6,500 persons, about 2,800 dwellings, 200 members of six units, 150 resources."""
    assert len(by_type["household"]) == 2500
    assert len(by_type["person"]) == 6500
    assert 2700 <= len(by_type["dwelling"]) <= 2900
    assert len(by_type["party_member"]) == 200
    assert len(by_type["resource"]) == 150
    assert len(by_type["organization"]) == 6
    assert len(by_type["estate"]) == 12
    assert 100 <= len(by_type["check_in"]) <= 180
    assert Counter(one["use"] for one in by_type["dwelling"].values()).keys() >= {"home", "shop", "dormitory"}
    assert Counter(one["occupancy"] for one in by_type["dwelling"].values()).keys() >= {"owner_lived", "let", "empty"}


def test_every_cell_has_80_to_150_households(by_type):
    """Households, counted through dwelling, entrance and anchor, are spread as grid workers can walk them."""
    tree = shapely.STRtree(cell_shapes())
    cell_of = {
        key: int(tree.query(shapely.Point(one["anchor"]["lon"], one["anchor"]["lat"]), predicate="within")[0])
        for key, one in by_type["entrance"].items()
    }
    counted = Counter(
        cell_of[by_type["dwelling"][one["dwelling"]]["entrance"]] for one in by_type["household"].values()
    )
    assert len(counted) == 24
    assert min(counted.values()) >= 80 and max(counted.values()) <= 150


def test_every_anchor_lies_in_exactly_one_cell_and_entrances_in_their_building(by_type):
    """Estates, buildings, entrances, units and resources with a point of their own: one cell each."""
    tree = shapely.STRtree(cell_shapes())
    homes: dict[str, int] = {}
    for record_type in ("estate", "building", "entrance", "organization", "resource"):
        for key, one in by_type[record_type].items():
            if "anchor" not in one:
                continue
            hits = tree.query(shapely.Point(one["anchor"]["lon"], one["anchor"]["lat"]), predicate="intersects")
            assert len(hits) == 1
            homes[key] = int(hits[0])
    for key, one in by_type["entrance"].items():
        assert homes[key] == homes[one["building"]]


def test_every_operation_is_accepted_by_its_form(groups):
    """No operation of the demo has an error under the forms that are shipped, required fields included."""
    registry = load_registry()
    checks = {name: validator(registry.latest(name)) for name in {one["type"] for group in groups for one in group}}
    for group in groups:
        for one in group:
            assert checks[one["type"]](one["set"], True)[1] == []


def test_no_record_of_the_demo_is_implausible(by_type):
    """The conditions across fields (documents and birth, dates, quantities) raise no finding on the demo's day."""
    registry = load_registry()
    found = Counter(
        (record_type, finding.name)
        for record_type, records in by_type.items()
        for fields in records.values()
        for finding in findings(registry.latest(record_type), fields, AS_OF)
    )
    assert not found


def test_operations_have_the_shape_of_the_protocol(groups):
    """Creates without base, with unique ids shaped as UUIDs of version 7 and a claimed time that has a zone."""
    shape = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    ids: set[str] = set()
    for group in groups:
        for one in group:
            assert list(one) == ["op_id", "type", "id", "kind", "base", "set", "was", "form_version", "claimed_at"]
            assert one["kind"] == "create" and one["base"] is None and one["was"] == {}
            assert shape.fullmatch(one["op_id"]) and shape.fullmatch(one["id"])
            ids |= {one["op_id"], one["id"]}
            claimed = datetime.fromisoformat(one["claimed_at"])
            assert claimed.tzinfo is not None
            assert timedelta(0) <= AS_OF - claimed.date() <= timedelta(days=400)
            assert None not in one["set"].values()
    assert len(ids) == 2 * sum(len(group) for group in groups)


def test_parents_come_first_and_every_reference_resolves(groups):
    """Whatever a record refers to stands in an earlier group or in the same one; parents even before the record."""
    registry = load_registry()
    known: dict[str, str] = {}
    for group in groups:
        together = known | {one["id"]: one["type"] for one in group}
        for one in group:
            record_type = registry.latest(one["type"])
            for name, value in one["set"].items():
                spec = record_type.fields[name]
                if spec.type == "ref":
                    assert (known if name in record_type.parents else together)[value] == spec.ref_type
            known[one["id"]] = one["type"]


def test_documents_are_nobodys_and_agree_with_their_person(by_type):
    """Every number is in region 999999, has a right check digit and its person's birth date and sex, and is unique."""
    numbers = []
    for one in by_type["person"].values():
        number = one.get("document_number")
        if number is None:
            assert one["document_missing_reason"]
            continue
        numbers.append(number)
        assert number.startswith(REGION) and resident_id_ok(number)
        assert resident_id_birth(number) == one["birth_date"]
        assert resident_id_sex(number) == one["sex"]
    assert len(set(numbers)) == len(numbers) > 6300
    for one in by_type["organization"].values():
        assert one["credit_code"][2:12] == REGION + "FAKE" and credit_code_ok(one["credit_code"])


def test_telephone_numbers_reach_nobody(groups):
    """Everything that looks like a telephone number begins with a prefix that is not assigned, and is long enough."""
    text = json.dumps([one["set"] for group in groups for one in group if one["type"] != "dwelling"])
    text = re.sub(r'"(document_number|credit_code|[a-z_]*id|lon|lat)": ?"?[0-9A-Z.]+"?', "", text)
    found = re.findall(r"(?<![0-9a-f.-])1[0-9]{10}(?![0-9a-f-])", text)
    assert len(found) > 5000
    assert all(number.startswith(PHONE_PREFIX) for number in found)


def test_families_are_plausible(by_type):
    """Parents are 16 to 45 years older than their children, spouses near each other, heads grown up."""
    homes: dict[str, list[dict]] = defaultdict(list)
    for one in by_type["person"].values():
        if "residence_household" in one:
            homes[one["residence_household"]].append(one)
    assert homes.keys() == by_type["household"].keys()

    def years(older: dict, younger: dict) -> float:
        return (date.fromisoformat(younger["birth_date"]) - date.fromisoformat(older["birth_date"])).days / 365.2425

    for household, members in homes.items():
        said = by_type["household"][household]
        head = by_type["person"][said["head"]]
        assert head in members and head["relation_to_head"] == "02"
        assert sum(one["relation_to_head"] == "02" for one in members) == 1
        assert date.fromisoformat(head["birth_date"]) <= AS_OF - timedelta(days=18 * 365)
        spouses = [one for one in members if one["relation_to_head"] == "10"]
        assert len(spouses) <= 1
        for spouse in spouses:
            assert abs(years(head, spouse)) <= 10.1 and {head["sex"], spouse["sex"]} == {"1", "2"}
            assert head["marital_code"] == spouse["marital_code"] == "20"
        for one in members:
            code = one["relation_to_head"]
            if code in ("20", "21", "30", "31"):
                for parent in (head, *spouses):
                    assert 16 <= years(parent, one) <= 45
            if code in ("51", "52"):
                assert 16 <= years(one, head) <= 45
            if code in ("55", "56"):
                assert 16 <= years(one, spouses[0]) <= 45
            if code in ("41", "42", "43", "44"):
                middle = [
                    other for other in members if other["relation_to_head"] in ("20", "21", "28", "30", "31", "38")
                ]
                assert years(head, one) >= 32
                for parent in middle:
                    assert 16 <= years(parent, one) <= 45
    sizes = Counter(len(members) for members in homes.values())
    assert sizes[1] > 200 and sizes[2] > 500 and sizes[3] > 500 and max(sizes) <= 8


def test_nobody_lives_or_is_registered_before_birth_or_after_today(by_type):
    """Dates of birth, residence, registration, membership and check-in follow each other and end before ``as_of``."""
    for one in by_type["person"].values():
        born = one["birth_date"]
        assert born <= AS_OF.isoformat()
        for name in ("resident_from", "registered_from", "absent_since"):
            assert born <= one.get(name, born) <= AS_OF.isoformat()
    for one in by_type["check_in"].values():
        days = [one[name] for name in ("registered_on", "accepted_on", "ended_on") if name in one]
        assert days == sorted(days) and days[-1] <= AS_OF.isoformat()
        assert len(days) == {"registered": 1, "accepted": 2, "ended": 3}[one["state"]]


def test_residence_and_registration_differ_as_they_do_in_life(by_type):
    """Some live here and are registered elsewhere, some are registered here and live elsewhere, some in two cells."""
    people = list(by_type["person"].values())
    of_household = {key: one["dwelling"] for key, one in by_type["household"].items()}
    elsewhere = [one for one in people if "residence_household" in one and "registration_address_text" in one]
    only_registered = [one for one in people if "residence_household" not in one]
    apart = [
        one for one in people
        if one.get("registration_dwelling") and "residence_household" in one
        and one["registration_dwelling"] != of_household[one["residence_household"]]
    ]  # fmt: skip
    assert 1500 <= len(elsewhere) <= 3000
    assert 30 <= len(only_registered) <= 300
    assert all("registration_dwelling" in one for one in only_registered)
    assert 100 <= len(apart) <= 600


def test_some_members_are_unknown_and_some_never_reported(by_type):
    """Members on the units' lists: most are linked to a person who lives here, one unit and many members never reported."""
    members = by_type["party_member"]
    linked = [one for one in members.values() if "person" in one]
    assert 150 <= len(linked) <= 180
    for one in linked:
        person = by_type["person"][one["person"]]
        assert person["name"] == one["name"] and person["political_code"] == one["political_code"]
    assert {one["person"] for one in linked} == {
        key for key, one in by_type["person"].items() if one.get("political_code") in ("01", "02")
    }
    assert len({one["organization"] for one in members.values()}) == 6
    reported = {one["party_member"] for one in by_type["check_in"].values() if "party_member" in one}
    assert 20 <= len(members.keys() - reported) <= 100
    assert len([one for one in by_type["check_in"].values() if "organization" in one]) == 5
    assert {one["state"] for one in by_type["check_in"].values()} == {"registered", "accepted", "ended"}


def test_care_follows_age_and_family(by_type):
    """The very old are all known; those who live alone have weekly contact; nobody under 60 is old."""
    ages = {
        key: (AS_OF - date.fromisoformat(one["birth_date"])).days / 365.2425 for key, one in by_type["person"].items()
    }
    kinds = defaultdict(set)
    for one in by_type["care_status"].values():
        kinds[one["kind"]].add(one["person"])
    assert all(ages[key] >= 79.9 for key in kinds["aged"])
    assert all(ages[key] >= 60 for key in kinds["living_alone"] | kinds["empty_nest"])
    assert all(ages[key] < 18 for key in kinds["left_behind_child"])
    assert kinds.keys() >= {"aged", "living_alone", "disabled", "low_income", "chronic", "pregnant"}


def test_visits_are_spread_over_the_last_year(by_type):
    """Every month of the last twelve has visits; about one household in ten was never visited."""
    days = np.array(
        [(AS_OF - datetime.fromisoformat(one["visited_at"]).date()).days for one in by_type["visit"].values()]
    )
    assert days.min() >= 0 and days.max() <= 380
    assert (np.bincount(np.minimum(days // 31, 11), minlength=12) > 80).all()
    visited = {one["household"] for one in by_type["visit"].values()}
    assert 150 <= len(by_type["household"].keys() - visited) <= 350


def test_batches_split_no_group(groups):
    """Batches hold whole groups in order, none much larger than asked for."""
    packed = list(batches(groups, 400))
    assert [group for batch in packed for group in batch] == groups
    assert max(sum(len(group) for group in batch) for batch in packed) <= 400
