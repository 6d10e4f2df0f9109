"""What an edition would move: planned from one snapshot, and made current again under the lock (S29).

Only records with a location of their own are judged; everything else follows what places it, level by level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from geo.lineage import Lineage
from geo.place import RULE_VERSION
from server.services.footing import LONGEST_CHAIN, Footing, footing_of
from server.services.places import Places
from server.store import moving as store
from sync.digest import record_hash
from sync.effects import CARD
from sync.memory import UNPLACED
from sync.placing import pinned_cell, pinned_note

if TYPE_CHECKING:
    from forms.registry import Registry
    from server.store.database import Connection

Progress = Callable[[int, int], None]
FOLLOWS, LIES, PINNED = "follows", "lies", "pinned"


@dataclass(slots=True)
class Moved:
    """One record that changes its home. ``root`` is the record whose location or pin decides, ``why`` how it is decided.

    ``life`` to ``maker`` are read by whoever writes it (`learn_versions`), empty and 0 before; ``weight`` is its share of a
    stream's digest, 0 where it was not reckoned beforehand.
    """

    id: str
    type: str
    from_home: str
    to_home: str
    why: str
    root: str
    note: str | None = None
    life: str = ""
    v: int = 0
    tag: str = ""
    maker: str = ""
    weight: int = 0


@dataclass(slots=True)
class MovePlan:
    """What would move by id, and what it was planned on.

    ``weight`` of a move is reckoned by whoever writes it. ``renewed`` holds, by id, what moves that were written meanwhile
    had counted before; ``changed`` every record that was.

    ``notes`` are placement notes of records that stay but whose doubt changes; ``pins`` the records whose pin follows
    (new cell) or is taken away (None); ``asked`` those whose pin stands provisionally, because nothing of their own tells which
    successor they are in; ``cards`` the owners of reference cards whose card moves.
    """

    edition_id: str
    version: int
    seqs: Mapping[str, int]
    judged: int = 0
    moves: dict[str, Moved] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    pins: dict[str, str | None] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    cards: set[str] = field(default_factory=set)
    renewed: dict[str, int] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()


class Planner:
    """Plans one edition of the base layer. Changes nothing.

    Parameters
    ----------
    places : the cells of the edition, ready to be asked
    lineage : from the edition in force to this one; pins follow it
    """

    def __init__(self, registry: Registry, community_id: str, places: Places, lineage: Lineage) -> None:
        self._community_id, self._places, self._lineage = community_id, places, lineage
        self._registry = registry
        self._known = frozenset(places.index.cell_ids)

    def plan(
        self, connection: Connection, version: int, progress: Progress | None = None, footing: Footing | None = None
    ) -> MovePlan:
        """Everything that would move, from what the connection sees; ``footing`` where the caller has read it already."""
        tell = progress or (lambda done, of: None)
        plan = MovePlan(self._places.edition_id or "", version, store.stream_heads(connection, self._community_id))
        footing = footing or footing_of(connection, self._registry, self._community_id)
        plan.judged = int(np.count_nonzero(footing.marks & store.DECIDES))
        tell(0, max(plan.judged, 1))
        fresh = self._judge(connection, footing, plan)
        _let_follow(footing, fresh, plan)
        tell(max(plan.judged, 1), max(plan.judged, 1))
        return plan

    def renew(self, connection: Connection, plan: MovePlan) -> int:
        """Judge again what was written since the plan was made; how many records that were.

        Only what takes no exclusive lock can have come in between: creations, and changes that move nothing.
        """
        changed = store.changed_since(connection, self._community_id, plan.seqs)
        plan.changed |= frozenset(changed)
        rows = store.heads(connection, self._community_id, changed)
        again = []
        for row in rows:
            known = plan.moves.get(row.id)
            if known is not None:
                plan.renewed.setdefault(row.id, known.weight)
                known.v, known.tag, known.life, known.weight = row.v, row.tag, row.life, 0
            elif row.lon is not None or row.place_parent is None:
                again.append(row.id)
        if again:
            footing = footing_of(connection, self._registry, self._community_id, again)
            self._follow(connection, {one.id: one for one in self._judge(connection, footing, plan).values()}, plan)
        waiting = [row for row in rows if row.id not in plan.moves and row.lon is None and row.place_parent is not None]
        while waiting:
            following = {row.id: made for row in waiting if (made := self._follower(row, plan)) is not None}
            if not following:
                break
            plan.moves |= following
            waiting = [row for row in waiting if row.id not in following]
        return len(rows)

    # ------------------------------------------------------------ what decides for itself
    def _judge(self, connection: Connection, footing: Footing, plan: MovePlan) -> dict[int, Moved]:
        """What moves of its own accord, by its number."""
        index = self._places.index
        fresh: dict[int, Moved] = {}
        deciding = np.flatnonzero(footing.marks & store.DECIDES)
        found, covering = index.locate_counted(lons=footing.lon[deciding], lats=footing.lat[deciding])
        # Text per cell, not per record: most records stay.
        homes = [*(f"cell/{cell_id}" for cell_id in index.cell_ids), UNPLACED]
        moves = footing.homes.of(homes)[found] != footing.home[deciding]
        close = ((footing.marks[deciding] & (store.DOUBTFUL | store.PINNED)) > 0) | (moves & (found < 0))
        ids = footing.ids
        bodies = store.bodies(connection, self._community_id, [ids[at] for at in deciding[close].tolist()])
        anchors = {one: anchor for one, (fields, _) in bodies.items() if (anchor := orjson.loads(fields).get("anchor"))}
        self._places.learn(anchors.values())
        # What nobody doubts has one of two notes.
        plain = [
            orjson.dumps({"decision": said, "edition": plan.edition_id, "rule": RULE_VERSION}).decode()
            for said in ("inside", "tie_rule")
        ]
        streams = list(footing.homes)
        looked = np.flatnonzero(moves | close)
        places = zip(deciding[looked].tolist(), found[looked].tolist(), covering[looked].tolist(), strict=True)
        for number, at, cells in places:
            one, was, home, note, why = ids[number], streams[footing.home[number]], homes[at], None, LIES
            body = bodies.get(one)
            if body is None:
                if home != was:
                    fresh[number] = _moved(footing, number, was, home, LIES, plain[cells > 1])
                continue
            fields = orjson.loads(body[0])
            place = self._places.place(fields["anchor"]) if fields.get("anchor") else None
            note = place.note if place is not None else None
            pin = self._pin(connection, footing.kinds[footing.kind[number]], one, fields, place, plan)
            if pin is not None:
                old = orjson.loads(body[1]) if body[1] else {}
                home, note, why = f"cell/{pin}", pinned_note(pin, plan.edition_id), PINNED
                # Asked before and not answered since: an answer is a new pin with a note of its own.
                if one in plan.asked or (old.get("reopened") and old.get("pin") == pinned_cell(fields)):
                    note |= {"reopened": old.get("reopened") or pinned_cell(fields), "needs_confirmation": True}
            elif plan.pins.get(one, "") is None:
                note = {**(note or {}), "reopened": pinned_cell(fields), "needs_confirmation": True}
            if home != was:
                told = plain[cells > 1] if note is None else orjson.dumps(note).decode()
                fresh[number] = _moved(footing, number, was, home, why, told)
            elif _doubt(note) != _doubt(orjson.loads(body[1]) if body[1] else None):
                plan.notes[one] = orjson.dumps(note).decode()
        return fresh

    def _pin(
        self, connection: Connection, kind: str, record_id: str, fields: dict[str, Any], place: Any, plan: MovePlan
    ) -> str | None:
        """The cell that a pin names in the new edition: the one successor of its cell, or the one of several that fits.

        Several fit: the pin is taken away and the record asked about again; it is never dropped (S29). Without a location
        nothing else would hold the record and all that stands in it: the pin goes to the cell of its holder, else to the
        largest successor, and it is asked about all the same.
        """
        named = pinned_cell(fields)
        if named is None:
            return None
        choices = self._heirs(named)
        if len(choices) > 1 and place is not None:
            near = {place.home.removeprefix("cell/"), *(one for one, _ in place.note.get("candidates", ()))}
            choices = tuple(one for one in choices if one in near)
        chosen = choices[0] if len(choices) == 1 else None
        if chosen is None and place is None:
            held = self._holders_cell(connection, kind, fields)
            chosen = held if held in choices or not choices else choices[0]
            if chosen is not None:
                plan.asked.add(record_id)
        if chosen != named:
            plan.pins[record_id] = chosen
        return chosen

    def _heirs(self, cell_id: str) -> tuple[str, ...]:
        return self._lineage.successors(cell_id) or ((cell_id,) if cell_id in self._known else ())

    def _holders_cell(self, connection: Connection, kind: str, fields: dict[str, Any]) -> str | None:
        """The cell of what a record without a location stands in; None where nothing tells."""
        for _ in range(LONGEST_CHAIN):
            sources = (fields.get(one) for one in self._registry.latest(kind).placed_by if one != "@anchor")
            holder = next((str(one) for one in sources if one), None)
            rows = store.typed_bodies(connection, self._community_id, [holder]) if holder is not None else []
            if not rows:
                return None
            kind, fields = rows[0].type, orjson.loads(rows[0].fields)
            named = pinned_cell(fields)
            heirs = self._heirs(named) if named is not None else ()
            if len(heirs) == 1:
                return heirs[0]
            if fields.get("anchor"):
                home = str(self._places.place(fields["anchor"]).home)
                return home.removeprefix("cell/") if home != UNPLACED else None
        return None

    # ------------------------------------------------------------ what follows
    def _follow(self, connection: Connection, fresh: dict[str, Moved], plan: MovePlan) -> None:
        """Everything that is placed by what moves, through any number of steps."""
        frontier = fresh
        while frontier:
            plan.moves |= frontier
            following: dict[str, Moved] = {}
            for row in store.placed_by(connection, self._community_id, list(frontier)):
                made = self._follower(row, plan)
                if made is not None:
                    following[row.id] = made
            frontier = following

    def _follower(self, row: store.Head, plan: MovePlan) -> Moved | None:
        parent = plan.moves.get(row.place_parent)  # type: ignore[arg-type]
        if parent is None:
            return None
        if row.type == CARD:
            plan.cards.add(row.id)
            return None
        if row.home == parent.to_home or row.id in plan.moves:
            return None
        return Moved(
            row.id, row.type, row.home, parent.to_home, FOLLOWS, parent.root, None, row.life, row.v, row.tag, row.created_install
        )


def _moved(footing: Footing, number: int, was: str, home: str, why: str, note: str) -> Moved:
    one = footing.ids[number]
    return Moved(one, footing.kinds[footing.kind[number]], was, home, why, one, note)


def _let_follow(footing: Footing, fresh: dict[int, Moved], plan: MovePlan) -> None:
    """Everything that is placed by what moves, through any number of steps: for each record whose place moves, level by level."""
    plan.moves |= {one.id: one for one in fresh.values()}
    numbers = np.fromiter(fresh, dtype=np.intp, count=len(fresh))
    target = np.full(len(footing.ids), -1, dtype=np.int32)  # where it goes, by code
    target[numbers] = footing.homes.of([one.to_home for one in fresh.values()])
    root = np.full(len(footing.ids), -1, dtype=np.intp)
    root[numbers] = numbers
    left = np.flatnonzero(np.isnan(footing.lon) & (footing.above >= 0))
    is_card = footing.of_type(CARD)
    streams, came = list(footing.homes), target >= 0
    while came.any():
        held = left[came[footing.above[left]]]
        plan.cards.update(footing.ids[at] for at in held[is_card[held]].tolist())
        held = held[~is_card[held] & (target[held] < 0)]
        held = held[target[footing.above[held]] != footing.home[held]]
        above = footing.above[held]
        target[held], root[held] = target[above], root[above]
        came = np.zeros(len(came), dtype=bool)
        came[held] = True
        ids = [footing.ids[at] for at in held.tolist()]
        made = map(
            Moved, ids, [footing.kinds[code] for code in footing.kind[held].tolist()],
            [streams[code] for code in footing.home[held].tolist()], [streams[code] for code in target[held].tolist()],
            repeat(FOLLOWS), [footing.ids[at] for at in root[held].tolist()],
        )  # fmt: skip
        plan.moves.update(zip(ids, made, strict=True))


def learn_versions(connection: Connection, community_id: str, moves: Iterable[Moved]) -> None:
    """Read what is needed to write these moves, where it is not known yet."""
    unknown = {one.id: one for one in moves if one.v == 0}
    for row in store.heads(connection, community_id, list(unknown)):
        one = unknown[row.id]
        one.v, one.tag, one.life, one.maker = row.v, row.tag, row.life, row.created_install


def _doubt(note: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """What of a note tells whether a person must look at it."""
    if note is None:
        return ()
    return (note.get("pin"), note.get("reopened"), [one for one, _ in note.get("candidates", ())], note.get("datum_suspect"))


def hash_of(one: Moved) -> int:
    """What a record counts in the digest of a stream."""
    return record_hash(one.id, one.v, one.tag)
