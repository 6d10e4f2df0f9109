"""The page of one record: values with who wrote them, history, who looked at it, numbers in full for those who say why."""

from __future__ import annotations

import json

import pytest
from front_door import COMMUNITY, problem
from records_kit import CODE_A, IDS, ZHANG_NUMBER, actor_of, office_with_records, write_operation
from sqlalchemy import select

from server.models import audit, record
from server.permissions import Scope
from server.services import record_relatives
from server.services.push import accept_user_operation
from server.store.database import read, run, stamp
from server.store.record_page import looks_at

SOMETHING_ELSE = "01950000-0000-7000-8000-0000000000ff"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def version(office, name):
    with read(office.house.engine) as connection:
        row = connection.execute(select(record.c.v, record.c.tag).where(record.c.id == IDS[name])).one()
    return {"v": row.v, "tag": row.tag}


def page(office, kind, name, role="secretary", tail=""):
    answer = office.signed_in(role).get(f"/api/v1/records/{kind}/{IDS[name]}{tail}")
    assert answer.status_code == 200, answer.data
    return answer.json


def unit(told, name):
    return next(one for one in told["units"] if one["unit"] == name)


def value(told, unit_name, field):
    return next(one for one in unit(told, unit_name)["fields"] if one["name"] == field)


def audited(office, **wanted):
    with read(office.house.engine) as connection:
        lines = [dict(row._mapping) for row in connection.execute(select(audit).order_by(audit.c.at, audit.c.audit_id))]
    return [line for line in lines if all(line[name] == one for name, one in wanted.items())]


# ---------------------------------------------------------------- the page
def test_what_belongs_to_a_record_goes_on_page_by_page(office, clock, monkeypatch):
    """Where more belongs to a record than its page lists, the count says so and the rest follows, each once, to who may see it."""
    monkeypatch.setattr(record_relatives, "MOST_ROWS", 2)
    made = [f"01950000-0000-7000-8000-000000000f0{n}" for n in range(5)]
    values = {"household": IDS["household_a"], "method": "door", "outcome": "met", "visited_at": stamp(clock())}
    for one in made:
        accept_user_operation(office.house, actor_of(office, "secretary"), {"kind": "create", "type": "visit", "id": one, "set": values})
    told = next(one for one in page(office, "household", "household_a")["related"] if one["relation"] == "visit.household")
    listed, cursor = [one["id"] for one in told["rows"]], told["next"]
    assert (told["count"], told["more"], len(listed)) == (5, True, 2)
    while cursor:
        more = page(office, "household", "household_a", tail=f"/related/visit.household?limit=2&next={cursor}")
        assert more["count"] == 5
        listed, cursor = [*listed, *(one["id"] for one in more["rows"])], more["next"]
    assert sorted(listed) == sorted(made) and len(listed) == 5
    secretary = office.signed_in("secretary")
    at = f"/api/v1/records/household/{IDS['household_a']}/related"
    assert problem(secretary.get(f"{at}/person.name")) == (404, "not-found")
    assert problem(secretary.get(f"{at}/visit.household?next=x")) == (422, "invalid-input")
    assert problem(secretary.get(f"{at}/person.residence_household?next={told['next']}")) == (422, "invalid-input")  # of another list


def test_a_person_is_told_with_words_and_sources(office, clock):
    """Every value stands with its label, in words, with who wrote it, when, and how it came in."""
    told = page(office, "person", "zhang")
    assert (told["record"]["title"], told["record"]["cell"]["code"]) == ("张三", CODE_A)
    assert told["record"]["address"] == "听雨苑 2-1-201"
    assert value(told, "sex", "sex")["text"] == "男"
    home = value(told, "residence", "residence_household")
    assert home["ref"]["type"] == "household" and home["ref"]["cell"]["code"] == CODE_A
    known = unit(told, "name")["known"]
    assert (known["by"]["user_id"], known["source"], known["v"]) == (office.users["secretary"], "console", 1)
    assert {one["name"]: one["text"] for one in told["derived"]}["age"] == "66"
    assert unit(told, "marital_code")["known"] is None


def test_a_home_and_a_door_are_called_by_their_address(office):
    """Where somebody lives, and the dwelling of a home, stand as an address on the page and in the history: a door's number alone says nothing."""
    for kind, name, of, field in (("person", "zhang", "residence", "residence_household"), ("household", "household_a", "dwelling", "dwelling")):
        home = value(page(office, kind, name), of, field)
        assert (home["text"], home["ref"]["title"]) == ("听雨苑 2-1-201", "听雨苑 2-1-201")
        (made,) = page(office, kind, name, tail="/history")["rows"]
        changed = next(one for unit in made["changes"] for one in unit["fields"] if one["name"] == field)
        assert changed["new"]["text"] == "听雨苑 2-1-201"


def test_the_last_writer_of_each_unit_is_told(office, clock):
    """One unit changed by the grid worker has another author than the rest; a later confirmation stands beside it."""
    clock.advance(minutes=5)
    write_operation(office.house, actor_of(office, "grid_worker"), "patch", "li", {"phones": ["10200000007"]},
                    base=version(office, "li"))  # fmt: skip
    clock.advance(minutes=5)
    write_operation(office.house, actor_of(office, "secretary"), "confirm", "li", units=["phones"], base=version(office, "li"))
    told = page(office, "person", "li")
    phones = unit(told, "phones")
    assert (phones["known"]["by"]["user_id"], phones["known"]["v"]) == (office.users["grid_worker"], 2)
    assert phones["confirmed"]["by"]["user_id"] == office.users["secretary"]
    assert unit(told, "name")["known"]["by"]["user_id"] == office.users["secretary"]
    assert unit(told, "name")["confirmed"] is None


def test_screens_hold_every_unit_once(office):
    """Whoever walks the screens of a page meets each unit exactly once."""
    for kind, name in (("person", "zhang"), ("household", "household_a"), ("dwelling", "dwelling_a"), ("estate", "estate")):
        told = page(office, kind, name)
        shown = [one for screen in told["screens"] for one in screen["units"]]
        assert sorted(shown) == sorted(one["unit"] for one in told["units"]), kind


def test_numbers_are_masked_on_every_page(office):
    """Nobody meets a full document number on a page, not even in what is related or in dispute."""
    base = version(office, "zhang")
    for number, who in (("E00000011", "grid_worker"), ("E00000012", "secretary")):
        write_operation(office.house, actor_of(office, who), "patch", "zhang",
                        {"document_type": "passport", "document_number": number}, base=base)  # fmt: skip
    for kind, name in (("person", "zhang"), ("household", "household_a"), ("party_member", "member")):
        for tail in ("", "/history"):
            text = json.dumps(page(office, kind, name, tail=tail))
            assert not any(one in text for one in (ZHANG_NUMBER, "E00000011", "E00000012")), (kind, tail)
    told = page(office, "person", "zhang")
    assert unit(told, "identity_document")["conflict"] == told["conflicts"][0]["conflict_id"]
    assert value(told, "identity_document", "document_number")["masked"]


def test_what_belongs_to_a_record_stands_beside_it(office):
    """A household shows its members, a person the others of the home and the party membership, a dwelling its households."""
    relations = {one["relation"]: one for one in page(office, "household", "household_a")["related"]}
    assert {row["title"] for row in relations["person.residence_household"]["rows"]} == {"张三", "李四", "张小小"}
    relations = {one["relation"]: one for one in page(office, "person", "zhang")["related"]}
    assert {row["title"] for row in relations["relatives"]["rows"]} == {"李四", "张小小"}
    assert [row["id"] for row in relations["party_member.person"]["rows"]] == [IDS["member"]]
    (check_in,) = relations["check_in.party_member"]["rows"]
    assert {fact["name"]: fact["text"] for fact in check_in["facts"]}["registered_on"] == "2026-02-01"
    assert [one["relation"] for one in page(office, "dwelling", "dwelling_a")["related"]] == ["household.dwelling"]
    assert {one["relation"] for one in page(office, "estate", "estate")["related"]} == {"building.estate"}


def test_how_a_dwelling_is_lived_in(office):
    """Two old people, one of whom has died: the other lives alone; a child settles that nobody does."""
    assert page(office, "dwelling", "dwelling_b")["derived"][0]["value"] == "living_alone"
    assert page(office, "household", "household_a")["derived"][0]["value"] == "with_others"


def test_findings_stand_on_the_page(office):
    """What does not fit together is told on the record's own page, in the words of the form."""
    write_operation(office.house, actor_of(office, "secretary"), "patch", "child", {"marital_code": "20"},
                    base=version(office, "child"))  # fmt: skip
    (found,) = page(office, "person", "child")["findings"]
    assert found["message"]["zh"] == "未满 15 岁登记为已婚"


def test_a_page_is_written_down_with_its_purpose(office):
    """Who opened a person's page, and what for, is in the audit log, by field names."""
    office.signed_in("secretary").get(f"/api/v1/records/person/{IDS['zhang']}", headers={"X-Purpose": "visit"})
    (line,) = audited(office, record_id=IDS["zhang"], action="read")
    assert (line["purpose"], line["record_type"], line["count"]) == ("visit", "person", 1)
    assert {"name", "document_number", "phones"} <= set(json.loads(line["fields"]))


# ---------------------------------------------------------------- who sees what
def test_the_scope_cuts_pages_and_relations(office):
    """A grid worker opens no record of another cell, in whatever way it is asked for; planners see places without people."""
    worker = office.signed_in("grid_worker")
    assert worker.get(f"/api/v1/records/person/{IDS['zhang']}").status_code == 200
    for tail in ("", "/history"):
        assert problem(worker.get(f"/api/v1/records/person/{IDS['wang']}{tail}")) == (404, "not-found")
    planner = office.signed_in("planner")
    assert problem(planner.get(f"/api/v1/records/person/{IDS['zhang']}")) == (404, "not-found")
    told = planner.get(f"/api/v1/records/dwelling/{IDS['dwelling_c']}")
    assert told.status_code == 200
    assert "owner_text" not in told.get_data(as_text=True) and "calc" not in told.get_data(as_text=True)
    assert "calc" not in planner.get(f"/api/v1/records/dwelling/{IDS['dwelling_c']}/history").get_data(as_text=True)
    assert problem(office.signed_in("auditor").get(f"/api/v1/records/person/{IDS['zhang']}?community={COMMUNITY}"))[0] == 403


@pytest.mark.parametrize("path", ["person/" + SOMETHING_ELSE, f"household/{IDS['zhang']}", f"nothing/{IDS['zhang']}"])
def test_what_is_not_there_is_not_found(office, path):
    """An unknown id, another type and an unknown type get the same answer."""
    person = office.signed_in("secretary")
    for tail in ("", "/history", "/looks"):
        assert problem(person.get(f"/api/v1/records/{path}{tail}")) == (404, "not-found")


# ---------------------------------------------------------------- history
def test_history_reads_from_old_to_new(office, clock):
    """Each change names the field, what stood there and what stands there since, the newest first."""
    for education in ("10", "20", "30"):
        clock.advance(minutes=5)
        write_operation(office.house, actor_of(office, "secretary"), "patch", "li", {"education_code": education},
                        base=version(office, "li"))  # fmt: skip
    told = page(office, "person", "li", tail="/history")
    assert told["count"] == 4 and [row["v"] for row in told["rows"]] == [4, 3, 2, 1]
    steps = [
        tuple((one or {}).get("value") for one in (field["old"], field["new"]))
        for row in told["rows"] for change in row["changes"] for field in change["fields"]
        if field["name"] == "education_code"
    ]  # fmt: skip
    assert steps == [("20", "30"), ("10", "20"), (None, "10")]
    assert [row["kind"] for row in told["rows"]] == ["patch", "patch", "patch", "create"]
    assert told["rows"][-1]["life"] == "live"


def test_history_page_by_page_is_the_history(office, clock):
    """One row at a time, the pages say the same as all rows at once."""
    for name in ("某甲", "某乙", "某丙"):
        clock.advance(minutes=5)
        write_operation(office.house, actor_of(office, "secretary"), "patch", "li", {"name": name}, base=version(office, "li"))
    whole = page(office, "person", "li", tail="/history")["rows"]
    rows, following = [], ""
    while following is not None:
        told = page(office, "person", "li", tail=f"/history?limit=1&next={following}" if following else "/history?limit=1")
        rows += told["rows"]
        following = told["next"]
    assert rows == whole
    other = office.signed_in("secretary").get(
        f"/api/v1/records/person/{IDS['zhang']}/history?next="
        + page(office, "person", "li", tail="/history?limit=1")["next"]
    )
    assert problem(other) == (422, "invalid-input")


def test_history_tells_moves_and_ends(office, clock):
    """A household that moves to another cell and is deleted: both are steps of its history."""
    write_operation(office.house, actor_of(office, "secretary"), "patch", "household_a", {"dwelling": IDS["dwelling_c"]},
                    base=version(office, "household_a"))  # fmt: skip
    write_operation(office.house, actor_of(office, "secretary"), "delete", "household_a", base=version(office, "household_a"))
    rows = page(office, "household", "household_a", tail="/history")["rows"]
    assert [row["life"] for row in rows] == ["deleted", None, "live"]
    (move,) = rows[1]["moves"]
    assert (move["from"]["name"], move["to"]["name"]) == ("第1网格", "第2网格")


def test_history_shows_what_was_set_aside(office, clock):
    """The value that lost stands in the history too, with who wrote it."""
    base = version(office, "dwelling_b")
    for who, floor in (("secretary", 10), ("grid_worker", 11)):
        clock.advance(minutes=5)
        write_operation(office.house, actor_of(office, who), "patch", "dwelling_b",
                        {"building": IDS["building_b"], "floor_number": floor}, base=base)  # fmt: skip
    row = page(office, "dwelling", "dwelling_b", tail="/history")["rows"][0]
    (aside,) = row["set_aside"]
    assert {one["name"]: one["value"] for one in aside["fields"]}["floor_number"] == 11
    assert row["by"]["user_id"] == office.users["grid_worker"]


# ---------------------------------------------------------------- who looked
def test_looks_name_who_looked_and_what_for(office, clock):
    """The secretary reads who opened a page, newest first and page by page; lists of the type are counted beside it."""
    person = office.signed_in("grid_worker")
    for purpose in ("one", "two", "three"):
        clock.advance(minutes=1)
        person.get(f"/api/v1/records/person/{IDS['zhang']}", headers={"X-Purpose": purpose})
    office.signed_in("secretary").get(f"/api/v1/communities/{COMMUNITY}/roster/persons")
    told = page(office, "person", "zhang", tail="/looks?limit=2")
    assert [row["purpose"] for row in told["rows"]] == ["three", "two"]
    assert told["rows"][0]["actor"]["user_id"] == office.users["grid_worker"]
    assert told["rows"][0]["role_label"] == "网格员"
    assert "姓名" in {field["label"]["zh"] for field in told["rows"][0]["fields"]}
    assert told["lists"]["count"] == 1
    rest = page(office, "person", "zhang", tail=f"/looks?limit=2&next={told['next']}")
    assert [row["purpose"] for row in rest["rows"]] == ["one"] and rest["next"] is None


def test_who_may_read_who_looked(office):
    """Secretary, auditor and administrator only."""
    path = f"/api/v1/records/person/{IDS['zhang']}/looks?community={COMMUNITY}"
    for role, status in (("secretary", 200), ("auditor", 200), ("admin", 200), ("grid_worker", 403), ("planner", 403)):
        assert office.signed_in(role).get(path).status_code == status, role


def test_looks_are_found_through_their_index(office):
    """Who looked at one record is found without reading the whole log."""
    with read(office.house.engine) as connection:
        assert looks_at(connection, COMMUNITY, "person", IDS["zhang"], before=None, limit=10) == []
        if connection.dialect.name == "sqlite":
            plan = run(
                connection,
                "EXPLAIN QUERY PLAN SELECT a.audit_id FROM audit a WHERE a.community_id = ? AND a.record_type = ? "
                "AND a.record_id = ? ORDER BY a.at DESC",
                (COMMUNITY, "person", IDS["zhang"]),
            ).all()
            assert "ix_audit_record" in str(plan)


# ---------------------------------------------------------------- numbers in full
def test_a_number_in_full_costs_a_purpose(office):
    """The secretary sees the whole number after saying why; the log has the purpose and the field, never the number."""
    person = office.signed_in("secretary")
    path = f"/api/v1/records/person/{IDS['zhang']}/unmask"
    answer = person.post(path, json={"fields": ["document_number"], "purpose": "办理高龄津贴"})
    assert answer.json["values"] == {"document_number": ZHANG_NUMBER}
    (line,) = audited(office, action="unmask")
    assert (line["purpose"], line["record_id"], json.loads(line["fields"])) == ("办理高龄津贴", IDS["zhang"], ["document_number"])
    assert ZHANG_NUMBER not in str(line)
    assert person.post(path, json={"fields": ["document_number"]}).status_code == 422
    for body, pointer in (
        ({"fields": ["name"], "purpose": "某事"}, "/fields/0"),
        ({"fields": [], "purpose": "某事"}, "/fields"),
    ):
        answer = person.post(path, json=body)
        assert problem(answer) == (422, "invalid-input") and answer.json["errors"][0]["pointer"] == pointer
    assert len(audited(office, action="unmask")) == 1


def test_who_may_not_unmask(office):
    """Grid workers, officers and planners see masks; a page says in advance what may be unmasked."""
    for role in ("grid_worker", "planner", "subdistrict"):
        answer = office.signed_in(role).post(
            f"/api/v1/records/person/{IDS['zhang']}/unmask?community={COMMUNITY}",
            json={"fields": ["document_number"], "purpose": "某事"},
        )
        assert problem(answer) == (403, "outside-your-scope"), role
    assert page(office, "person", "zhang")["can"]["unmask"] == ["document_number"]
    assert page(office, "person", "zhang", role="grid_worker")["can"] == {
        "write": True, "unmask": [], "history": True, "looks": False,
    }  # fmt: skip


def test_the_scope_describes_itself(office):
    """A look at a page names the scope that it was made in."""
    page(office, "person", "zhang", role="grid_worker")
    (line,) = audited(office, action="read", record_id=IDS["zhang"])
    assert "cell/cell-a" in line["scope"] and Scope((COMMUNITY,)).describe() not in line["scope"]


# ---------------------------------------------------------------- merged records
def test_a_merged_household_leads_to_the_one_that_stays(office):
    """After a merge the survivor's page, roster and search show everybody; the page of the other says where it leads."""
    person = office.signed_in("secretary")
    versions = {name: version(office, name) for name in ("household_a", "household_b")}
    merge = {"kind": "command", "type": "household", "id": IDS["household_b"], "base": versions["household_b"],
             "name": "merge_households", "arguments": {"merged": IDS["household_a"]},
             "others": {IDS["household_a"]: {"base": versions["household_a"], "was": {}}}}  # fmt: skip
    answer = person.post("/api/v1/groups", json={"ops": [merge]})
    assert answer.json["results"][0]["now"]["outcome"] in {"applied", "merged", "conflict"}, answer.json
    assert page(office, "household", "household_a")["record"]["leads_to"] == IDS["household_b"]
    relations = {one["relation"]: one for one in page(office, "household", "household_b")["related"]}
    assert {row["title"] for row in relations["person.residence_household"]["rows"]} == {"王五", "赵六", "张三", "李四", "张小小"}
    relations = {one["relation"]: one for one in page(office, "person", "li")["related"]}
    assert {row["title"] for row in relations["relatives"]["rows"]} == {"王五", "赵六", "张三", "张小小"}
    rows = person.get(f"/api/v1/communities/{COMMUNITY}/roster/household_book").json["rows"]
    assert [(row["door_number"], row["members_count"]) for row in rows] == [("1001", 4)]
    rows = person.get(f"/api/v1/communities/{COMMUNITY}/roster/persons").json["rows"]
    assert {row["door_number"] for row in rows} == {"1001"}
    found = person.post(f"/api/v1/communities/{COMMUNITY}/find", json={"text": "1001", "types": ["person"]}).json["groups"]
    assert found[0]["count"] == 5


def test_s8_rosters_of_a_time_and_of_a_day_read_through_merges_that_were_known_then(office, clock):
    """Known before the merge there are two households, known after it one with everybody; what was true on a day follows it too."""
    person = office.signed_in("secretary")
    versions = {name: version(office, name) for name in ("household_a", "household_b")}
    before = stamp(clock())
    clock.advance(hours=1)
    merge = {"kind": "command", "type": "household", "id": IDS["household_b"], "base": versions["household_b"],
             "name": "merge_households", "arguments": {"merged": IDS["household_a"]},
             "others": {IDS["household_a"]: {"base": versions["household_a"], "was": {}}}}  # fmt: skip
    assert person.post("/api/v1/groups", json={"ops": [merge]}).status_code == 200
    clock.advance(hours=1)
    after, day = stamp(clock()), clock().date().isoformat()

    def told(roster, column, **asked):
        rows = person.get(f"/api/v1/communities/{COMMUNITY}/roster/{roster}", query_string=asked).json["rows"]
        return sorted((row["door_number"], row[column]) for row in rows if row["door_number"])

    now = told("household_book", "members_count")
    assert now == told("household_book", "members_count", known_at=after) == told("household_book", "members_count", as_of=day)
    assert len(told("household_book", "members_count", known_at=before)) == len(now) + 1
    assert {door for door, _ in told("persons", "name", known_at=after)} == {"1001"} == {door for door, _ in told("persons", "name", as_of=day)}
    assert {door for door, _ in told("persons", "name", known_at=before)} > {"1001"}
