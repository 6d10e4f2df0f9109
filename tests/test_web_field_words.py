"""Every word of the field app stands in both languages, and no word stands anywhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from browser_kit import DemoSite
from playwright.sync_api import Page, expect

FIELD = Path(__file__).resolve().parent.parent / "web" / "field" / "src"
HAN = re.compile(r"[\u4e00-\u9fff]")
PLACE = re.compile(r"\{(\w+)\}")
# Written in the language itself, whichever is shown.
OWN_NAMES = {"app.chinese", "app.english", "app.otherLanguage"}
# Keys whose last part is a code: the codes that can stand there.
BY_CODE = {
    "app.tabs": ("home", "find", "map", "sync", "me"),
    "find.gps": ("none", "refused", "silent"),
    "find.legend": ("fresh", "ageing", "stale", "never", "empty"),
    "find.map.base.fetched": ("stopped", "changed", "full"),
    "record.away.asked": ("phone", "here", "there"),
    "record.life": ("deleted", "merged", "erased"),
    "record.lives": (
        "lives_registered", "lives_not_registered", "registered_elsewhere", "registered_hanging", "living_alone", "empty_nest",
    ),
    "record.move": ("inside", "outside", "community"),
    "record.measure": ("m", "m2", "h", "yuan"),
    "record.more": ("edit", "dwelling", "head", "move", "split", "join", "history"),
    "start.me.pin": ("old", "new", "again"),
    "start.code": ("aim", "noCamera", "notFound"),
    "sync.act": ("move_household", "split_household", "join_households", "change_head", "person_left", "person_died"),
    "sync.did": ("create", "patch", "confirm", "delete", "restore", "resolve", "command"),
    "sync.kind": ("waiting", "conflict", "asked", "overwritten", "held", "quarantined", "declined", "erased", "released"),
    "sync.next": ("conflict", "asked", "quarantined", "declined"),
    "sync.refusal": (
        "wrong_type", "not_a_candidate", "no_such_community", "no_place", "not_a_member", "leaves", "the_same", "outside_box", "axes_swapped",
    ),
    "sync.phase": ("push", "pull", "reference", "done"),
}


def _pairs() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}

    def walk(prefix: str, node: object) -> None:
        if isinstance(node, list):
            found[prefix] = node
        elif isinstance(node, dict):
            for key, inner in node.items():
                walk(f"{prefix}.{key}", inner)

    for file in sorted((FIELD / "words").glob("*.json")):
        walk(file.stem, json.loads(file.read_text(encoding="utf-8")))
    return found


def _sources() -> Iterator[tuple[Path, str]]:
    for file in sorted([*FIELD.rglob("*.vue"), *FIELD.rglob("*.ts")]):
        if file.name.endswith(".test.ts"):
            continue
        yield file, re.sub(r"(?m)^\s*(//|/\*\*|\*).*$|<!--.*?-->", "", file.read_text(encoding="utf-8"))


def _used() -> set[str]:
    first = "|".join(sorted({key.split(".")[0] for key in _pairs()}))
    found: set[str] = set()
    for _, text in _sources():
        found |= set(re.findall(rf"(?<!=)[\"'`]((?:{first})(?:\.\w+)+)[\"'`]", text))
        for stem in re.findall(rf"`((?:{first})(?:\.\w+)*)\.\$\{{", text):
            found |= {f"{stem}.{code}" for code in BY_CODE[stem]}
    return found


def test_every_string_has_both_languages():
    """Neither side is missing, both name the same values, and the English is English."""
    for key, pair in _pairs().items():
        assert len(pair) == 2, key
        zh, en = pair
        assert zh.strip(), key
        assert en.strip(), key
        assert PLACE.findall(zh) == PLACE.findall(en) or set(PLACE.findall(zh)) == set(PLACE.findall(en)), key
        if key not in OWN_NAMES:
            assert not HAN.search(en), key
            assert "|" not in zh and "@" not in zh + en, f"{key}: these mean something else to the message format"
            assert "|" not in en or ("{n}" in en and en.count(" | ") == en.count("|") == 1), f"{key}: what is said of one and of many, of a number n"


def test_every_key_that_a_screen_uses_is_there():
    """No screen shows the name of a key instead of words."""
    assert _used() - set(_pairs()) == set()


def test_no_string_is_left_over():
    """What no screen uses any more is taken out."""
    assert set(_pairs()) - _used() == set()


def test_no_words_stand_in_the_screens_themselves():
    """Chinese stands in the lists of words only, so that a switch of language leaves nothing behind."""
    for file, text in _sources():
        for line in text.splitlines():
            # Full-width marks around a unit of measure, and the sign between names, are no words.
            assert not HAN.search(line.split(" // ")[0]), f"{file.name}: {line.strip()[:80]}"


def test_words_are_those_of_the_people():
    """A conflict is 两人填的不一样, 报到 is never 签到, and nobody is 隔离."""
    words = " ".join(zh for zh, _ in _pairs().values())
    assert "两人填的不一样" in words
    assert "待核对" in words
    assert "等另一条" in words
    for machine in ("签到", "隔离", "冲突", "同步", "操作失败", "异常"):
        assert machine not in words, machine


CAMERA = """
    const told = (what) => Object.assign(document.documentElement.dataset, what);
    let [open, looked] = [0, 0];
    window.codes = [];
    window.BarcodeDetector = class { static async getSupportedFormats() { return ['qr_code']; } async detect() { told({ looked: ++looked }); return window.codes; } };
    const canvas = document.createElement('canvas');
    const paint = canvas.getContext('2d');
    setInterval(() => paint.fillRect(0, 0, 9, 9), 100);
    navigator.mediaDevices.getUserMedia = () => new Promise((allow) => { window.allow = () => {
        const stream = canvas.captureStream(5);
        stream.getTracks()[0].stop = function () { delete this.stop; told({ open: --open }); };
        told({ open: ++open });
        allow(stream);
    }; });
"""
"""A camera that this machine has not, and the browser's reader of codes that it has on phones only; `allow()` is the tap that lets the camera be used."""


def test_the_camera_looks_for_a_code_no_longer_than_somebody_holds_it(phone_page: Page, demo_site: DemoSite):
    """What is scanned is taken, camera off; it goes off by itself after a minute, and where the app was closed before anybody had allowed it."""
    page = phone_page
    page.clock.install()
    page.add_init_script(CAMERA)
    page.goto(f"{demo_site.url}/field/")
    told, off = page.locator("html"), ("data-open", "0")
    scan, looks = page.get_by_role("button", name="扫一扫"), page.get_by_role("dialog", name="扫一扫")

    scan.click()
    looks.get_by_role("button", name="关闭").click()
    page.evaluate("allow()")
    expect(told).to_have_attribute(*off)

    scan.click()
    looks.wait_for()
    page.evaluate("allow()")
    expect(told).to_have_attribute("data-looked", re.compile("."))
    page.clock.run_for(61_000)
    expect(looks.get_by_role("status")).to_contain_text("没有扫到，相机已关")
    expect(told).to_have_attribute(*off)
    looks.get_by_role("button", name="关闭").click()

    scan.click()
    looks.wait_for()
    page.evaluate("allow()")
    expect(told).to_have_attribute("data-open", "1")
    page.evaluate("codes = [{ rawValue: 'https://ab12-cd34-ef56.example/field/#/start?code=WXYZ-2345-6789' }]")
    page.clock.run_for(1_000)
    expect(page.get_by_text("设一个 6 位密码")).to_be_visible()
    expect(told).to_have_attribute(*off)
