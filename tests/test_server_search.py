"""Exact search: what has just come is found like what has been there for years, and what went is not."""

from __future__ import annotations

import pytest
from server_kit import COMMUNITY, furnish, home, open_ground, patch

from server.services.verify import verify
from server.store import search
from server.store.database import read, write


@pytest.fixture
def ground(prepared_database, tmp_path):
    made = open_ground(prepared_database(furnish), tmp_path)
    yield made
    made.close()


def found(ground, *names: str) -> set[str]:
    """Whoever has one of these names, by both ways of asking, which must agree."""
    keys = {ground.house.keys.search_key("name", name) for name in names}
    with read(ground.house.engine) as connection:
        ids = {one for _, one in search.found_under(connection, COMMUNITY, sorted(keys))}
        asked = set()
        for key in keys:
            condition, values = search.indexed(connection, key, COMMUNITY)
            asked |= {row.id for row in ground.rows(f"SELECT r.id FROM record r WHERE r.community_id = ? AND {condition}", COMMUNITY, *values)}
    assert asked == ids
    return ids


def waiting(ground) -> int:
    with read(ground.house.engine) as connection:
        return len(search.new_entries(connection, COMMUNITY))


def fold(ground) -> None:
    with write(ground.house.engine) as connection:
        search.fold(connection, COMMUNITY)


def test_new_and_old_people_are_found_alike(ground):
    """Two people of one name, one waiting for the tree and one in it; nobody else."""
    phone = ground.worker(0)
    old, new = home(0, "张一", "李二"), home(0, "张一")
    phone.write(*old.operations)
    fold(ground)
    assert waiting(ground) == 0
    phone.write(*new.operations)
    assert waiting(ground) > 0
    assert found(ground, "张一") == {old.persons[0], new.persons[0]}
    assert found(ground, "李二", "无人") == {old.persons[1]}
    assert verify(ground.house).agrees
    fold(ground)
    assert found(ground, "张一") == {old.persons[0], new.persons[0]}
    assert verify(ground.house).agrees


@pytest.mark.parametrize("folded", [False, True])
def test_a_changed_name_is_not_found_any_more(ground, folded):
    """Whether or not the old name has reached the tree."""
    phone = ground.worker(0)
    made = home(0, "张一")
    phone.write(*made.operations)
    if folded:
        fold(ground)
    phone.write(patch(ground, made.persons[0], {"name": "张壹"}))
    assert found(ground, "张一") == set() and found(ground, "张壹") == {made.persons[0]}
    assert verify(ground.house).agrees


def test_entries_do_not_wait_for_ever(ground, monkeypatch):
    """Past a number of entries they go into the tree with the push that brought the last."""
    monkeypatch.setattr(search, "MOST_NEW", 3)
    phone = ground.worker(0)
    made = home(0, "张一", "李二", "王三", "赵四")
    phone.write(*made.operations)
    assert waiting(ground) == 0
    assert found(ground, "赵四") == {made.persons[3]}
