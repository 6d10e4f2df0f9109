"""The twelve questions of every week: each reaches its answer from the start page in at most three steps.

The right answers are counted here from the stored records, by other means than the server's rosters. And conflicts, one by one and all at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from browser_kit import DemoSite
from console_kit import (
    COMMUNITY,
    Colleague,
    Row,
    age_of,
    begin_counting,
    faults,
    rows_of,
    seen_list,
    seen_records,
    sign_in,
    steps_taken,
    today,
)
from playwright.sync_api import Page, Playwright, expect

from server.house import uuid7

_SATURDAY = ("周六", "星期六", "礼拜六", "周末", "每天", "随时", "随叫随到")


def _alive(person: Row) -> bool:
    return person["vital_status"] != "deceased"


def _lives(person: Row) -> bool:
    return _alive(person) and person["residence_household"] is not None


def _leavers(site: DemoSite) -> list[Row]:
    """People who live with others, head no household, and whose name nobody else has."""
    people = [one for one in rows_of(site, "person").values() if _lives(one)]
    names, heads = Counter(one["name"] for one in people), {one["head"] for one in rows_of(site, "household").values()}
    return [one for one in people if one.id not in heads and names[one["name"]] == 1 and one["resident_from"]]


def _over_80_alone(site: DemoSite) -> list[Row]:
    households = rows_of(site, "household")
    there = [one for one in rows_of(site, "person").values() if _lives(one) and one["presence"] != "away_long"]
    behind = Counter(households[one["residence_household"]]["dwelling"] for one in there)
    return [one for one in there if (age_of(one) or 0) >= 80 and behind[households[one["residence_household"]]["dwelling"]] == 1]


def _not_seen(site: DemoSite) -> list[Row]:
    before = (today() - timedelta(days=90)).isoformat()
    return [one for one in rows_of(site, "household").values() if one.fresh_on < before]


def _occupied(*kinds: str) -> Callable[[DemoSite], list[Row]]:
    return lambda site: [one for one in rows_of(site, "dwelling").values() if one["occupancy"] in kinds]


def _registered(person: Row, households: dict[str, Row]) -> str:
    """Where somebody is registered, as seen from where they live: here, elsewhere, or not known."""
    if person["registration_dwelling"] is not None:
        return (
            "here"
            if households[person["residence_household"]]["dwelling"] == person["registration_dwelling"]
            else "elsewhere"
        )
    return "elsewhere" if person["registration_address_text"] or person["registration_division_code"] else "unknown"


def _lives_not_registered(site: DemoSite) -> list[Row]:
    households = rows_of(site, "household")
    there = [one for one in rows_of(site, "person").values() if _lives(one) and one["presence"] != "away_long"]
    return [one for one in there if _registered(one, households) == "elsewhere"]


def _registered_not_living(site: DemoSite) -> list[Row]:
    households = rows_of(site, "household")
    return [
        one for one in rows_of(site, "person").values()
        if _alive(one) and one["registration_dwelling"] is not None
        and (one["residence_household"] is None or one["presence"] == "away_long" or _registered(one, households) == "elsewhere")
    ]  # fmt: skip


def _under_3(site: DemoSite) -> list[Row]:
    return [one for one in rows_of(site, "person").values() if _lives(one) and (age := age_of(one)) is not None and age < 3]


def _reported(site: DemoSite) -> list[Row]:
    return [one for one in rows_of(site, "check_in").values() if one["state"] in ("registered", "accepted")]


def _can_carry(site: DemoSite) -> list[Row]:
    return [
        one for one in _reported(site)
        if one["subject_kind"] == "member" and one["can_carry_water"] and any(word in (one["available_hours_text"] or "") for word in _SATURDAY)
    ]  # fmt: skip


def _not_reported(site: DemoSite) -> list[Row]:
    reported = {one["party_member"] for one in _reported(site)}
    members = rows_of(site, "party_member").values()
    return [one for one in members if one["on_unit_list"] and one["in_service"] and one.id not in reported]


def _no_phone(site: DemoSite) -> list[Row]:
    with_phone = {
        one["residence_household"] for one in rows_of(site, "person").values() if _alive(one) and one["phones"]
    }
    return [one for one in rows_of(site, "household").values() if not one["phone"] and one.id not in with_phone]


def _shops(site: DemoSite) -> list[Row]:
    return [one for one in rows_of(site, "dwelling").values() if one["use"] in ("shop", "mixed")]


@pytest.fixture
def cell_names(playwright: Playwright, demo_site: DemoSite) -> dict[str, str]:
    """The name of each cell by the place of its records."""
    features = Colleague(playwright, demo_site, "secretary").get("/api/v1/reference")["cells"]["features"]
    return {f"cell/{one['id']}": str(one["properties"]["name"]) for one in features}


@pytest.mark.parametrize(
    ("question", "other_list", "right"),
    [
        ("80 岁以上独自居住", None, _over_80_alone),
        ("90 天未走访确认", None, _not_seen),
        ("空置与出租房屋", None, _occupied("empty")),
        ("空置与出租房屋", "出租房屋", _occupied("let", "group_let")),
        ("人户分离", None, _registered_not_living),
        ("人户分离", "人在户不在", _lives_not_registered),
        ("3 岁以下儿童", None, _under_3),
        ("周六能参与搬运的党员", None, _can_carry),
        ("在册未报到的党员", None, _not_reported),
        ("没有联系电话的住户", None, _no_phone),
        ("商铺（按网格）", None, _shops),
    ],
)  # fmt: skip
def test_a_question_is_one_tap_from_the_start_and_its_answer_is_right(
    office_page: Page, demo_site: DemoSite, cell_names: dict[str, str], question: str, other_list: str | None, right: Callable[[DemoSite], list[Row]]
):
    """One tap, or two where a question has two sides; the list read to its end has the very records that are stored, and every cell its own number.

    One more tap narrows the list to a cell.
    """
    expected = right(demo_site)
    assert expected, "a question without an answer would hold nothing"
    sign_in(office_page, demo_site)
    begin_counting(office_page, demo_site)
    office_page.get_by_role("button", name=question, exact=True).click()
    office_page.get_by_role("group", name="按网格").get_by_role("button").first.wait_for(timeout=60_000)
    if other_list is not None:
        side = office_page.get_by_role("button", name=re.compile(f"^{other_list}")).first  # not the question, whose name ends alike
        side.click()
        expect(side).to_have_attribute("aria-pressed", "true")
    expect(office_page.get_by_text("正在读取…").first).to_be_hidden()
    foot, cells = office_page.locator("footer.foot"), office_page.get_by_role("group", name="按网格")
    if right is _can_carry:  # a check-in leads to whom it is about
        members = rows_of(demo_site, "party_member")
        heads, rows = seen_list(office_page)
        assert sorted(row[heads.index("党员")] for row in rows) == sorted(str(members[one["party_member"]]["name"]) for one in expected)
    else:
        assert sorted(seen_records(office_page)) == sorted(one.id for one in expected)
    expect(foot.get_by_text(f"{len(expected):,} 条", exact=True)).to_be_visible()
    by_cell = Counter(cell_names[one.home] for one in expected if one.home in cell_names)
    expect(cells.get_by_role("button")).to_have_count(len(by_cell))
    told = [text.rsplit(maxsplit=1) for text in cells.get_by_role("button").all_inner_texts()]
    assert {name: int(count.replace(",", "")) for name, count in told} == dict(by_cell)
    assert steps_taken(office_page) == (1 if other_list is None else 2)
    name, count = by_cell.most_common()[-1]
    cells.get_by_role("button", name=re.compile(f"^{name}")).click()
    expect(foot.get_by_text(f"{count} 条", exact=True)).to_be_visible()
    assert steps_taken(office_page) <= 3


def test_who_holds_the_key_of_a_door(office_page: Page, demo_site: DemoSite):
    """The question asks which door, and the answer names the key holder of everybody behind it, and of nobody else."""
    households, dwellings = rows_of(demo_site, "household"), rows_of(demo_site, "dwelling")
    entrances, buildings, estates = (rows_of(demo_site, kind) for kind in ("entrance", "building", "estate"))

    def door(one: Row) -> tuple[str, ...] | None:
        dwelling = dwellings[households[one["residence_household"]]["dwelling"]]
        if dwelling["entrance"] not in entrances or not dwelling["door_number"]:
            return None
        entrance = entrances[dwelling["entrance"]]
        building = buildings[entrance["building"]]
        if building["estate"] not in estates:
            return None
        return tuple(str(part) for part in (estates[building["estate"]]["name"], building["number"], entrance["number"], dwelling["door_number"]))

    holding = [one for one in rows_of(demo_site, "person").values() if one["residence_household"] and one["keyholder_text"]]
    there = next(place for one in holding if _lives(one) and (place := door(one)))
    right = [one for one in holding if door(one) == there]
    sign_in(office_page, demo_site)
    begin_counting(office_page, demo_site)
    office_page.get_by_role("button", name="谁有这家的钥匙").click()
    for label, value in zip(("小区", "楼号", "单元", "门牌号"), there, strict=True):
        office_page.get_by_label(label, exact=True).fill(value)
    office_page.get_by_role("button", name="查", exact=True).click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text("人员花名册")
    heads, rows = seen_list(office_page)
    assert sorted((row[heads.index("姓名")], row[heads.index("钥匙保管人")]) for row in rows) == sorted((one["name"], one["keyholder_text"]) for one in right)
    assert steps_taken(office_page) == 3


def test_moved_in_and_out_this_month(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """Somebody who moved in today, and somebody who left, stand in the two lists of the month."""
    secretary = Colleague(playwright, demo_site, "secretary")
    household = next(iter(rows_of(demo_site, "household").values()))
    newcomer = uuid7()
    secretary.write(
        {"kind": "create", "type": "person", "id": newcomer, "base": None,
         "set": {"name": "新到人", "residence_household": household.id, "relation_to_head": "90", "presence": "present",
                 "resident_from": today().isoformat(), "joined_reason": "moved_in", "vital_status": "living"}}
    )  # fmt: skip
    gone, wrong = (one for one in _leavers(demo_site)[:2])
    for one, reason in ((gone, "moved_out"), (wrong, "entered_in_error")):
        record = secretary.get(f"/api/v1/records/person/{one.id}")["record"]
        left = secretary.write(
            {"kind": "command", "type": "person", "id": one.id, "name": "person_left", "base": {"v": record["v"], "tag": record["tag"]},
             "arguments": {"household": one["residence_household"], "reason": reason, "on": today().isoformat()}, "others": {}}
        )  # fmt: skip
        assert left[0]["now"]["outcome"] == "applied", left
    sign_in(office_page, demo_site)
    begin_counting(office_page, demo_site)
    office_page.get_by_role("button", name="本月迁入与迁出").click()
    rows = office_page.locator(".v-scroll").get_by_role("row")
    expect(rows.filter(has_text="新到人")).to_have_count(1)
    first = today().replace(day=1).isoformat()
    people = rows_of(demo_site, "person")
    past = [one for one in rows_of(demo_site, "residence").values() if one["kind"] == "residence" and one["left_reason"] != "entered_in_error"]
    before = {(one["person"], one["resident_to"]) for one in past}  # a move from door to door ends where the next residence begins
    moved = [
        one for one in people.values()
        if (one["resident_from"] or "") >= first and _lives(one) and one["joined_reason"] not in ("born", "survey", "missed_before", "household_split")
        and (one.id, one["resident_from"]) not in before
    ]  # fmt: skip
    assert sorted(seen_records(office_page)) == sorted(one.id for one in moved) and newcomer in {one.id for one in moved}
    office_page.get_by_role("button", name=re.compile("^本月迁出")).click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text("迁出与变更记录")
    expect(rows.filter(has_text=str(gone["name"]))).to_have_count(1)
    ended = [
        one for one in past
        if (one["resident_to"] or "") >= first and one["left_reason"] not in ("died", "household_split")
        and not ((who := people.get(one["person"])) and _lives(who) and (who["resident_from"] or "") <= one["resident_to"])
    ]  # fmt: skip
    assert {gone.id} <= {one["person"] for one in ended} and wrong.id not in {one["person"] for one in ended}
    assert sorted(seen_records(office_page)) == sorted(one.id for one in ended)
    assert steps_taken(office_page) == 2


def test_probable_duplicates_stand_side_by_side_and_a_merge_can_be_taken_back(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """The same person recorded twice is found, compared, merged and separated again: right away, and later from the history of the one that stayed.
    What should not be there is deleted on its own page, and comes back there."""
    secretary = Colleague(playwright, demo_site, "secretary")
    twin = next(
        one
        for one in rows_of(demo_site, "person").values()
        if _lives(one) and one["phones"] and one["birth_date"] and len(one["name"]) == 3
    )
    copied = {
        name: twin[name]
        for name in ("name", "sex", "birth_date", "birth_precision", "phones", "residence_household")
        if twin[name]
    }
    second = uuid7()
    secretary.write(
        {"kind": "create", "type": "person", "id": second, "base": None, "set": {**copied, "vital_status": "living"}}
    )
    sign_in(office_page, demo_site)
    begin_counting(office_page, demo_site)
    office_page.get_by_role("button", name="疑似重复人员").click()
    # Everybody who has name, birthday and sex of somebody else, by what is stored.
    alike = Counter((one["name"], one["birth_date"], one["sex"]) for one in rows_of(demo_site, "person").values() if _alive(one) and one["birth_date"])
    pairs = sum(count * (count - 1) // 2 for count in alike.values())
    expect(office_page.get_by_role("link", name=re.compile(rf"疑似重复 ?{pairs}$"))).to_be_visible()
    expect(office_page.get_by_role("article")).to_have_count(pairs)
    for (name, born, _), count in alike.items():
        if count > 1:
            expect(office_page.get_by_role("article").filter(has_text=str(name)).filter(has_text=str(born))).to_have_count(count * (count - 1) // 2)
    assert steps_taken(office_page) == 1
    card = office_page.get_by_role("article").filter(has_text=str(twin["name"])).first
    card.get_by_role("button", name="同一个人，合并").click()
    dialog = office_page.get_by_role("dialog")
    expect(dialog).to_contain_text(str(twin["birth_date"]))
    assert faults(office_page) == []
    dialog.get_by_role("button", name="同一个人，合并").click()
    expect(office_page.get_by_role("status").filter(has_text="已合并")).to_be_visible()
    assert len({twin.id, second} & set(rows_of(demo_site, "person"))) == 1
    office_page.get_by_role("button", name="撤回").click()
    expect(office_page.get_by_text("已撤回").first).to_be_visible()
    expect(office_page.get_by_role("article").filter(has_text=str(twin["name"])).first).to_be_visible()
    assert len({twin.id, second} & set(rows_of(demo_site, "person"))) == 2
    office_page.get_by_role("article").filter(has_text=str(twin["name"])).first.get_by_role("button", name="同一个人，合并").click()
    dialog.get_by_role("button", name="同一个人，合并").click()
    expect(office_page.get_by_role("status").filter(has_text="已合并")).to_be_visible()
    (stays,) = {twin.id, second} & set(rows_of(demo_site, "person"))
    office_page.goto(f"{demo_site.url}/#/records/person/{stays}")
    office_page.reload()
    office_page.get_by_role("tab", name="历史").click()
    office_page.get_by_role("button", name="撤回合并").click()
    question = office_page.get_by_role("dialog", name="撤回合并")
    expect(question).to_contain_text(str(twin["name"]))
    assert faults(office_page) == []
    question.get_by_role("button", name="撤回合并").click()
    expect(office_page.get_by_text("已撤回").first).to_be_visible()
    expect(office_page.get_by_role("button", name="撤回合并")).to_have_count(0)
    assert len({twin.id, second} & set(rows_of(demo_site, "person"))) == 2
    office_page.get_by_role("button", name="删除档案").click()
    office_page.get_by_role("dialog", name="删除档案").get_by_role("button", name="删除档案").click()
    expect(office_page.get_by_text("这条档案已删除")).to_be_visible()
    assert stays not in rows_of(demo_site, "person")
    office_page.get_by_role("button", name="恢复档案").click()
    expect(office_page.get_by_text("这条档案已删除")).to_have_count(0)
    assert stays in rows_of(demo_site, "person")
    assert secretary.get(f"/api/v1/communities/{COMMUNITY}/baseline")["as_of"]


def test_a_conflict_is_handed_to_the_worker_of_the_cell_and_taken_back(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """Who works in the cell stands first; the phone is told; the secretary can take it back. What nobody had right is written anew, the rest settled at once."""
    secretary, worker = (Colleague(playwright, demo_site, one) for one in ("secretary", "worker1"))
    row, *others = secretary.get(f"/api/v1/cells/{COMMUNITY}017/roster/household_book?limit=4")["rows"]
    record = secretary.get(f"/api/v1/records/household/{row['id']}")["record"]
    seen = {"kind": "patch", "type": "household", "id": row["id"], "base": {"v": record["v"], "tag": record["tag"]},
            "was": {"household_number": row["household_number"]}}  # fmt: skip
    secretary.write({**seen, "set": {"household_number": "999999333331"}})
    worker.write({**seen, "set": {"household_number": "999999333332"}})
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/records/household/{row['id']}")
    office_page.get_by_role("button", name=re.compile("交给网格员核实")).click()
    office_page.get_by_role("menuitem", name=re.compile("网格员甲 本格")).click()
    expect(office_page.get_by_role("button", name=re.compile("已交给网格员甲核实"))).to_be_visible()
    office_page.reload()
    button = office_page.get_by_role("button", name=re.compile("已交给网格员甲核实"))
    button.click()
    office_page.get_by_role("menuitem", name="收回").click()
    expect(office_page.get_by_role("button", name=re.compile("交给网格员核实"))).to_be_visible()
    taken = office_page.get_by_role("button", name="用这个")
    expect(taken).to_have_count(2)
    secretary.write({"kind": "delete", "type": "household", "id": row["id"], "base": seen["base"]})
    office_page.reload()  # deleted meanwhile: that is asked first, and no value can be taken unseen
    expect(office_page.get_by_text("这条档案现在是删除状态")).to_be_visible()
    expect(taken).to_have_count(0)
    office_page.get_by_role("button", name="恢复档案").click()
    expect(taken).to_have_count(2)
    assert secretary.get(f"/api/v1/records/household/{row['id']}")["record"]["life"] == "live"
    for number, one in enumerate(others):
        record = secretary.get(f"/api/v1/records/household/{one['id']}")["record"]
        told = {"kind": "patch", "type": "household", "id": one["id"], "base": {"v": record["v"], "tag": record["tag"]},
                "was": {"household_number": one["household_number"]}}  # fmt: skip
        # One of the three was written by the secretary last: “newer” is what arrived later, whoever wrote it.
        first, second = (worker, secretary) if number == 2 else (secretary, worker)
        first.write({**told, "set": {"household_number": f"99999944440{number}"}})
        second.write({**told, "set": {"household_number": f"99999955550{number}"}})
    office_page.goto(f"{demo_site.url}/#/inbox/conflicts")
    card = office_page.get_by_role("article").filter(has_text="999999444400")
    card.get_by_role("button", name="都不对，另填").click()
    dialog = office_page.get_by_role("dialog", name="填写正确的值")
    dialog.get_by_label("户号").fill("999999666660")
    dialog.get_by_role("button", name="确定").click()
    expect(card).to_have_count(0)
    office_page.get_by_role("button", name="这一页都用较新的").click()
    office_page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(office_page.get_by_text("已解决 3 条")).to_be_visible()
    found = rows_of(demo_site, "household")
    assert [found[one["id"]]["household_number"] for one in (row, *others)] == ["999999333332", "999999666660", "999999555501", "999999555502"]
