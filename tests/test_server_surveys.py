"""A special survey goes live without a restart, is answered on phones, counted, and closed."""

from __future__ import annotations

import io
import os

import openpyxl
import pytest
from click.testing import CliRunner
from front_door import Person, problem
from odk_kit import collect
from server_kit import CODE, COMMUNITY, PASSWORD, building, create, home, patch
from survey_kit import NAME, dogs, go_live, path, send

from forms.registry import load_registry
from server.app import create_app, house_of
from server.cli import main
from server.house import uuid7
from server.services import accounts
from server.services.accounts import OPERATOR
from server.services.community_forms import at_home, community_registry
from server.store.assignments import Community, add_community
from server.store.database import run, stamp, write

NEIGHBOUR = "c-next"


@pytest.fixture
def office(ground):
    person = Person(ground.app.test_client())
    assert person.sign_in("secretary-1", PASSWORD).status_code == 200
    return person


def answer(household, version=1, **values):
    return create(NAME, {"household": household, "has_dog": "yes"} | values, form_version=version)


def reference(phone, tag=None):
    headers = {"Authorization": f"Bearer {phone.token}"} | ({"If-None-Match": tag} if tag else {})
    return phone.ground.app.test_client().get("/api/v1/reference", headers=headers)


def homes(ground, phone, number, count=1):
    made = [home(number, "张一") for _ in range(count)]
    for one in made:
        phone.push(one.operations)
    return [one.household for one in made]


def test_a_workbook_goes_live_without_a_restart(ground, office):
    """From the upload to a phone's answer in one running program: reference, merge, cell, roster, results, progress."""
    phone = ground.worker(0, 1)
    first, second = homes(ground, phone, 0, 2)
    other = homes(ground, phone, 1)[0]
    before = reference(phone)
    assert NAME not in before.json["forms"] and before.json["surveys"] == []

    live = go_live(office, COMMUNITY)
    assert (live["state"], live["version"], live["subject"], live["roster"]) == ("published", 1, "household", "survey_dogs")
    assert [one["name"] for one in live["questions"]] == ["has_dog", "dogs_count", "sizes", "words"]

    after = reference(phone, before.headers["ETag"])
    assert after.status_code == 200
    assert after.json["forms"][NAME]["label"]["zh"] == "养犬登记"
    assert after.json["surveys"] == [{"name": NAME, "subject": "household", "field": "household", "closed": False}]
    assert "dogs_size" in after.json["codelists"]
    assert reference(phone, after.headers["ETag"]).status_code == 304

    mine = answer(first, dogs_count=2, sizes=["small", "large"], words="门口拴着")
    results = phone.push([mine], [answer(second, has_dog="no")], [answer(first, dogs_count=1, sizes=["small"])], [answer(other, dogs_count="3")])
    assert [(one["now"]["outcome"], one["now"]["reason"]) for one in results[:3]] == [("applied", None)] * 3
    assert (results[3]["now"]["reason"], results[3]["errors"][0]["pointer"]) == ("invalid", "/set/dogs_count")
    assert ground.record(mine["id"]).home == ground.streams[0]

    told = office.get(path(COMMUNITY, f"/{NAME}/progress")).json
    assert [(one["answers"], one["answered"], one["expected"]) for one in told["cells"]] == [(3, 2, 2), (0, 0, 1), (0, 0, 0)]
    assert (told["total"], told["waiting"]) == ({"answers": 3, "answered": 2, "expected": 3}, 1)
    found = {one["name"]: one for one in office.get(path(COMMUNITY, f"/{NAME}/results")).json["questions"]}
    assert [(one["code"], one["count"]) for one in found["has_dog"]["choices"]] == [("yes", 2), ("no", 1)]
    assert [(one["code"], one["count"]) for one in found["sizes"]["choices"]] == [("small", 2), ("large", 1)]
    assert (found["dogs_count"]["answered"], found["dogs_count"]["sum"], found["dogs_count"]["mean"]) == (2, 3, 1.5)
    assert found["words"] == found["words"] | {"answered": 1, "choices": None}

    rows = office.get(f"/api/v1/communities/{COMMUNITY}/roster/survey_dogs").json["rows"]
    assert sorted((row["q_has_dog_label"], row["q_dogs_count"]) for row in rows if row["q_dogs_count"]) == [("有", 1), ("有", 2)]
    assert rows[0]["at_door_number"] == "101"
    book = office.get(f"/api/v1/communities/{COMMUNITY}/roster/survey_dogs?format=xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(book.data)).worksheets[0]
    assert (sheet.title, sheet.max_row) == ("养犬登记", 4)
    assert [row for row in office.get("/api/v1/rosters").json["rosters"] if row["name"] == "survey_dogs"]


def test_a_survey_asks_its_audience_only(ground, office):
    """Only households with a dog are expected to answer: phones are told the condition, the office sees it and whom it leaves."""
    phone = ground.worker(0, 1)
    first, second = homes(ground, phone, 0, 2)
    homes(ground, phone, 1)
    phone.push([patch(ground, first, {"pets_count": 2})], [patch(ground, second, {"pets_count": 0})])
    live = go_live(office, COMMUNITY, dogs(dishu_audience="${pets_count} > 0"))
    assert live["audience"] == "${pets_count} > 0"
    told = reference(phone).json["forms"][NAME]["audience"]
    assert told["text"] == "${pets_count} > 0" and told["tree"]["call"] == ">"
    phone.push([answer(first, dogs_count=2)])
    told = office.get(path(COMMUNITY, f"/{NAME}/progress")).json
    assert [(one["answered"], one["expected"]) for one in told["cells"]] == [(1, 1), (0, 0), (0, 0)]
    assert told["total"] == {"answers": 1, "answered": 1, "expected": 1}
    worker, other = collect(ground, 0), collect(ground, 1)  # with ODK Collect: those who are asked; no form where nobody is
    assert {one: row["dishu_asked_dogs"] for one, row in worker.fetch("household").items()} == {first: "true", second: "false"}
    assert "dishu_asked_dogs != 'false'" in worker.get(f"/forms/{NAME}.xml").data.decode()
    assert [b"<formID>dogs<" in one.get("/formList").data for one in (worker, other)] == [True, False]
    wrong = send(office, COMMUNITY, dogs(2, dishu_audience="${birth_date} > 0"), "/check")
    assert [one["code"] for one in wrong.json["refusals"]] == ["audience"]


def test_a_phone_merges_answers_like_any_record(ground, office):
    """An answer is seen by the other phone of the cell, corrected there, and set side by side when both wrote."""
    go_live(office, COMMUNITY)
    one, two = ground.worker(0), ground.worker(0)
    made = answer(homes(ground, one, 0)[0], words="一")
    one.write(made)
    two.pull()
    assert two.bodies[made["id"]]["fields"]["has_dog"] == "yes"
    base = ground.base(made["id"])
    patch = {"op_id": uuid7(), "type": NAME, "id": made["id"], "kind": "patch", "base": base, "was": {}, "form_version": 1, "claimed_at": "2026-03-02T00:30:00Z"}
    one.write(patch | {"set": {"dogs_count": 2}})
    said = two.push([patch | {"op_id": uuid7(), "set": {"sizes": {"add": ["large"], "remove": []}}}])[0]
    assert said["now"]["outcome"] == "merged"
    assert ground.fields(made["id"])["dogs_count"] == 2


def test_the_answers_of_a_household_stand_on_its_page(ground, office):
    """Who opens the household sees what it answered."""
    go_live(office, COMMUNITY)
    phone = ground.worker(0)
    household = homes(ground, phone, 0)[0]
    made = answer(household)
    phone.write(made)
    page = office.get(f"/api/v1/records/household/{household}")
    assert page.status_code == 200, page.data
    assert f"{NAME}.household" in str(page.json["related"])
    assert office.get(f"/api/v1/records/{NAME}/{made['id']}").json["record"]["type"] == NAME


def test_a_workbook_is_refused_whole(ground, office):
    """Sheet, row, column and reason for everything that is wrong; nothing is kept."""
    wrong = dogs(rows=[["begin repeat", "m", "成员", "Members"], ["end repeat"], ["image", "photo", "照片", "Photo"], ["text", "words", "说明", "Words"]])
    said = send(office, COMMUNITY, wrong, "/check").json
    assert (said["ok"], said["survey"]) == (False, None)
    assert [(one["sheet"], one["row"], one["column"], one["code"]) for one in said["refusals"]] == [
        ("survey", 2, "A", "type_repeat"), ("survey", 4, "A", "type_media"),
    ]  # fmt: skip
    assert all(one["zh"] and one["en"] for one in said["refusals"])
    refused = send(office, COMMUNITY, dogs(rows=[["image", "photo", "照片", "Photo"]]))
    assert problem(refused) == (422, "invalid-input")
    assert refused.json["errors"][0]["pointer"] == "/file/survey!A2"
    assert office.get(path(COMMUNITY)).json == {"surveys": []}
    assert problem(send(office, COMMUNITY, io.BytesIO(b"no workbook")))[1] == "invalid-input"
    taken = send(office, COMMUNITY, dogs(form_id="person"), "/check").json
    assert taken["refusals"][0]["code"] == "form_taken"


def test_whom_a_survey_asks_is_changed_at_the_office(ground, office):
    """The condition becomes a draft of the next version with the same questions, and is in force once it is published; empty: everybody."""
    go_live(office, COMMUNITY)
    where = path(COMMUNITY, f"/{NAME}/audience")
    said = office.post(where, {"audience": "${kind} = ‘family’"})
    assert (said.status_code, said.json["draft_version"], said.json["audience"]) == (201, 2, "${kind} = 'family'")
    assert office.post(where, {"audience": "${household_number} != ''"}).json["draft_version"] == 2  # the draft is put right, no third version
    live = office.post(path(COMMUNITY, f"/{NAME}/publish"), {"version": 2}).json
    assert (live["version"], live["audience"], len(live["questions"])) == (2, "${household_number} != ''", 4)
    assert office.post(where, {"audience": " "}).json["audience"] is None
    for wrong, told in (("${nobody} = 1", "没有可作答的题目 'nobody'"), ("${kind", "无法识别")):
        refused = office.post(where, {"audience": wrong})
        assert problem(refused) == (422, "invalid-input") and told in refused.json["errors"][0]["message"]
    assert problem(office.post(path(COMMUNITY, "/cats/audience"), {"audience": ""})) == (404, "not-found")


def test_what_collect_cannot_say_is_told_before_it_is_kept(ground, office):
    """The secretary sees that only our own app asks this survey, when the workbook is looked at and beside the survey."""
    assert send(office, COMMUNITY, dogs(), "/check").json["survey"]["collect"] is True
    twice = [["text", "dishu_record", "记录", "Record"]]
    assert send(office, COMMUNITY, dogs(rows=twice), "/check").json["survey"]["collect"] is False
    hidden = [["begin group", "main", "养犬", "Dogs", "", "${count} != ''"], ["integer", "count", "几只", "How many"], ["end group"]]
    assert send(office, COMMUNITY, dogs(rows=hidden), "/check").json["survey"]["collect"] is False  # it asks when itself was answered
    assert send(office, COMMUNITY, dogs(rows=twice)).json["collect"] is False
    assert office.get(path(COMMUNITY, f"/{NAME}")).json["collect"] is False


def test_a_draft_is_seen_by_nobody_else(ground, office):
    """A draft has its questions at the office; phones, results and rosters know nothing of it; it can be replaced and dropped."""
    phone = ground.worker(0)
    made = send(office, COMMUNITY, dogs(), subject="person")
    assert (made.status_code, made.json["state"], made.json["subject"], made.json["questions_count"]) == (201, "draft", "person", 4)
    assert NAME not in reference(phone).json["forms"]
    assert problem(office.get(path(COMMUNITY, f"/{NAME}/results"))) == (404, "not-found")
    assert phone.outcomes([answer(uuid7())]) == [("quarantined", "unknown_type")]
    assert send(office, COMMUNITY, dogs()).json["subject"] == "household"
    assert office.client.delete(path(COMMUNITY, f"/{NAME}/drafts/1"), headers=office.headers).status_code == 204
    assert office.get(path(COMMUNITY)).json == {"surveys": []}


def test_a_closed_survey_takes_no_new_answers(ground, office):
    """Late answers are kept and the phone is told; corrections go on; opened again, the late ones can be let in."""
    go_live(office, COMMUNITY)
    phone = ground.worker(0)
    first, second = homes(ground, phone, 0, 2)
    early, late = answer(first), answer(second, words="迟到的")
    phone.write(early)
    closed = office.post(path(COMMUNITY, f"/{NAME}/close")).json
    assert closed["state"] == "closed"
    assert reference(phone).json["surveys"][0]["closed"] is True
    said = phone.push([late])[0]
    assert (said["now"]["outcome"], said["now"]["reason"]) == ("quarantined", "survey_closed")
    base = ground.base(early["id"])
    change = {"op_id": uuid7(), "type": NAME, "id": early["id"], "kind": "patch", "base": base, "set": {"words": "更正"}, "was": {}, "form_version": 1}
    assert phone.outcomes([change]) == [("applied", None)]
    assert office.get(path(COMMUNITY, f"/{NAME}/progress")).json["waiting"] == 1
    assert problem(office.post(path(COMMUNITY, f"/{NAME}/close"))) == (404, "not-found")

    waiting = office.get("/api/v1/inbox/quarantine").json["rows"][0]
    assert (waiting["reason"], waiting["type"]) == ("survey_closed", NAME)
    again, asked = f"/api/v1/inbox/quarantine/{phone.install_id}/{waiting['n']}/repair", {"operations": [{"n": waiting["n"], "set": {}}]}
    assert problem(office.post(again, asked)) == (422, "invalid-input")
    assert office.post(path(COMMUNITY, f"/{NAME}/publish"), {"version": 1}).json["state"] == "published"
    assert office.post(again, asked).status_code == 200
    phone.pull()
    assert phone.statuses[late["op_id"]]["outcome"] == "applied"


def test_old_phones_answer_the_old_version(ground, office):
    """A second version goes live; a phone that has not heard answers the first; both stand in one roster."""
    phone = ground.worker(0)
    first, second = homes(ground, phone, 0, 2)
    go_live(office, COMMUNITY)
    rows = [
        ["select_one yes", "has_dog", "家里有没有狗", "Any dog?", "yes"], ["integer", "dogs_count", "几只", "How many"],
        ["select_multiple size", "sizes", "体型", "Sizes"], ["date", "licensed_on", "办证日期", "Licensed on", "yes"],
    ]  # fmt: skip
    choices = [["yes", "yes", "有", "Yes"], ["yes", "no", "没有", "No"], ["size", "large", "大型", "Large"], ["size", "giant", "巨型", "Giant"]]
    new = answer(second, version=2, licensed_on="2026-01-05", sizes=["giant"])
    assert phone.outcomes([new]) == [("held", "form")]
    live = go_live(office, COMMUNITY, dogs(2, rows=rows, choices=choices), 2)
    assert [one["version"] for one in live["versions"]] == [2, 1]
    phone.pull()
    assert phone.statuses[new["op_id"]]["outcome"] == "applied"
    old = answer(first, version=1, sizes=["small"], words="第一版才有的题")
    assert phone.outcomes([old]) == [("applied", None)]
    assert ground.fields(old["id"])["words"] == "第一版才有的题"
    found = {one["name"]: one for one in office.get(path(COMMUNITY, f"/{NAME}/results")).json["questions"]}
    assert {(one["code"], one["count"], one["retired"]) for one in found["sizes"]["choices"]} == {
        ("large", 0, False), ("giant", 1, False), ("small", 1, True),
    }  # fmt: skip
    assert problem(send(office, COMMUNITY, dogs(2))) == (422, "invalid-input")


def test_the_workbook_comes_back(ground, office):
    """What was published is downloaded as a workbook that says the same, version by version."""
    go_live(office, COMMUNITY)
    given = office.get(path(COMMUNITY, f"/{NAME}/workbook"))
    assert given.headers["Content-Disposition"].endswith('dogs.xlsx"')
    again = send(office, COMMUNITY, io.BytesIO(given.data), "/check").json
    assert [one["code"] for one in again["refusals"]] == ["version_not_newer"]
    book = openpyxl.load_workbook(io.BytesIO(given.data))
    settings = book["settings"]
    settings.cell(2, [one.value for one in settings[1]].index("version") + 1).value = "2"
    changed = io.BytesIO()
    book.save(changed)
    changed.seek(0)
    assert send(office, COMMUNITY, changed, "/check").json["ok"] is True
    assert problem(office.get(path(COMMUNITY, f"/{NAME}/workbook?version=7"))) == (404, "not-found")


def test_another_process_knows_at_once(ground, office, tmp_path):
    """Every server process looks at one small query, and builds a registry only when something was published."""
    second = house_of(create_app(ground.house.settings, clock=ground.house.clock, new_id=uuid7))
    assert community_registry(second, COMMUNITY) is second.registry is load_registry()
    go_live(office, COMMUNITY)
    found = community_registry(second, COMMUNITY)
    assert found.surveys == (NAME,)
    assert community_registry(second, COMMUNITY) is found
    assert at_home(at_home(second, COMMUNITY), COMMUNITY).registry is found
    office.post(path(COMMUNITY, f"/{NAME}/close"))
    assert community_registry(second, COMMUNITY).closed == {NAME}
    second.engine.dispose()


def test_a_neighbour_has_surveys_of_its_own(ground, office):
    """L10: the same name next door is another survey; nobody reads, closes or answers a neighbour's."""
    with write(ground.house.engine) as connection:
        add_community(connection, Community(NEIGHBOUR, "999999004001", "邻社区", CODE[:9], CODE[:6], "cn-grid-15"), at=stamp(ground.house.clock()))
    accounts.add_user(ground.house, OPERATOR, login="secretary-2", name="某人", role="secretary", password=PASSWORD, community_id=NEIGHBOUR)
    neighbour = Person(ground.app.test_client())
    assert neighbour.sign_in("secretary-2", PASSWORD).status_code == 200
    go_live(office, COMMUNITY)
    assert neighbour.get(path(NEIGHBOUR)).json == {"surveys": []}
    assert neighbour.get("/api/v1/reference").json["surveys"] == []
    for rest in ("", f"/{NAME}", f"/{NAME}/results", f"/{NAME}/workbook"):
        assert problem(neighbour.get(path(COMMUNITY, rest)))[1] == "outside-your-scope"
    assert problem(neighbour.post(path(COMMUNITY, f"/{NAME}/close")))[0] == 403
    words = dogs(rows=[["text", "words", "另一种题", "Other words"]], form_title="邻居的养犬")
    go_live(neighbour, NEIGHBOUR, words)
    assert community_registry(ground.house, NEIGHBOUR).latest(NAME).label["zh"] == "邻居的养犬"
    assert community_registry(ground.house, COMMUNITY).latest(NAME).label["zh"] == "养犬登记"


def test_a_survey_of_places_stands_where_its_point_is(ground, office):
    """A survey about nobody has a point of its own: it is placed by it, counted, and expects nothing."""
    rows = [["geopoint", "anchor", "位置", "Place"], ["text", "words", "说明", "Words"]]
    go_live(office, COMMUNITY, dogs(rows=rows, dishu_subject="none"))
    phone = ground.worker(1)
    place = building(1)["set"]["anchor"]
    made = create(NAME, {"anchor": place, "words": "井盖松动"}, form_version=1)
    phone.write(made)
    assert ground.record(made["id"]).home == ground.streams[1]
    told = office.get(path(COMMUNITY, f"/{NAME}/progress")).json
    assert told["cells"][1]["answers"] == 1 and told["total"] == {"answers": 1, "answered": None, "expected": None}


def test_a_worker_sees_the_figures_of_their_own_cells(ground, office):
    """L10: progress and results are cut by scope like every list; only the secretary publishes."""
    go_live(office, COMMUNITY)
    phone = ground.worker(0, 1)
    phone.write(answer(homes(ground, phone, 0)[0]), answer(homes(ground, phone, 1)[0]))
    cells = ground.worker(0)
    worker = Person(ground.app.test_client())
    login = ground.rows("SELECT login FROM user_account WHERE user_id = ?", cells.user_id)[0].login
    assert worker.sign_in(login, PASSWORD).status_code == 200
    told = worker.get(path(COMMUNITY, f"/{NAME}/progress")).json
    assert ([one["answers"] for one in told["cells"]], told["waiting"]) == ([1], None)
    assert worker.get(path(COMMUNITY, f"/{NAME}/results")).json["answers"] == 1
    assert problem(worker.post(path(COMMUNITY, f"/{NAME}/close")))[0] == 403
    assert problem(send(worker, COMMUNITY, dogs(2)))[0] == 403


def test_publishing_is_written_down(ground, office):
    """L11: who put a survey in force and who closed it stands in the audit log."""
    go_live(office, COMMUNITY)
    office.post(path(COMMUNITY, f"/{NAME}/close"))
    lines = ground.rows("SELECT purpose, record_type FROM audit WHERE action = 'change' AND record_type = ? ORDER BY at", NAME)
    assert [tuple(line) for line in lines] == [("survey published", NAME), ("survey closed", NAME)]
    with write(ground.house.engine) as connection:
        assert run(connection, "SELECT COUNT(*) FROM survey WHERE state = 'closed'").scalar_one() == 1


def test_the_terminal_does_the_same(ground, tmp_path):
    """`dishu survey`: checked with places, published into the running server, closed, written out again; only by the secretary."""
    good, bad = tmp_path / "养犬.xlsx", tmp_path / "坏.xlsx"
    good.write_bytes(dogs().getvalue())
    bad.write_bytes(dogs(rows=[["image", "photo", "照片", "Photo"]]).getvalue())
    settings = ground.house.settings
    # The key is the test's own: the command finds it, as in a house of its own, in a file.
    (tmp_path / "key").write_text(settings.secret().hex())
    (tmp_path / "key").chmod(0o600)
    env = {name: None for name in os.environ if name.startswith("DISHU_")} | {
        "DISHU_DATA": str(settings.data_dir), "DISHU_DATABASE_URL": settings.database_url, "DISHU_KEY_FILE": str(tmp_path / "key"),
    }  # fmt: skip

    def dishu(*words):
        return CliRunner().invoke(main, ["survey", *map(str, words), "--as", "secretary-1"], env=env, catch_exceptions=False)

    refused = dishu("check", bad)
    assert (refused.exit_code, refused.output.splitlines()[0].split("\t")[:2]) == (1, ["survey!A2", "type_media"])
    assert "questions 4" in dishu("check", good, "--subject", "person").output
    assert dishu("publish", good).output == "dogs\tpublished\tversion 1\n"
    assert dishu("list").output.split("\t")[:4] == ["dogs", "published", "1", "-"]
    assert community_registry(ground.house, COMMUNITY).surveys == (NAME,)
    assert dishu("export", NAME, "-o", tmp_path / "out.xlsx").exit_code == 0
    assert openpyxl.load_workbook(tmp_path / "out.xlsx")["settings"].max_row == 2
    assert dishu("close", NAME).output == "dogs\tclosed\tversion 1\n"
    assert dishu("close", NAME).exit_code == 1
