from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from front_door import COMMUNITY, NEIGHBOUR, problem
from records_kit import CODE_A, IDS, actor_of, office_with_records, write_operation
from sqlalchemy import select
from test_server_rosters import plan_of

from server.models import audit
from server.permissions import Scope
from server.services import sign_in
from server.store import ogc as store
from server.store.database import read, write

PLACES = ["cells", "dedicated_cells", "figures", "estates", "buildings", "entrances", "dwellings", "organizations", "resources"]


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def items(person, collection, **asked):
    answer = person.get(f"/ogc/collections/{collection}/items", query_string=asked)
    assert answer.status_code == 200, answer.data
    return answer.json["features"]


def ids(person, collection, **asked):
    return {feature["id"] for feature in items(person, collection, **asked)}


def links(document):
    return {link["rel"]: link["href"] for link in document["links"]}


def audit_lines(office):
    with read(office.house.engine) as connection:
        return connection.execute(select(audit).where(audit.c.action == "read").order_by(audit.c.audit_id)).all()


# ---------------------------------------------------------------- what there is
def test_a_client_finds_everything_from_the_landing_page(office):
    """The landing page leads to the API document, the conformance classes and the collections."""
    client = office.client()
    landing = client.get("/ogc/")
    assert landing.content_type == "application/json"
    found = links(landing.json)
    assert {"self", "service-desc", "conformance", "data"} <= set(found)
    conforms = client.get(found["conformance"]).json["conformsTo"]
    for part in ("features-1/1.0/conf/core", "conf/geojson", "conf/oas30", "conf/features-filter", "conf/cql2-text"):
        assert any(address.endswith(part) for address in conforms), part
    assert problem(client.get(found["data"])) == (401, "not-signed-in")
    api = client.get(found["service-desc"])
    assert api.content_type == "application/vnd.oai.openapi+json;version=3.0"
    limit = next(
        one for one in api.json["paths"]["/collections/cells/items"]["get"]["parameters"] if one["name"] == "limit"
    )
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100}


def test_the_openapi_document_holds_together(office):
    """Every path variable of the OpenAPI document is declared, every operation has an id of its own and an answer."""
    api = office.client().get("/ogc/api").json
    assert api["openapi"].startswith("3.0")
    names = []
    for path, methods in api["paths"].items():
        operation = methods["get"]
        names.append(operation["operationId"])
        declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert declared == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path
        assert {"200", "default"} <= set(operation["responses"])
        wanted = [one["name"] for one in operation.get("parameters", [])]
        assert len(wanted) == len(set(wanted)), path
    assert len(names) == len(set(names))
    assert "contact_phone" not in json.dumps(api)


def test_collections_are_those_of_the_role(office):
    """A planner gets places, a secretary households too; single persons are served to nobody."""
    for role, expected in (
        ("planner", PLACES),
        ("secretary", [*PLACES[:7], "households", *PLACES[7:]]),
        ("grid_worker", [*PLACES[:7], "households", *PLACES[7:]]),
    ):
        found = office.signed_in(role).get("/ogc/collections").json["collections"]
        assert [one["id"] for one in found] == expected, role
        assert all(one["crs"] == ["http://www.opengis.net/def/crs/OGC/1.3/CRS84"] for one in found)
    for role in ("auditor", "admin"):
        assert problem(office.signed_in(role).get("/ogc/collections")) == (403, "outside-your-scope")
    planner = office.signed_in("planner")
    assert planner.get("/ogc/collections/cells").json["extent"]["spatial"]["bbox"] == [[120.6, 31.3, 120.62, 31.31]]
    for name in ("households", "persons", "ghosts"):
        assert problem(planner.get(f"/ogc/collections/{name}/items")) == (404, "not-found")
    assert problem(office.signed_in("secretary").get("/ogc/collections/persons/items")) == (404, "not-found")


def test_features_stand_where_their_place_stands(office):
    """A cell is its outline, a dwelling the point of its entrance; codes have their labels beside them."""
    person = office.signed_in("secretary")
    cells = items(person, "cells")
    assert [one["properties"]["code"] for one in cells] == [CODE_A, f"{CODE_A[:-1]}2"]
    assert cells[0]["geometry"]["type"] == "Polygon"
    dwelling = next(one for one in items(person, "dwellings") if one["properties"]["door_number"] == "201")
    assert dwelling["geometry"] == {"type": "Point", "coordinates": [120.6041, 31.3041]}
    assert dwelling["properties"]["cell_code"] == CODE_A
    assert dwelling["properties"]["community_code"] == CODE_A[:12]
    assert (dwelling["properties"]["use"], dwelling["properties"]["use_label"]) == ("home", "住宅")
    one = person.get(f"/ogc/collections/dwellings/items/{dwelling['id']}")
    assert one.content_type == "application/geo+json"
    assert {name: one.json[name] for name in ("geometry", "properties")} == {
        name: dwelling[name] for name in ("geometry", "properties")
    }
    assert set(links(one.json)) == {"self", "collection"}
    cell = person.get(f"/ogc/collections/cells/items/{cells[0]['id']}").json
    assert cell["properties"] == cells[0]["properties"]
    for path in ("dwellings/items/ghost", f"buildings/items/{dwelling['id']}", "cells/items/ghost"):
        assert problem(person.get(f"/ogc/collections/{path}")) == (404, "not-found")


def test_a_browser_gets_json_too(office):
    """A browser that would rather have HTML gets JSON instead of an error."""
    client = office.client()
    answer = client.get("/ogc/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert client.get("/ogc/?f=json").status_code == 200
    assert problem(client.get("/ogc/?f=html")) == (400, "invalid-parameter")


# ---------------------------------------------------------------- who sees what
def test_a_read_token_is_a_basic_password(office):
    """QGIS and GDAL sign in with any name and the token as password, or with the token as bearer."""
    token, _ = sign_in.make_read_token(office.house, actor_of(office, "planner"), label="QGIS")
    client = office.client()
    basic = base64.b64encode(f"anybody:{token}".encode()).decode()
    for header in (f"Basic {basic}", f"Bearer {token}"):
        answer = client.get("/ogc/collections/buildings/items", headers={"Authorization": header})
        assert answer.json["numberReturned"] == answer.json["numberMatched"] == 2
    wrong = base64.b64encode(b"anybody:guess").decode()
    answer = client.get("/ogc/collections", headers={"Authorization": f"Basic {wrong}"})
    assert problem(answer) == (401, "token-refused")


def test_a_planner_sees_no_personal_field(office):
    """Planners get resources without contacts, and leave no line in the audit log of personal looks."""
    (box,) = items(office.signed_in("planner"), "resources")
    assert "contact_name" not in box["properties"] and box["properties"]["name"] == "急救箱"
    assert "钱八" not in json.dumps(box, ensure_ascii=False)
    assert audit_lines(office) == []


def test_personal_looks_are_accountable(office):
    """A secretary's look names the personal fields that were given; one who asks for none of them leaves no line."""
    person = office.signed_in("secretary")
    items(person, "resources", properties="name,quantity")
    assert audit_lines(office) == []
    (box,) = items(person, "resources")
    assert box["properties"]["contact_name"] == "钱八"
    person.get(f"/ogc/collections/resources/items/{box['id']}", headers={"X-Purpose": quote("盘点")})
    first, second = audit_lines(office)
    assert json.loads(first.fields) == ["resource.contact_name", "resource.contact_phone", "resource.note"]
    assert (first.count, first.record_type, first.record_id) == (1, "resource", None)
    assert first.scope.startswith("ogc/resources ")
    assert (second.record_id, second.purpose) == (box["id"], "盘点")


def test_a_grid_worker_sees_the_assigned_cells(office):
    """A grid worker's map ends at the border of the assigned cells, in lists, single features and cells."""
    worker, secretary = office.signed_in("grid_worker"), office.signed_in("secretary")
    assert [one["properties"]["code"] for one in items(worker, "cells")] == [CODE_A]
    assert ids(worker, "buildings") == {IDS["building_a"]}
    assert ids(secretary, "buildings") == {IDS["building_a"], IDS["building_b"]}
    assert problem(worker.get(f"/ogc/collections/buildings/items/{IDS['building_b']}")) == (404, "not-found")
    assert problem(worker.get("/ogc/collections/cells/items/cell-b")) == (404, "not-found")


def test_a_neighbour_sees_nothing(office):
    """The planner of another community gets empty collections and no single feature of ours."""
    from server.services import accounts

    accounts.add_user(office.house, accounts.OPERATOR, login="planner-9", name="某某", role="planner",
                      password="a-made-up-password", community_id=NEIGHBOUR)  # fmt: skip
    person = office.signed_in("planner")
    person.sign_in("planner-9")
    assert [items(person, name) for name in PLACES] == [[]] * len(PLACES)
    assert problem(person.get(f"/ogc/collections/buildings/items/{IDS['building_a']}")) == (404, "not-found")
    assert "extent" not in person.get("/ogc/collections/cells").json


# ---------------------------------------------------------------- what is asked
def test_bbox_takes_what_it_touches(office):
    """A box gives features inside it and on its border, also those that stand at the point of their place."""
    person = office.signed_in("planner")
    assert ids(person, "buildings", bbox="120.60,31.30,120.61,31.31") == {IDS["building_a"]}
    assert ids(person, "buildings", bbox="120.604,31.304,120.604,31.304") == {IDS["building_a"]}
    assert ids(person, "buildings", bbox="120.60,31.30,-10,120.61,31.31,100") == {IDS["building_a"]}
    assert ids(person, "dwellings", bbox="120.6135,31.30,120.62,31.31") == {IDS["dwelling_b"], IDS["dwelling_c"]}
    assert ids(person, "resources", bbox="120.60,31.30,120.61,31.31") == {IDS["resource"]}
    assert ids(person, "buildings", bbox="121,31,122,32") == set()
    assert ids(person, "buildings", bbox="121,31,120.61,32") == {IDS["building_a"]}  # across the antimeridian
    assert [one["properties"]["name"] for one in items(person, "cells", bbox="120.615,31.30,120.7,31.4")] == ["第2网格"]
    assert len(items(person, "cells", bbox="120.61,31.30,120.61,31.31")) == 2


def test_datetime_takes_what_changed_then(office, clock):
    """An interval gives the features that were last changed in it, its ends included."""
    clock.advance(days=3)
    record = office.signed_in("planner").get(f"/ogc/collections/buildings/items/{IDS['building_b']}").json
    tag = {"v": 1, "tag": _tag(office, "building_b")}
    done = write_operation(
        office.house, actor_of(office, "secretary"), "patch", "building_b", {"floors_count": 6}, base=tag
    )
    assert done["now"]["outcome"] == "applied", done
    person = office.signed_in("planner")
    changed = clock().isoformat().replace("+00:00", "Z")
    old = record["properties"]["updated_at"]
    for asked, expected in (
        (changed, {"building_b"}),
        (f"{changed}/..", {"building_b"}),
        (f"{old}/{changed}", {"building_a", "building_b"}),
        (f"../{old}", {"building_a"}),
        (f"/{old}", {"building_a"}),
        (changed[:10], {"building_b"}),
        ("../..", {"building_a", "building_b"}),
    ):
        assert ids(person, "buildings", datetime=asked) == {IDS[name] for name in expected}, asked


def _tag(office, name):
    with read(office.house.engine) as connection:
        return connection.exec_driver_sql(f"SELECT tag FROM record WHERE id = '{IDS[name]}'").scalar_one()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("door_number = '201'", {"dwelling_a"}),
        ("door_number <> '201'", {"dwelling_b", "dwelling_c"}),
        ("use = 'home' AND NOT door_number LIKE '10%'", {"dwelling_a"}),
        ("use IS NULL", {"dwelling_c"}),
        ("NOT use = 'home'", set()),  # unknown is not false
        ("floor_number BETWEEN 1 AND 3", {"dwelling_a"}),
        ("floor_number > 1 OR door_number IN ('1002')", {"dwelling_a", "dwelling_c"}),
        ("expected = true AND use_label = '住宅'", {"dwelling_a", "dwelling_b"}),
        ("updated_at > TIMESTAMP('2026-01-01T00:00:00Z')", {"dwelling_a", "dwelling_b", "dwelling_c"}),
        ("updated_at < DATE('2026-01-01')", set()),
        ("CASEI(occupancy) = CASEI('OWNER_Lived')", {"dwelling_a"}),
        ("S_INTERSECTS(geometry, POLYGON((120.6 31.3, 120.61 31.3, 120.61 31.31, 120.6 31.31, 120.6 31.3)))", {"dwelling_a"}),
        ("S_INTERSECTS(geometry, BBOX(120.611, 31.3, 120.62, 31.31)) AND door_number = '1002'", {"dwelling_c"}),
        ("NOT S_INTERSECTS(geometry, POINT(120.6041 31.3041))", {"dwelling_b", "dwelling_c"}),
        ("\"cell_code\" LIKE '%001'", {"dwelling_a"}),
    ],
)  # fmt: skip
def test_filters_take_what_they_say(office, text, expected):
    """A CQL2 filter gives the same features on both databases, and the same through QGIS's own parameters."""
    person = office.signed_in("planner")
    asked = {"filter": text, "filter-lang": "cql2-text", "filter-crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
    assert ids(person, "dwellings", **asked) == {IDS[name] for name in expected}


def test_queryables_say_what_may_be_asked(office):
    """Queryables list codes with their labels, and every one of them works as a parameter of its own."""
    person = office.signed_in("secretary")
    found = person.get("/ogc/collections/dwellings/queryables")
    assert found.content_type == "application/schema+json"
    properties = found.json["properties"]
    assert properties["use"]["enum"][0] and "home 住宅" in properties["use"]["description"]
    assert properties["geometry"]["format"] == "geometry-point"
    assert {"owner_text", "owner_phone", "note"} & set(properties) == set()
    assert ids(person, "dwellings", use="home", door_number="201") == {IDS["dwelling_a"]}
    assert ids(person, "dwellings", floor_number="2") == {IDS["dwelling_a"]}
    assert ids(person, "cells", code=CODE_A) == {"cell-a"}


def test_personal_fields_are_never_asked_about_in_an_address(office):
    """A filter on a personal field is refused for everybody, and the refusal does not repeat what was typed."""
    person = office.signed_in("secretary")
    for asked in ({"contact_name": "钱八"}, {"filter": "contact_name = '钱八'"}, {"filter": "contact_phone LIKE '1%'"}):
        answer = person.get("/ogc/collections/resources/items", query_string=asked)
        assert problem(answer) == (400, "invalid-parameter")
        assert "钱八" not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "asked",
    [
        {"bbox": "1,2,3"}, {"bbox": "a,b,c,d"}, {"bbox": "1,9,2,3"}, {"bbox": "nan,nan,nan,nan"},
        {"datetime": "yesterday"}, {"datetime": "2026-01-02/2026-01-01"}, {"datetime": ""}, {"datetime": "2026-01-01T00:00:00"},
        {"limit": "0"}, {"limit": "-3"}, {"limit": "many"}, {"limit": "²"}, {"colour": "red"}, {"crs": "x"}, {"f": "gml"},
        {"filter": "door_number ="}, {"filter": "door_number = 201"}, {"filter": "ghost = 1"}, {"filter": "1 = 1; DROP TABLE record"},
        {"filter": "use = 'home'", "filter-lang": "cql2-json"}, {"filter": "use = 'home'", "filter-crs": "EPSG:4326"},
        {"filter": "(" * 500 + "TRUE" + ")" * 500}, {"filter": "NOT " * 500 + "TRUE"}, {"floor_number": "two"},
        {"filter": "S_INTERSECTS(geometry, POLYGON((0 0, 1 1)))"}, {"filter": "S_INTERSECTS(geometry, BBOX(1,2))"},
        {"filter": "S_INTERSECTS(geometry, BBOX(1 2,3,4,5))"}, {"filter": "S_INTERSECTS(geometry, BBOX(1,,(3),4))"},
        {"properties": "ghost"}, {"expected": "perhaps"}, {"filter": "geometry = 1"}, {"filter": "BBOX(1,2,3,4)"},
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(office, asked):
    """What cannot be read is a problem with status 400 that names the parameter, never half an answer."""
    answer = office.signed_in("planner").get("/ogc/collections/dwellings/items", query_string=asked)
    assert problem(answer) == (400, "invalid-parameter")
    assert answer.json["errors"][0]["pointer"].removeprefix("/") in asked


# ---------------------------------------------------------------- page after page
def walk(person, collection, meanwhile=lambda number: None, **asked):
    """Ids of all features, by the links alone; ``meanwhile`` happens between two pages."""
    found, number = [], 0
    answer = person.get(f"/ogc/collections/{collection}/items", query_string=asked)
    while True:
        assert answer.status_code == 200, answer.data
        found += [feature["id"] for feature in answer.json["features"]]
        following = links(answer.json).get("next")
        if following is None:
            return found
        number += 1
        meanwhile(number)
        answer = person.get(following)


def test_pages_show_everything_exactly_once_while_others_write(office):
    """Features inserted, moved to another cell and deleted between pages neither repeat nor hide another one."""
    secretary = actor_of(office, "secretary")
    made = [_building(office, secretary, n) for n in range(12)]
    person = office.signed_in("planner")
    assert sorted(walk(person, "buildings", limit=3)) == sorted([*made, IDS["building_a"], IDS["building_b"]])

    def meanwhile(number):
        _building(office, secretary, 100 + number)
        if number == 2:
            for record_id in made[:6]:
                _move(office, record_id)

    found = walk(person, "buildings", meanwhile, limit=3)
    assert len(found) == len(set(found))
    assert {*made, IDS["building_a"], IDS["building_b"]} <= set(found)


def test_filtered_pages_are_full(office):
    """A page of a filter is as long as was asked while there is more, however few features pass."""
    secretary = actor_of(office, "secretary")
    for n in range(30):
        _building(office, secretary, n)
    person = office.signed_in("planner")
    asked = {"filter": "number LIKE '%5' OR number LIKE '%7'", "limit": 2}
    answer = person.get("/ogc/collections/buildings/items", query_string=asked).json
    assert answer["numberReturned"] == 2 and "numberMatched" not in answer
    assert len(walk(person, "buildings", **asked)) == 6


def test_a_cursor_belongs_to_one_question(office):
    """The cursor of another collection, of another filter or a made-up one is refused, not misread."""
    person = office.signed_in("planner")
    first = person.get("/ogc/collections/dwellings/items?limit=1").json
    cursor = links(first)["next"].partition("next=")[2]
    for path in (
        f"buildings/items?next={cursor}",
        f"dwellings/items?use=home&next={cursor}",
        "dwellings/items?next=made-up",
    ):
        assert problem(person.get(f"/ogc/collections/{path}")) == (422, "invalid-input")
    assert person.get(f"/ogc/collections/dwellings/items?limit=2&next={cursor}").json["numberReturned"] == 2


def test_a_page_is_read_through_the_index(office):
    """The thousandth page costs what the first one costs: it is read by id behind the last one, from an index."""
    with write(office.house.engine) as connection:
        connection.exec_driver_sql("ANALYZE")
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # too few rows here for it to bother
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
        statement, values = store.records_sql(
            connection, Scope((COMMUNITY,)), COMMUNITY, "building", IDS["building_a"], store.Narrowed({})
        )
        plan = plan_of(connection, statement + " LIMIT 10", values)
    assert "ix_record_served" in plan, plan
    assert "TEMP B-TREE" not in plan


def _building(office, actor, number):
    from server.services.push import accept_user_operation

    record_id = office.house.new_id()
    values = {"number": str(number), "estate": IDS["estate"]}
    done = accept_user_operation(
        office.house, actor, {"kind": "create", "type": "building", "id": record_id, "set": values, "was": {}}
    )
    assert done["now"]["outcome"] == "applied", done
    return record_id


def _move(office, record_id):
    with write(office.house.engine) as connection:
        connection.exec_driver_sql(f"UPDATE record SET home = 'cell/cell-b' WHERE id = '{record_id}'")
