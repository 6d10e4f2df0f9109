"""The overview in one call, the months before, and how the work stands in each cell."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from front_door import COMMUNITY, FIRST_DAY, NEIGHBOUR, problem
from hypothesis import given
from hypothesis import strategies as st
from records_kit import IDS, actor_of, office_with_records, write_operation
from sqlalchemy import func, select, update

from forms.derived import age_on
from server.jobs.kinds import SWEEPERS
from server.models import daily_figure, edition, record
from server.services import daily_figures
from server.services.push import accept_user_operation
from server.store.database import read, write

OVERVIEW = f"/api/v1/communities/{COMMUNITY}/overview"
WORK = f"/api/v1/communities/{COMMUNITY}/work"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def told(office, role="secretary", path=OVERVIEW):
    answer = office.signed_in(role).get(path)
    assert answer.status_code == 200, answer.data
    return answer.json


def base(office, name):
    with read(office.house.engine) as connection:
        row = connection.execute(select(record.c.v, record.c.tag).where(record.c.id == IDS[name])).one()
    return {"v": row.v, "tag": row.tag}


def test_every_cell_has_its_figures(office):
    """Old and very old people, small children, people per square kilometre and freshness of each cell, and their sum."""
    found = told(office)
    west, east = found["cells"]
    assert west["ages"] == {"aged_60": 2, "aged_80": 0, "under_3": 0, "share_60": 0.6667}
    assert east["ages"] == {"aged_60": 1, "aged_80": 1, "under_3": 0, "share_60": 1.0}
    assert west["density_per_km2"] == 3_000_000  # the kit's cells say one square metre each
    assert west["freshness_buckets"] == {"within_30": 4, "within_90": 0, "within_180": 0, "older": 0}
    assert found["total"]["ages"]["aged_60"] == 3 and found["total"]["counts"]["resident_person"] == 4
    assert found["unplaced"]["ages"]["aged_60"] == 0


def test_freshness_falls_into_buckets(office, clock):
    """After a hundred days everything is in the bucket of half a year, but what was confirmed since."""
    clock.advance(days=100)
    write_operation(office.house, actor_of(office, "secretary"), "confirm", "li", base=base(office, "li"))
    assert told(office)["cells"][0]["freshness_buckets"] == {"within_30": 1, "within_90": 0, "within_180": 3, "older": 0}


def test_open_matters_stand_in_their_cell(office):
    """Conflicts, findings, held and quarantined work are counted where the record is."""
    old = base(office, "dwelling_b")
    for floor in (10, 11):
        write_operation(office.house, actor_of(office, "secretary" if floor == 10 else "grid_worker"), "patch", "dwelling_b",
                        {"building": IDS["building_b"], "floor_number": floor}, base=old)  # fmt: skip
    write_operation(office.house, actor_of(office, "secretary"), "patch", "child", {"marital_code": "20"}, base=base(office, "child"))
    write_operation(office.house, actor_of(office, "secretary"), "patch", "li", {"sex": "unheard-of"}, base=base(office, "li"))
    west, east = (cell["open"] for cell in told(office)["cells"])
    assert (west["findings"], west["quarantined"], west["conflicts"]) == (1, 1, 0)
    assert (east["findings"], east["quarantined"], east["conflicts"]) == (0, 0, 1)
    assert [cell["open"] for cell in told(office, path=WORK)["cells"]] == [west, east]


def test_who_sees_which_figures(office):
    """A grid worker gets the own cells, a planner no ages and no trend; figures hold no name."""
    assert [cell["code"] for cell in told(office, "grid_worker")["cells"]] == [told(office)["cells"][0]["code"]]
    found = told(office, "planner")
    assert found["total"]["ages"] is None and found["trend"] == [] and found["cells"][0]["density_per_km2"] is None
    assert found["total"]["counts"]["dwelling"] == 3
    assert "张三" not in office.signed_in("secretary").get(OVERVIEW).get_data(as_text=True)
    assert problem(office.signed_in("secretary").get(OVERVIEW.replace(COMMUNITY, NEIGHBOUR))) == (403, "outside-your-scope")


# ---------------------------------------------------------------- the months before
def test_figures_of_each_day_are_kept_once(office, clock):
    """The sweeper writes a day down once; the trend has the last kept day of each month."""
    assert daily_figures.sweep in SWEEPERS
    assert daily_figures.sweep(office.house) == 2 and daily_figures.sweep(office.house) == 0  # two communities
    clock.advance(days=20)
    write_operation(office.house, actor_of(office, "secretary"), "delete", "child", base=base(office, "child"))
    daily_figures.sweep(office.house)
    clock.advance(days=20)
    daily_figures.sweep(office.house)
    found = told(office)["trend"]
    days = [(FIRST_DAY + timedelta(days=1 + 20 * n)).date().isoformat() for n in (1, 2)]
    assert [(one["day"], one["figures"]["persons"], one["figures"]["aged"]) for one in found] == [(days[0], 3, 3), (days[1], 3, 3)]
    with read(office.house.engine) as connection:
        assert connection.execute(select(func.count(func.distinct(daily_figure.c.day)))).scalar_one() == 3
    (own,) = {one["figures"]["persons"] for one in told(office, "grid_worker")["trend"]}
    assert own == 2


def test_past_months_are_reckoned_from_what_is_on_record(office):
    """Twelve months before the first kept day are counted one by one: who died in January lived in December, who came in
    February did not live here before."""
    write_operation(office.house, actor_of(office, "secretary"), "patch", "li",
                    {"residence_household": IDS["household_a"], "relation_to_head": "10", "presence": "present",
                     "resident_from": "2026-02-15"}, base=base(office, "li"))  # fmt: skip
    assert daily_figures.reckon_back(office.house) == 0  # nothing is kept yet
    daily_figures.sweep(office.house)
    count = 0
    while daily_figures.reckon_back(office.house):
        count += 1
    assert count == 24  # of two communities
    found = told(office)["trend"]
    assert len(found) == 13 and [one["reckoned"] for one in found] == [True] * 12 + [False]
    assert [one["day"] for one in found[-3:]] == ["2026-01-31", "2026-02-28", "2026-03-02"]
    assert {one["day"][:7]: one["figures"]["residents"] for one in found if one["day"] >= "2025-12"} == {
        "2025-12": 4, "2026-01": 3, "2026-02": 4, "2026-03": 4,
    }  # fmt: skip
    assert "reckoned" not in found[0]["figures"]
    assert {one["day"][:7]: one["figures"]["aged"] for one in found if one["day"] >= "2025-12"} == {
        "2025-12": 3, "2026-01": 2, "2026-02": 3, "2026-03": 3,
    }  # fmt: skip


def test_a_past_day_has_its_ages_its_density_and_the_months_up_to_it(office):
    """On a past day people are as old as they were then, in the cells where they lived; the months end there, and what nobody kept is not told."""
    daily_figures.sweep(office.house)
    while daily_figures.reckon_back(office.house):
        pass
    for day in ("2025-12-31", "2016-06-01"):
        found = told(office, path=f"{OVERVIEW}?as_of={day}")
        for name, filters in (("aged_60", ("gte", 60)), ("aged_80", ("gte", 80)), ("under_3", ("lt", 3))):
            for cell in found["cells"]:
                asked = {"as_of": day, "filters": [{"column": "lives_here", "op": "eq", "value": True}, {"column": "age", "op": filters[0], "value": filters[1]}]}
                listed = office.signed_in("secretary").post(f"/api/v1/cells/{cell['code']}/roster/persons/search", asked).json["rows"]
                assert cell["ages"][name] == len(listed), (day, name)
        assert found["total"]["ages"]["aged_60"] == sum(cell["ages"]["aged_60"] for cell in found["cells"])
        assert found["cells"][0]["density_per_km2"] == found["cells"][0]["counts"]["resident_person"] * 1_000_000
        assert (found["cells"][0]["freshness_buckets"], found["cells"][0]["open"], found["cells"][0]["freshness"]) == (None, None, None)
    assert found["trend"] == [] and found["total"]["ages"]["aged_60"] < told(office)["total"]["ages"]["aged_60"]
    months = told(office, path=f"{OVERVIEW}?as_of=2025-12-31")["trend"]
    assert [one["day"] for one in months][-2:] == ["2025-11-30", "2025-12-31"] and len(months) == 10
    planner = told(office, "planner", f"{OVERVIEW}?as_of=2025-12-31")
    assert planner["trend"] == [] and planner["total"]["ages"] is None and planner["cells"][0]["density_per_km2"] is None
    assert problem(office.signed_in("secretary").get(f"{OVERVIEW}?as_of=2026-02-30")) == (422, "invalid-input")


def test_a_past_day_has_the_figures_that_were_written_down_then(office, clock):
    """What carries no dates is of a past day what was counted then, in each cell and together, and the answer names the day that was written
    down; a day of which nothing was kept within a week, or only under other cells, is counted as recorded now."""
    clock.advance(days=1)
    old = base(office, "dwelling_b")
    for worker, floor in (("secretary", 10), ("grid_worker", 11)):
        write_operation(office.house, actor_of(office, worker), "patch", "dwelling_b", {"building": IDS["building_b"], "floor_number": floor}, base=old)
    before, counted = told(office), told(office)["as_of"][:10]
    assert before["total"]["open_conflicts"] == 1
    daily_figures.sweep(office.house)
    clock.advance(days=40)
    create = {"kind": "create", "type": "dwelling", "set": {"building": IDS["building_b"], "door_number": "909", "use": "home", "expected": True}}
    assert accept_user_operation(office.house, actor_of(office, "secretary"), create | {"id": "01950000-0000-7000-8000-00000000dddd"})["now"]["outcome"] == "applied"
    new = {"kind": "create", "type": "organization", "id": "01950000-0000-7000-8000-00000000eeee", "set": {"name": "新店", "building": IDS["building_b"]}}
    accept_user_operation(office.house, actor_of(office, "secretary"), new)
    after = told(office)
    dateless = {"household", "dwelling", "building", "party_member", "organization", "resource"}
    assert after["total"]["coverage"] != before["total"]["coverage"] and after["total"]["counts"]["dwelling"] == before["total"]["counts"]["dwelling"] + 1

    def shown(found, kinds=dateless):
        return [({kind: one["counts"][kind] for kind in kinds}, one["coverage"]) for one in (*found["cells"], found["unplaced"], found["total"])]

    def dated(found):
        return [(one["freshness_buckets"], one["open_conflicts"]) for one in (*found["cells"], found["unplaced"], found["total"])]

    for day in (counted, date.fromisoformat(counted) + timedelta(days=3)):
        then = told(office, path=f"{OVERVIEW}?as_of={day}")
        assert (then["kept"]["day"], set(then["kept"]["counts"])) == (counted, dateless)
        assert shown(then) == shown(before) != shown(after)
        assert dated(then) == dated(before) != dated(after)
        own = told(office, "grid_worker", f"{OVERVIEW}?as_of={day}")
        assert own["total"]["coverage"] == own["cells"][0]["coverage"] == before["cells"][0]["coverage"]
        planner = told(office, "planner", f"{OVERVIEW}?as_of={day}")["total"]
        assert (planner["counts"]["dwelling"], planner["counts"]["household"]) == (before["total"]["counts"]["dwelling"], None)
        assert planner["coverage"] == before["total"]["coverage"] | {"surveyed_dwellings": None, "share": None}
        assert (planner["freshness_buckets"], planner["open_conflicts"]) == (None, None)
    for day in (date.fromisoformat(counted) - timedelta(days=1), date.fromisoformat(counted) + timedelta(days=8)):
        then = told(office, path=f"{OVERVIEW}?as_of={day}")
        assert then["kept"] is None and shown(then) == shown(after)
        assert set(map(str, dated(then))) == {"(None, None)"}
    with write(office.house.engine) as connection:
        connection.execute(update(edition).where(edition.c.community_id == COMMUNITY).values(published_at=f"{counted}T04:00:00.000Z"))
    assert told(office, path=f"{OVERVIEW}?as_of={counted}")["kept"] is None  # the cells came into force after that day's figures may have been counted


# ---------------------------------------------------------------- how the work stands
def test_work_is_told_by_cell(office, clock):
    """Who works a cell since when, how much of it is stale, and the visits of the last month."""
    visit = {"kind": "create", "type": "visit", "id": "01950000-0000-7000-8000-00000000aaaa",
             "set": {"household": IDS["household_a"], "visited_at": "2026-03-01T02:00:00Z", "method": "door", "outcome": "met"}}  # fmt: skip
    assert accept_user_operation(office.house, actor_of(office, "secretary"), visit)["now"]["outcome"] == "applied"
    west, east = told(office, path=WORK)["cells"]
    assert [(one["name"], one["duty"], one["from_on"]) for one in west["workers"]] == [("某某", "lead", "2026-02-01")]
    assert east["workers"] == [] and (west["visits"], east["visits"]) == (1, 0)
    assert (west["stale_households"], west["households"]) == (0, 1)

    def listed(roster, column, op, value):
        asked = {"filters": [{"column": column, "op": op, "value": value}]}
        return len(office.signed_in("secretary").post(f"/api/v1/cells/{west['code']}/roster/{roster}/search", asked).json["rows"])

    for days in (0, 29, 62):
        clock.advance(days=days)
        work = told(office, path=WORK)
        now = work["cells"][0]
        # Each figure opens a list with as many rows.
        assert now["visits"] == listed("visits", "visited_at", "gte", work["visits_since"]) == (days < 62)
        assert now["stale_households"] == listed("household_book", "confirmed_on", "lt", work["stale_before"]) == (days == 62)


def test_devices_with_what_waits(office):
    """The secretary sees when each phone was last heard of and what of its work waits; a grid worker sees no devices."""
    from server.services import enrolment

    code, _ = enrolment.create_code(office.house, actor_of(office, "secretary"), office.users["grid_worker"])
    made = enrolment.enrol(office.house, code, label="phone", app_version="1")
    (one,) = told(office, path=WORK)["devices"]
    assert (one["install_id"], one["operations"], one["held"], one["quarantined"]) == (made.install_id, 0, 0, 0)
    assert (one["last_seen_at"], one["unsent"]) == (None, None)
    assert "devices" not in told(office, "grid_worker", WORK)
    assert problem(office.signed_in("planner").get(WORK)) == (403, "outside-your-scope")


def test_a_phone_that_only_pulls_is_heard_of(office, clock):
    """A complete pull says when the phone was last here what it has still to send, and with which program; not at every pull anew. One out of use hands over, and less is left."""
    from server.services import enrolment

    code, _ = enrolment.create_code(office.house, actor_of(office, "secretary"), office.users["grid_worker"])
    made = enrolment.enrol(office.house, code, label="phone", app_version="1")

    def pull(**more):
        body = {"protocol": 1, "install_id": made.install_id, "cursor": None, **more}
        headers = {"Authorization": f"Bearer {made.device_token}"}
        return office.client().post("/api/v1/sync/pull", json=body, headers=headers)

    def seen():
        (one,) = office.signed_in("secretary").get("/api/v1/devices").json["devices"]
        assert told(office, path=WORK)["devices"][0]["unsent"] == one["unsent"]
        assert one["app_version"] == programs[-1]
        return one["last_seen_at"], one["unsent"]

    programs = ["1"]
    first = clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert pull(unsent=7).json["complete"] and seen() == (first, 7)
    clock.advance(minutes=5)
    pull(), pull(unsent=7)
    assert seen() == (first, 7)
    pull(unsent=0)
    assert seen()[0] > first and seen()[1] == 0
    clock.advance(minutes=11)
    later = seen()[0]
    pull()
    assert seen()[0] > later and seen()[1] == 0
    assert problem(pull(unsent=-1)) == problem(pull(app_version=2)) == problem(pull(app_version="v" * 41)) == (422, "invalid-input")
    programs.append("0.2.0")
    pull(app_version="0.2.0"), pull()
    assert seen()[1] == 0
    pull(unsent=3)
    office.signed_in("secretary").post(f"/api/v1/devices/{made.install_id}/revoke", {"reason": "replaced"})
    operation = {"op_id": office.house.new_id(), "kind": "create", "type": "resource", "id": office.house.new_id(), "base": None, "set": {"name": "消防箱"},
                 "was": {}, "form_version": 1, "claimed_at": "2026-03-02T01:00:00Z"}  # fmt: skip
    body = {"protocol": 1, "install_id": made.install_id, "after": {"n": 0, "op_id": None}, "groups": [{"ops": [{"n": 1, "op": json.dumps(operation)}]}]}
    for _ in range(2):
        sent = office.client().post("/api/v1/sync/push", json=body, headers={"Authorization": f"Bearer {made.device_token}"})
        assert sent.json["revoked"] == "replaced" and seen()[1] == 2, "a push that comes twice is one push"


# ---------------------------------------------------------------- ages
@given(st.dates(date(1890, 1, 1), date(2060, 12, 31)), st.dates(date(2020, 1, 1), date(2060, 12, 31)))
def test_ages_by_birthday_are_completed_years(born, day):
    """Law: who was born by the day that is asked for has completed the years, on every day of every year."""
    aged, very_old, no_child = daily_figures.birthdays(day)
    years = age_on(born.isoformat(), day)
    for limit, cut in ((60, aged), (80, very_old), (3, no_child)):
        assert (born.isoformat() <= cut) == (years is not None and years >= limit)
