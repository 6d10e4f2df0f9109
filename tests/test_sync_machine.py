"""Any order of acts that Hypothesis can think of, shrunk to the smallest story that breaks a law (L5 to L8)."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from server.simulation import acts, laws
from server.simulation.shelf import quick_folder
from server.simulation.world import PhoneKilled, World, anchor, shelf_of
from sync.device import InvalidFields, Phone, PhoneError, UnknownRecord
from sync.device.view import RecordView

PHONES = st.integers(0, 2)
PLACES = st.integers(0, 2)
CHANCE = st.integers(0, 40).map(Random)
EDITS = st.sampled_from(
    [
        ("building", "floors_count", 3), ("building", "floors_count", 7), ("building", "anchor", anchor(0.1)), ("building", "anchor", anchor(1.9)),
        ("household", "tags", ["a"]), ("household", "tags", ["b"]), ("household", "note", "x"), ("household", "phone", "62220001"),
        ("person", "occupation_text", "甲"), ("person", "occupation_text", "乙"), ("person", "birth_date", "1950-01-01"), ("person", "birth_date", "1951-01-01"),
    ]
)  # fmt: skip
_PLACE: list[tempfile.TemporaryDirectory[str]] = []


class Stories(RuleBasedStateMachine):
    """Two phones of two workers with two cells in common, a server, an office."""

    def __init__(self) -> None:
        super().__init__()
        if not _PLACE:
            _PLACE.append(tempfile.TemporaryDirectory(prefix="dishu-machine-", dir=quick_folder()))
        place = Path(_PLACE[0].name)
        self.folder = Path(tempfile.mkdtemp(dir=place))
        self.world = World(self.folder, "machine", shelf_of(place))
        self.world.open()
        for worker, cells in enumerate(((0, 1), (1, 2))):
            for cell in cells:
                self.world.assign(worker, cell)
            self.world.add_phone(worker).pull()

    # ------------------------------------------------------------ at the door
    def phone(self, number: int) -> Phone:
        return self.world.phones[number % len(self.world.phones)]

    def some(self, phone: Phone, record_type: str, which: int) -> RecordView | None:
        found = phone.find(record_type)
        return found[which % len(found)] if found else None

    @rule(number=PHONES, cell=PLACES)
    def home(self, number: int, cell: int) -> None:
        phone = self.phone(number)
        with phone.group():
            building = phone.create("building", {"name": "幢", "anchor": anchor(cell)})
            dwelling = phone.create("dwelling", {"building": building, "door_number": "1"})
            household = phone.create("household", {"dwelling": dwelling, "kind": "family"})
            phone.create("person", {"name": "人", "residence_household": household, "document_missing_reason": "not_asked"})

    @rule(number=PHONES, which=PLACES, edit=EDITS)
    def edit(self, number: int, which: int, edit: tuple[str, str, object]) -> None:
        phone, (record_type, name, value) = self.phone(number), edit
        view = self.some(phone, record_type, which)
        if view is not None:
            phone.patch(view.id, **{name: value})

    @rule(number=PHONES, which=PLACES, record_type=st.sampled_from(["building", "household", "person"]), delete=st.booleans())
    def look(self, number: int, which: int, record_type: str, delete: bool) -> None:
        phone = self.phone(number)
        view = self.some(phone, record_type, which)
        if view is not None:
            phone.delete(view.id) if delete else phone.confirm(view.id)

    @rule(chance=CHANCE, act=st.sampled_from([acts.look, acts.command, acts.nonsense, acts.settle_at_the_door, acts.secretary, acts.reassign]))
    def other(self, chance: Random, act: acts.Act) -> None:
        try:
            act(self.world, chance)
        except (UnknownRecord, InvalidFields):
            pass  # what the phone does not let anybody do

    # ------------------------------------------------------------ on the line
    @rule(number=PHONES)
    def sync(self, number: int) -> None:
        acts.sync_once(self.phone(number))

    @rule(number=PHONES, weather=st.sampled_from(["answer lost", "twice", "request lost", "kept back"]), only=st.sampled_from(["push", "pull", ""]))
    def bad_line(self, number: int, weather: str, only: str) -> None:
        phone = self.phone(number)
        phone.transport.weather = lambda path: weather if path.endswith(only) else "fine"
        acts.sync_once(phone)
        phone.transport.weather = lambda _: "fine"

    @rule(number=PHONES, left=st.integers(1, 12))
    def phone_is_killed(self, number: int, left: int) -> None:
        number %= len(self.world.phones)
        phone, steps = self.phone(number), iter(range(left))

        def fault(step: str) -> None:
            if next(steps, None) is None:
                raise PhoneKilled(step)

        phone.on_fault(fault)
        try:
            acts.sync_once(phone)
        except PhoneKilled:
            self.world.reopen(number)
        except PhoneError:
            phone.on_fault(lambda step: None)
        else:
            phone.on_fault(lambda step: None)

    @rule(number=PHONES, left=st.integers(1, 60))
    def server_is_killed(self, number: int, left: int) -> None:
        self.world.statements_left = left
        acts.sync_once(self.phone(number))
        killed = self.world.statements_left is None
        self.world.statements_left = None
        if killed:
            self.world.start()

    @rule(chance=CHANCE, act=st.sampled_from([acts.late_request, acts.wrong_clock, acts.killed_office, acts.republish, acts.other_forms]))
    def trouble(self, chance: Random, act: acts.Act) -> None:
        act(self.world, chance)

    @rule(chance=CHANCE)
    @precondition(lambda self: len(self.world.phones) < 4)
    def clone(self, chance: Random) -> None:
        acts.clone(self.world, chance)

    @rule(chance=CHANCE)
    def old_copy(self, chance: Random) -> None:
        acts.copy_back(self.world, chance)

    # ------------------------------------------------------------ what holds
    def check_invariants(self, *args: object, **more: object) -> None:
        super().check_invariants(*args, **more)
        self.world.book.note(self.world.phones)

    def teardown(self) -> None:
        try:
            laws.settle(self.world)
            laws.check(self.world)
        finally:
            self.world.close()
            shutil.rmtree(self.folder, ignore_errors=True)


LONG = settings().max_examples > 100
HOW = settings(
    max_examples=1_500 if LONG else 12,
    stateful_step_count=30 if LONG else 14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_no_order_of_acts_breaks_a_law():
    """L5 to L8: whatever phones, office and faults do in whatever order, everything is there when all has settled."""
    logging.disable(logging.CRITICAL)
    try:
        run_state_machine_as_test(Stories, settings=HOW)
    finally:
        logging.disable(logging.NOTSET)


def test_a_broken_law_is_found(monkeypatch):
    """A server that forgets acknowledged operations does not pass; a failure is then shrunk by Hypothesis to few steps."""
    monkeypatch.setattr(laws.push, "seen_operations", lambda *_: {})
    logging.disable(logging.CRITICAL)
    try:
        with pytest.raises(laws.LawBroken, match="L5"):
            run_state_machine_as_test(
                Stories,
                settings=settings(HOW, max_examples=60, stateful_step_count=8, derandomize=True, phases=[Phase.generate], database=None, report_multiple_bugs=False),
            )
    finally:
        logging.disable(logging.NOTSET)
