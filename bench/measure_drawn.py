"""The drawn field app with a full phone: from its address to the day's list without a network, a keystroke until its hits stand, a save until its screen does.

The page's own engine fills the phone beside it from a server in the page, with the PIN's real stretching; what is measured is the served app on that storage.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from bench.report import Line, median

PIN = "258036"
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True, "locale": "zh-CN"}
ROUNDS = 5
SAVES = 15
LOOKED_AT_MS = 3000
_FILL = """async ({persons, reference, pin}) => {
    const engine = await DishuEngine.openEngine({...DishuEngine.browserParts('/'), transport: DishuEngine.manyServer(persons, reference)});
    await engine.enrol({code: 'x', label: 'x', pin});
    const report = await engine.sync();
    if (!report.complete) throw new Error(JSON.stringify(report.problem));
    const counts = {households: engine.count('household'), persons: engine.count('person'), person: engine.search('王', {types: ['person'], limit: 1})[0].id};
    engine.close();
    return counts;
}"""
#: Runs before the app's own program: `until(found)` waits from now on until `found()` holds after a change of the page, and its picture was drawn;
#: `kept()` until the first writing transaction of the storage that begins from now on has ended.
_WATCH = """window.until = (found) => new Promise((done) => {
    const start = performance.now();
    const drawn = () => requestAnimationFrame(() => { const channel = new MessageChannel(); channel.port1.onmessage = () => done(performance.now() - start); channel.port2.postMessage(0); });
    const look = () => found() && (watching.disconnect(), drawn());
    const watching = new MutationObserver(look);
    watching.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
    look();
});
window.kept = () => new Promise((done) => {
    const start = performance.now();
    const usual = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...asked) {
        const begun = usual.apply(this, asked);
        if (asked[1] === 'readwrite') {
            IDBDatabase.prototype.transaction = usual;
            begun.addEventListener('complete', () => done(performance.now() - start));
        }
        return begun;
    };
});"""
_READY = "() => { const sync = document.querySelector('section.sync button.main'); return sync !== null && !sync.disabled; }"
_DAY = "() => document.querySelector(\"main a.item[href*='/household/']\") !== null"
_PAD = "() => document.querySelector('main.unlock') !== null"
_LAST_DIGIT = f"""async (digit) => {{
    const [stands, opened] = [until({_DAY}), until({_READY})];
    [...document.querySelectorAll('button')].find((one) => one.textContent.trim() === digit).click();
    return [await stands, await opened];
}}"""
_KEY = """(text) => {
    const box = document.querySelector('#find');
    box.value = text;
    box.dispatchEvent(new InputEvent('input', {bubbles: true}));
    return until(() => document.querySelector('main.screen').dataset.asked === text);
}"""
_SAVE = """async ({person, note}) => {
    document.querySelector(`a[href$="/edit/${person}/identity"]`).click();
    await until(() => document.querySelector('#f-name') !== null);
    const box = document.querySelector('#f-name');
    box.value = note;
    box.dispatchEvent(new InputEvent('input', {bubbles: true}));
    await until(() => document.querySelector('form').dataset.kept === 'true');
    const [safe, left] = [kept(), until(() => location.hash.startsWith('#/person/') && document.querySelector('main .facts') !== null)];
    document.querySelector('form button[type=submit]').click();
    return [await safe, await left];
}"""


def fill(page: Page, persons: int, reference: Any) -> dict[str, Any]:
    """Households, persons and the id of one, kept where the app looks for them; the page holds the engine."""
    filled: dict[str, Any] = page.evaluate(_FILL, {"persons": persons, "reference": reference, "pin": PIN})
    return filled


def drawn_lines(page: Page, url: str, filled: dict[str, Any], keys: tuple[str, ...], slower: int) -> list[Line]:
    """Start, keystroke, save and memory of the app on a phone that was filled."""
    page.add_init_script(_WATCH)
    page.goto(f"{url}/field/")
    page.locator("main.unlock").wait_for()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")  # the whole program is kept before a worker is ready
    tools = page.context.new_cdp_session(page)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.context.set_offline(True)
    first = _start(page, url)
    started = [_start(page, url) for _ in range(ROUNDS)]
    page.evaluate("location.hash = '/find'")
    page.locator("#find").wait_for()
    typed = {text: median([_keystroke(page, text) for _ in range(3)]) for text in keys}
    slowest = max(typed, key=lambda text: typed[text])
    page.evaluate("id => { location.hash = `/person/${id}` }", filled["person"])
    page.locator("main .facts").first.wait_for()
    kept, saved = zip(*(page.evaluate(_SAVE, {"person": filled["person"], "note": f"甲{at}"}) for at in range(SAVES)), strict=True)
    tools.send("HeapProfiler.collectGarbage")
    heap = float(page.evaluate("performance.memory.usedJSHeapSize / 1e6"))
    pads, days, opens = (median(list(one)) for one in zip(*started, strict=True))
    what = (
        f"address to PIN {pads:.0f} ms, PIN to the day's list {days:.0f} ms, to everything {opens:.0f} ms, on a phone whose list has been looked at before; "
        f"the very first time after the first synchronisation {first[0]:.0f} and {first[1]:.0f} ms; {filled['households']:,} households, {filled['persons']:,} persons, no network"
    )
    return [
        Line("app: start without a network", median([pad + day for pad, day, _ in started]) / 1000, "s", 2, most=True, note=what),
        Line("app: slowest keystroke", typed[slowest], "ms", 100, most=True, note=f"until its hits are drawn, of {len(keys)}, each the middle one of three: {slowest}"),
        Line("app: save of a member", median(saved), "ms", 50, most=True, note=f"from the tap until the person is drawn with it, durably kept after {median(kept):.0f} ms; slowest of {SAVES}: {max(saved):.0f} and {max(kept):.0f} ms"),
        Line("app: memory", heap, "MB", 200, most=True, note="heap of the page's program, what is not used any more let go"),
    ]


def _start(page: Page, url: str) -> tuple[float, float, float]:
    """Milliseconds from the address to the drawn PIN pad, and from its last digit to the drawn list of the day and to all records being open.

    The list is looked at for ``LOOKED_AT_MS`` afterwards: meanwhile the phone keeps it for the next time.
    """
    page.goto("about:blank")
    page.goto(f"{url}/field/", wait_until="commit")
    page.wait_for_function(_PAD)
    pad = float(page.evaluate(f"async () => {{ await until({_PAD}); return performance.now(); }}"))
    for digit in PIN[:-1]:
        page.get_by_role("button", name=digit, exact=True).click()
    day, opened = page.evaluate(_LAST_DIGIT, PIN[-1])
    page.wait_for_timeout(LOOKED_AT_MS)
    return pad, float(day), float(opened)


def _keystroke(page: Page, text: str) -> float:
    """Milliseconds from one more character in the box until what it finds is drawn."""
    for part in ("", text[:-1]):
        if page.locator("#find").input_value() != part:
            page.evaluate(_KEY, part)
    return float(page.evaluate(_KEY, text))
