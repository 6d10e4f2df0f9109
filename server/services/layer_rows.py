"""Rows of a layer by the million: for every set of fields that records have, a function that lays them over the columns.

Most records of a type have one of a few sets of fields. What such a set lacks stands in the generated text as a constant, what it has
is fetched by name, and the row comes into being whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from forms.definition import FieldSpec
from server.services.tables import Value, joined
from server.store import exports as store

if TYPE_CHECKING:
    from server.services.layers import Called, Cell, Place, RecordTable, Swift

OWN_FIRST = ("id", "cell_code", "cell_name", "dedicated_code", "dedicated_name")
OWN_LAST = ("place_source", "open_conflicts", "version", "updated_at")
"""Columns of our own, before and behind those of the form."""

SEEN = 8
"""A set of fields has come so often before a function is made for it, which takes a millisecond."""

MOST_SETS = 500

Lay = Callable[..., Any]
_NONE: tuple[Lay | None, int] = (None, -1)
_TEXTS = frozenset({str})


class Sets(dict[tuple[str, ...], tuple[Lay | None, int]]):
    """By the fields of a record, in their order: the function for it, or None, and how many of its values are lists or objects.

    Parameters
    ----------
    specs : the fields that are columns; neither locations nor what the reader may not see
    named : those beside which the name of a record stands
    labels : label of a coded value, by field; knows every value, None too
    nothing : stands where nothing is known
    """

    def __init__(
        self, specs: Sequence[FieldSpec], named: frozenset[str], labels: Mapping[str, Mapping[Any, Value]], nothing: Value,
        *, lists: frozenset[str],
    ) -> None:  # fmt: skip
        super().__init__()
        self._specs, self._named, self._labels, self._nothing = specs, named, labels, nothing
        self._lists = lists
        self._seen: Counter[tuple[str, ...]] = Counter()

    def __missing__(self, fields: tuple[str, ...]) -> tuple[Lay | None, int]:
        if len(self) >= MOST_SETS or len(self._seen) > 20 * MOST_SETS:
            return _NONE
        self._seen[fields] += 1
        if self._seen[fields] < SEEN:
            return _NONE
        self[fields] = made = self._made(frozenset(fields))
        return made

    def _made(self, fields: frozenset[str]) -> tuple[Lay, int]:
        names: dict[str, Any] = {"nothing": self._nothing}
        columns = list(OWN_FIRST)
        containers = 0
        for number, spec in enumerate(self._specs):
            value, has = f"f[{spec.name!r}]", spec.name in fields
            is_list = spec.name in self._lists
            if has and (is_list or spec.privacy == "secret"):
                containers += 1
                names[f"shape_{number}"] = only_text if is_list else only_mask
                columns.append(f"shape_{number}({value})")
            else:
                columns.append(value if has else "nothing")
            if spec.codes is not None:
                names[f"labels_{number}"] = dict(self._labels[spec.name])  # a plain one is asked quicker; what it lacks is labelled elsewhere
                label = f"many(labels_{number}, {value})" if is_list else f"labels_{number}[{value}]"
                columns.append(label if has else "nothing")
            if spec.name in self._named:
                columns.append(f"called({value})" if has else "nothing")
        columns += OWN_LAST
        names["many"] = _labels_of
        given = ", ".join((*OWN_FIRST, "called", *OWN_LAST))
        exec(f"def lay(f, place, {given}):\n    return (place, {', '.join(columns)})", names)  # noqa: S102  # our own text, from the definitions' names
        return names["lay"], containers


def only_text(value: Any) -> str:
    """A list of texts as one text; TypeError for anything else, which is shaped elsewhere."""
    if type(value) is list:
        if len(value) == 1 and type(value[0]) is str:
            return value[0]
        if set(map(type, value)) <= _TEXTS:
            return joined(value)
    raise TypeError


def only_mask(value: Any) -> Value:
    """The mask of a secret; TypeError for anything else."""
    if type(value) is dict:
        return value.get("mask")  # type: ignore[no-any-return]
    raise TypeError


def _labels_of(labels: Mapping[Any, Value], codes: Sequence[str]) -> str:
    return joined(str(labels[code]) for code in codes)


class Swiftly:
    """Lays raw records over the columns of a table, each set of fields by its own function; the rest as `RecordTable` does."""

    def __init__(
        self, table: RecordTable, labels: Mapping[str, Mapping[Any, Value]], cells: Mapping[str | None, Cell], called: Called,
        place: Place, nothing: Value, *, lists: frozenset[str],
    ) -> None:  # fmt: skip
        self._table, self._cells, self._place, self._nothing = table, cells, place, nothing
        self._called: Called = called
        self._where = {home: tuple(nothing if one is None else one for one in cell) for home, cell in cells.items()}
        joint = frozenset(spec.name for spec in table.specs if spec.type in lists)
        self._sets = Sets(table.specs, table.names, labels, nothing, lists=joint)

    def laid(self, batch: Sequence[Any], parsed: Sequence[dict[str, Any]], places: store.Places) -> Swift:
        """The rows of a batch of `store.exports.raw_batches`, whose fields are read already."""
        sets, where, place, called, nothing = self._sets, self._where, self._place, self._called, self._nothing
        nowhere = (nothing, nothing)
        made: list[Any] = []
        lons: list[float | None] = []
        lats: list[float | None] = []
        for (one, v, home, text, conflicts, updated_at, lon, lat, kind, above, dedicated), fields in zip(batch, parsed):  # noqa: B905
            if lon is None:
                lon, lat, kind = places.get(above, store.NOWHERE)
            lons.append(lon)
            lats.append(lat)
            cell, special = where.get(home, nowhere), where.get(dedicated, nowhere)
            lay, containers = sets[tuple(fields)]
            # As many lists and objects as are expected, which the function sees to: there are no others.
            if lay is not None and conflicts == "[]" and text.count(b"{") + text.count(b"[") == containers + 1:
                try:
                    made.append(
                        lay(
                            fields, place(lon, lat), one, cell[0], cell[1], special[0], special[1], called,
                            nothing if kind is None else kind, nothing, v, updated_at,
                        )
                    )  # fmt: skip
                    continue
                except (TypeError, KeyError):  # a value of another form, or a code that the list does not know
                    pass
            row = store.RecordRow(one, v, home, fields, orjson.loads(conflicts), updated_at, lon, lat, kind, dedicated)
            made.append(self._plainly(row))
        return made, lons, lats

    def _plainly(self, row: store.RecordRow) -> Any:
        values = self._table.values(row, self._cells.get(row.home, (None, None)), self._cells.get(row.dedicated, (None, None)), self._called)
        return (self._place(row.lon, row.lat), *values)
