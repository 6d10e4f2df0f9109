"""The order in which communities are read over OGC API Features is that of the cursors, on every database."""

from __future__ import annotations

import pytest
from front_door import COMMUNITY
from records_kit import office_with_records

from server.permissions import Scope
from server.store import ogc as store
from server.store.database import write


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def test_communities_come_in_the_order_that_cursors_compare(office):
    """A house whose database sorts letters in its own way reads on behind the same community as one that does not."""
    found = ("alpha", "Zeta", "a-b", "ab", "B", "_c")
    with write(office.house.engine) as connection:
        row = dict(connection.exec_driver_sql(f"SELECT * FROM community WHERE community_id = '{COMMUNITY}'").mappings().one())
        for number, one in enumerate(found):
            row |= {"community_id": one, "code": f"99900000000{number}"}
            marks = ", ".join(f"%({name})s" if connection.dialect.name == "postgresql" else f":{name}" for name in row)
            connection.exec_driver_sql(f"INSERT INTO community ({', '.join(row)}) VALUES ({marks})", row)
        seen = [one.community_id for one in store.grounds(connection, Scope(None))]
    assert set(found) <= set(seen) and seen == sorted(seen)
