from __future__ import annotations

import json
from pathlib import Path

import pytest

from forms.identity import (
    credit_code_check_character,
    credit_code_ok,
    resident_id_birth,
    resident_id_check_character,
    resident_id_ok,
    resident_id_sex,
)

VECTORS = Path(__file__).parent / "vectors" / "forms"
PEOPLE = json.loads((VECTORS / "resident_id.json").read_text(encoding="utf-8"))["cases"]
CODES = json.loads((VECTORS / "credit_code.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", PEOPLE, ids=lambda case: case["name"])
def test_resident_id_is_judged_by_check_digit_and_date_only(case):
    """A real person is never refused for the area in the number, and a slip of the finger is noticed."""
    assert resident_id_ok(case["number"]) is case["ok"]
    assert resident_id_birth(case["number"]) == case["birth"]
    assert resident_id_sex(case["number"]) == case["sex"]


@pytest.mark.parametrize("case", CODES, ids=lambda case: case["name"])
def test_credit_code_is_judged_by_shape_and_check_character(case):
    """An organization's code is recognised, also where it begins with a letter."""
    assert credit_code_ok(case["code"]) is case["ok"]


def test_check_characters_can_be_computed_for_made_up_numbers():
    """Demonstration people get numbers that pass, in a region that does not exist."""
    assert resident_id_check_character("99999919491001002") == "9"
    assert credit_code_check_character("91999999MA0000001") == "N"
    for wrong in ("9" * 16, "９" * 17, "99999919491001O02"):
        with pytest.raises(ValueError, match="seventeen"):
            resident_id_check_character(wrong)
    with pytest.raises(ValueError, match="alphabet"):
        credit_code_check_character("91999999IA0000001")
