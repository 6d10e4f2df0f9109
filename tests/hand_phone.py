"""A phone spoken for by hand: every byte of its batches is the test's own."""

from __future__ import annotations

import json
from typing import Any

from front_door import Office

BATCH = 1000


class HandPhone:
    """An enrolled phone of somebody of a role; it keeps what the server has consumed."""

    def __init__(self, office: Office, role: str = "secretary") -> None:
        code = office.signed_in("secretary").post("/api/v1/enrolment-codes", {"user_id": office.users[role]})
        made = office.client().post("/api/v1/enroll", json={"code": code.json["code"], "label": "手机"}).json
        self.client = office.client()
        self.install_id = made["install_id"]
        self.headers = {"Authorization": f"Bearer {made['device_token']}"}
        self.after: dict[str, Any] = {"n": 0, "op_id": None}

    def body(self, *operations: Any) -> dict[str, Any]:
        """The next batch, each operation a group of its own; text is sent as it is."""
        first = self.after["n"] + 1
        groups = [
            {"ops": [{"n": first + place, "op": one if isinstance(one, str) else json.dumps(one)}]}
            for place, one in enumerate(operations)
        ]
        return {"protocol": 1, "install_id": self.install_id, "after": self.after, "groups": groups}

    def send(self, body: Any, **options: Any) -> Any:
        """One request to push, whatever its body."""
        headers = self.headers | options.pop("headers", {})
        if isinstance(body, bytes):
            return self.client.post(
                "/api/v1/sync/push", data=body, content_type="application/json", headers=headers, **options
            )
        return self.client.post("/api/v1/sync/push", json=body, headers=headers, **options)

    def push_nothing(self) -> dict[str, Any]:
        """What the server says where there is nothing to send."""
        said: dict[str, Any] = self.send(self.body()).json
        return said

    def push(self, operations: list[Any]) -> list[dict[str, Any]]:
        """Push all, batch by batch; the results."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(operations), BATCH):
            answer = self.send(self.body(*operations[start : start + BATCH]))
            assert answer.status_code == 200, answer.data
            found += answer.json["results"]
            self.after = answer.json["applied"]
        return found
