"""Tables of communities: their headings are known, their cells are read as people write them."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from forms.registry import load_registry
from forms.sheet_columns import guess_columns, sheet_words, targets
from forms.sheet_values import CellRefused, birth_values, cell_value

REGISTRY = load_registry()


def read(target: str, cell: object) -> object:
    kind, _, name = target.partition(".")
    return cell_value(target, REGISTRY.latest(kind).fields[name], cell)


def test_headings_that_communities_use_are_known():
    """A household book of any community is mapped without a question."""
    headings = ["序号", "*姓 名", "性别", "身份证号（18位）", "与户主关系", "联系电话：", "楼栋", "单元", "室号", "民族", "文化程度", "户籍地址", "现住址", "备注"]
    assert guess_columns(headings, REGISTRY) == [
        None, "person.name", "person.sex", "person.document_number", "person.relation_to_head", "person.phones", "place.building",
        "place.entrance", "place.door", "person.ethnic_code", "person.education_code", "person.registration_address_text",
        "place.address", "person.note",
    ]  # fmt: skip


def test_a_field_is_proposed_once():
    """Two columns of telephone numbers: the first is taken, the other left to people."""
    assert guess_columns(["姓名", "电话", "手机"], REGISTRY) == ["person.name", "person.phones", None]


def test_every_word_of_the_table_of_headings_leads_to_a_field_and_a_code():
    """A mistyped target or code would be found by nobody."""
    known = targets(REGISTRY)
    assert [target for target in sheet_words()["columns"] if target not in known] == []
    for target, words in sheet_words()["words"].items():
        kind, _, name = target.partition(".")
        codes = REGISTRY.latest(kind).fields[name].codes
        assert codes is not None and [code for code in words.values() if code not in codes.entries] == [], target


@pytest.mark.parametrize(
    ("target", "cell", "value"),
    [
        ("person.birth_date", "1990-01-02", "1990-01-02"),
        ("person.birth_date", "1990/1/2", "1990-01-02"),
        ("person.birth_date", "1990.1.2", "1990-01-02"),
        ("person.birth_date", "1990年1月2日", "1990-01-02"),
        ("person.birth_date", "19900102", "1990-01-02"),
        ("person.birth_date", 19900102, "1990-01-02"),  # a number cell
        ("person.birth_date", datetime(1990, 1, 2), "1990-01-02"),  # noqa: DTZ001 - a date cell knows no zone
        ("person.birth_date", date(1990, 1, 2), "1990-01-02"),
        ("person.birth_date", "1990年1月", "1990-01-01"),  # the month alone: its first day
        ("person.birth_date", "1990-01-02 00:00:00", "1990-01-02"),  # as a program writes it out
        ("person.birth_date", "1990-01-02T08:30:00+08:00", "1990-01-02"),
        ("person.birth_date", "1990年1月2日 8时30分", "1990-01-02"),
        ("person.birth_date", "1990年1月2号生", "1990-01-02"),
        ("person.birth_date", 1990.11, "1990-11-01"),  # a number cell that says one month only
        ("person.birth_date", "1990.10", "1990-10-01"),
        ("person.sex", "男", "1"),
        ("person.sex", "女性", "2"),
        ("person.sex", "2", "2"),  # the code itself
        ("person.political_code", "中共党员", "01"),
        ("person.ethnic_code", "汉族", "01"),
        ("person.ethnic_code", "汉", "01"),
        ("person.relation_to_head", "户主", "02"),
        ("person.relation_to_head", "本人", "02"),  # the head has one code
        ("person.education_code", "本科", "20"),
        ("person.phones", "13912340000、0512-60000000", ["13912340000", "0512-60000000"]),
        ("person.phones", 13912340000, ["13912340000"]),  # a number cell
        ("person.phones", "无", None),
        ("person.name", "　张 三 ", "张 三"),
        ("dwelling.area_m2", "89.5㎡", 89.5),
        ("dwelling.occupancy", "出租房", "let"),
        ("person.note", None, None),
        ("person.note", "-", None),
    ],
)
def test_cells_are_read_as_people_write_them(target, cell, value):
    """One way of writing per row."""
    assert read(target, cell) == value


def test_a_number_cell_that_may_be_january_or_october_is_no_birth():
    """1950.10 as a number is 1950.1: the row says so instead of making October January; a text keeps its zero."""
    with pytest.raises(CellRefused) as caught:
        birth_values(1950.10)
    assert caught.value.code == "digits_lost"
    with pytest.raises(CellRefused):
        birth_values("1950-1-15至今")
    for cell, month in ((1950.11, "11"), (1950.01, "01"), (1950.9, "09"), ("1950.10", "10"), ("1950.1", "01")):
        assert birth_values(cell) == {"birth_date": f"1950-{month}-01", "birth_precision": "month"}


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("1960年3月", {"birth_date": "1960-03-01", "birth_precision": "month"}),
        ("196003", {"birth_date": "1960-03-01", "birth_precision": "month"}),
        (1950, {"birth_date": "1950-01-01", "birth_precision": "year"}),  # a number cell
        ("1950年", {"birth_date": "1950-01-01", "birth_precision": "year"}),
        ("1960.3.7", {"birth_date": "1960-03-07"}),
        ("不详", {}),
    ],
)
def test_a_birth_is_known_as_far_as_it_was_written_down(cell, wanted):
    """A month or a year alone is no day: the record says how far it is known."""
    assert birth_values(cell) == wanted


@pytest.mark.parametrize(
    ("target", "cell", "code"),
    [
        ("person.birth_date", "1990-02-30", "not_a_date"),
        ("person.birth_date", "不详的日期", "not_a_date"),
        ("person.birth_date", "1950-1-15至今", "not_a_date"),
        ("person.birth_date", "1950.1.15-1960.2.3", "not_a_date"),
        ("person.birth_date", "1950年1月15日（农历）", "not_a_date"),
        ("person.birth_date", "1990-01-02 25", "not_a_date"),
        ("person.birth_date", 1950.10, "digits_lost"),  # January or October: a number cell has lost the last zero
        ("person.sex", "外星人", "unknown_word"),
        ("person.document_number", 320506199001010000, "digits_lost"),  # Excel keeps 15 digits of a number
        ("person.document_number", 3.20506199001e17, "digits_lost"),
        ("dwelling.area_m2", "很大", "not_a_number"),
    ],
)
def test_what_cannot_be_read_says_why_without_repeating_it(target, cell, code):
    """The reason names the mistake; the value stays in the table."""
    with pytest.raises(CellRefused) as caught:
        read(target, cell)
    assert caught.value.code == code
    assert str(cell) not in caught.value.message_zh + caught.value.message_en
