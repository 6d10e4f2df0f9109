"""The house, as commands need it: settings from the environment, database migrated and checked."""

from __future__ import annotations

from server.app import create_app, house_of
from server.errors import NotFound, StartError
from server.house import House
from server.services.community_forms import at_home
from server.settings import Settings
from server.start import prepare
from server.store import reach
from server.store.assignments import communities
from server.store.database import read


def open_house(settings: Settings | None = None, *, may_create: bool = False) -> House:
    """The house of the environment's settings; StartError says in one line why it cannot be opened.

    Only commands that set a house up ``may_create``: a mistyped path must not show an empty house.
    """
    settings = settings or Settings.from_environment()
    if not may_create:
        reach.demand_file(settings.database_url)
    house = house_of(create_app(settings))
    if not may_create and reach.revision(house.engine) is None:
        raise StartError(f"the database at {reach.place_of(house.engine)} is empty; `dishu db upgrade` sets it up")
    prepare(house)
    return house


def open_community(text: str) -> tuple[House, str]:
    """The house with the forms of a community, its special surveys among them, and the community's id; NotFound if there is none."""
    house = open_house()
    community_id = community_id_of(house, text) or ""
    return at_home(house, community_id), community_id


def community_id_of(house: House, text: str | None) -> str | None:
    """The id of a community that was named by id or code; None for None; NotFound if there is none."""
    if text is None or text.startswith("~"):
        return text
    with read(house.engine) as connection:
        found = [one.community_id for one in communities(connection) if text in {one.community_id, one.code}]
    if not found:
        raise NotFound(f"there is no community {text}")
    return found[0]
