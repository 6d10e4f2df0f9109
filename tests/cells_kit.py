"""Cells drawn for a test: small lattices of codes, and an office whose community checks them."""

from __future__ import annotations

from typing import Any

from front_door import COMMUNITY
from records_kit import populate
from sqlalchemy import create_engine, text

CODE = "999999001001"
WEST, SOUTH, SIDE = 120.6, 31.3, 0.01


def cell(number: int, west: float, south: float, east: float, north: float, **properties: Any) -> dict[str, Any]:
    """A rectangle as a GeoJSON feature; its code is that of the community and a sequence number."""
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    ring = [[round(lon, 7), round(lat, 7)] for lon, lat in ring]
    return {
        "type": "Feature",
        "properties": {
            "code": f"{CODE}{number:03d}",
            "name": f"第{number}网格",
            "cell_id": f"cell-{number}",
            **properties,
        },
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def row_of_cells(*numbers: int) -> dict[str, Any]:
    """Squares side by side from west to east, which cover the ground of the records kit when there are two."""
    cells = [
        cell(number, WEST + place * SIDE, SOUTH, WEST + (place + 1) * SIDE, SOUTH + SIDE)
        for place, number in enumerate(numbers)
    ]
    return collection(*cells)


def collection(*features: dict[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def bow_tie(number: int) -> dict[str, Any]:
    """A cell whose border crosses itself in the middle of the first square."""
    feature = cell(number, WEST, SOUTH, WEST + SIDE, SOUTH + SIDE)
    ring = feature["geometry"]["coordinates"][0]
    ring[1], ring[2] = ring[2], ring[1]
    return feature


def populate_ground(url: str) -> None:
    """The records kit's community, whose cells follow the 15-digit profile."""
    populate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE community SET code_profile = 'cn-grid-15'"))
    engine.dispose()


def path_of(community_id: str = COMMUNITY) -> str:
    return f"/api/v1/communities/{community_id}/editions"


def counts(house: Any) -> dict[str, int]:
    """How many rows each table has that could lose or gain something by mistake."""
    from sqlalchemy import func, select

    from server import models
    from server.store.database import read

    tables = ("record", "journal", "history", "operation", "feed", "edition", "cell", "install", "conflict")
    with read(house.engine) as connection:
        return {
            name: connection.execute(select(func.count()).select_from(getattr(models, name))).scalar()
            for name in tables
        }
