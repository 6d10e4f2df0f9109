"""What is written once is sealed (S28), and what two people wrote is kept and shown (L5, S4): conflicts from birth to settlement."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from front_door import Person, problem
from records_kit import id_number
from server_kit import (
    COMMUNITY,
    anchor,
    building,
    create,
    furnish,
    home,
    open_ground,
    operation,
    patch,
    resident,
)
from stream_oracle import recount

from server.errors import StartError
from server.sealing import WrongKey, unseal
from server.services.keys import COMMUNITY as COMMUNITY_KEY
from server.services.keys import DataKeys
from server.start import prepare
from server.store import push as reading
from server.store.database import read, write
from server.store.search import fold

NUMBER = id_number("19600101", "001")
OTHER_NUMBER = id_number("19600102", "002")


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    recount(ground)
    ground.close()


def dump(ground) -> bytes:
    """Every byte of the database: the file with its log, or every row of every table."""
    url = ground.house.engine.url
    if url.get_backend_name() == "sqlite":
        path = Path(url.database)
        return b"".join(one.read_bytes() for one in path.parent.glob(path.name + "*") if one.is_file())
    tables = [row[0] for row in ground.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return "\n".join(str(tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)) for one in tables for row in ground.rows(f'SELECT * FROM "{one}"')).encode()


def person_of(made, **values):
    return {"document_type": "resident_id", "document_number": NUMBER, "document_missing_reason": None} | values


def test_a_typed_secret_number_is_found_nowhere_in_the_database(ground):
    """S28: created, patched, disputed, held, refused and unreadable: no byte of the database shows the number."""
    one, two = ground.worker(0), ground.worker(0)
    made = home(0, "张一", **person_of(None))
    one.write(*made.operations)
    person = made.persons[0]
    base = ground.base(person)
    two.pull()
    one.write(patch(ground, person, {"document_number": OTHER_NUMBER}))
    assert two.outcomes([patch(ground, person, {"document_number": id_number("19600103", "003")}, base=base)])[0][0] == "conflict"
    one.write(patch(ground, person, {"name": "张壹", "birth_date": "1960-01-02", "birth_precision": "day"}))
    held = resident(made.operations[0]["id"].replace("0", "1"), "赵六", **person_of(None))
    assert one.outcomes([held])[0][0] == "held"
    assert one.outcomes([create("person", person_of(None))])[0][0] == "quarantined"  # no name
    assert one.outcomes([create("care_status", {"person": NUMBER, "kind": "living_alone"})])[0][0] == "quarantined"
    assert one.outcomes([create("party_member", {"name": "某", "person": {"n": NUMBER}})])[0][0] == "quarantined"
    assert one.outcomes([json.dumps(create("person", person_of(None, name="断")))[:-3]])[0][0] == "quarantined"
    assert one.outcomes([json.dumps({"op_id": NUMBER + NUMBER, "document_number": NUMBER})])[0][0] == "quarantined"
    content = dump(ground)
    for number in (NUMBER, OTHER_NUMBER, id_number("19600103", "003")):
        assert number.encode() not in content and number.lower().encode() not in content


def test_typed_names_stand_in_records_and_index_only(ground):
    """S28: journal, history, conflicts, findings and operations hold no name in plain, not even a replaced one."""
    one, two = ground.worker(0), ground.worker(0)
    names = ["甲乙丙一", "甲乙丙二", "甲乙丙三"]
    made = home(0, names[0])
    one.write(*made.operations)
    person, base = made.persons[0], ground.base(made.persons[0])
    one.write(patch(ground, person, {"name": names[1]}))
    two.pull()
    two.outcomes([patch(ground, person, {"name": names[2]}, base=base)], [resident(made.household, names[2], sex="x9")])
    one.write(operation("delete", "person", person, base=ground.base(person)))
    for table in ("journal", "journal_payload", "operation", "operation_status", "history", "conflict", "conflict_sibling",
                  "finding", "held_wait", "placement_ledger", "feed", "data_key"):  # fmt: skip
        text = "\n".join(str(tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)) for row in ground.rows(f"SELECT * FROM {table}"))
        for name in names:
            assert name not in text and str(name.encode())[2:-1] not in text and name.encode("unicode_escape").decode() not in text, table


def test_what_is_sealed_opens_with_the_subjects_key_and_holds_the_frozen_bytes(ground):
    """S28, L5: one blob per entry and key; inside, each operation exactly as it was written."""
    phone = ground.worker(0)
    made = home(0, "张一", **person_of(None))
    texts = [json.dumps(one, ensure_ascii=False, separators=(", ", ": ")) for one in made.operations]
    phone.push(texts)
    person = made.persons[0]
    (row,) = ground.rows("SELECT parts, sealed FROM journal_payload")
    rows = dict(reading.pieces(row.parts, bytes(row.sealed)))
    assert set(rows) == {COMMUNITY_KEY, person}
    assert json.loads(opened(ground, person, rows[person])) == {"4": texts[3]}
    assert json.loads(opened(ground, COMMUNITY_KEY, rows[COMMUNITY_KEY])) == {str(n): texts[n - 1] for n in (1, 2, 3)}
    with pytest.raises(WrongKey):
        opened(ground, COMMUNITY_KEY, rows[person])


def opened(ground, subject, sealed):
    keys = DataKeys(ground.house.keys)
    with read(ground.house.engine) as connection:
        keys.learn([subject], reading.wrapped_keys(connection, COMMUNITY, [subject]))
    assert not keys.made
    return unseal(keys.of(subject), sealed)


def test_a_wrong_house_key_is_told_before_anything_is_served(ground, tmp_path):
    """Bad input: another key opens nothing and says so in one line."""
    phone = ground.worker(0)
    phone.write(*home(0, "张一").operations)
    url = ground.house.engine.url.render_as_string(hide_password=False)
    other = open_ground(url, tmp_path / "other", key=b"another made-up key of 32+ bytes")
    with pytest.raises(StartError, match="is not the key that sealed"):
        prepare(other.house)
    other.close()


def test_findings_see_the_secret_without_showing_it(ground):
    """S7, S28: a birth date that contradicts the number on record is found although nobody sent the number again."""
    phone = ground.worker(0)
    made = home(0, "张一", **person_of(None, birth_date="1960-01-01", birth_precision="day"))
    phone.write(*made.operations)

    def found():
        return [row.name for row in ground.rows("SELECT name FROM finding WHERE state = 'open' AND kind = 'constraint' AND record_id = ?", made.persons[0])]

    assert found() == []
    phone.write(patch(ground, made.persons[0], {"birth_date": "1970-05-05"}))
    assert found() == ["resident_id_birth"]
    phone.write(patch(ground, made.persons[0], {"occupation_text": "司机"}))
    assert found() == ["resident_id_birth"]
    phone.write(patch(ground, made.persons[0], {"birth_date": "1960-01-01"}))
    assert found() == []


def test_the_secret_is_still_found_after_other_fields_changed(ground):
    """S28: exact search by keyed hash survives a change of name; the old name is gone from the index."""
    phone = ground.worker(0)
    made = home(0, "张一", **person_of(None))
    phone.write(*made.operations)
    phone.write(patch(ground, made.persons[0], {"name": "张壹"}))
    key = ground.house.keys.search_key

    def keys():
        with write(ground.house.engine) as connection:
            fold(connection, COMMUNITY)
        return {row.key for row in ground.rows("SELECT key FROM record_index WHERE record_uuid = ?", UUID(made.persons[0]).bytes)}

    assert key("name", "张壹") in keys() and key("name", "张一") not in keys()
    hashed = key("document_number", NUMBER.casefold())
    assert hashed in keys()
    phone.write(patch(ground, made.persons[0], {"document_number": None, "document_missing_reason": "lost"}))
    assert hashed not in keys()
    assert ground.record(made.persons[0]).secret is None


# ---------------------------------------------------------------- conflicts
def dispute(ground):
    """Two phones change one person's birth from the same copy; (person, phones, operations)."""
    one, two = ground.worker(0), ground.worker(0)
    made = home(0, "张一", birth_date="1960-01-01", birth_precision="day")
    one.write(*made.operations)
    person, base = made.persons[0], ground.base(made.persons[0])
    two.pull()
    first = patch(ground, person, {"birth_date": "1961-01-01"}, claimed_at="2026-03-02T00:10:00Z")
    second = patch(ground, person, {"birth_date": "1962-01-01"}, base=base, claimed_at="2026-03-02T00:20:00Z")
    one.write(first)
    assert two.outcomes([second]) == [("conflict", None)]
    return person, (one, two), (first, second)


def secretary(ground):
    person = Person(ground.app.test_client())
    assert person.sign_in("secretary-1").status_code == 200
    return person


def test_a_conflict_row_is_complete(ground):
    """L5: base, both values, both people, both claimed times; sealed in the table, opened in the inbox."""
    person, phones, (first, second) = dispute(ground)
    rows = secretary(ground).get("/api/v1/inbox/conflicts").json["rows"]
    assert len(rows) == 1 and (rows[0]["record"]["id"], rows[0]["unit"]) == (person, "birth")
    assert rows[0]["base"]["birth_date"]["value"] == "1960-01-01"
    siblings = {one["op_id"]: one for one in rows[0]["siblings"]}
    assert set(siblings) == {first["op_id"], second["op_id"]}
    for phone, op, role in zip(phones, (first, second), ("current", "set_aside"), strict=True):
        found = siblings[op["op_id"]]
        assert found["values"]["birth_date"]["value"] == op["set"]["birth_date"]
        assert (found["role"], found["claimed_at"], found["by"]["user_id"]) == (role, op["claimed_at"], phone.user_id)
    phones[0].pull()
    assert phones[0].bodies[person]["conflicts"] == ["birth"], "the phone shows that somebody disagrees"
    assert ground.fields(person)["birth_date"] == "1961-01-01"


def test_a_later_value_of_the_same_phone_replaces_its_own(ground):
    """S4: one open value per chain, in the same batch or in the next."""
    person, (_, two), (_, second) = dispute(ground)
    edits = [patch(ground, person, {"birth_date": day}, base=second["base"]) for day in ("1963-01-01", "1964-01-01", "1965-01-01")]
    two.push([edits[0]])
    two.push([edits[1]], [edits[2]])
    siblings = secretary(ground).get("/api/v1/inbox/conflicts").json["rows"][0]["siblings"]
    assert [one["values"]["birth_date"]["value"] for one in siblings if one["role"] == "set_aside"] == ["1965-01-01"]
    assert len(ground.rows("SELECT 1 FROM conflict WHERE state = 'open'")) == 1


def test_two_disputed_writes_in_one_first_batch_leave_one_open_value(ground):
    """S4: the first of two disputed writes of one batch is replaced before anybody has seen it."""
    one, two = ground.worker(0), ground.worker(0)
    made = home(0, "张一", birth_date="1960-01-01", birth_precision="day")
    one.write(*made.operations)
    person, base = made.persons[0], ground.base(made.persons[0])
    one.write(patch(ground, person, {"birth_date": "1961-01-01"}))
    two.push(*[[patch(ground, person, {"birth_date": day}, base=base)] for day in ("1962-01-01", "1963-01-01")])
    rows = ground.rows("SELECT role FROM conflict_sibling WHERE state = 'open' ORDER BY role")
    assert [row.role for row in rows] == ["current", "set_aside"]


def test_resolving_closes_and_resolving_twice_is_harmless(ground):
    """S4: the secretary chooses; the unit is settled on every phone; a second click changes nothing."""
    person, (one, _), (_, second) = dispute(ground)
    office = secretary(ground)
    conflict = office.get("/api/v1/inbox/conflicts").json["rows"][0]["conflict_id"]
    answer = office.post(f"/api/v1/inbox/conflicts/{conflict}/resolve", {"choose": second["op_id"]})
    assert answer.status_code == 200 and answer.json["now"]["outcome"] == "applied", answer.json
    assert ground.fields(person)["birth_date"] == "1962-01-01"
    before = ground.base(person)
    again = office.post(f"/api/v1/inbox/conflicts/{conflict}/resolve", {"choose": second["op_id"]})
    assert problem(again) == (404, "not-found")
    assert ground.base(person) == before
    assert ground.rows("SELECT 1 FROM conflict WHERE state = 'open'") == []
    assert {row.state for row in ground.rows("SELECT state FROM conflict_sibling")} == {"closed"}
    one.pull()
    assert one.bodies[person]["conflicts"] == [] and one.bodies[person]["fields"]["birth_date"] == "1962-01-01"


def test_a_resolution_closes_only_what_it_saw(ground):
    """S4: a third value that arrives while the secretary decides stays open."""
    person, _, (first, second) = dispute(ground)
    office = secretary(ground)
    conflict = office.get("/api/v1/inbox/conflicts").json["rows"][0]["conflict_id"]
    three = ground.worker(0)
    three.outcomes([patch(ground, person, {"birth_date": "1970-01-01"}, base=second["base"])])
    seen = [first["op_id"], second["op_id"]]
    office.post(f"/api/v1/inbox/conflicts/{conflict}/resolve", {"choose": second["op_id"], "seen": seen})
    rows = office.get("/api/v1/inbox/conflicts").json["rows"]
    assert len(rows) == 1
    assert "1970-01-01" in [one["values"]["birth_date"]["value"] for one in rows[0]["siblings"]]
    assert ground.fields(person)["birth_date"] == "1962-01-01"


def test_delete_over_edit_and_edit_over_delete_are_listed(ground):
    """S5, trap 21: both facts are kept; restoring brings the record back with the edit in it."""
    one, two = ground.worker(0), ground.worker(0)
    made = home(0, "张一")
    one.write(*made.operations)
    person, base = made.persons[0], ground.base(made.persons[0])
    two.pull()
    one.write(patch(ground, person, {"occupation_text": "教师"}))
    assert two.outcomes([operation("delete", "person", person, base=base)]) == [("conflict", None)]
    assert one.outcomes([patch(ground, person, {"employer_text": "某校"}, base=base)]) == [("conflict", None)]
    kinds = {row.kind for row in ground.rows("SELECT kind FROM conflict WHERE state = 'open'")}
    assert kinds == {"delete_over_edit", "edit_over_delete"}
    one.pull()
    assert person not in one.visible
    one.write(operation("restore", "person", person, base=ground.base(person)))
    one.pull()
    assert one.bodies[person]["fields"]["employer_text"] == "某校" and person in one.visible


def test_restoring_opens_again_what_was_settled_while_the_record_was_deleted(ground):
    """S5: settled for a record that was thought gone; now that it is back somebody looks again, with the same values."""
    one, two = ground.worker(0), ground.worker(0)
    made = home(0, "张一")
    one.write(*made.operations)
    person, base = made.persons[0], ground.base(made.persons[0])
    one.write(patch(ground, person, {"occupation_text": "教师"}))
    assert two.outcomes([operation("delete", "person", person, base=base)]) == [("conflict", None)]
    office = secretary(ground)
    row = office.get("/api/v1/inbox/conflicts").json["rows"][0]
    before = sorted(one["op_id"] for one in row["siblings"])
    office.post(f"/api/v1/inbox/conflicts/{row['conflict_id']}/resolve", {"set": {"occupation_text": None}})
    assert office.get("/api/v1/inbox/conflicts").json["count"] == 0
    one.write(operation("restore", "person", person, base=ground.base(person)))
    again = office.get("/api/v1/inbox/conflicts").json["rows"]
    assert [(one["conflict_id"], one["unit"]) for one in again] == [(row["conflict_id"], "occupation_text")]
    assert sorted(one["op_id"] for one in again[0]["siblings"]) == before
    one.pull()
    assert one.bodies[person]["conflicts"] == ["occupation_text"]
    office.post(f"/api/v1/inbox/conflicts/{row['conflict_id']}/resolve", {"choose": before[0]})
    assert office.get("/api/v1/inbox/conflicts").json["count"] == 0 and ground.fields(person)["occupation_text"] == "教师"
    restored = operation("restore", "person", person, base=ground.base(person))
    assert one.outcomes([restored]) == [("unchanged", None)], "nothing to restore opens nothing"
    assert office.get("/api/v1/inbox/conflicts").json["count"] == 0


def test_deleted_settled_and_restored_in_one_batch(ground):
    """S5, S12: the same within one transaction."""
    one, two = ground.worker(0), ground.worker(0)
    house = building(0, name="甲")
    one.write(house)
    base = ground.base(house["id"])
    edit = patch(ground, house["id"], {"anchor": anchor(0.2)})
    one.write(edit)
    settle = operation("resolve", "building", house["id"], {}, unit="anchor", siblings=[edit["op_id"]], base=base)
    said = two.outcomes([operation("delete", "building", house["id"], base=base)], [settle], [operation("restore", "building", house["id"], base=base)])
    assert next(outcome for outcome, _ in said) == "conflict"
    assert json.loads(ground.record(house["id"]).conflicts) == ["anchor"]
    assert ground.rows("SELECT count(*) FROM conflict WHERE state = 'open'")[0][0] == 1


def test_a_policy_that_decides_leaves_a_row_closed_at_birth(ground):
    """S2, L5: `last` overwrites without asking, and the overwritten value is still shown to have been there."""
    one, two = ground.worker(0), ground.worker(0)
    stock = create("resource", {"name": "水", "kind": "supply", "anchor": anchor(0), "contact_name": "甲", "contact_phone": "10200000001"})
    one.write(stock)
    base = ground.base(stock["id"])
    one.write(patch(ground, stock["id"], {"contact_name": "乙"}))
    outcome = two.outcomes([patch(ground, stock["id"], {"contact_name": "丙"}, base=base)])[0][0]
    assert outcome == "merged" and ground.fields(stock["id"])["contact_name"] == "丙"
    row = ground.rows("SELECT state, policy, closed_by FROM conflict")[0]
    assert tuple(row) == ("closed", "last", "policy")
    assert {(row.role, row.state) for row in ground.rows("SELECT role, state FROM conflict_sibling")} == {("overwritten", "closed"), ("current", "closed")}
