"""Pulling (S19–S23): pages of any size, cursors nobody can bend, and totals that agree at `complete`."""

from __future__ import annotations

import base64
import json

import pytest
from front_door import problem
from server_kit import building, create, furnish, home, open_ground, operation, patch
from stream_oracle import recount

from server.services import pull as pulling


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    recount(ground)
    ground.close()


def ask(phone, **body):
    return phone.post("pull", {"protocol": 1, "install_id": phone.install_id, "cursor": None} | body)


def fill(ground, count=4):
    """Homes in two cells; what the streams of both show."""
    phone = ground.worker(0, 1)
    made = [home(number % 2, "张一", "张二") for number in range(count)]
    phone.write(*[one for each in made for one in each.operations])
    return made


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_tiny_pages_give_the_same_copies_as_one(ground, limit):
    """S20: page by page or at once, the phone holds the same; only the last page says complete."""
    fill(ground)
    whole = ground.worker(0, 1)
    small = ground.enrol(whole.user_id)
    small.cursor, small.copies, small.seen = None, type(small.copies)(dict), []
    pages = small.pull(limit)
    assert small.copies == dict(whole.copies) | {k: {} for k in small.copies if k not in whole.copies}
    assert all(len(page["rows"]) <= limit for page in pages)
    assert [page["complete"] for page in pages] == [False] * (len(pages) - 1) + [True]
    assert all("streams" not in page and "applied" not in page for page in pages[:-1])
    assert len(small.seen) == len(set(small.seen)) == 20 + len(small.copies["~reference"]), "every row once"


def test_a_first_synchronisation_is_told_how_much_is_coming(ground):
    """The page with which streams begin says how many records they hold, for the bar of a phone; no other page says anything."""
    fill(ground)
    phone = ground.worker(0, 1)
    phone.cursor = None
    pages = phone.pull(3)
    held = sum(one["count"] for one in pages[-1]["streams"].values())
    assert pages[0]["coming_count"] == held > 10
    assert all("coming_count" not in page for page in pages[1:])
    assert "coming_count" not in phone.page(3)
    again = ask(phone, cursor=phone.cursor, replace=[ground.streams[0]]).get_json()
    assert again["coming_count"] == pages[-1]["streams"][ground.streams[0]]["count"]


def test_the_install_stream_comes_first_and_the_others_take_turns(ground):
    """S20: what became of own work comes before a full cell; no stream starves another."""
    fill(ground)
    phone, other = ground.worker(0, 1), ground.worker(0)
    parent = building(0)
    child = create("dwelling", {"building": parent["id"], "door_number": "1"})
    phone.push([child])
    other.push([parent])
    writer = ground.worker(0, 1)
    for one in ground.rows("SELECT id FROM record WHERE type = 'household'"):
        writer.write(patch(ground, one.id, {"pets_count": 1}))
    first = phone.page(1)
    assert first["rows"][0]["kind"] == "STATUS"
    second, third = phone.page(1), phone.page(1)
    assert second["rows"][0]["stream"] != third["rows"][0]["stream"]
    phone.pull(1)


def test_pages_stay_below_the_byte_limit(ground, monkeypatch):
    """S20: a page of long records ends early and the next goes on; nothing is lost between them."""
    made = fill(ground)
    phone = ground.worker(0, 1)
    for one in made:
        phone.write(patch(ground, one.household, {"note": "长" * 3000}))
    monkeypatch.setattr(pulling, "PAGE_BYTES", 10_000)
    fresh = ground.enrol(phone.user_id)
    fresh.cursor, fresh.copies, fresh.seen = None, type(fresh.copies)(dict), []
    pages = fresh.pull()
    assert len(pages) >= 3
    assert max(len(json.dumps(page["rows"], ensure_ascii=False).encode()) for page in pages) < 25_000
    assert len(fresh.visible) == 20


def test_a_record_that_changes_between_pages_comes_once_more_and_is_right_at_the_end(ground):
    """L8, S20: writers between two pages are seen before the pull is complete."""
    made = fill(ground)
    phone, writer = ground.worker(0, 1), ground.worker(0, 1)
    phone.cursor, phone.copies = None, type(phone.copies)(dict)
    count = 0
    while not phone.page(3)["complete"]:
        count += 1
        if count < 6:
            writer.write(patch(ground, made[0].household, {"pets_count": count}))
        if count == 3:
            writer.write(patch(ground, made[1].building, {"anchor": made[0].operations[0]["set"]["anchor"]}))
            writer.write(operation("delete", "person", made[2].persons[0], base=ground.base(made[2].persons[0])))
    assert phone.bodies[made[0].household]["fields"]["pets_count"] == 5
    assert made[2].persons[0] not in phone.visible and len(phone.visible) == 19


def test_a_cursor_that_was_touched_is_refused_clearly(ground):
    """S19: S19: changed, shortened, invented or another phone's: cursor-unreadable; nothing is told."""
    fill(ground)
    phone, other = ground.worker(0), ground.worker(1)
    raw = base64.urlsafe_b64decode(phone.cursor)
    forged = raw[:16] + raw[16:].replace(b'"' + phone.install_id.encode(), b'"' + other.install_id.encode())
    bad = ["", "x", "***", phone.cursor[:-8], phone.cursor[:8] + "AAAA" + phone.cursor[12:], "é" * 40,
           base64.urlsafe_b64encode(forged).decode(), base64.urlsafe_b64encode(b"0" * 16 + b"[]").decode()]  # fmt: skip
    for cursor in bad:
        assert problem(ask(phone, cursor=cursor)) == (410, "cursor-unreadable"), cursor
    answer = ask(other, cursor=phone.cursor)
    assert problem(answer) == (410, "cursor-unreadable")
    assert b"rows" not in answer.data


def test_a_malformed_pull_names_its_place(ground):
    """Bad input: the envelope's pointer is told."""
    phone = ground.worker(0)
    for pointer, body in {
        "/protocol": {"protocol": 7}, "/install_id": {"install_id": "someone-else"}, "/cursor": {"cursor": 5},
        "/limit": {"limit": 0}, "/replace": {"replace": "all"},
    }.items():  # fmt: skip
        answer = ask(phone, **body)
        assert problem(answer) == (422, "invalid-input") and answer.json["errors"][0]["pointer"] == pointer
    huge = ask(phone, limit=2**70)
    assert huge.status_code in {200, 422}


def test_a_doubted_stream_is_read_again_from_zero(ground):
    """S19: `replace` names the streams to rebuild; the others go on where they were; streams of others stay closed."""
    fill(ground)
    phone = ground.worker(0, 1)
    page = phone.pull(replace=[ground.streams[0]])[0]
    assert page["replace"] == [ground.streams[0]]
    assert {row["stream"] for row in page["rows"]} == {ground.streams[0]}
    foreign = ground.worker(1)
    said = foreign.pull(replace=[ground.streams[0]])[0]
    assert said["replace"] == [] and said["rows"] == []


def test_another_life_of_the_database_is_read_anew(ground):
    """S25: with a new epoch the old cursor means replacement of everything."""
    from server.store.database import run, write

    fill(ground)
    phone = ground.worker(0)
    with write(ground.house.engine) as connection:
        run(connection, "UPDATE database_life SET epoch = ?", ("another-life",))
    page = phone.pull()[0]
    assert page["epoch"] == "another-life" and set(page["replace"]) == set(page["scope"]["streams"])


def test_a_cursor_below_the_floor_gets_a_replacement(ground):
    """Trap 23: where REMOVE rows were purged, an old cursor rebuilds the stream instead of missing them."""
    from server.store.database import run, write

    made = fill(ground)
    phone, writer = ground.worker(0), ground.worker(0, 1)
    gone = made[0].persons[0]
    writer.write(operation("delete", "person", gone, base=ground.base(gone)))
    with write(ground.house.engine) as connection:
        run(connection, "DELETE FROM feed WHERE record_id = ? AND kind = 'REMOVE'", (gone,))
        run(connection, "UPDATE stream SET floor = seq WHERE stream_id = ?", (ground.streams[0],))
    page = phone.pull()[0]
    assert page["replace"] == [ground.streams[0]] and gone not in phone.visible


def test_applied_is_read_in_the_same_snapshot(ground):
    """Trap 31: the pull says how far the server has consumed this phone's log; safe n is 0 without backups."""
    phone = ground.worker(0)
    one = building(0)
    phone.write(one)
    page = phone.pull()[-1]
    assert page["applied"] == {"n": 1, "op_id": one["op_id"]} and page["safe_n"] == 0


def test_secrets_travel_as_masks_only(ground):
    """S23, S28: a document number never leaves in plain, in no page and in no answer."""
    from records_kit import id_number

    number = id_number("19600101", "001")
    phone = ground.worker(0)
    made = home(0, "张一", document_type="resident_id", document_number=number, document_missing_reason=None)
    phone.write(*made.operations)
    raw = ask(phone).get_data(as_text=True)
    assert number not in raw
    phone.pull()
    assert phone.bodies[made.persons[0]]["fields"]["document_number"] == {"mask": "****" + number[-4:]}


def test_a_pull_is_a_look_and_is_written_down_once(ground):
    """L11: the first page of a pull names the phone's user, the streams and how many rows; a pull that brings nothing is no look."""
    phone = ground.worker(0)
    phone.write(*home(0, "张一", "张二", "张三").operations)
    before = len(ground.rows("SELECT 1 FROM audit WHERE purpose = 'sync'"))
    phone.pull(limit=1)
    lines = ground.rows("SELECT actor_id, action, scope, fields FROM audit WHERE purpose = 'sync' ORDER BY at, audit_id")
    assert len(lines) == before + 1
    assert (lines[-1].actor_id, lines[-1].action) == (phone.user_id, "read")
    assert ground.streams[0] in lines[-1].scope
    phone.pull()
    assert len(ground.rows("SELECT 1 FROM audit WHERE purpose = 'sync'")) == before + 1
