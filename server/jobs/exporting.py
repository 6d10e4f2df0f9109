"""Making an export: layers in, one finished file out; a file appears under its name only when it is whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import orjson
import shapely

from geo.cell import DEDICATED_LAYER
from geo.geojson_out import DATUM_NOTE, feature_collection, geometry_to_geojson
from geo.snap import snap_degrees
from server.house import House
from server.jobs.geopackage import write_geopackage
from server.jobs.package import write_package
from server.jobs.progress import Progress
from server.jobs.projected import project_geopackage, zone_over
from server.jobs.projected import told as zone_told
from server.permissions import Actor, Scope
from server.services import audit
from server.services.accounts import today
from server.services.audit import Look
from server.services.baseline import baseline
from server.services.cell_layers import cell_layer, dedicated_layer, figure_layer
from server.services.exports import KEPT_DAYS, KIND, PACKAGE, communities_of, folder, scope_from
from server.services.figures import figures
from server.services.layers import DEDICATED, Feature, Layer, record_layer, stacked
from server.services.tables import CSV_MEDIA, XLSX_MEDIA, Column, Sheet, Value, csv_chunks, write_xlsx
from server.store import assignments as places
from server.store import exports as store
from server.store import jobs
from server.store.database import read, stamp, write
from server.store.jobs import Job

ZIP_MEDIA = "application/zip"
_ABANDONED = timedelta(days=1)
_POINT = (Column("lon", "经度", "decimal"), Column("lat", "纬度", "decimal"))

_MOST_POINTS = 10_000  # that are remembered from batch to batch

Told = Callable[[int], None]
Writer = Callable[[Path, Sequence[Layer], Mapping[str, str], Told], int]


def export(house: House, job: Job, progress: Progress) -> dict[str, Any]:
    """Run one export job; see `services.exports.request_export` for its arguments."""
    asked = job.arguments
    scope = scope_from(asked["scope"])
    communities = communities_of(job)
    with read(house.engine) as connection:
        grounds = {one.community_id: one for one in places.communities(connection)}
        parts = [_layers(house, connection, scope, one, asked) for one in communities]
        if asked["format"] == PACKAGE or len(parts) > 1:
            layers = [
                stacked([(grounds[one].code, grounds[one].name) for one in communities], same)
                for same in zip(*parts, strict=True)
            ]
        else:
            layers = parts[0]
        progress.expect(sum(layer.count for layer in layers))
        zone = zone_over(_outlines_of(connection, communities)) if asked.get("projected") else None
        notes = _notes(house, connection, job) | ({} if zone is None else {"projection": zone_told(zone)})
        part = folder(house) / f"{job.job_id}.{job.attempt}.part"
        part.unlink(missing_ok=True)
        if asked["format"] == PACKAGE:
            suffix, media = "zip", ZIP_MEDIA
            write_package(
                part, layers, notes, progress.advance, formats=asked["formats"], registry=house.registry,
                geojson=lambda layer: _geojson(layer, notes, lambda _count: None), zone=zone,
            )  # fmt: skip
        else:
            suffix, media, writer = _WRITERS[asked["format"]]
            if len(layers) > 1 and asked["format"] in {"geojson", "csv"}:
                suffix, media = "zip", ZIP_MEDIA
            writer(part, layers, notes, progress.advance)
            if zone is not None:
                project_geopackage(part, zone)
        counts = [sum(layer.count for layer in one if layer.personal_fields) for one in parts]
    for one, count, kept in zip(communities, counts, parts, strict=True):
        _note(house, job, one, [name for layer in kept for name in layer.personal_fields], count)
    return _finished(house, job, part, suffix, media)


def _layers(house: House, connection: Any, scope: Scope, community_id: str, asked: Mapping[str, Any]) -> list[Layer]:
    """The layers of one community."""
    shapes = store.cell_shapes(connection, community_id, asked["homes"])
    cells = store.cell_names(connection, community_id)
    made = []
    for name in asked["layers"]:
        if name == "cells":
            made.append(cell_layer(shapes, baseline(house, scope, community_id)))
        elif name == DEDICATED:
            special = store.cell_shapes(connection, community_id, layer=DEDICATED_LAYER)
            made.append(dedicated_layer(special if asked["homes"] is None else _over(special, shapes)))
        elif name == "figures":
            made.append(figure_layer(shapes, figures(house, community_id)))
        else:
            made.append(
                record_layer(
                    connection, house.registry, scope, community_id, name,
                    personal=asked["personal"], homes=asked["homes"], cells=cells,
                )
            )  # fmt: skip
    return made


def _over(special: Sequence[store.CellShape], shapes: Sequence[store.CellShape]) -> list[store.CellShape]:
    """Those dedicated cells that share ground with one of the cells."""
    ground = shapely.union_all(shapely.from_wkb([one.geometry for one in shapes]))
    return [one for one in special if shapely.area(shapely.intersection(shapely.from_wkb(one.geometry), ground)) > 0]


def _outlines_of(connection: Any, communities: Sequence[str]) -> list[bytes]:
    return [one.geometry for community_id in communities for one in store.cell_shapes(connection, community_id)]


def _notes(house: House, connection: Any, job: Job) -> dict[str, str]:
    communities = communities_of(job)
    editions = [shapes[0].edition_number for one in communities if (shapes := store.cell_shapes(connection, one))]
    return {
        "as_of": stamp(house.clock()),
        "community_id": ",".join(communities),
        "area": job.arguments.get("area") or "",
        "edition": ",".join(map(str, editions)),
        "cell": job.arguments["cell"] or "",
        "personal": "yes" if job.arguments["personal"] else "no",
        "purpose": job.arguments["purpose"],
        "datum": DATUM_NOTE,
    }


def _note(house: House, job: Job, community_id: str, fields: list[str], count: int) -> None:
    """What was taken out in the end, into the audit log, before anybody can fetch it."""
    if not fields:
        return
    who = job.arguments["actor"]
    actor = Actor(who["user_id"], who["role"], who["community_id"])
    look = Look(actor, "export", job.arguments["purpose"], job.arguments["request_id"])
    audit.note(
        house, look, scope=f"export={job.job_id} {scope_from(job.arguments['scope']).describe()}",
        community_id=community_id, fields=fields, count=count,
    )  # fmt: skip


def _finished(house: House, job: Job, part: Path, suffix: str, media: str) -> dict[str, Any]:
    os.chmod(part, 0o600)
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    name = f"{job.job_id}.{suffix}"
    size = part.stat().st_size
    os.replace(part, folder(house) / name)
    return {
        "file": name,
        "name": f"dishu-{_called(job)}-{today(house)}.{suffix}",
        "media_type": media,
        "size": size,
        "sha256": digest,
        "expires_at": stamp(house.clock() + timedelta(days=KEPT_DAYS)),
    }


def _called(job: Job) -> str:
    if job.arguments["format"] == PACKAGE:
        return f"package-{job.arguments['area'] or job.arguments['cell'] or job.community_id[:12]}"
    return "-".join(job.arguments["layers"][:3])


# ---------------------------------------------------------------- GeoJSON
def _geojson(layer: Layer, notes: Mapping[str, str], told: Told) -> Iterator[bytes]:
    members: dict[str, Any] = {name: value for name, value in notes.items() if name != "datum"}
    members |= {"name": layer.name, "title": layer.title}
    members["field_titles"] = {column.name: column.title for column in layer.columns}
    # The frame is geo's, the features between its two pieces are written here: there may be millions of them.
    head, tail = feature_collection((), members=members)
    yield head.encode()
    names = [column.name for column in layer.columns]
    begin = b"\n"
    points = _Points()
    batches: Iterable[Sequence[bytes]]
    if layer.texts is not None:
        batches = layer.texts(points)
    else:
        batches = (_features(names, batch, points) for batch in layer.batches())
    for batch in batches:
        yield begin
        yield b",".join(batch)
        begin = b",\n"
        told(len(batch))
    yield tail.encode()


class _Points(dict[tuple[float | None, float | None], bytes]):
    """Points as JSON; many stand on one, which is made once."""

    def __missing__(self, at: tuple[float | None, float | None]) -> bytes:
        lon, lat = at
        if lon is None or lat is None:
            return b"null"
        if len(self) > _MOST_POINTS:
            self.clear()
        made = self[at] = orjson.dumps({"type": "Point", "coordinates": (snap_degrees(lon), snap_degrees(lat))})
        return made


def _features(names: Sequence[str], batch: Sequence[Feature], points: _Points) -> list[bytes]:
    """Each feature as text."""
    made = []
    for feature_id, values, lon, lat, outline, named in batch:
        if outline is not None:
            geometry: Any = geometry_to_geojson(shapely.from_wkb(outline))
        else:
            geometry = orjson.Fragment(points[lon, lat])
        properties = named or dict(zip(names, values))  # noqa: B905  as many as columns, by the layer
        made.append(orjson.dumps({"type": "Feature", "id": feature_id, "geometry": geometry, "properties": properties}))
    return made


# ---------------------------------------------------------------- tables
def _sheet(layer: Layer, told: Told) -> Sheet:
    points = layer.geometry == "Point"

    def rows() -> Iterator[tuple[Value, ...]]:
        for batch in layer.batches():
            for feature in batch:
                yield (*feature.values, feature.lon, feature.lat) if points else feature.values
            told(len(batch))

    return Sheet(layer.title, (*layer.columns, *(_POINT if points else ())), rows())


def _write_csv(path: Path, layers: Sequence[Layer], notes: Mapping[str, str], told: Told) -> int:
    return _write_pieces(path, layers, "csv", notes, lambda layer: csv_chunks(_sheet(layer, told)))


def _write_geojson(path: Path, layers: Sequence[Layer], notes: Mapping[str, str], told: Told) -> int:
    return _write_pieces(path, layers, "geojson", notes, lambda layer: _geojson(layer, notes, told))


def _write_pieces(
    path: Path,
    layers: Sequence[Layer],
    suffix: str,
    notes: Mapping[str, str],
    pieces: Callable[[Layer], Iterable[bytes]],
) -> int:
    """One layer: the file itself; several: one file for each in a ZIP, with a note."""
    if len(layers) == 1:
        with _private(path) as target:
            for piece in pieces(layers[0]):
                target.write(piece)
    else:
        with _private(path) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for layer in layers:
                with archive.open(f"{layer.name}.{suffix}", "w", force_zip64=True) as member:
                    for piece in pieces(layer):
                        member.write(piece)
            archive.writestr("README.txt", "".join(f"{name}: {value}\n" for name, value in notes.items()))
    return sum(layer.count for layer in layers)


def _write_xlsx(path: Path, layers: Sequence[Layer], notes: Mapping[str, str], told: Told) -> int:
    about = Sheet("说明", [Column("name", "项目"), Column("value", "内容")], list(notes.items()))
    with _private(path) as target:
        return write_xlsx(target, [*(_sheet(layer, told) for layer in layers), about]) - len(notes)


def _write_gpkg(path: Path, layers: Sequence[Layer], notes: Mapping[str, str], told: Told) -> int:
    # GDAL chooses how to open a file by its ending.
    made = path.with_suffix(".gpkg")
    made.unlink(missing_ok=True)
    count = write_geopackage(made, layers, notes, told)
    os.replace(made, path)
    return count


@contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w+b") as target:
        yield target


_WRITERS: dict[str, tuple[str, str, Writer]] = {
    "geojson": ("geojson", "application/geo+json", _write_geojson),
    "geopackage": ("gpkg", "application/geopackage+sqlite3", _write_gpkg),
    "csv": ("csv", CSV_MEDIA, _write_csv),
    "xlsx": ("xlsx", XLSX_MEDIA, _write_xlsx),
}


# ---------------------------------------------------------------- sweeping
def sweep_files(house: House) -> None:
    """Remove finished files after their days, and what interrupted attempts have left."""
    now = house.clock()
    with read(house.engine) as connection:
        old = jobs.ended_before(connection, KIND, now - timedelta(days=KEPT_DAYS))
    for job in old:
        if job.result is None or job.result.get("removed"):
            continue
        (folder(house) / job.result["file"]).unlink(missing_ok=True)
        with write(house.engine) as connection:
            jobs.mark_removed(connection, job)
    for path in folder(house).iterdir():
        age = timedelta(seconds=now.timestamp() - path.stat().st_mtime)
        unfinished = path.name.count(".") > 1
        # A finished file that no job answers for goes too, a day after it would have gone anyway.
        if age > (_ABANDONED if unfinished else timedelta(days=KEPT_DAYS) + _ABANDONED):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
