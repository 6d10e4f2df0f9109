"""What an export is made of: layers with columns and features, whatever file they end up in.

Codes stay text and stand beside their labels; secret fields are masks; personal fields come only where allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from forms.definition import FieldSpec
from forms.registry import Registry
from server.permissions import Scope
from server.services.figures import MEASURES, Told
from server.services.labels import PERSONAL
from server.services.tables import Column, Value, joined
from server.store import exports as store
from server.store.scoping import PLACE_TYPES

RECORD_LAYERS = {
    "estates": "estate",
    "buildings": "building",
    "entrances": "entrance",
    "dwellings": "dwelling",
    "households": "household",
    "persons": "person",
    "party_members": "party_member",
    "organizations": "organization",
    "check_ins": "check_in",
    "resources": "resource",
}
"""Layers of records by the type they hold."""

LAYERS = ("cells", "figures", *RECORD_LAYERS)
PERSONAL_LAYERS = frozenset(name for name, kind in RECORD_LAYERS.items() if kind not in PLACE_TYPES)
"""Layers that say something about single households or persons."""


class Feature(NamedTuple):
    """One row of a layer: values in the order of the columns, and a point or an outline (WKB) in CGCS2000, or neither."""

    feature_id: str
    values: tuple[Value, ...]
    lon: float | None = None
    lat: float | None = None
    outline: bytes | None = None


class CellOutline(Protocol):
    """What a row about a cell needs of it."""

    @property
    def cell_id(self) -> str:
        """Its id."""

    @property
    def code(self) -> str:
        """Its code."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def area_m2(self) -> float:
        """Its area."""

    @property
    def edition_number(self) -> int:
        """The edition it belongs to."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer. ``codes`` gives the labels of coded columns; ``batches`` is read once, in one snapshot."""

    name: str
    title: str
    geometry: str  # Point | Polygon
    columns: tuple[Column, ...]
    codes: Mapping[str, Mapping[str, str]]
    personal_fields: tuple[str, ...]
    count: int
    batches: Callable[[], Iterator[Sequence[Feature]]]


_LISTS = frozenset({"select_multiple", "text_set"})
_KINDS = {"integer": "integer", "decimal": "decimal", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class RecordTable:
    """The columns of one type of record, and how a record becomes a row of them.

    ``quick`` is generated from the columns (`_row_maker`); what it leaves with a list or an object in it is made field by field.
    """

    kind: str
    title: str
    specs: tuple[FieldSpec, ...]
    columns: tuple[Column, ...]
    codes: Mapping[str, Mapping[str, str]]
    personal_fields: tuple[str, ...]
    quick: Callable[..., tuple[Value, ...]]

    def values(self, row: store.RecordRow, cell: tuple[str | None, str | None]) -> tuple[Value, ...]:
        """The values of a record in the order of the columns; ``cell`` is code and name of its cell."""
        record_id, v, _home, fields, conflicts, updated_at, _lon, _lat, place_type = row
        told = joined(conflicts) if conflicts else None
        try:
            made = self.quick(fields.get, record_id, *cell, place_type, told, v, updated_at)
            hash(made)  # a list or an object has no hash: written under a form that had another type of field
        except TypeError:
            return self._slowly(row, cell)
        return made

    def _slowly(self, row: store.RecordRow, cell: tuple[str | None, str | None]) -> tuple[Value, ...]:
        values: list[Value] = [row.id, *cell]
        for spec in self.specs:
            value = row.fields.get(spec.name)
            values.append(plain(spec, value))
            if spec.codes is not None:
                values.append(label(spec, value))
        return (*values, row.place_type, joined(row.conflicts) or None, row.v, row.updated_at)


class _Labels(dict[str | None, str | None]):
    """Labels by code; whatever is no code of the list is labelled as `label` does it."""

    def __init__(self, spec: FieldSpec) -> None:
        entries = spec.codes.entries if spec.codes is not None else {}
        super().__init__({None: None} | {code: entry.zh for code, entry in entries.items()})
        self._spec = spec

    def __missing__(self, code: Any) -> str | None:
        return label(self._spec, code)


def _row_maker(specs: Sequence[FieldSpec]) -> Callable[..., tuple[Value, ...]]:
    """One expression that lays the values of a record into the order of the columns: there may be millions of them."""
    names: dict[str, Any] = {}
    parts = []
    for position, spec in enumerate(specs):
        shape = _mask if spec.privacy == "secret" else _list if spec.type in _LISTS else None
        got = f"(x{position} := get({spec.name!r}))"
        if shape is not None:
            names[f"shape_{position}"] = shape
            got += f" and shape_{position}(x{position})"
        parts.append(got)
        if spec.codes is not None:
            names[f"labels_{position}"] = _Labels(spec)
            parts.append(f"labels_{position}[x{position}]")
    row = ", ".join(["record_id, code, name", *parts, "place, told, v, at"])
    text = f"lambda get, record_id, code, name, place, told, v, at: ({row})"
    return eval(text, names)  # type: ignore[no-any-return]  # noqa: S307  # our own text, from the definitions' names


def record_table(registry: Registry, name: str, *, personal: bool) -> RecordTable:
    """The table of a layer of records; personal fields (secret ones as masks) only where ``personal``."""
    kind = RECORD_LAYERS[name]
    form = registry.latest(kind)
    specs = tuple(
        spec for spec in form.fields.values() if spec.type != "location" and (personal or spec.privacy not in PERSONAL)
    )
    columns = [Column("id", "编号"), Column("cell_code", "网格编码"), Column("cell_name", "网格名称")]
    codes: dict[str, Mapping[str, str]] = {}
    for spec in specs:
        columns.append(Column(spec.name, spec.label["zh"], _KINDS.get(spec.type, "text")))  # type: ignore[arg-type]
        if spec.codes is not None:
            if spec.type not in _LISTS and spec.privacy != "secret":
                codes[spec.name] = {code: entry.zh for code, entry in spec.codes.entries.items()}
            columns.append(Column(f"{spec.name}_label", f"{spec.label['zh']}（名称）"))
    columns += [
        Column("place_source", "位置取自"),
        Column("open_conflicts", "待解决的不一致"),
        Column("version", "版本", "integer"),
        Column("updated_at", "更新时间"),
    ]
    personal_fields = tuple(f"{kind}.{spec.name}" for spec in specs if spec.privacy in PERSONAL)
    return RecordTable(kind, form.label["zh"], specs, tuple(columns), codes, personal_fields, _row_maker(specs))


def record_layer(
    connection: Any,
    registry: Registry,
    scope: Scope,
    community_id: str,
    name: str,
    *,
    personal: bool,
    homes: Sequence[str] | None,
    cells: Mapping[str, tuple[str, str]],
) -> Layer:
    """A layer of records at their own point or that of their place.

    Parameters
    ----------
    personal : whether personal fields come along (secret ones as masks)
    homes : only records of these home streams; None for all in the scope
    cells : (code, name) of a cell by its home stream
    """
    table = record_table(registry, name, personal=personal)

    def batches() -> Iterator[Sequence[Feature]]:
        for batch in store.record_batches(connection, scope, community_id, table.kind, homes):
            values, nowhere = table.values, (None, None)
            yield [Feature(row[0], values(row, cells.get(row[2], nowhere)), row[6], row[7]) for row in batch]

    return Layer(
        name=name,
        title=table.title,
        geometry="Point",
        columns=table.columns,
        codes=table.codes,
        personal_fields=table.personal_fields,
        count=store.count_records(connection, scope, community_id, table.kind, homes),
        batches=batches,
    )


GROUND_COLUMNS = (Column("community_code", "社区编码"), Column("community_name", "社区名称"))
"""What says where a row of several communities is from."""


def stacked(grounds: Sequence[tuple[str, str]], layers: Sequence[Layer]) -> Layer:
    """One layer of several communities: the same layer of each, beside (code, name) of the community."""
    first = layers[0]

    def batches() -> Iterator[Sequence[Feature]]:
        for ground, layer in zip(grounds, layers, strict=True):
            for batch in layer.batches():
                yield [Feature(one.feature_id, (*ground, *one.values), one.lon, one.lat, one.outline) for one in batch]

    return replace(
        first,
        columns=(*GROUND_COLUMNS, *first.columns),
        count=sum(layer.count for layer in layers),
        batches=batches,
    )


_CELL_COLUMNS = (
    Column("cell_id", "编号"),
    Column("code", "网格编码"),
    Column("name", "网格名称"),
    Column("order_number", "序号", "integer"),
    Column("area_m2", "面积（平方米）", "decimal"),
    Column("edition", "网格版本", "integer"),
    Column("estate_count", "小区数", "integer"),
    Column("building_count", "楼栋数", "integer"),
    Column("dwelling_count", "房屋数", "integer"),
    Column("household_count", "住户数", "integer"),
    Column("person_count", "人员数", "integer"),
    Column("resident_person_count", "居住人数", "integer"),
    Column("party_member_count", "党员数", "integer"),
    Column("resource_count", "资源数", "integer"),
    Column("expected_dwellings", "应采房屋", "integer"),
    Column("surveyed_dwellings", "已采房屋", "integer"),
    Column("coverage", "覆盖率", "decimal"),
    Column("median_days", "距上次核实天数（中位）", "integer"),
    Column("open_conflicts", "待解决的不一致", "integer"),
    Column("as_of", "截至"),
)


def cell_layer(shapes: Sequence[store.CellShape], figures: Mapping[str, Any]) -> Layer:
    """The cells with their baseline (see `services.baseline`); no personal value."""
    by_id = {cell["cell_id"]: cell for cell in figures["cells"]}

    def feature(shape: store.CellShape) -> Feature:
        summary = by_id.get(shape.cell_id, {"counts": {}, "coverage": {}, "freshness": {}, "open_conflicts": None})
        counts, coverage = summary["counts"], summary["coverage"]
        return Feature(
            shape.cell_id,
            (
                shape.cell_id, shape.code, shape.name, shape.order_number, shape.area_m2, shape.edition_number,
                *(counts.get(kind) for kind in
                  ("estate", "building", "dwelling", "household", "person", "resident_person", "party_member", "resource")),
                coverage.get("expected_dwellings"), coverage.get("surveyed_dwellings"), coverage.get("share"),
                summary["freshness"].get("median_days"), summary["open_conflicts"], figures["as_of"],
            ),
            outline=shape.geometry,
        )  # fmt: skip

    def batches() -> Iterator[Sequence[Feature]]:
        yield [feature(shape) for shape in shapes]

    return Layer("cells", "网格", "Polygon", _CELL_COLUMNS, {}, (), len(shapes), batches)


FIGURE_COLUMNS = (
    Column("cell_id", "编号"),
    Column("code", "网格编码"),
    Column("name", "网格名称"),
    Column("area_m2", "面积（平方米）", "decimal"),
    Column("edition", "网格版本", "integer"),
    Column("period", "发布期"),
    Column("made_at", "发布时间"),
    *(Column(measure, title, "integer") for measure, title in MEASURES.items()),
    Column("withheld", "不予公布的指标"),
)


def figure_values(shape: CellOutline, told: Told) -> tuple[Value, ...]:
    """The row of one cell: rounded counts, nothing where one is withheld, and which ones are."""
    values = told.values.get(shape.cell_id, {})
    counts = [values.get(measure) for measure in MEASURES]
    hidden = joined(title for measure, title in MEASURES.items() if values.get(measure) is None)
    return (
        shape.cell_id, shape.code, shape.name, round(shape.area_m2, 1), shape.edition_number, told.period, told.made_at,
        *counts, hidden or None,
    )  # fmt: skip


def figure_layer(shapes: Sequence[store.CellShape], told: Told | None) -> Layer:
    """Counts of people by cell as they may be told to anybody who may see the place."""
    rows = (
        [Feature(shape.cell_id, figure_values(shape, told), outline=shape.geometry) for shape in shapes] if told else []
    )
    return Layer("figures", "汇总", "Polygon", FIGURE_COLUMNS, {}, (), len(rows), lambda: iter([rows] if rows else []))


def plain(spec: FieldSpec, value: Any) -> Value:
    """A field's value as one plain value: sets joined, a secret as its mask."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, list):
        return joined(map(str, value))
    if isinstance(value, dict):
        return value.get("mask") if spec.privacy == "secret" else None
    return str(value)


def _mask(value: Any) -> Value:
    """As `plain` shapes a secret field."""
    return value.get("mask") if type(value) is dict else _list(value)


def _list(value: Any) -> Value:
    """As `plain` shapes a list of texts; any other value that has to be shaped is left to it."""
    if type(value) is list:
        if len(value) == 1 and type(value[0]) is str:
            return value[0]
        if set(map(type, value)) <= _TEXTS:
            return joined(value)
    return value  # type: ignore[no-any-return]


_TEXTS = frozenset({str})


def label(spec: FieldSpec, value: Any) -> str | None:
    """Chinese label of a coded value; a code that the list does not know stays as it is."""
    if value is None or spec.codes is None:
        return None
    codes = spec.codes
    if isinstance(value, list):
        return joined(codes.label_of(str(code)) or str(code) for code in value)
    return codes.label_of(str(value)) or str(value)
