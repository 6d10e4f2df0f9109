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
from console_kit import COMMUNITY, Colleague, Row, age_of, rows_of, shown_count, sign_in, today
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


def _over_80_alone(site: DemoSite) -> int:
    households = rows_of(site, "household")
    there = [one for one in rows_of(site, "person").values() if _lives(one) and one["presence"] != "away_long"]
    behind = Counter(households[one["residence_household"]]["dwelling"] for one in there)
    return sum(
        (age_of(one) or 0) >= 80 and behind[households[one["residence_household"]]["dwelling"]] == 1 for one in there
    )


def _not_seen(site: DemoSite) -> int:
    before = (today() - timedelta(days=90)).isoformat()
    return sum(one.fresh_on < before for one in rows_of(site, "household").values())


def _occupied(*kinds: str) -> Callable[[DemoSite], int]:
    return lambda site: sum(one["occupancy"] in kinds for one in rows_of(site, "dwelling").values())


def _registered(person: Row, households: dict[str, Row]) -> str:
    """Where somebody is registered, as seen from where they live: here, elsewhere, or not known."""
    if person["registration_dwelling"] is not None:
        return (
            "here"
            if households[person["residence_household"]]["dwelling"] == person["registration_dwelling"]
            else "elsewhere"
        )
    return "elsewhere" if person["registration_address_text"] or person["registration_division_code"] else "unknown"


def _lives_not_registered(site: DemoSite) -> int:
    households = rows_of(site, "household")
    there = [one for one in rows_of(site, "person").values() if _lives(one) and one["presence"] != "away_long"]
    return sum(_registered(one, households) == "elsewhere" for one in there)


def _registered_not_living(site: DemoSite) -> int:
    households = rows_of(site, "household")
    return sum(
        _alive(one) and one["registration_dwelling"] is not None
        and (one["residence_household"] is None or one["presence"] == "away_long" or _registered(one, households) == "elsewhere")
        for one in rows_of(site, "person").values()
    )  # fmt: skip


def _under_3(site: DemoSite) -> int:
    ages = (age_of(one) for one in rows_of(site, "person").values() if _lives(one))
    return sum(age is not None and age < 3 for age in ages)


def _reported(site: DemoSite) -> list[Row]:
    return [one for one in rows_of(site, "check_in").values() if one["state"] in ("registered", "accepted")]


def _can_carry(site: DemoSite) -> int:
    return sum(
        one["subject_kind"] == "member"
        and bool(one["can_carry_water"])
        and any(word in (one["available_hours_text"] or "") for word in _SATURDAY)
        for one in _reported(site)
    )


def _not_reported(site: DemoSite) -> int:
    reported = {one["party_member"] for one in _reported(site)}
    members = rows_of(site, "party_member").values()
    return sum(bool(one["on_unit_list"]) and bool(one["in_service"]) and one.id not in reported for one in members)


def _no_phone(site: DemoSite) -> int:
    with_phone = {
        one["residence_household"] for one in rows_of(site, "person").values() if _alive(one) and one["phones"]
    }
    return sum(not one["phone"] and one.id not in with_phone for one in rows_of(site, "household").values())


def _shops(site: DemoSite) -> list[Row]:
    return [one for one in rows_of(site, "dwelling").values() if one["use"] in ("shop", "mixed")]


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
        ("商铺（按网格）", None, lambda site: len(_shops(site))),
    ],
)  # fmt: skip
def test_a_question_is_one_tap_from_the_start_and_its_answer_is_right(
    office_page: Page, demo_site: DemoSite, question: str, other_list: str | None, right: Callable[[DemoSite], int]
):
    """One tap, or two where a question has two sides; the list read to its end has as many rows as are stored."""
    expected = right(demo_site)
    sign_in(office_page, demo_site)
    office_page.get_by_role("button", name=question, exact=True).click()
    if other_list is not None:
        office_page.get_by_role("button", name=re.compile(f"^{other_list}")).first.click()  # not the question, whose name ends alike
    expect(office_page.get_by_text("正在读取…").first).to_be_hidden()
    box = office_page.locator(".v-scroll")
    box.wait_for()
    foot = office_page.locator("footer.foot")
    expect(foot).to_contain_text("截至")
    for _ in range(200):
        if "向下滚动" not in foot.inner_text():
            break
        box.evaluate("box => { box.scrollTop = box.scrollHeight }")
        office_page.wait_for_timeout(150)
    expect(foot.get_by_text(f"{expected:,} 条", exact=True)).to_be_visible()


def test_over_80_and_alone_is_told_cell_by_cell(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """The answer says how many in each cell, and one more tap narrows the list to a cell."""
    sign_in(office_page, demo_site)
    office_page.get_by_role("button", name="80 岁以上独自居住", exact=True).click()
    cells = office_page.get_by_role("group", name="按网格")
    cells.wait_for()
    numbers = [int(text) for text in cells.locator("b").all_inner_texts()]
    assert sum(numbers) == _over_80_alone(demo_site)
    search = office_page.get_by_placeholder(re.compile("^查找：姓名"))
    search.click()
    search.blur()
    cells.get_by_role("button").first.click()
    expect(office_page.locator("footer.foot").get_by_text(f"{numbers[0]} 条", exact=True)).to_be_visible()
    # Shops by cell: each cell's own number, counted from what is stored.
    codes = {one["id"]: one["properties"] for one in Colleague(playwright, demo_site, "secretary").get("/api/v1/reference")["cells"]["features"]}
    right = Counter(str(codes[one.home.removeprefix("cell/")]["name"]) for one in _shops(demo_site) if one.home.startswith("cell/"))
    office_page.goto(demo_site.url)
    office_page.get_by_role("button", name="商铺（按网格）", exact=True).click()
    cells.get_by_role("button").first.wait_for()
    expect(cells.locator("b")).to_have_count(len(right))
    told = [text.rsplit(maxsplit=1) for text in cells.get_by_role("button").all_inner_texts()]
    assert {name: int(count) for name, count in told} == dict(right)


def test_who_holds_the_key_of_a_door(office_page: Page, demo_site: DemoSite):
    """The question asks which door, and the answer names the key holder."""
    households, dwellings = rows_of(demo_site, "household"), rows_of(demo_site, "dwelling")
    entrances, buildings, estates = (rows_of(demo_site, kind) for kind in ("entrance", "building", "estate"))
    person = next(one for one in rows_of(demo_site, "person").values() if _lives(one) and one["keyholder_text"])
    dwelling = dwellings[households[person["residence_household"]]["dwelling"]]
    entrance = entrances[dwelling["entrance"]]
    building = buildings[entrance["building"]]
    sign_in(office_page, demo_site)
    office_page.get_by_role("button", name="谁有这家的钥匙").click()
    for label, value in (
        ("小区", estates[building["estate"]]["name"]), ("楼号", building["number"]),
        ("单元", entrance["number"]), ("门牌号", dwelling["door_number"]),
    ):  # fmt: skip
        office_page.get_by_label(label, exact=True).fill(str(value))
    office_page.get_by_role("button", name="查", exact=True).click()
    row = office_page.locator(".v-scroll").get_by_role("row").filter(has_text=str(person["name"]))
    expect(row.first).to_contain_text(str(person["keyholder_text"]))


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
    assert shown_count(office_page) == len(moved)
    office_page.get_by_role("button", name=re.compile("本月迁出")).click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text("迁出与变更记录")
    expect(rows.filter(has_text=str(gone["name"]))).to_have_count(1)
    ended = [
        one for one in past
        if (one["resident_to"] or "") >= first and one["left_reason"] not in ("died", "household_split")
        and not ((who := people.get(one["person"])) and _lives(who) and (who["resident_from"] or "") <= one["resident_to"])
    ]  # fmt: skip
    assert {gone.id} <= {one["person"] for one in ended} and wrong.id not in {one["person"] for one in ended}
    assert shown_count(office_page) == len(ended)


def test_probable_duplicates_stand_side_by_side_and_a_merge_can_be_taken_back(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """The same person recorded twice is found, compared, merged and separated again."""
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
    office_page.get_by_role("button", name="疑似重复人员").click()
    # Everybody who has name, birthday and sex of somebody else, by what is stored.
    alike = Counter((one["name"], one["birth_date"], one["sex"]) for one in rows_of(demo_site, "person").values() if _alive(one) and one["birth_date"])
    pairs = sum(count * (count - 1) // 2 for count in alike.values())
    expect(office_page.get_by_role("link", name=re.compile(rf"疑似重复 ?{pairs}$"))).to_be_visible()
    expect(office_page.get_by_role("article")).to_have_count(pairs)
    card = office_page.get_by_role("article").filter(has_text=str(twin["name"])).first
    card.get_by_role("button", name="同一个人，合并").click()
    dialog = office_page.get_by_role("dialog")
    expect(dialog).to_contain_text(str(twin["birth_date"]))
    dialog.get_by_role("button", name="同一个人，合并").click()
    expect(office_page.get_by_role("status").filter(has_text="已合并")).to_be_visible()
    assert len({twin.id, second} & set(rows_of(demo_site, "person"))) == 1
    office_page.get_by_role("button", name="撤回").click()
    expect(office_page.get_by_text("已撤回").first).to_be_visible()
    expect(office_page.get_by_role("article").filter(has_text=str(twin["name"])).first).to_be_visible()
    assert len({twin.id, second} & set(rows_of(demo_site, "person"))) == 2
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
