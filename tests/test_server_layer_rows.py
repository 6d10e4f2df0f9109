"""Records as rows of a layer: however quickly they are made, they are those that are made field by field."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from forms.registry import load_registry
from server.services.layer_rows import SEEN
from server.services.layers import NOTHING, RECORD_LAYERS, record_table, swiftly
from server.store.exports import RecordRow

REGISTRY = load_registry()

_ANY = st.one_of(st.none(), st.text(max_size=5), st.integers(-5, 5), st.booleans(), st.floats(-1, 1), st.lists(st.text(max_size=3), max_size=3),
                 st.dictionaries(st.just("mask"), st.text(max_size=4)), st.sampled_from(["1", "01", "home", "resident_id"]))  # fmt: skip


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


@given(st.data(), st.sampled_from(sorted(RECORD_LAYERS)), st.booleans(), st.booleans())
def test_a_row_that_is_made_for_its_set_of_fields_is_the_plain_one(data, name, as_feature, is_text):
    """Records of one set of fields are laid over the columns by a function of their own, in files and GeoJSON; whatever stands in them, the
    rows are those that are made field by field."""
    table = record_table(REGISTRY, name, personal=True)
    specs = [spec for spec in REGISTRY.latest(table.kind).fields.values() if data.draw(st.integers(0, 2))]
    likely = {
        spec.name: st.just({"mask": "****1"}) if spec.privacy == "secret"
        else st.lists(st.sampled_from(["a", "{b", "01"]), min_size=1, max_size=2) if spec.type in ("text_set", "select_multiple")
        else st.sampled_from([*spec.codes.entries][:3]) if spec.codes is not None else st.sampled_from(["甲", "", "[", 3, None])
        for spec in specs
    }  # fmt: skip
    several = [{one: data.draw(what) for one, what in likely.items()} for _ in range(2)]
    if specs and data.draw(st.booleans()):
        several.append(several[0] | {data.draw(st.sampled_from(sorted(likely))): data.draw(_ANY)})
    rows = []
    for fields in several * SEEN:
        text = orjson.dumps(fields)
        conflicts = data.draw(st.sampled_from(["[]", "[]", '["name"]'])) if len(rows) < 3 else "[]"
        rows.append(("id", 1, "cell/a", text.decode() if is_text else text, conflicts, "2026-03-02T01:00:00.000Z", None, None, table.kind, "above", "cell/b"))
    cells = {"cell/a": ("9", "网格"), "cell/b": ("8", None)}
    layer = swiftly(table, cells, {}.get, lambda lon, lat: (lon, lat), as_feature=as_feature)
    made, lons, lats = layer.laid(rows, [orjson.loads(row[3]) for row in rows], {"above": (120.6, 31.3, "building")})
    assert lons == [120.6] * len(rows) and lats == [31.3] * len(rows)
    columns = [column.name for column in table.columns]
    for row, one in zip(rows, made, strict=True):
        plain = RecordRow(*row[:3], orjson.loads(row[3]), orjson.loads(row[4]), row[5], 120.6, 31.3, "building", "cell/b")
        values = table._slowly(plain, cells["cell/a"], cells["cell/b"], {}.get)
        if as_feature:
            named = dict(zip(columns, values, strict=True))
            assert one == {"type": "Feature", "id": "id", "geometry": (120.6, 31.3), "properties": named}
            assert list(one["properties"]) == columns
        else:
            assert (one[0], *(None if each is NOTHING else each for each in one[1:])) == ((120.6, 31.3), *values)
