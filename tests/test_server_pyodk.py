"""Scripts that planners have for ODK Central: the real pyodk against the served program, with our permissions and our audit log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from live import LiveCommunity, LiveServer, home, live_server
from odk_kit import filled, new
from PIL import Image
from pyodk._utils.config import CentralConfig, Config
from pyodk.client import Client
from pyodk.errors import PyODKError

from server.services import accounts
from server.store.database import read, run

__all__ = ["live_server"]

PASSWORD = "correct horse battery staple"


@pytest.fixture
def community(live_server: LiveServer) -> LiveCommunity:
    return live_server.community()


@pytest.fixture
def signed_in(community: LiveCommunity, tmp_path) -> Callable[[str], Client]:
    """A pyodk client of somebody by login name."""

    def client(login: str) -> Client:
        config = Config(central=CentralConfig(community.server.url, login, PASSWORD))
        made = Client(config=config, cache_path=tmp_path / f"{login}.toml")
        made.open()
        made.projects.default_project_id = None
        return made

    return client


def secretary(community: LiveCommunity) -> str:
    return f"s-{community.community_id[-12:]}"


def looks(community: LiveCommunity) -> list[tuple[Any, ...]]:
    with read(community.server.house.engine) as connection:
        statement = "SELECT action, purpose, record_type, count FROM audit WHERE community_id = ? AND action = 'read'"
        return [tuple(row) for row in run(connection, statement, (community.community_id,))]


def test_projects_and_forms(community, signed_in):
    """Signing in, the project that one works for, its forms, and a form's XML."""
    client = signed_in(secretary(community))
    (project,) = client.projects.list()
    assert client.projects.get(project.id).name == project.name == "测试社区"
    forms = client.forms.list(project_id=project.id)
    assert {"household_survey", "person", "visit"} <= {one.xmlFormId for one in forms}
    assert client.forms.get("visit", project_id=project.id).state == "open"
    xml = client.session.get(f"projects/{project.id}/forms/visit.xml")
    assert xml.status_code == 200 and b"<h:html" in xml.content


def test_app_users_are_addresses_of_workers(community, signed_in):
    """Made under a worker's login name, listed with their token until they are revoked; nobody else may."""
    client = signed_in(secretary(community))
    (project,) = client.projects.list()
    login = f"w1-{community.community_id[-12:]}"
    community.worker(0)
    (made,) = client.projects.create_app_users([login], forms=["visit"], project_id=project.id)
    assert made.displayName == login
    address = f"{community.server.url}/v1/key/{made.token}/projects/{project.id}/formList"
    assert requests.get(address, timeout=30).status_code == 200
    assert list(client.projects.create_app_users([login], project_id=project.id)) == []
    assert client.delete(f"projects/{project.id}/app-users/{made.id}").status_code == 200
    assert requests.get(address, timeout=30).status_code == 403
    with pytest.raises(PyODKError, match="unknown_user"):
        client.projects.create_app_users(["nobody-of-this-name"], project_id=project.id)
    with pytest.raises(PyODKError, match="403"):
        signed_in(login).projects.create_app_users([login], project_id=project.id)


def test_submissions_are_sent_listed_and_reviewed(community, signed_in, tmp_path):
    """A worker's script sends a form; the secretary's reads the list, one of them, the table with its records, and sets a review state."""
    worker = community.worker(0)
    phone = community.phone(tmp_path / "phone.sqlite3", worker)
    made = home(phone, 0, "张一")
    phone.sync()
    sender, reader = signed_in(f"w1-{community.community_id[-12:]}"), signed_in(secretary(community))
    (project,) = reader.projects.list()
    visit = new("visit", {"household": made["household"], "outcome": "met", "method": "door", "photos_1": "door.jpg"})
    Image.new("RGB", (8, 8), "red").save(tmp_path / "door.jpg")
    sent = sender.submissions.create(
        filled("visit", visit), form_id="visit", project_id=project.id, device_id="script", attachments=[str(tmp_path / "door.jpg")]
    )
    again = sender.submissions.create(filled("visit", visit, instance=sent.instanceId), form_id="visit", project_id=project.id, device_id="script")
    assert again.instanceId == sent.instanceId and sent.deviceId == "script"
    assert [one.instanceId for one in reader.submissions.list("visit", project_id=project.id)] == [sent.instanceId]
    table = reader.submissions.get_table(form_id="visit", project_id=project.id, top=10, count=True)
    assert table["@odata.count"] == 1
    (row,) = table["value"]
    (record,) = row["records"]
    assert (row["__id"], record["record"], record["operation"]) == (sent.instanceId, visit["id"], "create")
    assert record["household"] == made["household"] and record["method"] == "door"
    reader.submissions.review(sent.instanceId, "approved", form_id="visit", project_id=project.id)
    assert reader.submissions.get(sent.instanceId, form_id="visit", project_id=project.id).reviewState == "approved"
    assert ("read", "odk central", None, 1) in looks(community)


def test_entities_are_records(community, signed_in):
    """Lists, entities one by one and as a table; making, changing against a version, refusing an old version, deleting, merging a table."""
    client = signed_in(secretary(community))
    (project,) = client.projects.list()
    at = {"project_id": project.id}
    assert {"person", "household", "dwelling"} <= {one.name for one in client.entity_lists.list(**at)}
    assert "name_" in {one.name for one in client.entity_lists.get("building", **at).properties}
    place = {"anchor": "31.305 120.605 0 5", "name_": "一号楼", "floors_count": "6"}
    made = client.entities.create("一号楼", place, entity_list_name="building", **at)
    assert made.currentVersion.version == 1 and made.currentVersion.data["name_"] == "一号楼"
    changed = client.entities.update(made.uuid, entity_list_name="building", data={"floors_count": "7"}, base_version=1, **at)
    assert changed.currentVersion.version == 2
    with pytest.raises(PyODKError, match=r"409\.15"):
        client.entities.update(made.uuid, entity_list_name="building", data={"floors_count": "8"}, base_version=1, **at)
    client.entities.update(made.uuid, entity_list_name="building", data={"floors_count": "9"}, force=True, **at)
    assert client.entities.create_many([{"label": "二号楼", "name_": "二号楼"}, {"label": "三号楼", "name_": "三号楼"}], entity_list_name="building", **at)
    table = client.entities.get_table(entity_list_name="building", count=True, **at)
    assert {row["name_"]: row["floors_count"] for row in table["value"]} == {"一号楼": "9", "二号楼": "", "三号楼": ""}
    assert len(client.entities.list(entity_list_name="building", **at)) == table["@odata.count"] == 3
    assert client.entities.delete(made.uuid, entity_list_name="building", **at)
    assert len(client.entities.list(entity_list_name="building", **at)) == 2
    client.entities.default_project_id = project.id  # pyodk updates the rows of a merged table in it, whatever it is told
    rows = [{"label": "二号楼", "name_": "二号楼", "floors_count": "5"}, {"label": "四号楼", "name_": "四号楼", "floors_count": "3"}]
    did = client.entities.merge(rows, entity_list_name="building", match_keys=["name_"], add_new_properties=False, delete_not_matched=True, **at)
    assert [len(one) for one in (did.to_insert, did.to_update, did.to_delete)] == [1, 1, 1]
    left = client.entities.get_table(entity_list_name="building", **at)["value"]
    assert {row["name_"]: row["floors_count"] for row in left} == {"二号楼": "5", "四号楼": "3"}
    with pytest.raises(PyODKError, match="unknown_property"):
        client.entities.create("x", {"nothing": "1"}, entity_list_name="building", **at)


def test_what_a_planner_and_a_neighbour_may_not_see(community, signed_in, tmp_path):
    """Permissions are ours: a planner gets places without personal fields, nobody gets another community, no token is 401."""
    phone = community.phone(tmp_path / "phone.sqlite3", community.worker(0))
    home(phone, 0, "张一")
    phone.sync()
    accounts.add_user(
        community.server.house, community.secretary, login=f"p-{community.community_id[-12:]}", name="规划师", role="planner",
        password=PASSWORD,
    )  # fmt: skip
    client = signed_in(f"p-{community.community_id[-12:]}")
    (project,) = client.projects.list()
    at = {"project_id": project.id}
    assert len(client.entities.list(entity_list_name="building", **at)) == 1
    assert client.entities.list(entity_list_name="person", **at) == []
    assert "note" not in {one.name for one in client.entity_lists.get("building", **at).properties}
    with pytest.raises(PyODKError, match="403"):
        client.submissions.list("visit", **at)
    with pytest.raises(PyODKError, match="403"):
        client.entities.create("x", {"name_": "x"}, entity_list_name="building", **at)
    other = community.server.community()
    (neighbour,) = signed_in(secretary(other)).projects.list()
    with pytest.raises(PyODKError, match="404"):
        client.projects.get(neighbour.id)
    assert requests.get(f"{community.server.url}/v1/projects", timeout=30).json()["code"] == 401.2
    assert client.get("projects/1/roles/x").json()["code"] == 404.1
    with pytest.raises(PyODKError, match="401"):
        Client(config=Config(central=CentralConfig(community.server.url, "nobody", "wrong-password")), cache_path=tmp_path / "x").open()
