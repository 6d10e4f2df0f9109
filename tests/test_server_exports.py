from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import sqlite3
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta

import openpyxl
import pyogrio
import pytest
from conftest import required_program
from front_door import COMMUNITY, NEIGHBOUR, problem
from records_kit import CODE_A, ZHANG_NUMBER, office_with_records
from sqlalchemy import select

from server.jobs.worker import Worker
from server.models import audit
from server.store.database import read

PLACES = ["cells", "estates", "buildings", "entrances", "dwellings", "organizations", "resources"]
PERSONAL = ["households", "persons", "party_members"]


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def exported(office, role="secretary", **asked):
    """Ask, let a worker run, fetch: (job, file answer)."""
    person = office.signed_in(role)
    answer = person.post("/api/v1/exports", json={"format": "geojson", "layers": PLACES} | asked)
    assert answer.status_code == 202, answer.data
    Worker(office.house).run_all()
    job = person.get(answer.headers["Location"]).json
    assert job["state"] == "done", job
    return job, person.get(job["file"]["href"])


def saved(answer, path):
    path.write_bytes(answer.data)
    return path


def test_geojson_holds_every_layer(office):
    """Several layers come as a ZIP of RFC 7946 files: codes are text with their labels, points come from the place."""
    job, answer = exported(office)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        files = {name: json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".geojson")}
    assert {name.removesuffix(".geojson") for name in files} == set(PLACES)
    assert sum(len(one["features"]) for one in files.values()) == job["total"] == job["done"] == 11
    cells = files["cells.geojson"]
    assert "crs" not in cells and "CGCS2000" in cells["datum_note"]
    assert cells["features"][0]["properties"]["code"] == CODE_A
    assert cells["features"][0]["properties"]["person_count"] == 3
    dwelling = next(one for one in files["dwellings.geojson"]["features"] if one["properties"]["door_number"] == "201")
    assert dwelling["geometry"] == {"type": "Point", "coordinates": [120.6041, 31.3041]}
    assert dwelling["properties"]["place_source"] == "entrance"
    assert (dwelling["properties"]["use"], dwelling["properties"]["use_label"]) == ("home", "住宅")
    assert "owner_text" not in dwelling["properties"]


def test_one_layer_is_one_file(office, tmp_path, clock):
    """A single layer is a plain GeoJSON file that another program reads whole; its name says the day that it is in the communities."""
    clock.now = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
    job, answer = exported(office, layers=["cells"])
    assert job["file"]["name"].endswith("-2026-03-03.geojson")
    assert job["file"]["media_type"] == "application/geo+json"
    info = pyogrio.read_info(saved(answer, tmp_path / "cells.geojson"))
    assert (info["features"], info["geometry_type"]) == (2, "Polygon")


def test_a_geopackage_is_whole_and_described(office, tmp_path):
    """The GeoPackage has every layer with Chinese titles and code lists, and opens without side files."""
    _, answer = exported(office, format="geopackage", layers=PLACES + PERSONAL, personal=True, purpose="核对")
    path = saved(answer, tmp_path / "all.gpkg")
    layers = dict(pyogrio.list_layers(path))
    assert set(PLACES + PERSONAL) <= set(layers)
    assert (layers["cells"], layers["persons"]) == ("MultiPolygon", "Point")
    counts = {name: pyogrio.read_info(path, layer=name)["features"] for name in PLACES + PERSONAL}
    assert counts == {"cells": 2, "estates": 1, "buildings": 2, "entrances": 1, "dwellings": 3, "organizations": 1,
                      "resources": 1, "households": 2, "persons": 5, "party_members": 2}  # fmt: skip
    assert pyogrio.read_info(path, layer="persons")["crs"] == "EPSG:4490"
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    titles = dict(database.execute("SELECT column_name, title FROM gpkg_data_columns WHERE table_name = 'persons'"))
    assert titles["name"] == "姓名"
    codes = dict(
        database.execute(
            "SELECT value, description FROM gpkg_data_column_constraints WHERE constraint_name = 'persons_sex'"
        )
    )
    assert codes["1"] == "男"
    rows = dict(database.execute("SELECT name, document_number FROM persons"))
    assert rows["张三"] == f"****{ZHANG_NUMBER[-4:]}"
    assert dict(database.execute("SELECT name, value FROM dishu_notes"))["purpose"] == "核对"
    floors = dict(database.execute("SELECT door_number, floor_number FROM dwellings"))
    assert floors == {"201": 2, "1001": None, "1002": None}
    assert database.execute("SELECT geom IS NULL FROM party_members WHERE name = '周七'").fetchone() == (1,)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    assert not list(tmp_path.glob("all.gpkg-*"))


@pytest.mark.parametrize(("kind", "suffix"), [("geopackage", "gpkg"), ("geojson", "geojson")])
def test_another_program_counts_the_same(office, tmp_path, ogrinfo, kind, suffix):
    """GDAL's own tool reopens the exported file and counts what the database counts."""
    _, answer = exported(office, format=kind, layers=["buildings"])
    path = saved(answer, tmp_path / f"buildings.{suffix}")
    said = subprocess.run([ogrinfo, "-ro", "-so", "-al", path], capture_output=True, text=True, check=True)
    assert "Feature Count: 2" in said.stdout
    assert "Geometry: Point" in said.stdout
    other = tmp_path / "again.csv"
    subprocess.run([required_program("ogr2ogr"), "-f", "CSV", other, path, "-lco", "GEOMETRY=AS_XY"], check=True)
    rows = list(csv.DictReader(other.open(encoding="utf-8")))
    assert {row["number"] for row in rows} == {"2", "10"}
    assert {row["cell_code"][-1] for row in rows} == {"1", "2"}


def test_csv_and_xlsx_have_the_same_rows(office):
    """Tables hold codes as text, the point in two columns, and nothing that a spreadsheet would run."""
    _, answer = exported(office, format="csv", layers=["dwellings"], personal=True, purpose="核对")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert {row["门牌号"] for row in rows} == {"201", "1001", "1002"}
    assert {row["产权人"] for row in rows} == {"", "'=cmd|'/c calc'!A1"}
    assert all(row["网格编码"].startswith("999999001001") for row in rows)
    _, answer = exported(office, format="xlsx", layers=["dwellings", "cells"])
    book = openpyxl.load_workbook(io.BytesIO(answer.data))
    assert book.sheetnames == ["房屋", "网格", "说明"]
    assert book["房屋"].max_row == 4
    assert book["网格"]["B2"].value == CODE_A and book["网格"]["B2"].data_type == "s"


def test_one_cell_alone(office):
    """An export of one cell holds that cell and its records only."""
    _, answer = exported(office, layers=["cells", "dwellings"], cell=CODE_A)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        counts = {
            name: len(json.loads(archive.read(name))["features"])
            for name in archive.namelist()
            if name.endswith("json")
        }
    assert counts == {"cells.geojson": 1, "dwellings.geojson": 1}


def test_planners_get_places_and_figures(office):
    """A planner exports places without personal fields; persons, households and personal fields are refused."""
    job, answer = exported(office, role="planner", format="csv", layers=["resources"])
    header = answer.data.decode("utf-8-sig").splitlines()[0]
    assert "数量" in header and "联系人" not in header
    planner = office.signed_in("planner")
    for asked in ({"layers": ["persons"]}, {"layers": ["households"]}, {"layers": ["dwellings"], "personal": True}):
        answer = planner.post("/api/v1/exports", json={"format": "csv"} | asked)
        assert problem(answer) == (403, "outside-your-scope")
    assert problem(
        office.signed_in("grid_worker").post("/api/v1/exports", json={"format": "csv", "layers": ["cells"]})
    ) == (403, "outside-your-scope")
    assert problem(office.signed_in("secretary").get(f"/api/v1/exports/{job['job_id']}")) == (404, "not-found")
    other = {"format": "csv", "layers": ["cells"], "community": NEIGHBOUR}
    assert problem(planner.post("/api/v1/exports", json=other)) == (403, "outside-your-scope")


def test_a_wrong_request_names_every_place(office):
    """An unknown format, an unknown layer and an unknown cell are clear problems, and no job is queued."""
    person = office.signed_in("secretary")
    answer = person.post("/api/v1/exports", json={"format": "dxf", "layers": ["cells", "ghosts"]})
    assert problem(answer) == (422, "invalid-input")
    assert [error["pointer"] for error in answer.json["errors"]] == ["/format", "/layers/1"]
    assert problem(person.post("/api/v1/exports", json={"format": "csv", "layers": ["cells"], "cell": "9"})) == (
        404,
        "not-found",
    )
    assert person.get("/api/v1/exports").json == {"exports": []}


def test_a_broken_download_goes_on_where_it_stopped(office):
    """Range requests give the rest of the file; the ETag is its SHA-256, and a changed file starts anew."""
    job, whole = exported(office, format="geopackage", layers=["cells", "buildings"])
    assert hashlib.sha256(whole.data).hexdigest() == job["file"]["sha256"]
    assert whole.headers["ETag"] == f'"{job["file"]["sha256"]}"'
    assert len(whole.data) == job["file"]["size"]
    person = office.signed_in("secretary")
    part = person.get(job["file"]["href"], headers={"Range": "bytes=1000-", "If-Range": whole.headers["ETag"]})
    assert part.status_code == 206
    assert whole.data[:1000] + part.data == whole.data
    anew = person.get(job["file"]["href"], headers={"Range": "bytes=1000-", "If-Range": '"another"'})
    assert (anew.status_code, anew.data) == (200, whole.data)
    same = person.get(job["file"]["href"], headers={"If-None-Match": whole.headers["ETag"]})
    assert same.status_code == 304


def test_personal_exports_are_accountable(office):
    """Asking, making and fetching a personal file each leave a line; the file is readable by its owner alone."""
    job, _ = exported(office, format="csv", layers=["persons"], personal=True, purpose="人口核对")
    with read(office.house.engine) as connection:
        lines = connection.execute(select(audit).where(audit.c.action == "export").order_by(audit.c.audit_id)).all()
    assert [line.scope.split()[0] for line in lines] == [
        f"export={job['job_id']}",
        f"export={job['job_id']}",
        f"download={job['job_id']}",
    ]
    assert all("person.name" in line.fields for line in lines)
    assert {line.purpose for line in lines[:2]} == {"人口核对"}
    assert lines[1].count == 5
    folder = office.house.settings.data_dir / "exports"
    (path,) = folder.iterdir()
    assert oct(path.stat().st_mode)[-3:] == "600"
    assert oct(folder.stat().st_mode)[-3:] == "700"


def test_old_files_are_removed(office, clock):
    """After a week the file is gone and the job says so; leftovers of interrupted attempts go too."""
    job, _ = exported(office, format="csv", layers=["persons"], personal=True)
    folder = office.house.settings.data_dir / "exports"
    leftover = folder / "somebody.1.part"
    leftover.write_bytes(b"half")
    ago = (clock() - timedelta(days=2)).timestamp()
    os.utime(leftover, (ago, ago))
    worker = Worker(office.house)
    worker.sweep(now=True)
    assert not leftover.exists() and len(list(folder.iterdir())) == 1
    clock.advance(days=8)
    worker.sweep(now=True)
    assert list(folder.iterdir()) == []
    person = office.signed_in("secretary")
    assert person.get(f"/api/v1/exports/{job['job_id']}").json["file"]["removed"] is True
    assert problem(person.get(job["file"]["href"])) == (404, "not-found")
    assert person.get(f"/api/v1/exports/{job['job_id']}").json["community_id"] == COMMUNITY
