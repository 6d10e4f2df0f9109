from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from forms.identity import credit_code_ok, resident_id_birth, resident_id_ok, resident_id_sex
from forms.registry import load_registry

__test__ = bool(os.environ.get("DISHU_FIELD_DATA"))  # also where this file is named on the command line
CODES = Path(os.environ.get("DISHU_FIELD_DATA", "")) / "codes"
LISTS = {
    "sex": "gbt2261_1_2003_sex.csv",
    "marital": "gbt2261_2_2003_marital.csv",
    "ethnic": "gbt3304_1991_ethnic.csv",
    "education": "gbt4658_2006_education.csv",
    "family_relation": "gbt4761_2008_family_relation.csv",
    "political": "gbt4762_1984_political.csv",
}


def _rows(name):
    with open(CODES / name, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", sorted(LISTS))
def test_code_list_says_what_the_public_copies_say(name):
    """A code written by another office reads the same here."""
    entries = load_registry().codelist(name).entries
    assert {row["code"]: row["name_zh"] for row in _rows(LISTS[name])} == {c.code: c.zh for c in entries.values()}


def test_resident_id_numbers_of_the_field():
    """Numbers with a right check digit and a real date pass whatever their area; the others do not."""
    rows = [row for row in _rows("id_number_vectors.csv") if row["checksum_ok"] != ""]
    assert len(rows) > 40
    for row in rows:
        ok = row["checksum_ok"] == row["date_ok"] == "1"
        assert resident_id_ok(row["id_number"]) is ok, row["note"]
        if ok:
            assert resident_id_birth(row["id_number"]) == row["birth_date"]
            assert resident_id_sex(row["id_number"]) == row["sex_code"]


def test_resident_id_numbers_without_a_right_answer_are_not_confirmed():
    """Full-width digits, 15-digit numbers and words are looked at again, not silently passed."""
    for row in _rows("id_number_vectors.csv"):
        if row["checksum_ok"] == "":
            assert not resident_id_ok(row["id_number"])


def test_credit_codes_of_the_field():
    """Codes with a right check character pass, letters in front and a wrong inner digit included."""
    for row in _rows("uscc_vectors.csv"):
        assert credit_code_ok(row["uscc"]) is (row["checksum_ok"] == "1"), row["note"]
