"""`dishu cells check` on the files that customers have."""

import numpy as np
import pyogrio.raw
import pytest
import shapely
from cells_kit import CODE, populate_ground
from click.testing import CliRunner
from front_door import COMMUNITY, open_office

from server.cli import main
from server.house import uuid7

KEY = b"a made-up key of thirty-two bytes".hex()


@pytest.fixture
def dishu(prepared_database, tmp_path, clock):
    office = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    url = office.house.engine.url.render_as_string(hide_password=False)
    environment = {"DISHU_DATA": str(tmp_path), "DISHU_DATABASE_URL": url, "DISHU_KEY": KEY, "DISHU_KEY_FILE": ""}

    def run(*words):
        answer = CliRunner(env=environment).invoke(main, [str(word) for word in words])
        return answer.exit_code, answer.stdout, answer.stderr

    yield run
    office.house.engine.dispose()


def test_a_shapefile_in_gbk_is_checked_and_its_repairs_are_listed(dishu, tmp_path):
    """Headings are guessed and told, Chinese names are readable, a missing corner is offered, nothing is changed."""
    shapes = [
        shapely.box(120.6, 31.3, 120.61, 31.31),
        shapely.box(120.61, 31.3, 120.62, 31.304),
        shapely.box(120.61, 31.304, 120.62, 31.31),
    ]
    path = tmp_path / "网格.shp"
    codes = np.array([f"{CODE}00{number}" for number in (1, 2, 3)], dtype=object)
    names = np.array(["东一网格", "东二网格", "东三网格"], dtype=object)
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array(shapes, dtype=object)), [codes, names], fields=["网格编码", "网格名称"],
        geometry_type="Polygon", crs="EPSG:4490", driver="ESRI Shapefile", encoding="GBK",
    )  # fmt: skip
    status, said, told = dishu("cells", "check", path, "--community", COMMUNITY, "--datum", "cgcs2000")
    assert status == 1
    assert "code=网格编码, name=网格名称" in told
    lines = [line.split("\t") for line in said.splitlines()]
    assert any(line[0] == "error" and line[1] == "edge_mismatch" for line in lines)
    assert [line[1] for line in lines if line[0] == "repair"] == ["match_edges"]
    assert lines[-1][0].startswith("refused") and "cells 3" in lines[-1]
    status, _, told = dishu(
        "cells", "check", path, "--community", COMMUNITY, "--datum", "cgcs2000", "--encoding", "x-no"
    )
    assert status != 0 and "encoding" in told and "Traceback" not in told
