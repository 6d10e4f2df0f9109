"""The phone: what an app calls. Everything is written to the log first; the server hears of it at the next ``sync``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from forms.definition import RecordType
from forms.registry import Registry
from forms.validate import validator
from sync.days import day_at
from sync.device import pull as pulling
from sync.device import push as pushing
from sync.device import rescue, witness
from sync.device.asking import ask_disputes, asked_still, dispute_of, fetch_asked
from sync.device.calls import accepted, wanted
from sync.device.commanding import compose, keep_parts
from sync.device.copies import Copy, copies
from sync.device.errors import AlreadyEnrolled, InvalidFields, UnknownRecord
from sync.device.forking import fork
from sync.device.standing import Standing, standing_of
from sync.device.store import Fault, Store, no_fault
from sync.device.totals import digests
from sync.device.transport import Transport
from sync.device.view import Fields, RecordView, laid_over, life_after, matches
from sync.device.words import FINAL_OUTCOMES
from sync.device.writing import base_of_record, bases_of_units, changes_only, freeze, values_seen
from sync.record import by_unit


class Phone:
    """One install on one device.

    Parameters
    ----------
    path : the phone's file; made at first use
    transport : how the server is reached
    clock : the device's time with its offset; only ever told as a claim
    new_id : source of UUIDv7 texts, for records and operations
    registry : the forms that this phone knows
    fault : called with the name of every step; tests stop the phone there
    """

    def __init__(
        self,
        path: str | Path,
        transport: Transport,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        registry: Registry,
        fault: Fault = no_fault,
    ) -> None:
        self._store = Store(path, fault)
        self._transport = transport
        self._clock = clock
        self._new_id = new_id
        self._registry = registry
        self._group_n: int | None = None

    def close(self) -> None:
        """Close the phone's file."""
        self._store.close()

    # ------------------------------------------------------------ who this phone is

    def enrol(self, code: str, *, label: str = "", app_version: str = "") -> None:
        """Become an install with a one-time code.

        If the answer is lost, or the phone dies before it is kept, the same code answers this phone again (W1).
        """
        if self._store.identity() is not None:
            raise AlreadyEnrolled("this phone is enrolled")
        key = self._store.retry_key(self._new_id)
        body = {"code": code, "label": label, "app_version": app_version, "retry_key": key}
        self._store.fault("enrol: before sending")
        answer = accepted(self._transport.request("POST", "/api/v1/enroll", body=body))
        self._store.fault("enrol: answered")
        with self._store.change("enrol"):
            self._store.run(
                "INSERT INTO identity (one, community_id, install_id, token, user) VALUES (1, ?, ?, ?, ?)",
                wanted(answer, "community_id", str),
                wanted(answer, "install_id", str),
                wanted(answer, "device_token", str),
                orjson.dumps(answer.get("user") or {}).decode(),
            )
            self._store.run("DELETE FROM enrolling")

    @property
    def install_id(self) -> str | None:
        """The install that this phone is, None before enrolment."""
        identity = self._store.identity()
        return identity["install_id"] if identity else None

    @property
    def token(self) -> str | None:
        """The device token, for other requests of this install."""
        identity = self._store.identity()
        return identity["token"] if identity else None

    @property
    def transport(self) -> Any:
        """How the server is reached."""
        return self._transport

    def new_id(self) -> str:
        """An id for a record that a command makes."""
        return self._new_id()

    def on_fault(self, fault: Fault) -> None:
        """Call this with the name of every step from now on; simulations and tests stop the phone there."""
        self._store.fault = fault

    # ------------------------------------------------------------ agreeing with the server

    def push(self) -> pushing.PushReport:
        """Send what has no answer yet. Raises Offline, ServerBusy, Refused, Revoked or ForkNeeded; safe to repeat."""
        return pushing.push(self._store, self._transport, self._clock)

    def pull(self, *, limit: int | None = None, max_pages: int | None = None) -> pulling.PullReport:
        """Follow the streams until the copies agree with the server. Raises as ``push``, and DigestMismatch."""
        return pulling.pull(self._store, self._transport, self._registry, limit=limit, max_pages=max_pages)

    def sync(self, *, limit: int | None = None) -> tuple[pushing.PushReport, pulling.PullReport]:
        """Push, then pull: so that every own operation has its answer before the copies contain it.

        After a restore of the server what it lacks is sent again at once, then copies that it lacks are offered.
        """
        pushed, pulled = self.push(), self.pull(limit=limit)
        if pulled.reopened and not pulled.needs_fork:
            again = self.push()
            pushed.requests, pushed.answered = pushed.requests + again.requests, pushed.answered + again.answered
            pushed.outcomes += again.outcomes
            reopened, pulled = pulled.reopened, self.pull(limit=limit)
            pulled.reopened += reopened
        self.offer_witnesses()
        fetch_asked(self._store, self._transport)
        return pushed, pulled

    def fork(self) -> str:
        """Go on as an install of its own after ForkNeeded (a cloned or restored phone): its id. Raises as ``push``."""
        return fork(self._store, self._transport, self._new_id)

    def offer_witnesses(self) -> int:
        """Offer copies that a restored server lacks to its recovery queue (S25); how many. Raises as ``push``."""
        return witness.offer(self._store, self._transport)

    def ask_disputes(self) -> int:
        """Fetch the values of open conflicts, so that they can be settled offline; of how many records. Raises as ``push``."""
        return ask_disputes(self._store, self._transport)

    def digests(self) -> dict[str, dict[str, Any]]:
        """``{stream: {"count", "digest"}}``, computed from the rows on this phone."""
        return digests(self._store)

    def copies(self) -> list[Copy]:
        """The records as the server sent them, without own operations over them, sorted by id."""
        return copies(self._store)

    # ------------------------------------------------------------ writing

    @contextmanager
    def group(self) -> Iterator[None]:
        """Everything written inside applies together or not at all, on this phone and on the server.

        An exception inside writes nothing. An inner group joins the outer one.
        """
        outermost = not self._store.changing
        try:
            with self._store.change("write"):
                yield
        finally:
            if outermost:
                self._group_n = None

    def create(self, record_type: str, fields: Mapping[str, Any], *, record_id: str | None = None, fix: Any = None) -> str:
        """Write a new record; its id, which holds for ever. Raises InvalidFields."""
        form = self._registry.latest(record_type)
        values = self._checked(form, fields, creating=True)
        new = record_id or self._new_id()
        with self.group():
            self._write(self._operation(form, "create", new, base=None, set=values, was={}, fix=fix))
        return new

    def patch(self, record_id: str, /, *, fix: Any = None, seen: RecordView | None = None, **fields: Any) -> list[str]:
        """Change fields; None clears one. The op_ids written: none where nothing differs from what is shown.

        A field with policy ``add`` takes a delta; one with policy ``union`` the whole set or {"add", "remove"}.
        ``seen``: what an open form showed, where that may be older than what the phone has by now; None: what it has.
        Units whose bases differ become operations of their own, in one group. Raises InvalidFields, UnknownRecord.
        """
        with self.group():
            view, form = self._seen(record_id)
            shown = (seen or view).fields
            values = changes_only(form, shown, self._checked(form, fields, creating=False))
            units = by_unit(form, values)
            return [
                self._write(
                    self._operation(
                        form,
                        "patch",
                        record_id,
                        base=base,
                        set={name: value for unit in members for name, value in units[unit].items()},
                        was=values_seen(form, shown, members),
                        fix=fix,
                    )
                )
                for base, members in bases_of_units(self._store, form, record_id, units, seen)
            ]

    def confirm(self, record_id: str, *units: str) -> list[str]:
        """Say that units were seen and are unchanged; without names all units that have a value."""
        with self.group():
            view, form = self._seen(record_id)
            names = units or tuple(by_unit(form, view.fields))
            return [
                self._write(
                    self._operation(
                        form, "confirm", record_id, base=base, units=members, was=values_seen(form, view.fields, members)
                    )
                )
                for base, members in bases_of_units(self._store, form, record_id, names)
            ]

    def delete(self, record_id: str) -> str:
        """Delete a record; its children stay. Another person's unseen values will be listed as conflicts."""
        return self._whole(record_id, "delete")

    def restore(self, record_id: str) -> str:
        """Take a deletion back."""
        return self._whole(record_id, "restore")

    def resolve(
        self, record_id: str, unit: str, siblings: Sequence[str], /, *, seen: RecordView | None = None, **values: Any
    ) -> str:
        """Settle a conflict: the final values of the unit, the op_ids of the values that were looked at; ``seen`` as in ``patch``."""
        with self.group():
            view, form = self._seen(record_id)
            checked = self._checked(form, values, creating=False)
            base = bases_of_units(self._store, form, record_id, [unit], seen)[0][0]
            return self._write(
                self._operation(
                    form,
                    "resolve",
                    record_id,
                    base=base,
                    unit=unit,
                    siblings=list(siblings),
                    set=checked,
                    was=values_seen(form, (seen or view).fields, [unit]),
                )
            )

    def command(self, name: str, record_id: str, /, **arguments: Any) -> str:
        """Write a command about a record (docs/protocol.md): its op_id. What it means is shown at once.

        Raises UnknownRecord, and WrongArguments with every place that cannot be meant.
        """
        with self.group():
            _, form = self._seen(record_id)
            operation = self._operation(form, "command", record_id, name=name, arguments=arguments)
            parts = compose(
                self._store, self._registry.latest, operation, self.read,
                lambda household: self.find("person", residence_household=household), day_at(self._clock()),
            )  # fmt: skip
            op_id = self._write(operation)
            keep_parts(self._store, self._store.last_n(), parts)
            return op_id

    def _whole(self, record_id: str, kind: str) -> str:
        with self.group():
            _, form = self._seen(record_id)
            return self._write(
                self._operation(form, kind, record_id, base=base_of_record(self._store, record_id), set={}, was={})
            )

    def write_raw(self, operation: dict[str, Any]) -> str:
        """Write an operation as a program with a fault would: unchecked. For simulations."""
        with self.group():
            return self._write({"op_id": self._new_id(), **operation})

    def _seen(self, record_id: str) -> tuple[RecordView, RecordType]:
        view = self.read(record_id)
        if view is None:
            raise UnknownRecord(record_id)
        return view, self._registry.latest(view.type)

    def _checked(self, form: RecordType, fields: Mapping[str, Any], *, creating: bool) -> Fields:
        values, errors = validator(form)(dict(fields), creating)
        if errors:
            raise InvalidFields(errors)
        return values

    def _operation(self, form: RecordType, kind: str, record_id: str, *, fix: Any = None, **parts: Any) -> dict[str, Any]:
        told = {"op_id": self._new_id(), "type": form.name, "id": record_id, "kind": kind, **parts, "form_version": form.version}
        return told if fix is None else told | {"fix": fix}

    def _write(self, operation: dict[str, Any]) -> str:
        self._group_n = freeze(self._store, [operation], self._group_n, self._clock())
        op_id: str = operation["op_id"]
        return op_id

    def rescue_file(self) -> bytes:
        """Everything that was written here and not forgotten, for another phone of the community (C10)."""
        return rescue.rescue_file(self._store)

    def take_in(self, content: bytes) -> int:
        """Write what another phone wrote behind the own log; how many operations. Raises RescueUnreadable."""
        return rescue.take_in(self._store, content)

    # ------------------------------------------------------------ looking

    def read(self, record_id: str) -> RecordView | None:
        """The server's copy with own unfinished operations over it; None where the phone has neither.

        A deleted record is shown with life ``deleted`` and, once the server's removal was pulled, without its values.
        """
        copy = self._store.maybe("SELECT * FROM record WHERE id = ?", record_id)
        return self._view(record_id, copy, self._overlay(record_id, copy))

    def find(self, record_type: str, /, **filters: Any) -> list[RecordView]:
        """Live records of a type whose fields equal the filters (a list field: contains), sorted by id."""
        found: list[RecordView] = []
        ids = "SELECT id FROM record WHERE type = ? UNION SELECT record_id FROM overlay WHERE settled = 0 AND type = ?"
        copies = {row["id"]: row for row in self._store.rows("SELECT * FROM record WHERE type = ?", record_type)}
        busy = {row["record_id"] for row in self._store.rows("SELECT DISTINCT record_id FROM overlay WHERE settled = 0")}
        for row in self._store.rows(f"{ids} ORDER BY 1", record_type, record_type):
            record_id = row["id"]
            copy = copies.get(record_id)
            overlay = self._overlay(record_id, copy) if record_id in busy else []
            view = self._view(record_id, copy, overlay)
            if view is not None and view.life == "live" and matches(view, filters):
                found.append(view)
        return found

    def conflicts(self) -> list[tuple[str, str, str]]:
        """(record id, type, unit) of every open conflict in the copies, sorted by id."""
        rows = self._store.rows(
            "SELECT record.id, record.type, one.value AS unit FROM record, json_each(record.conflicts) AS one "
            "WHERE record.type IS NOT NULL ORDER BY record.id, one.key"
        )
        return [(row["id"], row["type"], row["unit"]) for row in rows]

    def dispute(self, record_id: str, unit: str) -> dict[str, Any] | None:
        """The values that stand side by side in an open conflict, with their authors; None before ``ask_disputes``."""
        return dispute_of(self._store, record_id, unit)

    def asked(self) -> list[dict[str, Any]]:
        """What the office asks this person to see to at the door and no ``door_check`` here answers, as of the last ``sync`` (W8)."""
        return asked_still(self._store, self.find("door_check"))

    def operations(self, record_id: str | None = None) -> list[Standing]:
        """What became of every own operation, oldest first; of one record where its id is given."""
        rows = self._store.rows("SELECT * FROM log WHERE ? IS NULL OR record_id = ? ORDER BY n", record_id, record_id)
        return [standing_of(row) for row in rows]

    def status(self, op_id: str) -> Standing | None:
        """What became of one own operation."""
        row = self._store.maybe("SELECT * FROM log WHERE op_id = ?", op_id)
        return standing_of(row) if row else None

    def _overlay(self, record_id: str, copy: Any) -> list[dict[str, Any]]:
        """Own operations that lie over a copy: unfinished, and not contained in it already.

        While a pull is under way a copy may contain an operation before a page was complete; its answer says from
        which version on.
        """
        rows = self._store.rows(
            "SELECT text, epoch, v, now_outcome FROM overlay WHERE settled = 0 AND record_id = ? ORDER BY n", record_id
        )
        return [
            orjson.loads(row["text"])
            for row in rows
            if copy is None or row["v"] is None or row["epoch"] != copy["epoch"] or row["v"] > copy["v"]
            or row["now_outcome"] not in FINAL_OUTCOMES
        ]  # fmt: skip

    def _view(self, record_id: str, copy: Any, overlay: list[dict[str, Any]]) -> RecordView | None:
        if (copy is None or copy["type"] is None) and not overlay:
            return None
        held: Fields = orjson.loads(copy["fields"]) if copy else {}
        record_type: str = overlay[0]["type"] if overlay else copy["type"]
        form = self._registry.latest(record_type) if record_type in self._registry.types() else None
        return RecordView(
            record_id,
            record_type,
            copy["v"] if copy else None,
            copy["tag"] if copy else None,
            life_after(copy["life"] if copy else "live", overlay),
            copy["home"] if copy else None,
            laid_over(held, overlay, form),
            tuple(orjson.loads(copy["conflicts"])) if copy else (),
            orjson.loads(copy["confirmed"]) if copy else {},
            tuple(operation["op_id"] for operation in overlay),
        )
