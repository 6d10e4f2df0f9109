"""Small faults, put one after another into merge, cursor, locks, answers to retries and the phone: the tests notice each.

``mutations/faults.json`` holds them: a file, the text that stands there, the text in its place, and the tests that are to notice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FAULTS = json.loads((ROOT / "tests" / "mutations" / "faults.json").read_text(encoding="utf-8"))
COPIED = ("bench", "docs", "forms", "geo", "server", "sync", "tests", "pyproject.toml", "wsgi.py")
NOTICED, PASSED = 1, 0  # exit statuses of pytest; any other means that the tests did not run


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the program and its tests, in which a fault is put and taken out again."""
    folder = tmp_path_factory.mktemp("mutated")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "static", "node_modules"))
        else:
            shutil.copy(ROOT / name, folder / name)
    yield folder


def test_every_fault_fits_the_program():
    """At least thirty faults, each with a place of its own in the program as it is; nothing is tried that is not there."""
    assert len(FAULTS) >= 30 and len({one["name"] for one in FAULTS}) == len(FAULTS)
    counts = {one["name"]: (ROOT / one["file"]).read_text(encoding="utf-8").count(one["old"]) for one in FAULTS}
    assert {name: count for name, count in counts.items() if count != 1} == {}
    assert [one["name"] for one in FAULTS if one["old"] == one["new"]] == []
    files = {part for one in FAULTS for part in one["tests"] if part.endswith(".py")}
    assert sorted(name for name in files if not (ROOT / name).exists()) == []


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one["name"].replace(" ", "-"))
def test_a_fault_is_noticed(tree, fault):
    """Whoever breaks a rule by a small change hears of it from a test."""
    path = tree / fault["file"]
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace(fault["old"], fault["new"]), encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not long", *fault["tests"]],
            cwd=tree, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "CI": ""}, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    finally:
        path.write_text(good, encoding="utf-8")
    assert done.returncode in (NOTICED, PASSED), done.stdout[-3000:] + done.stderr[-3000:]
    noticed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    sys.stdout.write(f"noticed by {noticed[0].split(' - ')[0] if noticed else 'nobody'}\n")
    assert done.returncode == NOTICED, f"no test of {' '.join(fault['tests'])} notices: {fault['name']}"
