"""The field app as a cheap phone runs it: Chromium with its processor slowed down four times, beside the limits of the project."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from playwright.sync_api import Page, sync_playwright

from bench.measure_drawn import PHONE, drawn_lines, fill
from bench.measure_lighthouse import NODE, chromium, lighthouse_lines, served_demo
from bench.measure_locate import irregular_cells
from bench.report import Line, median
from bench.served import ROOT
from forms.registry import load_registry
from geo.locate import CellIndex

SLOWER = 4
PERSONS = 10_000
_WEB = ROOT / "web"
_STATIC = ROOT / "server" / "static" / "field"
_KEYS = ("王", "王伟", "w", "wa", "wan", "wangw", "zxs", "1234", "12幢301", "3幢", "李")
_TRIAL = """async ({persons, reference, keys}) => {
    const engine = () => DishuEngine.openEngine({
        store: DishuEngine.indexedDbStore('bench'), transport: DishuEngine.manyServer(persons, reference), pinRounds: 1000});
    const now = () => performance.now();
    const first = await engine();
    await first.enrol({code: 'x', label: 'x', pin: '246810'});
    let start = now();
    const report = await first.sync();
    const synced = now() - start;
    if (!report.complete) throw new Error(JSON.stringify(report.problem));
    first.close();
    const again = await engine();
    start = now();
    await again.unlock('246810');
    const opened = now() - start;
    await new Promise((resolve) => setTimeout(resolve, 6000));
    const keystrokes = {};
    for (let round = 0; round < 3; round++) {
        for (const text of keys) {
            start = now();
            again.search(text, {limit: 40});
            (keystrokes[text] ??= []).push(now() - start);
        }
    }
    const [person] = again.search('王', {types: ['person'], limit: 1});
    const saves = [];
    const bare = [];
    const beside = await new Promise((resolve) => {
        const asked = indexedDB.open('bare', 1);
        asked.onupgradeneeded = () => asked.result.createObjectStore('blocks');
        asked.onsuccess = () => resolve(asked.result);
    });
    for (let at = 0; at < 15; at++) {
        start = now();
        await again.write([{kind: 'patch', id: person.id, set: {name: '甲' + at}}]);
        saves.push(now() - start);
        start = now();
        const transaction = beside.transaction(['blocks'], 'readwrite', {durability: 'strict'});
        transaction.objectStore('blocks').put(new Uint8Array(20000), 'one');
        await new Promise((resolve) => { transaction.oncomplete = resolve; });
        bare.push(now() - start);
    }
    beside.close();
    const heap = performance.memory.usedJSHeapSize / 1e6;
    await again.signOut({abandonUnsent: true});
    again.close();
    return {synced, opened, keystrokes, saves, bare, heap};
}"""


_PLACE = """({features, lons, lats, rounds}) => {
    const index = new DishuEngine.CellIndex(features);
    index.locate(lons[0], lats[0]);
    const seconds = [];
    let found = [];
    for (let round = 0; round < rounds; round++) {
        const start = performance.now();
        found = new Array(lons.length);
        for (let at = 0; at < lons.length; at++) found[at] = index.locate(lons[at], lats[at]);
        seconds.push(performance.now() - start);
    }
    return {seconds, found};
}"""
POINTS = 100_000


def phone_lines(*, npm: bool = True) -> list[Line]:
    """First synchronisation, start, search, save, memory with 10,000 persons; sizes of what is loaded; with ``npm`` Lighthouse of both screens."""
    return [*_sizes(), *_engine_lines(), *(lighthouse_lines() if npm else ())]


def _packed(names: set[str]) -> float:
    return sum(len(gzip.compress((_STATIC / one).read_bytes())) for one in names) / 1000


def _sizes() -> list[Line]:
    """What the first screen loads, and what the map loads beside it; kB as gzip makes them."""
    page = (_STATIC / "index.html").read_text(encoding="utf-8")
    shell = {"index.html", *re.findall(r'(?:src|href)="/field/(assets/[^"]+\.(?:js|css))"(?! disabled)', page)}
    maps = {f"assets/{one.name}" for one in (_STATIC / "assets").iterdir() if re.match(r"(map|Map|leaflet|ground).*\.(js|css)$", one.name)} - shell
    return [
        Line("field app, shell", _packed(shell), "kB gzip", 200, most=True, note=f"{len(shell)} files"),
        Line("field app, map beside it", _packed(maps), "kB gzip", 60, most=True, note=f"{len(maps)} files"),
    ]


def _engine_lines() -> list[Line]:
    with tempfile.TemporaryDirectory() as folder, served_demo() as url, sync_playwright() as playwright:
        command = ["node", "node_modules/vite/bin/vite.js", "build", "--config", "engine.vite.ts", "--outDir", folder]
        subprocess.run(command, cwd=_WEB, env=os.environ | {"PATH": NODE}, check=True, capture_output=True)
        program = (Path(folder) / "engine.js").read_text(encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--enable-precise-memory-info"])
        page = browser.new_page()
        page.goto(f"{url}/healthz")
        page.evaluate(f"() => {{ {program}; window.DishuEngine = DishuEngine; }}")
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        took = page.evaluate(_TRIAL, {"persons": PERSONS, "reference": _reference(), "keys": _KEYS})
        placed = points_line(page)
        page.close()
        page = browser.new_page(**PHONE)
        page.goto(f"{url}/healthz")
        page.evaluate(f"() => {{ {program}; window.DishuEngine = DishuEngine; }}")
        drawn = drawn_lines(page, url, fill(page, PERSONS, _reference()), _KEYS, SLOWER)
        browser.close()
    typed = {text: median(times) for text, times in took["keystrokes"].items()}
    slowest = max(typed, key=lambda text: typed[text])
    what = f"{PERSONS:,} persons, processor {SLOWER} times slower"
    saved = f"slowest of {len(took['saves'])}: {max(took['saves']):.0f} ms; the browser's own durable write of 20 kB beside each: {median(took['bare']):.0f} ms"
    return [
        Line("phone: first synchronisation", took["synced"] / 1000, "s", 20, most=True, note=what),
        Line("phone: start, PIN given", took["opened"] / 1000, "s", 2, most=True, note="until everything can be shown"),
        Line("phone: slowest keystroke", typed[slowest], "ms", 100, most=True, note=f"of {len(_KEYS)}, each the middle one of three: {slowest}"),
        Line("phone: save of a member", median(took["saves"]), "ms", 50, most=True, note=saved),
        Line("phone: memory", took["heap"], "MB", 200, most=True, note="heap of the page's program"),
        placed,
        *drawn,
    ]


def points_line(page: Page, *, points: int = POINTS, rounds: int = 5) -> Line:
    """Many points in the cells of a subdistrict, in a page that holds the engine. AssertionError where it answers otherwise than Python."""
    cells = irregular_cells(17, 30)
    features = [
        {
            "type": "Feature",
            "properties": {"cell_id": cell.cell_id, "code": cell.code, "name": "", "layer": cell.layer, "order": cell.order},
            "geometry": json.loads(shapely.to_geojson(cell.geometry)),
        }
        for cell in cells
    ]
    shapes = np.array([cell.geometry for cell in cells], dtype=object)
    west, south, east, north = shapely.total_bounds(shapes)
    chance = np.random.default_rng(5)
    lons, lats = np.round(chance.uniform(west, east, points), 7), np.round(chance.uniform(south, north, points), 7)
    corners = shapely.get_coordinates(shapes)
    some = corners[chance.integers(0, len(corners), points // 100)]
    lons[: len(some)], lats[: len(some)] = some.T  # where the tie rule speaks
    index = CellIndex(cells)
    wanted = [index.cell_ids[at] if at >= 0 else None for at in index.locate_many(lons=lons, lats=lats).tolist()]
    took = page.evaluate(_PLACE, {"features": features, "lons": lons.tolist(), "lats": lats.tolist(), "rounds": rounds})
    if took["found"] != wanted:
        raise AssertionError("the phone finds other cells than the server")
    note = f"{len(cells)} cells of 30 vertices, ties included, the server's answers; processor {SLOWER} times slower; {min(took['seconds']):.0f} to {max(took['seconds']):.0f}"
    return Line(f"phone: {points:,} points", median(took["seconds"]), "ms", 200, most=True, note=note)


def _reference() -> Any:
    registry = load_registry()
    content: dict[str, Any] = {
        "community": {}, "edition": None, "cells": {"type": "FeatureCollection", "features": []}, "assignments": [],
        "forms": {name: registry.latest(name).document for name in registry.types()},
        "codelists": {name: one.document for name, one in registry.codelists().items()},
    }  # fmt: skip
    return json.loads(json.dumps(content, default=dict))
