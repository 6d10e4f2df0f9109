"""Placeholders of table templates: what people write at the office, and every mistake named with its place."""

from __future__ import annotations

import pytest

from forms.errors import PlaceholderError
from forms.evaluator import evaluate, is_true
from forms.expression_text import text_of
from forms.expressions import parse
from forms.registry import load_registry
from forms.template_grammar import Listing, personal_columns, read_listing, read_text

REGISTRY = load_registry()


def one(text: str, listed: Listing | None = None):
    found = read_text(text, REGISTRY, listed)
    assert len(found) == 1
    return found[0]


def condition(text: str) -> str:
    return text_of(one(f"{{{{{text}|计数}}}}").listing.condition)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("人员: 年龄>=80 且 独居", "${age} >= 80 and ${lives_alone}"),
        ("人员：年龄≥80且独居", "${age} >= 80 and ${lives_alone}"),
        ("persons: age >= 80 and lives_alone", "${age} >= 80 and ${lives_alone}"),
        ("人员: ${age} >= 80 and ${lives_alone}", "${age} >= 80 and ${lives_alone}"),
        ("人员花名册: 性别=女 且 (年龄<3 或 人户状态=人在户不在)", "${sex} = '2' and (${age} < 3 or ${residence_state} = 'lives_not_registered')"),
        ("人员: 联系电话 为空", "${phones} = ''"),
        ("人员: 电话不为空且非独居", "${phones} != '' and not(${lives_alone})"),
        ("人员: 民族 属于 (汉族、回族)", "${ethnic_code} = '01' or ${ethnic_code} = '03'"),
        ("人员: 姓名 = “张或山”", "${name} = '张或山'"),
        ("人员: 独居 = 否", "${lives_alone} = false()"),
        ("人员: 人户状态=空挂 或 居住结构=空巢", "${residence_state} = 'registered_hanging' or ${arrangement} = 'empty_nest'"),
        ("人员: 出生日期 >= 2020-01-01", "${birth_date} >= '2020-01-01'"),
        ("报到: skills 包含 teaching", "selected(${skills}, 'teaching')"),
        ("资源: 名称 包含 '急救'", "contains(${name}, '急救')"),
        ("check_ins: subject_kind = member", "${subject_kind} = 'member'"),  # Member is a column too
        ("residence: left_reason = 去世", "${left_reason} = 'died'"),
    ],
)
def test_conditions_are_our_expressions_in_the_words_of_the_office(written: str, meant: str):
    """Chinese and English words, half and full width, labels of codes: all mean the same tree of our own language."""
    assert condition(written) == meant
    assert parse(meant) == one(f"{{{{{written}|计数}}}}").listing.condition


@pytest.mark.parametrize(
    ("written", "code", "position"),
    [
        ("{{人员: 独剧|计数}}", "unknown_word", 6),
        ("{{人员: 性别=妇|姓名}}", "unknown_code", 9),
        ("{{人员: 年龄|姓名}}", "no_condition", 5),
        ("{{人员: 年龄>=老|姓名}}", "not_a_number", 10),
        ("{{人员: 出生日期>=2020|姓名}}", "not_a_day", 5),
        ("{{人员: 性别>男|姓名}}", "no_order", 9),
        ("{{人员: 证件号码=1|姓名}}", "not_comparable", 5),
        ("{{人员: 电话=102|姓名}}", "use_has", 5),
        ("{{人员: (年龄>3|姓名}}", "bad_condition", 11),
        ("{{人原|姓名}}", "unknown_source", 2),
        ("{{人员|姓明}}", "unknown_column", 5),
        ("{{人员|合计(姓名)}}", "not_a_number", 5),
        ("{{人员|合计}}", "figure_of_what", 5),
        ("{{人员|姓名|年龄}}", "bad_order", 8),
        ("{{.姓名}}", "no_list", 2),
        ("{{序号}}", "no_list", 2),
        ("{{人员: 网格编码=本行网格|姓名}}", "row_in_list", 2),
        ("共{{人员|计数", "not_closed", 1),
        ("共人员|计数}}", "not_opened", 6),
        ("{{天气}}", "unknown_word", 2),
    ],
)
def test_every_mistake_is_named_with_its_place(written: str, code: str, position: int):
    """A mistyped word never makes a table that is quietly wrong."""
    with pytest.raises(PlaceholderError) as wrong:
        read_text(written, REGISTRY)
    assert (wrong.value.code, wrong.value.position) == (code, position)
    assert wrong.value.message_zh and wrong.value.message_en


def test_a_text_may_hold_several_placeholders():
    """A heading is written as people write it, with values and figures in it."""
    found = read_text("{{社区}}截至{{日期}}共{{人员|计数}}人，{{住户|合计(在户人数)}}", REGISTRY)
    assert [(item.kind, item.word) for item in found] == [("value", "community"), ("value", "day"), ("figure", "count"), ("figure", "sum")]


def test_a_list_is_begun_once_and_its_other_columns_follow():
    """The condition stands in one cell of a row; the others name their column, as label or code."""
    begun = one("{{人员: 年龄>=80 | 姓名 | 按 年龄 降序, 姓名}}")
    assert begun.kind == "listing" and begun.listing.order == (("age", True), ("name", False))
    follows = one("{{.性别}}", begun.listing)
    assert (follows.kind, follows.column, follows.coded) == ("field", "sex", False)
    assert one("{{|性别代码}}", begun.listing).coded
    assert one("{{序号}}", begun.listing).kind == "number"
    assert read_listing("人员: 年龄>=80", REGISTRY).condition == begun.listing.condition


def test_it_is_known_which_personal_columns_a_template_shows():
    """Columns that are only asked about count too: a count of people by age tells their ages."""
    found = read_text("{{人员: 年龄>=80|计数}} {{房屋|计数}}", REGISTRY)
    assert personal_columns(REGISTRY, found) == {"persons.age"}


def test_conditions_decide_as_our_evaluator_does():
    """A condition is evaluated by the expressions that forms use, nothing else."""
    tree = one("{{人员: 年龄>=80 且 独居|计数}}").listing.condition
    assert is_true(evaluate(tree, {"age": 80, "lives_alone": True}))
    assert not is_true(evaluate(tree, {"age": 80}))
