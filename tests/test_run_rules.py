"""A green run means that everything ran: how skips and missing field data are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
QUICK = """
from conftest import required_program

def test_a_runs(): pass
def test_b_needs_a_program(): required_program("no-such-program-anywhere")
"""
FIELD = "def test_reads_field_data(field_data): assert field_data.is_dir()"


@pytest.fixture
def other_project(tmp_path):
    """A small project with our conftest: one test passes, one needs a missing program, one reads field data."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "bench").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for source in (ROOT / "tests").glob("*.py"):
        if not source.name.startswith("test_"):  # the conftest and all that it may import
            shutil.copy(source, tmp_path / "tests")
    shutil.copy(ROOT / "bench" / "postgres.py", tmp_path / "bench")
    (tmp_path / "tests" / "test_quick.py").write_text(QUICK, encoding="utf-8")
    (tmp_path / "tests" / "test_quick_field_data.py").write_text(FIELD, encoding="utf-8")
    return tmp_path


def _run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "DISHU_FIELD_DATA"}}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=folder, env=kept | environment, capture_output=True, text=True,
    )  # fmt: skip


def test_a_missing_program_is_named_and_does_not_stop_a_person(other_project):
    """At home, a suite whose program is missing says how to get it, and the rest counts."""
    answer = _run(other_project)
    assert answer.returncode == 0, answer.stdout
    assert "`no-such-program-anywhere` is missing; `make setup-ci` installs it" in answer.stdout
    assert answer.stdout.rstrip().splitlines()[-1].strip("= ").startswith("1 passed, 1 skipped")


def test_a_skipped_suite_fails_in_ci(other_project):
    """Where changes are judged, a suite that did not run is a failure that names it."""
    answer = _run(other_project, CI="true")
    assert answer.returncode == 1, answer.stdout
    assert "CI: 1 skipped, which counts as failed:" in answer.stdout
    assert "test_quick.py::test_b_needs_a_program" in answer.stdout


def test_field_data_suites_exist_only_with_field_data(other_project, tmp_path_factory):
    """Without field data one line says so; with it, its suites run; a wrong folder is an error, not silence."""
    without = _run(other_project)
    assert "field-data suite: not collected (DISHU_FIELD_DATA is not set)" in without.stdout
    given = _run(other_project, DISHU_FIELD_DATA=str(tmp_path_factory.mktemp("field")))
    assert "2 passed, 1 skipped" in given.stdout
    wrong = _run(other_project, DISHU_FIELD_DATA=str(other_project / "nowhere"))
    assert wrong.returncode != 0
    assert "DISHU_FIELD_DATA names no folder" in wrong.stderr
