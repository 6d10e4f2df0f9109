"""`dishu verify` (S27): after a busy time the journal accounts for everything stored; any row that is changed behind it is named."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from server_kit import (
    COMMUNITY,
    KEY,
    Ground,
    anchor,
    building,
    cells,
    create,
    furnish,
    home,
    open_ground,
    operation,
    patch,
    resident,
)

from forms.index import normalise_for_search
from server.app import create_app, house_of
from server.cli import main
from server.demo.load import ensure_demo
from server.house import uuid7
from server.services.differences import grouped
from server.services.editions import publish_edition
from server.services.push import accept_user_operation
from server.services.verify import Report, verify, verify_snapshot
from server.services.verify_deciding import AGAIN, FOLDED, GONE
from server.settings import Settings
from server.start import prepare
from server.store.database import read, run, write
from server.store.search import fold

PERSONAL = ("张三", "李四", "王五", "10200000001", "999999196001010015")


def busy(url: str) -> None:
    """A week of everything: homes, conflicts, answers, moves, cards, waiting work, a new edition, deletions."""
    furnish(url)
    with tempfile.TemporaryDirectory() as folder:
        ground = open_ground(url, Path(folder))
        _write_a_week(ground)
        ground.close()


def _write_a_week(ground: Ground) -> None:
    one, two = ground.worker(0, 1), ground.worker(0, 1)
    first = home(0, "张三", "李四", phones=["10200000001"])
    second = home(1, "王五")
    one.write(*first.operations)
    two.write(*second.operations)
    person = first.persons[0]
    one.pull()
    # Two phones, one unit that wants a decision, and one where the later stands: listed and closed, or answered.
    base = ground.base(person)
    one.write(patch(ground, person, {"residence_household": None}, base=base))
    left = patch(ground, person, {"residence_household": second.household, "relation_to_head": "02"}, base=base)
    assert two.push([left])[0]["now"]["outcome"] == "conflict"
    shown = ground.rows(
        "SELECT s.op_id FROM conflict c JOIN conflict_sibling s ON s.community_id = c.community_id "
        "AND s.conflict_id = c.conflict_id WHERE c.state = 'open' AND c.record_id = ?", person,
    )  # fmt: skip
    values = {"residence_household": second.household, "relation_to_head": "02"}
    answered = {"kind": "resolve", "type": "person", "id": person, "base": ground.base(person), "unit": "residence",
                "siblings": [row.op_id for row in shown], "set": values}  # fmt: skip
    accept_user_operation(ground.house, ground.secretary, answered)
    other = first.persons[1]
    base = ground.base(other)
    one.write(patch(ground, other, {"residence_household": None}, base=base))
    two.push([patch(ground, other, {"residence_household": second.household, "relation_to_head": "02"}, base=base)])
    # A card in the cell where somebody is registered, and a household that moves with all its people.
    one.write(patch(ground, other, {"registration_dwelling": second.dwelling}))
    two.write(patch(ground, second.household, {"dwelling": first.dwelling}))
    two.write(patch(ground, first.building, {"anchor": anchor(1)}), patch(ground, first.building, {"anchor": anchor(0)}))
    # Work that waits for its parent, work that is refused for good, bytes that are no operation, an id used again.
    late = create("dwelling", {"building": uuid7(), "door_number": "9"})
    assert one.outcomes([late]) == [("held", "parent")]
    one.write(create("building", {"name": "后来", "anchor": anchor(0)}, late["set"]["building"]))
    one.outcomes([create("dwelling", {"building": uuid7(), "door_number": "10"})])
    two.outcomes([create("person", {"residence_household": 7})], ["not an operation"])
    again = building(0)
    body = two.batch([[again]])
    two.send(body)
    body["groups"][0]["ops"][0]["op"] = json.dumps(again | {"claimed_at": "2026-03-02T00:31:00Z"})
    two.post("push", body)
    # An identity document, which is sealed; people without a cell; deleted, restored, deleted.
    one.write(patch(ground, person, {"document_type": "resident_id", "document_number": PERSONAL[-1], "document_missing_reason": None}))
    stray = resident(None, "赵六")
    one.write(stray, operation("delete", "person", stray["id"]), operation("restore", "person", stray["id"]))
    shed = building(9)
    one.write(shed, operation("confirm", "building", shed["id"], units=["name"], base=None))
    two.write(operation("delete", "household", first.household, base=ground.base(first.household)))
    ground.unassign(one.user_id, 1)
    publish_edition(ground.house, ground.secretary, COMMUNITY, cells(3, shift=0.005, first=11))


@pytest.fixture
def ground(prepared_database, tmp_path):
    made = open_ground(prepared_database(busy), tmp_path)
    with write(made.house.engine) as connection:
        fold(connection, COMMUNITY)
    yield made
    made.close()


def test_a_busy_community_agrees_with_its_journal(ground):
    """After everything that can happen in a week, every version, home, dispute, stream and text is accounted for."""
    told: list[tuple[int, int]] = []
    report = verify(ground.house, progress=lambda done, of: told.append((done, of)))
    assert report.agrees, str(report.difference)
    rows = {name: ground.rows(f"SELECT count(*) FROM {name}")[0][0] for name in (
        "journal", "record", "history", "placement_ledger", "record_index", "feed", "stream", "operation", "install",
        "assignment", "operation_status",
    )}  # fmt: skip
    counted = report.counts
    assert rows == {
        "journal": counted["journal entries"],
        "record": counted["records"],
        "history": counted["record versions"],
        "placement_ledger": counted["moves between cells"],
        "record_index": counted["search entries"],
        "feed": counted["rows of streams"],
        "stream": counted["streams"],
        "operation": counted["operations"],
        "install": counted["installs"],
        "assignment": counted["assignments"],
        "operation_status": counted["later outcomes"],
    }
    assert all(rows.values()) and counted["sealed operation texts"] == counted["operations"]
    assert counted["open conflicts"] and counted["texts under a used id"] == 1 and counted["outcomes told to phones"]
    assert told[-1][0] == told[-1][1] > 0


# ---------------------------------------------------------------- what somebody changed behind the journal

Tamper = tuple[str, str, tuple[str, ...]]
"""A name, SQL statements apart by semicolons, and words that the difference must contain."""

_PERSON = "(SELECT min(id) FROM record WHERE type = 'person' AND life = 'live' AND v > 1)"
_SECRET = "(SELECT id FROM record WHERE secret IS NOT NULL)"
_DISPUTED = "(SELECT min(record_id) FROM conflict WHERE state = 'open')"
_MOVED = "(SELECT min(record_id) FROM placement_ledger)"
_HELD = "(SELECT min(op_id) FROM operation WHERE now = 'held')"
_CELL = "(SELECT min(stream_id) FROM stream WHERE count > 2)"
_FULL = "(SELECT install_id FROM install ORDER BY last_n DESC LIMIT 1)"

TAMPERED: tuple[Tamper, ...] = (
    ("record: v", f"UPDATE record SET v = 77 WHERE id = {_PERSON}", ("record", ": v: expected ", "found 77")),
    ("record: tag", f"UPDATE record SET tag = '0000000000000000' WHERE id = {_PERSON}", (": tag: ", "found 0000000000000000")),
    ("record: life", f"UPDATE record SET life = 'deleted' WHERE id = {_PERSON}", (": life: expected live, found deleted",)),
    ("record: home", f"UPDATE record SET home = 'cell/elsewhere' WHERE id = {_PERSON}", (": home: ", "found cell/elsewhere")),
    ("record: dispute taken away", f"UPDATE record SET conflicts = '[]' WHERE id = {_DISPUTED}",
     ("units with an open conflict: expected residence, found none",)),
    ("record: dispute invented", f"UPDATE record SET conflicts = '[\"name\"]' WHERE id = {_SECRET}",
     ("units with an open conflict", "found name")),
    ("record: stamps", f"UPDATE record SET stamps = '{{}}' WHERE id = {_SECRET}", ("stamp of unit", "found nothing")),
    ("record: gone", f"DELETE FROM record WHERE id = {_PERSON}", ("named by the journal", "found missing")),
    ("record: made up", "INSERT INTO record (community_id, id, type, v, tag, life, home, fields, form_version, "
     "created_install, created_n, created_at, updated_at, fresh_at) SELECT community_id, 'made-up', type, v, tag, life, home, "
     f"fields, form_version, created_install, created_n, created_at, updated_at, fresh_at FROM record WHERE id = {_PERSON}",
     ("record made-up", "journal entries that name it", "found none")),
    ("record: name", f"UPDATE record SET fields = replace(fields, '张三', '张叁') WHERE id = {_SECRET}", ("search entry of field name",)),
    ("record: secret", f"UPDATE record SET secret = (SELECT wrapped FROM data_key WHERE subject_id = '~community') WHERE id = {_SECRET}",
     ("secret fields", "does not open")),
    ("record: mask", f"UPDATE record SET fields = replace(fields, '****', '*') WHERE id = {_SECRET}", ("mask of secret field document_number",)),
    ("history: gap", f"DELETE FROM history WHERE record_id = {_PERSON} AND v = 1", ("next version in history: expected 1, found 2",)),
    ("history: last version", f"DELETE FROM history WHERE record_id = {_PERSON} AND v = 2", ("version", "history")),
    ("history: tag", f"UPDATE history SET tag = '00' WHERE record_id = {_PERSON} AND v = 2", ("tag of version 2 in history, recomputed",)),
    ("history: units", f"UPDATE history SET units = '[\"name\",\"sex\"]' WHERE record_id = {_PERSON} AND v = 2", ("tag of version 2",)),
    ("history: operation", f"UPDATE history SET op_id = 'x' WHERE record_id = {_PERSON} AND v = 2", ("tag of version 2",)),
    ("history: entry", f"UPDATE history SET number = 1 WHERE record_id = {_PERSON} AND v = 2", ("journal entry of version 2", "found 1")),
    ("history: sealed", "UPDATE history SET sealed = (SELECT wrapped FROM data_key WHERE subject_id = '~community') "
     "WHERE record_id = (SELECT min(record_id) FROM history WHERE sealed IS NOT NULL)", ("values sealed in version", "does not open")),
    ("ledger: gone", f"DELETE FROM placement_ledger WHERE record_id = {_MOVED}", ("placement ledger",)),
    ("ledger: other way", f"UPDATE placement_ledger SET to_home = 'cell/x' WHERE record_id = {_MOVED}", ("placement ledger", "cell/x")),
    ("ledger: made up", "INSERT INTO placement_ledger (community_id, record_id, v, step, from_home, to_home, number, at) "
     f"SELECT community_id, id, 1, 0, home, home, -1, updated_at FROM record WHERE id = {_PERSON}", ("placement ledger", "journal entry -1")),
    ("feed: row gone", f"DELETE FROM feed WHERE record_id = {_PERSON} AND kind = 'PUT'", ("streams that show it", "found none")),
    ("feed: shown twice", "INSERT INTO feed (community_id, stream_id, seq, record_id, kind, v, tag) "
     f"SELECT community_id, 'cell/x', 1, record_id, kind, v, tag FROM feed WHERE record_id = {_PERSON} AND kind = 'PUT'",
     ("streams that show it", "cell/x")),
    ("feed: old version", f"UPDATE feed SET v = 1 WHERE record_id = {_PERSON} AND kind = 'PUT'", ("version shown in cell/", "found 1/")),
    ("feed: farewell gone", "DELETE FROM feed WHERE kind = 'REMOVE' AND reason = 'moved'", (", where it was: expected there, found missing",)),
    ("feed: status gone", "DELETE FROM feed WHERE kind = 'STATUS'", ("stream install/", "digest of its rows")),
    ("feed: renumbered", f"UPDATE feed SET seq = seq + 1000 WHERE stream_id = {_CELL}", ("highest seq of its rows",)),
    ("stream: seq", f"UPDATE stream SET seq = seq + 1 WHERE stream_id = {_CELL}", ("stream cell/", "seq of its counter")),
    ("stream: count", f"UPDATE stream SET count = count + 1 WHERE stream_id = {_CELL}", ("stream cell/", "count of its counter")),
    ("stream: digest", f"UPDATE stream SET digest = '{'0' * 32}' WHERE stream_id = {_CELL}", ("stream cell/", "digest of its counter")),
    ("stream: gone", f"DELETE FROM stream WHERE stream_id = {_CELL}", ("stream cell/", "counter: expected there, found missing")),
    ("conflict: closed", f"UPDATE conflict SET state = 'closed' WHERE record_id = {_DISPUTED}",
     ("conflicts that are open: expected residence, found none",)),
    ("conflict: values", "UPDATE conflict_sibling SET sealed = (SELECT wrapped FROM data_key WHERE subject_id = '~community')",
     ("values sealed in conflict", "does not open")),
    ("search: entry gone", "DELETE FROM record_index WHERE key = (SELECT min(key) FROM record_index)", ("search entry of field", "expected there, found missing")),
    ("search: entry made up", "INSERT INTO record_index SELECT community_id, 7, record_uuid FROM record_index ORDER BY key LIMIT 1",
     ("search entry: expected none but those of its fields, found one of another value",)),
    ("install: counter", f"UPDATE install SET last_n = last_n + 1 WHERE install_id = {_FULL}", ("install ", "last consumed number")),
    ("install: head", f"UPDATE install SET last_op_id = 'x' WHERE install_id = {_FULL}", ("operation at its last number", "expected x")),
    ("install: gone", f"DELETE FROM install WHERE install_id = {_FULL}", ("install",)),
    ("operation: gap", f"DELETE FROM operation WHERE n = 2 AND install_id = {_FULL}", ("next consumed number: expected 2, found 3",)),
    ("operation: outcome", f"UPDATE operation SET now = 'applied' WHERE op_id = {_HELD}", ("outcome now of operation", "found applied")),
    ("operation: nonsense", f"UPDATE operation SET now = 'lost', first = 'lost' WHERE op_id = {_HELD}", ("one of applied", "found lost")),
    ("operation: version", f"UPDATE operation SET tag = '00' WHERE n = 1 AND install_id = {_FULL}", ("tag that operation 1 was answered",)),
    ("operation: other hash", f"UPDATE operation SET content_hash = (SELECT content_hash FROM operation WHERE op_id = {_HELD}) WHERE n = 1 AND "
     f"install_id = {_FULL}", ("text of operation 1", "the text that was hashed")),
    ("operation: other record", f"UPDATE operation SET record_id = 'x', v = NULL, canonical = 0 WHERE n = 1 AND install_id = {_FULL}",
     ("id of operation 1", "found x")),
    ("status: gone", "DELETE FROM operation_status WHERE status = 2", ("outcome numbers of operation", "expected 1, 2, found 1")),
    ("status: other outcome", "UPDATE operation_status SET outcome = 'erased'", ("outcome now of operation", "expected", "erased")),
    ("payload: gone", "DELETE FROM journal_payload WHERE number = (SELECT min(number) FROM operation)", ("text of operation", "missing")),
    ("payload: other bytes", "UPDATE journal_payload SET sealed = (SELECT wrapped FROM data_key WHERE subject_id = '~community')",
     ("journal entry", "sealed texts", "does not open")),
    ("key: other house", "UPDATE data_key SET wrapped = (SELECT sealed FROM journal_payload LIMIT 1) WHERE subject_id = "
     "(SELECT subject_id FROM data_key WHERE subject_id <> '~community' AND community_id <> '~house' LIMIT 1)", ("data key", "does not open")),
    ("key: lost", "UPDATE data_key SET wrapped = NULL WHERE subject_id = '~community'", ("data key ~community", "expected there, or destroyed")),
    ("key: gone", "DELETE FROM data_key WHERE subject_id = '~community'", ("no such data key",)),
    ("assignment: ended", "UPDATE assignment SET revoked_at = 'x' WHERE revoked_at IS NULL", ("assignment ", "expected granted, found ended")),
    ("assignment: given", "UPDATE assignment SET cell_id = 'x'", ("assignment ", "cell", "found x")),
    ("assignment: gone", "DELETE FROM assignment", ("assignment ", "named by the journal")),
    ("edition", "UPDATE edition SET state = 'retired'", ("edition layer base", "found nothing")),
    ("journal: entry gone", "DELETE FROM journal WHERE number = (SELECT min(number) FROM operation)", ("journal",)),
    ("journal: last entry gone", "DELETE FROM journal WHERE number = (SELECT max(number) FROM history)", ("expected", "found")),
    ("journal: effects", "UPDATE journal SET effects = '{\"records\": 1}' WHERE command = 'push'", ("effects on records",)),
    ("journal: unreadable", "UPDATE journal SET effects = '{' WHERE command = 'push'", ("effects: expected readable JSON",)),
    ("journal: counters", "UPDATE journal SET effects = replace(effects, '\"streams\"', '\"rivers\"')",
     ("of its counter",)),
    ("journal: author", "UPDATE journal SET install_id = 'x' WHERE command = 'push'", ("install of operation", "expected x")),
)  # fmt: skip


class _Undo(Exception):
    """Ends a transaction that nobody is to see."""


def tampered(ground: Ground, statements: str) -> Report:
    """What verify says after the statements; they are undone."""
    found: list[Report] = []
    with pytest.raises(_Undo), write(ground.house.engine) as connection:
        if connection.dialect.name == "postgresql":
            run(connection, "ALTER TABLE journal DISABLE TRIGGER USER")
        else:
            for change in ("update", "delete"):
                run(connection, f"DROP TRIGGER journal_no_{change}")
        changed = run(connection, statements)
        assert changed.rowcount > 0, "nothing was tampered with"
        found.append(verify_snapshot(connection, ground.house))
        raise _Undo
    return found[0]


def test_whatever_is_changed_behind_the_journal_is_named(ground):
    """One row of each kind, changed, taken away or made up: verify names the place, what was expected and what was found."""
    wrong = {}
    for name, statement, words in TAMPERED:
        report = tampered(ground, statement)
        said = str(report.difference)
        if report.agrees or not all(word in said for word in words):
            wrong[name] = said
        assert not any(value in said for value in PERSONAL), name
    assert wrong == {}
    assert verify(ground.house).agrees


def test_a_destroyed_key_leaves_the_envelope(ground):
    """S27, S28: what was sealed for a person is gone with the key, is counted, and everything else still agrees."""
    person = ground.rows(f"SELECT {_SECRET} AS id")[0].id
    key = ground.house.keys.search_key("document_number", normalise_for_search(PERSONAL[-1], "identifier"))
    with write(ground.house.engine) as connection:
        run(connection, "UPDATE data_key SET wrapped = NULL, destroyed_at = '2026-03-09T00:00:00.000Z' WHERE subject_id = ?", (person,))
        run(connection, "DELETE FROM record_index WHERE key = ?", (key,))
    report = verify(ground.house)
    assert report.agrees, str(report.difference)
    assert report.counts["data keys that were destroyed"] == 1
    assert report.counts["operations of which only the envelope is left"] >= 2
    operations = report.counts["operations of which only the envelope is left"] + report.counts["sealed operation texts"]
    assert operations == report.counts["operations"]


def test_s27_every_version_is_decided_again_from_its_text(ground):
    """With --again each version is what its sealed text makes of the one before; nothing is passed over without being counted."""
    report = verify(ground.house, again=True)
    assert report.agrees, str(report.difference)
    of_records = ground.rows("SELECT count(*) FROM history h JOIN record r ON r.id = h.record_id AND r.community_id = h.community_id "
                             "WHERE r.type <> 'reference'")[0][0]  # fmt: skip
    assert report.counts[AGAIN] + report.counts[FOLDED] + report.counts[GONE] == of_records
    assert report.counts[AGAIN] > 4 * report.counts[FOLDED] > 0


def test_s27_a_value_that_no_operation_wrote_is_named_by_deciding_again(ground):
    """A value changed in the database, where neither search nor digests look: its record, version and field are said, never the value."""
    values = ground.rows("SELECT id, fields FROM record WHERE type = 'dwelling' AND v = 1 ORDER BY id")[0]
    changed = json.dumps(json.loads(values.fields) | {"floor_number": 77})
    with write(ground.house.engine) as connection:
        run(connection, "UPDATE record SET fields = ? WHERE id = ?", (changed, values.id))
    assert verify(ground.house).agrees, "the fold does not see values"
    said = str(verify(ground.house, again=True).difference)
    assert f"record {values.id}: version 1 decided again, field floor_number" in said and "77" not in said.replace(values.id, "")


def test_verify_reads_one_snapshot_while_phones_write(ground):
    """The server goes on meanwhile: what is committed after verify began is no difference."""
    with read(ground.house.engine) as connection:
        connection.exec_driver_sql("SELECT count(*) FROM record").all()
        ground.workers = 9  # those of the prepared community have taken the names before
        phone = ground.worker(0)
        phone.write(*home(0.5, "钱八").operations)
        report = verify_snapshot(connection, ground.house)
    assert report.agrees, str(report.difference)
    after = verify(ground.house)
    assert after.agrees and after.counts["records"] == report.counts["records"] + 4


@pytest.mark.long
def test_the_demo_agrees_with_its_journal(tmp_path):
    """The invented community that everybody meets first."""
    house = house_of(create_app(Settings.in_folder(tmp_path)))
    prepare(house)
    ensure_demo(house)
    report = verify(house)
    assert report.agrees, str(report.difference)
    assert report.counts["records"] > 5_000
    house.engine.dispose()


def test_the_command_says_what_it_compared(prepared_database, tmp_path):
    """Exit status 0 with the counts; 1 with the first difference and no personal value; another community is told apart."""
    url = prepared_database(busy)
    env = {"DISHU_DATA": str(tmp_path), "DISHU_DATABASE_URL": url, "DISHU_KEY": KEY.hex()}
    said = CliRunner().invoke(main, ["verify"], env=env)
    assert said.exit_code == 0, said.output
    assert "journal and database agree" in said.stdout and "record versions" in said.stdout
    said = CliRunner().invoke(main, ["verify", "--community", COMMUNITY, "--again"], env=env)
    assert said.exit_code == 0 and AGAIN in said.stdout, said.output
    missing = CliRunner().invoke(main, ["verify", "--community", "nowhere"], env=env)
    assert missing.exit_code == 1 and "no community nowhere" in missing.stderr
    ground = open_ground(url, tmp_path)
    with write(ground.house.engine) as connection:
        run(connection, f"UPDATE record SET v = 77 WHERE id = {_PERSON}")
    ground.close()
    said = CliRunner().invoke(main, ["verify"], env=env)
    assert said.exit_code == 1
    assert f"community {COMMUNITY}, record" in said.stderr and "found 77" in said.stderr
    assert not any(value in said.output for value in PERSONAL)


def test_lanes_are_walked_side_by_side():
    """Every key once, in order, with the rows of each lane; a lane out of order is refused, since it would prove nothing."""
    one, two = [("a", 1), ("a", 2), ("c", 3)], [("b", 4), ("c", 5)]
    assert [(key, found) for (key,), found in grouped(1, one, two)] == [
        ("a", [[("a", 1), ("a", 2)], []]), ("b", [[], [("b", 4)]]), ("c", [[("c", 3)], [("c", 5)]]),
    ]  # fmt: skip
    assert list(grouped(1, [], [])) == []
    with pytest.raises(RuntimeError):
        list(grouped(1, [("b", 1), ("a", 2)]))
