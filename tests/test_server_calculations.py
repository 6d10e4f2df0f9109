"""What a survey works out, at the server: judged against the answers, and never in the way of anything else."""

from __future__ import annotations

import orjson
import pytest
from front_door import Person
from server_kit import COMMUNITY, PASSWORD, create, home, patch
from survey_kit import NAME, dogs, go_live, path, send

from forms.calculation import calculated
from server.services.community_forms import community_registry
from server.store import surveys as survey_store
from server.store.database import run, write

FEE = ["calculate", "fee", "年费", "Fee", "", "", "${dogs_count} * 50"]
ROWS = [["select_one yes", "has_dog", "是否养犬", "Dog?"], ["integer", "dogs_count", "几只", "How many"], FEE]


@pytest.fixture
def office(ground):
    person = Person(ground.app.test_client())
    assert person.sign_in("secretary-1", PASSWORD).status_code == 200
    return person


def answer(household, **values):
    return create(NAME, {"household": household, "has_dog": "yes"} | values, form_version=1)


def homes(ground, phone, count):
    made = [home(0, "张一") for _ in range(count)]
    for one in made:
        phone.push(one.operations)
    return [one.household for one in made]


def test_what_a_form_works_out_is_looked_at_where_the_answers_say_otherwise(ground, office):
    """An old phone left the fee empty, or two people changed its parts: nothing is refused, the secretary is told, and a right value ends it."""
    go_live(office, COMMUNITY, dogs(rows=ROWS))
    phone = ground.worker(0)
    first, second = homes(ground, phone, 2)
    old, new = answer(first, dogs_count=2), answer(second, dogs_count=2, fee=100)
    assert phone.outcomes([old]) == phone.outcomes([new]) == [("applied", None)]

    def found():
        rows = office.get("/api/v1/inbox/findings?name=fee_calculation").json["rows"]
        return [(row["record"]["id"], row["message"]["zh"]) for row in rows]

    assert found() == [(old["id"], "年费与按答案计算的结果不一致")]
    phone.push([patch(ground, old["id"], {"fee": 100})], [patch(ground, new["id"], {"dogs_count": 3})])
    assert [record for record, _ in found()] == [new["id"]]


def make_circular(ground, version):
    """A stored survey as it could be kept before circles were refused: the number is asked for as long as the fee is small."""
    with write(ground.house.engine) as connection:
        row = next(row for row in survey_store.versions(connection, COMMUNITY, NAME) if row.version == version)
        kept = orjson.loads(row.document)
        (asked,) = (one for one in kept["definition"]["fields"] if one["name"] == "dogs_count")
        asked["relevant"] = "${fee} < 500"
        run(connection, "UPDATE survey SET document = ? WHERE name = ? AND version = ?", (orjson.dumps(kept).decode(), NAME, version))


def test_a_survey_in_force_that_needs_its_own_result_shuts_nothing(ground, office):
    """It was published before that was refused: it is answered as before, so is all else of the community; no further one is published."""
    go_live(office, COMMUNITY, dogs(rows=ROWS))
    make_circular(ground, 1)
    assert send(office, COMMUNITY, dogs(2, rows=ROWS)).status_code == 201
    make_circular(ground, 2)
    ground.house.shelf.clear()  # as after the upgrade
    phone = ground.worker(0)
    household = homes(ground, phone, 1)[0]
    assert phone.outcomes([answer(household, dogs_count=20, fee=1000)]) == [("applied", None)]
    assert office.get("/api/v1/inbox/findings?name=fee_calculation").json["rows"] == []
    assert calculated(community_registry(ground.house, COMMUNITY).latest(NAME), {"dogs_count": 20}, ground.house.clock().date()) == {"fee": 1000}
    refused = office.post(path(COMMUNITY, f"/{NAME}/publish"), {"version": 2})
    assert refused.status_code == 422 and "计算引用了自己的结果 / the calculation needs its own value" in refused.json["errors"][0]["message"]
