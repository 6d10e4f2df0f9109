"""What is measured with: one community of four square cells, households of one cell, and invented persons of 25 fields."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson

from forms.identity import resident_id_check_character
from geo.cells import read_cells
from geo.profile import CN15
from server.house import House, uuid7
from server.permissions import Actor
from server.services import accounts, editions, enrolment, sign_in
from server.services import assignments as assigning
from server.store import assignments as places
from server.store.database import stamp, write
from server.store.people import User

COMMUNITY = "320508999001"
WEST, SOUTH, SIZE = 120.60, 31.30, 0.01
CELLS = tuple(f"{COMMUNITY}{number:03d}" for number in range(1, 5))
PASSWORD = "correct horse battery staple"
_FAMILY, _GIVEN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨", "安宁和平春夏秋冬山河江海云雨松柏竹梅兰菊"
_WORK = ("教师", "会计", "司机", "退休", "程序员", "护士", "厨师", "个体经营")


@dataclass(frozen=True, slots=True)
class Ground:
    """Who works in the community that is measured: enrolment codes of the workers of the first two cells, a token."""

    codes: tuple[tuple[str, ...], ...]
    read_token: str
    secretary: Actor


def lay_ground(house: House, phones: int = 5) -> Ground:
    """Publish the cells, make a worker with ``phones`` codes for each of the first two; the database is prepared."""
    with write(house.engine) as connection:
        new = places.Community(COMMUNITY, COMMUNITY, "量测社区", COMMUNITY[:9], COMMUNITY[:6], CN15.name)
        places.add_community(connection, new, at=stamp(house.clock()))
    draft = read_cells(cells_document(), datum="cgcs2000")
    editions.publish_edition(house, accounts.OPERATOR, COMMUNITY, draft)
    secretary = sign_in.actor_of(_user(house, "secretary", "secretary"))
    codes = []
    for number, one in enumerate(draft.cells[:2]):
        worker = _user(house, "grid_worker", f"worker{number}").user_id
        assigning.assign(house, accounts.OPERATOR, user_id=worker, cell_id=one.cell_id, community_id=COMMUNITY)
        made = (enrolment.create_code(house, accounts.OPERATOR, worker, community_id=COMMUNITY) for _ in range(phones))
        codes.append(tuple(code for code, _ in made))
    token, _ = sign_in.make_read_token(house, secretary, label="bench")
    return Ground(tuple(codes), token, secretary)


def _user(house: House, role: str, login: str) -> User:
    return accounts.add_user(
        house, accounts.OPERATOR, login=login, name="量测", role=role, password=PASSWORD, community_id=COMMUNITY
    )


def cells_document() -> dict[str, Any]:
    """Four squares in a row, a hundredth of a degree wide, sharing their borders."""
    features = []
    for number, code in enumerate(CELLS):
        west, east, north = round(WEST + number * SIZE, 7), round(WEST + (number + 1) * SIZE, 7), SOUTH + SIZE
        ring = [[west, SOUTH], [east, SOUTH], [east, north], [west, north], [west, SOUTH]]
        features.append(
            {
                "type": "Feature",
                "properties": {"code": code, "name": f"第{number + 1}网格"},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
        )
    return {"type": "FeatureCollection", "features": features}


def anchor(chance: random.Random, cell: int = 0) -> dict[str, Any]:
    """A location well inside a cell."""
    lon = round(WEST + (cell + chance.uniform(0.2, 0.8)) * SIZE, 7)
    lat = round(SOUTH + chance.uniform(0.2, 0.8) * SIZE, 7)
    return {"lon": lon, "lat": lat, "datum": "cgcs2000", "accuracy_m": 4, "confidence": 0.95, "method": "survey"}


class Maker:
    """Makes operations with the same values for the same seed; ids are new every time."""

    def __init__(self, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.households: list[str] = []
        self.claimed_at = "2026-01-05T08:00:00.000Z"

    def create(self, record_type: str, fields: dict[str, Any]) -> dict[str, Any]:
        """A creation."""
        return {
            "op_id": uuid7(), "type": record_type, "id": uuid7(), "kind": "create", "base": None, "set": fields,
            "form_version": 1, "claimed_at": self.claimed_at,
        }  # fmt: skip

    def patch(self, record: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
        """A change of one field of a record as the server knows it (id, v, tag)."""
        return {
            "op_id": uuid7(), "type": "person", "id": record["id"], "kind": "patch",
            "base": {"v": record["v"], "tag": record["tag"]}, "set": {name: value}, "was": {name: None},
            "form_version": 1, "claimed_at": self.claimed_at,
        }  # fmt: skip

    def homes(self, count: int, cell: int = 0) -> Iterator[list[dict[str, Any]]]:
        """Groups of a building with fifty dwellings and their households, all in one cell."""
        for number in range(0, count, 50):
            building = self.create("building", {"name": f"{number // 50 + 1}幢", "anchor": anchor(self.chance, cell)})
            group = [building]
            for door in range(min(50, count - number)):
                dwelling = self.create("dwelling", {"building": building["id"], "door_number": f"{door + 101}"})
                household = self.create("household", {"dwelling": dwelling["id"], "kind": "family"})
                self.households.append(household["id"])
                group += [dwelling, household]
            yield group

    def person(self) -> dict[str, Any]:
        """The creation of a person with 25 filled fields, one of them the secret document number."""
        chance = self.chance
        born = date(1950, 1, 1) + timedelta(days=chance.randrange(18_000))
        sex = chance.choice("12")
        order = chance.randrange(500) * 2 + (sex == "1")
        number = f"999999{born:%Y%m%d}{order:03d}"
        phone = f"100{chance.randrange(10**8):08d}"
        return self.create("person", {
            "name": chance.choice(_FAMILY) + "".join(chance.choices(_GIVEN, k=2)),
            "document_type": "resident_id",
            "document_number": number + resident_id_check_character(number),
            "document_evidence": "shown",
            "sex": sex,
            "birth_date": born.isoformat(),
            "birth_precision": "day",
            "vital_status": "living",
            "phones": [phone],
            "ethnic_code": "01",
            "education_code": chance.choice(("21", "30", "60", "70")),
            "marital_code": "20",
            "political_code": "13",
            "occupation_text": chance.choice(_WORK),
            "employer_text": f"量测单位{chance.randrange(200)}",
            "emergency_contacts": [f"家属 100{chance.randrange(10**8):08d}"],
            "keyholder_text": f"邻居 100{chance.randrange(10**8):08d}",
            "residence_household": chance.choice(self.households),
            "relation_to_head": chance.choice(("02", "10", "20")),
            "resident_from": "2019-05-01",
            "joined_reason": "survey",
            "presence": "present",
            "registration_address_text": f"量测路{chance.randrange(400)}号{chance.randrange(60) + 1}室",
            "registration_division_code": "320508",
            "registration_kind": "family",
        })  # fmt: skip


def frozen(operation: dict[str, Any]) -> str:
    """The bytes of an operation as a phone freezes them."""
    return json.dumps(operation, ensure_ascii=False, separators=(",", ":"))


def push_body(install_id: str, after: tuple[int, str | None], groups: list[list[dict[str, Any]]], scope: int = 1) -> bytes:
    """The request body of a push that follows ``after``; n rises by one from there."""
    n, op_id = after
    sent = []
    for group in groups:
        members = []
        for operation in group:
            n += 1
            members.append({"n": n, "op": frozen(operation)})
        sent.append({"ops": members})
    return orjson.dumps(
        {
            "protocol": 1, "install_id": install_id, "after": {"n": after[0], "op_id": op_id},
            "scope": {"version": scope, "last_n": 0}, "sent_at": "2026-01-05T08:00:00.000Z", "groups": sent,
        }
    )  # fmt: skip


def plain_records(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same records as a floor takes them: an id and 25 fields."""
    return [{"id": one["id"], **one["set"]} for one in operations]

