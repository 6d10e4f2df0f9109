"""The sentence about a placement, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sync.days import day_at

_METHODS = {
    "survey": ("实测", "survey"), "map_pick": ("地图选点", "map pick"), "gps": ("手机定位", "GPS fix"),
    "address": ("地址匹配", "address match"), "import": ("导入", "imported point"),
}  # fmt: skip
_DATUMS = {"wgs84": "WGS-84", "gcj02": "GCJ-02", "bd09": "BD-09", "cgcs2000": "CGCS2000"}


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of one placement; ``chain`` leads from the record to the one that decides."""

    decision: str
    home: dict[str, str] | None
    chain: Sequence[dict[str, Any]]
    location: dict[str, Any] | None
    candidates: Sequence[dict[str, Any]]
    nearest: dict[str, Any] | None
    datum_suspect: Sequence[str]
    pin: dict[str, Any] | None
    needs_confirmation: bool


def say(said: Said) -> tuple[str, str]:
    """The whole in a sentence or three: (Chinese, English)."""
    decider_zh, decider_en = _who(said.chain[-1])
    parts = [_decision(said, decider_zh, decider_en)]
    if len(said.chain) > 1:
        way_zh = "→".join(_who(one)[0] for one in said.chain)
        way_en = " → ".join(_who(one)[1] for one in said.chain)
        parts.append((f"本记录随所在处归格（{way_zh}）", f"this record goes with what it stands in ({way_en})"))
    if said.candidates and said.location is not None:
        parts.append(_fix(said))
    if said.datum_suspect:
        names = "、".join(_DATUMS.get(one, one) for one in said.datum_suspect)
        parts.append(
            (f"若坐标其实是 {names}，则落在社区内，所报坐标系可能有误", f"read as {names} it would lie inside: the declared datum may be wrong")
        )
    if said.needs_confirmation:
        # Where no fix leaves a choice, only the secretary may name a cell.
        asked = ("请确认所属网格", "somebody has to confirm the cell") if said.candidates else ("请书记指定网格", "the secretary has to name a cell")
        parts.append(asked)
    return "；".join(zh for zh, _ in parts) + "。", "; ".join(en for _, en in parts) + "."


def _day(at: object) -> str:
    """The day of a pin; what a phone wrote there may be no instant."""
    try:
        return day_at(str(at))
    except ValueError:
        return ""


def _decision(said: Said, zh: str, en: str) -> tuple[str, str]:
    cell_zh, cell_en = _cell(said.home)
    if said.decision == "pinned" and said.pin is not None:
        by, day = said.pin.get("by") or "", _day(said.pin.get("at"))
        reason = said.pin.get("reason") or ""
        verb = ("确认", "confirmed") if said.pin.get("kind") == "confirmed" else ("指定", "pinned")
        cell_zh, cell_en = _cell(said.pin.get("cell"))
        return (
            f"{zh}由{by or '有权人员'}于 {day} {verb[0]}在{cell_zh}" + (f"，理由：{reason}" if reason else ""),
            f"{en} was {verb[1]} to {cell_en} on {day}" + (f" by {by}" if by else "") + (f": {reason}" if reason else ""),
        )
    if said.decision == "unlocated":
        return f"{zh}没有位置，也没有可以随之归格的上级", f"{en} has no location, and nothing that places it"
    if said.decision == "outside":
        if said.nearest is None:
            return f"{zh}的位置不在任何网格内", f"{en} lies in no cell"
        near_zh, near_en = _cell(said.nearest["cell"])
        metres = _metres(said.nearest["distance_m"])
        return (
            f"{zh}的位置不在任何网格内，最近的是{near_zh}，相距 {metres} 米",
            f"{en} lies in no cell; the nearest is {near_en}, {metres} m away",
        )
    if said.decision == "tie_rule":
        return (
            f"{zh}正好在网格边界上，按序号和编码最小者归入{cell_zh}",
            f"{en} lies exactly on a border and goes to the cell with the smallest order and code, {cell_en}",
        )
    method_zh, method_en = _METHODS.get(str((said.location or {}).get("method")), ("", ""))
    by_zh, by_en = (f"（{method_zh}）", f" ({method_en})") if method_zh else ("", "")
    return f"{zh}的位置{by_zh}落在{cell_zh}", f"{en}{by_en} lies in {cell_en}"


def _fix(said: Said) -> tuple[str, str]:
    location = said.location or {}
    radius = _metres(location["radius_m95"])
    method_zh, method_en = _METHODS.get(str(location.get("method")), ("定位", "fix"))
    others = [one for one in said.candidates if one["distance_m"] > 0]
    border = min((one["distance_m"] for one in others), default=None)
    shares_zh = "，".join(f"{_cell(one['cell'])[0]} {one['probability']:.0%}" for one in said.candidates)
    shares_en = ", ".join(f"{_cell(one['cell'])[1]} {one['probability']:.0%}" for one in said.candidates)
    outside = 1 - sum(one["probability"] for one in said.candidates)
    if outside >= 0.01:
        shares_zh, shares_en = f"{shares_zh}，不在任何网格 {outside:.0%}", f"{shares_en}, in no cell {outside:.0%}"
    at_zh = "" if border is None else f"，距相邻网格 {_metres(border)} 米"
    at_en = "" if border is None else f", {_metres(border)} m from the next cell"
    return (
        f"{method_zh}误差 ±{radius} 米（95%）{at_zh}，可能属于：{shares_zh}",
        f"{method_en} ± {radius} m (95 %){at_en}, overlaps {shares_en}",
    )


def _who(one: dict[str, Any]) -> tuple[str, str]:
    label = one["type_label"]
    title = one.get("title")
    zh, en = str(label.get("zh", one["type"])), str(label.get("en", one["type"]))
    return (f"{zh}“{title}”", f"{en.lower()} {title}") if title else (f"该{zh}", f"the {en.lower()}")


def _cell(cell: dict[str, str] | None) -> tuple[str, str]:
    if cell is None:
        return "未归格", "no cell"
    name = f"{cell.get('name') or ''}".strip()
    code = cell.get("code") or cell["cell_id"]
    return (f"{name}（{code}）" if name else f"网格 {code}"), f"cell {code}"


def _metres(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
