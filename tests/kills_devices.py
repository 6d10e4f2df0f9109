"""Lean phones for hard trials: twenty in one thread, each with a log of its own bytes and of every answer that it was given.

They speak plain HTTP over a connection per request, follow docs/protocol.md, and raise AssertionError at the first answer
that takes back an earlier one.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from server_kit import anchor, create, operation, resident

from server.house import uuid7
from server.store.database import stamp
from sync.digest import MODULUS, from_hex, record_hash, status_hash

# Refused writes wait for a person, and everything behind them: they must be few.
_WEIGHTS = {
    "home": 4, "tag": 10, "call": 8, "work": 8, "stock": 10, "move_home": 4, "move_building": 2, "move_person": 3,
    "delete": 2, "restore": 1, "check_in": 4, "early_visit": 3, "confirm": 3, "refused": 0.2, "twice": 1,
}  # fmt: skip


class Offline(Exception):
    """No answer came, or half of one."""


@dataclass
class World:
    """What the phones of a trial share: where servers are, what was promised, when to stop, and counts of what happened."""

    ports: list[int]
    stock: str = ""
    stop: bool = False
    up: dict[int, asyncio.Event] = field(default_factory=dict)
    promised: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    shared: deque[str] = field(default_factory=lambda: deque(maxlen=10))
    in_flight: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    async def ask(self, port: int, path: str, body: bytes, token: str, *, hang_up: bool = False) -> tuple[int, dict[str, str], Any]:
        """One request; ``hang_up`` leaves before the answer. Offline when no whole answer came."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer = None
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(head.encode() + body)
                await writer.drain()
                if hang_up:
                    raise Offline
                answer = await reader.read()
        except TimeoutError as error:
            self.counts["answers not come within 30 s"] += 1
            raise Offline from error
        except OSError as error:
            raise Offline from error
        finally:
            if writer is not None:
                writer.close()
        top, separator, content = answer.partition(b"\r\n\r\n")
        lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if not separator or len(content) != int(headers.get("content-length", -1)):
            raise Offline
        self.up.setdefault(port, asyncio.Event()).set()
        return int(lines[0].split(" ")[1]), headers, json.loads(content)


@dataclass(slots=True)
class Entry:
    """An operation in a phone's log: its frozen text, and the answer once there was one."""

    n: int
    op: dict[str, Any]
    text: str
    group: int
    first: dict[str, Any] | None = None
    now: dict[str, Any] | None = None
    unanswered_at: str = ""


@dataclass
class Device:
    """A phone: its log, its copies, its cursor."""

    world: World
    install_id: str
    token: str
    chance: random.Random
    log: list[Entry] = field(default_factory=list)
    answered: int = 0
    cursor: str | None = None
    scope: dict[str, int] = field(default_factory=lambda: {"version": 0, "last_n": 0})
    copies: dict[str, dict[str, tuple[int, str]]] = field(default_factory=lambda: defaultdict(dict))
    sums: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, int] = field(default_factory=dict)
    bases: dict[str, dict[str, Any]] = field(default_factory=dict)
    kinds: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    shown: set[tuple[str, str]] = field(default_factory=set)
    told: dict[str, Any] = field(default_factory=dict)
    pledged: list[str] = field(default_factory=list)
    deleted: list[tuple[str, str]] = field(default_factory=list)

    # ------------------------------------------------------------ a day
    async def live(self) -> None:
        """Write, push and pull until the trial stops."""
        while not (self.world.stop or await self.pull(None)):
            pass
        while not self.world.stop:
            if len(self.log) < self.answered + 60:
                for _ in range(self.chance.randrange(1, 5)):
                    self.write(self._something())
            await self.push()
            if self.chance.random() < 0.5:
                await self.pull(self.chance.choice((3, 50, None)), pages=self.chance.randrange(1, 4))
            await asyncio.sleep(self.chance.uniform(0, 0.3))

    async def follow(self) -> None:
        """Read small pages for ever, as who only looks on; a page a moment is all that it takes."""
        while not self.world.stop:
            await self.pull(7, pages=1)
            await asyncio.sleep(0.01)

    async def settle(self) -> None:
        """Write what was promised, send everything that has no answer, read to the end."""
        for household in self.pledged:
            self.write(self._home(household))
        self.pledged.clear()
        while self.answered < len(self.log):
            await self.push()
        while not await self.pull(None):
            pass

    async def tell_again(self) -> None:
        """Send the whole log from the first operation on: every answer is the one that was given before."""
        position = 0
        while position < len(self.log):
            position += await self._send(position, self._end_of_groups(position, 1500))

    # ------------------------------------------------------------ pushing
    def write(self, group: list[dict[str, Any]]) -> None:
        """Put a group into the log, frozen."""
        start = len(self.log) + 1
        for op in group:
            self.log.append(Entry(len(self.log) + 1, op, json.dumps(op, ensure_ascii=False), start))

    async def push(self) -> None:
        """Send what has no answer, sometimes with what had one."""
        start = self.answered
        if start and self.chance.random() < 0.15:  # an old request once more
            start = self.log[self.chance.randrange(max(0, start - 20), start)].group - 1
        if start < len(self.log):
            await self._send(start, self._end_of_groups(start, 60))

    def _end_of_groups(self, start: int, most: int) -> int:
        end = min(len(self.log), start + most)
        while end < len(self.log) and self.log[end].group <= end:
            end += 1
        return end

    async def _send(self, start: int, end: int) -> int:
        """Send log entries as one batch; how many were answered."""
        entries = self.log[start:end]
        groups: dict[int, list[dict[str, Any]]] = {}
        for entry in entries:
            groups.setdefault(entry.group, []).append({"n": entry.n, "op": entry.text})
        after = self.log[start - 1] if start else None
        body = json.dumps({
            "protocol": 1, "install_id": self.install_id, "scope": self.scope, "sent_at": stamp(datetime.now(UTC)),
            "after": {"n": after.n, "op_id": after.op["op_id"]} if after else {"n": 0, "op_id": None},
            "groups": [{"ops": ops} for ops in groups.values()],
        }).encode()  # fmt: skip
        roll = self.chance.random()
        tries = 2 if roll < 0.03 else 1  # a proxy that sends a request twice
        self.world.in_flight += 1
        try:
            jobs = [self._ask("push", body, hang_up=0.03 < roll < 0.07) for _ in range(tries)]
            answers = await asyncio.gather(*jobs)
        finally:
            self.world.in_flight -= 1
        count = max(self._believe(said, start) if said is not None else 0 for said in answers)
        for entry in entries[count:]:
            if entry.first is None:
                entry.unanswered_at = stamp(datetime.now(UTC))
        return count

    async def _ask(self, what: str, body: bytes, *, hang_up: bool = False) -> Any:
        """The answer to a request, None where none came or the server asks to come back."""
        port = self.chance.choice(self.world.ports)
        try:
            status, headers, said = await self.world.ask(port, f"/api/v1/sync/{what}", body, self.token, hang_up=hang_up)
        except Offline:
            self.world.counts["requests without an answer"] += 1
            await asyncio.sleep(self.chance.uniform(0.02, 0.2))
            return None
        if status == 503:
            self.world.counts[f"503 {said['type'].rpartition('/')[2]}"] += 1
            assert int(headers["retry-after"]) >= 1, "a 503 says when to come back"
            await asyncio.sleep(int(headers["retry-after"]) * self.chance.uniform(0.3, 1))
            return None
        assert status == 200, (status, said)
        return said

    def _believe(self, said: dict[str, Any], start: int) -> int:
        """Compare with what was answered before, and keep it; how many results it holds."""
        assert "expected" not in said, ("the server does not follow this phone's log", said["expected"], start)
        assert [one["n"] for one in said["results"]] == list(range(start + 1, start + 1 + len(said["results"])))
        for one in said["results"]:
            entry = self.log[one["n"] - 1]
            assert one["op_id"] == entry.op["op_id"], "an answer about another operation"
            assert one["first"]["reason"] not in {"unexpected", "op_id_reused", "oversized"}, one
            assert entry.first in (None, one["first"]), ("an acknowledged answer was taken back", entry.first, one)
            entry.first, entry.now = one["first"], one["now"]
        self.answered = max(self.answered, start + len(said["results"]))
        self.world.counts["pushes answered"] += 1
        return len(said["results"])

    # ------------------------------------------------------------ pulling
    async def pull(self, limit: int | None, *, pages: int = 1_000_000) -> bool:
        """Read pages; whether the last one was complete."""
        for _ in range(pages):
            body = {"protocol": 1, "install_id": self.install_id, "cursor": self.cursor, "limit": limit}
            said = await self._ask("pull", json.dumps(body).encode())
            if said is None:
                return False
            self._keep(said)
            if said["complete"]:
                return True
        return False

    def _keep(self, said: dict[str, Any]) -> None:
        assert not said["replace"] and not said["scope"]["dropped"], "nothing made the server forget what was read"
        self.cursor = said["cursor"]
        if said["scope"]["version"] != self.scope["version"]:
            self.scope = {"version": said["scope"]["version"], "last_n": len(self.log)}
        for row in said["rows"]:
            stream = row["stream"]
            self.seen[stream, row["seq"]] += 1
            if row["kind"] == "PUT":
                record = row["record"]
                self._replace(stream, record["id"], (record["v"], record["tag"]))
                if record["id"] not in self.bases:
                    self.kinds[record["type"]].append(record["id"])
                if record["v"] >= self.bases.get(record["id"], {"v": 0})["v"]:
                    self.bases[record["id"]] = {"v": record["v"], "tag": record["tag"]}
            elif row["kind"] == "REMOVE":
                self._replace(stream, row["id"], None)
            else:
                self.sums[stream] += status_hash(row["op_id"], row["status"])
                if row["op_id"] in self.statuses:
                    self.sums[stream] -= status_hash(row["op_id"], self.statuses[row["op_id"]])
                self.statuses[row["op_id"]] = row["status"]
        if said["complete"]:
            self.told = said["streams"]
            for stream, total in self.told.items():
                mine = (len(self.copies[stream]), self.sums[stream] % MODULUS)
                assert (total["count"], from_hex(total["digest"])) == mine, ("copies differ", stream)

    def _replace(self, stream: str, record_id: str, version: tuple[int, str] | None) -> None:
        old = self.copies[stream].pop(record_id, None)
        if old is not None:
            self.sums[stream] -= record_hash(record_id, *old)
        if version is not None:
            self.copies[stream][record_id] = version
            self.shown.add((stream, record_id))
            self.sums[stream] += record_hash(record_id, *version)

    # ------------------------------------------------------------ writing
    def _something(self) -> list[dict[str, Any]]:
        """A group of one of many sorts; a new home where the sort needs records that are not there yet."""
        sort = self.chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        try:
            made: list[dict[str, Any]] = getattr(self, f"_{sort}")()
        except LookupError:
            return self._home()
        return made

    def _pick(self, record_type: str) -> str:
        """A record that was pulled once: one of a few that all phones like, or of the newest."""
        known = self.kinds[record_type]
        return self.chance.choice(known[:6] if self.chance.random() < 0.4 else known[-40:])

    def _patch(self, record_type: str, record_id: str, values: dict[str, Any], kind: str = "patch") -> list[dict[str, Any]]:
        """A patch on what was pulled, or rarely on nothing that is known."""
        base = self.bases.get(record_id) if self.chance.random() > 0.05 else None
        return [operation(kind, record_type, record_id, values, base=base)]

    def _token(self) -> str:
        return f"{self.install_id[-6:]}-{len(self.log)}"

    def _home(self, household: str | None = None) -> list[dict[str, Any]]:
        house = create("building", {"name": f"{len(self.log)} 幢", "anchor": anchor(self.chance.randrange(3))})
        dwelling = create("dwelling", {"building": house["id"], "door_number": "101"})
        family = create("household", {"dwelling": dwelling["id"], "kind": "family"}, household)
        return [house, dwelling, family, *(resident(family["id"], name) for name in ("王一", "王二"))]

    def _tag(self) -> list[dict[str, Any]]:
        return self._patch("household", self._pick("household"), {"tags": {"add": [self._token()]}})

    def _call(self) -> list[dict[str, Any]]:
        return self._patch("household", self._pick("household"), {"phone": f"138{self.chance.randrange(10**8):08d}"})

    def _work(self) -> list[dict[str, Any]]:
        one, other = {"occupation_text": self._token()}, {"phones": {"add": [self._token()]}}
        return self._patch("person", self._pick("person"), self.chance.choice((one, other, one | other)))

    def _stock(self) -> list[dict[str, Any]]:
        return self._patch("resource", self.world.stock, {"quantity": {"delta": self.chance.randrange(-9, 10)}})

    def _move_home(self) -> list[dict[str, Any]]:
        return self._patch("household", self._pick("household"), {"dwelling": self._pick("dwelling")})

    def _move_building(self) -> list[dict[str, Any]]:
        return self._patch("building", self._pick("building"), {"anchor": anchor(self.chance.randrange(3))})

    def _move_person(self) -> list[dict[str, Any]]:
        values = {"residence_household": self._pick("household"), "relation_to_head": "01"}
        return self._patch("person", self._pick("person"), values)

    def _delete(self) -> list[dict[str, Any]]:
        record_type = self.chance.choice(("person", "household", "dwelling", "building"))
        record_id = self._pick(record_type)
        self.deleted.append((record_type, record_id))
        return self._patch(record_type, record_id, {}, "delete")

    def _restore(self) -> list[dict[str, Any]]:
        record_type, record_id = self.chance.choice(self.deleted)
        return self._patch(record_type, record_id, {}, "restore")

    def _check_in(self) -> list[dict[str, Any]]:
        member = create("party_member", {"name": "王一", "person": self._pick("person")})
        values = {"subject_kind": "member", "party_member": member["id"], "state": "registered", "skills": ["first_aid"]}
        return [member, create("check_in", values)]

    def _early_visit(self) -> list[dict[str, Any]]:
        """A visit to a household that a colleague has told of and not sent yet; or a promise to others."""
        if self.world.promised and self.chance.random() < 0.6:
            household = self.chance.choice(self.world.promised)
            return [create("visit", {"household": household, "method": "door", "outcome": "met"})]
        if self.pledged and self.chance.random() < 0.7:
            return self._home(self.pledged.pop(0))
        self.pledged.append(uuid7())
        self.world.promised.append(self.pledged[-1])
        return self._home()

    def _confirm(self) -> list[dict[str, Any]]:
        return self._patch("household", self._pick("household"), {}, "confirm")

    def _refused(self) -> list[dict[str, Any]]:
        return [create("dwelling", {"building": "not an id"})]

    def _twice(self) -> list[dict[str, Any]]:
        """A building under an id that a colleague makes as well, in another cell perhaps."""
        if not self.world.shared or self.chance.random() < 0.3:
            self.world.shared.append(uuid7())
        return [create("building", {"name": "同一幢", "anchor": anchor(self.chance.randrange(3))}, self.chance.choice(self.world.shared))]
