"""The screens are served by the same program, and open in a real browser."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from browser_kit import DemoSite
from flask.testing import FlaskClient
from playwright.sync_api import Page

from server.api.screens import STATIC
from server.app import create_app
from server.settings import Settings


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """Requests without a network."""
    return create_app(Settings.in_folder(tmp_path)).test_client()


def test_the_screens_were_built():
    """`make test` builds the screens before it tests them."""
    assert (STATIC / "console" / "index.html").is_file()
    assert (STATIC / "field" / "index.html").is_file()


def test_files_with_a_hash_in_their_name_are_kept_by_browsers_and_pages_are_asked_for_again(client: FlaskClient):
    """A new version of a screen reaches everybody with the next request."""
    page = client.get("/field/")
    assert page.headers["Cache-Control"] == "no-cache"
    assert "script-src" not in page.headers["Content-Security-Policy"]  # default-src 'self' holds for programs
    asset = next((STATIC / "field" / "assets").iterdir()).name
    assert "immutable" in client.get(f"/field/assets/{asset}").headers["Cache-Control"]


def test_programs_come_packed_as_tightly_as_the_browser_can_read_them(client: FlaskClient):
    """On a slow line a screen is there sooner; whoever reads no packed answers gets the file as it is."""
    asset = max((STATIC / "field" / "assets").glob("*.js"), key=lambda one: one.stat().st_size)
    whole = client.get(f"/field/assets/{asset.name}", headers={"Accept-Encoding": "identity"})
    assert (whole.data, whole.headers.get("Content-Encoding")) == (asset.read_bytes(), None)
    tight = client.get(f"/field/assets/{asset.name}", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert (tight.headers["Content-Encoding"], len(tight.data) < len(gzip.compress(whole.data, 9))) == ("br", True)
    packed = client.get(f"/field/assets/{asset.name}", headers={"Accept-Encoding": "gzip, deflate"})
    assert (packed.headers["Content-Encoding"], gzip.decompress(packed.data)) == ("gzip", whole.data)
    for answer, asked in ((tight, "br"), (packed, "gzip")):
        assert (answer.mimetype, "immutable" in answer.headers["Cache-Control"]) == (whole.mimetype, True)
        assert "Accept-Encoding" in answer.headers["Vary"]
        again = client.get(f"/field/assets/{asset.name}", headers={"Accept-Encoding": asked, "If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


def test_nothing_outside_the_built_folder_is_served(client: FlaskClient):
    """A path with dots gets nothing."""
    assert client.get("/field/../../../pyproject.toml").status_code == 404
    assert client.get("/console/..%2f..%2fapp.py").status_code == 404


def test_the_field_app_opens_at_phone_size(phone_page: Page, demo_site: DemoSite):
    """The grid worker sees Chinese words, not an empty page."""
    phone_page.goto(f"{demo_site.url}/field/")
    phone_page.get_by_text("底数").first.wait_for()


def test_the_console_opens_on_an_office_computer(office_page: Page, demo_site: DemoSite):
    """The secretary sees Chinese words, not an empty page."""
    office_page.goto(demo_site.url)
    office_page.get_by_text("底数").first.wait_for()


def test_a_demo_worker_gets_an_enrolment_code(demo_site: DemoSite):
    """The command line works on the served database; the office makes codes of the same kind."""
    told = demo_site.dishu("enrol-code", "create", "worker2").split("\t")[0], demo_site.enrolment_code("worker2")
    assert all(re.fullmatch(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){2}", code) for code in told)
    assert len(set(told)) == 2
