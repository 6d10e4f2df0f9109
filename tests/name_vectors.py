"""Pairs of names for both languages: the same, alike in sound, or neither. ``python -m tests.name_vectors`` writes them anew."""

from __future__ import annotations

import json
import random
from pathlib import Path

from forms.index import normalise_for_search
from server.services.pinyin import spellings

FILE = Path(__file__).parent / "vectors" / "names" / "alike.json"
_NAMED = (
    ("王伟", "王玮"), ("曾晓善", "曾小单"), ("吕丽", "呂麗"), ("国华", "國華"), ("峰", "峯"), ("昆明", "崑鳴"), ("王芳", "王方"), ("李娜", "李那"),
    ("张三", "张三"), ("张三", "张 三"), ("张三 ", "张三"), ("ＬＩ　明", "li 明"), ("Anna", "ANNA"), ("欧阳娜娜", "欧阳那那"), ("吕布", "鲁布"), ("解珍", "谢珍"),
    ("单雄", "善雄"), ("西安", "先"), ("阿依古丽·买买提", "阿依古丽买买提"), ("乐乐", "月月"), ("覃海", "秦海"), ("", "张三"), ("·", "·"), ("𠮷野", "吉野"), ("张三", "李四"),
)  # fmt: skip
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹曾单解仇区查尉覃盖乐翟朴"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国文斌宇浩然子轩欣怡雨涵梓萱博昆峰村坤哲玮維方坊崑峯邨堃喆國華蘭軍傑麗偉骅皓昊重长朝行乐佛叶"


def verdict(one: str, two: str) -> str:
    """What the server says of two names."""
    left, right = normalise_for_search(one), normalise_for_search(two)
    return "same" if left == right else "sound" if spellings(left) & spellings(right) else ""


def cases(seed: int, count: int) -> list[list[str]]:
    """The named pairs, and others by chance of which many differ in one character."""
    chance = random.Random(seed)
    found = [[one, two, verdict(one, two)] for one, two in _NAMED]
    while len(found) < count:
        one = chance.choice(_SURNAMES) + "".join(chance.choices(_GIVEN, k=chance.choice((1, 2, 2))))
        at = chance.randrange(len(one))
        alike = [each for each in _GIVEN + _SURNAMES if spellings(each) & spellings(one[at])] if chance.random() < 0.6 else [*_GIVEN]
        two = one[:at] + chance.choice(alike) + one[at + 1 :]
        found.append([one, two, verdict(one, two)])
    return found


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases(1, 600))
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
