from __future__ import annotations

import json

import pytest
from front_door import COMMUNITY, NEIGHBOUR, problem
from records_kit import CODE_B, IDS, ZHANG_NUMBER, actor_of, office_with_records, write_operation
from sqlalchemy import select

from server.models import audit, record
from server.store.database import read

OTHER_NUMBER = "E00000002"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def version(office, name):
    with read(office.house.engine) as connection:
        row = connection.execute(select(record.c.v, record.c.tag).where(record.c.id == IDS[name])).one()
    return {"v": row.v, "tag": row.tag}


def disagree(office, name, first, second, clock):
    """Two people change the same unit from the same copy; the second finds out."""
    base = version(office, name)
    write_operation(office.house, actor_of(office, "grid_worker"), "patch", name, first, base=base)
    clock.advance(minutes=5)
    return write_operation(office.house, actor_of(office, "secretary"), "patch", name, second, base=base)


@pytest.fixture
def disagreement(office, clock):
    """The residents' numbers differ, and so do two answers about where a dwelling is."""
    found = disagree(office, "dwelling_b", {"building": IDS["building_b"], "floor_number": 10},
                     {"building": IDS["building_b"], "floor_number": 11}, clock)  # fmt: skip
    assert found["now"]["outcome"] == "conflict", found
    clock.advance(minutes=5)
    found = disagree(office, "li", {"document_number": "E00000001", "document_type": "passport", "document_missing_reason": None},
                     {"document_number": OTHER_NUMBER, "document_type": "passport", "document_missing_reason": None}, clock)  # fmt: skip
    assert found["now"]["outcome"] == "conflict", found
    return office


def listed(office, role="secretary"):
    answer = office.signed_in(role).get("/api/v1/inbox/conflicts")
    assert answer.status_code == 200, answer.data
    return answer.json["rows"]


def test_two_values_stand_side_by_side(disagreement):
    """The secretary sees both values, what stood there before, who wrote each and when, the most harmful first."""
    rows = listed(disagreement)
    assert [(row["unit"], row["harm"]) for row in rows] == [("identity_document", 0), ("place", 2)]
    first = rows[0]
    assert first["record"]["title"] == "李四"
    assert first["label"]["zh"] == "证件"
    assert {sibling["values"]["document_number"]["value"] for sibling in first["siblings"]} == {
        "E00000001",
        OTHER_NUMBER,
    }
    assert {sibling["values"]["document_type"]["label"] for sibling in first["siblings"]} == {"护照"}
    assert first["base"]["document_number"]["value"] is None
    for sibling in first["siblings"]:
        assert sibling["by"]["name"] == "某某"
        assert sibling["claimed_at"] and sibling["arrived_at"] and sibling["form_version"] == 1
    assert {sibling["by"]["user_id"] for sibling in first["siblings"]} == {
        disagreement.users["secretary"], disagreement.users["grid_worker"],
    }  # fmt: skip
    assert rows[1]["record"]["cell"]["name"] == "第2网格"
    led_to = {sibling["values"]["building"]["label"] for sibling in rows[1]["siblings"]}
    assert led_to == {title_of_building(disagreement)}, "a reference is told by what it leads to, not by its number"


def title_of_building(office):
    with read(office.house.engine) as connection:
        fields = json.loads(connection.execute(select(record.c.fields).where(record.c.id == IDS["building_b"])).scalar_one())
    return fields.get("name") or fields["number"]


def test_looking_at_conflicts_is_written_down(disagreement):
    """A page that shows a number in full leaves an *unmask* line in the audit log that names fields, never values."""
    listed(disagreement)
    with read(disagreement.house.engine) as connection:
        line = connection.execute(select(audit).where(audit.c.action == "unmask")).one()
    assert "person.document_number" in line.fields and "person.name" in line.fields
    assert line.count == 2


def test_secrets_are_masked_for_those_who_may_not_unmask(disagreement):
    """A grid worker settles at the door with masks, and sees only conflicts of the own cells."""
    (row,) = listed(disagreement, "grid_worker")
    shown = {sibling["values"]["document_number"]["value"]["mask"] for sibling in row["siblings"]}
    assert shown == {"****0001", "****0002"}


def test_choosing_settles_a_conflict(disagreement):
    """The secretary chooses one value: it stands in the record, and the conflict is gone for everybody."""
    row = listed(disagreement)[0]
    person = disagreement.signed_in("secretary")
    path = f"/api/v1/inbox/conflicts/{row['conflict_id']}/resolve"
    chosen = next(one for one in row["siblings"] if one["values"]["document_number"]["value"] == OTHER_NUMBER)
    answer = person.post(
        path, json={"choose": chosen["op_id"], "seen": [one["op_id"] for one in row["siblings"]], "purpose": "电话核实"}
    )
    assert answer.status_code == 200, answer.data
    assert answer.json["now"]["outcome"] in {"applied", "unchanged"}
    assert [one["unit"] for one in listed(disagreement)] == ["place"]
    assert person.get("/api/v1/inbox").json["counts"]["conflicts"] == 1
    with read(disagreement.house.engine) as connection:
        fields = connection.execute(select(record.c.fields).where(record.c.id == IDS["li"])).scalar_one()
    assert "****0002" in fields
    assert problem(person.post(path, json={"choose": chosen["op_id"]})) == (404, "not-found")


def test_setting_a_third_value_settles_a_conflict(disagreement):
    """Neither value was right: the secretary writes the final one."""
    row = listed(disagreement)[1]
    path = f"/api/v1/inbox/conflicts/{row['conflict_id']}/resolve"
    final = {"building": IDS["building_b"], "entrance": None, "floor_number": 12}
    answer = disagreement.signed_in("secretary").post(
        path, json={"set": final, "base": {"v": row["record"]["v"], "tag": row["record"]["tag"]}}
    )
    assert answer.json["now"]["outcome"] == "applied", answer.json
    with read(disagreement.house.engine) as connection:
        row = connection.execute(
            select(record.c.fields, record.c.conflicts).where(record.c.id == IDS["dwelling_b"])
        ).one()
    assert '"floor_number":12' in row.fields and row.conflicts == "[]"


def test_what_nobody_typed_is_left_as_it_stands(disagreement):
    """Only the kind of document is corrected: the number, which the screen shows as a mask, stays."""
    row = listed(disagreement)[0]
    path = f"/api/v1/inbox/conflicts/{row['conflict_id']}/resolve"
    answer = disagreement.signed_in("secretary").post(path, json={"set": {"document_type": "other"}})
    assert answer.json["now"]["outcome"] == "applied", answer.json
    with read(disagreement.house.engine) as connection:
        fields = json.loads(connection.execute(select(record.c.fields).where(record.c.id == IDS["li"])).scalar_one())
    assert fields["document_type"] == "other" and fields["document_number"] is not None


def test_what_was_written_over_a_conflict_is_what_is_kept(disagreement, clock):
    """A and B differ, then somebody writes C: the card shows C as what stands, with its author, A as no longer; keeping what stands keeps C."""
    li, dwelling = listed(disagreement)
    assert [row["now"] for row in (li, dwelling)] == [None, None]
    assert [sorted(one["stands"] for one in row["siblings"]) for row in (li, dwelling)] == [[False, True]] * 2
    clock.advance(minutes=5)
    third = {"document_number": "E00000003", "document_type": "passport", "document_missing_reason": None}
    worker = actor_of(disagreement, "grid_worker")
    assert write_operation(disagreement.house, worker, "patch", "li", third, base=version(disagreement, "li"))["now"]["outcome"] == "applied"
    li, dwelling = listed(disagreement)
    assert li["now"]["values"]["document_number"]["value"] == "E00000003" and dwelling["now"] is None
    assert li["now"]["by"]["user_id"] == disagreement.users["grid_worker"] and li["now"]["arrived_at"] > li["opened_at"]
    assert [(one["role"], one["stands"]) for one in li["siblings"]] == [("current", False), ("set_aside", False)]
    (masked,) = listed(disagreement, "grid_worker")
    assert masked["now"]["values"]["document_number"]["value"] == {"mask": "****0003"}
    body = {"choose": "standing", "seen": [one["op_id"] for one in li["siblings"]], "base": version(disagreement, "li")}
    answer = disagreement.signed_in("secretary").post(f"/api/v1/inbox/conflicts/{li['conflict_id']}/resolve", json=body)
    assert answer.json["now"]["outcome"] in {"applied", "unchanged"}, answer.json
    assert [one["unit"] for one in listed(disagreement)] == ["place"]
    with read(disagreement.house.engine) as connection:
        assert "****0003" in connection.execute(select(record.c.fields).where(record.c.id == IDS["li"])).scalar_one()


def test_a_conflict_about_a_deletion_says_so_and_is_settled_by_itself(office, clock):
    """S5: who deleted the record and when stands beside the value that they had not seen; many at once pass it over; it can come back."""
    secretary, base = office.signed_in("secretary"), version(office, "li")
    write_operation(office.house, actor_of(office, "grid_worker"), "patch", "li", {"occupation_text": "教师"}, base=base)
    clock.advance(minutes=5)
    gone = write_operation(office.house, actor_of(office, "secretary"), "delete", "li", base=base)
    assert gone["now"]["outcome"] == "conflict", gone
    (row,) = listed(office)
    assert (row["kind"], row["record"]["life"]) == ("delete_over_edit", "deleted")
    assert row["deletion"]["by"]["user_id"] == office.users["secretary"] and row["deletion"]["at"]
    told = secretary.post("/api/v1/inbox/conflicts/resolve", json={"choose": "standing"}).json
    assert (told["settled"], told["skipped"]) == ([], [{"conflict_id": row["conflict_id"], "reason": "deletion"}])
    back = write_operation(office.house, actor_of(office, "secretary"), "restore", "li", base=version(office, "li"))
    assert back["now"]["outcome"] == "applied", back
    (row,) = listed(office)
    assert (row["kind"], row["record"]["life"]) == ("delete_over_edit", "live") and row["deletion"]["by"] is not None
    chosen = {"choose": row["siblings"][0]["op_id"], "base": version(office, "li")}
    assert secretary.post(f"/api/v1/inbox/conflicts/{row['conflict_id']}/resolve", json=chosen).status_code == 200
    assert listed(office) == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"choose": "nobody"}, "/choose"),
        ({"choose": "x", "set": {"floor_number": 1}}, ""),
        ({"set": {"occupancy": "empty"}}, "/set/occupancy"),
        ({"set": {"floor_number": 1}, "seen": ["gone"]}, "/seen"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_with_its_place(disagreement, body, pointer):
    """Neither, both, a value that is not there, a field of another unit: each is named, and the conflict stays open."""
    row = listed(disagreement)[1]
    answer = disagreement.signed_in("secretary").post(
        f"/api/v1/inbox/conflicts/{row['conflict_id']}/resolve", json=body
    )
    assert problem(answer) == (422, "invalid-input")
    assert answer.json["errors"][0]["pointer"] == pointer
    assert len(listed(disagreement)) == 2


def test_pages_of_conflicts(disagreement):
    """One at a time, each conflict is met once."""
    person = disagreement.signed_in("secretary")
    first = person.get("/api/v1/inbox/conflicts?limit=1").json
    second = person.get(f"/api/v1/inbox/conflicts?limit=1&next={first['next']}").json
    assert (first["count"], second["next"]) == (2, None)
    assert first["rows"][0]["conflict_id"] != second["rows"][0]["conflict_id"]


def test_quarantine_tells_why_without_values(office):
    """A value outside its code list waits in the quarantine with its place; the value itself is not told."""
    write_operation(
        office.house, actor_of(office, "grid_worker"), "patch", "li", {"sex": "unheard-of"}, base=version(office, "li")
    )
    answer = office.signed_in("secretary").get("/api/v1/inbox/quarantine")
    (row,) = answer.json["rows"]
    assert (row["type"], row["reason"], row["by"]["user_id"]) == ("person", "invalid", office.users["grid_worker"])
    assert row["errors"][0]["pointer"] == "/set/sex"
    assert "unheard-of" not in answer.get_data(as_text=True)
    assert len(office.signed_in("grid_worker").get("/api/v1/inbox/quarantine").json["rows"]) == 1


def test_held_operations_tell_what_they_wait_for(office):
    """A household whose dwelling has not arrived waits, and says for which record."""
    from server.services.push import accept_user_operation

    missing = "01950000-0000-7000-8000-00000000ffff"
    operation = {
        "kind": "create",
        "type": "household",
        "id": "01950000-0000-7000-8000-00000000fffe",
        "set": {"dwelling": missing},
    }
    assert accept_user_operation(office.house, actor_of(office, "secretary"), operation)["now"]["outcome"] == "held"
    (row,) = office.signed_in("secretary").get("/api/v1/inbox/held").json["rows"]
    assert row["waits_for"] == [missing]
    assert row["type_label"]["zh"] == "住户"


def test_unplaced_records_are_listed(office):
    """A party member whom no person answers to has no cell, and waits to be placed."""
    (row,) = office.signed_in("secretary").get("/api/v1/inbox/unplaced").json["rows"]
    assert (row["record"]["type"], row["record"]["title"]) == ("party_member", "周七")


def test_findings_speak_the_words_of_the_form(office):
    """What does not fit together is told in the words of the form's own condition."""
    write_operation(
        office.house,
        actor_of(office, "secretary"),
        "patch",
        "child",
        {"marital_code": "20"},
        base=version(office, "child"),
    )
    rows = office.signed_in("secretary").get("/api/v1/inbox/findings").json["rows"]
    found = next(row for row in rows if row["name"] == "child_married")
    assert found["message"]["zh"] == "未满 15 岁登记为已婚"
    assert found["record"]["title"] == "张小小"


def test_counts_are_those_of_the_lists(disagreement):
    """The numbers on the inbox are the lengths of its lists, for everybody's own scope."""
    for role in ("secretary", "grid_worker"):
        person = disagreement.signed_in(role)
        found = person.get("/api/v1/inbox").json["counts"]
        for kind, count in found.items():
            path = f"/api/v1/communities/{COMMUNITY}/visits/due?only=escalated" if kind == "visits" else f"/api/v1/inbox/{kind}"
            assert len(person.get(path).json["rows"]) == count, kind


def test_who_may_open_the_inbox(office):
    """Planners and auditors have no inbox; nobody opens a neighbour's."""
    for role in ("planner", "auditor", "subdistrict"):
        assert problem(office.signed_in(role).get("/api/v1/inbox")) == (403, "outside-your-scope")
    person = office.signed_in("secretary")
    assert problem(person.get(f"/api/v1/inbox?community={NEIGHBOUR}")) == (403, "outside-your-scope")
    assert ZHANG_NUMBER not in person.get(f"/api/v1/inbox?community={COMMUNITY}").get_data(as_text=True)


def test_conflicts_of_a_cell_are_as_many_as_its_figure(disagreement):
    """The queue of one cell, or of what is in none, has its own count; somebody else's cell, or none, is told."""
    secretary = disagreement.signed_in("secretary")
    told = secretary.get(f"/api/v1/communities/{COMMUNITY}/baseline").json
    places = [*((cell["code"], cell) for cell in told["cells"]), ("~unplaced", told["unplaced"])]
    for code, figure in places:
        queue = secretary.get(f"/api/v1/inbox/conflicts?cell={code}").json
        assert queue["count"] == len(queue["rows"]) == figure["open_conflicts"]
    assert sum(figure["open_conflicts"] for _, figure in places) == 2
    assert problem(secretary.get("/api/v1/inbox/conflicts?cell=none")) == (404, "not-found")
    assert problem(disagreement.signed_in("grid_worker").get(f"/api/v1/inbox/conflicts?cell={CODE_B}")) == (403, "outside-your-scope")


def test_probable_duplicates_are_counted_where_they_are_asked_for(disagreement):
    """The count is that of their queue, and is in the total then."""
    secretary = disagreement.signed_in("secretary")
    told = secretary.get("/api/v1/inbox?duplicates=true").json
    assert told["counts"]["duplicates"] == secretary.get("/api/v1/inbox/duplicates").json["count"]
    assert told["total"] == sum(told["counts"].values())
    assert "duplicates" not in secretary.get("/api/v1/inbox").json["counts"]
