"""The day in the communities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from server_kit import home, operation

from sync.days import day_at


@pytest.mark.parametrize(
    ("moment", "day", "why"),
    [
        ("2026-03-02T15:59:59.999Z", "2026-03-02", "the last moment of the day in China"),
        ("2026-03-02T16:00:00.000Z", "2026-03-03", "midnight in China, afternoon in UTC"),
        ("2025-12-31T16:00:00.000Z", "2026-01-01", "the year begins there"),
        (datetime(2026, 3, 2, 16, tzinfo=UTC), "2026-03-03", "an instant"),
        (datetime(2026, 3, 3, 0, 30, tzinfo=timezone(timedelta(hours=8))), "2026-03-03", "an instant of a clock in China"),
        (datetime(2026, 3, 2, 9, tzinfo=timezone(-timedelta(hours=8))), "2026-03-03", "an instant of a clock elsewhere"),
    ],
)
def test_the_day_is_that_of_the_communities(moment: datetime | str, day: str, why: str):
    """Whatever clock the moment was read from."""
    assert day_at(moment) == day, why


def test_what_names_no_day_was_on_the_day_that_it_is_in_china(ground, clock):
    """Early in the morning there it is the day before in UTC, and no phone shows another day than the server writes."""
    phone = ground.worker(0, 1)
    near, far = home(0, "张一", "张二"), home(1, "李三")
    phone.push(near.operations, far.operations)
    clock.now = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # half past six in the morning of the third
    arguments = {"dwelling": far.dwelling, "members": near.persons}
    others = {one: {"base": ground.base(one), "was": {}} for one in near.persons}
    base = ground.base(near.household)
    phone.push([operation("command", "household", near.household, base=base, name="move_household", arguments=arguments, others=others)])
    assert ground.fields(near.household)["moved_in_on"] == "2026-03-03"
    assert {ground.fields(one)["resident_from"] for one in near.persons} == {"2026-03-03"}
