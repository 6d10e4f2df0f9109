"""An office for the tests of the server's front: one community with two cells, and somebody of every role."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import shapely
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from server.app import create_app, house_of
from server.house import House, uuid7
from server.models import cell, edition
from server.permissions import HOUSE
from server.services import accounts
from server.services.accounts import OPERATOR
from server.settings import Settings
from server.start import prepare
from server.store import people
from server.store.assignments import Community, add_community
from server.store.database import read, stamp, write

COMMUNITY = "c-jinhe"
NEIGHBOUR = "c-yinxing"
CELLS = ("cell-a", "cell-b")
FIRST_DAY = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
PASSWORD = "a-made-up-password"
ROLES_HERE = {
    "secretary": COMMUNITY,
    "grid_worker": COMMUNITY,
    "community_worker": COMMUNITY,
    "planner": COMMUNITY,
    "admin": HOUSE,
    "auditor": HOUSE,
    "subdistrict": HOUSE,
}


@dataclass
class Office:
    """A running application without a network, its house, and the ids of its people by role."""

    app: Flask
    house: House
    users: dict[str, str]

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def signed_in(self, role: str) -> Person:
        person = Person(self.client())
        person.sign_in(f"{role.replace('_', '-')}-1")
        return person


class Person:
    """Somebody in front of a browser: keeps the cookie and sends the CSRF token."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.headers: dict[str, str] = {}

    def sign_in(self, login: str, password: str = PASSWORD) -> Any:
        answer = self.client.post("/api/v1/session", json={"login": login, "password": password})
        if answer.status_code == 200:
            self.headers = {"X-CSRF-Token": answer.json["csrf_token"]}
        return answer

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> Any:
        return self.client.post(path, json=json, headers=self.headers | options.pop("headers", {}), **options)


def problem(answer: Any) -> tuple[int, str]:
    """Status and slug of a problem answer."""
    assert answer.content_type == "application/problem+json", (answer.status_code, answer.data[:200])
    return answer.status_code, answer.json["type"].removeprefix("/problems/")


def _app(url: str, folder: Path, **changes: Any) -> Flask:
    given = {"key": b"a made-up key of thirty-two bytes", "sign_in_per_minute": 10_000, "enrol_per_minute": 10_000}
    clock, new_id = changes.pop("clock"), changes.pop("new_id")
    return create_app(Settings.in_folder(folder, database_url=url, **(given | changes)), clock=clock, new_id=new_id)


def open_office(url: str, folder: Path, clock: Callable[[], Any], new_id: Callable[[], str], **changes: Any) -> Office:
    """The office of a database that `furnish` has filled; ``changes`` are settings."""
    app = _app(url, folder, clock=clock, new_id=new_id, **changes)
    house = house_of(app)
    with read(house.engine) as connection:
        users = {user.role: user.user_id for user in people.users(connection, None)}
    return Office(app, house, users)


def furnish(url: str) -> None:
    """Fill an empty database: two communities, a published edition, and somebody of every role."""
    with tempfile.TemporaryDirectory() as folder:
        house = house_of(_app(url, Path(folder), clock=lambda: FIRST_DAY, new_id=uuid7))
        prepare(house)
        _places(house)
        for role, community_id in ROLES_HERE.items():
            accounts.add_user(
                house,
                OPERATOR,
                login=f"{role.replace('_', '-')}-1",
                name="某某",
                role=role,
                password=PASSWORD,
                community_id=community_id,
                area_code="999999001" if role == "subdistrict" else None,
            )
        house.engine.dispose()


def _places(house: House) -> None:
    at = stamp(house.clock())
    with write(house.engine) as connection:
        for community_id, code in ((COMMUNITY, "999999001001"), (NEIGHBOUR, "999999002001")):
            add_community(connection, Community(community_id, code, "社区", code[:9], code[:6], "cn-grid-15"), at=at)
        connection.execute(
            insert(edition).values(
                community_id=COMMUNITY, edition_id="e1", layer="base", number=1, state="published", profile="cn-grid-15",
                created_at=at, content_hash="h1",
            )
        )  # fmt: skip
        for place, cell_id in enumerate(CELLS):
            box = shapely.box(120.6 + place / 100, 31.3, 120.61 + place / 100, 31.31)
            connection.execute(
                insert(cell).values(
                    community_id=COMMUNITY, edition_id="e1", cell_id=cell_id, code=f"99999900100100{place + 1}",
                    name=f"第{place + 1}网格", order_number=place, geometry=shapely.to_wkb(box), area_m2=1.0,
                    label_lon=120.605, label_lat=31.305,
                )
            )  # fmt: skip
