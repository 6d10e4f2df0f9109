"""`make bench-peers`: the same records through dishu, `pouchdb-server` (npm) and Kinto (PyPI), in turns, on this machine.

The peers are installed into environments of their own in a temporary folder (DISHU_PEERS names one to keep); they are no part of the project.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench import served
from bench.measure_sync import prepare_ground
from bench.peer_servers import Collection, Kinto, Peer, Pouch, install_kinto, install_pouch
from bench.phone import BenchPhone
from bench.postgres import running_postgres
from bench.report import Line, median, missed, table, total
from bench.served import Cost
from bench.workload import Ground, Maker, plain_records

BATCH, PAGE, DEVICES, PASSES = 500, 1000, 4, 3
T = TypeVar("T")


@dataclass
class _Times:
    push: list[Cost] = field(default_factory=list)
    edit: list[Cost] = field(default_factory=list)
    pull: list[Cost] = field(default_factory=list)


class Ours:
    """The served program, as a peer is asked."""

    name = "dishu"

    def __init__(self, server: served.Served, ground: Ground) -> None:
        self.phone, self.reader = (BenchPhone(server, ground.codes[0][number]) for number in (0, 1))
        self.known: list[dict[str, Any]] = []

    def pushing(self, operations: list[dict[str, Any]]) -> Callable[[], None]:
        """One push of groups of one operation, ready to be sent."""
        body = self.phone.push_body([[one] for one in operations])

        def send() -> None:
            results, _ = self.phone.send(body, len(operations))
            self.known += [one["record"] for one in results]

        return send

    def editing(self, maker: Maker, start: int, value: str) -> Callable[[], None]:
        """One field of stored records, ready to be sent."""
        chosen = self.known[start : start + BATCH]
        body = self.phone.push_body([[maker.patch(one, "occupation_text", value)] for one in chosen])

        def send() -> None:
            results, _ = self.phone.send(body, len(chosen))
            self.known[start : start + BATCH] = [one["record"] for one in results]

        return send

    @property
    def asked_s(self) -> float:
        """Seconds of all requests so far (both phones share the connection)."""
        return self.phone.server.asked_s

    def cpu_s(self) -> float:
        """CPU seconds of the server's processes so far."""
        return self.phone.server.cpu_s()

    def pull(self) -> int:
        """The next page; how many rows."""
        return len(self.reader.pull(PAGE)[0]["rows"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--records", type=int, default=6000)
    parser.add_argument("--peers-folder", type=Path, help="where the peers are, or are installed and kept")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dishu-peers-")))
        peers = chosen.peers_folder or folder / "peers"
        say("installing pouchdb-server and Kinto ...")
        install_pouch(peers)
        install_kinto(peers)
        postgres = stack.enter_context(running_postgres(durable=True, own=True))
        ground = prepare_ground(folder)
        product = stack.enter_context(served.product(folder))
        pouch = stack.enter_context(Pouch(peers, folder / "pouch"))
        kinto = stack.enter_context(Kinto(peers, folder / "kinto", postgres.create_database(), database_pid=postgres.pid))
        lines = rates(Ours(product, ground), product, pouch, kinto, chosen.records)
        print(table(lines))
        print("\nFour devices at once, disjoint records, 100 in a request:\n")
        print("| Server | acknowledged | present afterwards | acknowledged but absent |\n|---|---|---|---|")
        for row in lost(product, ground, pouch, kinto):
            print("| " + " | ".join(str(one) for one in row) + " |")
    return 1 if missed(lines) else 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def rates(ours: Ours, product: served.Served, pouch: Pouch, kinto: Kinto, count: int) -> list[Line]:
    """Pushes, edits and pages of all three, one after the other in each round; the median of the rounds counts.

    Requests are made before the clock starts and answers are decoded when it has stopped: servers are measured, and a phone has frozen
    its operations when it saved them.
    """
    maker = Maker()
    for groups in maker.homes(200):
        ours.phone.push([groups])
    times = {name: _Times() for name in (ours.name, pouch.name, kinto.name)}
    for round_ in range(count // BATCH):
        operations = [maker.person() for _ in range(BATCH)]
        records = plain_records(operations)
        work: list[tuple[Ours | Peer, Callable[[], Any]]] = [
            (ours, ours.pushing(operations)),
            (pouch, pouch.pushing(records)),
            (kinto, kinto.pushing(records)),
        ]
        for server, act in work if round_ % 2 else reversed(work):
            times[server.name].push.append(_timed(server, act)[0])
        say(f"{(round_ + 1) * BATCH:,} records")
    for round_ in range(min(6, count // BATCH)):
        value = f"改{round_}"
        edits: list[tuple[Ours | Peer, Callable[[], Any]]] = [
            (ours, ours.editing(maker, round_ * BATCH, value)),
            (pouch, pouch.editing(round_ * BATCH, BATCH, value)),
            (kinto, kinto.editing(round_ * BATCH, BATCH, value)),
        ]
        for server, act in edits if round_ % 2 else reversed(edits):
            times[server.name].edit.append(_timed(server, act)[0])
    say("edited")
    for number in range(PASSES * (whole := count // PAGE - 2)):
        if number % whole == 0:  # from the beginning again: buildings, dwellings and households, and a page to warm up
            ours.reader.cursor, pouch.since, kinto.next = None, 0, None
            for again in (ours.pull, partial(pouch.pull, PAGE), partial(kinto.pull, PAGE)):
                again()
        pages: list[tuple[Ours | Peer, Callable[[], int]]] = [(ours, ours.pull), (pouch, partial(pouch.pull, PAGE)), (kinto, partial(kinto.pull, PAGE))]
        for server, pull in pages:
            cost, rows = _timed(server, pull)
            times[server.name].pull.append(Cost(cost.wall_s / max(1, rows), cost.cpu_s / max(1, rows)))
    mine = times[ours.name]
    bars = {(pouch.name, "push"): 2.5, (pouch.name, "edit"): 2.0, (kinto.name, "pull"): 3.0}
    lines = []
    for what, of in (("push", BATCH), ("edit", BATCH), ("pull", 1)):
        for peer in (pouch, kinto):
            here, there = getattr(mine, what), getattr(times[peer.name], what)
            pairs = [other.wall_s / one.wall_s for one, other in zip(here, there, strict=True)]
            cpu, other_cpu = (total(one).cpu_s / len(pairs) / of * 1e6 for one in (here, there))
            note = (
                f"{of / median([one.wall_s for one in here]):,.0f}/s beside {of / median([one.wall_s for one in there]):,.0f}/s, {len(pairs)} rounds; "
                f"CPU {cpu:,.0f} beside {other_cpu:,.0f} µs each, ratio {other_cpu / cpu if cpu else 0:.2f}"
            )
            lines.append(Line(f"{what}, {peer.title}", median(pairs), "times the peer", bars.get((peer.name, what)), note=note))
    return lines


def _timed(server: Ours | Peer, act: Callable[[], T]) -> tuple[Cost, T]:
    """The clock runs from a request until its answer is there, as in `make bench`; what the client makes of the answer is no server's time."""
    cpu, asked = server.cpu_s(), server.asked_s
    result = act()
    return Cost(server.asked_s - asked, server.cpu_s() - cpu), result


def lost(product: served.Served, ground: Ground, pouch: Pouch, kinto: Kinto) -> Iterator[tuple[str, int, int, int]]:
    """(server, acknowledged, present, acknowledged but absent) after four devices pushed at once."""
    maker = Maker(9)
    phones = [BenchPhone(_line(product), code) for code in ground.codes[1][:DEVICES]]
    for groups in maker.homes(50, cell=1):
        phones[0].push([groups])
    shares = [[[maker.person() for _ in range(100)] for _ in range(10)] for _ in range(DEVICES)]

    def ours(number: int) -> list[str]:
        found = []
        for batch in shares[number]:
            results, _, _ = phones[number].push([[one] for one in batch])
            found += [one["record"]["id"] for one in results]
        return found

    told = _together(ours)
    present, complete = set(), False
    while not complete:
        page = phones[0].pull()[0]
        present |= {row["record"]["id"] for row in page["rows"] if row["kind"] == "PUT"}
        complete = page["complete"]
    yield "dishu", len(told), len(told & present), len(told - present)
    for peer in (pouch, kinto):
        made: Peer = peer
        collection = made.another("together")
        told = _together(partial(_pushed, collection, shares))
        present = collection.ids()
        yield made.title, len(told), len(told & present), len(told - present)


def _pushed(collection: Collection, shares: list[Any], number: int) -> list[str]:
    """What a collection acknowledged of one device's share."""
    return [one for batch in shares[number] for one in collection.push(plain_records(batch))]


def _line(server: served.Served) -> served.Served:
    """Another connection to the same server."""
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    return served.Served(server.process, host, int(port))


def _together(act: Callable[[int], list[str]]) -> set[str]:
    barrier = threading.Barrier(DEVICES)

    def run(number: int) -> list[str]:
        barrier.wait(60)
        return act(number)

    with ThreadPoolExecutor(DEVICES) as pool:
        return {one for found in pool.map(run, range(DEVICES)) for one in found}


if __name__ == "__main__":
    sys.exit(main())
