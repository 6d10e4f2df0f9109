"""Resources of the demo: supplies, places, teams, vehicles and facilities, placed and counted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from server.demo.chance import Chance, Documents, Writer
from server.demo.names import given_name, surname
from server.demo.places import Operation, Place, Places

RESOURCES = 150

# category, name, kind, measure unit, least and most quantity (None: no quantity), least and most capacity, weight
_CATALOGUE: tuple[tuple[str, str, str, str | None, tuple[int, int] | None, tuple[int, int] | None, float], ...] = (
    ("drinking_water", "瓶装水", "supply", "box", (10, 120), None, 8),
    ("food", "方便食品", "supply", "box", (5, 60), None, 6),
    ("medicine", "常用药箱", "supply", "set", (1, 12), None, 5),
    ("protective", "口罩", "supply", "box", (10, 200), None, 6),
    ("bedding", "棉被", "supply", "piece", (10, 80), None, 4),
    ("tent", "帐篷", "supply", "set", (2, 20), None, 3),
    ("generator", "应急发电机", "supply", "set", (1, 3), None, 3),
    ("pump", "抽水泵", "supply", "set", (1, 4), None, 4),
    ("fire_extinguisher", "灭火器", "supply", "piece", (4, 60), None, 14),
    ("tools", "应急工具箱", "supply", "set", (1, 8), None, 5),
    ("shelter", "应急避难点", "place", None, None, (80, 600), 3),
    ("meeting_room", "会议室", "place", None, None, (12, 60), 5),
    ("activity_room", "居民活动室", "place", None, None, (20, 80), 8),
    ("canteen", "社区食堂", "place", None, None, (30, 120), 3),
    ("clinic", "社区卫生站", "place", None, None, (6, 20), 2),
    ("open_ground", "空地", "place", None, None, (60, 400), 6),
    ("volunteer_team", "志愿服务队", "team", None, None, (8, 40), 8),
    ("rescue_team", "微型消防队", "team", None, None, (4, 8), 4),
    ("bus", "客车", "vehicle", "vehicle", (1, 2), (7, 45), 2),
    ("truck", "货车", "vehicle", "vehicle", (1, 2), None, 3),
    ("tricycle", "电动三轮车", "vehicle", "vehicle", (1, 3), None, 5),
    ("aed", "自动体外除颤器", "facility", "piece", (1, 1), None, 5),
    ("hydrant", "消火栓", "facility", "piece", (1, 1), None, 14),
    ("charging_point", "电动车充电桩", "facility", "place", (1, 1), (6, 24), 12),
)
_SPOILS = {"drinking_water", "food", "medicine"}


def build_stock(seed: int, as_of: date, writer: Writer, places: Places) -> list[list[Operation]]:
    """One group per resource; every row of the catalogue at least once."""
    chance = Chance(seed, "stock", as_of)
    documents = Documents(seed + 2)
    weights = {row: row[-1] for row in _CATALOGUE}
    rows = list(_CATALOGUE) + [chance.weighted(weights) for _ in range(RESOURCES - len(_CATALOGUE))]
    buildings = [one for one in places.buildings if one.use != "ancillary"]
    names = {one.id: one.name for one in places.estates}
    return [[_resource(chance, documents, writer, row, chance.one(buildings), names)] for row in rows]


def _resource(
    chance: Chance, documents: Documents, writer: Writer, row: Any, at: Place, estates: dict[str, str]
) -> Operation:
    category, name, kind, unit, quantities, capacities, _ = row
    as_of = chance.as_of
    quantity = chance.between(*quantities) if quantities else None
    counted = chance.day(first=150, last=2) if quantity and chance.holds(0.4) else None
    expires = as_of + timedelta(days=chance.between(60, 700)) if category in _SPOILS else None
    # outdoors: its own point; indoors: the building's; of an estate as a whole: the estate's
    where = chance.weighted({"anchor": 0.4, "building": 0.45, "estate": 0.15})
    if kind == "facility" or category in ("open_ground", "shelter"):
        where = "anchor"
    contact = surname(chance) + given_name(chance, chance.one(("1", "2")), chance.between(28, 60))
    told = chance.moment(chance.day(first=300, last=5))
    return writer.create("resource", writer.new_id("resource"), {
        "name": f"{estates[at.estate]}{name}",
        "kind": kind,
        "category": category,
        "quantity": quantity,
        "measure_unit": unit,
        "stock_count": quantity if counted else None,
        "stock_counted_on": counted.isoformat() if counted else None,
        "capacity_count": chance.between(*capacities) if capacities else None,
        "contact_name": contact,
        "contact_phone": documents.phone(),
        "valid_until": expires.isoformat() if expires else None,
        "anchor": at.anchor if where == "anchor" else None,
        "building": at.id if where == "building" else None,
        "estate": at.estate if where == "estate" else None,
        "open_hours_text": "8:30-17:00" if kind == "place" and chance.holds(0.7) else None,
    }, told)  # fmt: skip
