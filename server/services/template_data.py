"""What a template is filled with: rosters and cells as the scope sees them, chosen and counted by the template's conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from forms.evaluator import evaluate, is_true
from forms.template_filter import MOMENT
from forms.template_grammar import CELLS, Listing, Placeholder, personal_columns, source_of
from server.errors import OutsideScope
from server.permissions import Scope
from server.services.baseline import COUNTED, baseline
from server.services.baseline_then import baseline_then
from server.services.roster_grounds import Ground, cell_ground, community_ground
from server.services.roster_query import Query
from server.services.roster_values import order_key, table_value
from server.services.rosters import find_roster, rows_of, sees_personal
from server.services.template_book import BookPlan
from server.services.template_fill import Figure, Line

if TYPE_CHECKING:
    from forms.roster import Roster
    from server.house import House
    from server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Moment:
    """When a table speaks of: the day whose truth is told, the period of changes, and what was known (None: now).

    ``day``, ``begins`` and ``ends`` are ISO days; ``true_on`` is the day where it is a past one, else None.
    """

    day: str
    begins: str
    ends: str
    true_on: str | None = None
    known_at: str | None = None


def moment_of(today: date, *, day: str | None, begins: str | None, ends: str | None, known_at: str | None = None) -> Moment:
    """The moment that was asked for; the period is the month of the day where none is named."""
    on = date.fromisoformat(day) if day else today
    first = on.replace(day=1)
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return Moment(
        on.isoformat(), begins or first.isoformat(), ends or last.isoformat(), on.isoformat() if on < today else None, known_at
    )


class Data:
    """Answers the placeholders of one filling, in one transaction.

    Parameters
    ----------
    cell : code of the cell that is filled for; None for the whole community
    filled_by : who fills
    """

    def __init__(
        self, house: House, connection: Connection, scope: Scope, community_id: str, plan: BookPlan, moment: Moment, *,
        cell: str | None = None, filled_by: str = "", filled_on: str = "",
    ) -> None:  # fmt: skip
        self._house, self._connection, self._scope, self._plan = house, connection, scope, plan
        self._community_id, self.moment = community_id, moment
        self._filled_by, self._filled_on = filled_by, filled_on
        first = self._query(next(iter(house.registry.rosters().values())), ())
        whole = community_ground(house, scope, community_id, first)
        self.ground: Ground = whole if cell is None else cell_ground(house, scope, cell, first)
        self._community_name = whole.name
        self._kept: dict[str, list[Line]] = {}
        self._listed: dict[tuple[str, str], list[Line]] = {}

    # ------------------------------------------------------------ answers
    def lines(self, listing: Listing) -> Sequence[Line]:
        """See `template_fill.Answers`."""
        return self._chosen(listing, None)

    def figure(self, placeholder: Placeholder, row: Line | None) -> Figure:
        """See `template_fill.Answers`; nothing is summed, and there is no average, where no record has a value."""
        assert placeholder.listing is not None
        lines = self._chosen(placeholder.listing, row)
        name, column = placeholder.word, placeholder.column
        if column is None:
            return Figure(len(lines), tuple(one.record_id for one in lines))
        told = [(one.record_id, value) for one in lines if (value := one.values.get(column)) not in (None, [], "")]
        values = [value for _, value in told]
        ids = tuple(one for one, _ in told)
        if name == "count":
            return Figure(len(values), ids)
        if name == "distinct":
            return Figure(len({str(value) for value in values}), ids)
        if not values:
            return Figure(0 if name == "sum" else None, ids)
        if name == "sum":
            return Figure(_plain(sum(values)), ids)
        if name == "average":
            return Figure(_plain(sum(values) / len(values)), ids)
        found = max(values) if name == "max" else min(values)
        return Figure(date.fromisoformat(found) if isinstance(found, str) else _plain(found), ids)

    def value(self, word: str) -> Any:
        """See `template_fill.Answers`."""
        on = date.fromisoformat(self.moment.day)
        return {
            "community": self._community_name,
            "cell": self.ground.name,
            "cell_code": self.ground.cell_code or "",
            "day": on,
            "year": on.year,
            "month": on.month,
            "from": date.fromisoformat(self.moment.begins),
            "to": date.fromisoformat(self.moment.ends),
            "filled_on": date.fromisoformat(self._filled_on) if self._filled_on else on,
            "filled_by": self._filled_by,
        }[word]

    def shown(self, source: str, column: str, line: Line, *, coded: bool) -> Any:
        """See `template_fill.Answers`: the label of a code unless the code is asked for, days as days."""
        spec = source_of(self._house.registry, source).columns[column]
        value = line.values.get(column)
        if spec.words and not coded:
            value = line.values.get(f"{column}_label", value)
        if spec.type == "date" and isinstance(value, str):
            return date.fromisoformat(value)
        return table_value(value)

    # ------------------------------------------------------------ choosing
    def _chosen(self, listing: Listing, row: Line | None) -> list[Line]:
        code = str(row.values.get("code") or "") if row is not None and listing.by_row else ""
        key = (repr((listing.source, listing.condition, listing.order)), code)
        if key not in self._listed:
            found = self._all(listing.source)
            if listing.condition is not None:
                given = {
                    f"{MOMENT}day": self.moment.day, f"{MOMENT}from": self.moment.begins, f"{MOMENT}to": self.moment.ends,
                    f"{MOMENT}row": code,
                }  # fmt: skip
                today = date.fromisoformat(self.moment.day)
                condition = listing.condition
                found = [one for one in found if is_true(evaluate(condition, one.values | given, today))]
            if listing.order:
                falling = [down for _, down in listing.order]
                found = sorted(
                    found, key=lambda one: order_key([one.values.get(name) for name, _ in listing.order], falling, one.record_id)
                )
            self._listed[key] = found
        return self._listed[key]

    def _all(self, source: str) -> list[Line]:
        if source not in self._kept:
            self._kept[source] = list(self._cells() if source == CELLS else self._rows(source))
        return self._kept[source]

    def _rows(self, source: str) -> Iterator[Line]:
        roster = find_roster(self._house, source)
        wanted = {
            name for _, _, one in self._plan.placeholders if one.listing is not None and one.listing.source == source
            for name in (*one.listing.columns, *((one.column,) if one.column else ()))
        }  # fmt: skip
        if not sees_personal(self._scope, roster) and any(roster.column(name).tells_of_people for name in wanted):  # type: ignore[union-attr]
            raise OutsideScope("this template shows personal columns that you may not have")
        for row in rows_of(self._house, self._connection, self._scope, self.ground, self._query(roster, tuple(sorted(wanted)))):
            yield Line(row["id"], row)

    def _query(self, roster: Roster, names: Sequence[str]) -> Query:
        columns = tuple(column for column in roster.columns if column.name in names)
        order = tuple((column, down) for name, down in roster.sort if (column := roster.column(name)) is not None)
        shown = tuple((column, down) for column, down in order if not column.tells_of_people or self._scope.fields == "all")
        return Query(roster, columns, (), shown, 1, None, self.moment.known_at, self.moment.true_on)

    def _cells(self) -> Iterator[Line]:
        if self.moment.true_on is None and self.moment.known_at is None:
            told = baseline(self._house, self._scope, self._community_id)
        else:
            told = baseline_then(
                self._house, self._scope, self._community_id, COUNTED, as_of=self.moment.true_on, known_at=self.moment.known_at
            )
        for cell in told["cells"]:
            if self.ground.cell_code in (None, cell["code"]):
                freshness: Mapping[str, Any] = cell["freshness"] or {}
                values = cell["counts"] | cell["coverage"] | {
                    "code": cell["code"], "name": cell["name"], "area_m2": cell["area_m2"],
                    "median_days": freshness.get("median_days"), "open_conflicts": cell["open_conflicts"],
                }  # fmt: skip
                yield Line(cell["cell_id"], values)


def personal_of(plan: BookPlan, house: House) -> tuple[str, ...]:
    """``roster.column`` of every personal column of a template."""
    return tuple(sorted(personal_columns(house.registry, [one for _, _, one in plan.placeholders])))


def _plain(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else round(number, 6) if isinstance(number, float) else number
