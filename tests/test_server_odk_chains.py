"""Chains of forms of ODK Collect whose later form waits for the office (docs/odk.md)."""

from __future__ import annotations

import uuid

from front_door import Person
from odk_kit import collect, filled, opened
from test_server_odk_answers import place, written

__all__ = ["place"]


def test_an_earlier_form_is_not_dropped_behind_a_later_one_that_waits(ground, place):
    """The later form of a chain is quarantined and then discarded: what the earlier one said is in the journal and on record (L5)."""
    made, _ = place
    phone = collect(ground, 0)
    row = phone.fetch("building")[made.building]
    branch = str(uuid.uuid4())
    first = filled("building", opened("building", row, {"built_year": "1990"}, branchId=branch, trunkVersion="1"))
    local = row | {"built_year": "1990", "__version": str(int(row["__version"]) + 1)}
    second = filled("building", opened("building", local, {"floors_count": "many"}, branchId=branch, trunkVersion="1"))
    assert "待社区核对" in phone.send(second)
    assert "在等" in phone.send(first)  # behind what waits for the secretary
    assert [one[2] for one in written(ground, phone)] == ["quarantined", "held"]
    assert phone.send(second) and len(written(ground, phone)) == 2  # sent again it changes nothing
    [waiting] = ground.rows("SELECT install_id, n FROM operation WHERE now = 'quarantined'")
    secretary = Person(ground.app.test_client())
    secretary.sign_in("secretary-1")
    answer = secretary.post(f"/api/v1/inbox/quarantine/{waiting[0]}/{waiting[1]}/discard", json={})
    assert answer.status_code == 200, answer.data
    assert ground.fields(made.building)["built_year"] == 1990
