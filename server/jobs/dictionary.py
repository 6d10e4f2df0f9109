"""What the columns of a package mean: a workbook for people, and names short enough for Shapefiles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from forms.definition import FieldSpec
from forms.registry import Registry
from server.services.layers import RECORD_LAYERS, Layer
from server.services.tables import Column, Sheet, Value, write_xlsx

_SHORTER = (
    ("community", "comm"), ("building", "bldg"), ("dwelling", "dwel"), ("household", "hh"), ("organization", "org"),
    ("resident", "res"), ("person", "pers"), ("member", "mem"), ("expected", "exp"), ("surveyed", "surv"),
    ("standard", "std"), ("address", "addr"), ("number", "no"), ("count", "cnt"), ("label", "lb"), ("text", "tx"),
    ("code", "cd"), ("name", "nm"), ("place", "pl"), ("open", "op"), ("order", "ord"), ("quantity", "qty"),
)  # fmt: skip
_LONGEST = 10  # bytes of a DBF field name
_TYPES = {"text": "文字", "integer": "整数", "decimal": "小数", "boolean": "是否", "date": "日期", "datetime": "日期时间（UTC）"}
_PRIVACY = {"public": "公开", "internal": "内部", "personal": "个人信息", "secret": "敏感，已遮盖"}


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names of at most ten letters, readable and distinct; a name that is short enough stays.

    The same names give the same answer; letters beyond ASCII are left out.
    """
    made: dict[str, str] = {}
    taken = {name.lower() for name in names if _fits(name)}
    for name in names:
        if _fits(name):
            made[name] = name
            continue
        short = re.sub(r"[^a-zA-Z0-9_]", "", name) or "field"
        for long, shorter in _SHORTER:
            short = short.replace(long, shorter) if len(short) > _LONGEST else short
        if len(short) > _LONGEST:  # vowels go first, but never the letter that a word begins with
            short = re.sub(r"(?<=[a-z])[aeiou](?=[a-z])", "", short)
        found, number = short[:_LONGEST].rstrip("_"), 2
        while found.lower() in taken:
            tail = str(number)
            found = short[: _LONGEST - len(tail)].rstrip("_") + tail
            number += 1
        taken.add(found.lower())
        made[name] = found
    return made


def _fits(name: str) -> bool:
    return len(name) <= _LONGEST and re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) is not None


def write_dictionary(path: Path, registry: Registry, layers: Sequence[Layer], notes: Mapping[str, str]) -> None:
    """Write the workbook: layers, fields, codes, and what the package says about itself."""
    layer_columns = [Column(name, name) for name in ("图层", "名称", "几何类型")] + [Column("rows", "行数", "integer")]
    field_columns = [
        Column(name, name)
        for name in (
            "图层",
            "字段",
            "Shapefile 字段",
            "中文名",
            "英文名",
            "类型",
            "单位",
            "类别",
            "代码表",
            "标准",
            "说明",
        )
    ]
    code_columns = [Column(name, name) for name in ("图层", "字段", "代码", "名称")]
    with path.open("w+b") as target:
        write_xlsx(
            target,
            [
                Sheet("图层", layer_columns, ((one.name, one.title, one.geometry, one.count) for one in layers)),
                Sheet("字段", field_columns, (row for one in layers for row in _fields(registry, one))),
                Sheet("代码", code_columns, (row for one in layers for row in _codes(one))),
                Sheet("说明", [Column("name", "项目"), Column("value", "内容")], list(notes.items())),
            ],
        )


def _fields(registry: Registry, layer: Layer) -> Iterator[tuple[Value, ...]]:
    kind = RECORD_LAYERS.get(layer.name)
    specs: Mapping[str, FieldSpec] = registry.latest(kind).fields if kind is not None else {}
    shorter = short_names([column.name for column in layer.columns])
    for column in layer.columns:
        spec = specs.get(column.name)
        head = (layer.name, column.name, shorter[column.name], column.title)
        if spec is None:
            yield (*head, None, _TYPES[column.kind], None, None, None, None, None)
        else:
            yield (
                *head, spec.label.get("en"), _TYPES[column.kind], spec.measure, _PRIVACY[spec.privacy], spec.codelist,
                spec.standard, spec.note,
            )  # fmt: skip


def _codes(layer: Layer) -> Iterator[tuple[Value, ...]]:
    for field, labels in layer.codes.items():
        for code, label in labels.items():
            yield layer.name, field, code, label
