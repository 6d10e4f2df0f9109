"""Reasons of definitions and expressions in Chinese, for those who wrote a workbook.

The readers of definitions say in one English sentence what is wrong. Here each of these sentences has its Chinese one; a test holds
that none is without.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from forms.values import MESSAGES

#: (English, 中文); ``{}`` is a name or a piece of what was written, told as it stands.
REASONS: tuple[tuple[str, str], ...] = (
    # expressions
    ("at character {}: {}", "第 {} 个字符：{}"),
    ("longer than {} characters", "超过 {} 个字符"),
    ("more than {} operators in a row", "连续的运算超过 {} 层"),
    ("nested deeper than {}", "括号嵌套超过 {} 层"),
    ("{} is not expected here", "此处不应有 {}"),
    ("{} is expected here", "此处应有 {}"),
    ("{} cannot be read (text without its closing quote)", "{} 无法识别（文字缺少右引号）"),
    ("{} cannot be read", "{} 无法识别"),
    ("the expression ends too early", "表达式没有写完"),
    ("there is no function {}", "没有函数 {}"),
    ("{} takes {} or more arguments, not {}", "{} 至少要 {} 个参数，写了 {} 个"),
    ("{} takes {} arguments, not {}", "{} 要 {} 个参数，写了 {} 个"),
    ("the pattern of regex must be a literal text", "regex 的模式应是写明的文字"),
    ("{} means different things in different engines", "{} 在不同程序中含义不同"),
    ("the pattern is wrong: {}", "regex 的模式写错了"),
    ("no question with an answer is called {}", "没有可作答的题目 {}"),
    ("'.' has no answer to stand for here", "此处的 . 没有所指的答案"),
    ("a column is expected before this word", "这个词前面应有列名"),
    ("'(' is expected here", "此处应有 '('"),
    ("',' or ')' is expected here", "此处应有 ',' 或 ')'"),
    ("there is no column {}", "没有 {} 这一列"),
    # definitions
    ("{} is missing", "缺少 {}"),
    ("a name is lower-case words joined by _", "名称应为小写字母、数字，用 _ 连接"),
    ("a whole number from 1 is needed", "应为正整数"),
    ("self, a ref field that leads to a person, or null is needed", "应为 self、指向人员的题目或空"),
    ("the name is repeated", "名称重复"),
    ("the calculation needs its own value", "计算引用了自己的结果"),
    ("a ref, and only a ref, names a record type", "只有关联题要写明所关联的记录类型"),
    ("only text has a format", "只有文字题有格式"),
    ("a {} is not searched by its text", "题型 {} 不能按文字查找"),
    ("a number is needed", "应为数字"),
    ("a secret, and only a secret, has a mask", "只有保密题有遮盖"),
    ("only a text can be secret", "只有文字题可以保密"),
    ("this field cannot start with a value", "这种题目不能有默认值"),
    ("the value is not in its normal form", "默认值的写法不规范"),
    ("a selection, and only a selection, names a code list", "只有选择题要写明选项表"),
    ("the name is taken by a field or another unit", "名称已用于题目或另一个单元"),
    ("a unit of several fields is last, keep or review", "几个题目合成的单元只能是 last、keep 或 review"),
    ("does not agree with the unit that the fields name", "与题目写明的单元不一致"),
    ("the policy stands with the unit", "合并方式应写在单元上"),
    ("no such unit is declared", "没有这个单元"),
    ("{} does not suit a {}", "合并方式 {} 不适用于题型 {}"),
    ("no field of this screen", "不是本屏的题目"),
    ("no ref field {}", "没有关联题 {}"),
    ("no field {} that may be asked for", "没有可用作条件的项目 {}"),
    ("no field {}", "没有题目 {}"),
    ("no code list {}", "没有选项表 {}"),
    ("no record type {}", "没有记录类型 {}"),
    ("a constraint sees its own value (.) only", "约束只能看本题的值（.）"),
    ("the type has no location field called anchor", "没有名为 anchor 的位置题"),
    ("a constraint does not know the day; make it a cross-field constraint", "约束不能用当天日期"),
    ("a label in zh and en is needed", "应有中文和英文标签"),
    ("an object is needed", "应为对象"),
    ("unknown key", "不认识的键"),
    ("one of {} is needed", "应为 {} 之一"),
    ("the document is malformed: {}", "定义的结构不对"),
    # what a workbook may not exceed
    ("{} bytes", "{} 字节"), ("{} rows", "{} 行"), ("{} characters", "{} 个字符"),
)  # fmt: skip
#: What a later version of a survey may not change, in words.
MEANINGS = {
    "type": "题型", "codelist": "选项表", "ref_type": "所关联的记录", "privacy": "隐私级别", "unit": "单元", "policy": "合并方式",
    "format": "格式", "measure": "单位", "subject": "所关联的对象",
}  # fmt: skip


def zh_of(reason: str) -> str:
    """A reason in Chinese; what has none stays as it is."""
    for pattern, zh in _patterns():
        found = pattern.fullmatch(reason)
        if found is not None:
            parts = [zh_of(part) for part in found.groups()] if reason.startswith("at character") else list(found.groups())
            return zh.format(*parts[: zh.count("{}")])
    return MEANINGS.get(reason, reason)


def zh_name(name: object) -> Any:
    """What stands in a Chinese sentence for a name or a reason."""
    return zh_of(str(name)) if isinstance(name, str | Exception) else name


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    values = tuple((en.replace("{limit}", "{}"), zh.replace("{limit}", "{}")) for zh, en in MESSAGES.values())
    return tuple((re.compile("(.+?)".join(map(re.escape, en.split("{}"))) + r"\Z", re.DOTALL), zh) for en, zh in (*values, *REASONS))
