"""The office's part of the story: the conflict is settled, copies are compared, the roster read, GIS files taken."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bench.story_scene import LOCAL, Cast, Scene
from bench.story_stage import Gdal, NotAsTold, Office
from server.demo.load import COMMUNITY_ID, PASSWORD
from sync.digest import ZERO_DIGEST

HERE, THERE = f"{COMMUNITY_ID}017", f"{COMMUNITY_ID}018"
"""Codes of the cell that both phones follow, and of the one beside it."""
BASELINE = f"/api/v1/communities/{COMMUNITY_ID}/baseline"
LAYERS = {"cells": "网格", "buildings": "楼栋", "resources": "资源"}

_ROLES = {"current": "现用 standing", "overwritten": "被盖过 overwritten", "set_aside": "另存 set aside"}


def short(code: str) -> str:
    return f"…{code[-3:]}"


def cell_of(figures: dict[str, Any], code: str) -> dict[str, Any]:
    return next(cell for cell in figures["cells"] if cell["code"] == code)


def total(figures: dict[str, Any], kind: str) -> int:
    return int(figures["total"]["counts"][kind])


def settle(scene: Scene, cast: Cast) -> None:
    """The secretary sees both values with people and times, and keeps one."""
    voice, office = scene.voice, scene.secretary
    voice.act("五 书记处理“两人填的不一样”", "The secretary settles the conflict")
    page = office.get("/api/v1/inbox/conflicts?limit=200")
    found = [row for row in page["rows"] if row["record"]["id"] == cast.asked]
    if len(found) != 1 or len(found[0]["siblings"]) != 2:
        raise NotAsTold("the inbox does not list the conflict with its two values")
    row = found[0]
    rows: list[Sequence[Any]] = [
        ("谁填的 by", "号码 number", "核实 evidence", "手机说 claimed", "服务器收到 arrived", "现状")
    ]
    for sibling in row["siblings"]:
        values = sibling["values"]
        rows.append(
            (
                (sibling["by"] or {}).get("name"),
                _masked(values["document_number"]["value"]),
                values["document_evidence"]["label"],
                _clock(sibling["claimed_at"]),
                _clock(sibling["arrived_at"]),
                _ROLES.get(sibling["role"], sibling["role"]),
            )
        )
    was = row["base"]["document_missing_reason"]["label"] if row["base"] else ""
    where = short(row["record"]["cell"]["code"])
    voice.say(
        f"{row['record']['title']} 的{row['label']['zh']}，网格 {where}；原来：无号码（{was}）", "value before: none"
    )
    voice.table(rows)
    voice.check(
        {line[0] for line in rows[1:]} == {"网格员甲", "网格员乙"}
        and len({line[1] for line in rows[1:]}) == 2
        and all(line[3] and line[4] for line in rows[1:])
        and was,
        "两个值、两个人、两个时间并列，原来的值也在",
        "both values, people and times, and the base",
    )
    shown = next(one for one in row["siblings"] if one["values"]["document_evidence"]["value"] == "shown")
    seen = [sibling["op_id"] for sibling in row["siblings"]]
    office.post(f"/api/v1/inbox/conflicts/{row['conflict_id']}/resolve", {"choose": shown["op_id"], "seen": seen})
    left = office.get("/api/v1/inbox/conflicts?limit=200")
    voice.check(
        left["count"] == page["count"] - 1 and all(one["record"]["id"] != cast.asked for one in left["rows"]),
        f"书记采用{(shown['by'] or {}).get('name')}看过证件的号码，待办 {page['count']} → {left['count']}",
        "kept: the one that was seen",
    )
    for device in scene.devices:
        device.phone.sync()
    documents = [device.view(cast.asked).fields for device in scene.devices]
    voice.check(
        all(not device.phone.conflicts() for device in scene.devices)
        and documents[0] == documents[1]
        and documents[0]["document_evidence"] == "shown"
        and _masked(documents[0]["document_number"]) == _masked(shown["values"]["document_number"]["value"]),
        f"两部手机拉取后都是 {_masked(documents[0]['document_number'])}，不再有待处理",
        "both phones agree",
    )


def compare(scene: Scene) -> None:
    """Digests that the phones computed from their own rows beside those of the server."""
    voice = scene.voice
    one, two = scene.devices
    voice.act("六 对账", "Digests of phones and server")
    own = [device.phone.digests() for device in scene.devices]
    told = [device.radio.told for device in scene.devices]
    rows: list[Sequence[Any]] = [("网格 stream", "行 rows", "手机甲 phone 1", "手机乙 phone 2", "服务器 server")]
    agree, shared, streams = True, 0, sorted({*own[0], *own[1]})
    for stream in streams:
        held = [(mine[stream], server[stream]) for mine, server in zip(own, told, strict=True) if stream in mine]
        agree = agree and len({(side["count"], side["digest"]) for pair in held for side in pair}) == 1
        count, digest = held[0][1]["count"], held[0][1]["digest"]
        if digest == ZERO_DIGEST:
            continue
        shared += len(held) == len(scene.devices)
        cells = [mine[stream]["digest"][:16] if stream in mine else "—" for mine in own]
        rows.append((short(stream) if stream.startswith("cell/") else stream, count, *cells, digest[:16]))
    voice.table(rows)
    voice.check(
        agree and shared >= 1,
        f"{len(streams)} 个数据流（{len(streams) - len(rows) + 1} 个为空）手机与服务器全部一致",
        f"all agree, {shared} shared by both phones",
    )
    finished = all(standing.settled for device in (one, two) for standing in device.phone.operations())
    voice.check(finished, "两部手机没有未了的操作", "every operation is settled")


def read_roster(scene: Scene, cast: Cast) -> None:
    """The roster of the shared cell, compared with the phones, and the two households of the story printed."""
    voice, office = scene.voice, scene.secretary
    voice.act(f"七 网格 {short(HERE)} 人员名册", "The roster of the cell")
    people: list[dict[str, Any]] = []
    following = ""
    while True:
        page = office.get(f"/api/v1/cells/{HERE}/roster/persons?limit=200{following}")
        people += page["rows"]
        if page["next"] is None:
            break
        following = f"&next={page['next']}"
    ours = {cast.asked, *cast.persons} | {
        view.id
        for view in scene.devices[0].of("person", scene.here)
        if view.fields.get("residence_household") == cast.home
    }
    columns = {"building": "楼", "entrance": "单元", "door_number": "室", "name": "姓名", "sex_label": "性别", "age": "年龄",
               "relation_to_head_label": "与户主关系", "document_number": "证件号码"}  # fmt: skip
    rows: list[Sequence[Any]] = [tuple(columns.values())]
    rows += [tuple(_shown(row.get(name)) for name in columns) for row in people if row["id"] in ours]
    voice.table(rows)
    voice.check(
        len(rows) == len(ours) + 1 and all(row[-1] == "" or str(row[-1]).startswith("*") for row in rows[1:]),
        f"以上 {len(ours)} 人属于故事里的两户；证件号码只显示末四位",
        "two households of the story, documents masked",
    )
    held = [{view.id for view in device.of("person", scene.here)} for device in scene.devices]
    voice.check(
        {row["id"] for row in people} == held[0] == held[1] and not any(row["doubt"] for row in people),
        f"名册 {len(people)} 人，与两部手机上的完全相同",
        "the roster equals both phones",
    )


def export(scene: Scene) -> None:
    """The planner takes GIS files; GDAL opens and counts them."""
    voice, gdal = scene.voice, Gdal()
    voice.act("八 规划师取图", "The planner takes GIS files")
    planner = Office(scene.address, "planner", PASSWORD)
    refused, _ = planner.send("GET", f"/api/v1/cells/{HERE}/roster/persons")
    voice.check(refused == 403, f"{planner.name}看不到人员名册 (403)，可以取图", "no personal data for planners")
    figures = planner.get(BASELINE)
    wanted = {"cells": len(figures["cells"])} | {f"{kind}s": total(figures, kind) for kind in ("building", "resource")}
    package = planner.export("geopackage", list(LAYERS), scene.folder)
    archive = planner.export("geojson", list(LAYERS), scene.folder)
    with zipfile.ZipFile(archive) as members:
        members.extractall(scene.folder / "geojson")
    by_layer = {layer: scene.folder / "geojson" / f"{layer}.geojson" for layer in LAYERS}
    rows: list[Sequence[Any]] = [("图层 layer", "底数 baseline", "GeoPackage", "GeoJSON", f"其中 {short(HERE)}")]
    right = True
    for layer, title in LAYERS.items():
        condition = f"{'code' if layer == 'cells' else 'cell_code'} = '{HERE}'"
        counts = [gdal.count(path, layer) for path in (package, by_layer[layer])]
        parts = [gdal.count(path, layer, condition) for path in (package, by_layer[layer])]
        stands = 1 if layer == "cells" else cell_of(figures, HERE)["counts"][layer[:-1]]
        right = right and counts == [wanted[layer]] * 2 and parts == [stands] * 2
        rows.append((f"{title} {layer}", wanted[layer], *counts, parts[0]))
    voice.table(rows)
    voice.check(
        right, f"由另一个程序重新打开并清点：{gdal.name} ({gdal.version})", "reopened and counted by another program"
    )
    leaked = gdal.fields(package, "resources") & {"contact_name", "contact_phone"}
    voice.check(
        "name" in gdal.fields(package, "resources") and not leaked, "文件里没有联系人等个人字段", "no personal column"
    )


def _clock(text: str | None) -> str:
    return (
        "" if not text else datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(LOCAL).strftime("%H:%M:%S")
    )


def _masked(value: Any) -> str:
    """A secret as its mask; the story shows four characters even to those who may see more."""
    text = value.get("mask", "") if isinstance(value, dict) else str(value or "")
    return f"****{text[-4:]}" if text else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("mask") or value.get("zh") or "")
    return "" if value is None else str(value)
