from __future__ import annotations

import pytest
from front_door import COMMUNITY, NEIGHBOUR, problem
from records_kit import CODE_A, CODE_B, IDS, ZHANG_NUMBER, actor_of, office_with_records, write_operation
from sqlalchemy import func, select

from server.house import uuid7
from server.models import audit
from server.permissions import Scope
from server.services.push import accept_user_operation
from server.store.database import read, write
from server.store.rosters import plan_of, roster_sql
from server.store.scoping import record_cut


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.data
    return [row["name"] for row in answer.json["rows"]]


def audit_lines(office):
    with read(office.house.engine) as connection:
        return connection.execute(select(audit).where(audit.c.action.in_(["read", "search", "export"]))).all()


def test_a_cell_roster_lists_who_belongs_there(office):
    """The secretary sees everyone of a cell with address, labels, age and who is head, in the order of the doors."""
    answer = office.signed_in("secretary").get(f"/api/v1/cells/{CODE_A}/roster/persons")
    assert sorted(names(answer)) == ["张三", "张小小", "李四"]
    assert answer.json["count"] == 3
    row = next(row for row in answer.json["rows"] if row["name"] == "张三")
    assert {name: row[name] for name in ("cell_code", "estate", "building", "entrance", "floor_number", "door_number")} == {
        "cell_code": CODE_A, "estate": "听雨苑", "building": "2", "entrance": "1", "floor_number": 2, "door_number": "201",
    }  # fmt: skip
    assert (row["sex"], row["sex_label"], row["age"], row["is_head"]) == ("1", "男", 66, True)
    assert row["document_number"] == f"****{ZHANG_NUMBER[-4:]}"
    assert answer.json["missing"] == {"unplaced": 0, "held": 0, "quarantined": 0, "proposals": 0}


def test_a_household_book_counts_members(office):
    """The household book tells how many live in each home, without those who have died, and who is head."""
    answer = office.signed_in("secretary").get(f"/api/v1/communities/{COMMUNITY}/roster/household_book")
    rows = answer.json["rows"]
    assert [(row["cell_code"], row["members_count"], row["head_name"]) for row in rows] == [
        (CODE_A, 3, "张三"), (CODE_B, 1, None),
    ]  # fmt: skip
    assert rows[0]["tags"] == ["低楼层"]


def test_numbers_in_text_are_ordered_by_size(office):
    """Building 2 comes before building 10, and falling order turns it round."""
    person = office.signed_in("secretary")
    path = f"/api/v1/communities/{COMMUNITY}/roster/dwellings"
    doors = [row["door_number"] for row in person.get(f"{path}?sort=building,door_number").json["rows"]]
    assert doors == ["201", "1001", "1002"]
    doors = [row["door_number"] for row in person.get(f"{path}?sort=-building,-door_number").json["rows"]]
    assert doors == ["1002", "1001", "201"]


@pytest.mark.parametrize("sort", ["", "&sort=name", "&sort=-age,name"])
def test_pages_hold_everybody_once(office, sort):
    """Whoever turns pages meets every row once, in one order, cell by cell or not."""
    person = office.signed_in("secretary")
    path = f"/api/v1/communities/{COMMUNITY}/roster/persons"
    whole = names(person.get(f"{path}?limit=100{sort}"))
    found, following = [], ""
    while following is not None:
        answer = person.get(f"{path}?limit=2{sort}{following}")
        found += names(answer)
        following = f"&next={answer.json['next']}" if answer.json["next"] else None
    assert found == whole
    assert len(found) == 5


def test_a_cursor_fits_its_own_question_only(office):
    """A cursor says nothing to its holder and is refused with other filters or when made up."""
    person = office.signed_in("secretary")
    path = f"/api/v1/communities/{COMMUNITY}/roster/dwellings"
    following = person.get(f"{path}?limit=1").json["next"]
    assert "cell" not in following
    assert problem(person.get(f"{path}?limit=1&use=home&next={following}")) == (422, "invalid-input")
    assert problem(person.get(f"{path}?next=made-up")) == (422, "invalid-input")


@pytest.mark.parametrize(
    ("query", "doors"),
    [
        ("use=home", ["201", "1001"]),
        ("use.is_null=true", ["1002"]),
        ("floor_number.gte=2", ["201"]),
        ("occupancy.in=owner_lived,let", ["201"]),
        ("households_count=0", ["1002"]),
        ("door_number.starts_with=１００", ["1001", "1002"]),  # full-width digits are the same digits
        ("expected=true&building=10", ["1001", "1002"]),
        ("cell_code.is_null=true", []),
    ],
)
def test_filters_narrow_a_roster(office, query, doors):
    """Filters by code, number, text, reference and count give the dwellings that meet them."""
    answer = office.signed_in("secretary").get(f"/api/v1/communities/{COMMUNITY}/roster/dwellings?{query}")
    assert [row["door_number"] for row in answer.json["rows"]] == doors


def test_personal_filters_never_stand_in_an_address(office):
    """A name in the address is refused with the way to ask, and the refusal does not repeat the name."""
    answer = office.signed_in("secretary").get(f"/api/v1/cells/{CODE_A}/roster/persons?name=张三")
    assert problem(answer) == (422, "invalid-input")
    assert answer.json["errors"][0]["pointer"] == "/name"
    assert answer.json["errors"][0]["code"] == "personal_filter_in_url"
    assert "张三" not in answer.get_data(as_text=True)


def test_every_wrong_parameter_is_named(office):
    """All mistakes of a request come back at once, each with its place."""
    path = f"/api/v1/communities/{COMMUNITY}/roster/dwellings"
    answer = office.signed_in("secretary").get(
        f"{path}?colour=red&floor_number.gte=two&use.contains=x&sort=tags&limit=0&known_at=once"
    )
    assert problem(answer) == (422, "invalid-input")
    assert [(error["pointer"], error["code"]) for error in answer.json["errors"]] == [
        ("/colour", "unknown_filter"), ("/floor_number.gte", "wrong_type"), ("/use.contains", "unknown_operator"),
        ("/sort", "not_sortable"), ("/limit", "not_a_limit"), ("/known_at", "not_a_time"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([{"column": "document_number", "op": "eq", "value": ZHANG_NUMBER.lower()}], ["张三"]),
        ([{"column": "document_number", "op": "eq", "value": ZHANG_NUMBER[:-1]}], []),
        ([{"column": "phones", "op": "has", "value": "102-0000-0001"}], ["张三"]),
        ([{"column": "name", "op": "starts_with", "value": "张"}], ["张三", "张小小"]),
        ([{"column": "name", "op": "contains", "value": "Zhang San"}], ["张三"]),
        ([{"column": "name", "op": "contains", "value": "zxx"}], ["张小小"]),
        ([{"column": "name", "op": "contains", "value": "xiao"}], ["张小小"]),
        ([{"column": "name", "op": "starts_with", "value": "zhang"}], ["张三", "张小小"]),
        ([{"column": "name", "op": "starts_with", "value": "xiao"}], []),
        ([{"column": "age", "op": "gte", "value": 60}, {"column": "sex", "op": "eq", "value": "2"}], ["李四", "赵六"]),
        ([{"column": "is_head", "op": "eq", "value": True}], ["张三"]),
    ],
)
def test_personal_search_by_post(office, filters, found):
    """A document number is found exactly, by its keyed hash; names (by pinyin, too), phones, ages and heads are searched beside it."""
    path = f"/api/v1/communities/{COMMUNITY}/roster/persons/search"
    answer = office.signed_in("secretary").post(path, json={"filters": filters, "purpose": "回访"})
    assert sorted(names(answer)) == sorted(found)
    line = audit_lines(office)[-1]
    assert (line.action, line.purpose, line.count) == ("search", "回访", len(found))
    assert "filters=" in line.scope and ZHANG_NUMBER not in line.scope


def test_every_read_of_personal_columns_is_written_down(office):
    """Reading a roster of persons leaves one line: who, what for, which cell and columns, how many; places leave none."""
    person = office.signed_in("secretary")
    person.get(f"/api/v1/communities/{COMMUNITY}/roster/dwellings?columns=door_number,use")
    assert audit_lines(office) == []
    person.get(
        f"/api/v1/cells/{CODE_A}/roster/persons?columns=name,cell_code", headers={"X-Purpose": "%E8%B5%B0%E8%AE%BF"}
    )
    (line,) = audit_lines(office)
    assert (line.actor_id, line.role, line.action, line.purpose) == (
        office.users["secretary"],
        "secretary",
        "read",
        "走访",
    )
    assert (line.fields, line.count, line.record_type) == ('["name"]', 3, "person")
    assert f"roster=persons cell={CODE_A}" in line.scope


def test_a_grid_worker_sees_only_the_assigned_cell(office):
    """The worker of cell a reads its roster, is refused the neighbour cell, and the community shows cell a only."""
    worker = office.signed_in("grid_worker")
    assert len(names(worker.get(f"/api/v1/cells/{CODE_A}/roster/persons"))) == 3
    assert problem(worker.get(f"/api/v1/cells/{CODE_B}/roster/persons")) == (403, "outside-your-scope")
    assert sorted(names(worker.get(f"/api/v1/communities/{COMMUNITY}/roster/persons"))) == ["张三", "张小小", "李四"]
    assert problem(worker.get(f"/api/v1/communities/{NEIGHBOUR}/roster/persons")) == (403, "outside-your-scope")
    path = f"/api/v1/communities/{COMMUNITY}/roster/persons/search"
    answer = worker.post(path, json={"filters": [{"column": "name", "op": "eq", "value": "王五"}]})
    assert names(answer) == []


def test_what_lies_outside_the_scope_shows_public_fields_only(office):
    """A member of cell a works for an organization in cell b: its public name is shown to the worker of cell a."""
    worker = office.signed_in("grid_worker")
    (row,) = worker.get(f"/api/v1/cells/{CODE_A}/roster/party_members").json["rows"]
    assert row["organization"] == "示例小学"
    write_operation(office.house, actor_of(office, "secretary"), "patch", "household_a", {"head": IDS["wang"]},
                    base={"v": 1, "tag": _tag(office, "household_a")})  # fmt: skip
    (row,) = worker.get(f"/api/v1/cells/{CODE_A}/roster/household_book").json["rows"]
    assert row["head_name"] is None


def _tag(office, name: str) -> str:
    from server.models import record

    with read(office.house.engine) as connection:
        return connection.execute(select(record.c.tag).where(record.c.id == IDS[name])).scalar_one()


def test_a_check_in_leads_to_whom_it_is_about(office):
    """To the person of the member, else to the member, of an organization to the organization; other lists lead to their own records."""
    secretary, path = office.signed_in("secretary"), f"/api/v1/communities/{COMMUNITY}/roster/check_ins"
    subjects = ({"subject_kind": "member", "party_member": IDS["stranger"]}, {"subject_kind": "organization", "organization": IDS["organization"]})
    for subject in subjects:
        made = {"kind": "create", "type": "check_in", "id": uuid7(), "set": {**subject, "state": "registered"}}
        assert accept_user_operation(office.house, actor_of(office, "secretary"), made)["now"]["outcome"] == "applied"
    leads = {row["member_name"]: row["leads_to"] for row in secretary.get(path).json["rows"]}
    assert leads == {
        "张三": {"type": "person", "id": IDS["zhang"]}, "周七": {"type": "party_member", "id": IDS["stranger"]},
        None: {"type": "organization", "id": IDS["organization"]},
    }  # fmt: skip
    assert "leads_to" not in secretary.get(f"/api/v1/communities/{COMMUNITY}/roster/persons").json["rows"][0]


def test_a_planner_reads_no_count_of_people_by_place(office):
    """Neither how many households a dwelling has nor how many party members an organization: not shown, not filtered by."""
    planner, secretary = office.signed_in("planner"), office.signed_in("secretary")
    for name, column in (("dwellings", "households_count"), ("organizations", "members_known_count")):
        path = f"/api/v1/communities/{COMMUNITY}/roster/{name}"
        answer = planner.get(path).json
        assert answer["rows"] and column not in {one["name"] for one in answer["columns"]}
        assert all(column not in row for row in answer["rows"])
        assert planner.get(f"{path}?{column}=1").status_code in (400, 403, 422)
        assert planner.get(f"{path}?sort={column}").status_code in (400, 403, 422)
        assert any(row[column] for row in secretary.get(path).json["rows"])


def test_a_planner_gets_places_without_people(office):
    """A planner reads dwellings without the owner's name, and is refused every roster of persons."""
    planner = office.signed_in("planner")
    answer = planner.get(f"/api/v1/communities/{COMMUNITY}/roster/dwellings")
    assert len(answer.json["rows"]) == 3
    assert not {"owner_text", "owner_phone"} & set(answer.json["rows"][0])
    for name in ("persons", "household_book", "party_members", "care_groups", "check_ins"):
        assert problem(planner.get(f"/api/v1/cells/{CODE_A}/roster/{name}")) == (403, "outside-your-scope")
    assert problem(office.signed_in("auditor").get(f"/api/v1/cells/{CODE_A}/roster/dwellings")) == (
        403,
        "outside-your-scope",
    )


def test_unknown_cells_and_rosters_are_said_so(office):
    """A code that no published cell has, and a roster that is not there, are problems of their own."""
    person = office.signed_in("secretary")
    assert problem(person.get("/api/v1/cells/999/roster/persons")) == (404, "not-found")
    assert problem(person.get(f"/api/v1/cells/{CODE_A}/roster/nobody")) == (404, "not-found")
    assert problem(office.signed_in("admin").get(f"/api/v1/cells/{CODE_A}/roster/persons")) == (
        403,
        "outside-your-scope",
    )


def test_known_at_tells_what_was_recorded_by_then(office, clock):
    """After a correction, a move to another cell and a deletion, the roster of the day before is unchanged."""
    person = office.signed_in("secretary")
    path = f"/api/v1/communities/{COMMUNITY}/roster/persons"
    columns = "columns=cell_code,building,door_number,name,age,document_number,vital_status"
    before = person.get(f"{path}?{columns}").json["rows"]
    book = f"/api/v1/cells/{CODE_A}/roster/household_book?columns=door_number,members_count,kind"
    book_before = person.get(book).json["rows"]
    then = clock().isoformat().replace("+00:00", "Z")
    clock.advance(hours=1)
    secretary = actor_of(office, "secretary")

    def change(name, values, kind="patch"):
        result = write_operation(office.house, secretary, kind, name, values, base={"v": 1, "tag": _tag(office, name)})
        assert result["now"]["outcome"] == "applied", result

    change(
        "zhang",
        {
            "document_type": "passport",
            "document_number": "E00000001",
            "document_missing_reason": None,
            "document_evidence": None,
        },
    )
    change("li", {"name": "李思"})
    change("dwelling_a", {"entrance": None, "building": IDS["building_b"], "floor_number": 3})
    change("wang", {}, "delete")
    change("child", {"residence_household": IDS["household_b"], "relation_to_head": "71", "presence": "present"})
    clock.advance(hours=1)
    now = person.get(f"{path}?{columns}").json["rows"]
    assert {row["cell_code"] for row in now} == {CODE_B}
    assert "王五" not in {row["name"] for row in now}
    answer = person.get(f"{path}?{columns}&known_at={then}")
    assert answer.json["rows"] == before
    assert answer.json["known_at"] == then.replace("Z", ".000Z") if "." not in then else then
    assert person.get(f"{book}&known_at={then}").json["rows"] == book_before
    assert person.get(f"{path}?known_at=2026-02-01").json["rows"] == []
    search = {"filters": [{"column": "document_number", "op": "eq", "value": ZHANG_NUMBER}], "known_at": then}
    assert problem(person.post(f"{path}/search", json=search)) == (422, "invalid-input")


def test_a_cell_roster_reads_its_own_cell_only(office):
    """However many records are stored, a cell is read through the index of homes."""
    from server.models import record
    from server.store.database import insert_rows

    columns = ("community_id", "id", "type", "v", "tag", "life", "home", "fields", "form_version", "created_install",
               "created_n", "created_at", "updated_at", "fresh_at")  # fmt: skip
    at = "2026-03-02T00:00:00.000Z"
    rows = [
        (
            COMMUNITY,
            f"many-{n}",
            "person",
            1,
            "0" * 16,
            "live",
            f"cell/other-{n % 50}",
            '{"name":"某"}',
            1,
            "i",
            n,
            at,
            at,
            at,
        )
        for n in range(5_000)
    ]
    with write(office.house.engine) as connection:
        insert_rows(connection, record, columns, rows)
        connection.exec_driver_sql("ANALYZE")
    with read(office.house.engine) as connection:
        statement, values = roster_sql(record_cut(connection, Scope(None), COMMUNITY), "person", ["cell/cell-a"], None)
        plan = plan_of(connection, statement, values)
        total = connection.execute(select(func.count()).select_from(record)).scalar_one()
    assert total > 5_000
    assert "ix_record_home" in plan, plan
    assert "home" in plan and "Seq Scan" not in plan and "SCAN" not in plan.replace("USING", ""), plan
