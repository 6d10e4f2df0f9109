"""S21: a cloned or restored phone goes on as an install of its own; nothing is lost and nothing is there twice."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from server.house import uuid7
from server.services.verify import verify
from sync.device import ForkNeeded, HttpTransport, Offline, Phone
from tests.live import LiveCommunity, LiveServer, anchor, home, live_server

__all__ = ["live_server"]


@pytest.fixture
def ground(live_server: LiveServer) -> LiveCommunity:
    return live_server.community()


def _clone(server: LiveServer, phone: Phone, folder: Path) -> tuple[Phone, Phone]:
    phone.close()  # empties the write-ahead log into the file
    shutil.copy(folder / "one", folder / "copy")
    return server.phone(folder / "one"), server.phone(folder / "copy")


def test_trap_18_a_clone_forks_and_both_copies_agree(ground: LiveCommunity, live_server: LiveServer, tmp_path: Path) -> None:
    """S21, S1: what both wrote is kept under its own install; what was written before the copy is there once."""
    one = ground.phone(tmp_path / "one", ground.worker(0))
    one.pull()
    before = home(one, 0, "王小明")
    one.sync()
    shared = one.patch(before["household"], phone="62220001")  # written before the copy, sent by both
    one, copy = _clone(live_server, one, tmp_path)
    home(one, 0, "张一")
    one.sync()
    mine = home(copy, 0, "张二")
    copy.patch(before["persons"][0], occupation_text="教师")
    with pytest.raises(ForkNeeded):
        copy.push()
    old = copy.install_id
    new = copy.fork()
    assert copy.install_id == new != old and copy.status(shared[0]) is not None
    pushed, _ = copy.sync()
    assert "quarantined" not in pushed.outcomes and "conflict" not in pushed.outcomes
    one.sync()
    copy.sync()
    assert one.digests()[ground.stream(0)] == copy.digests()[ground.stream(0)]
    assert one.read(mine["persons"][0]) is not None and len(one.find("person")) == 3
    assert all(standing.settled for standing in copy.operations())
    installs = {row.install_id: row.flag for row in _devices(live_server, ground)}
    assert installs[old] == "forked" and installs[new] is None
    report = verify(live_server.house, ground.community_id)
    assert report.agrees, str(report.difference)


def _devices(server: LiveServer, ground: LiveCommunity) -> Any:
    from server.store import installs
    from server.store.database import read

    with read(server.house.engine) as connection:
        return installs.installs(connection, (ground.community_id,))


class LosesForks(HttpTransport):
    """A network that loses the first answer to a fork."""

    lost = 0

    def request(self, method: str, path: str, **more: Any) -> Any:
        answer = super().request(method, path, **more)
        if path.endswith("/fork") and not self.lost:
            self.lost += 1
            raise Offline("the answer was lost")
        return answer


def test_a_lost_answer_makes_no_second_fork(ground: LiveCommunity, live_server: LiveServer, tmp_path: Path) -> None:
    """L6: asking again with the same id gives the same install."""
    one = ground.phone(tmp_path / "one", ground.worker(0))
    one.pull()
    home(one, 0, "王小明")
    one.sync()
    one, copy = _clone(live_server, one, tmp_path)
    home(one, 0, "张一")
    one.sync()
    home(copy, 0, "张二")
    with pytest.raises(ForkNeeded):
        copy.push()
    copy._transport = LosesForks(live_server.url)
    with pytest.raises(Offline):
        copy.fork()
    copy.fork()
    copy.sync()
    assert len(_devices(live_server, ground)) == 2 and len(copy.find("person")) == 3


def test_only_the_install_itself_can_fork(ground: LiveCommunity, live_server: LiveServer, tmp_path: Path) -> None:
    """A fork id that belongs to another install is refused, as is a log that is none."""
    one, two = (ground.phone(tmp_path / name, ground.worker(0)) for name in ("one", "two"))
    wire = HttpTransport(live_server.url)
    for wrong in ({"fork_id": two.install_id}, {"fork_id": "7"}, {"log": "all"}, {"install_id": two.install_id}):
        body = {"protocol": 1, "install_id": one.install_id, "fork_id": uuid7(), "log": []} | wrong
        assert wire.request("POST", "/api/v1/sync/fork", body=body, token=one.token).status == 422


def test_s21_what_a_fork_sends_again_keeps_its_version(ground: LiveCommunity, live_server: LiveServer, tmp_path: Path) -> None:
    """S21, S20: a movement that the copies contain already is not shown twice while the fork's first pull is under way."""
    one = ground.phone(tmp_path / "one", ground.worker(0))
    one.pull()
    stock = one.create("resource", {"name": "矿泉水", "kind": "supply", "quantity": 5, "anchor": anchor(0)})
    one.sync()
    (moved,) = one.patch(stock, quantity={"delta": -2})  # not sent yet: both copies send it
    one, copy = _clone(live_server, one, tmp_path)
    one.patch(stock, note="甲")
    one.sync()
    copy.patch(stock, note="乙")
    copy.pull()
    with pytest.raises(ForkNeeded):
        copy.push()
    copy.fork()
    for _ in range(2):  # the second time from what is stored
        copy.push()
        view = copy.read(stock)
        assert view is not None and view.fields["quantity"] == 3 and moved not in view.pending
        with copy._store.change("asked again"):
            copy._store.run("UPDATE log SET state = 'sent', v = NULL")
    copy.sync()
    view = copy.read(stock)
    assert view is not None and view.fields["quantity"] == 3 and not view.pending
    report = verify(live_server.house, ground.community_id)
    assert report.agrees, str(report.difference)
