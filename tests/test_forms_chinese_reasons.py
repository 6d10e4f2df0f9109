"""Whoever reads Chinese is told every reason in Chinese."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from workbook_kit import survey

from forms import chinese_reasons
from forms.chinese_reasons import zh_of
from forms.errors import PlaceholderError
from forms.registry import load_registry
from forms.template_grammar import read_text
from forms.values import MESSAGES
from forms.xlsform_read import XlsformRefused, read_xlsform

FORMS = Path(chinese_reasons.__file__).parent
#: Raisers whose last argument is a sentence about a definition or an expression, in what a workbook or a condition is read by.
RAISERS = {"ExpressionError", "fail"}
READERS = ("expressions.py", "xlsform_expressions.py", "template_filter.py", "loading.py")


def _piece(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    return "" if isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "hint" else "７"


def _texts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return ["".join(_piece(part) for part in node.values)]
    return []


def _sentences():
    found = set()
    for name in READERS:
        for node in ast.walk(ast.parse((FORMS / name).read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in RAISERS:
                    found.update(_texts(node.args[-1]))
    return sorted(found)


@pytest.mark.parametrize("sentence", _sentences())
def test_every_reason_has_its_chinese_sentence(sentence):
    """No English stands inside a Chinese refusal but what the author wrote."""
    said = zh_of(sentence)
    assert re.search("[一-鿿]", said), sentence
    assert not re.search(r"\b(is|the|a|are|not|no)\b", said), said


def test_reasons_of_values_are_told_in_their_own_chinese():
    """A default that its question cannot take is refused with the words of the question's rule, its limit included."""
    for zh, en in MESSAGES.values():
        assert zh_of(en.format(limit=7)) == zh.format(limit=7)


@pytest.mark.parametrize(
    ("relevant", "said"),
    [
        ("${nobody} = 1", "表达式不支持：第 1 个字符：没有可作答的题目 'nobody'"),
        ("today( = 1", "表达式不支持：第 8 个字符：此处不应有 '='"),
        ("round(1)", "表达式不支持：第 1 个字符：没有函数 'round'"),
    ],
)
def test_a_workbook_is_refused_in_whole_chinese_sentences(relevant, said):
    """The place in the expression and the reason are both Chinese; the English sentence stands beside it."""
    with pytest.raises(XlsformRefused) as caught:
        read_xlsform(survey(["text", "a", "A", relevant], head="type name label relevant"))
    assert caught.value.refusals[0].message_zh == said
    assert caught.value.refusals[0].message_en.startswith("the expression is not supported: at character ")


@pytest.mark.parametrize(("text", "at"), [("{{人员: |计数}}", 5), ("{{人员：｜姓名}}", 5)])
def test_a_condition_that_was_left_empty_does_not_count_everybody(text, at):
    """The author meant to ask for something: the form is refused at the place, and told how everybody is asked for."""
    with pytest.raises(PlaceholderError) as caught:
        read_text(text, load_registry())
    assert (caught.value.code, caught.value.position) == ("no_condition", at)
    assert "去掉冒号" in caught.value.message_zh
    assert read_text("{{人员|计数}}", load_registry())[0].listing.condition is None
