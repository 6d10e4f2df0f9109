"""The demo community served on a free port, and real browsers in front of it: a phone of 360×740, an office computer of 1366×768."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

DEMO_PASSWORD = "dishu-demo"
#: How long a screen is waited for. What it shows is the promise; how soon, on a machine that does much else, is none.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
OFFICE = {"width": 1366, "height": 768}
PHONE = {"width": 360, "height": 740}
#: How a browser is a cheap phone: its size, touch, Chinese, the clock of where it is.
CHEAP_PHONE: dict[str, Any] = {
    "viewport": PHONE, "device_scale_factor": 2, "is_mobile": True, "has_touch": True, "locale": "zh-CN", "timezone_id": "Asia/Shanghai",
}  # fmt: skip


@dataclass(slots=True)
class DemoSite:
    """A served demo of its own: address, data folder, sign-ins as in the demo's own words."""

    url: str
    folder: Path
    environment: dict[str, str]

    def dishu(self, *words: str) -> str:
        """What a command of the command line prints; it works on the same database as the server."""
        done = subprocess.run(_command(*words), env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def enrolment_code(self, login: str = "worker1") -> str:
        """A new one-time code for a phone of a demo worker, made at the office: a command would start a whole program for it."""
        ask, token = _office(self.url, self.folder / "tls" / "dishu-ca.crt")
        user_id = next(one["user_id"] for one in ask("users")["users"] if one["login"] == login)
        return str(ask("enrolment-codes", {"user_id": user_id}, **{"X-CSRF-Token": token})["code"])


@cache
def _office(url: str, authority: Path) -> tuple[Callable[..., Any], str]:
    """The secretary's session at a server, for as long as the tests of this process run: how to ask there, and the token for writing."""
    kinds: list[urllib.request.BaseHandler] = [urllib.request.HTTPCookieProcessor()]
    if url.startswith("https"):
        kinds.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
    office = urllib.request.build_opener(*kinds)

    def ask(path: str, body: dict[str, str] | None = None, **headers: str) -> Any:
        content = None if body is None else json.dumps(body).encode()
        with office.open(urllib.request.Request(f"{url}/api/v1/{path}", content, {"Content-Type": "application/json", **headers})) as told:
            return json.load(told)

    return ask, ask("session", {"login": "secretary", "password": DEMO_PASSWORD})["csrf_token"]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The machine's own Chromium, which asks nobody on the network."""
    quiet = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    from conftest import required_program

    path = shutil.which("google-chrome") or shutil.which("chromium-browser") or required_program("chromium")
    return {"executable_path": path, "args": quiet}


@pytest.fixture(scope="session")
def demo_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the demo just loaded, the same for all workers; copy it before writing."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / "demo", shared / "demo.done"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            subprocess.run(_command("demo", "--ensure"), env=_environment(folder), check=True, capture_output=True)
            done.touch()
    return folder


@pytest.fixture(scope="module")
def demo_site(demo_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSite]:
    """The demo under `dishu serve`, one for each test module: its tests may write."""
    folder = tmp_path_factory.mktemp("site") / "data"
    shutil.copytree(demo_copy, folder)
    with serving(folder) as site:
        yield site


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[DemoSite]:
    """A data folder under `dishu serve`; port 0 takes a free one."""
    environment = _environment(folder)
    with (folder.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(_command("serve", "--port", str(port)), env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        url = next((line.strip().rstrip("/") for line in process.stdout if line.startswith("http")), "")
        assert url, (folder.parent / "server.log").read_text()
        yield DemoSite(url, folder, environment)
    finally:
        process.terminate()
        process.communicate(timeout=90)  # the server gives running requests 30 s


@pytest.fixture
def phone_context(browser: Browser) -> Iterator[BrowserContext]:
    """A cheap phone: 360×740, touch, Chinese."""
    context = browser.new_context(**CHEAP_PHONE)
    yield context
    context.close()


@pytest.fixture
def phone_page(phone_context: BrowserContext) -> Page:
    """A page on the phone; programs that fail fail the test."""
    return watched(phone_context.new_page())


@pytest.fixture
def office_page(browser: Browser) -> Iterator[Page]:
    """A page on the secretary's office computer."""
    context = browser.new_context(viewport=OFFICE, locale="zh-CN", timezone_id="Asia/Shanghai")
    yield watched(context.new_page())
    context.close()


def holds(page: Page, asked: str, arg: Any = None, *, patience_ms: int = 60_000) -> None:
    """Wait until a function of the page, or the promise that it gives, answers yes. Playwright's own `wait_for_function` takes a promise itself for a yes."""
    page.evaluate(
        f"""async ([arg, times]) => {{
            const asked = {asked};
            while (!(await asked(arg))) {{
                if (times-- === 0) throw new Error(`in vain: ${{asked}}`);
                await new Promise((done) => setTimeout(done, 50));
            }}
        }}""",
        [arg, patience_ms // 50],
    )


def at_rest(page: Page) -> None:
    """Wait until nothing moves or fades on the page: what comes in is set off up to two frames after it stands. What is cut off has ended, too; what turns for ever is left out."""
    page.evaluate(
        """async () => {
            for (let frames = 2; frames > 0; frames--) await new Promise(requestAnimationFrame);
            const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().iterations !== Infinity);
            await Promise.all(ending.map((one) => one.finished.catch(() => null)));
        }"""
    )


def watched(page: Page) -> Page:
    """The page; when one of its programs fails, the test does."""

    def fail(error: Exception) -> None:
        raise AssertionError(f"the page's program failed: {error}")

    page.on("pageerror", fail)
    return page


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DISHU_") and name != "PORT"}
    return kept | {"DISHU_DATA": str(folder), "DISHU_SIGN_IN_PER_MINUTE": "10000", "DISHU_ENROL_PER_MINUTE": "10000"}


def _command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from server.cli import main; main()", *words]
