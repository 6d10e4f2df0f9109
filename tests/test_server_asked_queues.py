"""Probable duplicates, records in no cell and doubtful places are handed on like what waits with a row of its own (W8)."""

from __future__ import annotations

from front_door import problem
from server_kit import PASSWORD, create, home
from test_server_asked import Desk, asked, found
from test_server_placement_words import fix, near_border

from server.services import accounts


def only(desk, queue):
    (row,) = desk.rows(queue)
    return row


def test_two_who_may_be_one_are_asked_about_at_the_door_of_either(ground, clock):
    """W8: the worker of one of them is asked, in words, and tells what they found beside the pair; said to be two, nobody is asked."""
    first, second, stranger, desk = ground.worker(0), ground.worker(1), ground.worker(2), Desk(ground)
    here, there = home(0, "张伟国", birth_date="1961-05-07", sex="1"), home(1, "张伟国", birth_date="1961-05-07", sex="1")
    first.write(*here.operations), second.write(*there.operations)
    sides = [one["id"] for one in only(desk, "duplicates")["records"]]
    assert set(sides) == {here.persons[0], there.persons[0]} and only(desk, "duplicates")["delegated_to"] is None
    path = f"duplicates/{'/'.join(sides)}"
    assert problem(desk.post(f"inbox/{path}/delegate", {"user_id": stranger.user_id})) == (422, "invalid-input")
    desk.hand(path, second.user_id)
    (item,) = asked(second)
    assert (item["kind"], item["finding"], item["id"], item["name"]) == ("finding", "duplicate", there.persons[0], here.persons[0])
    assert "同一个人" in item["message"]["zh"] and asked(first) == asked(stranger) == []
    second.write(found(item, {"person": there.persons[0]}, "right", note="两个人，是堂兄弟"))
    row = only(desk, "duplicates")
    assert row["delegated_to"] == second.user_id and [one["note"] for one in row["checks"]] == ["两个人，是堂兄弟"]
    listed = desk.rows("findings")
    assert "duplicate" not in {one["kind"] for one in listed} and desk.client.get("/api/v1/inbox").json["counts"]["findings"] == len(listed)
    clock.advance(minutes=1)
    desk.hand(path, first.user_id)
    assert asked(second) == [] and [one["id"] for one in asked(first)] == [here.persons[0]]
    desk.hand(path, None)
    assert asked(first) == [] and only(desk, "duplicates")["delegated_to"] is None
    desk.hand(path, first.user_id)
    assert desk.post(f"inbox/{path}/distinct", {}).status_code == 204
    assert asked(first) == [] and first.pull()[-1]["asked"] is None
    assert problem(desk.post("inbox/duplicates/a/b/delegate", {"user_id": first.user_id})) == (404, "not-found")


def test_two_who_were_merged_are_asked_about_no_more(ground):
    """W8: who was asked about one of two is told with their next pull that it is settled."""
    first, desk = ground.worker(0), Desk(ground)
    here = home(0, "张伟国", "张伟国", birth_date="1961-05-07", sex="1")
    first.write(*here.operations)
    desk.hand(f"duplicates/{here.persons[0]}/{here.persons[1]}", first.user_id)
    (item,) = asked(first)
    kept, gone = item["id"], item["name"]
    others = {gone: {"base": ground.base(gone), "was": {}}}
    merge = {"kind": "command", "name": "merge_persons", "type": "person", "id": kept, "base": ground.base(kept), "arguments": {"merged": gone}, "others": others}
    answer = desk.post("groups", {"ops": [merge]})
    assert answer.status_code == 200 and ground.record(gone).life == "merged", answer.data
    assert asked(first) == []


def test_what_stands_in_no_cell_or_between_two_is_asked_about_until_it_is_placed(ground):
    """W8: a doubtful place goes to a worker of its cell, what is in no cell to who works for the whole community; once placed nobody is asked."""
    phone, other, desk = ground.worker(0, 1), ground.worker(0), Desk(ground)
    stall = create("resource", {"name": "岗亭", "kind": "place", "category": "shelter", "anchor": fix(near_border(18))})
    lost = create("resource", {"name": "沙袋", "kind": "supply"})
    phone.write(stall, lost)
    clerk = ground.enrol(
        accounts.add_user(ground.house, ground.secretary, login="clerk-1", name="社工", role="community_worker", password=PASSWORD).user_id
    )
    row = only(desk, "placements")
    desk.hand(f"placements/{stall['id']}", phone.user_id)
    (item,) = asked(phone)
    assert (item["finding"], item["id"]) == ("doubtful_place", stall["id"]) and "网格边上" in item["message"]["zh"]
    assert only(desk, "placements")["delegated_to"] == phone.user_id
    assert problem(desk.post(f"inbox/unplaced/{lost['id']}/delegate", {"user_id": other.user_id})) == (422, "invalid-input")
    for user_id, told in ((phone.user_id, phone), (clerk.user_id, clerk)):  # who wrote it has it, too
        desk.hand(f"unplaced/{lost['id']}", user_id)
        assert (lost["id"] in [one["id"] for one in asked(told)]) and asked(other) == []
    assert [(one["finding"], one["id"]) for one in asked(clerk)] == [("no_cell", lost["id"])]
    assert only(desk, "unplaced")["delegated_to"] == clerk.user_id and only(desk, "unplaced")["checks"] == []
    for one, cell in ((row["record"], row["candidates"][0]["cell"]["cell_id"]), (only(desk, "unplaced")["record"], ground.cells[0])):
        body = {"cell": cell, "reason": "看过", "base": {"v": one["v"], "tag": one["tag"]}}
        answer = desk.post(f"records/resource/{one['id']}/placement/pin", body)
        assert answer.status_code == 200, answer.data
    assert asked(phone) == asked(clerk) == []
    assert problem(desk.post(f"inbox/placements/{stall['id']}/delegate", {"user_id": None})) == (404, "not-found")
