"""GeoParquet in the planner's package: the extra that writes it, and DuckDB that reads it, in processes of their own (`make test-long` installs both)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely
from pyogrio import raw
from records_kit import populate

pytestmark = pytest.mark.long

KEY = b"a made-up key of thirty-two bytes".hex()
EXTRA = Path(sys.prefix) / "geoparquet"

# Another program than the one that writes, and only what the file itself says: types of the columns, the key `geo`, and the rows
# with their geometry as hex.
READ = """
import json, sys
import duckdb
plain = lambda value: value.hex() if isinstance(value, bytes) else value if isinstance(value, (str, int, float, type(None))) else value.isoformat()
def told(path):
    database = duckdb.connect(config={"autoload_known_extensions": False, "autoinstall_known_extensions": False})
    database.execute("SET enable_geoparquet_conversion = false")
    (geo,), = database.execute("SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = 'geo'", [path]).fetchall()
    types = {one[0]: one[1] for one in database.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path]).fetchall()}
    instants = [f'make_timestamp(epoch_us("{name}")) AS "{name}"' for name, kind in types.items() if kind == "TIMESTAMP WITH TIME ZONE"]
    rows = database.execute(f"SELECT *{' REPLACE (' + ', '.join(instants) + ')' if instants else ''} FROM read_parquet(?)", [path])
    return {"types": types, "geo": json.loads(geo), "rows": [dict(zip(types, map(plain, row), strict=True)) for row in rows.fetchall()]}
print(json.dumps([told(path) for path in sys.argv[1:]]))
"""


def run(*words, **environment):
    """Standard output of a Python process that has the extra."""
    assert EXTRA.is_dir(), "`make test-long` installs what writes GeoParquet"
    paths = os.pathsep.join([str(EXTRA), str(Path(__file__).parent.parent)])
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths} | environment
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("projected", [False, True])
def test_geoparquet_holds_what_the_geopackage_holds(prepared_database, tmp_path, projected):
    """DuckDB reads from every layer the rows, values, places, days and instants that GDAL reads from the GeoPackage beside it, and
    finds its reference system and geometry as GeoParquet 1.1 asks."""
    target = tmp_path / "all.zip"
    run(
        "-c", "from server.cli import main; main()", "export", "package", "--as", "planner-1", "--format", "geoparquet",
        "--format", "geopackage", "--output", target, *(["--projected"] if projected else []),
        DISHU_DATA=str(tmp_path / "data"), DISHU_KEY=KEY, DISHU_DATABASE_URL=prepared_database(populate),
    )  # fmt: skip
    with zipfile.ZipFile(target) as archive:
        archive.extractall(tmp_path / "p")
    files = sorted((tmp_path / "p" / "geoparquet").iterdir())
    assert {"cells.parquet", "figures.parquet", "buildings.parquet", "resources.parquet"} <= {one.name for one in files}
    for file, told in zip(files, json.loads(run("-c", READ, *files)), strict=True):
        meta, _, shapes, columns = raw.read(tmp_path / "p" / "dishu.gpkg", layer=file.stem)
        about = told["geo"]
        column = about["columns"][about["primary_column"]]
        assert about["version"] == "1.1.0" and column["encoding"] == "WKB", file.name
        assert pyproj.CRS.from_json_dict(column["crs"]) == pyproj.CRS(meta["crs"]), file.name
        assert len(told["rows"]) == len(shapes), file.name
        places = [row[about["primary_column"]] for row in told["rows"]]
        made = shapely.from_wkb([None if one is None else bytes.fromhex(one) for one in places])
        assert shapely.equals_exact(made, shapely.from_wkb(shapes)).all(), file.name
        assert {one.geom_type for one in made if one is not None} <= set(column["geometry_types"]), file.name
        for name, values in zip(meta["fields"], columns, strict=True):
            found = [row[name] for row in told["rows"]]
            if values.dtype.kind == "M":
                kind = told["types"][name]
                assert kind in ("DATE", "TIMESTAMP WITH TIME ZONE"), (file.name, name, kind)
                found = np.array(found, dtype="datetime64[ms]")
                assert ((found == values.astype("datetime64[ms]")) | (np.isnat(found) & np.isnat(values))).all(), (file.name, name)
            elif values.dtype.kind == "f":
                assert np.allclose(np.array(found, dtype=float), values, equal_nan=True), (file.name, name)
            else:
                assert found == [None if one is None else one for one in values.tolist()], (file.name, name)
