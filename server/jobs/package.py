"""The planner's package: one ZIP with the same layers in every format that GIS programs ask for.

The GeoPackage is written first; the other files are poured from it through GDAL (Arrow streams), so that all of them hold
the same rows of the same moment. Memory holds one batch of rows, whatever the size.
"""

from __future__ import annotations

import csv
import shutil
import sqlite3
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from forms.registry import Registry
from geo.gauss_krueger import Zone
from server.jobs.dictionary import short_names, write_dictionary
from server.jobs.geodatabase import add_domains, can_add_domains
from server.jobs.geopackage import distinct_titles, write_geopackage
from server.jobs.projected import project_geopackage
from server.services.layers import DEDICATED, Layer
from server.services.tables import Column

IN_DEGREES = ("geojson", "kml", "pmtiles")
"""Formats whose standard knows degrees (or tiles) only: they stay so in a package of metres."""

TILED = ("cells", DEDICATED, "figures")
"""Layers that become map tiles: never a layer of single records."""

_CALLED = ("name", "number", "door_number", "household_number", "title")
_BATCH = 8_192
_NAME = "dishu"

Told = Callable[[int], None]
Pieces = Callable[[Layer], Any]

_ABOUT = {
    "geopackage": "dishu.gpkg              GeoPackage 1.3：中文别名、代码表、QGIS 样式、元数据 / aliases, coded values, styles, metadata",
    "filegdb": "dishu.gdb/              文件地理数据库，中文别名{domains}；整数字段为双精度 / File Geodatabase with aliases{domains_en}; whole numbers as doubles",
    "flatgeobuf": "flatgeobuf/             FlatGeobuf",
    "geojson": "geojson/                GeoJSON, RFC 7946",
    "shapefile": "shapefile/              Shapefile, UTF-8；字段名对照见 fields.csv / field names in fields.csv; texts end at 254 bytes",
    "kml": "kml/                    KML",
    "geoparquet": "geoparquet/             GeoParquet 1.1",
    "pmtiles": "tiles/                  PMTiles：网格与汇总 / cells and aggregates",
}


def write_package(
    path: Path,
    layers: Sequence[Layer],
    notes: Mapping[str, str],
    told: Told,
    *,
    formats: Sequence[str],
    registry: Registry,
    geojson: Pieces,
    zone: Zone | None = None,
) -> int:
    """Write the package into a new file; returns the number of features of one format.

    Parameters
    ----------
    path : the ZIP; a folder of the same name with ``.build`` stands beside it while it is made
    formats : some of `services.exports.available_formats`; layers without any feature are written too, empty
    geojson : gives a layer as pieces of a GeoJSON text
    zone : in metres of this zone instead of degrees, but for the formats `IN_DEGREES`
    """
    build = path.with_name(f"{path.name}.build")
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(mode=0o700)
    try:
        source = build / f"{_NAME}.gpkg"
        count = write_geopackage(source, layers, notes, told)
        # What stays in degrees comes first; then the source itself is turned into metres.
        for name in formats:
            if name in IN_DEGREES:
                _write(name, build, source, layers, geojson, told)
        if zone is not None:
            project_geopackage(source, zone)
        for name in formats:
            if name not in IN_DEGREES:
                _write(name, build, source, layers, geojson, told)
        if "shapefile" in formats:
            _write_short_names(build / "shapefile" / "fields.csv", layers)
        write_dictionary(build / "dictionary.xlsx", registry, layers, notes)
        if "geopackage" not in formats:
            source.unlink()
        (build / "README.txt").write_text(_readme(layers, notes, formats), encoding="utf-8")
        _pack(build, path)
    finally:
        shutil.rmtree(build, ignore_errors=True)
    return count


def _write(name: str, build: Path, source: Path, layers: Sequence[Layer], geojson: Pieces, told: Told) -> None:
    """One format of every layer; the GeoPackage is there already."""
    writer = _WRITERS.get(name)
    if writer is not None:
        for layer in layers:
            writer(build, source, layer)
            told(0)  # still at work
    elif name == "geojson":
        _geojson(build, layers, geojson)
    if name == "filegdb":
        add_domains(build / f"{_NAME}.gdb", layers)


def _readme(layers: Sequence[Layer], notes: Mapping[str, str], formats: Sequence[str]) -> str:
    lines = ["底数 Dishu", ""]
    lines += [f"{name}: {value}" for name, value in notes.items()]
    has = can_add_domains()
    domains, domains_en = ("、代码表", ", coded values") if has else ("（代码表见数据字典）", " (codes are in the dictionary)")
    lines += ["", *(_ABOUT[name].format(domains=domains, domains_en=domains_en) for name in formats), "dictionary.xlsx         数据字典 / data dictionary", ""]
    lines += [f"{layer.name} {layer.title}: {layer.count}" for layer in layers]
    return "\r\n".join(lines) + "\r\n"


def _pack(build: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for file in sorted(build.rglob("*")):
            # GDAL lays its notes of a file that it has read beside it; the file holds them itself.
            if file.is_file() and not file.name.endswith(".aux.xml"):
                archive.write(file, file.relative_to(build).as_posix())


# ---------------------------------------------------------------- one layer in one format
@contextmanager
def _quiet() -> Any:
    """GDAL warns of what README.txt says: whole numbers become doubles, long texts are cut."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def _pour(source: Path, layer: Layer, target: Path, driver: str, *, sql: str | None = None, **options: Any) -> None:
    """One layer of the GeoPackage into another file, batch by batch."""
    from pyogrio import raw

    chosen: dict[str, Any] = {"layer": layer.name} if sql is None else {"sql": sql}
    target.parent.mkdir(exist_ok=True)
    with _quiet(), raw.open_arrow(source, use_pyarrow=False, batch_size=_BATCH, **chosen) as (meta, stream):
        raw.write_arrow(
            stream,
            target,
            layer=layer.name,
            driver=driver,
            geometry_name=meta["geometry_name"] or "geom",
            geometry_type="MultiPolygon" if layer.geometry == "Polygon" else "Point",
            **({"crs": meta["crs"]} | options),
        )


def _file_geodatabase(build: Path, source: Path, layer: Layer) -> None:
    target = build / f"{_NAME}.gdb"
    _pour(
        source, layer, target, "OpenFileGDB", append=target.exists(),
        layer_options={"LAYER_ALIAS": layer.title, "TIME_IN_UTC": "YES"},
    )


def _flatgeobuf(build: Path, source: Path, layer: Layer) -> None:
    with closing(sqlite3.connect(source)) as database:
        nowhere = database.execute(f'SELECT 1 FROM "{layer.name}" WHERE geom IS NULL LIMIT 1').fetchone()
    # Its spatial index takes no feature without a place.
    chosen = {"TITLE": layer.title, "SPATIAL_INDEX": "YES" if nowhere is None else "NO"}
    _pour(source, layer, build / "flatgeobuf" / f"{layer.name}.fgb", "FlatGeobuf", layer_options=chosen)


def _kml(build: Path, source: Path, layer: Layer) -> None:
    """The columns go by their titles, which is all that a reader of KML shows; a place is called by its name."""
    called = next((one for one in _CALLED if any(column.name == one for column in layer.columns)), layer.columns[0].name)
    columns = "".join(f", {_as(layer, column, title)}" for column, title in distinct_titles(layer.columns))
    sql = f'SELECT geom, "{called}" AS "Name"{columns} FROM "{layer.name}"'
    _pour(source, layer, build / "kml" / f"{layer.name}.kml", "LIBKML", sql=sql)


def _as(layer: Layer, column: Column, title: str) -> str:
    quoted = title.replace('"', '""')
    # A day or an instant would be read as the time of the place.
    told = f'CAST("{column.name}" AS TEXT)' if column.kind in {"date", "datetime"} else f'"{column.name}"'
    return f'{told} AS "{quoted}"'


def _shapefile(build: Path, source: Path, layer: Layer) -> None:
    names = short_names([column.name for column in layer.columns])
    # A DBF holds days, not instants: those are texts.
    columns = "".join(
        f', CAST("{column.name}" AS TEXT) AS "{names[column.name]}"' if column.kind == "datetime"
        else f', "{column.name}" AS "{names[column.name]}"'
        for column in layer.columns
    )  # fmt: skip
    sql = f'SELECT geom{columns} FROM "{layer.name}"'
    target = build / "shapefile" / f"{layer.name}.shp"
    _pour(source, layer, target, "ESRI Shapefile", sql=sql, layer_options={"ENCODING": "UTF-8"})


def _tiles(build: Path, source: Path, layer: Layer) -> None:
    if layer.name in TILED and layer.count:
        levels = {"NAME": layer.title, "MINZOOM": "8", "MAXZOOM": "15"}
        _pour(source, layer, build / "tiles" / f"{layer.name}.pmtiles", "PMTiles", dataset_options=levels)


def _geoparquet(build: Path, source: Path, layer: Layer) -> None:
    import json

    import pyarrow as arrow  # type: ignore[import-not-found]
    import pyarrow.parquet as parquet  # type: ignore[import-not-found]
    import pyproj
    from pyogrio import raw

    target = build / "geoparquet" / f"{layer.name}.parquet"
    target.parent.mkdir(exist_ok=True)
    with raw.open_arrow(source, layer=layer.name, use_pyarrow=False, batch_size=_BATCH) as (meta, stream):
        reader = arrow.RecordBatchReader.from_stream(stream)
        name = meta["geometry_name"] or "wkb_geometry"
        kind = "MultiPolygon" if layer.geometry == "Polygon" else "Point"
        column = {"encoding": "WKB", "geometry_types": [kind], "crs": pyproj.CRS(meta["crs"]).to_json_dict()}
        about = {"version": "1.1.0", "primary_column": name, "columns": {name: column}}
        schema = reader.schema.with_metadata({"geo": json.dumps(about)})
        with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(arrow.RecordBatch.from_arrays(batch.columns, schema=schema))


def _geojson(build: Path, layers: Sequence[Layer], pieces: Pieces) -> None:
    folder = build / "geojson"
    folder.mkdir()
    for layer in layers:
        with (folder / f"{layer.name}.geojson").open("wb") as target:
            for piece in pieces(layer):
                target.write(piece)


def _write_short_names(path: Path, layers: Sequence[Layer]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["图层", "Shapefile 字段", "字段", "名称"])
        for layer in layers:
            names = short_names([column.name for column in layer.columns])
            writer.writerows([layer.name, names[column.name], column.name, column.title] for column in layer.columns)


_WRITERS: dict[str, Callable[[Path, Path, Layer], None]] = {
    "filegdb": _file_geodatabase,
    "flatgeobuf": _flatgeobuf,
    "kml": _kml,
    "shapefile": _shapefile,
    "pmtiles": _tiles,
    "geoparquet": _geoparquet,
}
