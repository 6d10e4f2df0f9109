"""Records as rows of a layer: however quickly they are made, they are those that are made field by field."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from forms.registry import load_registry
from server.services.layer_rows import SEEN
from server.services.layer_text import FeatureTexts
from server.services.layers import LISTS, NOTHING, RECORD_LAYERS, record_table, swiftly
from server.store.exports import RecordRow

REGISTRY = load_registry()

_ANY = st.one_of(st.none(), st.text(max_size=5), st.integers(-5, 5), st.booleans(), st.floats(-1, 1), st.lists(st.text(max_size=3), max_size=3),
                 st.dictionaries(st.just("mask"), st.text(max_size=4)), st.sampled_from(["1", "01", "home", "resident_id"]))  # fmt: skip

_ESCAPED = st.sampled_from(['"', 'a"', "b\\", ['"', ","], [",", '"'], {"mask": '"'}, {"mask": "\\"}])


@given(st.data(), st.sampled_from(sorted(RECORD_LAYERS)), st.booleans())
def test_the_quick_way_to_a_row_is_the_plain_one(data, name, personal):
    """Whatever stands in a record, also what an older form let in, the row is the one that is made field by field."""
    table = record_table(REGISTRY, name, personal=personal)
    fields = {spec.name: data.draw(_ANY) for spec in table.specs if data.draw(st.booleans())}
    foreign = [spec.name for spec in REGISTRY.latest(table.kind).fields.values() if spec not in table.specs]
    fields |= {one: data.draw(_ANY) for one in [*foreign, "id", "version", "something_else"] if data.draw(st.booleans())}
    row = RecordRow("id", 1, "cell/a", fields, ["name"], "2026-03-02T01:00:00.000Z", 120.6, 31.3, "building")
    values = table.values(row, ("9", "网格"))
    assert values == table._slowly(row, ("9", "网格"))
    made = table.feature(row, ("9", "网格"))
    assert made.named is None or list(made.named.items()) == list(zip([one.name for one in table.columns], values, strict=True))
    assert len(values) == len(table.columns)
    assert {type(value) for value in values} <= {str, int, float, bool, type(None)}


class _Points(dict):
    """A place as text, whatever it is."""

    def __missing__(self, at):
        return orjson.dumps(at)


def _records(data, table):
    """(rows as they are read, cells, places): some records that look as they should, some otherwise."""
    specs = [spec for spec in REGISTRY.latest(table.kind).fields.values() if data.draw(st.integers(0, 2))]
    likely = {
        spec.name: st.just({"mask": "****1"}) if spec.privacy == "secret"
        else st.lists(st.sampled_from(["a", "{b", "01", ","]), max_size=2) if spec.type in ("text_set", "select_multiple")
        else st.just({"lon": 120.6, "raw": {"datum": "gcj02", "at": [1, "]},"]}}) if spec.type == "location"
        else st.sampled_from([*spec.codes.entries][:3]) if spec.codes is not None else st.sampled_from(["甲", "", "[", 3, -0.5, True, None])
        for spec in specs
    }  # fmt: skip
    several = [{one: data.draw(what) for one, what in likely.items()} for _ in range(2)]
    if specs and data.draw(st.booleans()):
        several.append(several[0] | {data.draw(st.sampled_from([*sorted(likely), "something_else"])): data.draw(_ANY | _ESCAPED)})
    rows = []
    for fields in several * SEEN:
        conflicts = data.draw(st.sampled_from(["[]", "[]", '["name"]'])) if len(rows) < 3 else "[]"
        text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
        rows.append(("id", 1, "cell/a", text, conflicts, "2026-03-02T01:00:00.000Z", None, None, table.kind, "above", "cell/b"))
    return rows, {"cell/a": ("9", "网格"), "cell/b": ("8", None)}, {"above": (120.6, 31.3, "building")}


def _plain(table, row, cells):
    """The values of a record field by field."""
    plain = RecordRow(*row[:3], orjson.loads(row[3]), orjson.loads(row[4]), row[5], 120.6, 31.3, "building", "cell/b")
    return table._slowly(plain, cells["cell/a"], cells["cell/b"], {}.get)


@given(st.data(), st.sampled_from(sorted(RECORD_LAYERS)))
def test_a_row_that_is_made_for_its_set_of_fields_is_the_plain_one(data, name):
    """Records of one set of fields are laid over the columns by a function of their own; whatever stands in them, the rows are those that
    are made field by field."""
    table = record_table(REGISTRY, name, personal=True)
    rows, cells, places = _records(data, table)
    made, lons, lats = swiftly(table, cells, {}.get, lambda lon, lat: (lon, lat)).laid(rows, [orjson.loads(row[3]) for row in rows], places)
    assert lons == [120.6] * len(rows) and lats == [31.3] * len(rows)
    for row, one in zip(rows, made, strict=True):
        assert (one[0], *(None if each is NOTHING else each for each in one[1:])) == ((120.6, 31.3), *_plain(table, row, cells))


@given(st.data(), st.sampled_from(sorted(RECORD_LAYERS)), st.booleans())
def test_a_feature_that_is_cut_from_the_stored_text_is_the_plain_one(data, name, personal):
    """GeoJSON is written out of the stored text of records; whatever stands in them, and whoever may not see all of it, every byte is as if
    they were read and written field by field."""
    table = record_table(REGISTRY, name, personal=personal)
    rows, cells, places = _records(data, table)
    made = FeatureTexts(table, REGISTRY.latest(table.kind), LISTS, cells, {}.get, _Points()).texts(rows, places)
    columns = [column.name for column in table.columns]
    for row, one in zip(rows, made, strict=True):
        named = dict(zip(columns, _plain(table, row, cells), strict=True))
        assert one == orjson.dumps({"type": "Feature", "id": "id", "geometry": (120.6, 31.3), "properties": named})


def test_a_record_as_it_should_be_is_cut_from_its_text(monkeypatch):
    """A record without anything escaped, with a place of its own, sets and a secret, is not read at all."""
    fields = {"name": "甲", "document_number": {"mask": "****1"}, "phones": ["1", "2"], "sex": "1", "anchor": {"lon": 1, "raw": {"lon": 1, "datum": "]"}}}
    for name in ("persons", "buildings"):
        table = record_table(REGISTRY, name, personal=name == "persons")
        form = REGISTRY.latest(table.kind)
        text = orjson.dumps({one: value for one, value in fields.items() if one in form.fields}, option=orjson.OPT_SORT_KEYS)
        row = ("id", 1, "cell/a", text, "[]", "2026-03-02T01:00:00.000Z", 120.6, 31.3, table.kind, None, None)
        cut = FeatureTexts(table, form, LISTS, {}, {}.get, _Points())
        monkeypatch.setattr(cut, "_plainly", lambda _row: b"read")
        assert orjson.loads(cut.texts([row], {})[0])["properties"]["name"] == "甲"
