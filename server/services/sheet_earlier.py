"""What earlier tables of the same headings said of whom: a table that comes again corrected changes only what was corrected.

The uploaded tables and the reports of their rows are kept for a time; beyond it a table is compared with the records alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from server.services.sheet_file import Heading, data_rows, open_sheet
from server.services.sheet_ground import place_of
from server.services.sheet_read import Reader, SheetRow
from server.store.sheet_scratch import Scratch

_AT_A_TIME = 500
_IDENTITY = frozenset({"name", "document_number", "document_type", "birth_date", "birth_precision", "sex"})

Parts = Mapping[str, str]
Read = Callable[[], Reader]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A table that was written: its import, its file, its sheet, its headings, how its rows are read, the report of its rows."""

    import_id: str
    path: Path
    sheet: str | None
    heading: Heading
    reader: Reader
    report: Path


@dataclass(frozen=True, slots=True)
class Told:
    """What a row of an earlier table said of somebody."""

    row: int
    key: bytes
    values: Mapping[str, Mapping[str, Any]]
    parts: Parts

    def is_row_of(self, one: SheetRow) -> bool:
        """Whether a row of the table now is this one put right: in its old place, or the same but for who it is about."""
        return self.row == one.row or (self.parts == one.parts and _rest(self.values) == _rest(one.values))

    def names_door_of(self, one: SheetRow) -> bool:
        """Whether a row of the table now names the place and the household that this one named."""
        number = "household.number"
        return place_of(self.parts) == place_of(one.parts) and self.parts.get(number, "") == one.parts.get(number, "")


def learn_earlier(scratch: Scratch, tables: list[Earlier]) -> None:
    """Take in what the tables said, the newest first; of each person the newest row counts."""
    for table in tables:
        rows = _linked(table)
        while some := list(islice(rows, _AT_A_TIME)):
            scratch.tell(
                (person_id, one.key, one.row, orjson.dumps((one.values, one.parts))) for person_id, one in some
            )  # fmt: skip


def expect(scratch: Scratch, rows: Iterator[tuple[int, Any]], reader: Reader) -> None:
    """Take in whom the rows of the table now are about, as far as they say it; rows with faults say nothing."""
    while some := list(islice(rows, _AT_A_TIME)):
        read = (reader.read(number, cells) for number, cells in some)
        scratch.expect(one.key for one in read if not one.errors)


def told_of(scratch: Scratch, person_id: str) -> Told | None:
    """What the newest earlier table said of a person."""
    found = scratch.told_of(person_id)
    if found is None:
        return None
    values, parts = orjson.loads(found[2])
    return Told(found[0], found[1], values, parts)


def _linked(table: Earlier) -> Iterator[tuple[str, SheetRow]]:
    """(person, row) of every row of a table that was written to somebody."""
    with table.report.open("rb") as report, open_sheet(table.path, table.sheet) as (_, rows):
        said = (orjson.loads(line) for line in report)
        for number, cells in data_rows(rows, table.heading):
            one = next(said, None)
            while one is not None and one["row"] < number:
                one = next(said, None)
            if one is None:
                return
            if one["row"] == number and one["record_id"] and one["outcome"] not in ("quarantined", "held"):
                read = table.reader.read(number, cells)
                if not read.errors:
                    yield one["record_id"], read


def _rest(values: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in of.items() if kind != "person" or name not in _IDENTITY} for kind, of in values.items()]
