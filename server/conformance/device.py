"""An enrolled install: it numbers its operations, keeps the rows that it pulled, and computes their digests from the specification."""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from server.conformance.line import Line, Reply
from server.house import uuid7
from sync.digest import record_hash, status_hash, to_hex


class Broken(Exception):
    """A rule is not kept; the message says what was found, never a value of a record."""


class NotTested(Exception):
    """What the rule is about cannot be brought about here; the message says what is missing."""


def must(holds: bool, found: str) -> None:
    """Raises Broken with what was found instead."""
    if not holds:
        raise Broken(found)


def operation(kind: str, record_type: str, record_id: str | None = None, **more: Any) -> dict[str, Any]:
    """An operation with ids of its own; ``more`` are its other members."""
    made: dict[str, Any] = {"op_id": uuid7(), "type": record_type, "id": record_id or uuid7(), "kind": kind, "base": None}
    made |= {"set": {}, "was": {}, "form_version": 1, "claimed_at": datetime.now(UTC).isoformat(timespec="milliseconds")}
    return made | more


@dataclass
class Device:
    """One install. ``rows`` are the pulled rows by stream and record id (or op_id of a status).

    ``again`` is what the server said to the same enrolment when it was asked for once more, before the install spoke.
    """

    line: Line
    install_id: str
    token: str
    community_id: str
    n: int = 0
    op_id: str | None = None
    cursor: str | None = None
    scope_version: int = 0
    scope_last_n: int = 0
    departures: dict[str, Any] | None = None
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_page: dict[str, Any] = field(default_factory=dict)
    again: Reply | None = None

    # ------------------------------------------------------------ pushing
    def batch(self, *groups: list[Any], n: int | None = None, after: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """The body of a push: groups of operations (texts are sent as they are), numbered from where the server is."""
        number = self.n if n is None else n
        listed = []
        for group in groups:
            members = []
            for one in group:
                number += 1
                members.append({"n": number, "op": one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)})
            listed.append({"ops": members})
        return {
            "protocol": 1, "install_id": self.install_id, "after": after or {"n": self.n, "op_id": self.op_id},
            "scope": {"version": self.scope_version, "last_n": self.scope_last_n}, "departures": self.departures,
            "sent_at": datetime.now(UTC).isoformat(timespec="milliseconds"), "groups": listed, **more,
        }  # fmt: skip

    def post(self, path: str, body: Any, **more: Any) -> Reply:
        """A request of this install."""
        return self.line.send("POST", f"/api/v1/sync/{path}", body, token=self.token, **more)

    def told(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a push that is accepted; the server's head is taken over."""
        reply = self.post("push", body)
        must(reply.status == 200, f"a push is answered {reply.status} {reply.slug}")
        applied = reply.body.get("applied") or {}
        self.n, self.op_id = int(applied.get("n") or 0), applied.get("op_id")
        return reply.body

    def push(self, *groups: list[Any]) -> list[dict[str, Any]]:
        """Results of groups that follow what the server has, one per operation."""
        wanted = [one["n"] for group in self.batch(*groups)["groups"] for one in group["ops"]]
        results: list[dict[str, Any]] = self.told(self.batch(*groups)).get("results", [])
        must([one.get("n") for one in results] == wanted, "results do not come one per operation in the order of n")
        return results

    def write(self, *members: dict[str, Any]) -> list[str]:
        """Outcomes (``now``) of one group."""
        return [one["now"]["outcome"] for one in self.push(list(members))]

    # ------------------------------------------------------------ pulling
    def page(self, **more: Any) -> dict[str, Any]:
        """One page, stored."""
        asked = {"protocol": 1, "install_id": self.install_id, "cursor": self.cursor, "limit": None}
        reply = self.post("pull", asked | {"scope": {"version": self.scope_version}} | more)
        must(reply.status == 200, f"a pull is answered {reply.status} {reply.slug}")
        page = reply.body
        self.rows = {key: row for key, row in self.rows.items() if key[0] not in page["replace"]}
        for row in page["rows"]:
            key = row["record"]["id"] if row["kind"] == "PUT" else row.get("id") or row["op_id"]
            self.rows[(row["stream"], key)] = row
        if page["scope"]["version"] != self.scope_version:
            self.scope_version, self.scope_last_n = page["scope"]["version"], self.n
        if page["complete"] and page.get("departures") != (self.departures or {}).get("seen"):
            self.departures = {"seen": page.get("departures"), "last_n": self.n}
        self.cursor, self.last_page = page["cursor"], page
        return page

    def pull(self, **more: Any) -> list[dict[str, Any]]:
        """All pages until complete; the rows that came."""
        came: list[dict[str, Any]] = []
        for _ in range(10_000):
            page = self.page(**more)
            came += page["rows"]
            if page["complete"]:
                self.streams = page.get("streams", {})
                held = set(page["scope"]["streams"])
                self.rows = {key: row for key, row in self.rows.items() if key[0] in held}
                return came
        raise Broken("a pull does not end within 10,000 pages")

    def afresh(self, **more: Any) -> list[dict[str, Any]]:
        """Forget the cursor and everything that was pulled, then pull."""
        self.cursor, self.rows = None, {}
        return self.pull(**more)

    def record(self, record_id: str) -> dict[str, Any] | None:
        """The copy of a record with the highest v that a stream shows, None where none does."""
        found = [row["record"] for (_, key), row in self.rows.items() if key == record_id and row["kind"] == "PUT"]
        return max(found, key=lambda one: int(one["v"])) if found else None

    def seen(self, record_id: str) -> dict[str, Any]:
        """The copy of a record behind a complete pull; Broken where there is none."""
        self.pull()
        found = self.record(record_id)
        must(found is not None, "a record of a followed stream did not come")
        assert found is not None
        return found

    def base(self, record_id: str) -> dict[str, Any]:
        """``{"v", "tag"}`` of the pulled copy."""
        found = self.record(record_id)
        assert found is not None
        return {"v": found["v"], "tag": found["tag"]}

    def digests(self) -> dict[str, tuple[int, str]]:
        """(count, digest) of every followed stream, by section 8 of the specification."""
        sums = {name: [0, 0] for name in self.streams}
        for (stream, _), row in self.rows.items():
            if stream not in sums:
                continue
            if row["kind"] == "PUT":
                one = row["record"]
                sums[stream][0] += 1
                sums[stream][1] += record_hash(one["id"], one["v"], one["tag"])
            elif row["kind"] == "STATUS":
                sums[stream][1] += status_hash(row["op_id"], row["status"])
        return {name: (count, to_hex(digest)) for name, (count, digest) in sums.items()}


def enrol(line: Line, code: str, label: str) -> Device:
    """A new install by a one-time code; asked for twice, as by a phone whose answer was lost."""
    asked = {"code": code, "label": label, "app_version": "conformance", "retry_key": secrets.token_urlsafe(32)}
    reply = line.send("POST", "/api/v1/enroll", asked)
    must(reply.status == 200, f"enrolment is answered {reply.status} {reply.slug}")
    told = reply.body
    must(all(isinstance(told.get(name), str) for name in ("install_id", "device_token", "community_id")), "enrolment names no install")
    return Device(line, told["install_id"], told["device_token"], told["community_id"], again=line.send("POST", "/api/v1/enroll", asked))


def known(text: str) -> bool:
    """Whether a text is a UUID."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
