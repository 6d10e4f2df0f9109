from __future__ import annotations

import json
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import func, select

from server.app import create_app, house_of
from server.demo.community import demo_groups
from server.demo.load import (
    COMMUNITY_ID,
    IMPORT_INSTALL,
    PASSWORD,
    SIGN_INS,
    DemoRefused,
    _all_applied,
    describe,
    ensure_demo,
)
from server.models import cell, edition, install, journal, operation, record, stream
from server.services import accounts, enrolment, sign_in
from server.settings import Settings
from server.start import prepare
from server.store.database import read


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    house = house_of(create_app(Settings.in_folder(tmp_path_factory.mktemp("demo"))))
    prepare(house)
    told: list[tuple[int, int]] = []
    access = ensure_demo(house, progress=lambda done, of: told.append((done, of)))
    return house, access, told


def test_the_demo_is_loaded_whole_through_the_push_service(loaded):
    """Every record of the demo is live in the database, placed, and was journaled as an import."""
    house, access, told = loaded
    wanted = Counter(one["type"] for group in demo_groups(date(2026, 1, 1)) for one in group)
    with read(house.engine) as connection:
        kept = dict(connection.execute(select(record.c.type, func.count()).group_by(record.c.type)).all())
        outcomes = dict(connection.execute(select(operation.c.now, func.count()).group_by(operation.c.now)).all())
        sources = set(
            connection.execute(select(journal.c.source).where(journal.c.install_id == IMPORT_INSTALL)).scalars()
        )
    assert {name: kept[name] for name in wanted} == dict(wanted)
    assert kept.keys() - wanted.keys() <= {"reference_card", "reference"}
    assert outcomes == {"applied": access.operations}
    assert access.pushed == access.operations == sum(wanted.values())
    assert sources == {"import"}
    assert told[-1] == (access.operations, access.operations)


def test_everything_with_a_place_is_in_its_cell(loaded):
    """Households and residents stand in the 24 published cells; only members who live elsewhere have no cell."""
    house, _, _ = loaded
    with read(house.engine) as connection:
        cells = set(connection.execute(select(cell.c.cell_id).join(edition, (edition.c.edition_id == cell.c.edition_id)
                    & (edition.c.community_id == cell.c.community_id)).where(edition.c.state == "published")).scalars())  # fmt: skip
        homes = connection.execute(
            select(record.c.type, record.c.home, func.count()).group_by(record.c.type, record.c.home)
        ).all()
        streams = connection.execute(select(stream.c.stream_id)).scalars().all()
    assert len(cells) == 24
    households = {home: count for kind, home, count in homes if kind == "household"}
    assert households.keys() == {f"cell/{one}" for one in cells}
    assert min(households.values()) >= 80 and max(households.values()) <= 150
    assert {kind for kind, home, _ in homes if home == "~unplaced"} <= {"party_member", "check_in"}
    assert {f"cell/{one}" for one in cells} <= set(streams)


def test_loading_again_changes_nothing_but_the_code(loaded):
    """`make run` a second time pushes nothing, makes no second account, and the token told at the first start goes on."""
    house, first, _ = loaded
    with read(house.engine) as connection:
        before = connection.execute(select(func.count()).select_from(operation)).scalar_one()
    second = ensure_demo(house)
    with read(house.engine) as connection:
        assert connection.execute(select(func.count()).select_from(operation)).scalar_one() == before
        last = connection.execute(select(install.c.last_n).where(install.c.install_id == IMPORT_INSTALL)).scalar_one()
    assert second.pushed == 0 and second.operations == first.operations == last
    assert second.enrolment_code != first.enrolment_code and second.read_token is None
    assert len(accounts.list_users(house, accounts.OPERATOR)) == len(SIGN_INS)
    assert first.read_token is not None
    assert sign_in.actor_of_read_token(house, first.read_token).role == "planner"
    assert first.read_token in describe(first, "") and "dishu token create planner" in describe(second, "")


def test_everybody_can_sign_in_and_a_phone_can_enrol(loaded):
    """The printed sign-ins work, the code enrols a phone of the grid worker, and the text names them all."""
    house, _, _ = loaded
    access = ensure_demo(house)
    for one in SIGN_INS:
        assert sign_in.sign_in(house, one.login, PASSWORD).actor.role == one.role
    enrolled = enrolment.enrol(house, access.enrolment_code, label="phone", app_version="1")
    assert enrolled.community_id == COMMUNITY_ID and enrolled.actor.role == "grid_worker"
    scope = accounts.scope(house, enrolled.actor)
    assert scope.streams is not None
    assert len([one for one in scope.streams if one.startswith("cell/")]) == 2
    text = describe(access, "http://127.0.0.1:8000/")
    for needed in (
        "http://127.0.0.1:8000/",
        PASSWORD,
        access.enrolment_code,
        *(one.login for one in SIGN_INS),
    ):
        assert needed in text


def test_a_load_that_was_stopped_goes_on_where_it_stopped(tmp_path):
    """Killed after a batch, the demo goes on behind that batch at the next start, with nothing twice."""
    house = house_of(create_app(Settings.in_folder(tmp_path)))
    prepare(house)

    class Stopped(Exception):
        pass

    told: list[int] = []

    def stop(done: int, of: int) -> None:
        told.append(done)
        raise Stopped

    for _ in range(2):
        with pytest.raises(Stopped):
            ensure_demo(house, progress=stop)
    with read(house.engine) as connection:
        numbers = connection.execute(select(operation.c.n, operation.c.now).order_by(operation.c.n)).all()
    assert 0 < told[0] < told[1]
    assert [tuple(row) for row in numbers] == [(n, "applied") for n in range(1, told[1] + 1)]


def test_an_operation_that_is_not_applied_is_named_without_its_values():
    """If forms and demo ever disagree, the load stops and says which type of record was refused."""
    results = [{"n": 1, "now": {"outcome": "quarantined", "reason": "invalid"}}]
    with pytest.raises(DemoRefused, match="person was quarantined") as caught:
        _all_applied(results, [[(1, json.dumps({"name": "secret"}), "op", "person")]])
    assert "secret" not in str(caught.value)
