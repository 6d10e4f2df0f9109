"""An older copy of the database that was put back by hand is noticed (S19, S25): real phones over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from server_kit import Ground
from test_restore_story import ground, home, names_of, phone_of, settled  # noqa: F401

from server.store import backup as backups
from server.store import database


@contextmanager
def same_life(ground: Ground) -> Iterator[Callable[[], None]]:  # noqa: F811
    """Copies the database now; what is given puts that copy back by hand, as no command would: with its old life."""
    name = ground.house.engine.dialect.name
    tables = backups.tables()
    with database.read(ground.house.engine) as connection:
        kept = {one: list(backups.lines(connection, one, columns)) for one, columns in tables.items()}
        number = backups.journal_number(connection)

    def put() -> None:
        with database.write(ground.house.engine) as connection:
            for trigger in ("audit", "journal"):
                if name == "sqlite":
                    for change in ("update", "delete"):
                        connection.exec_driver_sql(f"DROP TRIGGER {trigger}_no_{change}")
                else:
                    connection.exec_driver_sql(f"DROP TRIGGER {trigger}_append_only ON {trigger}")
            for one, columns in tables.items():
                connection.exec_driver_sql(f'DELETE FROM "{one}"')
                backups.load(connection, one, columns, kept[one])
            backups.set_journal_number(connection, number)

    yield put


@pytest.mark.parametrize("pushes", [False, True], ids=["pull first", "push first"])
def test_s25_a_copy_put_back_by_hand_is_noticed(ground, tmp_path, pushes):  # noqa: F811
    """S25: an older file in the old life: the first phone that shows more than the server has begins a new one, once."""
    one, two = phone_of(ground, tmp_path / "one", 0), phone_of(ground, tmp_path / "two", 0)
    home(one, 0, "王一")
    settled(ground, one, two)
    with same_life(ground) as put:
        home(one, 0, "王二")
        home(two, 0, "王三")
        settled(ground, one, two)
        put()
    if pushes:
        home(one, 0, "王四")
        one.push()
    settled(ground, one, two)
    assert {"王一", "王二", "王三"} <= names_of(one) == names_of(two)
    assert len(ground.rows("SELECT 1 FROM finding WHERE kind = 'copied_back'")) == 1
    assert [row[0] for row in ground.rows("SELECT command FROM journal WHERE command = 'copied_back'")] == [
        "copied_back"
    ]


def test_s19_s25_a_copy_put_back_by_hand_is_noticed_when_its_numbers_have_caught_up(ground, tmp_path):  # noqa: F811
    """S19, S25: others have written as much since; the author's phone is gone. Whoever pulls next shows an entry of the journal that is not there."""
    one, two, three = (phone_of(ground, tmp_path / name, 0) for name in ("one", "two", "three"))
    home(one, 0, "王一")
    settled(ground, one, two, three)
    with same_life(ground) as put:
        lost = home(one, 0, "李丢")
        one.sync()
        settled(ground, two)
        put()
    home(three, 0, "赵六")
    home(three, 0, "孙七")
    settled(ground, three)
    assert ground.rows("SELECT 1 FROM finding WHERE kind = 'copied_back'") == []
    settled(ground, two, three)
    assert names_of(two) == names_of(three) == {"王一", "赵六", "孙七"}
    assert len(ground.rows("SELECT 1 FROM finding WHERE kind = 'copied_back'")) == 1
    assert {row[0] for row in ground.rows("SELECT record_id FROM recovery")} == {lost[kind] for kind in ("building", "dwelling", "household")} | {*lost["persons"]}
