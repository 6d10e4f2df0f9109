"""`dishu forms`: a workbook checked, imported to a file, and written."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner
from workbook_kit import survey

from forms.registry import load_registry
from forms.xlsform_read import read_xlsform
from server.cli import main


@pytest.fixture
def dishu(tmp_path, monkeypatch):
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    clean = {name: None for name in os.environ if name.startswith("DISHU_")}
    return lambda *words: CliRunner().invoke(main, ["forms", *words], env=clean, catch_exceptions=False)


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "water.xlsx"
    path.write_bytes(survey(["integer", "litres", "升"]).getvalue())
    return str(path)


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.xlsx"
    path.write_bytes(survey(["image", "photo", "照片"], ["integer", "litres", None]).getvalue())
    return str(path)


def test_check_names_every_cell_that_must_change(dishu, good, bad):
    """Before anything is imported the author has the whole list."""
    refused = dishu("check", bad)
    assert refused.exit_code == 1
    assert [line.split("\t")[:2] for line in refused.stdout.splitlines()] == [
        ["survey!A2", "type_media"],
        ["survey!C3", "label_missing"],
    ]
    assert "Error: refused" in refused.stderr
    accepted = dishu("check", good)
    assert accepted.exit_code == 0 and accepted.stdout.startswith("ok 可以导入\twater\t")


def test_import_writes_a_form_that_the_house_can_read_or_nothing(dishu, good, bad, tmp_path):
    """A refused workbook leaves no file behind; an accepted one is a definition with its lists."""
    assert dishu("import", bad).exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.xlsx", "water.xlsx"]
    assert dishu("import", good).exit_code == 0
    written = json.loads((tmp_path / "water.json").read_text(encoding="utf-8"))
    record_type = load_registry([written["definition"]], written["codelists"]).latest("water")
    assert record_type.fields["litres"].label == {"zh": "升", "en": "升"}


def test_nothing_is_overwritten_unasked(dishu, good, tmp_path):
    """A second import does not silently replace the first."""
    assert dishu("import", good).exit_code == 0
    again = dishu("import", good)
    assert again.exit_code == 1 and "--overwrite" in again.stderr
    assert dishu("import", good, "--overwrite").exit_code == 0


def test_export_writes_what_import_reads(dishu, good, tmp_path):
    """A form goes out as a workbook, by its name or from a file, and is the same form when it is read."""
    assert dishu("import", good).exit_code == 0
    assert dishu("export", "water.json", "-o", "again.xlsx").exit_code == 0
    written = json.loads((tmp_path / "water.json").read_text(encoding="utf-8"))
    assert read_xlsform(tmp_path / "again.xlsx").document == written
    assert dishu("export", "household").exit_code == 0
    assert read_xlsform(tmp_path / "household.xlsx").definition["name"] == "household"


@pytest.mark.parametrize("content", ["", "[]", '{"definition": {}}'])
def test_another_file_is_not_taken_for_a_form(dishu, tmp_path, content):
    """A JSON file of something else is refused in one line."""
    (tmp_path / "other.json").write_text(content, encoding="utf-8")
    refused = dishu("export", "other.json")
    assert refused.exit_code == 1 and "dishu forms import" in refused.stderr


def test_unknown_names_and_the_built_in_ones_are_refused(dishu, tmp_path):
    """A record type that does not exist is not exported; a survey cannot take the name of a built-in one."""
    assert dishu("export", "nothing").exit_code == 1
    path = tmp_path / "person.xlsx"
    path.write_bytes(survey(["text", "t", "T"], settings=[["form_id"], ["person"]]).getvalue())
    refused = dishu("import", str(path))
    assert refused.exit_code == 1 and "form_taken" in refused.stdout
