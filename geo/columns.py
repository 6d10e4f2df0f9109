"""Which column of a customer's file means what: a guess from its headings, to be shown before it is used."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from geo.cell import BASE_LAYER, DEDICATED_LAYER

# Our word → headings that mean it, best first. Compared after :func:`_plain`; initials are those of the pinyin.
HEADINGS: dict[str, tuple[str, ...]] = {
    "code": (
        "code", "网格编码", "网格编号", "网格代码", "单元网格编码", "网格码", "编码", "编号", "代码",
        "gridcode", "cellcode", "gridid", "wgbm", "wgbh", "wgdm", "bm", "bianma",
    ),
    "name": ("name", "网格名称", "单元网格名称", "网格名", "名称", "gridname", "cellname", "wgmc", "mc", "mingcheng"),
    "order": ("order", "网格序号", "序号", "顺序号", "排序", "顺序", "sortorder", "xh", "px"),
    "layer": ("layer", "网格类型", "网格类别", "图层", "网格性质", "gridtype", "wglx"),
    "cell_id": ("cellid", "网格标识", "唯一标识", "标识码", "uuid", "bsm"),
    "datum": ("datum", "坐标系", "坐标系统", "坐标基准", "zbx"),
}  # fmt: skip

LAYER_WORDS = {
    "基础网格": BASE_LAYER, "基础": BASE_LAYER, "基本网格": BASE_LAYER, "普通网格": BASE_LAYER,
    "专属网格": DEDICATED_LAYER, "专属": DEDICATED_LAYER, "专项网格": DEDICATED_LAYER, "微网格": DEDICATED_LAYER,
}  # fmt: skip

HOUSEHOLD_HEADINGS = ("households", "户数", "住户数", "居民户数", "常住户数", "总户数", "household", "hushu", "hs", "zhs")
"""Headings of the column that says how many households a cell has."""

# A Shapefile keeps ten bytes of a heading: three characters in UTF-8, five in GBK.
_SHORTEST_CUT = 3


def guess_mapping(columns: Iterable[str]) -> dict[str, str]:
    """Guess which columns hold our words.

    Parameters
    ----------
    columns : iterable of str
        Headings as the file has them. Case, blanks, underscores and full-width letters make no difference; a heading
        that a Shapefile cut off (at least three characters) is known by its beginning.

    Returns
    -------
    dict
        Our word → heading, only for what was found; each heading serves once; an exact heading beats a cut one.
        Deterministic: among equals the heading that :data:`HEADINGS` names first, then the file's order.
    """
    given = list(columns)
    plain = [_plain(column) for column in given]
    mapping: dict[str, str] = {}
    for is_match in (_is_same, _is_cut):
        for word, headings in HEADINGS.items():
            free = [number for number, column in enumerate(given) if column not in mapping.values()]
            found = (number for heading in headings for number in free if is_match(plain[number], heading))
            first = next(found, None)
            if word not in mapping and first is not None:
                mapping[word] = given[first]
    return mapping


def guess_households(columns: Iterable[str]) -> str | None:
    """The heading of the column with households, best first; None when there is none. Compared as `guess_mapping` does."""
    given = [(column, _plain(column)) for column in columns]
    return next((column for heading in HOUSEHOLD_HEADINGS for column, plain in given if plain == heading), None)


def layer_word(value: Any) -> Any:
    """The layer that a Chinese word names; anything else as it is."""
    return LAYER_WORDS.get(value.strip(), value) if isinstance(value, str) else value


def with_layer_words(properties: Mapping[str, Any], column: str | None) -> dict[str, Any]:
    """Properties with the layer's word translated in its column."""
    if column is None or column not in properties:
        return dict(properties)
    return {**properties, column: layer_word(properties[column])}


def _plain(heading: str) -> str:
    text = unicodedata.normalize("NFKC", heading).casefold()
    return "".join(sign for sign in text if sign.isalnum())


def _is_same(plain: str, heading: str) -> bool:
    return plain == heading


def _is_cut(plain: str, heading: str) -> bool:
    return len(plain) >= _SHORTEST_CUT and not plain.isascii() and heading.startswith(plain)
