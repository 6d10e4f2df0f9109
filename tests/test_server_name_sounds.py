"""Whether two names are probably one: the phone and the server say the same, because they read from one table."""

from __future__ import annotations

import json

from name_vectors import FILE, cases, verdict

from bench.readings import TABLE, table


def test_the_shared_pairs_are_what_the_server_says():
    """Variant characters, homophones, half-width letters and readings of a family name: the cases that the phone passes too."""
    pairs = json.loads(FILE.read_text(encoding="utf-8"))
    assert pairs == cases(1, 600)
    assert verdict("国华", "國華") == verdict("昆峰", "崑峯") == "sound" and verdict("ＬＩ", "li") == "same"
    assert {kind for _, _, kind in pairs} == {"same", "sound", ""}


def test_the_phones_table_is_the_servers():
    """A new release of the table of readings does not make the phone and the server disagree: `python -m bench.readings`."""
    assert TABLE.read_text(encoding="utf-8") == table()
