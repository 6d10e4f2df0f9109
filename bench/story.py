"""The story of two phones (`make demo`): a served house, two phones that work offline, a secretary, a planner.

Every line with a check mark was checked, over real HTTP; the story ends with 1 and one line when something is not as told.
People, documents and phone numbers are those of the invented demo.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.story_office import BASELINE, HERE, THERE, cell_of, compare, export, read_roster, settle, short, total
from bench.story_scene import (
    LOCAL,
    Cast,
    Scene,
    ask_for_document,
    choose,
    new_check_in,
    new_family,
    new_resource,
    stays_on_the_phone,
)
from bench.story_stage import NotAsTold, Office, Voice, dishu, served
from server.demo.load import COMMUNITY_NAME, PASSWORD

SLOW_CLOCK = timedelta(minutes=47)
EVENINGS = "工作日晚上七点以后"


def open_house(folder: Path, address: str, voice: Voice) -> Scene:
    """The secretary signs in and looks at the figures."""
    voice.act("一 开门", "The house opens")
    voice.say(f"dishu serve → {address}", "a real server on a free port, a new folder, the demo loaded")
    secretary = Office(address, "secretary", PASSWORD)
    refused, _ = secretary.send("POST", "/api/v1/read-tokens", {"label": "x"}, csrf="forged")
    voice.check(refused == 403, f"{secretary.name}登录；别处伪造的请求被拒绝 (403)", "session and CSRF token")
    before = secretary.get(BASELINE)
    counts, cells = before["total"]["counts"], before["cells"]
    voice.check(
        len(cells) >= 20 and sum(cell["counts"]["household"] for cell in cells) == counts["household"] > 2000,
        f"{COMMUNITY_NAME}：{len(cells)} 个网格，{counts['household']:,} 户，{counts['person']:,} 人，"
        f"党员 {counts['party_member']}，资源 {counts['resource']}",
        "every household in exactly one cell",
    )
    return Scene(folder, address, voice, secretary, before)


def enrol(scene: Scene) -> None:
    """The second worker becomes the substitute in the first one's cell; both phones enrol and pull."""
    voice, office = scene.voice, scene.secretary
    voice.act("二 两部手机登记", "Two phones enrol and pull")
    users = {user["login"]: user for user in office.get("/api/v1/users")["users"]}
    cells = {cell["properties"]["code"]: cell["id"] for cell in office.get("/api/v1/reference")["cells"]["features"]}
    scene.here, scene.there = f"cell/{cells[HERE]}", f"cell/{cells[THERE]}"
    substitute = {"user_id": users["worker2"]["user_id"], "cell_id": cells[HERE], "duty": "substitute"}
    office.post("/api/v1/assignments", substitute)
    voice.say(
        f"书记让{users['worker2']['name']}代班网格 {short(HERE)}，发两个一次性登记码", "a substitute; one-time codes"
    )
    clocks = (("甲", "worker1", lambda: datetime.now(LOCAL)), ("乙", "worker2", lambda: datetime.now(LOCAL) - SLOW_CLOCK))
    for who, login, clock in clocks:
        code = office.post("/api/v1/enrolment-codes", {"user_id": users[login]["user_id"]})["code"]
        device = scene.new_device(who, code, clock)
        report = device.phone.pull()
        streams = [stream for stream in device.phone.digests() if stream.startswith("cell/")]
        used = device.radio.request("POST", "/api/v1/enroll", body={"code": code, "label": "copy"})
        voice.check(
            report.complete and not report.rebuilt and len(streams) in (2, 3) and used.status >= 400,
            f"手机{who}：只有网格 {' '.join(sorted(map(short, streams)))}，{report.rows:,} 行；登记码不能再用",
            "its own cells only; the code is used up",
        )
    voice.say(f"手机乙的钟慢 {SLOW_CLOCK.seconds // 60} 分钟，只当作声称的时间", "no clock is trusted")


def work_offline(scene: Scene) -> Cast:
    """Both work without a network; nothing of it leaves the phones."""
    voice = scene.voice
    one, two = scene.devices
    voice.act("三 没有信号", "Both phones are offline")
    requests = [device.radio.requests for device in scene.devices]
    for device in scene.devices:
        device.radio.on = False
    cast = choose(scene)
    cast.phone = scene.documents.phone()
    one.phone.patch(cast.home, phone=cast.phone)
    two.phone.patch(cast.home, preferred_time_text=EVENINGS)
    voice.say(f"同一户 {scene.door(one.view(cast.home))}：甲改电话，乙改方便走访时间", "one household, different units")
    tails = [ask_for_document(scene, cast, one, evidence="shown"), ask_for_document(scene, cast, two, evidence="told")]
    voice.say(
        f"同一人 {one.view(cast.asked).fields['name']}：甲看证件记下尾号 {tails[0]}，乙听说记下 {tails[1]}",
        "one person, the same unit",
    )
    new_family(scene, cast, one)
    voice.say(f"甲：{scene.door(cast.empty_here)} 新来一家三口", "a household with members")
    new_check_in(cast, one)
    voice.say(f"甲：党员 {cast.member.fields['name']} 来报到，认领助老服务", "a check-in")
    voice.say(f"乙：{new_resource(scene, cast, two)}架空层有瓶装水 40 箱", "a resource")
    two.phone.patch(cast.moving, dwelling=cast.empty_there.id)
    voice.say(
        f"乙：一家 {len(cast.movers)} 口搬到 {scene.door(cast.empty_there)}，即 {short(HERE)} → {short(THERE)}",
        "to another cell: a patch of the dwelling",
    )
    waiting = [len(device.phone.operations()) for device in scene.devices]
    voice.check(
        all(stays_on_the_phone(device) for device in scene.devices),
        f"点“同步”：无信号，都留在手机里（甲 {waiting[0]} 项，乙 {waiting[1]} 项）",
        "sync says offline, the log keeps all",
    )
    voice.check(
        requests == [device.radio.requests for device in scene.devices], "离线期间网络请求 0 次", "no request was sent"
    )
    return cast


def come_back(scene: Scene, cast: Cast) -> None:
    """Push, push the same bytes again, pull."""
    voice = scene.voice
    one, two = scene.devices
    voice.act("四 信号回来", "Push, push again, pull")
    for device in scene.devices:
        device.radio.on = True
    expected = ((two, {"applied": 3}), (one, {"merged": 1, "conflict": 1}))
    for device, least in expected:
        report = device.phone.push()
        told = "，".join(f"{_OUTCOMES.get(outcome, outcome)} {count}" for outcome, count in sorted(report.outcomes.items()))
        voice.check(
            all(report.outcomes[name] >= count for name, count in least.items())
            and set(report.outcomes) <= set(_OUTCOMES)
            and report.answered == len(device.phone.operations()),
            f"手机{device.who}上传 {report.answered} 项：{told}",
            ", ".join(f"{count} {outcome}" for outcome, count in sorted(report.outcomes.items())),
        )
    for device in scene.devices:
        device.phone.pull()
    before = [device.phone.digests() for device in scene.devices]
    for device in scene.devices:
        first = device.radio.answered or {}
        fingerprint, second = device.radio.again(device.phone.token)
        voice.check(
            first["results"] == second["results"] and first["applied"] == second["applied"],
            f"手机{device.who}把同样的字节再传一次 (SHA-256 {fingerprint[:12]}…)：{len(second['results'])} 个回执一字不差",
            "the same answers",
        )
    rows = [device.phone.pull().rows for device in scene.devices]
    voice.check(
        rows == [0, 0] and before == [device.phone.digests() for device in scene.devices],
        "再拉取：0 行，什么都没变",
        "nothing changed",
    )
    after = scene.secretary.get(BASELINE)
    grown = len(cast.persons)
    moved = len(cast.movers)
    voice.check(
        _change(scene, after, HERE) == (0, grown - moved)
        and _change(scene, after, THERE) == (1, moved)
        and total(after, "household") == total(scene.before, "household") + 1
        and total(after, "person") == total(scene.before, "person") + grown
        and total(after, "resource") == total(scene.before, "resource") + 1,
        f"底数：{short(HERE)} 户 +1−1，人 +{grown}−{moved}；{short(THERE)} 户 +1，人 +{moved}；重传没有多出一户",
        "the baseline counts each once",
    )
    household = [device.view(cast.home) for device in scene.devices]
    voice.check(
        household[0].fields == household[1].fields
        and household[0].fields["preferred_time_text"] == EVENINGS
        and household[0].fields["phone"] == cast.phone
        and not household[0].conflicts,
        f"同一户：电话和走访时间都在（第 {household[0].v} 版）",
        "different units: both survive",
    )
    voice.check(
        all((cast.asked, "person", "identity_document") in device.phone.conflicts() for device in scene.devices),
        "同一人：两部手机都看到“两人填的不一样”，两个值都保留",
        "the same unit: a conflict, nothing lost",
    )
    homes = {two.view(record_id).home for record_id in (cast.moving, *cast.movers)}
    gone = [record_id for record_id in (cast.moving, *cast.movers) if one.phone.read(record_id) is not None]
    cards = {view.fields.get("person") for view in one.of("reference_card", scene.here)}
    voice.check(
        homes == {scene.there} and not gone and cards >= set(cast.registered_here),
        f"搬家的一户连同 {moved} 人从甲的手机移出；户籍还在原址的 {len(cast.registered_here)} 人留下引用卡",
        "moved with its members; cards stay where they are registered",
    )
    voice.check(
        all(two.view(record_id).home == scene.here for record_id in (cast.household, *cast.persons, cast.check_in))
        and one.view(cast.resource).home == scene.here,
        f"新来的一家、报到、瓶装水在另一部手机上也归在 {short(HERE)}",
        "what one wrote, the other sees",
    )


_OUTCOMES = {"applied": "已写入", "merged": "已合并", "unchanged": "无需改动", "conflict": "两人填的不一样"}


def _change(scene: Scene, after: dict[str, Any], code: str) -> tuple[int, int]:
    """Households and persons that a cell has won or lost since the house opened."""
    was, now = cell_of(scene.before, code)["counts"], cell_of(after, code)["counts"]
    return now["household"] - was["household"], now["person"] - was["person"]


def tell(folder: Path, voice: Voice) -> None:
    """All acts in order; ``folder`` is empty and may be thrown away afterwards."""
    print("Dishu 底数 · 两部手机的故事  The story of two phones")
    print("   人名、证件、电话都是虚构的 · people, documents and phone numbers are invented")
    data = folder / "data"
    dishu(data, "demo", "--ensure", "--quiet")
    with served(data) as address:
        scene = open_house(folder, address.rstrip("/"), voice)
        try:
            enrol(scene)
            cast = work_offline(scene)
            come_back(scene, cast)
            settle(scene, cast)
            compare(scene)
            read_roster(scene, cast)
            export(scene)
        finally:
            for device in scene.devices:
                device.phone.close()


def main(story: Callable[[Path, Voice], None] = tell) -> int:
    """Tell the story; 0 when all of it is as told, else 1 after one line on standard error."""
    started = time.monotonic()
    voice = Voice()
    try:
        with tempfile.TemporaryDirectory(prefix="dishu-story-") as folder:
            story(Path(folder), voice)
    except NotAsTold as error:
        return _broken(str(error))
    except Exception as error:  # whatever it is, the reader is told in one line how far the story came
        return _broken(f"{voice.title}：{type(error).__name__} {error}")
    print(f"\n{voice.checks} 处核对全部相符，用时 {time.monotonic() - started:.0f} 秒 · all checks hold", flush=True)
    return 0


def _broken(reason: str) -> int:
    print(f"故事不符 / not as told: {' '.join(reason.split())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
