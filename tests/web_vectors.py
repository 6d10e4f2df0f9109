"""Vectors that are made from the Python side for its TypeScript twin: ``python -m tests.web_vectors`` writes the small ones anew.

The committed files are small; ``make`` of other counts and seeds gives as many as a test likes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import shapely

from forms.evaluator import FUNCTIONS, evaluate
from forms.expressions import parse
from forms.registry import load_registry
from geo.cell import Cell
from geo.datum import from_cgcs2000, to_cgcs2000
from geo.locate import CellIndex
from geo.location import canonical_location
from geo.place import place_fix
from tests import visit_vectors, web_stories

FOLDER = Path(__file__).parent / "vectors"
TODAY = date(2026, 11, 21)
COMMITTED = 1000

_NAMES = ("a", "b", "c")
_TEXTS = (
    "", "x", "y", "x y", " 1 ", "1", "2.0", "-3", ".5", "1e3", "2024-02-29", "2026-11-21", "1999-12-31", "0001-01-01",
    "9999-12-31", "99999919500101000X", "999999194910010029", "91999999MA0000001N", "2024-01-01T00:00:00Z",
    "2024-02-29T23:59:59.500Z", "甲乙", "𠮷野家", "e\u0301",
)  # fmt: skip
_NUMBERS = (0, 1, -1, 2, 7, 2.5, -0.5, 1e-7, 1e-6, 123456.75, 1e15, 1e200, 2**53, 0.1, 0.2)
_BINARY = ("and", "or", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "div", "mod")
_PATTERNS = ("[0-9]+", ".*", "\\d{4}-\\d{2}-\\d{2}", "\\w+", "(?:x|y)( y)?", "[]x]+", "[^\\]a-c.]+", "..", "x\\-y|1\\.5?")


def cases(seed: int, count: int) -> list[list[Any]]:
    """``[tree, fields, value]`` of generated expressions; what the Python evaluator says."""
    chance = random.Random(seed)
    found = []
    while len(found) < count:
        tree = _tree(chance, chance.randint(1, 4))
        fields = {name: _value(chance) for name in _NAMES if chance.random() < 0.8}
        found.append([tree, fields, evaluate(tree, fields, today=TODAY)])
    return found


def _value(chance: random.Random) -> Any:
    kind = chance.random()
    if kind < 0.1:
        return chance.choice([None, True, False])
    if kind < 0.4:
        return chance.choice(_NUMBERS)
    if kind < 0.55:
        return [chance.choice(("x", "y", "1", "甲乙")) for _ in range(chance.randint(0, 2))]
    return chance.choice(_TEXTS)


def _tree(chance: random.Random, depth: int) -> dict[str, Any]:
    if depth == 0 or chance.random() < 0.15:
        leaf = chance.random()
        if leaf < 0.55:
            return {"field": chance.choice(_NAMES)}
        return {"lit": chance.choice(_TEXTS if leaf < 0.8 else (0, 1, 2.5, 30, 366))} if leaf < 0.95 else {"call": "today", "args": []}
    name = chance.choice((*_BINARY, *_BINARY, "neg", *FUNCTIONS))
    if name == "regex":
        return {"call": name, "args": [_tree(chance, depth - 1), {"lit": chance.choice(_PATTERNS)}]}
    count = 2 if name in _BINARY else 1 if name == "neg" else FUNCTIONS[name].arity[0]
    return {"call": name, "args": [_tree(chance, depth - 1) for _ in range(count)]}


def ground(seed: int, cells: int, points: int, fixes: int) -> dict[str, Any]:
    """Irregular cells, one with a hole that another fills, and what Python says of points in, on and beside their borders."""
    chance = random.Random(seed)

    def snapped(degrees: float) -> float:
        return round(degrees * 10**7) / 10**7

    def near(spread: float) -> tuple[float, float]:
        return snapped(120.62 + chance.uniform(-spread, spread)), snapped(31.3 + chance.uniform(-spread, spread))

    seeds = shapely.MultiPoint([near(0.01) for _ in range(cells)])
    pieces = list(shapely.voronoi_polygons(seeds, extend_to=shapely.box(120.61, 31.29, 120.63, 31.31)).geoms)
    hole = shapely.Polygon([(snapped(x), snapped(y)) for x, y in shapely.Point(120.62, 31.3).buffer(0.001).exterior.coords])
    rings = [shapely.transform(piece.difference(hole), lambda at: (at * 10**7).round() / 10**7) for piece in pieces] + [hole]
    polygons = [part for ring in rings for part in getattr(ring, "geoms", [ring]) if part.geom_type == "Polygon" and part.is_valid]
    made = [
        Cell(cell_id=f"c{at}", code=f"99999900100100{chance.randint(0, 3)}{at:02d}", name="", layer="base", order=chance.randint(0, 1), geometry=polygon)
        for at, polygon in enumerate(polygons)
    ]
    chance.shuffle(made)
    index = CellIndex(made)
    corners = [at for polygon in polygons for at in shapely.get_coordinates(polygon).tolist()]
    asked = []
    while len(asked) < points:
        kind = chance.random()
        if kind < 0.4:
            lon, lat = near(0.012)
        else:
            lon, lat = chance.choice(corners)
            if kind < 0.6:  # the middle of two corners that follow each other, off the grid
                other = corners[(corners.index([lon, lat]) + 1) % len(corners)]
                lon, lat = (lon + other[0]) / 2, (lat + other[1]) / 2
            lon, lat = (lon + chance.choice((-1, 0, 0, 1)) * 1e-7, lat + chance.choice((-1, 0, 0, 1)) * 1e-7)
        asked.append([lon, lat, index.locate(lon=lon, lat=lat)])
    placed = []
    for _ in range(fixes):
        datum = chance.choice(("wgs84", "cgcs2000", "gcj02", "bd09"))
        at = near(0.013)
        lon, lat = from_cgcs2000(lon=at[0], lat=at[1], datum=datum)
        fix = {"lon": lon, "lat": lat, "datum": datum, "method": chance.choice(("gps", "gps", "survey", "map_pick"))}
        if chance.random() < 0.8:
            fix |= {"accuracy_m": chance.choice((3, 8.5, 20, 60, 150)), "confidence": chance.choice((0.95, 0.68))}
        decision = place_fix(index, canonical_location(fix))
        degrees = to_cgcs2000(lon=lon, lat=lat, datum=datum)
        placed.append(
            {
                "fix": fix,
                "cgcs2000": degrees,
                "cell_id": decision.cell_id,
                "decision": decision.decision,
                "candidates": decision.candidates,
                "nearest": decision.nearest,
            }
        )
    return {
        "about": "Generated cells, points [lon, lat, cell id] and fixes with what Python says. Written by python -m tests.web_vectors.",
        "cells": [
            {
                "type": "Feature",
                "id": cell.cell_id,
                "geometry": json.loads(shapely.to_geojson(cell.geometry)),
                "properties": {"cell_id": cell.cell_id, "code": cell.code, "order": cell.order},
            }
            for cell in made
        ],
        "points": asked,
        "fixes": placed,
    }


def trees() -> dict[str, Any]:
    """Every expression of the built-in definitions: text → tree."""

    def texts(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if "tree" in node and "text" in node:
                yield node["text"]
            else:
                for one in node.values():
                    yield from texts(one)
        elif isinstance(node, list):
            for one in node:
                yield from texts(one)

    registry = load_registry()
    found = {text for name in registry.types() for text in texts(dict(registry.latest(name).document))}
    return {text: parse(text) for text in sorted(found)}


def files() -> dict[str, Any]:
    """The committed files by their path below ``tests/vectors``."""
    return {
        "expressions/definitions.json": {
            "about": "Every expression of the built-in definitions and its tree. Written by python -m tests.web_vectors.",
            "trees": trees(),
        },
        "expressions/generated.json": {
            "about": "Generated expressions: [tree, fields, value]. Written by python -m tests.web_vectors.",
            "today": TODAY.isoformat(),
            "cases": cases(6, COMMITTED),
        },
        "forms/visits.json": visit_vectors.file(),
        "place/generated.json": ground(4, 12, 500, 60),
        "overlay/generated.json": {
            "about": "Own operations laid over a copy: what is shown, and the life. Written by python -m tests.web_vectors.",
            "cases": web_stories.overlays(8, 150),
        },
        "commands/generated.json": {
            "about": "What a command stands for, record by record. Written by python -m tests.web_vectors.",
            "today": web_stories.TODAY,
            "cases": web_stories.commands(9, 60),
        },
    }


def text_of(content: Any) -> str:
    """A file's text: one case per line."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list):
            rows = ",\n    ".join(json.dumps(one, ensure_ascii=False) for one in value)
            lines.append(f"  {json.dumps(key)}: [\n    {rows}\n  ]")
        elif isinstance(value, dict):
            rows = ",\n    ".join(f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(one, ensure_ascii=False)}" for name, one in value.items())
            lines.append(f"  {json.dumps(key)}: {{\n    {rows}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    for path, content in files().items():
        (FOLDER / path).parent.mkdir(exist_ok=True)
        (FOLDER / path).write_text(text_of(content), encoding="utf-8")
