"""Records as GeoJSON by the million, without reading their JSON: values are taken out of the stored text as they lie and set between names.

One pattern for each layer says what a record may look like: the fields of its form in their order, each or not, and in the text of
a value nothing escaped. What it lets through would be written again as it was read. A record that is otherwise is read and laid out as
`RecordTable` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from forms.definition import FieldSpec, RecordType
from server.services.labels import label, plain
from server.services.layer_rows import OWN_FIRST, OWN_LAST
from server.services.tables import joined
from server.store import exports as store

if TYPE_CHECKING:
    from server.services.layers import Called, Cell, RecordTable

Points = Mapping[tuple[float | None, float | None], bytes]
"""Points as GeoJSON by longitude and latitude; knows every one, also none."""

_MOST_PAIRS = 10_000  # of a coded field, that are remembered
_NULL = b"null"
_TEXT = r'"[^"\\]*+"'
_SCALAR = rf"(?:{_TEXT}|[-+.eE\d]++|true|false|null)"
_FLAT = rf'[\[{{](?:{_TEXT}|[^"\[\]{{}}])*+[\]}}]'
_ANY = rf'(?:{_SCALAR}|[\[{{](?:{_TEXT}|{_FLAT}|[^"\[\]{{}}])*+[\]}}])'
_SET = rf"\[(?:{_TEXT},?+)*+\]"


class FeatureTexts:
    """Writes raw records of a table as features of GeoJSON.

    Parameters
    ----------
    form : the form of the table's type
    lists : types of fields that hold a set of texts
    cells : (code, name) of a cell by its stream
    called : what a record is called, by its id
    points : writes the place of a record
    """

    def __init__(
        self, table: RecordTable, form: RecordType, lists: frozenset[str], cells: Mapping[str | None, Cell], called: Called,
        points: Points,
    ) -> None:  # fmt: skip
        self._table, self._cells, self._called, self._points = table, cells, called, points
        columns = {spec.name for spec in table.specs}
        self._match = re.compile(_pattern(form, columns, lists).encode()).fullmatch
        self._sentence = _sentence(table, lists, self._pair)
        self._where = {home: (orjson.dumps(code), orjson.dumps(name)) for home, (code, name) in cells.items()}

    def texts(self, batch: Sequence[Any], places: store.Places) -> list[bytes]:
        """A batch of `store.exports.raw_batches`, each record as one feature."""
        match, sentence, points, where, dumps = self._match, self._sentence, self._points, self._where, orjson.dumps
        nowhere = (_NULL, _NULL)
        made = []
        for one, v, home, text, conflicts, updated_at, lon, lat, kind, above, dedicated in batch:
            if lon is None:
                lon, lat, kind = places.get(above, store.NOWHERE)
            found = match(text) if conflicts == "[]" else None
            if found is not None:
                cell, special = where.get(home, nowhere), where.get(dedicated, nowhere)
                made.append(
                    sentence(
                        found.groups(_NULL), points[lon, lat], dumps(one), cell[0], cell[1], special[0], special[1], dumps(kind), dumps(v),
                        dumps(updated_at),
                    )
                )  # fmt: skip
            else:
                row = store.RecordRow(one, v, home, orjson.loads(text), orjson.loads(conflicts), updated_at, lon, lat, kind, dedicated)
                made.append(self._plainly(row))
        return made

    def _plainly(self, row: store.RecordRow) -> bytes:
        nowhere = (None, None)
        values = self._table.values(row, self._cells.get(row.home, nowhere), self._cells.get(row.dedicated, nowhere), self._called)
        named = dict(zip([column.name for column in self._table.columns], values, strict=True))
        place = orjson.Fragment(self._points[row.lon, row.lat])
        return orjson.dumps({"type": "Feature", "id": row.id, "geometry": place, "properties": named})

    def _pair(self, spec: FieldSpec, text: bytes) -> bytes:
        """The value of a field that has a label or a name, with the column beside it."""
        value = orjson.loads(text)
        made = orjson.dumps(plain(spec, value))
        if spec.codes is not None:
            made += b',"%b_label":%b' % (spec.name.encode(), orjson.dumps(label(spec, value)))
        if spec.name in self._table.names:
            made += b',"%b_name":%b' % (spec.name.encode(), orjson.dumps(self._called(value) if isinstance(value, str) else None))
        return made


def _pattern(form: RecordType, columns: set[str], lists: frozenset[str]) -> str:
    """The JSON of a record as it is stored, fields by name; a group for each column."""

    def value(spec: FieldSpec) -> str:
        if spec.name not in columns:
            return _ANY
        if _is_mask(spec):
            return rf'\{{"mask":({_TEXT}|null)\}}'
        return f"({_SET if spec.type in lists else _SCALAR})"

    fields = (rf'(?:"{name}":{value(spec)},?+)?+' for name, spec in sorted(form.fields.items()))
    return rf"\{{{''.join(fields)}\}}"


class _Pairs(dict[bytes, bytes]):
    """The text of a value with its label beside it, by the text of the value."""

    def __init__(self, make: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: bytes) -> bytes:
        made = self._make(text)
        if len(self) < _MOST_PAIRS:
            self[text] = made
        return made


def _set_text(text: bytes) -> bytes:
    """A set of texts as one text; a single one stands in it as it is, which is asked before."""
    return text if text == _NULL else orjson.dumps(joined(orjson.loads(text)))


def _is_mask(spec: FieldSpec) -> bool:
    return spec.privacy == "secret" and spec.codes is None


def _sentence(table: RecordTable, lists: frozenset[str], pair: Callable[[FieldSpec, bytes], bytes]) -> Callable[..., bytes]:
    """A function that sets the values of a record, by the names of their fields, between the names of the columns."""
    names: dict[str, Any] = {"set_text": _set_text, "QUOTE": b'"', "open_conflicts": _NULL}
    columns = [(name, name) for name in OWN_FIRST]
    for number, spec in enumerate(table.specs):
        value = f"value_{spec.name}"
        if spec.codes is not None or spec.name in table.names:
            names[f"pairs_{number}"] = _Pairs(partial(pair, spec))
            value = f"pairs_{number}[{value}]"
        elif spec.type in lists and not _is_mask(spec):
            value = f"{value}[1:-1] if {value}.count(QUOTE) == 2 else set_text({value})"
        columns.append((spec.name, value))
    columns += [(name, name) for name in OWN_LAST]
    pieces = ["""b'{"type":"Feature","id":'""", "id", """b',"geometry":'""", "place"]
    between = b',"properties":{'
    for name, value in columns:
        pieces += [repr(b'%b"%b":' % (between, name.encode())), value]
        between = b","
    taken = "".join(f"value_{name}, " for name in sorted(spec.name for spec in table.specs))
    given = ", ".join(name for name in (*OWN_FIRST, *OWN_LAST) if name not in names)
    head = f"def sentence(values, place, {given}):"
    exec("\n    ".join([head, f"[{taken}] = values", f"return b''.join(({', '.join(pieces)}, b'}}}}'))"]), names)  # noqa: S102  # our own text, from the definitions' names
    return names["sentence"]  # type: ignore[no-any-return]
