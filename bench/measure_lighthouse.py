"""Lighthouse of npm, kept in build/lighthouse, over pages of a demo of its own: the field app, and the console before and behind its door."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import Line, median
from bench.served import ROOT, product
from bench.story_stage import Office
from server.demo.load import COMMUNITY_ID, PASSWORD

LIGHTHOUSE = "12.8.2"
NODE = f"{ROOT / '.venv' / 'node' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
_BARS = {"accessibility": 100, "best-practices": 100}


@dataclass(frozen=True, slots=True)
class Screen:
    """A page and its bars; who signed in for it; what the server must have answered, so that no other page is scored in its place."""

    name: str
    path: str
    bars: Mapping[str, int]
    login: str | None = None
    answered: str = "/"


SCREENS = (
    Screen("field app", "/field/", _BARS | {"performance": 90}, answered="/field/"),
    Screen("console, signing in", "/", _BARS),
    Screen("console, overview", "/", _BARS, "secretary", f"/api/v1/communities/{COMMUNITY_ID}/overview"),
    Screen("console, roster", "/#/rosters/persons", _BARS, "secretary", f"/api/v1/communities/{COMMUNITY_ID}/roster/persons/search"),
)


class OtherPage(Exception):
    """What was scored is not the page that was meant."""


def lighthouse_lines() -> list[Line]:
    """A line for each screen and category, with its bar. What depends on the clock is scored three times, and the middle one counts, as Lighthouse advises."""
    with served_demo() as address:
        return [
            Line(f"Lighthouse, {screen.name}: {category}", median(found), "of 100", bar, note="" if len(found) == 1 else " ".join(f"{one:.0f}" for one in found))
            for screen in SCREENS
            for scores in [[_scores(address, screen) for _ in range(3 if "performance" in screen.bars else 1)]]
            for category, bar in screen.bars.items()
            for found in [[one[category] for one in scores]]
        ]


def scores_of(report: Mapping[str, Any], address: str, answered: str) -> dict[str, float]:
    """Scores by category, 0 to 100. OtherPage where the server did not give ``answered`` to the page."""
    asked = report["audits"]["network-requests"]["details"]["items"]
    if not any(one["url"] == address + answered and one["statusCode"] == 200 for one in asked):
        raise OtherPage(f"{report['finalDisplayedUrl']} never got {answered}")
    return {name: round(100 * float(one["score"] or 0)) for name, one in report["categories"].items()}


@contextmanager
def served_demo() -> Iterator[str]:
    """The address of a demo of its own."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-c", "from server.cli import main; main()", "demo", "--ensure"]
        subprocess.run(command, env=os.environ | {"DISHU_DATA": name}, check=True, capture_output=True)
        with product(Path(name)) as server:
            yield server.address


def chromium() -> str:
    """The machine's own browser."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))


def _scores(address: str, screen: Screen) -> dict[str, float]:
    """Scores of a served page by Lighthouse's mobile profile, by a session of its own. Installs Lighthouse on first use."""
    home = ROOT / "build" / "lighthouse"
    program = home / "node_modules" / "lighthouse" / "cli" / "index.js"
    environment = os.environ | {"PATH": NODE, "CHROME_PATH": chromium()}
    if not program.exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true}\n')
        install = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--save-exact", f"lighthouse@{LIGHTHOUSE}"]
        subprocess.run(install, cwd=home, env=environment, check=True, capture_output=True)
    flags = ["--quiet", "--output=json", "--chrome-flags=--headless=new --no-sandbox", f"--only-categories={','.join(screen.bars)}", "--only-audits=network-requests"]
    if screen.login:
        flags.append(f"--extra-headers={json.dumps({'Cookie': Office(address, screen.login, PASSWORD).cookie})}")
    told = subprocess.run(["node", str(program), address + screen.path, *flags], env=environment, check=True, capture_output=True, text=True)
    return scores_of(json.loads(told.stdout), address, screen.answered)
