"""Designing cells and asking who reaches what, through the office and the command line."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pyogrio.raw
import pytest
import shapely
from cells_kit import cell, collection, path_of, populate_ground
from click.testing import CliRunner
from front_door import COMMUNITY, NEIGHBOUR, open_office, problem
from records_kit import actor_of, point
from sqlalchemy import text

from server.cli import main
from server.house import uuid7
from server.permissions import Scope
from server.services import cell_design, placement, reach
from server.services.push import accept_user_operation
from server.store import ground
from server.store.database import read, write

KEY = b"a made-up key of thirty-two bytes".hex()


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    with write(found.house.engine) as connection:
        connection.execute(
            text("UPDATE community SET boundary = :wkb WHERE community_id = :id"),
            {"wkb": shapely.to_wkb(shapely.box(120.6, 31.3, 120.62, 31.31)), "id": COMMUNITY},
        )
    settle(found)
    yield found
    found.house.engine.dispose()


def adder(office):
    """Creates one record as the secretary; its id."""
    secretary = actor_of(office, "secretary")

    def add(kind, values):
        record_id = uuid7()
        result = accept_user_operation(office.house, secretary, {"kind": "create", "type": kind, "id": record_id, "set": values})
        assert result["now"]["outcome"] == "applied", result
        return record_id

    return add


def settle(office):
    """A row of twelve buildings, each with a few homes."""
    add = adder(office)
    for number in range(8):
        house = add("building", {"number": f"{20 + number}", "anchor": point(120.6012 + number * 0.0024, 31.306)})
        for door in range(1 + number % 3):
            dwelling = add("dwelling", {"building": house, "door_number": str(door), "expected": True})
            add("household", {"dwelling": dwelling, "kind": "family"})
    add("resource", {"name": "卫生站", "kind": "place", "category": "clinic", "anchor": point(120.6012, 31.3062)})


@pytest.fixture
def secretary(office):
    return office.signed_in("secretary")


def test_a_division_is_proposed_shown_and_kept_as_a_draft(secretary):
    """Balanced by the households on record, with each cell's difference, ready to be edited and published."""
    answer = secretary.post(f"{path_of()}/propose", {"cells": 3})
    assert answer.status_code == 201, answer.data
    made = answer.json
    assert made["certificate"]["ok"], made["certificate"]["problems"]
    assert len(made["cells"]["features"]) == 3 and made["balance"]["total"] == 17
    assert all(abs(one["deviation_of_mean"]) < 0.5 for one in made["balance"]["cells"])
    told = secretary.get(f"{path_of()}/{made['edition_id']}/balance").json
    assert {one["code"]: one["households"] for one in told["cells"]} == {one["code"]: one["households"] for one in made["balance"]["cells"]}
    outline = shapely.box(120.6, 31.3055, 120.62, 31.3065)
    drawn = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"number": "长楼"}, "geometry": json.loads(shapely.to_geojson(outline))}]}  # fmt: skip
    cut = secretary.post(f"{path_of()}/{made['edition_id']}/balance", {"buildings": drawn, "datum": "cgcs2000"}).json
    assert len(cut["cut_buildings"]) == 1 and "长楼" in cut["cut_buildings"][0]["zh"]
    assert secretary.post(f"{path_of()}/{made['edition_id']}/publish").status_code == 200
    assert secretary.post(f"{path_of()}/propose", {"cells": 2, "keep": False}).json["edition_id"] is None


@pytest.mark.parametrize(
    ("own", "doors", "held"),
    [
        (None, {(120.60105, 31.30098): 3}, [3, 0]),  # two metres south of the wall
        ((120.6011, 31.3011), {(120.6011, 31.3005): 3}, [3, 0]),  # the gate of the yard, but the building itself is there
        ((120.6011, 31.3011), {(120.6031, 31.3011): 3}, [3, 0]),  # the entrance of another block: the building decides
        (None, {(120.6011, 31.3011): 1, (120.6031, 31.3011): 2}, [0, 3]),  # several doors: the one of most households
        (None, {(120.6011, 31.3005): 3}, [0, 0, 3]),  # nothing near: a building of its own
    ],
)
def test_an_outline_has_the_households_of_the_building_whose_door_is_before_it(own, doors, held):
    """Doors are measured on the step, in the yard or at the gate: the outline has the households all the same, and each counts once."""
    drawn = [(str(at), shapely.box(120.601 + at * 0.002, 31.301, 120.6015 + at * 0.002, 31.3012)) for at in range(2)]
    spots = [ground.Spot("b", "cell/a", lon, lat, number) for (lon, lat), number in doors.items()]
    found = cell_design.with_households({"b": "{}"}, {"b": own} if own else {}, [], spots, drawn)
    assert [one.households for one in found] == held


def test_what_cannot_be_divided_is_said(office, secretary):
    """More cells than buildings, or no boundary: a reason, no draft."""
    answer = secretary.post(f"{path_of()}/propose", {"cells": 300})
    assert problem(answer) == (422, "invalid-input") and answer.json["errors"][0]["pointer"] == "/cells"
    assert problem(secretary.post(f"{path_of()}/propose", {"lines": {"type": "nothing"}})) == (422, "invalid-input")
    with write(office.house.engine) as connection:
        connection.execute(text("UPDATE community SET boundary = NULL"))
    assert secretary.post(f"{path_of()}/propose", {}).json["errors"][0]["code"] == "no_boundary"
    assert problem(office.signed_in("planner").post(f"{path_of()}/propose", {})) == (403, "outside-your-scope")


def test_who_reaches_the_clinic_in_fifteen_minutes(office, secretary):
    """Dwellings per cell within the walk, the nearest place of every building, and who is left without."""
    path = f"/api/v1/communities/{COMMUNITY}/coverage"
    answer = secretary.get(f"{path}?category=clinic&minutes=5")
    assert answer.status_code == 200, answer.data
    [clinic] = answer.json["categories"]
    assert clinic["label"] == "卫生站" and clinic["places"] == 1
    west, east = clinic["cells"][:2]
    assert west["within"] > 0 and east["within"] == 0 and clinic["total"]["within"] == west["within"]
    assert sum(one["dwellings"] for one in clinic["cells"]) == clinic["total"]["dwellings"]
    assert clinic["total"]["without"] == clinic["total"]["dwellings"] - clinic["total"]["within"]
    first, last = clinic["buildings"][0], clinic["buildings"][-1]
    assert not first["within"] and first["metres"] > 1000 and last["within"] and last["nearest"]["name"] == "卫生站"
    assert secretary.get(f"{path}?category=shelter").json["categories"][0]["buildings"][0]["nearest"] is None
    roads = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": [[120.6, 31.306], [120.62, 31.306]]}}]}  # fmt: skip
    along = secretary.post(path, {"categories": ["clinic"], "minutes": 5, "roads": roads, "datum": "cgcs2000"}).json
    assert along["by"] == "roads" and along["categories"][0]["total"]["within"] >= clinic["total"]["within"]
    assert office.signed_in("planner").get(f"{path}?category=clinic").status_code == 200
    assert problem(office.signed_in("grid_worker").get(path)) == (403, "outside-your-scope")
    typo = secretary.get(f"{path}?category=clinic,clinics")
    assert typo.status_code == 422 and typo.json["errors"][0]["pointer"] == "/category/1"
    assert "clinics; known:" in typo.json["errors"][0]["message"] and " clinic," in typo.json["errors"][0]["message"]
    assert problem(secretary.get(f"{path}?minutes=0")) == (422, "invalid-input")
    assert problem(secretary.post(path, {"roads": {"features": 5}})) == (422, "invalid-input")


def test_households_without_the_neighbours_clinic_and_what_lies_nowhere(office, secretary, monkeypatch):
    """Households without are counted; a clinic across the border counts, what the neighbour keeps to itself does not; what has
    no location and what is not listed is said."""
    path = f"/api/v1/communities/{COMMUNITY}/coverage?category=clinic&minutes=5"
    [before] = secretary.get(path).json["categories"]
    neighbour = replace(actor_of(office, "secretary"), community_id=NEIGHBOUR)
    for name, kind, lon in (("邻里卫生站", "place", 120.6205), ("邻里急救车", "vehicle", 120.6181)):
        values = {"name": name, "kind": kind, "category": "clinic", "anchor": point(lon, 31.306)}
        made = accept_user_operation(office.house, neighbour, {"kind": "create", "type": "resource", "id": uuid7(), "set": values})
        assert made["now"]["outcome"] == "applied", made
    lost = accept_user_operation(office.house, actor_of(office, "secretary"), {
        "kind": "create", "type": "dwelling", "id": uuid7(), "set": {"door_number": "9", "expected": True}})  # fmt: skip
    assert lost["now"]["outcome"] == "applied", lost
    answer = secretary.get(path).json
    [clinic] = answer["categories"]
    assert (clinic["places"], clinic["places_beyond"], clinic["left_off"]) == (1, 1, 0)
    assert clinic["total"]["within"] > before["total"]["within"] and clinic["cells"][1]["within"] > 0
    near = {one["nearest"]["name"]: one["nearest"]["community"] for one in clinic["buildings"]}
    assert set(near) == {"卫生站", "邻里卫生站"} and near["卫生站"] is None and near["邻里卫生站"]
    assert answer["households"] == "counted" and answer["unlocated"] == {"dwellings": 1, "households": 0}
    without = sum(one["households"] for one in clinic["buildings"] if not one["within"])
    assert clinic["total"]["households_without"] == without == sum(one["households_without"] for one in clinic["cells"])
    assert clinic["total"]["households"] == sum(one["households"] for one in clinic["buildings"]) == 17
    [alone] = secretary.get(f"{path}&across=false").json["categories"]
    assert (alone["places_beyond"], alone["total"]["within"]) == (0, before["total"]["within"])
    planner = office.signed_in("planner").get(path).json
    [told] = planner["categories"]
    assert planner["households"] == "estimated" and planner["unlocated"] == {"dwellings": 1, "households": None}
    assert all(one["households"] is None for one in told["buildings"]) and told["total"]["without"] == clinic["total"]["without"]
    assert all(value is None or value % 5 == 0 for one in [*told["cells"], told["total"]] for value in (one["households"], one["households_without"]))
    monkeypatch.setattr(reach, "MOST_BUILDINGS", 3)
    [cut] = secretary.get(path).json["categories"]
    assert (len(cut["buildings"]), cut["left_off"]) == (3, len(clinic["buildings"]) - 3)


def test_dwellings_walk_from_their_entrance_and_count_where_they_are_placed(office, secretary):
    """A building across the border whose entrance is here is here; one that has no point but its entrance's counts as located; a pin decides
    the cell. The division weighs households at the entrance, too, and leaves no such building out."""
    add = adder(office)
    path = f"/api/v1/communities/{COMMUNITY}/coverage?category=clinic&minutes=5"
    [before] = secretary.get(path).json["categories"]
    far = add("building", {"number": "40", "anchor": point(120.6185, 31.306)})
    door = add("entrance", {"building": far, "number": "1", "anchor": point(120.6015, 31.306)})
    nowhere = add("building", {"number": "41"})
    gate = add("entrance", {"building": nowhere, "number": "1", "anchor": point(120.6016, 31.306)})
    for entrance in (door, gate):
        add("household", {"dwelling": add("dwelling", {"entrance": entrance, "door_number": "1", "expected": True}), "kind": "family"})
    answer = secretary.get(path).json
    [clinic] = answer["categories"]
    assert answer["unlocated"] == {"dwellings": 0, "households": 0}
    assert clinic["total"]["within"] == before["total"]["within"] + 2
    west, east = clinic["cells"]
    assert (west["dwellings"], east["dwellings"]) == (before["cells"][0]["dwellings"] + 2, before["cells"][1]["dwellings"])
    assert west["households"] == before["cells"][0]["households"] + 2
    shown = {one["building"]["number"]: one for one in clinic["buildings"]}
    assert shown["40"]["within"] and shown["41"]["within"] and shown["41"]["building"]["lon"] == 120.6016
    with write(office.house.engine) as connection:
        connection.execute(
            text("UPDATE record SET home = :home WHERE type IN ('dwelling', 'household') AND place_parent = :parent"),
            {"home": f"cell/{east['cell_id']}", "parent": door},
        )
    [pinned] = secretary.get(path).json["categories"]
    assert [one["dwellings"] for one in pinned["cells"]] == [west["dwellings"] - 1, east["dwellings"] + 1]
    assert pinned["cells"][1]["within"] == clinic["cells"][1]["within"] + 1
    made = secretary.post(f"{path_of()}/propose", {"cells": 2}).json
    assert made["balance"]["total"] == 19 and made["outside"] == []
    told = secretary.get(f"{path_of()}/{made['edition_id']}/balance").json
    assert {one["code"]: one["households"] for one in told["cells"]} == {one["code"]: one["households"] for one in made["balance"]["cells"]}


def test_households_count_in_the_cell_that_a_person_chose(office, secretary):
    """A pinned building counts where it stands: in the cells in force, in a draft where publishing would take it, and in a proposal; one
    that has no place but its pin is among them."""
    add = adder(office)
    west = add("building", {"number": "50", "anchor": point(120.605, 31.305)})
    nowhere = add("building", {"number": "51"})
    for building in (west, nowhere):
        result = placement.pin(
            office.house, actor_of(office, "secretary"), Scope((COMMUNITY,)), COMMUNITY, "building", building, cell="cell-b", reason="院门在东侧"
        )  # fmt: skip
        assert result["now"]["outcome"] == "applied"

    def counted(edition_id):
        told = secretary.get(f"{path_of()}/{edition_id}/balance").json
        return [one["households"] for one in told["cells"]], told["outside"]

    def drafted(*cells):
        return secretary.post(path_of() + "?datum=wgs84", collection(*cells)).json["edition_id"]

    present = next(one["edition_id"] for one in secretary.get(path_of()).json["editions"] if one["state"] == "published")
    (a, b), outside = counted(present)
    for building in (west, nowhere):
        add("household", {"dwelling": add("dwelling", {"building": building, "door_number": "1"}), "kind": "family"})
    assert counted(present) == ([a, b + 2], outside)
    same = drafted(cell(11, 120.6, 31.3, 120.61, 31.31, cell_id="x"), cell(12, 120.61, 31.3, 120.62, 31.31, cell_id="y"))
    assert counted(same) == ([a, b + 2], outside), "a pin goes along with its cell"
    parts = drafted(cell(11, 120.6, 31.3, 120.61, 31.31, cell_id="x"), cell(12, 120.61, 31.3, 120.614, 31.31, cell_id="p"), cell(13, 120.614, 31.3, 120.62, 31.31, cell_id="q"))
    told, beside = counted(parts)
    assert (sum(told), told[0], beside) == (a + b + 2, a + 1, outside), "divided: the point decides, else most of the ground"
    alike = drafted(cell(11, 120.6, 31.3, 120.61, 31.31, cell_id="x"), cell(11, 120.61, 31.3, 120.62, 31.31, cell_id="y"))
    assert counted(alike) == ([a + b + 2], outside), "nobody is lost between two cells of one code"
    made = secretary.post(f"{path_of()}/propose", {"cells": 2}).json
    assert [one["households"] for one in made["balance"]["cells"]] == counted(made["edition_id"])[0]
    assert made["balance"]["total"] == a + b + 2 and [one["properties"]["households"] for one in made["cells"]["features"]] == counted(made["edition_id"])[0]
    assert secretary.post(f"{path_of()}/{parts}/publish").status_code == 200
    assert counted(parts) == (told, beside), "as the draft said"


def test_tiles_tell_no_small_counts(office, secretary):
    """A heat map has the tiles of the whole community, each with what really stands in it; counts of people below the threshold are
    withheld, none at all is withheld, too, and places that are not there are told."""
    path = f"/api/v1/communities/{COMMUNITY}/lattice"
    with read(office.house.engine) as connection:
        spots = {"household": ground.household_spots(connection, COMMUNITY), "dwelling": ground.dwelling_spots(connection, COMMUNITY)}
    for kind, total in (("household", 17), ("dwelling", 18)):
        assert sum(one.number for one in spots[kind]) == total
        seen = set()
        for asked in ("shape=square&size_m=5000", "shape=square&size_m=400", "shape=hexagon&size_m=300"):
            tiles = secretary.get(f"{path}?{asked}&type={kind}&threshold=5").json["features"]
            held = [(one["properties"]["count"], shapely.from_geojson(json.dumps(one["geometry"]))) for one in tiles]
            stands = [sum(one.number for one in spots[kind] if shape.covers(shapely.Point(one.lon, one.lat))) for _, shape in held]
            assert sum(stands) == total, "each in one tile"
            for (count, _), number in zip(held, stands, strict=True):
                withheld = number < 5 and not (kind == "dwelling" and number == 0)
                assert count == (None if withheld else number), (asked, kind, number)
                seen.add((number > 0, withheld))
        assert seen == {(True, False), (True, True), (False, kind == "household")}
    fine = secretary.get(f"{path}?shape=hexagon&size_m=100").json
    assert len(fine["features"]) > 50 and {one["properties"]["count"] for one in fine["features"]} == {None}
    planner = office.signed_in("planner")
    assert problem(planner.get(path)) == (403, "outside-your-scope")
    assert planner.get(f"{path}?type=dwelling").status_code == 200
    for wrong in ("shape=circle", "size_m=0", "threshold=1", "type=visit", "size_m=x"):
        assert problem(secretary.get(f"{path}?{wrong}")) == (422, "invalid-input")


def test_the_command_line_proposes_and_asks(office, tmp_path):
    """The same without a browser: differences by cell, a file to edit, and the walk to the clinic."""
    url = office.house.engine.url.render_as_string(hide_password=False)
    environment = {"DISHU_DATA": str(tmp_path), "DISHU_DATABASE_URL": url, "DISHU_KEY": KEY, "DISHU_KEY_FILE": ""}

    def dishu(*words):
        answer = CliRunner(env=environment).invoke(main, [str(word) for word in words])
        assert answer.exit_code == 0, (answer.stdout, answer.stderr)
        return answer.stdout

    out = tmp_path / "proposed.geojson"
    said = dishu("cells", "propose", "--community", COMMUNITY, "--cells", 2, "--out", out, "--keep")
    assert said.count(" 户") == 2 and "draft" in said and len(json.loads(out.read_text("utf-8"))["features"]) == 2
    assert "diff" in dishu("cells", "--help")
    assert "reshape" in dishu("cells", "diff", out, "--community", COMMUNITY, "--datum", "cgcs2000")
    said = dishu("cells", "coverage", "--community", COMMUNITY, "--category", "clinic", "--minutes", 5)
    assert "卫生站" in said and "total" in said and "走不到的住户" in said
    typo = CliRunner(env=environment).invoke(main, ["cells", "coverage", "--community", COMMUNITY, "--category", "clinics"])
    assert typo.exit_code == 1 and "unknown category clinics" in typo.stderr and len(typo.stderr.splitlines()) == 1


# ---------------------------------------------------------------- the road network that a community keeps
EAST_OF = [120.6012 + number * 0.0024 for number in range(8)]
# Every house stands at the end of a lane; the lanes meet in the south only.
LANES = [shapely.LineString([(lon, 31.306), (lon, 31.3003)]) for lon in EAST_OF] + [shapely.LineString([(120.6, 31.3003), (120.62, 31.3003)])]


def collection_of(shapes):
    return {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {}, "geometry": json.loads(shapely.to_geojson(one))} for one in shapes]}  # fmt: skip


def written(path, shapes, kind="LineString", **options):
    pyogrio.raw.write(path, shapely.to_wkb(np.array(shapes, dtype=object)), [], fields=[], geometry_type=kind, crs="EPSG:4490", **options)
    return path


def keep(person, path, **fields):
    return person.client.put(
        f"/api/v1/communities/{COMMUNITY}/roads", data={"file": (io.BytesIO(path.read_bytes()), path.name), **fields},
        headers=person.headers, content_type="multipart/form-data",
    )  # fmt: skip


def test_a_road_network_is_kept_and_walked_along(office, secretary, tmp_path):
    """Imported once, used by every question from then on: who lives near by the crow and far on foot is told so; forgotten, lines are straight again."""
    path, roads = f"/api/v1/communities/{COMMUNITY}/coverage?category=clinic&minutes=5", f"/api/v1/communities/{COMMUNITY}/roads"
    straight = secretary.get(path).json
    assert straight["by"] == "straight" and straight["roads"] is None and straight["snap"] is None
    assert problem(secretary.get(roads)) == (404, "not-found")
    assert secretary.get(f"{path}&by=roads").json["errors"][0]["code"] == "no_roads"
    kept = keep(secretary, written(tmp_path / "lanes.gpkg", LANES), datum="cgcs2000")
    assert kept.status_code == 200, kept.data
    told = kept.json
    assert (told["name"], told["lines"], told["file"]) == ("lanes.gpkg", 9, {"kind": "geopackage", "features": 9, "empty": 0})
    assert told["length_m"] == pytest.approx(8 * 632 + 1904, rel=0.01) and told["stretches"] >= 15
    assert told["buildings"]["beyond"] == 0 and told["buildings"]["median_m"] < 2
    by_roads = secretary.get(path).json
    [clinic], [as_the_crow] = by_roads["categories"], straight["categories"]
    assert by_roads["by"] == "roads" and by_roads["snap"]["off_road_m"] == 300
    assert clinic["total"]["within"] < as_the_crow["total"]["within"]
    second = next(one for one in clinic["buildings"] if one["building"]["number"] == "21")
    assert second["metres"] == pytest.approx(2 * 632 + 229, rel=0.03) and not second["within"] and second["off_road_m"] < 2
    assert second["nearest"]["name"] == "卫生站"
    assert secretary.get(f"{path}&by=straight").json["categories"] == straight["categories"]
    zipped = tmp_path / "lanes.zip"
    written(tmp_path / "lanes.shp", LANES)
    with zipfile.ZipFile(zipped, "w") as archive:
        for part in ("shp", "shx", "dbf"):
            archive.write(tmp_path / f"lanes.{part}", f"道路.{part}")
    assert keep(secretary, zipped, datum="cgcs2000", joins="ends").json["joins"] == "ends"
    assert secretary.get(roads).json["name"] == "lanes.zip"
    assert problem(office.signed_in("planner").client.put(roads)) [0] in (401, 403)
    assert secretary.client.delete(roads, headers=secretary.headers).status_code == 204
    assert secretary.get(path).json["by"] == "straight"


def test_what_is_no_road_network_is_named(office, secretary, tmp_path):
    """The file and the feature are named: a polygon, swapped axes, no lines, no file of roads, another town; nothing is kept."""
    def said(shapes, datum="cgcs2000", **fields):
        answer = secretary.client.put(
            f"/api/v1/communities/{COMMUNITY}/roads?datum={datum}", json=collection_of(shapes), headers=secretary.headers,
        )  # fmt: skip
        assert problem(answer) == (422, "invalid-input"), answer.data
        return answer.json["errors"][0]

    found = said([*LANES, shapely.box(120.6, 31.3, 120.61, 31.31)])
    assert found["code"] == "not_a_line" and "feature 9 is a Polygon" in found["message"]
    found = said([*LANES[:2], shapely.LineString([(31.306, 120.6), (31.3, 120.6)])])
    assert found["code"] == "outside_china" and "feature 2" in found["message"]
    assert said([])["code"] in ("no_roads", "unreadable_file")
    assert said([shapely.LineString([(121.6, 31.3), (121.61, 31.3)])])["code"] == "roads_elsewhere"
    assert said(LANES, datum="")["pointer"] == "/datum"
    broken = tmp_path / "roads.gpkg"
    broken.write_bytes(b"SQLite format 3\x00 and no more")
    assert keep(secretary, broken, datum="wgs84").json["errors"][0]["code"] == "unreadable_file"
    assert problem(secretary.get(f"/api/v1/communities/{COMMUNITY}/roads")) == (404, "not-found")
    url = office.house.engine.url.render_as_string(hide_password=False)
    environment = {"DISHU_DATA": str(tmp_path), "DISHU_DATABASE_URL": url, "DISHU_KEY": KEY, "DISHU_KEY_FILE": ""}
    ask = CliRunner(env=environment).invoke
    lanes = written(tmp_path / "lanes.fgb", LANES)
    answer = ask(main, ["cells", "roads", str(lanes), "--community", COMMUNITY, "--datum", "cgcs2000"])
    assert answer.exit_code == 0 and "lines 条 9" in answer.stdout and "beyond 300 m: 0" in answer.stdout, answer.output
    answer = ask(main, ["cells", "coverage", "--community", COMMUNITY, "--category", "clinic"])
    assert answer.stdout.startswith("by roads 按路网")
    assert "lanes.fgb" in ask(main, ["cells", "roads", "--community", COMMUNITY]).stdout
