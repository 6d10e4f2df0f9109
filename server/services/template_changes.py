"""What changed in a table since it was filled before: which rows came, went and changed, which figures are others.

No copy of the values is kept for this: both moments are read again from the history, each as it was known then. So the
comparison holds nothing that was erased meanwhile, and works for any two fillings of a template.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from forms.template_grammar import Listing, Placeholder, source_of
from server.errors import InputError, InvalidInput
from server.permissions import Actor, Scope
from server.services import audit, templates
from server.services.looks import Look
from server.services.tables import Column, Sheet, Value, yes_no
from server.services.template_book import BookPlan
from server.services.template_data import Data
from server.services.template_fill import Line
from server.services.template_runs import moment_asked
from server.store.database import read
from server.store.jobs import Job

if TYPE_CHECKING:
    from server.house import House


@dataclass(frozen=True, slots=True)
class _Told:
    """One filling read again: lines of every list by record id, in order, and the figures by place; a text with several has all of them.

    A figure of each row of a list (``本行网格``) is a column of it, named by its cell.
    """

    lists: dict[tuple[str, int], dict[str, dict[str, Any]]]
    figures: dict[tuple[str, str], list[Any]]


def changes(house: House, actor: Actor, scope: Scope, before: Job, now: Job, look: Look) -> dict[str, Any]:
    """What changed from one filling of a template to another, as the asker may see it.

    Returns
    -------
    dict
        ``before`` and ``now`` (run, when it was filled, its day); ``lists``: for each list its ``sheet``, ``row``, ``columns``,
        the rows that ``came``, ``went`` and ``changed`` ({id, values, changes: [{column, before, now}]}), and how many are the
        ``same``; ``figures`` that differ: sheet, cell, before, now

    Raises
    ------
    InvalidInput
        The two are of different templates or places, or one of them is not finished.
    OutsideScope, NotFound
    """
    asked, was = now.arguments, before.arguments
    if any(one.result is None or "as_of" not in one.result for one in (before, now)):
        raise InvalidInput(errors=[InputError("/against", "not_finished", "only finished tables are compared")])
    if (asked["template_id"], asked["cell"]) != (was["template_id"], was["cell"]):
        raise InvalidInput(errors=[InputError("/against", "another_table", "another template, or another cell")])
    first, second = sorted((before, now), key=lambda one: str((one.result or {})["as_of"]))
    _name, book, plan = templates.opened(house, now.community_id, asked["template_id"])
    told = [_told(house, scope, plan, one) for one in (first, second)]
    answer: dict[str, Any] = {
        "before": _run(first), "now": _run(second), "name": asked["name"], "lists": [], "figures": _figures(told[0], told[1]),
    }  # fmt: skip
    for sheet in plan.sheets.values():
        for row, listing in sorted(sheet.lists.items()):
            answer["lists"].append(_list(house, book, plan, sheet.title, row, listing, told[0], told[1]))
    if plan.personal:
        count = sum(len(one["came"]) + len(one["went"]) + len(one["changed"]) for one in answer["lists"])
        audit.note(
            house, look, scope=f"changes of {now.job_id} since {before.job_id} {scope.describe()}",
            community_id=now.community_id, fields=plan.personal, count=count,
        )  # fmt: skip
    return answer


def as_sheets(told: dict[str, Any]) -> list[Sheet]:
    """The comparison as a workbook: rows that came, went, changed; figures."""
    lists = told["lists"]
    sheets = []
    for title, kind in (("新增", "came"), ("减少", "went")):
        for one in lists:
            columns = [Column(column["name"], column["label"]) for column in one["columns"]]
            rows: list[list[Value]] = [[row["values"].get(column.name) for column in columns] for row in one[kind]]
            sheets.append(Sheet(f"{title} {one['sheet']}", columns, rows))
    for one in lists:
        columns = [Column(column["name"], column["label"]) for column in one["columns"]]
        labels = {column.name: column.title for column in columns}
        rows = [
            [*(row["values"].get(column.name) for column in columns), labels[change["column"]], change["before"], change["now"]]
            for row in one["changed"] for change in row["changes"]
        ]  # fmt: skip
        sheets.append(Sheet(f"变化 {one['sheet']}", [*columns, Column("~column", "变化的列"), Column("~before", "原为"), Column("~now", "现为")], rows))
    figures = [[one["sheet"], one["cell"], one["before"], one["now"]] for one in told["figures"]]
    heads = [Column("sheet", "工作表"), Column("cell", "单元格"), Column("before", "原为"), Column("now", "现为")]
    sheets.append(Sheet("数字", heads, figures))
    about = [("报表", told["name"]), ("原填报", told["before"]["as_of"]), ("现填报", told["now"]["as_of"])]
    sheets.append(Sheet("说明", [Column("name", "项目"), Column("value", "内容")], about))
    return sheets


def _run(one: Job) -> dict[str, Any]:
    return {"run_id": one.job_id, "as_of": (one.result or {})["as_of"], "day": one.arguments["day"]}


def _told(house: House, scope: Scope, plan: BookPlan, run: Job) -> _Told:
    with read(house.engine) as connection:
        data = Data(
            house, connection, scope, run.community_id, plan, moment_asked(run, str((run.result or {})["as_of"])),
            cell=run.arguments["cell"],
        )  # fmt: skip
        lists = {}
        for sheet in plan.sheets.values():
            for row, listing in sheet.lists.items():
                columns, counted = _columns(plan, sheet.title, row), _figures_of_rows(plan, sheet.title, row)
                lists[sheet.title, row] = {
                    line.record_id: {name: _value(data, listing, name, line) for name in columns}
                    | {name: _plain(data.figure(one, line).value) for name, one in counted.items()}
                    for line in data.lines(listing)
                }
        figures: dict[tuple[str, str], list[Any]] = {}
        for title, spot, one in plan.placeholders:
            if one.kind == "figure" and one.listing is not None and not one.listing.by_row:
                figures.setdefault((title, spot.coordinate), []).append(_plain(data.figure(one, None).value))
    return _Told(lists, figures)


def _columns(plan: BookPlan, sheet: str, row: int) -> list[str]:
    """The columns of a list in the order of the sheet."""
    shown = [one.column for spot in plan.sheets[sheet].spots.get(row, ()) for one in spot.placeholders if one.kind in ("listing", "field")]
    return list(dict.fromkeys(name for name in shown if name is not None))


def _figures_of_rows(plan: BookPlan, sheet: str, row: int) -> dict[str, Placeholder]:
    """The figures that each row of a list has of its own, by their cell; the second of one cell is ``F5 (2)``."""
    found: dict[str, Placeholder] = {}
    for spot in plan.sheets[sheet].spots.get(row, ()):
        counted = [one for one in spot.placeholders if one.kind == "figure" and one.listing is not None and one.listing.by_row]
        found |= {spot.coordinate if at == 1 else f"{spot.coordinate} ({at})": one for at, one in enumerate(counted, 1)}
    return found


def _headed(book: Any, plan: BookPlan, sheet: str, row: int, name: str) -> str:
    """What stands above a figure of a list, its cell where nothing does."""
    column = next(spot.column for spot in plan.sheets[sheet].spots[row] if spot.coordinate == name.split(" ")[0])
    above = book[sheet].cell(row - 1, column).value if row > 1 else None
    return above.strip() if isinstance(above, str) and above.strip() and "{{" not in above else name


def _list(
    house: House, book: Any, plan: BookPlan, sheet: str, row: int, listing: Listing, first: _Told, second: _Told
) -> dict[str, Any]:
    source = source_of(house.registry, listing.source)
    shown = _columns(plan, sheet, row)
    labels = {name: (source.columns[name].label["zh"], source.columns[name].label["en"]) for name in shown}
    labels |= {name: (_headed(book, plan, sheet, row, name),) * 2 for name in _figures_of_rows(plan, sheet, row)}
    names = list(labels)
    before, now = first.lists[sheet, row], second.lists[sheet, row]
    changed = []
    for one, values in now.items():
        if one in before and before[one] != values:
            differing = [
                {"column": name, "before": before[one][name], "now": values[name]} for name in names if before[one][name] != values[name]
            ]
            changed.append({"id": one, "values": values, "changes": differing})
    return {
        "sheet": sheet, "row": row, "source": listing.source,
        "columns": [{"name": name, "label": zh, "label_en": en} for name, (zh, en) in labels.items()],
        "came": [{"id": one, "values": values} for one, values in now.items() if one not in before],
        "went": [{"id": one, "values": values} for one, values in before.items() if one not in now],
        "changed": changed,
        "same": sum(1 for one, values in now.items() if before.get(one) == values),
    }  # fmt: skip


def _figures(first: _Told, second: _Told) -> list[dict[str, Any]]:
    return [
        {"sheet": sheet, "cell": cell, "before": _one(first.figures.get((sheet, cell), [None])), "now": _one(values)}
        for (sheet, cell), values in second.figures.items() if first.figures.get((sheet, cell)) != values
    ]  # fmt: skip


def _one(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else " / ".join("" if value is None else str(value) for value in values)


def _value(data: Data, listing: Listing, name: str, line: Line) -> Value:
    return _plain(data.shown(listing.source, name, line, coded=False))


def _plain(value: Any) -> Value:
    if isinstance(value, bool):
        return yes_no(value)
    return value.isoformat() if isinstance(value, date) else value
