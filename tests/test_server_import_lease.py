"""A table that takes long stays in the hands of the worker that began it."""

from __future__ import annotations

from typing import Any

from test_server_imports import finish, office, outcomes, run_act, secretary, upload  # noqa: F401

from server.jobs.worker import Worker
from server.services.sheet_read import Reader

_ROWS = 600
_SLOW_S = 0.1
"""For each row that is read: the earlier tables and the table's own people take twice the time of a lease."""


def table(names: str) -> bytes:
    """Many people in one table, as text."""
    rows = [f"{names}{chr(0x4E00 + place)},3幢,1单元,{place},19800102" for place in range(_ROWS)]
    return "\n".join(["姓名,楼栋,单元,室号,出生日期", *rows]).encode()


def test_no_second_worker_takes_an_import_over_while_earlier_tables_are_read(office, secretary, clock, monkeypatch):  # noqa: F811
    """The tables of a month are read before the first row is decided; however long that takes, nobody begins the same import beside it."""
    content = table("王")
    assert outcomes(run_act(office, secretary, content, "write")) == {"new": _ROWS}
    assert outcomes(run_act(office, secretary, content, "write")) == {"same": _ROWS}
    asked = secretary.post("/api/v1/imports", {"act": "plan", "file_id": upload(secretary, content).json["file_id"], "name": "台账.csv"})
    read, beside = Reader.read, []

    def slowly(self: Reader, *row: Any) -> Any:
        clock.advance(seconds=_SLOW_S)
        if clock().second % 10 == 0 and clock().microsecond < _SLOW_S * 1_000_000:
            beside.append(Worker(office.house, sweepers=()).run_one())
        return read(self, *row)

    monkeypatch.setattr(Reader, "read", slowly)
    said = finish(office, secretary, asked.json["import_id"])
    assert outcomes(said) == {"same": _ROWS}
    assert len(beside) >= 18 and not any(beside)
