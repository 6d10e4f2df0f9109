"""The whole demo community as groups of operations: parents before children, the same for the same seed and day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import date

from server.demo.care import build_care, build_visits
from server.demo.chance import Writer
from server.demo.party import RESIDENT_MEMBERS, build_party
from server.demo.people import SECOND_HOUSEHOLDS, build_people
from server.demo.places import Operation, build_places
from server.demo.stock import build_stock

SEED = 20_251
HOUSEHOLDS = 2500
PERSONS = 6500


def demo_groups(as_of: date, seed: int = SEED) -> Iterator[list[Operation]]:
    """Operation groups of the demo community.

    Parameters
    ----------
    as_of : the day on which the demo is told: ages, visits and dates of validity are relative to it
    seed : another seed invents another community on the same ground

    Yields
    ------
    list of dict
        Create operations that belong together: an estate; a building with its entrances and dwellings; a household
        with its members (its ``head`` names one of them); the visits of a household; a party member with the check-in.
        Every record that an operation refers to stands in an earlier group or in the same one. Record ids do not
        depend on ``as_of``; operation ids do.
    """
    writer = Writer(seed)
    places = build_places(seed, as_of, writer, HOUSEHOLDS - SECOND_HOUSEHOLDS)
    yield from places.groups
    people = build_people(seed, as_of, writer, places, PERSONS, RESIDENT_MEMBERS)
    yield from people.groups
    yield from build_care(seed, as_of, writer, people)
    yield from build_visits(seed, as_of, writer, people)
    yield from build_party(seed, as_of, writer, places, people)
    yield from build_stock(seed, as_of, writer, places)


def batches(groups: Iterable[list[Operation]], size: int) -> Iterator[list[list[Operation]]]:
    """Groups put together into batches of about ``size`` operations; no group is split."""
    batch: list[list[Operation]] = []
    held = 0
    for group in groups:
        if batch and held + len(group) > size:
            yield batch
            batch, held = [], 0
        batch.append(group)
        held += len(group)
    if batch:
        yield batch


def frozen(operation: Operation) -> str:
    """The text of an operation as it is pushed: compact JSON in the order of its keys."""
    return json.dumps(operation, ensure_ascii=False, separators=(",", ":"))


def fingerprint(groups: Iterable[list[Operation]]) -> str:
    """SHA-256 over the texts of all operations, in order."""
    digest = hashlib.sha256()
    for group in groups:
        for operation in group:
            digest.update(frozen(operation).encode() + b"\n")
        digest.update(b"\n")
    return digest.hexdigest()
