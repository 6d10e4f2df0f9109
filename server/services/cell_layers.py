"""Layers of cells: those of the base edition with their baseline, dedicated ones, and figures that may be told to anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from server.services.figures import MEASURES, Told
from server.services.layers import DEDICATED, Feature, Layer
from server.services.tables import Column, Value, joined
from server.store import exports as store


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
    Column("as_of", "截至", "datetime"),
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


_DEDICATED_COLUMNS = _CELL_COLUMNS[:6]


def dedicated_layer(shapes: Sequence[store.CellShape]) -> Layer:
    """The dedicated cells that lie on top of the others, with nothing that is counted: all counts are of base cells."""
    made = [
        Feature(
            shape.cell_id,
            (shape.cell_id, shape.code, shape.name, shape.order_number, shape.area_m2, shape.edition_number),
            outline=shape.geometry,
        )
        for shape in shapes
    ]
    return Layer(
        DEDICATED, "专属网格", "Polygon", _DEDICATED_COLUMNS, {}, (), len(made), lambda: iter([made] if made else [])
    )


FIGURE_COLUMNS = (
    Column("cell_id", "编号"),
    Column("code", "网格编码"),
    Column("name", "网格名称"),
    Column("area_m2", "面积（平方米）", "decimal"),
    Column("edition", "网格版本", "integer"),
    Column("period", "发布期"),
    Column("made_at", "发布时间", "datetime"),
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
