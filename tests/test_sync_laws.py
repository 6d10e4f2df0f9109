from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sync_kit import Village, operation, survey_village, uid
from sync_oracle import UNITS, Oracle

from sync.device.view import laid_over
from sync.memory import Listed

START = {
    "a": "a0", "kept": "k0", "reviewed": "r0", "most": 50, "least": 50, "tags": ["t0"], "note": "n0", "stock": 10,
    "paper_type": "id", "paper_number": "p0", "contact_name": "c0",
}  # fmt: skip
WRITERS = ("A", "B", "C", "D")
TEXTS = st.sampled_from(["x", "y", "z", None])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "a": st.fixed_dictionaries({"a": TEXTS}),
    "kept": st.fixed_dictionaries({"kept": TEXTS}),
    "reviewed": st.fixed_dictionaries({"reviewed": TEXTS}),
    "most": st.fixed_dictionaries({"most": st.sampled_from([1, 60, 70, None])}),
    "least": st.fixed_dictionaries({"least": st.sampled_from([1, 60, 70, None])}),
    "tags": st.fixed_dictionaries({"tags": st.lists(st.sampled_from(["t0", "t1", "t2", "t3"]), unique=True, min_size=1).map(sorted)}),
    "note": st.just({"note": None}),
    "stock": st.fixed_dictionaries({"stock": st.fixed_dictionaries({"delta": st.integers(-5, 5)})}),
    "paper": st.fixed_dictionaries({}, optional={"paper_type": TEXTS, "paper_number": TEXTS, "paper_place": TEXTS}),
    "contact": st.fixed_dictionaries({}, optional={"contact_name": TEXTS, "contact_phone": TEXTS}),
}
WRITE = st.sampled_from(sorted(UNITS)).flatmap(lambda unit: st.tuples(st.just(unit), VALUES[unit].filter(bool)))
ACTION = st.tuples(st.sampled_from(WRITERS), st.one_of(st.just("pull"), st.just("push"), WRITE, WRITE, WRITE), st.booleans())


@dataclass
class Hand:
    """A person with a phone: what was pulled, what is written and not yet pulled back, what is not yet pushed."""

    base: dict[str, Any] | None = None
    arrival: int = 0
    copy: dict[str, Any] = field(default_factory=dict)
    over: list[dict[str, Any]] = field(default_factory=list)
    unsent: list[tuple[dict[str, Any], str, dict[str, Any], dict[str, Any], int]] = field(default_factory=list)


class Scene:
    """Several hands on one record, pushed through ``decide`` and told to the oracle in the same order of arrival."""

    def __init__(self) -> None:
        self.village: Village = survey_village()
        self.oracle = Oracle("A")
        self.form = self.village.registry.latest("survey")
        self.village.one("A", operation("create", "survey", "r", START))
        self.oracle.create(START)
        self.hands = {name: Hand() for name in WRITERS}
        self.count = 0
        self.typed: list[tuple[str, Any]] = []
        self.sent: list[tuple[str, list[dict[str, Any]]]] = []
        for name in WRITERS:
            self.pull(name)

    def pull(self, name: str) -> None:
        hand = self.hands[name]
        if not hand.unsent:
            hand.base, hand.arrival = self.village.base("r"), self.oracle.arrival
            hand.copy, hand.over = dict(self.village.fields("r")), []

    def write(self, name: str, unit: str, change: dict[str, Any], tells: bool) -> None:
        hand = self.hands[name]
        self.count += 1
        shown = {one: laid_over(hand.copy, hand.over, self.form).get(one) for one in UNITS[unit][1]}
        if unit == "note":
            change = {"note": f"{shown['note'] or ''} {name}{self.count}"}
        change = {one: f"{value}{self.count}" if value == "z" else value for one, value in change.items()}
        data = operation("patch", "survey", "r", change, base=hand.base, was=shown if tells else {}, op=str(self.count))
        hand.over.append({**data, "was": shown})
        hand.unsent.append((data, unit, change, shown, hand.arrival))

    def push(self, name: str) -> None:
        hand = self.hands[name]
        if not hand.unsent:
            return
        decided = self.village.push(name, *([one[0]] for one in hand.unsent))
        self.sent.append((name, [one[0] for one in hand.unsent]))
        for data, unit, change, shown, arrival in hand.unsent:
            self.oracle.write(name, arrival, unit, change, shown)
            self.typed += [(one, value) for one, value in data["set"].items()]
        assert {one.outcome for one in decided} <= {"applied", "merged", "unchanged", "conflict"}
        hand.unsent = []
        self.village.check_streams()

    def play(self, actions: list[Any]) -> None:
        for name, action, tells in actions:
            if action == "pull":
                self.pull(name)
            elif action == "push":
                self.push(name)
            else:
                self.write(name, *action, tells)
        for name in WRITERS:
            self.push(name)

    def kept_values(self, name: str) -> list[Any]:
        """Every value of a field that somebody can still look at: in the record, in history, in a conflict."""
        found = [self.village.fields("r").get(name)]
        for row in self.village.past[uid("r")]:
            found += [value[name] for value in [*row.previous.values(), *row.set_aside.values()] if name in value]
        for one in self.village.listed:
            if isinstance(one, Listed):
                found += [value[name] for value in (one.dispute.standing, one.dispute.newcomer) if value and name in value]
        return found


@given(st.lists(ACTION, max_size=40))
def test_s1_to_s4_the_record_is_what_the_rules_say(actions: list[Any]) -> None:
    """Whoever writes what and pushes when: the record holds what a second telling of the rules holds, and so do the conflicts."""
    scene = Scene()
    scene.play(actions)
    assert scene.village.fields("r") == scene.oracle.fields()
    waiting: dict[str, set[str]] = {}
    for (_, unit), conflict in scene.village.conflicts.items():
        waiting[unit] = {one.install for one in conflict.siblings if one.role == "set_aside"}
    assert waiting == scene.oracle.waiting()
    assert scene.village.record("r").open_units == sorted(waiting)


@given(st.lists(ACTION, max_size=40))
def test_l5_nothing_typed_is_lost(actions: list[Any]) -> None:
    """L5: every value that was typed is in the record, in its history, or in a conflict; every note is in the note."""
    scene = Scene()
    scene.play(actions)
    note = scene.village.fields("r")["note"]
    for name, value in scene.typed:
        if name == "note":
            assert note.split(" ").count(value.rsplit(" ", 1)[1]) == 1
        elif name == "tags":
            seen = {one for value in scene.kept_values("tags") for one in value or []}
            assert seen >= set(value)
        elif name != "stock":
            assert value in scene.kept_values(name)
    total = sum(value["delta"] for name, value in scene.typed if name == "stock")
    assert scene.village.fields("r")["stock"] == START["stock"] + total


@given(st.lists(ACTION, max_size=30))
def test_what_somebody_covered_unseen_is_listed(actions: list[Any]) -> None:
    """L5: a value that somebody wrote over without having seen it is a conflict row with both values."""
    scene = Scene()
    scene.play(actions)
    listed = [one.dispute for one in scene.village.listed if isinstance(one, Listed)]
    assert [(one.unit, one.standing, one.newcomer) for one in listed] == scene.oracle.listed
    for one in listed:
        standing = next(row for row in scene.village.past[uid("r")] if row.v == one.stamp[0])
        assert (standing.install, standing.n) == one.stamp[1:] and one.unit in standing.units


@given(st.lists(ACTION, max_size=30))
def test_l6_the_same_operations_again_change_nothing(actions: list[Any]) -> None:
    """L6: a phone restored from a copy sends everything again under new numbers: each operation counts once."""
    scene = Scene()
    scene.play(actions)
    record = scene.village.record("r")
    before = (record.v, record.tag, dict(record.fields), record.open_units)
    for name, sent in scene.sent:
        first = [scene.village.answers[one["op_id"]][2] for one in sent]
        assert [one.outcome for one in scene.village.push(f"{name} again", *([one] for one in sent))] == first
    record = scene.village.record("r")
    assert (record.v, record.tag, record.fields, record.open_units) == before
    scene.village.check_streams()


@given(st.lists(WRITE, max_size=15), st.booleans(), st.lists(st.integers(1, 3), max_size=15))
def test_my_own_chain_never_conflicts(writes: list[Any], tells: bool, sizes: list[int]) -> None:
    """What one person writes offline, however much and in however many pushes, is applied as it was typed."""
    scene = Scene()
    for unit, change in writes:
        scene.write("B", unit, change, tells)
        if sizes and sizes.pop() == 1:
            scene.push("B")
    shown = laid_over(scene.hands["B"].copy, scene.hands["B"].over, scene.form)
    scene.push("B")
    assert {outcome for _, _, outcome, _ in scene.village.answers.values()} <= {"applied", "unchanged"}
    assert scene.village.fields("r") == shown
    assert scene.village.conflicts == {} and scene.village.listed == []


@given(st.permutations(sorted(UNITS)), st.permutations(WRITERS[:3]), st.data())
def test_different_units_commute(units: list[str], order: list[str], data: st.DataObject) -> None:
    """People who write different things agree in any order of arrival, without a question to anybody."""
    parts = {name: units[place::3] for place, name in enumerate(WRITERS[:3])}
    writes = {unit: data.draw(VALUES[unit].filter(bool)) for unit in units}
    ends = []
    for arrivals in (order, WRITERS[:3]):
        scene = Scene()
        for name in arrivals:
            for unit in parts[name]:
                scene.write(name, unit, {"note": None} if unit == "note" else writes[unit], True)
            scene.hands[name].unsent = [
                ({**one[0], "set": {"note": "n0 new"}}, one[1], {"note": "n0 new"}, *one[3:]) if one[1] == "note" else one
                for one in scene.hands[name].unsent
            ]
            scene.push(name)
        ends.append({name: value for name, value in scene.village.fields("r").items() if not str(value).startswith("z")})
        assert scene.village.conflicts == {} and scene.village.listed == []
    assert ends[0] == ends[1]


@given(st.lists(ACTION, max_size=30), st.sampled_from(sorted(UNITS)))
def test_what_nobody_writes_never_changes(actions: list[Any], untouched: str) -> None:
    """A field that no operation names is as it was, whatever was merged around it."""
    scene = Scene()
    scene.play([one for one in actions if isinstance(one[1], str) or one[1][0] != untouched])
    for name in UNITS[untouched][1]:
        assert scene.village.fields("r").get(name) == START.get(name)
    assert untouched not in scene.village.record("r").stamps
