"""S30, S10: answers of special surveys go along where the other community has the same survey; else they stay, and somebody is told."""

from __future__ import annotations

import pytest
from crossing_kit import COMMUNITY, OTHER, accept, ask, family, rows, secretary_of, there, two_communities
from front_door import Person
from server_kit import PASSWORD, create
from survey_kit import NAME, dogs, go_live

from server.services import crossing
from server.services.deciding import Waiting
from server.services.push import accept_user_group, user_operation
from server.store import crossings
from server.store.database import read


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    with two_communities(prepared_database, tmp_path, clock, again=False) as found:
        yield found


def publish(ground, login, community_id, **changes):
    person = Person(ground.app.test_client())
    assert person.sign_in(login, PASSWORD).status_code == 200
    go_live(person, community_id, dogs(**changes))


def moved(ground):
    """A family that has answered and moved: (its home, the answer's id, what accepting said)."""
    phone = ground.worker(0)
    near, _ = family(phone)
    answer = create(NAME, {"household": near.household, "has_dog": "yes"}, form_version=1)
    phone.write(answer)
    _, waiting = ask(ground, phone, near.household)
    return near, answer["id"], accept(ground, waiting)


def left_behind(ground):
    return [(one.record_id, one.state) for one in rows(ground, "SELECT record_id, state FROM finding WHERE kind = 'left_behind'")]


def test_s30_answers_go_along_to_a_community_that_has_the_same_survey(ground):
    """S30, S24: the answer is there with its history, and nothing of it is left here but what the journal needs."""
    publish(ground, "secretary-1", COMMUNITY)
    publish(ground, "secretary-2", OTHER)
    _, answer, said = moved(ground)
    assert (there(ground, answer).life, ground.record(answer).life) == ("live", "moved")
    assert (said["moved"], said["stayed"], left_behind(ground)) == (5, 0, [])


@pytest.mark.parametrize("theirs", [None, "另一项"], ids=["has none", "has another of that name"])
def test_s30_answers_stay_readable_and_are_told_where_the_other_community_has_no_such_survey(ground, theirs):
    """S30, L5: a survey of the same name and other questions is another one. Those who come back have their answer again."""
    publish(ground, "secretary-1", COMMUNITY)
    if theirs is not None:
        publish(ground, "secretary-2", OTHER, rows=[["text", "words", theirs, "Other"]])
    near, answer, said = moved(ground)
    assert (said["moved"], said["stayed"]) == (4, 1)
    assert there(ground, answer) is None and ground.record(answer).life == "live" and ground.fields(answer)["has_dog"] == "yes"
    assert left_behind(ground) == [(answer, "open")]
    actor, row = secretary_of(ground.house), there(ground, near.household)
    back = {"kind": "command", "type": "household", "id": row.id, "name": "move_household", "base": {"v": row.v, "tag": row.tag}, "arguments": {"community": COMMUNITY}}
    accept_user_group(ground.house, actor, [user_operation(ground.house, back)])
    with read(ground.house.engine) as connection:
        (one,) = crossings.requests(connection, COMMUNITY)
    crossing.accept(ground.house, ground.secretary, Waiting(OTHER, one["install_id"], one["n"]), crossing.Place(dwelling=near.dwelling))
    assert left_behind(ground) == [(answer, "closed")] and ground.record(answer).home == ground.record(near.household).home


def test_s30_a_late_answer_that_cannot_be_decided_there_waits_for_its_authors_office_and_says_why(ground):
    """S30, S13: the phone was away; the other community has no such survey: quarantined here, with the place in the operation."""
    publish(ground, "secretary-1", COMMUNITY)
    away = ground.worker(0)
    near, _, _ = moved(ground)
    late = create(NAME, {"household": near.household, "has_dog": "no"}, form_version=1)
    assert away.outcomes([late]) == [("held", "moved")]
    away.pull()
    said = away.statuses[late["op_id"]]
    assert (said["outcome"], said["reason"]) == ("quarantined", "moved") and said["errors"][0]["pointer"], said
