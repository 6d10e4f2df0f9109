"""A phone that only sends and asks: no store of its own, so that its own work is not measured."""

from __future__ import annotations

from typing import Any

import orjson

from bench.served import Cost, Served
from bench.workload import push_body

Groups = list[list[dict[str, Any]]]


class BenchPhone:
    """Enrols at once; numbers its operations; remembers its cursor."""

    def __init__(self, server: Served, code: str) -> None:
        self.server = server
        told, _ = server.post("/api/v1/enroll", {"code": code, "label": "bench", "app_version": "1"})
        self.install_id = told["install_id"]
        self.headers = {"Authorization": f"Bearer {told['device_token']}"}
        self.after: tuple[int, str | None] = (0, None)
        self.cursor: str | None = None
        self.scope = 1

    def push(self, groups: Groups) -> tuple[list[dict[str, Any]], Cost, int]:
        """Results, cost and body length of one push; RuntimeError when an operation was not applied."""
        body = self.push_body(groups)
        results, cost = self.send(body, sum(map(len, groups)))
        return results, cost, len(body)

    def push_body(self, groups: Groups) -> bytes:
        """What the next push sends."""
        return push_body(self.install_id, self.after, groups, self.scope)

    def send(self, body: bytes, count: int) -> tuple[list[dict[str, Any]], Cost]:
        """Results and cost of a push of ``count`` operations; RuntimeError when one was not applied."""
        told, cost = self.server.post("/api/v1/sync/push", body, self.headers)
        results = told["results"]
        bad = [one["now"] for one in results if one["now"]["outcome"] not in ("applied", "merged")]
        if bad or len(results) != count:
            raise RuntimeError(f"{len(bad)} of {len(results)} operations were not applied: {bad[:2]} {told.get('expected')}")
        self.after = (told["applied"]["n"], told["applied"]["op_id"])
        return results, cost

    def pull(self, limit: int | None = None) -> tuple[dict[str, Any], Cost]:
        """One page from where the phone stands, and its cost."""
        asked = {"protocol": 1, "install_id": self.install_id, "cursor": self.cursor, "limit": limit}
        told, cost = self.server.post("/api/v1/sync/pull", asked, self.headers)
        self.cursor, self.scope = told["cursor"], told["scope"]["version"]
        return told, cost

    def prepared(self) -> tuple[dict[str, Any], list[bytes], Cost]:
        """Everything from zero by prepared files: the answer, the files as they came (zstd), and the cost of both requests."""
        asked = {"protocol": 1, "install_id": self.install_id, "cursor": None, "snapshots": True}
        told, cost = self.server.post("/api/v1/sync/pull", asked, self.headers)
        wall, cpu, files = cost.wall_s, cost.cpu_s, []
        for one in told.get("snapshots", ()):
            body = {"protocol": 1, "install_id": self.install_id, "stream": one["stream"], "seq": one["seq"]}
            headers = {**self.headers, "Accept-Encoding": "zstd"}
            status, content, cost = self.server.ask("POST", "/api/v1/sync/snapshot", orjson.dumps(body), headers)
            if status != 200:
                raise RuntimeError(f"snapshot: {status}")
            files.append(content)
            wall, cpu = wall + cost.wall_s, cpu + cost.cpu_s
        return told, files, Cost(wall, cpu)

    def pull_all(self) -> tuple[int, Cost]:
        """Pull until complete: rows and cost of all pages."""
        rows, wall, cpu = 0, 0.0, 0.0
        while True:
            page, cost = self.pull()
            rows, wall, cpu = rows + len(page["rows"]), wall + cost.wall_s, cpu + cost.cpu_s
            if page["complete"]:
                return rows, Cost(wall, cpu)
