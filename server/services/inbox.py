"""The review inbox: what waits for a person's decision, the most harmful first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from forms.definition import RecordType
from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.house import House
from server.permissions import Scope, cell_stream, may
from server.services.checks import add_checks
from server.services.labels import PERSONAL, code_labels, field_label, form_of, shown, title_of
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.services.record_names import names_of, referred
from server.services.standing import agrees, standing_values, written_since
from server.services.unsealing import open_sealed
from server.store import baseline, commands, crossings, placements, recovery
from server.store import inbox as store
from server.store.database import read, stamp
from server.store.scoping import UNPLACED
from server.store.sieve import EVERYTHING, Sieve

MOST_PER_PAGE = 200

STANDING = "standing"
"""Chosen for a conflict instead of one of its values: what stands in the record now."""

_HARM = {"identifying": 0, "secret": 1, "personal": 1, "internal": 2, "public": 3}


def counts(house: House, scope: Scope, community_id: str, cell: str | None = None) -> dict[str, Any]:
    """How many items of each kind wait in the actor's scope; of duplicates see `duplicate_queue.count`.

    With the code of a cell, or ``~unplaced``: how many of those kinds whose queues can be cut to it, as many as these list then.

    Raises
    ------
    NotFound, OutsideScope
    """
    sieve = EVERYTHING if cell is None else Sieve(home=home_of(house, scope, community_id, cell))
    with read(house.engine) as connection:
        found = store.counts(connection, scope, community_id, sieve)
        whole = scope.streams is None  # what is decided for a whole community is listed for those who see all of it
        found["proposals"] = commands.count_proposals(connection, community_id, sieve) if whole else 0
        if cell is not None:
            return {"as_of": stamp(house.clock()), "counts": found, "total": sum(found.values())}
        types = tuple(name for name in house.registry.types() if "@anchor" in house.registry.latest(name).placed_by)
        found["arrivals"] = len(crossings.requests(connection, community_id)) if whole else 0
        found["recovery"] = recovery.count_open(connection, scope, community_id)
        found["placements"] = placements.count_doubtful(connection, scope, community_id, types)
    return {"as_of": stamp(house.clock()), "counts": found, "total": sum(found.values())}


def within(house: House, scope: Scope, community_id: str, code: str) -> Scope:
    """The scope, cut to one cell by its code, or to what is ``~unplaced``.

    Raises
    ------
    NotFound, OutsideScope
    """
    return replace(scope, streams=frozenset((home_of(house, scope, community_id, code),)))


def home_of(house: House, scope: Scope, community_id: str, code: str) -> str:
    """The home stream of a cell by its code, or of what is ``~unplaced``.

    Raises
    ------
    NotFound, OutsideScope
    """
    with read(house.engine) as connection:
        homes = {cell.code: cell_stream(cell.cell_id) for cell in baseline.published_cells(connection, community_id)}
    home = UNPLACED if code == UNPLACED else homes.get(code)
    if home is None:
        raise NotFound("no published cell has this code")
    if not scope.sees_stream(community_id, home):
        raise OutsideScope("this cell is not among those you work for")
    return home


# ---------------------------------------------------------------- conflicts
def harm_of(form: RecordType, unit: str, kind: str) -> int:
    """How much harm an open conflict does: 0 identifying, 1 personal or a deletion, 2 internal, 3 public."""
    spec = form.units.get(unit)
    fields = [form.fields[name] for name in (spec.fields if spec is not None else (unit,)) if name in form.fields]
    harms = [0 if field.identifying else _HARM[field.privacy] for field in fields]
    if kind != "value":
        harms.append(1)
    return min(harms, default=2)


def conflicts(
    house: House, scope: Scope, community_id: str, look: Look, *, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Open conflicts, two or more values side by side, by harm and then by age.

    Returns
    -------
    dict
        ``as_of``, ``count`` of all, ``rows`` and ``next``. Each row names the record, the unit with its labels, the
        value at base and the siblings, each with its writer, claimed and arrived time, form version and whether it ``stands`` in the
        record; ``now`` what stands there and who wrote it where no sibling does, else None; ``deletion`` who
        deleted the record last and when, where the conflict is about that (``kind``, or the record's ``life``), else None.
    """
    limit = max(1, min(limit, MOST_PER_PAGE))
    use = f"inbox/conflicts/{community_id}"
    after = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        light = store.open_conflicts(connection, scope, community_id)
        ordered = sorted(
            [
                harm_of(form_of(house.registry, row["type"], None), row["unit"], row["kind"]),
                row["opened_at"],
                row["conflict_id"],
            ]
            for row in light
        )
        rest = [entry for entry in ordered if after is None or entry > after]
        page = rest[:limit]
        unmask = may(look.actor, "unmask", community_id=community_id)
        rows = conflict_rows(house, connection, scope, community_id, [entry[2] for entry in page], unmask=unmask)
        for row, entry in zip(rows, page, strict=True):
            row["harm"] = entry[0]
        items = [f"conflict/{row['conflict_id']}" for row in rows]
        found_there = add_checks(house, connection, scope, community_id, rows, items)
        seen(
            house,
            look_at(rows, look, community_id),
            scope,
            community_id,
            fields=(*personal_names(house, rows), *found_there),
            count=len(rows),
            where="inbox=conflicts",
        )
    return {
        "as_of": stamp(house.clock()),
        "count": len(ordered),
        "rows": rows,
        "next": make_cursor(house.keys, use, page[-1]) if len(rest) > limit else None,
    }


def conflict_rows(
    house: House, connection: Any, scope: Scope, community_id: str, ids: Sequence[str], *, unmask: bool
) -> list[dict[str, Any]]:
    """These open conflicts as pages show them, in the order of ``ids``; the caller writes down that they were looked at."""
    found = store.conflicts_by_id(connection, scope, community_id, ids)
    siblings = store.siblings(connection, community_id, ids)
    of: dict[str, list[dict[str, Any]]] = {row["conflict_id"]: [] for row in found}
    for row in siblings:
        of[row["conflict_id"]].append(row)
    gone = store.deletions(connection, community_id, (row["record_id"] for row in found if about_deletion(row)))
    installs = [*(row["install_id"] for row in siblings), *(row.install_id for row in gone.values())]
    people = store.people_of_installs(connection, community_id, installs)
    subject = {row["conflict_id"]: row["subject_id"] for row in found}
    bases = open_sealed(connection, house, community_id, [(row["subject_id"], row["sealed"]) for row in found])
    values = open_sealed(
        connection, house, community_id, [(subject.get(row["conflict_id"]), row["sealed"]) for row in siblings]
    )
    value_of = {(row["conflict_id"], row["op_id"]): value for row, value in zip(siblings, values, strict=True)}
    cells = cells_by_home(connection, community_id)
    standing = standing_values(house, connection, community_id, found)
    stands = {key: value is not None and agrees(value, standing[key[0]]) for key, value in value_of.items()}
    later = written_since(connection, community_id, [row for row in found if not any(stands[row["conflict_id"], one["op_id"]] for one in of[row["conflict_id"]])])
    led_to = {row["record_id"] for row in found if row["type"] == "household"}
    for row, base in zip(found, bases, strict=True):
        held = [standing[row["conflict_id"]], (base or {}).get("base"), *(value_of[item["conflict_id"], item["op_id"]] for item in of[row["conflict_id"]])]
        led_to |= referred(form_of(house.registry, row["type"], None), held)
    titles = names_of(connection, house, scope, community_id, led_to)
    rows = []
    for row, base in zip(found, bases, strict=True):
        form = form_of(house.registry, row["type"], None)
        unit = form.units.get(row["unit"])
        names = list(unit.fields) if unit is not None else [row["unit"]]
        rows.append(
            {
                "conflict_id": row["conflict_id"],
                "kind": row["kind"],
                "policy": row["policy"],
                "opened_at": row["opened_at"],
                "delegated_to": row["delegated_to"],
                "deletion": _deletion(gone.get(row["record_id"]), people) if about_deletion(row) else None,
                "record": _record(form, row, cells, titles) | {"life": row["life"]},
                "unit": row["unit"],
                "label": unit.label if unit is not None and unit.label else field_label(form, names[0]),
                "fields": [
                    {"name": name, "label": field_label(form, name), "privacy": _privacy(form, name)} for name in names
                ],
                "base": _values(form, names, (base or {}).get("base"), unmask, titles),
                "now": later[row["conflict_id"]] | {"values": _values(form, names, standing[row["conflict_id"]], unmask, titles)}
                if row["conflict_id"] in later else None,
                "siblings": [
                    {
                        "op_id": item["op_id"],
                        "role": item["role"],
                        "stands": stands[row["conflict_id"], item["op_id"]],
                        "by": people.get(item["install_id"]),
                        "claimed_at": item["claimed_at"],
                        "arrived_at": item["arrived_at"],
                        "form_version": item["form_version"],
                        "values": _values(form, names, value_of[item["conflict_id"], item["op_id"]], unmask, titles),
                    }
                    for item in of[row["conflict_id"]]
                ],
            }
        )
    return rows


def about_deletion(row: Mapping[str, Any]) -> bool:
    """Whether what is to be decided is not only a value but whether the record stays deleted (S5)."""
    return row["kind"] != "value" or row["life"] == "deleted"


def _deletion(row: Any | None, people: Mapping[str, Any]) -> dict[str, Any] | None:
    """Who deleted the record last and when; None where that is not told here (it came from another community)."""
    return None if row is None else {"by": people.get(row.install_id), "at": row.at, "claimed_at": row.claimed_at}


def _privacy(form: RecordType, name: str) -> str:
    spec = form.fields.get(name)
    return spec.privacy if spec is not None else "internal"


def _values(
    form: RecordType, names: Sequence[str], values: Any, unmask: bool, titles: Mapping[str, str]
) -> dict[str, Any] | None:
    """Value and label of each field of the unit: of a code, or what a reference leads to; None where there is nothing to show."""
    if not isinstance(values, dict):
        return None
    made = {}
    for name in [*names, *(extra for extra in values if extra not in names)]:
        spec = form.fields.get(name)
        value = values.get(name)
        made[name] = {
            "value": shown(spec, value, unmask=unmask),
            "label": titles.get(str(value)) if spec and spec.type == "ref" else code_labels(spec.codes if spec else None, value),
        }
    return made


def _record(
    form: RecordType, row: dict[str, Any], cells: dict[str, dict[str, str]], titles: Mapping[str, str]
) -> dict[str, Any]:
    fields = orjson.loads(row["fields"]) if row["fields"] else {}
    title, title_field = title_of(form, fields, personal=True)
    if row["record_id"] in titles:
        title, title_field = titles[row["record_id"]], None
    return {
        "id": row["record_id"],
        "type": row["type"],
        "type_label": form.label,
        "title": title,
        "title_field": title_field,
        "v": row["v"],
        "tag": row["tag"],
        "cell": cells.get(row["home"]),
    }


def personal_names(house: House, rows: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Names of the personal fields that these rows show, their titles included."""
    names = set()
    for row in rows:
        kind = row["record"]["type"]
        shown_names = [field["name"] for field in row["fields"]] + [row["record"]["title_field"]]
        form = form_of(house.registry, kind, None)
        names |= {f"{kind}.{name}" for name in shown_names if name is not None and _privacy(form, name) in PERSONAL}
        if any(name in form.fields and form.fields[name].ref_type == "person" for name in shown_names if name is not None):
            names.add("person.name")
    return tuple(sorted(names))


def look_at(rows: Iterable[dict[str, Any]], look: Look, community_id: str) -> Look:
    """The look as it is written down: showing a secret in full is an *unmask*."""
    secret = any(field["privacy"] == "secret" for row in rows for field in row["fields"])
    return replace(look, action="unmask") if secret and may(look.actor, "unmask", community_id=community_id) else look


def cells_by_home(connection: Any, community_id: str) -> dict[str, dict[str, str]]:
    """Code and name of each cell by its home stream."""
    return {
        f"cell/{cell.cell_id}": {"cell_id": cell.cell_id, "code": cell.code, "name": cell.name}
        for cell in baseline.published_cells(connection, community_id)
    }


def resolution(
    house: House, scope: Scope, community_id: str, conflict_id: str, asked: dict[str, Any], look: Look
) -> dict[str, Any]:
    """The operation that settles a conflict as somebody has decided.

    Parameters
    ----------
    asked : ``choose``, the op_id of the sibling to keep or ``standing`` for what stands in the record, or ``set``, the final values of the unit's fields; and
        ``seen``, the op_ids of the siblings that the person saw (all open ones when left out: S4); ``base``, the version that the person
        saw (the present one when left out): what was written since is then merged, not overwritten

    Returns
    -------
    dict
        An operation without op_id and n: kind ``resolve``, type, id, base, unit, siblings, set, form_version.

    Raises
    ------
    NotFound
        No open conflict of this id in the scope.
    InvalidInput
        Neither or both of ``choose`` and ``set``; a sibling that is not open here; a field of another unit.
    """
    with read(house.engine) as connection:
        found = store.conflicts_by_id(connection, scope, community_id, [conflict_id])
        if not found:
            raise NotFound("no open conflict of this id within your scope")
        row = found[0]
        siblings = store.siblings(connection, community_id, [conflict_id])
        values = open_sealed(
            connection, house, community_id, [(row["subject_id"], item["sealed"]) for item in siblings]
        )
        seen(house, look, scope, community_id, fields=(f"{row['type']}.{row['unit']}",), count=1,
             record_type=row["type"], record_id=row["record_id"])  # fmt: skip
    form = form_of(house.registry, row["type"], None)
    unit = form.units.get(row["unit"])
    names = set(unit.fields) if unit is not None else {row["unit"]}
    by_op = {item["op_id"]: value for item, value in zip(siblings, values, strict=True)}
    final = _final(asked, by_op, names)
    given = asked.get("seen")
    unknown = [op_id for op_id in given or () if op_id not in by_op]
    if unknown:
        raise _wrong("/seen", "unknown_sibling", "one of these values is no longer open; look at the conflict again")
    operation = {
        "kind": "resolve",
        "type": row["type"],
        "id": row["record_id"],
        "base": asked.get("base") or {"v": row["v"], "tag": row["tag"]},
        "unit": row["unit"],
        "siblings": list(given) if given is not None else list(by_op),
        "set": final,
        "form_version": form.version,
    }
    if asked.get("choose", STANDING) != STANDING:
        operation["choose"] = asked["choose"]
    return operation


def _final(asked: dict[str, Any], by_op: dict[str, Any], names: set[str]) -> dict[str, Any]:
    if ("choose" in asked) == ("set" in asked):
        raise _wrong("", "choose_or_set", "send either choose (the op_id to keep) or set (the final values)")
    if asked.get("choose") == STANDING:
        return {}
    if "choose" in asked:
        if not isinstance(asked["choose"], str) or by_op.get(asked["choose"]) is None:
            raise _wrong("/choose", "unknown_sibling", "this value is not among the open ones of the conflict")
        chosen = by_op[asked["choose"]]
        return {name: chosen.get(name) for name in sorted(names | set(chosen))}
    given = asked["set"]
    if not isinstance(given, dict) or not given:
        raise _wrong("/set", "not_an_object", "an object with the unit's fields is expected")
    foreign = sorted(set(given) - names)
    if foreign:
        raise InvalidInput(
            "a field belongs to another unit",
            errors=[InputError(f"/set/{name}", "not_of_the_unit", "not a field of this unit") for name in foreign],
        )
    return given


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
