"""What a phone sees of the records of its streams (S23): care records of other lines of work come as bare envelopes, to every count and digest."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from server_kit import PASSWORD, create, furnish, home, open_ground, operation, patch
from stream_oracle import recount

from server.permissions import Projection, projection_of
from server.services import accounts, snapshots
from server.services.release import sweep
from server.services.verify import verify

ELDERLY, VETERANS = "elderly_care", "veterans"
ON_SQLITE = pytest.mark.parametrize("prepared_database", ["sqlite"], indirect=True)
QUARANTINED = [("quarantined", "out_of_scope")]


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish_with_care), tmp_path)
    ground.workers = 10  # the names below are taken
    yield ground
    recount(ground)
    assert verify(ground.house).agrees
    ground.close()


def community_worker(ground, *topics):
    """The phone of a community worker of these lines of work."""
    ground.workers += 1
    user = accounts.add_user(
        ground.house, ground.secretary, login=f"line-{ground.workers}", name="某条线", role="community_worker", password=PASSWORD,
        topics=topics,
    )  # fmt: skip
    return ground.enrol(user.user_id)


def give_lines(ground, phone, *topics):
    user = accounts.find_user(ground.house, ground.secretary, phone.user_id)
    accounts.set_topics(ground.house, ground.secretary, user, topics)


def care(person, line, **more):
    return create("care_status", {"person": person, "kind": "living_alone", "line_of_work": line, "note": f"{line} 记事", **more})


def furnish_with_care(url):
    """Homes in two cells, and care records of their people: of one line of work, of another, of none; the ids are in order."""
    furnish(url)
    with tempfile.TemporaryDirectory() as folder:
        ground = open_ground(url, Path(folder))
        writer = ground.worker(0, 1)
        homes = [home(0, "赵一", "钱二"), home(1, "孙三")]
        people = [homes[0].persons[0], homes[0].persons[1], homes[1].persons[0]]
        records = [care(people[0], ELDERLY), *[care(people[1], VETERANS) for _ in range(7)], care(people[2], VETERANS)]
        records.append(create("care_status", {"person": people[2], "kind": "living_alone"}))
        writer.write(*[one for each in homes for one in each.operations], *records)
        ground.close()


@pytest.fixture
def made(ground):
    """Ids of the care records: the first is of one line of work, the last of none, the others of another."""
    found = {row.id: json.loads(row.fields).get("line_of_work") for row in ground.rows("SELECT id, fields FROM record WHERE type = 'care_status'")}
    return sorted(found, key=lambda one: [ELDERLY, VETERANS, None].index(found[one]))


def told_lines(phone, tag=None):
    """The lines of work that the reference data tells a phone, and its tag; None for a 304."""
    headers = {"Authorization": f"Bearer {phone.token}"} | ({"If-None-Match": tag} if tag else {})
    answer = phone.ground.app.test_client().get("/api/v1/reference", headers=headers)
    return (answer.json["lines_of_work"] if answer.status_code == 200 else None), answer.headers["ETag"]


@ON_SQLITE
def test_a_phone_is_told_which_lines_of_work_its_forms_may_offer(ground):
    """A community worker gets theirs, anew when they change; everybody else null: nothing is typed that would be set apart."""
    phone = community_worker(ground, VETERANS, ELDERLY)
    lines, tag = told_lines(phone)
    assert lines == [ELDERLY, VETERANS]
    assert told_lines(phone, tag) == (None, tag)
    give_lines(ground, phone, VETERANS)
    assert told_lines(phone, tag)[0] == [VETERANS]
    assert told_lines(community_worker(ground))[0] == []
    assert told_lines(ground.worker(0))[0] is None


def test_a_community_workers_phone_has_every_record_and_the_care_of_their_own_lines_only(ground, made):
    """S23: the streams of a phone are the same for everybody; of care that is not theirs it gets id, v and tag, and totals agree."""
    secretary, phone = ground.enrol(ground.secretary.user_id), community_worker(ground, ELDERLY)
    assert phone.visible == secretary.visible
    for stream in ground.streams:
        assert phone.told[stream] == secretary.told[stream], "count and digest are those of everybody"
    mine, *others = made
    assert phone.bodies[mine]["fields"]["note"] == f"{ELDERLY} 记事"
    for one in others:
        assert phone.bodies[one] == {"id": one, **ground.base(one)}
        assert secretary.bodies[one]["fields"]["kind"] == "living_alone"
    nobodys = community_worker(ground)
    assert all(set(nobodys.bodies[one]) == {"id", "v", "tag"} for one in made)
    [seen] = {row.fields for row in ground.rows("SELECT fields FROM audit WHERE scope LIKE 'streams=%' AND actor_id = ?", phone.user_id)}
    assert json.loads(seen) == [f"masked/1 lines={ELDERLY}"], "the audit log names what was shown (L11)"


def test_a_care_record_that_changes_its_line_comes_and_goes(ground, made):
    """S23: handed from line to line it becomes a bare envelope on one phone and a whole record on the other."""
    elderly, veterans, secretary = community_worker(ground, ELDERLY), community_worker(ground, VETERANS), ground.enrol(ground.secretary.user_id)
    secretary.write(patch(ground, made[0], {"line_of_work": VETERANS}))
    for phone in (elderly, veterans):
        phone.pull()
    assert set(elderly.bodies[made[0]]) == {"id", "v", "tag"} and elderly.bodies[made[0]]["v"] == 2
    assert veterans.bodies[made[0]]["fields"]["note"] == f"{ELDERLY} 记事"


def test_other_lines_of_work_mean_that_everything_is_read_again(ground, made):
    """S23: a change of what a role sees means replacement; the phone loses what is no longer its own, and shows what now is."""
    phone, other = community_worker(ground, ELDERLY), community_worker(ground, VETERANS)
    assert phone.pull()[0]["replace"] == []
    give_lines(ground, phone, VETERANS)
    phone.bodies.clear()
    first = phone.pull()[0]
    assert set(first["replace"]) == set(first["scope"]["streams"]) and first["scope"]["version"] == 1
    assert set(phone.bodies[made[0]]) == {"id", "v", "tag"}
    assert "fields" in phone.bodies[made[1]]
    assert phone.pull()[0]["replace"] == [], "once"
    assert other.pull()[0]["replace"] == [], "and nobody else's"


def test_what_a_phone_was_not_shown_it_cannot_write(ground, made):
    """S23, S18: nothing that was not seen is cleared, deleted, confirmed or settled; what was tried is kept for the secretary."""
    phone, [mine, *theirs] = community_worker(ground, ELDERLY), made
    before, person = [ground.record(one) for one in made], ground.fields(mine)["person"]
    bases = [ground.base(one) for one in theirs]
    tries = [
        patch(ground, theirs[0], {"note": None, "level": "daily"}), patch(ground, theirs[1], {"line_of_work": ELDERLY}),
        operation("delete", "care_status", theirs[2], base=bases[2]), operation("confirm", "care_status", theirs[3], base=bases[3]),
        operation("restore", "care_status", theirs[4], base=bases[4]),
        operation("resolve", "care_status", theirs[5], {"level": "weekly"}, base=bases[5], unit="level", siblings=[]),
        create("care_status", {"person": person, "kind": "living_alone", "line_of_work": ELDERLY}, theirs[6]),
        care(person, VETERANS), create("care_status", {"person": person, "kind": "living_alone"}),
        patch(ground, mine, {"line_of_work": VETERANS}), patch(ground, theirs[-1], {"level": "daily"}),
    ]  # fmt: skip
    for one, result in zip(tries, phone.push(*[[one] for one in tries]), strict=True):
        assert (result["now"]["outcome"], result["now"]["reason"]) == QUARANTINED[0], one
        assert result["record"] is None and VETERANS not in str(result)
    assert [ground.record(one) for one in made] == before
    assert phone.outcomes([care(ground.fields(made[1])["person"], ELDERLY)]) == [("applied", None)]


@ON_SQLITE
def test_own_lines_and_everything_else_are_written_as_from_any_phone(ground, made):
    """S23: care of the own line, people and homes in every cell."""
    phone = community_worker(ground, ELDERLY)
    person = ground.fields(made[2])["person"]
    phone.write(patch(ground, made[0], {"level": "daily"}), patch(ground, person, {"occupation_text": "司机"}), care(person, ELDERLY))
    phone.write(operation("delete", "care_status", made[0], base=ground.base(made[0])))
    phone.pull()


def test_late_work_counts_by_the_lines_that_the_phone_then_had(ground, made):
    """S18, S23: what was written before the lines or the record's line changed is taken; what comes later is not."""
    phone, secretary = community_worker(ground, ELDERLY), ground.enrol(ground.secretary.user_id)
    seen = ground.base(made[0])
    secretary.write(patch(ground, made[0], {"line_of_work": VETERANS}))
    offline = operation("patch", "care_status", made[0], {"level": "daily"}, base=seen, was={"level": None})
    assert phone.outcomes([offline])[0][0] in {"applied", "merged"}, "it was theirs in the version that they looked at"
    assert phone.outcomes([patch(ground, made[0], {"level": "weekly"})]) == QUARANTINED
    own = care(ground.fields(made[1])["person"], ELDERLY)
    phone.write(own)
    give_lines(ground, phone, VETERANS)
    assert phone.outcomes([patch(ground, own["id"], {"level": "daily"})])[0][0] == "applied", "made by its chain"
    assert phone.outcomes([care(ground.fields(made[1])["person"], ELDERLY)]) == [("applied", None)], "the phone does not know yet"
    phone.pull()
    assert phone.outcomes([care(ground.fields(made[1])["person"], ELDERLY)]) == QUARANTINED
    assert phone.outcomes([care(ground.fields(made[1])["person"], VETERANS)]) == [("applied", None)]


@ON_SQLITE
def test_held_work_of_another_line_is_not_let_in_by_waiting(ground, made):
    """S14, S23: released by the sweeper it is judged by every line that its author ever had."""
    phone, worker = community_worker(ground, ELDERLY), ground.worker(0)
    coming = home(0, "后来")
    mine, theirs = care(coming.persons[0], ELDERLY), care(coming.persons[0], VETERANS)
    assert phone.outcomes([mine], [theirs]) == [("held", "parent"), ("held", "parent")]
    worker.write(*coming.operations)
    sweep(ground.house)
    phone.pull()
    assert [phone.statuses[one["op_id"]]["outcome"] for one in (mine, theirs)] == ["applied", "quarantined"]


@ON_SQLITE
def test_each_projection_has_a_prepared_file_of_its_own(ground, made, monkeypatch):
    """S23, S20: the file for one line of work holds no word of another's, and phones of one line share it."""
    monkeypatch.setattr(snapshots, "FEWEST_ROWS", 3)
    phones = {ELDERLY: community_worker(ground, ELDERLY), VETERANS: community_worker(ground, VETERANS), None: ground.worker(0)}
    files = {}
    for line, phone in phones.items():
        said = json.loads(phone.post("pull", {"protocol": 1, "install_id": phone.install_id, "cursor": None, "snapshots": True}).data)
        [offer] = [one for one in said["snapshots"] if one["stream"] == ground.streams[0]]
        asked = {"protocol": 1, "install_id": phone.install_id, "stream": offer["stream"], "seq": offer["seq"]}
        files[line] = json.loads(phone.post("snapshot", asked).data)["rows"]
    shown = {line: {row["record"]["id"] for row in rows if "fields" in row["record"]} for line, rows in files.items()}
    assert made[0] in shown[ELDERLY] and made[1] not in shown[ELDERLY] and made[1] in shown[VETERANS] and {*made[:2]} <= shown[None]
    assert {len(rows) for rows in files.values()} == {len(files[None])}
    assert f"{VETERANS} 记事" not in str(files[ELDERLY])


@ON_SQLITE
def test_values_in_dispute_are_not_told_to_another_line(ground, made):
    """S4, S23: what stands side by side in a care record is shown to phones of its line."""
    one, two = ground.worker(0), ground.worker(0)
    seen = ground.base(made[0])
    for phone, level in ((one, "daily"), (two, "weekly")):
        phone.push([operation("patch", "care_status", made[0], {"level": level}, base=seen, was={"level": None})])
    asked = {"protocol": 1, "records": [made[0]]}
    told = {}
    for line in (ELDERLY, VETERANS):
        phone = community_worker(ground, line)
        told[line] = json.loads(phone.post("disputes", asked | {"install_id": phone.install_id}).data)["disputes"]
    assert [one["unit"] for one in told[ELDERLY]] == ["level"] and told[VETERANS] == []


def test_a_projection_is_named_by_what_it_shows():
    """S23: the name in cursors and in the audit log tells lines apart, in one order, each once."""
    assert projection_of("grid_worker", (ELDERLY,)) == projection_of("secretary", ()) == Projection()
    assert projection_of("community_worker", (VETERANS, ELDERLY, ELDERLY)).name == f"masked/1 lines={ELDERLY},{VETERANS}"
    assert projection_of("community_worker", ()).name != Projection().name
