"""The spatial index of a large layer, with the pieces it is made in cut small."""

import sqlite3
import tracemalloc
from contextlib import closing

import numpy as np
import pytest

from server.jobs import geopackage_index
from server.jobs.geopackage_index import Boxes, write_index


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Many pieces without many features."""
    monkeypatch.setattr(geopackage_index, "_CHUNK", 500)


def filled(path, fids, boxes):
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE gpkg_extensions (a, b, c, d, e)")
        database.execute('CREATE TABLE "a" (fid INTEGER PRIMARY KEY, geom BLOB)')
        database.execute("BEGIN")
        kept = Boxes(path.parent)
        for start in range(0, len(fids), 333):
            kept.add(fids[start : start + 333], boxes[start : start + 333])
        write_index(database, "a", kept)
        database.execute("COMMIT")
        return kept.extent


@pytest.mark.parametrize("spread", ["even", "one longitude", "one spot", "two far towns"])
def test_every_feature_is_found_however_they_lie(tmp_path, spread):
    """A whole building's households on one spot, a street on one meridian, rows without a place between: all are found, none twice."""
    chance = np.random.default_rng(7)
    spots = chance.uniform((113, 22), (115, 24), (4_000, 2))
    if spread == "one longitude":
        spots[:, 0] = 113.5
    elif spread == "one spot":
        spots[:] = (113.5, 22.5)
    elif spread == "two far towns":
        spots = np.where(chance.random((4_000, 1)) < 0.5, (75.0, 39.0), (130.0, 47.0)) + spots / 1e6
    fids = np.sort(chance.choice(np.arange(1, 9_000), 4_000, replace=False))
    extent = filled(tmp_path / "a.sqlite", fids, np.column_stack((spots, spots)))
    assert extent == (*spots.min(axis=0).tolist(), *spots.max(axis=0).tolist())
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as database:
        assert database.execute("SELECT rtreecheck('rtree_a_geom')").fetchone() == ("ok",)
        found = database.execute("SELECT id, minx, maxx, miny, maxy FROM rtree_a_geom ORDER BY id").fetchall()
    assert [row[0] for row in found] == fids.tolist()
    told = np.array([row[1:] for row in found])
    assert (told[:, 0] <= spots[:, 0]).all() and (told[:, 1] >= spots[:, 0]).all()
    assert (told[:, 2] <= spots[:, 1]).all() and (told[:, 3] >= spots[:, 1]).all()


def test_ten_times_the_features_take_no_more_memory(tmp_path):
    """The index of a large layer is made in the memory of a small one."""
    peaks = []
    for count in (6_000, 60_000):
        spots = np.random.default_rng(7).uniform((113, 22), (115, 24), (count, 2))
        fids = np.arange(1, count + 1)
        boxes = np.column_stack((spots, spots))
        tracemalloc.start()
        filled(tmp_path / f"{count}.sqlite", fids, boxes)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0], peaks
