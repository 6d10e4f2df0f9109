"""What earlier tables said of whom: a table that comes again changes only what was corrected in it, with other columns or none added.

The uploaded tables and the reports of their rows are kept for a time; beyond it a table is compared with the records alone. Whom a row
is about, an earlier row tells only in a table of the same headings; what was said of somebody counts whatever table said it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from forms.sheet_columns import TYPES
from server.services.sheet_file import Heading, data_rows, open_sheet
from server.services.sheet_ground import place_of
from server.services.sheet_read import Reader, SheetRow
from server.store.sheet_scratch import Scratch, digest

_AT_A_TIME = 500
_IDENTITY = frozenset({"name", "document_number", "document_type", "birth_date", "birth_precision", "sex"})
_NUMBER = "household.number"

Parts = Mapping[str, str]
Read = Callable[[], Reader]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A table that was written: its import, its file, its sheet, its headings, how its rows are read, the report of its rows.

    ``same``: it has the headings of the table now.
    """

    import_id: str
    path: Path
    sheet: str | None
    heading: Heading
    reader: Reader
    report: Path
    same: bool = True


@dataclass(frozen=True, slots=True)
class Said:
    """What earlier tables said of one record.

    ``values``: of each fact by the nearest table that named it. ``others``: what further ones said differently. ``columns``: facts that
    any of them has a column for, filled or empty.
    """

    values: Mapping[str, Any]
    others: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    """What earlier tables said of somebody. ``row``, ``key`` and ``rest`` are those of the newest one of the same headings, if any."""

    row: int
    key: bytes
    rest: str
    values: Mapping[str, Mapping[str, Any]]
    others: Mapping[str, Mapping[str, Sequence[Any]]]
    parts: Parts
    doors: Sequence[Parts]
    columns: frozenset[str]

    def said(self, kind: str) -> Said:
        """What was said of the person (of its household, of its dwelling)."""
        values, heads = dict(self.values.get(kind, {})), len(kind) + 1
        if kind == "household" and self.parts.get(_NUMBER):
            values["household_number"] = self.parts[_NUMBER]
        columns = frozenset(one[heads:] for one in self.columns if one.startswith(kind + ".")) | values.keys()
        return Said(values, self.others.get(kind, {}), columns)

    def named(self, name: str) -> bool:
        """Whether an earlier table had this name for the person."""
        return name == self.values["person"].get("name") or name in self.others.get("person", {}).get("name", ())

    def is_row_of(self, one: SheetRow) -> bool:
        """Whether a row of the table now is this one put right: in its old place, or the same but for who it is about."""
        return bool(self.rest) and (self.row == one.row or self.rest == _rest(one))

    def names_door_of(self, one: SheetRow) -> bool:
        """Whether a row of the table now names the place and the household that the nearest one named."""
        return _same_door(self.parts, one.parts)

    def once_named_door_of(self, one: SheetRow) -> bool:
        """Whether any earlier row named them."""
        return any(_same_door(parts, one.parts) for parts in self.doors)


def learn_earlier(scratch: Scratch, tables: Sequence[Earlier], alive: Callable[[], None]) -> None:
    """Take in what the tables said, the nearest first; of each fact of a person the nearest row that names it counts.

    ``alive`` is called again and again meanwhile.
    """
    for at, table in enumerate(tables):
        rows = _linked(table, alive)
        while some := list(islice(rows, _AT_A_TIME)):
            scratch.tell(
                ((person_id, one.key if table.same else None, one.row, _content(one, at, table.same)) for person_id, one in some), _joined
            )


def expect(scratch: Scratch, rows: Iterator[tuple[int, Any]], reader: Reader, alive: Callable[[], None]) -> None:
    """Take in whom the rows of the table now are about, as far as they say it; rows with faults say nothing. ``alive`` as above."""
    while some := list(islice(rows, _AT_A_TIME)):
        alive()
        read = (reader.read(number, cells) for number, cells in some)
        scratch.expect(one.key for one in read if not one.errors)


def told_of(scratch: Scratch, tables: Sequence[Earlier], person_id: str) -> Told | None:
    """What earlier tables said of a person."""
    found = scratch.told_of(person_id) if tables else None
    if found is None:
        return None
    row, key, content = found
    told = orjson.loads(content)
    columns = frozenset[str]().union(*(tables[at].reader.columns for at in told["tables"]))
    return Told(row, key, told["rest"], told["values"], told["others"], told["parts"], told["doors"], columns)


def _content(one: SheetRow, at: int, same: bool) -> bytes:
    rest = _rest(one) if same else ""
    return orjson.dumps({"rest": rest, "values": one.values, "others": {}, "parts": one.parts, "doors": [], "tables": [at]})


def _joined(nearer: bytes, farther: bytes) -> bytes:
    """What two tables said of one person."""
    told, more = orjson.loads(nearer), orjson.loads(farther)
    for kind in TYPES:
        values = told["values"].setdefault(kind, {})
        for name, value in more["values"].get(kind, {}).items():
            if name not in values:
                values[name] = value
            elif value != values[name]:
                also = told["others"].setdefault(kind, {}).setdefault(name, [])
                if value not in also:
                    also.append(value)
    if not place_of(told["parts"]):
        told["parts"] = more["parts"]
    elif place_of(more["parts"]) and not _same_door(told["parts"], more["parts"]) and more["parts"] not in told["doors"]:
        told["doors"].append(more["parts"])
    told["tables"] = sorted({*told["tables"], *more["tables"]})
    return orjson.dumps(told)


def _linked(table: Earlier, alive: Callable[[], None]) -> Iterator[tuple[str, SheetRow]]:
    """(person, row) of every row of a table that was written to somebody."""
    with table.report.open("rb") as report, open_sheet(table.path, table.sheet) as (_, rows):
        said = (orjson.loads(line) for line in report)
        for number, cells in data_rows(_told(rows, alive), table.heading):
            one = next(said, None)
            while one is not None and one["row"] < number:
                one = next(said, None)
            if one is None:
                return
            if one["row"] == number and one["record_id"] and one["outcome"] not in ("quarantined", "held", "doubtful"):
                read = table.reader.read(number, cells)
                if not read.errors:
                    yield one["record_id"], read


def _told(rows: Iterator[Any], alive: Callable[[], None]) -> Iterator[Any]:
    """The same rows; ``alive`` is called for every batch of them, also where whoever asks for them passes most by."""
    for place, row in enumerate(rows):
        if place % _AT_A_TIME == 0:
            alive()
        yield row


def _same_door(mine: Parts, other: Parts) -> bool:
    return place_of(mine) == place_of(other) and mine.get(_NUMBER, "") == other.get(_NUMBER, "")


def _rest(one: SheetRow) -> str:
    """What a row says beside who it is about."""
    values = [sorted((name, value) for name, value in of.items() if kind != "person" or name not in _IDENTITY) for kind, of in one.values.items()]
    return digest(orjson.dumps([values, sorted(one.parts.items())]).decode()).hex()
