"""The office's list of the day: the rules of the phones over what is on record, cut by scope, overridden by a community."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner
from front_door import COMMUNITY, NEIGHBOUR, problem
from records_kit import IDS, actor_of, office_with_records, write_operation

from forms.visits import visit_rules
from server.cli import main
from server.house import uuid7
from server.services import disagreements
from server.services.push import accept_user_operation

PATH = f"/api/v1/communities/{COMMUNITY}"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def visited(office, household, at, outcome, **more):
    made = {"kind": "create", "type": "visit", "id": uuid7(), "set": {"household": IDS[household], "outcome": outcome, "visited_at": at} | more}
    assert accept_user_operation(office.house, actor_of(office, "secretary"), made)["now"]["outcome"] == "applied"


def listed(person, **asked):
    answer = person.client.get(f"{PATH}/visits/due", query_string=asked)
    assert answer.status_code == 200, answer.data
    return answer.json


def test_who_is_due_and_why(office):
    """Two homes on record, nobody met yet: both are due; 王五 is over 80 and alone, and comes first."""
    told = listed(office.signed_in("secretary"))
    assert [(row["household_id"], row["group"], row["every_days"], row["last_on"]) for row in told["rows"]] == [
        (IDS["household_b"], "alone_80", 7, None), (IDS["household_a"], "everybody", 90, None),
    ]  # fmt: skip
    assert told["groups"]["alone_80"] == {"zh": "80岁以上独居", "en": "Over 80 and alone"}
    assert told["rows"][0]["address"] == "听雨苑 10-1001"
    assert [(cell["due"], cell["escalated"]) for cell in told["cells"]] == [(1, 0), (1, 0)]


def test_care_that_will_end_counts_until_its_last_day(office):
    """A household in daily care stays so while the end that was written down has not come; yesterday's end has."""
    for household, person, ends in (("household_a", "zhang", "2026-03-02"), ("household_b", "wang", "2026-03-01")):
        care = {"person": IDS[person], "kind": "living_alone", "level": "daily", "from_date": "2026-01-01", "to_date": ends}
        made = {"kind": "create", "type": "care_status", "id": uuid7(), "set": care}
        assert accept_user_operation(office.house, actor_of(office, "secretary"), made)["now"]["outcome"] == "applied", household
    told = listed(office.signed_in("secretary"))
    assert told["today"] == "2026-03-02"
    assert {row["household_id"]: row["group"] for row in told["rows"]} == {IDS["household_a"]: "care_daily", IDS["household_b"]: "alone_80"}


def test_a_visit_sets_the_days_back_and_failed_ones_reach_the_office(office):
    """Met: off the list. Three tries in vain: the office has to look, and the hour that was not tried is named."""
    secretary = office.signed_in("secretary")
    visited(office, "household_b", "2026-03-01T23:30:00Z", "met")  # 2 March, 7:30 in the community
    visited(office, "household_a", "2026-02-26T01:00:00Z", "no_answer")
    visited(office, "household_a", "2026-02-27T01:00:00Z", "no_answer")
    assert [row["household_id"] for row in listed(secretary)["rows"]] == [IDS["household_a"]]
    assert listed(secretary, only="escalated")["rows"] == []
    visited(office, "household_a", "2026-02-28T07:00:00Z", "no_access")
    (row,) = listed(secretary, only="escalated")["rows"]
    assert (row["household_id"], row["attempts"], row["band"], row["escalated"]) == (IDS["household_a"], 3, "evening", True)
    visited(office, "household_a", "2026-03-01T07:00:00Z", "met")
    assert (listed(secretary)["count"], listed(secretary, only="escalated")["count"]) == (0, 0)


def test_a_confirmation_counts_as_seen(office, clock):
    """All unchanged, said at the office or at the door, sets the days back like a visit."""
    secretary = office.signed_in("secretary")
    clock.advance(minutes=5)
    write_operation(office.house, actor_of(office, "secretary"), "confirm", "household_a")
    assert [row["household_id"] for row in listed(secretary)["rows"]] == [IDS["household_b"]]


def test_a_worker_sees_their_own_cells_and_a_planner_nothing(office):
    """L10, L11: the list is cut by scope, asked for by cell, and every look is written down."""
    worker = office.signed_in("grid_worker")
    assert [row["household_id"] for row in listed(worker)["rows"]] == [IDS["household_a"]]
    assert len(listed(worker)["cells"]) == 1
    cell = listed(office.signed_in("secretary"), cell="999999001001002")
    assert [row["household_id"] for row in cell["rows"]] == [IDS["household_b"]]
    assert problem(office.signed_in("planner").get(f"{PATH}/visits/due"))[1] == "outside-your-scope"
    assert problem(office.signed_in("secretary").get(f"/api/v1/communities/{NEIGHBOUR}/visits/due"))[1] == "outside-your-scope"
    assert problem(office.signed_in("secretary").get(f"{PATH}/visits/due?cell=none")) == (404, "not-found")
    assert problem(office.signed_in("secretary").get(f"{PATH}/visits/due?only=late")) == (422, "invalid-input")
    lines = office.signed_in("auditor").get("/api/v1/audit").json
    assert "visits=due" in json.dumps(lines)


def test_a_community_has_rules_of_its_own(office):
    """The secretary lays rules over the house's: phones and office follow them; wrong ones are refused with their place."""
    secretary = office.signed_in("secretary")
    before = secretary.get("/api/v1/reference")
    assert before.json["rules"]["visits"] == visit_rules().document
    own = json.loads(json.dumps(visit_rules().document))
    own["groups"] = [{"name": "everybody", "label": {"zh": "每户每天", "en": "Daily"}, "every_days": 1, "when": {}}]
    headers = secretary.headers
    assert secretary.client.put(f"{PATH}/rules/visits", json=own, headers=headers).status_code == 200
    after = secretary.get("/api/v1/reference", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json["rules"]["visits"]["groups"][0]["every_days"]) == (200, 1)
    assert {row["every_days"] for row in listed(secretary)["rows"]} == {1}
    own["groups"][0]["every_days"] = 0
    refused = secretary.client.put(f"{PATH}/rules/visits", json=own, headers=headers)
    assert (problem(refused)[1], refused.json["errors"][0]["pointer"]) == ("invalid-input", "/groups/0/every_days")
    assert problem(office.signed_in("community_worker").client.put(f"{PATH}/rules/visits", json=own))[0] == 403
    typo = json.loads(json.dumps(visit_rules().document))
    typo["groups"][0]["when"]["care_levels"].append("dayly")
    typo["outcomes"]["seen"][0] = "mett"
    refused = secretary.client.put(f"{PATH}/rules/visits", json=typo, headers=headers)
    assert [one["pointer"] for one in refused.json["errors"]] == ["/groups/0/when/care_levels/1", "/outcomes/seen/0"], "nobody would ever be due"
    assert secretary.client.delete(f"{PATH}/rules/visits", headers=headers).status_code == 200
    assert secretary.get("/api/v1/reference").json["rules"]["visits"] == visit_rules().document


def test_an_escalated_household_is_counted_in_the_inbox(office, clock):
    """Three tries in vain reach the badge of the secretary within a sweep, in the worker's cell only for that worker, and a confirmation takes it off."""
    disagreements.sweep(office.house)
    for day in (26, 27, 28):
        visited(office, "household_b", f"2026-02-{day}T01:00:00Z", "no_answer")
    before = counted(office.signed_in("secretary"))
    disagreements.sweep(office.house)
    after = counted(office.signed_in("secretary"))
    assert (before["counts"]["visits"], after["counts"]["visits"], after["total"]) == (0, 1, before["total"] + 1)
    assert after["counts"]["findings"] == before["counts"]["findings"]  # listed once: among the visits
    assert listed(office.signed_in("secretary"), only="escalated")["count"] == 1
    assert counted(office.signed_in("grid_worker"))["counts"]["visits"] == 0
    clock.advance(hours=1)
    write_operation(office.house, actor_of(office, "secretary"), "confirm", "household_b")
    disagreements.sweep(office.house)
    assert counted(office.signed_in("secretary"))["counts"]["visits"] == 0


def test_new_rules_count_anew(office):
    """A community that wants to look after one try gets its count with the next sweep, without a restart."""
    visited(office, "household_b", "2026-02-28T01:00:00Z", "no_answer")
    disagreements.sweep(office.house)
    secretary = office.signed_in("secretary")
    assert counted(secretary)["counts"]["visits"] == 0
    own = json.loads(json.dumps(visit_rules().document)) | {"escalate_after": 1}
    assert secretary.client.put(f"{PATH}/rules/visits", json=own, headers=secretary.headers).status_code == 200
    disagreements.sweep(office.house)
    assert counted(secretary)["counts"]["visits"] == 1


def counted(person):
    return person.get("/api/v1/inbox").json


def test_the_terminal_changes_the_rules_too(office, tmp_path):
    """`dishu rules`: printed, changed in a file, put in force in the running server, wrong ones named with their place, reset; only by the secretary."""
    settings = office.house.settings
    (tmp_path / "key").write_text(settings.secret().hex())
    (tmp_path / "key").chmod(0o600)
    env = {name: None for name in os.environ if name.startswith("DISHU_")} | {
        "DISHU_DATA": str(settings.data_dir), "DISHU_DATABASE_URL": settings.database_url, "DISHU_KEY_FILE": str(tmp_path / "key"),
    }  # fmt: skip

    def dishu(*words, login="secretary-1"):
        return CliRunner().invoke(main, ["rules", *map(str, words), "--as", login], env=env, catch_exceptions=False)

    own = json.loads(dishu("show").output)
    assert own == visit_rules().document
    own["groups"] = [{"name": "eighty", "label": {"zh": "80岁以上", "en": "Over 80"}, "every_days": 3, "when": {"age_from": 80}}, own["groups"][-1]]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(own), encoding="utf-8")
    assert dishu("set", file).output == "eighty\t3\t80岁以上\neverybody\t90\t普通住户\n"
    assert {row["group"] for row in listed(office.signed_in("secretary"))["rows"]} == {"eighty", "everybody"}
    own["retry_days"] = -1
    file.write_text(json.dumps(own), encoding="utf-8")
    refused = dishu("set", file)
    assert refused.exit_code == 1 and "/retry_days" in refused.output
    assert len(json.loads(dishu("show").output)["groups"]) == 2
    assert dishu("reset").exit_code == 0 and json.loads(dishu("show").output) == visit_rules().document
    assert dishu("show", login="worker-1").exit_code == 1
