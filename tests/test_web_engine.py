"""The phone's engine in TypeScript against the served program: what it ends with is what the reference phone ends with."""

import base64
import io
import json
import re

import pytest
from PIL import Image

from tests.live import LiveServer, anchor, live_server
from tests.test_web_engine_browser import WEB, built
from tests.test_web_vectors import run_vitest

__all__ = ["live_server"]

LIVE = WEB / "shared" / "engine" / "engine.live.ts"


@pytest.fixture
def scene(live_server: LiveServer, tmp_path):
    """A community with codes for several phones of two workers of the first two cells."""
    community = live_server.community()
    workers = [community.worker(0, 1), community.worker(0, 1)]
    codes = [community.code(worker) for worker in workers for _ in range(5)]
    codes = [codes[0], codes[5], *codes[1:5], *codes[6:]]
    report = tmp_path / "report.json"
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(picture, "PNG")
    photo = base64.b64encode(picture.getvalue()).decode()
    told = {"url": live_server.url, "codes": codes, "cells": community.cells, "anchor": anchor(0), "report": str(report), "photo": photo}
    return community, workers, told, report


def test_the_engine_agrees_with_the_server_and_with_the_reference_phone(scene, tmp_path):
    """Two workers edit offline, answers get lost, the phone is killed at every step: every copy ends the same (L5, L6, L7)."""
    community, workers, told, report = scene
    run_vitest("--config", "live.vitest.ts", DISHU_LIVE=json.dumps(told))
    the_reference_phone_has(json.loads(report.read_text(encoding="utf-8")), community, workers, tmp_path)


def test_it_agrees_with_them_in_chromium_too(scene, phone_context, tmp_path):
    """The same stories, on the browser's own fetch, IndexedDB and WebCrypto."""
    community, workers, told, _ = scene
    page = phone_context.new_page()
    page.goto(f"{told['url']}/healthz")
    page.evaluate(f"() => {{ {built(tmp_path, 'chromium.vite.ts', 'tests.js')}; window.DishuTests = DishuTests; }}")
    ran = page.evaluate("async (scene) => { await DishuTests.gatherLive(scene); return DishuTests.runAll(); }", json.dumps(told))
    assert ran["failed"] == []
    assert ran["passed"] == {"engine/engine.live.ts": len(re.findall(r"(?m)^test\(", LIVE.read_text(encoding="utf-8")))}
    assert page.evaluate("indexedDB.databases().then(all => all.length)") > 5
    the_reference_phone_has(json.loads(page.evaluate("(name) => DishuTests.readFileSync(name)", told["report"])), community, workers, tmp_path)


def the_reference_phone_has(said, community, workers, tmp_path):
    """What the engines ended with."""
    phone = community.phone(tmp_path / "reference.db", workers[0])
    phone.sync()
    view = phone.read(said["persons"][0])
    assert view is not None
    assert view.fields["sex"] == "9"
    assert view.fields["birth_date"] == "1981-01-01"
    assert view.conflicts == ()
    assert {one.id for one in phone.find("person", residence_household=said["household"])} == set(said["persons"])
