"""Two heads at one door are two households: members follow the head they stand below, and what is not certain is told."""

from __future__ import annotations

from typing import Any

from test_server_imports import (  # noqa: F401
    LI,
    WANG,
    ZHAO,
    finish,
    living,
    office,
    outcomes,
    rows_of_report,
    run_act,
    secretary,
    workbook,
)

from server.store.database import read, run

PLAIN = ["姓名", "出生日期", "与户主关系", "楼栋", "单元", "室号"]


def rows_of(*people: tuple[str, str], door: str = "501") -> list[list[Any]]:
    return [[name, f"19{at + 60}-01-02", relation, "3", "2", door] for at, (name, relation) in enumerate(people)]


def together(office: Any) -> set[frozenset[str]]:  # noqa: F811
    """The names of everybody by household; whom the household calls its head stands in front of a star."""
    homes: dict[str, set[str]] = {}
    heads = {one["head"] for one in living(office, "household") if one.get("head")}
    for one in living(office, "person"):
        homes.setdefault(one["residence_household"], set()).add(one["name"] + ("*" if one["id"] in heads else ""))
    return {frozenset(names) for names in homes.values()}


def test_two_heads_at_one_door_are_two_households(office, secretary):  # noqa: F811
    """Members join the head they stand below; the table again, also with other columns or in another order, changes nothing."""
    rows = rows_of(("李一", "户主"), ("李小妹", "女儿"), ("王建国", "户主"), ("王芳", "女儿"), ("赵强", "子"))
    assert outcomes(run_act(office, secretary, workbook(rows, headings=PLAIN), "write")) == {"new": 5}
    wanted = {frozenset({"李一*", "李小妹"}), frozenset({"王建国*", "王芳", "赵强"})}
    assert together(office) == wanted and len(living(office, "dwelling")) == 1
    for headings in (PLAIN, [*PLAIN, "民族"]):
        for order in (rows, rows[::-1]):
            assert outcomes(run_act(office, secretary, workbook(order, headings=headings), "write")) == {"same": 5}
    assert together(office) == wanted


def test_who_belongs_to_neither_head_for_certain_is_told(office, secretary):  # noqa: F811
    """Somebody new behind a door with two households, who stands below neither head, is doubtful and not put anywhere."""
    rows = [*rows_of(("李一", "户主"), ("王建国", "户主")), *rows_of(("孙六", "户主"), door="502"), *rows_of(("钱四", ""), ("周七", "子"))]
    said = run_act(office, secretary, workbook(rows, headings=PLAIN), "write")
    assert outcomes(said) == {"new": 3, "doubtful": 2}
    assert [one["place"] for one in rows_of_report(secretary, said)][3:] == ["several_homes", "several_homes"]
    assert together(office) == {frozenset({"李一*"}), frozenset({"王建国*"}), frozenset({"孙六*"})}


def test_nobody_joins_the_neighbour_of_a_head_who_was_refused(office, secretary):  # noqa: F811
    """The second head's row has a fault: whoever stands below it waits in a household of their own, and the head put right joins them."""
    headings = ["姓名", "身份证号", "与户主关系", "楼栋", "单元", "室号"]
    wrong = WANG[:17] + ("1" if WANG[17] != "1" else "2")
    rows = [["李一", LI, "户主", "3", "2", "501"], ["王建国", wrong, "户主", "3", "2", "501"], ["赵强", ZHAO, "子", "3", "2", "501"]]
    assert outcomes(run_act(office, secretary, workbook(rows, headings=headings), "write")) == {"new": 2, "rejected": 1}
    assert together(office) == {frozenset({"李一*"}), frozenset({"赵强"})}
    rows[1][1] = WANG
    assert outcomes(run_act(office, secretary, workbook(rows, headings=headings), "write")) == {"new": 1, "same": 2}
    assert together(office) == {frozenset({"李一*"}), frozenset({"王建国*", "赵强"})}


def test_one_household_number_with_two_heads_is_told(office, secretary):  # noqa: F811
    """A number says that it is one household: the second head is doubtful. Two numbers are two households, in any order."""
    headings = [*PLAIN, "户号"]
    people = rows_of(("李一", "户主"), ("王建国", "户主"), ("李小妹", "女儿"), ("赵强", "子"))
    same = [[*row, "A1"] for row in people[:2]]
    said = run_act(office, secretary, workbook(same, headings=headings), "plan")
    assert outcomes(said) == {"new": 1, "doubtful": 1} and rows_of_report(secretary, said)[1]["place"] == "other_head"
    two = [[*row, number] for row, number in zip(people, ("A1", "A2", "A1", "A2"), strict=True)]
    assert outcomes(run_act(office, secretary, workbook(two, headings=headings), "write")) == {"new": 4}
    assert together(office) == {frozenset({"李一*", "李小妹"}), frozenset({"王建国*", "赵强"})}


def test_a_member_who_calls_himself_head_is_not_made_a_second_one(office, secretary):  # noqa: F811
    """Of a household that has a head, a member whom another table calls its head is told, and nothing is written."""
    rows = rows_of(("李一", "户主"), ("李小妹", "女儿"))
    run_act(office, secretary, workbook(rows, headings=PLAIN), "write")
    rows[1][2] = "户主"
    said = run_act(office, secretary, workbook(rows[1:], headings=[*PLAIN, "民族"]), "write")
    assert outcomes(said) == {"doubtful": 1} and rows_of_report(secretary, said)[0]["place"] == "other_head"
    assert together(office) == {frozenset({"李一*", "李小妹"})}


def test_another_head_or_number_at_a_door_is_told(office, secretary):  # noqa: F811
    """It may be the household that stands there, written differently: doubtful, with who lives there, and nothing is made."""
    rows = [[*row, "A1"] for row in rows_of(("李一", "户主"), ("李小妹", "女儿"))]
    run_act(office, secretary, workbook(rows, headings=[*PLAIN, "户号"]), "write")
    there = {one["name"]: one["id"] for one in living(office, "person")}
    again: list[tuple[str, list[list[Any]]]] = [
        ("户主姓名", [["钱四", "1990-01-02", "子", "3", "2", "501", "王五"]]),
        ("户号", [["钱四", "1990-01-02", "户主", "3", "2", "501", "A2"], ["钱小", "1991-01-02", "子", "3", "2", "501", "A2"]]),
        ("民族", [["钱四", "1990-01-02", "户主", "3", "2", "501", "汉族"], ["钱小", "1991-01-02", "子", "3", "2", "501", "汉族"]]),
    ]
    for heading, more in again:
        said = run_act(office, secretary, workbook(more, headings=[*PLAIN, heading]), "write")
        assert outcomes(said) == {"doubtful": len(more)}, heading
        for one in rows_of_report(secretary, said):
            assert (one["place"], one["candidates"]) == ("other_home", [there["李一"], there["李小妹"]])
    said = run_act(office, secretary, workbook([[*row[:6], "A2"] for row in rows], headings=[*PLAIN, "户编号"]), "write")
    told = rows_of_report(secretary, said)
    assert [(one["outcome"], one["place"], one["record_id"]) for one in told] == [("doubtful", "other_home", there["李一"]), ("doubtful", "other_home", there["李小妹"])]
    assert together(office) == {frozenset({"李一*", "李小妹"})} and len(living(office, "household")) == 1


def test_a_second_household_is_made_where_the_table_names_both(office, secretary):  # noqa: F811
    """Or where nobody lives in the first one any more; the plan says that it is the second at the door."""
    first = rows_of(("李一", "户主"), ("李小妹", "女儿"))
    run_act(office, secretary, workbook(first, headings=PLAIN), "write")
    both = [["钱四", "1990-01-02", "户主", "3", "2", "501"], *first]
    said = run_act(office, secretary, workbook(both, headings=PLAIN), "write")
    assert outcomes(said) == {"new": 1, "same": 2} and rows_of_report(secretary, said)[0]["place"] == "second_home"
    assert together(office) == {frozenset({"李一*", "李小妹"}), frozenset({"钱四*"})}
    with read(office.house.engine) as connection:
        versions = {row.id: {"v": row.v, "tag": row.tag} for row in run(connection, "SELECT id, v, tag FROM record").all()}
    gone = {"residence_household": None, "relation_to_head": None}
    ops = [{"kind": "patch", "type": "person", "id": one["id"], "base": versions[one["id"]], "set": gone} for one in living(office, "person")]
    assert secretary.post("/api/v1/groups", {"ops": ops}).status_code == 200
    assert not any(one.get("residence_household") for one in living(office, "person"))
    said = run_act(office, secretary, workbook([["孙六", "1970-01-02", "户主", "3", "2", "501"]], headings=[*PLAIN, "民族"]), "write")
    assert outcomes(said) == {"new": 1} and rows_of_report(secretary, said)[0]["place"] == "second_home"


def test_a_corrected_table_that_hands_the_head_over_changes_it(office, secretary):  # noqa: F811
    """Both rows say it: one is the head now, the former one a member. What somebody has set by hand since is not put back by the old table."""
    rows = rows_of(("李一", "户主"), ("王芳", "配偶"), ("李小妹", "女儿"))
    run_act(office, secretary, workbook(rows, headings=PLAIN), "write")
    before = [[*row] for row in rows]
    rows[0][2], rows[1][2] = "配偶", "户主"
    for order in (rows, [rows[1], rows[0], rows[2]]):
        said = run_act(office, secretary, workbook(order, headings=PLAIN), "plan")
        assert outcomes(said) == {"changed": 2, "same": 1}
    said = run_act(office, secretary, workbook(rows, headings=PLAIN), "write")
    assert outcomes(said) == {"changed": 2, "same": 1} and together(office) == {frozenset({"李一", "王芳*", "李小妹"})}
    assert outcomes(run_act(office, secretary, workbook(rows, headings=PLAIN), "write")) == {"same": 3}
    finish(office, secretary, secretary.post(f"/api/v1/imports/{said['import_id']}/undo", {}).json["import_id"])
    assert together(office) == {frozenset({"李一*", "王芳", "李小妹"})}
    (home,), people = living(office, "household"), {one["name"]: one for one in living(office, "person")}
    with read(office.house.engine) as connection:
        versions = {row.id: {"v": row.v, "tag": row.tag} for row in run(connection, "SELECT id, v, tag FROM record").all()}
    changes = [("household", home, {"head": people["王芳"]["id"]}), ("person", people["李一"], {"relation_to_head": "10"}), ("person", people["王芳"], {"relation_to_head": "02"})]
    ops = [{"kind": "patch", "type": kind, "id": one["id"], "base": versions[one["id"]], "set": fields} for kind, one, fields in changes]
    assert secretary.post("/api/v1/groups", {"ops": ops}).status_code == 200
    assert together(office) == {frozenset({"李一", "王芳*", "李小妹"})}
    for headings in (PLAIN, [*PLAIN, "民族"]):
        run_act(office, secretary, workbook(before, headings=headings), "write")
        assert together(office) == {frozenset({"李一", "王芳*", "李小妹"})}
