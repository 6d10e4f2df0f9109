"""After a restore, on the secretary's screen: copies that phones still have, and a phone that the backup does not know."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser_kit import serving
from console_kit import Colleague, choose, faults, rows_of, sign_in
from playwright.sync_api import Page, Playwright, expect

from forms.registry import load_registry
from server.house import uuid7
from sync.device import Phone, Refused
from sync.device.transport import HttpTransport

pytestmark = pytest.mark.long


def test_what_a_restore_lost_is_offered_by_phones_and_an_unknown_phone_is_claimed(
    office_page: Page, demo_copy: Path, tmp_path: Path, playwright: Playwright
):
    """S25, S26: A copy that only a phone has waits beside what stands now until somebody has dealt with it. What a phone of after the backup sends counts once it is said whose it is."""
    page, folder = office_page, tmp_path / "data"
    shutil.copytree(demo_copy, folder)

    def phone(name: str, login: str) -> Phone:
        made = Phone(tmp_path / name, HttpTransport(site.url), lambda: datetime.now(UTC), uuid7, load_registry())
        made.enrol(site.enrolment_code(login), label=name)
        made.sync()
        return made

    with serving(folder) as site:
        port = urlsplit(site.url).port or 0
        old = phone("老手机", "worker1")
        cell = next(one for one in old.digests() if one.startswith("cell/"))
        building = next(one for one in rows_of(site, "building").values() if one.home == cell)
        secretary = Colleague(playwright, site, "secretary")
        shelf = uuid7()
        (first,) = secretary.write({"kind": "create", "type": "resource", "id": shelf, "set": {"name": "铁锹", "kind": "supply", "building": building.id}})
        told = site.dishu("backup", str(tmp_path / "copies"), "--keys", str(tmp_path / "keys"))
        archive = re.match(r"(\S+): ", told)
        assert archive is not None
        seen = {"v": first["record"]["v"], "tag": first["record"]["tag"]}
        (later,) = secretary.write({"kind": "patch", "type": "resource", "id": shelf, "base": seen, "was": {}, "set": {"name": "铁锹和锄头", "capacity_count": 12}})
        assert later["now"]["outcome"] == "applied", later
        box = uuid7()
        (first,) = secretary.write({"kind": "create", "type": "resource", "id": box, "set": {"name": "北门沙袋", "kind": "supply", "building": building.id}})
        assert first["now"]["outcome"] == "applied"
        old.sync()
        assert old.read(box) is not None
        new = phone("新手机", "worker1")
        ladder = new.create("resource", {"name": "消防梯", "kind": "supply", "building": building.id})
        new.sync()
    site.dishu("restore", archive[1], "--key", str(tmp_path / "keys"), "--replace")
    with serving(folder, port) as site:
        assert box not in rows_of(site, "resource") and ladder not in rows_of(site, "resource")
        old.sync(), old.sync()
        new.create("resource", {"name": "应急灯", "kind": "supply", "building": building.id})
        with pytest.raises(Refused):  # whom nobody knows may send, not read
            new.sync()
        sign_in(page, site)
        page.goto(f"{site.url}/#/inbox/recovery")
        card = page.get_by_role("article").filter(has_text="北门沙袋")
        expect(card).to_contain_text("手机上的副本")
        expect(card).to_contain_text("现在：无")
        card.get_by_role("button", name=re.compile("重建档案")).click()
        expect(card).to_be_hidden()
        assert rows_of(site, "resource")[box]["name"] == "北门沙袋"
        # Beside a record that is there: what only the copy says is ticked, what differs is not, and what nobody ticked stays.
        card = page.get_by_role("article").filter(has_text="铁锹和锄头")
        expect(card.get_by_role("row").filter(has_text="名称")).to_contain_text(re.compile("铁锹和锄头.*铁锹"))
        expect(card.get_by_role("checkbox", name=re.compile("名称"))).not_to_be_checked()
        expect(card.get_by_role("checkbox", name=re.compile("容量|容纳"))).to_be_checked()
        assert faults(page) == []
        card.get_by_role("button", name="写回选中的 1 项").click()
        expect(page.locator(".el-message--success").last).to_contain_text("已写入")
        expect(card).to_be_hidden()
        assert (rows_of(site, "resource")[shelf]["name"], rows_of(site, "resource")[shelf]["capacity_count"]) == ("铁锹", 12)
        page.goto(f"{site.url}/#/people/devices")
        row = page.get_by_role("row").filter(has_text="恢复后还不认识")
        row.get_by_role("button", name="认领").click()
        dialog = page.get_by_role("dialog", name="认领")
        choose(dialog, "是谁的手机", "网格员甲", exact=True)
        dialog.get_by_role("button", name="确定").click()
        expect(page.get_by_text("恢复后还不认识")).to_have_count(0)
        assert {"消防梯", "应急灯"} <= {one["name"] for one in rows_of(site, "resource").values()}
        new.sync()
        assert new.read(ladder) is not None and all(one.acknowledged for one in new.operations())
        assert "agree" in site.dishu("verify")
    old.close()
    new.close()
