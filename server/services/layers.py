"""What an export is made of: layers with columns and features, whatever file they end up in.

Codes stay text and stand beside their labels; secret fields are masks; personal fields come only where allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson

from forms.definition import FieldSpec
from forms.registry import Registry
from server.permissions import Scope
from server.services.labels import PERSONAL, label, plain, title_of
from server.services.layer_rows import Swiftly
from server.services.layer_text import FeatureTexts, Points
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
    "tenures": "tenure",
    "service_records": "service_record",
    "resources": "resource",
}
"""Layers of records by the type they hold."""

DEDICATED = "dedicated_cells"
"""The second layer of cells."""

LAYERS = ("cells", DEDICATED, "figures", *RECORD_LAYERS)
PERSONAL_LAYERS = frozenset(name for name, kind in RECORD_LAYERS.items() if kind not in PLACE_TYPES)
"""Layers that say something about single households or persons."""


class Feature(NamedTuple):
    """One row of a layer: values in the order of the columns, and a point or an outline (WKB) in CGCS2000, or neither."""

    feature_id: str
    values: tuple[Value, ...]
    lon: float | None = None
    lat: float | None = None
    outline: bytes | None = None
    named: Mapping[str, Value] | None = None
    """The values by the names of their columns, where they are known that way already."""


Place = Callable[[float | None, float | None], Any]
Swift = tuple[list[Any], list[float | None], list[float | None]]
"""Rows with the longitudes and latitudes of their points."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer. ``codes`` gives the labels of coded columns; ``batches`` is read once, in one snapshot.

    ``swift`` gives the same quicker: rows and their points in columns; tuples with the place that it is told makes first, and `NOTHING` in
    place of nearly every None. ``texts`` gives each feature as GeoJSON, with the geometry that it is given.
    """

    name: str
    title: str
    geometry: str  # Point | Polygon
    columns: tuple[Column, ...]
    codes: Mapping[str, Mapping[str, str]]
    personal_fields: tuple[str, ...]
    count: int
    batches: Callable[[], Iterator[Sequence[Feature]]]
    swift: Callable[[Place], Iterator[Swift]] | None = None
    texts: Callable[[Points], Iterator[Sequence[bytes]]] | None = None


NOTHING = math.nan
"""Stored as NULL by SQLite, and bound at once: for None Python's module looks for adapters."""

LISTS = frozenset({"select_multiple", "text_set"})
"""Types of fields that hold a set of texts."""

_KINDS = {name: name for name in ("integer", "decimal", "boolean", "date", "datetime")}
_NAMED = frozenset({"estate", "building", "entrance", "dwelling", "organization"})
"""Types that a record refers to by name, too: a plan without them is a table of identifiers."""

Cell = tuple[str | None, str | None]
"""Code and name of a cell; (None, None) for no cell."""

Called = Callable[[Any], str | None]
"""What a record is called, by its id."""

_NOWHERE: Cell = (None, None)
_MOST_KNOWN = 100_000  # names that are remembered from batch to batch


def _unknown(_record_id: Any) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class RecordTable:
    """The columns of one type of record, and how a record becomes a row of them.

    ``names`` are fields that hold the id of a record whose name stands beside it.
    ``quick`` is generated from the columns (`_row_maker`); what it leaves with a list or an object in it is made field by field.
    """

    kind: str
    title: str
    specs: tuple[FieldSpec, ...]
    columns: tuple[Column, ...]
    codes: Mapping[str, Mapping[str, str]]
    personal_fields: tuple[str, ...]
    names: frozenset[str]
    quick: Callable[..., dict[str, Value]]

    def values(
        self, row: store.RecordRow, cell: Cell, dedicated: Cell = _NOWHERE, called: Called = _unknown
    ) -> tuple[Value, ...]:
        """The values of a record in the order of the columns; ``called`` knows what the records of ``names`` are called."""
        return self.feature(row, cell, dedicated, called).values

    def feature(
        self, row: store.RecordRow, cell: Cell, dedicated: Cell = _NOWHERE, called: Called = _unknown
    ) -> Feature:
        """A record at its point."""
        record_id, v, _home, fields, conflicts, updated_at, lon, lat, place_type, _dedicated = row
        told = joined(conflicts) if conflicts else None
        try:
            named = self.quick(fields, record_id, *cell, *dedicated, called, place_type, told, v, updated_at)
            values = tuple(named.values())
            hash(values)  # a list or an object has no hash: written under a form that had another type of field
        except TypeError:
            return Feature(record_id, self._slowly(row, cell, dedicated, called), lon, lat)
        return Feature(record_id, values, lon, lat, None, named)

    def _slowly(
        self, row: store.RecordRow, cell: Cell, dedicated: Cell = _NOWHERE, called: Called = _unknown
    ) -> tuple[Value, ...]:
        values: list[Value] = [row.id, *cell, *dedicated]
        for spec in self.specs:
            value = row.fields.get(spec.name)
            values.append(plain(spec, value))
            if spec.codes is not None:
                values.append(label(spec, value))
            if spec.name in self.names:
                values.append(called(value) if isinstance(value, str) else None)
        return (*values, row.place_type, joined(row.conflicts) or None, row.v, row.updated_at)


class _Labels(dict[Value, Value]):
    """Labels by code; whatever is no code of the list is labelled as `label` does it."""

    def __init__(self, spec: FieldSpec, nothing: Value) -> None:
        entries = spec.codes.entries if spec.codes is not None else {}
        super().__init__({None: None, nothing: nothing} | {code: entry.zh for code, entry in entries.items()})
        self._spec = spec

    def __missing__(self, code: Any) -> str | None:
        return label(self._spec, code)


def _row_maker(specs: Sequence[FieldSpec], columns: Sequence[Column]) -> Callable[..., dict[str, Value]]:
    """A function that lays the values of a record over the columns, which stand empty in their order."""
    nothing = None
    blank = {column.name: nothing for column in columns}
    names: dict[str, Any] = {"blank": blank, "nothing": nothing, "foreign": _take_foreign}
    lines = ["row = blank.copy()", "row.update(fields)", f"if len(row) != {len(blank)}: foreign(row, blank)"]
    for position, spec in enumerate(specs):
        shape = _mask if spec.privacy == "secret" else _list if spec.type in LISTS else None
        if spec.codes is not None:
            names[f"labels_{position}"] = _Labels(spec, nothing)
            lines.append(f"row[{spec.name + '_label'!r}] = labels_{position}[row[{spec.name!r}]]")
        if _is_named(spec):
            lines += [f"x = row[{spec.name!r}]", f"row[{spec.name + '_name'!r}] = called(x) if type(x) is str else nothing"]
        if shape is not None:
            names[f"shape_{position}"] = shape
            lines += [f"x = row[{spec.name!r}]", f"if x is not nothing: row[{spec.name!r}] = shape_{position}(x)"]
    given = ("id", "cell_code", "cell_name", "dedicated_code", "dedicated_name", "place_source", "open_conflicts", "version", "updated_at")
    # A field that was called as one of our own columns is not theirs.
    lines += [f"row[{name!r}] = nothing if {name} is None else {name}" for name in given]
    head = "def lay(fields, id, cell_code, cell_name, dedicated_code, dedicated_name, called, place_source, open_conflicts, version, updated_at):"
    exec("\n    ".join([head, *lines, "return row"]), names)  # noqa: S102  # our own text, from the definitions' names
    return names["lay"]  # type: ignore[no-any-return]


def _take_foreign(row: dict[str, Value], blank: Mapping[str, Value]) -> None:
    """Take away what is no column: places, personal fields that were not asked for, fields of another form."""
    for name in row.keys() - blank.keys():
        del row[name]


def _is_named(spec: FieldSpec) -> bool:
    return spec.type == "ref" and spec.ref_type in _NAMED and spec.privacy not in PERSONAL


def record_table(registry: Registry, name: str, *, personal: bool) -> RecordTable:
    """The table of a layer of records; personal fields (secret ones as masks) only where ``personal``."""
    kind = RECORD_LAYERS[name]
    form = registry.latest(kind)
    specs = tuple(
        spec for spec in form.fields.values() if spec.type != "location" and (personal or spec.privacy not in PERSONAL)
    )
    columns = [Column("id", "编号"), Column("cell_code", "网格编码"), Column("cell_name", "网格名称")]
    columns += [Column("dedicated_code", "专属网格编码"), Column("dedicated_name", "专属网格名称")]
    codes: dict[str, Mapping[str, str]] = {}
    for spec in specs:
        columns.append(Column(spec.name, spec.label["zh"], _KINDS.get(spec.type, "text")))  # type: ignore[arg-type]
        if spec.codes is not None:
            if spec.type not in LISTS and spec.privacy != "secret":
                codes[spec.name] = {code: entry.zh for code, entry in spec.codes.entries.items()}
            columns.append(Column(f"{spec.name}_label", f"{spec.label['zh']}（名称）"))
        if _is_named(spec):
            columns.append(Column(f"{spec.name}_name", f"{spec.label['zh']}（名称）"))
    columns += [
        Column("place_source", "位置取自"),
        Column("open_conflicts", "待解决的不一致"),
        Column("version", "版本", "integer"),
        Column("updated_at", "更新时间", "datetime"),
    ]
    personal_fields = tuple(f"{kind}.{spec.name}" for spec in specs if spec.privacy in PERSONAL)
    names = frozenset(spec.name for spec in specs if _is_named(spec))
    return RecordTable(kind, form.label["zh"], specs, tuple(columns), codes, personal_fields, names, _row_maker(specs, columns))


def called_by(registry: Registry, found: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """What records (type, fields) are called, by id, of fields that are not personal; those without a name are left out."""
    said = ((one, title_of(registry.latest(kind), fields, personal=False)[0]) for one, (kind, fields) in found.items())
    return {one: title for one, title in said if title is not None}


def record_layer(
    connection: Any,
    registry: Registry,
    scope: Scope,
    community_id: str,
    name: str,
    *,
    personal: bool,
    homes: Sequence[str] | None,
    cells: Mapping[str | None, Cell],
) -> Layer:
    """A layer of records at their own point or that of their place.

    Parameters
    ----------
    personal : whether personal fields come along (secret ones as masks)
    homes : only records of these home streams; None for all in the scope
    cells : (code, name) of a cell by its stream, base and dedicated
    """
    table = record_table(registry, name, personal=personal)
    feature, where = table.feature, cells.get

    def batches() -> Iterator[Sequence[Feature]]:
        known: dict[str, str | None] = {}
        for batch in store.record_batches(connection, scope, community_id, table.kind, homes):
            rows = learned(connection, registry, scope, community_id, table, batch, known) if table.names else batch
            yield [feature(row, where(row[2], _NOWHERE), where(row[9], _NOWHERE), known.get) for row in rows]

    def swift(place: Place) -> Iterator[Swift]:
        known: dict[str, str | None] = {}
        rows = swiftly(table, cells, known.get, place)
        for batch, places in store.raw_batches(connection, scope, community_id, table.kind, homes):
            parsed = [orjson.loads(row[3]) for row in batch]
            if table.names:
                learn(connection, registry, scope, community_id, table, parsed, known)
            yield rows.laid(batch, parsed, places)

    def texts(points: Points) -> Iterator[Sequence[bytes]]:
        known: dict[str, str | None] = {}
        features = FeatureTexts(table, registry.latest(table.kind), LISTS, cells, known.get, points)
        for batch, places in store.raw_batches(connection, scope, community_id, table.kind, homes):
            if table.names:
                learn(connection, registry, scope, community_id, table, [orjson.loads(row[3]) for row in batch], known)
            yield features.texts(batch, places)

    return Layer(
        name=name,
        title=table.title,
        geometry="Point",
        columns=table.columns,
        codes=table.codes,
        personal_fields=table.personal_fields,
        count=store.count_records(connection, scope, community_id, table.kind, homes),
        batches=batches,
        swift=swift,
        texts=texts,
    )


def swiftly(table: RecordTable, cells: Mapping[str | None, Cell], called: Called, place: Place) -> Swiftly:
    """What lays the raw records of a table over its columns by the million."""
    labels = {spec.name: _Labels(spec, NOTHING) for spec in table.specs if spec.codes is not None}
    return Swiftly(table, labels, cells, called, place, NOTHING, lists=LISTS)


def learned(
    connection: Any, registry: Registry, scope: Scope, community_id: str, table: RecordTable,
    rows: Iterable[store.RecordRow], known: dict[str, str | None],
) -> list[store.RecordRow]:  # fmt: skip
    """The rows, once ``known`` says what the records that they name are called, as far as the scope sees them."""
    kept = list(rows)
    learn(connection, registry, scope, community_id, table, [row.fields for row in kept], known)
    return kept


def learn(
    connection: Any, registry: Registry, scope: Scope, community_id: str, table: RecordTable,
    rows: Sequence[Mapping[str, Any]], known: dict[str, str | None],
) -> None:  # fmt: skip
    """Have ``known`` say what the records that these fields name are called."""
    if len(known) > _MOST_KNOWN:
        known.clear()
    wanted = {value for row in rows for name in table.names if isinstance(value := row.get(name), str) and value not in known}
    if wanted:
        found = store.records_named(connection, scope, community_id, wanted)
        known.update(dict.fromkeys(wanted) | called_by(registry, found))


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
        swift=None,
        texts=None,
    )


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
