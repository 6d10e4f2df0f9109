"""The twelve questions of every week: each answered by a roster, its answer counted again from the plain records."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta

import pytest
from front_door import COMMUNITY, Person, problem
from records_kit import IDS, actor_of, office_with_records, write_operation
from sqlalchemy import select

from forms.derived import age_on
from forms.errors import DefinitionError
from forms.question import filters_on, read_question
from forms.registry import load_registry
from server.app import create_app, house_of
from server.demo.load import COMMUNITY_ID, PASSWORD, ensure_demo
from server.house import uuid7
from server.models import audit, cell, edition, record
from server.permissions import Scope
from server.services.template_book import read_template
from server.services.template_data import Data, moment_of
from server.services.template_ready import ready_workbook
from server.settings import Settings
from server.start import prepare
from server.store.database import read

CHINA = timedelta(hours=8)


class Demo:
    """The demo community behind its front door, and its records as plain dictionaries."""

    def __init__(self, folder):
        self.app = create_app(Settings.in_folder(folder))
        self.house = house_of(self.app)
        prepare(self.house)
        ensure_demo(self.house)
        self.secretary = Person(self.app.test_client())
        assert self.secretary.sign_in("secretary", PASSWORD).status_code == 200
        self.today = (self.house.clock() + CHINA).date()
        self._move_some()
        self._record_some_twice()
        self.read()

    def _move_some(self):
        """Some people leave and some arrive this month: the demo itself tells of no departures."""
        with read(self.house.engine) as connection:
            rows = connection.execute(select(record).where(record.c.type == "person").order_by(record.c.id)).all()
        living = [row for row in rows if "residence_household" in json.loads(row.fields)]
        first = self.today.replace(day=1).isoformat()
        gone = dict.fromkeys(("residence_household", "relation_to_head", "presence", "resident_from", "joined_reason", "absent_since"))
        there = json.loads(living[40].fields)["residence_household"]
        arrived = {"residence_household": there, "relation_to_head": "30", "resident_from": first, "joined_reason": "rented",
                   "presence": "present", "absent_since": None}  # fmt: skip
        ops = [self._patch(row, gone) for row in living[10:14]] + [self._patch(row, arrived) for row in living[20:23]]
        ops.append({"kind": "create", "type": "person", "id": uuid7(), "set": {"name": "迁入人", "document_missing_reason": "not_asked"} | arrived})
        answer = self.secretary.post("/api/v1/groups", json={"ops": ops})
        assert {one["now"]["outcome"] for one in answer.json["results"]} == {"applied"}, answer.json

    def _record_some_twice(self):
        """Three people are recorded again by somebody else: as they are, with a number misheard, with a name misheard."""
        with read(self.house.engine) as connection:
            rows = connection.execute(select(record).where(record.c.type == "person").order_by(record.c.id)).all()
        known = [(row.id, json.loads(row.fields)) for row in rows]
        whole = [(one, told) for one, told in known if told.get("birth_date") and told.get("phones") and told.get("sex")]
        self.twice = set()
        for (one, told), change in zip(
            [whole[100], whole[200], whole[300]],
            [{}, {"phones": ["10200009999"]}, {"name": "某" + whole[300][1]["name"][1:]}], strict=True,
        ):  # fmt: skip
            again = uuid7()
            values = {name: told[name] for name in ("name", "birth_date", "sex", "phones")} | change
            if "residence_household" in told:
                values["residence_household"] = told["residence_household"]
            values["document_missing_reason"] = "not_asked"
            op = {"kind": "create", "type": "person", "id": again, "set": values}
            answer = self.secretary.post("/api/v1/groups", json={"ops": [op]})
            assert answer.json["results"][0]["now"]["outcome"] == "applied", answer.json
            self.twice.add(frozenset({one, again}))

    @staticmethod
    def _patch(row, values):
        return {"kind": "patch", "type": "person", "id": row.id, "base": {"v": row.v, "tag": row.tag}, "set": values}

    def read(self):
        """Fold the stored records into dictionaries, and the cells by stream."""
        self.of = defaultdict(dict)
        self.home, self.fresh = {}, {}
        with read(self.house.engine) as connection:
            for row in connection.execute(select(record).where(record.c.life == "live")):
                self.of[row.type][row.id] = json.loads(row.fields)
                self.home[row.id], self.fresh[row.id] = row.home, row.fresh_at
            found = connection.execute(
                select(cell.c.cell_id, cell.c.code).join(edition, edition.c.edition_id == cell.c.edition_id)
                .where(edition.c.state == "published")
            )  # fmt: skip
            self.code = {f"cell/{one.cell_id}": one.code for one in found}

    def age(self, person):
        return age_on(person.get("birth_date"), self.today)

    def dwelling_of(self, person):
        home = self.of["household"].get(person.get("residence_household"))
        return home.get("dwelling") if home else None


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return Demo(tmp_path_factory.mktemp("questions"))


def question(demo, name):
    found = demo.secretary.get("/api/v1/questions").json["questions"]
    return next(one for one in found if one["name"] == name)


def answer(demo, name, which=None, more=()):
    """Ids that a list of a question gives, all pages of it, and its figures per cell."""
    asked = next(one for one in question(demo, name)["lists"] if which is None or one["name"] == which)
    body = {"filters": [*asked["filters"], *more], "limit": 5000} | ({"sort": asked["sort"]} if asked["sort"] else {})
    path = f"/api/v1/communities/{COMMUNITY_ID}/roster/{asked['roster']}/search"
    ids, following = [], None
    while True:
        told = demo.secretary.post(path, json=body | {"next": following})
        assert told.status_code == 200, told.data
        ids += [row["id"] for row in told.json["rows"]]
        following = told.json["next"]
        if following is None:
            break
    counts = demo.secretary.get(f"/api/v1/communities/{COMMUNITY_ID}/questions/{name}/counts").json
    figures = next(one for one in counts["lists"] if one["name"] == asked["name"])
    if not more:
        assert figures["count"] == len(ids) == len(set(ids))
    return set(ids), {one["code"]: one["count"] for one in figures["cells"] if one["count"]}


def per_cell(demo, ids):
    return dict(Counter(demo.code[demo.home[one]] for one in ids if demo.home[one] in demo.code))


def test_over_80_and_alone(demo):
    """Nobody else lives behind the door, in whatever household, and who lives there is eighty or older."""
    living = defaultdict(set)
    for person_id, person in demo.of["person"].items():
        if person.get("presence") != "away_long" and person.get("vital_status") != "deceased":
            living[demo.dwelling_of(person)].add(person_id)
    wanted = {
        person_id for dwelling, people in living.items() if dwelling is not None and len(people) == 1
        for person_id in people
        if (demo.age(demo.of["person"][person_id]) or 0) >= 80
        and demo.of["household"][demo.of["person"][person_id]["residence_household"]].get("kind") != "collective"
    }  # fmt: skip
    found, cells = answer(demo, "over_80_alone")
    assert found == wanted and len(wanted) > 5
    assert cells == per_cell(demo, wanted)


def test_not_seen_for_90_days(demo):
    """Households that nobody has confirmed for ninety days."""
    before = (demo.today - timedelta(days=90)).isoformat()
    wanted = {
        one for one in demo.of["household"]
        if (datetime.fromisoformat(demo.fresh[one]) + CHINA).date().isoformat() < before
    }  # fmt: skip
    found, cells = answer(demo, "not_seen_90_days")
    assert found == wanted and len(wanted) > 100
    assert cells == per_cell(demo, wanted)


@pytest.mark.parametrize(("which", "codes"), [("empty", {"empty"}), ("let", {"let", "group_let"})])
def test_empty_and_let_dwellings(demo, which, codes):
    """Dwellings that stand empty, and those that are let."""
    wanted = {one for one, fields in demo.of["dwelling"].items() if fields.get("occupancy") in codes}
    found, cells = answer(demo, "empty_and_let", which)
    assert found == wanted and len(wanted) > 50
    assert cells == per_cell(demo, wanted)


def test_moved_in_and_out_this_month(demo):
    """Who came into the community and left it this month, person by person as the monthly table 人口变动 counts 迁入 and 迁出."""
    plan = read_template(ready_workbook("population_changes"), demo.house.registry)[1]
    figures = {spot.coordinate: one for title, spot, one in plan.placeholders if title == "汇总" and one.kind == "figure"}
    with read(demo.house.engine) as connection:
        data = Data(demo.house, connection, Scope((COMMUNITY_ID,)), COMMUNITY_ID, plan, moment_of(demo.today, day=None, begins=None, ends=None))
        into, out = (set(data.figure(figures[cell], None).ids) for cell in ("A5", "C5"))
    assert (answer(demo, "moved_this_month", "in")[0], answer(demo, "moved_this_month", "out")[0]) == (into, out) and into
    left = {one for one, told in demo.of["residence"].items() if told["kind"] == "residence" and told["resident_to"] >= f"{demo.today:%Y-%m-01}"}
    assert out < left and (len(left), len(out)) == (7, 4)  # moves inside the community are none


def test_registered_here_and_living_elsewhere(demo):
    """Both directions: registered at a door here and living behind another or nowhere here; living here, registered elsewhere."""
    away, lodging = set(), set()
    for one, person in demo.of["person"].items():
        door, lives = person.get("registration_dwelling"), demo.dwelling_of(person) if person.get("presence") != "away_long" else None
        outside = person.get("registration_address_text") is not None or person.get("registration_division_code") is not None
        if door is not None and lives != door:
            away.add(one)
        if lives is not None and ((door is not None and door != lives) or (door is None and outside)):
            lodging.add(one)
    assert answer(demo, "registered_elsewhere", "registered_not_living")[0] == away and len(away) > 50
    assert answer(demo, "registered_elsewhere", "lives_not_registered")[0] == lodging and len(lodging) > 50


def test_children_under_3(demo):
    """Children who live here and have not had their third birthday."""
    wanted = {
        one for one, person in demo.of["person"].items()
        if person.get("birth_date") and demo.age(person) < 3 and person.get("residence_household")
    }  # fmt: skip
    found, cells = answer(demo, "children_under_3")
    assert found == wanted and len(wanted) > 50
    assert cells == per_cell(demo, wanted)


def test_members_who_can_carry_water_on_saturday(demo):
    """Members whose check-in is in force, who can carry, and whose hours hold a Saturday."""
    wanted = {
        one for one, fields in demo.of["check_in"].items()
        if fields["subject_kind"] == "member" and fields.get("state") in {"registered", "accepted"}
        and fields.get("can_carry_water")
        and fields.get("available_hours_text") in {"周六上午", "周末", "应急时随叫随到"}
    }  # fmt: skip
    assert answer(demo, "can_carry_water")[0] == wanted and len(wanted) > 5


def test_members_expected_but_not_reported(demo):
    """On the unit's list, in service, and without a check-in that is in force."""
    reported = {fields.get("party_member") for fields in demo.of["check_in"].values() if fields.get("state") != "ended"}
    wanted = {
        one for one, fields in demo.of["party_member"].items()
        if fields.get("on_unit_list") and fields.get("in_service") and one not in reported
    }  # fmt: skip
    assert answer(demo, "expected_not_reported")[0] == wanted and len(wanted) > 5


def test_households_without_a_phone_number(demo):
    """Neither the household nor anybody who lives in it has left a number."""
    reached = {person.get("residence_household") for person in demo.of["person"].values() if person.get("phones")}
    wanted = {one for one, fields in demo.of["household"].items() if not fields.get("phone") and one not in reached}
    found, _ = answer(demo, "no_phone")
    assert found == wanted and wanted


def test_who_holds_the_key_of_a_door(demo):
    """Of one door: whom to ask for the key."""
    holder = next(
        one for one, person in demo.of["person"].items() if person.get("keyholder_text") and demo.dwelling_of(person)
    )
    door = demo.of["dwelling"][demo.dwelling_of(demo.of["person"][holder])]
    entrance = demo.of["entrance"][door["entrance"]]
    building = demo.of["building"][entrance["building"]]
    estate = demo.of["estate"][building["estate"]]
    more = [
        {"column": name, "op": "eq", "value": value}
        for name, value in (("estate", estate["name"]), ("building", building["number"]), ("entrance", entrance["number"]),
                            ("door_number", door["door_number"]))
    ]  # fmt: skip
    assert {one["column"] for one in more} == set(question(demo, "key_holder")["ask"])
    assert holder in answer(demo, "key_holder", more=more)[0]
    assert answer(demo, "key_holder")[0] == {
        one for one, person in demo.of["person"].items() if person.get("keyholder_text")
    }


def test_shops_by_cell(demo):
    """Shops and dwellings with a shop in each cell."""
    wanted = {one for one, fields in demo.of["dwelling"].items() if fields.get("use") in {"shop", "mixed"}}
    found, cells = answer(demo, "shops")
    assert found == wanted and cells == per_cell(demo, wanted) and len(cells) > 3


def test_probable_duplicates(demo):
    """Whoever was recorded twice is in the queue, and nobody else of six thousand people."""
    told = demo.secretary.get("/api/v1/inbox/duplicates").json
    assert {frozenset(one["id"] for one in row["records"]) for row in told["rows"]} == demo.twice
    assert told["count"] == 3 and [row["score"] for row in told["rows"]] == sorted((row["score"] for row in told["rows"]), reverse=True)
    assert question(demo, "duplicates")["queue"] == "duplicates"


# ---------------------------------------------------------------- on both databases
@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def counts(office, name, role="secretary", as_of=""):
    path = f"/api/v1/communities/{COMMUNITY}/questions/{name}/counts"
    answer = office.signed_in(role).get(f"{path}?as_of={as_of}" if as_of else path)
    assert answer.status_code == 200, answer.data
    return {one["name"]: one["count"] for one in answer.json["lists"]}


def test_every_question_is_answered_on_both_databases(office):
    """The figures of every question on the small community, on either database."""
    wanted = {
        "over_80_alone": {"persons": 1}, "not_seen_90_days": {"households": 0}, "empty_and_let": {"empty": 0, "let": 0},
        "moved_this_month": {"in": 0, "out": 0}, "registered_elsewhere": {"registered_not_living": 0, "registered_hanging": 0, "lives_not_registered": 0},
        "children_under_3": {"persons": 0}, "can_carry_water": {"members": 0}, "expected_not_reported": {"members": 0},
        "no_phone": {"households": 1}, "key_holder": {"persons": 0}, "shops": {"dwellings": 0},
    }  # fmt: skip
    asked = office.signed_in("secretary").get("/api/v1/questions").json["questions"]
    assert [one["name"] for one in asked] == [*wanted, "duplicates"]
    assert {name: counts(office, name) for name in wanted} == wanted


def test_alone_is_judged_by_the_door(office):
    """A second household behind the same door, or somebody back from afar: no longer alone."""
    def patch(name, values):
        with read(office.house.engine) as connection:
            row = connection.execute(select(record.c.v, record.c.tag).where(record.c.id == IDS[name])).one()
        write_operation(office.house, actor_of(office, "secretary"), "patch", name, values, base={"v": row.v, "tag": row.tag})

    patch("household_a", {"dwelling": IDS["dwelling_b"]})
    assert counts(office, "over_80_alone") == {"persons": 0}
    for name in ("zhang", "li", "child"):
        patch(name, {"residence_household": IDS["household_a"], "presence": "away_long"})
    assert counts(office, "over_80_alone") == {"persons": 1}
    patch("wang", {"residence_household": IDS["household_b"], "presence": "away_long"})
    assert counts(office, "over_80_alone") == {"persons": 0}


def test_a_question_about_a_past_day_is_answered_as_of_that_day(office):
    """Ages and residence are those of the day, and so are the days in filters; what carries no dates is told for today, and says so."""
    assert [counts(office, "over_80_alone", as_of=day) for day in ("2026-01-04", "2026-01-05")] == [{"persons": 0}, {"persons": 1}]
    assert [counts(office, "children_under_3", as_of=day)["persons"] for day in ("2020-05-31", "2020-06-01", "2023-06-01")] == [0, 1, 0]
    secretary = office.signed_in("secretary")
    path = f"/api/v1/communities/{COMMUNITY}/questions"
    told = [secretary.get(f"{path}/{name}/counts?as_of=2021-04-05").json["lists"][0] for name in ("children_under_3", "no_phone")]
    assert [one["true_on"] for one in told] == ["2021-04-05", None] and counts(office, "no_phone") == {"households": told[1]["count"]}
    for query, month in (("?as_of=2021-04-05", "2021-04-01"), ("", office.house.clock().strftime("%Y-%m-01"))):
        asked = {one["name"]: one["lists"] for one in secretary.get(f"/api/v1/questions{query}").json["questions"]}
        assert asked["moved_this_month"][0]["filters"][0]["value"] == month
        assert [asked[name][0]["of_the_present"] for name in ("moved_this_month", "not_seen_90_days")] == [False, True]
    then, now = (
        next(one for one in secretary.get(f"/api/v1/questions{query}").json["questions"] if one["name"] == "not_seen_90_days")
        for query in ("?as_of=2021-04-05", "")
    )
    assert then == now
    assert problem(secretary.get("/api/v1/questions?as_of=yesterday")) == (422, "invalid-input")


def test_questions_keep_to_the_scope(office):
    """A grid worker gets figures of the own cells, a planner only questions about places; people's are written down."""
    assert counts(office, "over_80_alone", "grid_worker") == {"persons": 0}
    assert counts(office, "no_phone", "grid_worker") == {"households": 0}
    asked = office.signed_in("planner").get("/api/v1/questions").json["questions"]
    assert {one["name"] for one in asked} == {"empty_and_let", "shops"}
    path = f"/api/v1/communities/{COMMUNITY}/questions/over_80_alone/counts"
    assert problem(office.signed_in("planner").get(path)) == (403, "outside-your-scope")
    assert problem(office.signed_in("secretary").get(path.replace("over_80_alone", "nothing"))) == (404, "not-found")
    assert problem(office.signed_in("secretary").get(path.replace("over_80_alone", "duplicates"))) == (404, "not-found")
    counts(office, "over_80_alone")
    with read(office.house.engine) as connection:
        line = connection.execute(select(audit).where(audit.c.action == "search").order_by(audit.c.audit_id.desc())).first()
    assert (line.purpose, json.loads(line.fields)) == ("question: over_80_alone", ["age", "lives_alone"])


# ---------------------------------------------------------------- as data
def test_days_are_counted_from_today():
    """A question asked in another month asks about that month."""
    asked = load_registry().questions()["moved_this_month"].lists[0]
    assert filters_on(asked, date(2027, 2, 3))[0]["value"] == "2027-02-01"
    asked = load_registry().questions()["not_seen_90_days"].lists[0]
    assert filters_on(asked, date(2026, 3, 1))[0]["value"] == "2025-12-01"


GOOD = {"name": "x", "label": {"zh": "问", "en": "x"},
        "lists": [{"name": "a", "label": {"zh": "问", "en": "x"}, "roster": "persons",
                   "filters": [{"column": "age", "op": "gte", "value": 80}], "sort": ["name"]}]}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda d: d.pop("label"), ""),
        (lambda d: d.update(colour="red"), "/colour"),
        (lambda d: d.update(queue="duplicates"), ""),
        (lambda d: d["lists"][0].update(roster="nothing"), "/lists/0/roster"),
        (lambda d: d["lists"][0].update(colour="red"), "/lists/0"),
        (lambda d: d["lists"][0]["filters"][0].update(op="has"), "/lists/0/filters/0"),
        (lambda d: d["lists"][0]["filters"][0].pop("value"), "/lists/0/filters/0"),
        (lambda d: d["lists"][0]["filters"][0].update(value={"relative": "easter"}), "/lists/0/filters/0/value"),
        (lambda d: d["lists"][0].update(sort=["document_number"]), "/lists/0/sort"),
        (lambda d: d.update(ask=["nothing"]), "/ask"),
    ],
)
def test_a_broken_question_is_refused_at_its_place(change, pointer):
    """A question that no roster can answer never reaches the office."""
    assert read_question(GOOD, load_registry()).list_of("a").roster == "persons"
    broken = json.loads(json.dumps(GOOD))
    change(broken)
    with pytest.raises(DefinitionError) as caught:
        read_question(broken, load_registry())
    assert caught.value.pointer == pointer
