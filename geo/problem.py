"""What is wrong with a cell, a code or an edition: one finding with its place and size.

Nothing here decides; the publish gate (``edition``) refuses an edition that has a finding of severity ``error``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ERROR = "error"
WARNING = "warning"

_NAMES_SHOWN = 5

# code: (severity, English, Chinese). {cells} names the cells, {size} the size with its unit, {detail} the particulars.
CATALOGUE: dict[str, tuple[str, str, str]] = {
    "datum_missing": (ERROR, "{cells} has no declared datum", "{cells} 未声明坐标系"),
    "geometry_missing": (ERROR, "{cells} has no geometry", "{cells} 没有图形"),
    "not_a_polygon": (ERROR, "{cells} is not a polygon but {detail}", "{cells} 不是面，而是 {detail}"),
    "outside_box": (
        ERROR,
        "{cells} lies outside the area this system serves; degrees in (lon, lat) order are expected",
        "{cells} 超出服务范围；坐标应为（经度, 纬度）的度数",
    ),
    "axes_swapped": (
        ERROR,
        "{cells}: longitude and latitude seem to be swapped",
        "{cells} 的经度与纬度疑似颠倒",
    ),
    "datum_suspect": (
        ERROR,
        "{cells} fit the community only when read as {detail}: the declared datum seems wrong",
        "{cells} 按 {detail} 坐标系才与社区相合，所声明的坐标系疑似有误",
    ),
    "encoding_guessed": (
        WARNING,
        "the file does not say how its text is encoded; it was read as {detail}",
        "文件未注明文字编码，已按 {detail} 读取",
    ),
    "ring_not_closed": (ERROR, "a ring of {cells} is not closed", "{cells} 的边界环未闭合"),
    "ring_too_short": (ERROR, "a ring of {cells} has fewer than three points", "{cells} 的边界环不足三个点"),
    "ring_degenerate": (
        ERROR,
        "a hole or a part of {cells} has fewer than three points; the cell was read without it",
        "{cells} 的一个孔或一个部分不足三个点，读取时未计入",
    ),
    "ring_clockwise": (
        WARNING,
        "an outer ring of {cells} runs clockwise; it was turned",
        "{cells} 的外环为顺时针，已改正",
    ),
    "ring_self_crossing": (ERROR, "the border of {cells} crosses itself", "{cells} 的边界自相交"),
    "polygon_invalid": (ERROR, "{cells} is not a valid polygon: {detail}", "{cells} 不是有效的面：{detail}"),
    "code_missing": (ERROR, "{cells} has no code", "{cells} 没有网格编码"),
    "code_is_number": (
        WARNING,
        "the code of {cells} is a number in the file; leading zeros may be lost",
        "{cells} 的编码在文件中是数字，前导零可能已丢失",
    ),
    "text_unprintable": (
        ERROR,
        "the {detail} of {cells} holds a character that cannot be printed",
        "{cells} 的{detail}含有不可打印的字符",
    ),
    "not_text": (ERROR, "the {detail} of {cells} is neither text nor a number", "{cells} 的{detail}不是文本"),
    "order_not_whole": (ERROR, "the order number of {cells} is not a whole number", "{cells} 的序号不是整数"),
    "unknown_layer": (ERROR, "{cells} is in an unknown layer ({detail})", "{cells} 的图层未知（{detail}）"),
    "duplicate_code": (ERROR, "the code of {cells} is used {detail} times", "{cells} 的编码重复使用 {detail} 次"),
    "duplicate_cell_id": (ERROR, "{cells} share one cell id", "{cells} 的网格标识相同"),
    "code_outside_profile": (
        ERROR,
        "the code {cells} does not fit the profile: {detail}",
        "编码 {cells} 不符合规则：{detail}",
    ),
    "code_other_community": (
        ERROR,
        "the code {cells} belongs to another community than {detail}",
        "编码 {cells} 不属于社区 {detail}",
    ),
    "code_reserved": (ERROR, "the code {cells} is not to be given: {detail}", "编码 {cells} 不得使用：{detail}"),
    "code_retired": (ERROR, "the code {cells} was used before and has expired", "编码 {cells} 已停用，不得再用"),
    "codes_swapped": (WARNING, "the codes {cells} have swapped their ground: {detail}", "编码 {cells} 互换了地块：{detail}"),
    "code_on_other_ground": (WARNING, "the first of the codes {cells} stands on ground of the second: {detail}", "编码 {cells} 中前者落在后者的地块上：{detail}"),
    "code_order": (
        WARNING,
        "{cells} are not numbered west to east, north to south",
        "{cells} 的编号不符合自西向东、自北向南的次序",
    ),
    "overlap": (ERROR, "{cells} overlap by {size}", "{cells} 重叠 {size}"),
    "gap": (ERROR, "a gap of {size} beside {cells}", "{cells} 旁有缝隙 {size}"),
    "gap_strip": (
        WARNING,
        "a narrow strip of {size} beside {cells} belongs to no cell",
        "{cells} 旁有狭长地带 {size} 不属于任何网格",
    ),
    "gap_at_boundary": (
        ERROR,
        "{size} of the community beside {cells} belongs to no cell",
        "社区边界内 {cells} 旁有 {size} 不属于任何网格",
    ),
    "outside_boundary": (ERROR, "{cells} reaches {size} beyond the community", "{cells} 超出社区边界 {size}"),
    "boundary_sliver": (
        WARNING,
        "the outline of {cells} and the community boundary differ by {size}",
        "{cells} 的边线与社区边界相差 {size}",
    ),
    "edge_mismatch": (
        ERROR,
        "the border of {cells} does not match its neighbours' vertex by vertex over {size}",
        "{cells} 的边线与相邻网格的顶点不一致，长 {size}",
    ),
    "building_cut": (
        WARNING,
        "building {detail} is cut by the border of {cells}",
        "楼栋 {detail} 被 {cells} 的边界分割",
    ),
    "households_below": (
        WARNING,
        "{cells} has {detail} households, fewer than the profile asks for",
        "{cells} 有 {detail} 户，少于规定下限",
    ),
    "households_above": (
        WARNING,
        "{cells} has {detail} households, more than the profile allows",
        "{cells} 有 {detail} 户，超过规定上限",
    ),
    "no_cells": (ERROR, "the edition has no cells", "本版没有任何网格"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding.

    Invariants: ``code`` is a key of ``CATALOGUE``; ``lon``/``lat`` (degrees) point at the place, None where there is
    none; at most one of ``size_m2`` and ``size_m`` is set. Cells without a code are named ``#3`` after their feature
    index.
    """

    code: str
    severity: str
    cell_codes: tuple[str, ...]
    lon: float | None
    lat: float | None
    size_m2: float | None
    size_m: float | None
    message_en: str
    message_zh: str
    feature_index: int | None = None


def a_problem(
    code: str,
    cell_codes: Iterable[str] = (),
    *,
    at: tuple[float, float] | None = None,
    size_m2: float | None = None,
    size_m: float | None = None,
    detail: object = "",
    detail_zh: object = None,
    feature_index: int | None = None,
) -> Problem:
    """Put a finding into words; ``at`` is (lon, lat) in degrees, ``detail`` fills its place in the sentence.

    ``detail_zh`` fills it in the Chinese one where the two languages differ.
    """
    severity, english, chinese = CATALOGUE[code]
    names = tuple(cell_codes)
    size = f"{_figure(size_m2)} m²" if size_m2 is not None else f"{_figure(size_m)} m" if size_m is not None else ""
    facts = {"size": size, "detail": detail}
    own = facts if detail_zh is None else {"size": size, "detail": detail_zh}
    return Problem(
        code=code,
        severity=severity,
        cell_codes=names,
        lon=None if at is None else round(at[0], 7),
        lat=None if at is None else round(at[1], 7),
        size_m2=size_m2,
        size_m=size_m,
        message_en=english.format(cells=_listed(names, ", ", " and {} more") or "the edition", **facts),
        message_zh=chinese.format(cells=_listed(names, "、", "等 {} 个") or "本版", **own),
        feature_index=feature_index,
    )


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether any finding forbids publishing."""
    return any(problem.severity == ERROR for problem in problems)


def _listed(names: tuple[str, ...], comma: str, rest: str) -> str:
    """A few names for a sentence; ``cell_codes`` holds them all."""
    if len(names) <= _NAMES_SHOWN:
        return comma.join(names)
    left = len(names) - (_NAMES_SHOWN if comma == ", " else 0)
    return comma.join(names[:_NAMES_SHOWN]) + rest.format(left)


def _figure(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.0f}" if number >= 10 else f"{number:.3g}"
