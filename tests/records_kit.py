"""A small community on record, written through the push service: two cells, two homes, five persons, and a stall.

Cell a: building 2, dwelling 201, household of 张三 (head), 李四 and a child. Cell b: building 10, dwelling 1001,
household of 王五; dwelling 1002 expected but never surveyed. A party member whose person is not known has no cell.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from front_door import COMMUNITY, FIRST_DAY, Office, furnish, open_office

from server.house import House, uuid7
from server.permissions import Actor
from server.services import assignments
from server.services.accounts import OPERATOR
from server.services.push import accept_user_operation

CODE_A, CODE_B = "999999001001001", "999999001001002"
_ORDER = (
    "estate", "building_a", "building_b", "entrance_a", "dwelling_a", "dwelling_b", "dwelling_c", "household_a",
    "household_b", "zhang", "li", "child", "wang", "old", "organization", "member", "stranger", "resource", "check_in",
)  # fmt: skip
IDS = {name: str(uuid.UUID(int=0x0195_0000_0000_7000_8000_0000_0000_0000 + n)) for n, name in enumerate(_ORDER, 1)}
"""Record ids by the names used in these tests."""


def id_number(birth: str, serial: str) -> str:
    """An invented resident ID number of region 999999 with its check digit."""
    digits = f"999999{birth}{serial}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return digits + "10X98765432"[sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11]


ZHANG_NUMBER = id_number("19600101", "001")


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"lon": lon, "lat": lat, "datum": "cgcs2000", "accuracy_m": 2, "confidence": 0.95, "method": "survey",
            "at": "2026-03-01T00:00:00Z"}  # fmt: skip


def _person(
    name: str, household: str | None, sex: str, birth: str, relation: str | None = None, **more: Any
) -> dict[str, Any]:
    values = {
        "name": name,
        "sex": sex,
        "birth_date": birth,
        "birth_precision": "day",
        "document_missing_reason": "not_asked",
    }
    if household is not None:
        values |= {"residence_household": IDS[household], "relation_to_head": relation, "presence": "present"}
    return values | more


RECORDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("estate", "estate", {"name": "听雨苑", "anchor": point(120.605, 31.305)}),
    ("building_a", "building", {"number": "2", "estate": IDS["estate"], "anchor": point(120.604, 31.304)}),
    ("building_b", "building", {"number": "10", "estate": IDS["estate"], "anchor": point(120.614, 31.304)}),
    ("entrance_a", "entrance", {"number": "1", "building": IDS["building_a"], "anchor": point(120.6041, 31.3041)}),
    ("dwelling_a", "dwelling", {"entrance": IDS["entrance_a"], "door_number": "201", "use": "home",
                                "occupancy": "owner_lived", "expected": True, "floor_number": 2}),
    ("dwelling_b", "dwelling", {"building": IDS["building_b"], "door_number": "1001", "use": "home", "expected": True}),
    ("dwelling_c", "dwelling", {"building": IDS["building_b"], "door_number": "1002", "expected": True,
                                "owner_text": "=cmd|'/c calc'!A1"}),
    ("household_a", "household", {"dwelling": IDS["dwelling_a"], "kind": "family", "head": IDS["zhang"], "tags": ["低楼层"]}),
    ("household_b", "household", {"dwelling": IDS["dwelling_b"], "kind": "family"}),
    ("zhang", "person", _person("张三", "household_a", "1", "1960-01-01", "02", phones=["10200000001"],
                                document_type="resident_id", document_number=ZHANG_NUMBER, document_missing_reason=None)),
    ("li", "person", _person("李四", "household_a", "2", "1962-05-05", "10")),
    ("child", "person", _person("张小小", "household_a", "1", "2020-06-01", "20")),
    ("wang", "person", _person("王五", "household_b", "1", "1940-02-29", "02")),
    ("old", "person", _person("赵六", "household_b", "2", "1930-01-01", "71", vital_status="deceased", died_on="2026-01-05")),
    ("organization", "organization", {"name": "示例小学", "credit_code": None, "anchor": point(120.615, 31.305)}),
    ("member", "party_member", {"name": "张三", "person": IDS["zhang"], "organization": IDS["organization"],
                                "political_code": "01", "in_service": True, "phone": "10200000001"}),
    ("stranger", "party_member", {"name": "周七", "organization": IDS["organization"], "political_code": "01"}),
    ("resource", "resource", {"name": "急救箱", "kind": "supply", "quantity": 3, "building": IDS["building_a"],
                              "contact_name": "钱八", "contact_phone": "10200000009"}),
    ("check_in", "check_in", {"subject_kind": "member", "party_member": IDS["member"], "state": "registered",
                              "registered_on": "2026-02-01", "skills": ["teaching"]}),
)  # fmt: skip


def actor_of(office: Office, role: str) -> Actor:
    """Somebody of this role, as services know them."""
    return Actor(office.users[role], role, COMMUNITY, name="某某")


def write_operation(
    house: House, actor: Actor, kind: str, name: str, values: dict[str, Any] | None = None, **more: Any
) -> Any:
    """One operation through the push service; its result."""
    record_type = next(found for known, found, _ in RECORDS if known == name)
    operation = {"kind": kind, "type": record_type, "id": IDS[name], "set": values or {}, **more}
    if kind != "create":
        operation.setdefault("was", {})
    return accept_user_operation(house, actor, operation)


def populate(url: str) -> None:
    """Fill an empty database with the office and its records; the grid worker is assigned to cell a."""
    import tempfile

    furnish(url)
    with tempfile.TemporaryDirectory() as folder:
        office = open_office(url, Path(folder), lambda: FIRST_DAY, uuid7)
        secretary = actor_of(office, "secretary")
        for name, _, values in RECORDS:
            result = write_operation(
                office.house, secretary, "create", name, {k: v for k, v in values.items() if v is not None}
            )
            assert result["now"]["outcome"] == "applied", (name, result)
        assignments.assign(office.house, OPERATOR, user_id=office.users["grid_worker"], cell_id="cell-a", community_id=COMMUNITY,
                           from_on="2026-02-01")  # fmt: skip
        office.house.engine.dispose()


def office_with_records(prepared: Any, tmp_path: Path, clock: Any, **changes: Any) -> Office:
    """The office of a fresh copy of the populated database, a day later."""
    clock.now = FIRST_DAY + timedelta(days=1)
    return open_office(prepared(populate), tmp_path, clock, uuid7, **changes)
