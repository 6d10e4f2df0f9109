from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from records_kit import IDS, actor_of, office_with_records, write_operation

from server.store.database import read, run
from sync.digest import made_id


def test_s24_a_card_appears_when_the_registered_dwelling_moves_away(
    prepared_database: Callable[[Any], str], tmp_path: Path, clock: Any
) -> None:
    """A neighbour's dwelling turns out to stand in another cell: who is registered there gets a card there, on either database."""
    office = office_with_records(prepared_database, tmp_path, clock)
    secretary = actor_of(office, "secretary")

    def cards() -> list[tuple[str, str]]:
        with read(office.house.engine) as connection:
            rows = run(connection, "SELECT home, life FROM record WHERE id = ?", (made_id("card", IDS["wang"]),))
            return [(row.home, row.life) for row in rows]

    def patch(name: str, **values: Any) -> None:
        with read(office.house.engine) as connection:
            row = next(iter(run(connection, "SELECT v, tag FROM record WHERE id = ?", (IDS[name],))))
        base = {"v": row.v, "tag": row.tag}
        result = write_operation(office.house, secretary, "patch", name, values, base=base)
        assert result["now"]["outcome"] == "applied", result["errors"]

    patch("wang", registration_dwelling=IDS["dwelling_c"])
    assert cards() == []
    patch("dwelling_c", entrance=IDS["entrance_a"])
    assert cards() == [("cell/cell-a", "live")]
    patch("dwelling_c", entrance=None)
    assert [life for _, life in cards()] == ["deleted"]


def test_s4_agreeing_after_all_closes_the_question(
    prepared_database: Callable[[Any], str], tmp_path: Path, clock: Any
) -> None:
    """A value that waits is withdrawn by its own author: the conflict closes in the record and in the table of conflicts."""
    office = office_with_records(prepared_database, tmp_path, clock)
    secretary, worker = actor_of(office, "secretary"), actor_of(office, "grid_worker")

    def asked() -> tuple[str, list[tuple[str, str]]]:
        with read(office.house.engine) as connection:
            opened = next(iter(run(connection, "SELECT conflicts FROM record WHERE id = ?", (IDS["household_b"],))))
            rows = run(connection, "SELECT unit, state FROM conflict WHERE record_id = ?", (IDS["household_b"],))
            return opened.conflicts, [(row.unit, row.state) for row in rows]

    write_operation(office.house, secretary, "patch", "household_b", {"household_number": "111"})
    told = {"was": {"household_number": None}}
    first = write_operation(office.house, worker, "patch", "household_b", {"household_number": "222"}, **told)
    assert first["now"]["outcome"] == "conflict" and asked() == ('["household_number"]', [("household_number", "open")])
    write_operation(office.house, worker, "patch", "household_b", {"household_number": "111"}, **told)
    assert asked() == ("[]", [("household_number", "closed")])
