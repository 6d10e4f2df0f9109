"""The page of one record 一户一档、一人一档: what is known of it, by whom and since when, what is in doubt, what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from forms.definition import FieldSpec, RecordType
from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.house import House
from server.permissions import ROLES, Actor, Scope, may
from server.sealing import unseal
from server.services import record_relatives
from server.services.inbox import cells_by_home, conflict_rows, personal_names
from server.services.keys import DataKeys, SubjectErased
from server.services.labels import PERSONAL, field_label, form_of, shown, title_of, words_of
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.services.record_names import addresses_of
from server.services.unsealing import learn
from server.services.waiting import finding_message
from server.store import commands, rosters
from server.store import inbox as people_store
from server.store import record_page as store
from server.store.database import read, stamp

LONGEST_PURPOSE = 120
_SHORTEST_PURPOSE = 2


def record_page(
    house: House, actor: Actor, scope: Scope, community_id: str, kind: str, record_id: str, look: Look
) -> dict[str, Any]:
    """Everything that somebody may know of one record, with who said it, when and how.

    Returns
    -------
    dict
        ``record``, ``screens`` (units in the order of the form's screens), ``units`` with values and who wrote them,
        ``derived``, ``conflicts``, ``findings``, ``related``, and what the actor ``can`` do. Secrets are masked for everybody;
        without personal fields in the scope these are left out.

    Raises
    ------
    NotFound
        No such type, or no record of this type and id in the scope.
    """
    with read(house.engine) as connection:
        row = found_in(connection, house, scope, community_id, kind, record_id)
        fields: dict[str, Any] = orjson.loads(row.fields)
        form = form_of(house.registry, kind, None)
        personal = scope.fields == "all"
        cells = cells_by_home(connection, community_id)
        refs = Referred(connection, house, scope, community_id, form, fields, cells)
        specs = {name: spec for name, spec in form.fields.items() if personal or spec.privacy not in PERSONAL}
        open_units = store.open_conflict_ids(connection, community_id, record_id)
        units = _units(connection, community_id, row, form, specs, fields, refs, open_units)
        disputed = sorted(open_units.values()) if personal else []
        conflicts = conflict_rows(house, connection, scope, community_id, disputed, unmask=False) if disputed else []
        related, titles = record_relatives.related(connection, house, scope, community_id, form, row, fields, cells)
        derived = record_relatives.derived(connection, house, scope, community_id, form, row, fields) if personal else []
        title, title_field = title_of(form, fields, personal=personal)
        told = {
            "as_of": stamp(house.clock()),
            "record": {
                "id": row.id, "type": kind, "type_label": form.label, "title": title, "v": row.v, "tag": row.tag,
                "life": row.life, "leads_to": commands.redirects_of(connection, community_id, [record_id]).get(record_id),
                "form_version": row.form_version, "cell": cells.get(row.home),
                "created_at": row.created_at,
                "created_by": people_store.people_of_installs(connection, community_id, [row.created_install]).get(
                    row.created_install
                ),
                "updated_at": row.updated_at, "confirmed_at": row.fresh_at,
                "address": record_relatives.address_line(connection, scope, community_id, kind, record_id, fields),
                "placement": orjson.loads(row.placement) if row.placement else None, "lon": row.lon, "lat": row.lat,
            },
            "screens": _screens(form, units),
            "units": units,
            "derived": derived,
            "conflicts": conflicts,
            "findings": [
                {
                    "finding_id": one.finding_id, "kind": one.kind, "name": one.name,
                    "message": finding_message(house, one.kind, kind, one.name), "units": orjson.loads(one.units),
                    "detail": orjson.loads(one.detail) if one.detail else None, "opened_at": one.opened_at,
                }
                for one in store.open_findings_of(connection, community_id, record_id)
            ],
            "related": related,
            "can": {
                "write": not form.server_made and may(actor, "write_records", community_id=community_id),
                "unmask": [name for name in form.secret_fields if row.secret is not None and name in fields]
                if may(actor, "unmask", community_id=community_id) else [],
                "history": True,
                "looks": may(actor, "read_audit", community_id=community_id),
            },
        }  # fmt: skip
    given = {name for name in specs if name in fields and specs[name].privacy in PERSONAL}
    if title_field is not None:
        given.add(title_field)
    given |= {*refs.personal, *titles, *personal_names(house, conflicts), *(one["name"] for one in derived)}
    seen(house, look, scope, community_id, fields=given, count=1, where=f"record={kind}", record_type=kind,
         record_id=record_id)  # fmt: skip
    return told


def related_page(
    house: House, scope: Scope, community_id: str, kind: str, record_id: str, relation: str, look: Look, *,
    cursor: str | None, limit: int,
) -> dict[str, Any]:  # fmt: skip
    """One more page of what belongs to a record by one relation, newest first: ``as_of``, ``count`` of all, ``rows``, ``next``.

    Raises
    ------
    NotFound, InvalidInput
        No such record in the scope or no such relation of its type; a cursor of another one.
    """
    with read(house.engine) as connection:
        row = found_in(connection, house, scope, community_id, kind, record_id)
        fields: dict[str, Any] = orjson.loads(row.fields)
        found = record_relatives.following(
            connection, house, scope, community_id, form_of(house.registry, kind, None), row, fields,
            cells_by_home(connection, community_id), relation, cursor=cursor, limit=limit,
        )  # fmt: skip
    if found is None:
        raise NotFound("records of this type have no such relation")
    told, personal = found
    seen(house, look, scope, community_id, fields=sorted(personal), count=len(told["rows"]), where=f"related={relation}",
         record_type=kind, record_id=record_id)  # fmt: skip
    return {"as_of": stamp(house.clock())} | told


def found_in(connection: Any, house: House, scope: Scope, community_id: str, kind: str, record_id: str) -> Any:
    """The stored row of a record in the scope; NotFound otherwise, whatever is the reason."""
    if kind not in house.registry.types():
        raise NotFound("there is no such record type")
    row = store.record_in_scope(connection, scope, community_id, kind, record_id)
    if row is None:
        raise NotFound("no such record within your scope")
    return row


class Referred:
    """What the ref fields of a record lead to: titles that the scope may see, homes and doors by their address, and where it is.

    ``personal`` names the personal fields that were used as titles.
    """

    def __init__(
        self, connection: Any, house: House, scope: Scope, community_id: str, form: RecordType,
        fields: Mapping[str, Any], cells: Mapping[str, Any],
    ) -> None:  # fmt: skip
        ids = {fields[name] for name, spec in form.fields.items() if spec.type == "ref" and isinstance(fields.get(name), str)}
        found = rosters.entries_by_id(connection, community_id, ids)
        visible = store.in_scope(connection, scope, community_id, found) if found else set()
        self.personal_scope = scope.fields == "all"
        self.titles: dict[str, str] = {}
        self.cells = {entry.id: cells.get(entry.home) for entry in found.values()}
        self.types = {entry.id: entry.type for entry in found.values()}
        self.personal: set[str] = set()
        for entry in found.values():
            its_form = form_of(house.registry, entry.type, None)
            title, field = title_of(its_form, entry.fields, personal=entry.id in visible and scope.fields == "all")
            if title is not None:
                self.titles[entry.id] = title
            if field is not None:
                self.personal.add(f"{entry.type}.{field}")
        self.titles |= addresses_of(connection, community_id, (entry for entry in found.values() if entry.id in visible))

    def told(self, spec: FieldSpec, value: Any) -> dict[str, Any] | None:
        """A reference as a page shows it."""
        if spec.type != "ref" or not isinstance(value, str):
            return None
        kind = self.types.get(value, spec.ref_type)
        return {"id": value, "type": kind, "title": self.titles.get(value), "cell": self.cells.get(value)}


def _units(
    connection: Any, community_id: str, row: Any, form: RecordType, specs: Mapping[str, FieldSpec],
    fields: Mapping[str, Any], refs: Referred, open_units: Mapping[str, str],
) -> list[dict[str, Any]]:  # fmt: skip
    stamps: dict[str, list[Any]] = orjson.loads(row.stamps)
    confirmed: dict[str, dict[str, Any]] = orjson.loads(row.confirmed)
    unknown = [name for name in fields if name not in form.fields] if refs.personal_scope else []
    grouped: dict[str, list[str]] = {}
    for name in [*specs, *unknown]:
        grouped.setdefault(form.unit_of_field(name), []).append(name)
    written = {unit: (stamps.get(unit) or [1, row.created_install, row.created_n])[0] for unit in grouped}
    by_v = {one.v: one for one in store.versions(connection, community_id, row.id, among_v=written.values())}
    confirmers = store.installs_of_operations(connection, community_id, (one["op_id"] for one in confirmed.values()))
    who = people_store.people_of_installs(
        connection, community_id, {*(one.install_id for one in by_v.values()), *confirmers.values()}
    )
    units = []
    for unit, names in grouped.items():
        spec = form.units.get(unit)
        has = any(fields.get(name) is not None for name in names)
        version = by_v.get(written[unit]) if has or unit in stamps else None
        later = confirmed.get(unit)
        if later is not None and version is not None and later["op_id"] == version.op_id:
            later = None  # the write itself: it confirms its units
        units.append(
            {
                "unit": unit,
                "label": spec.label if spec is not None and spec.label else field_label(form, names[0]),
                "policy": form.policy_of(unit),
                "exclusive": spec is not None and spec.exclusive,
                "fields": [_field(form, name, fields.get(name), refs) for name in names],
                "known": _known(version, who),
                "confirmed": None
                if later is None
                else {
                    "by": who.get(confirmers.get(later["op_id"], "")),
                    "at": later["arrived_at"],
                    "claimed_at": later["claimed_at"],
                },
                "conflict": open_units.get(unit),
            }
        )
    return units


def _known(version: Any | None, who: Mapping[str, Any]) -> dict[str, Any] | None:
    if version is None:
        return None
    return {
        "v": version.v, "op_id": version.op_id, "by": who.get(version.install_id), "at": version.at,
        "claimed_at": version.claimed_at, "source": version.source,
    }  # fmt: skip


def _field(form: RecordType, name: str, value: Any, refs: Referred) -> dict[str, Any]:
    spec = form.fields.get(name)
    told = shown(spec, value, unmask=False)
    secret = spec is not None and spec.privacy == "secret"
    return {
        "name": name,
        "label": field_label(form, name),
        "type": spec.type if spec is not None else None,
        "privacy": spec.privacy if spec is not None else "internal",
        "codelist": spec.codelist if spec is not None else None,
        "measure": spec.measure if spec is not None else None,
        "value": told,
        "text": words_of(spec, told, refs.titles),
        "masked": secret and value is not None,
        "ref": refs.told(spec, value) if spec is not None else None,
    }


def _screens(form: RecordType, units: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The screens of the form's first view with the units on them; what is on none comes last, under ``other``."""
    left = [unit["unit"] for unit in units]
    screens = []
    for screen in form.views[0].screens if form.views else ():
        mine = list(dict.fromkeys(form.unit_of_field(name) for name in screen.fields))
        mine = [unit for unit in mine if unit in left]
        left = [unit for unit in left if unit not in mine]
        if mine:
            screens.append({"name": screen.name, "label": screen.label, "units": mine})
    if left:
        screens.append({"name": "other", "label": {"zh": "其他", "en": "Other"}, "units": left})
    return screens


def unmasked(
    house: House, actor: Actor, scope: Scope, community_id: str, kind: str, record_id: str, names: Iterable[str],
    look: Look,
) -> dict[str, Any]:  # fmt: skip
    """Secret fields of one record in full, for those who may, after the purpose was written into the audit log.

    Parameters
    ----------
    names : secret fields of the type
    look : action ``unmask``, with what it is for

    Raises
    ------
    OutsideScope, NotFound, InvalidInput
        InvalidInput: a field that is not a secret one, or a purpose that says nothing.
    """
    if not may(actor, "unmask", community_id=community_id) or scope.fields != "all":
        raise OutsideScope(f"the role {actor.role} sees masked numbers only")
    wanted = list(dict.fromkeys(names))
    errors = []
    if len(look.purpose.strip()) < _SHORTEST_PURPOSE:
        errors.append(InputError("/purpose", "required", "say what it is for"))
    with read(house.engine) as connection:
        row = found_in(connection, house, scope, community_id, kind, record_id)
        form = form_of(house.registry, kind, None)
        errors += [
            InputError(f"/fields/{place}", "not_masked", "not a masked field of this type")
            for place, name in enumerate(wanted)
            if name not in form.secret_fields
        ]
        if not wanted:
            errors.append(InputError("/fields", "required", "name at least one field"))
        if errors:
            raise InvalidInput("the fields cannot be shown like this", errors=errors)
        values = _opened(connection, house, community_id, row)
    told = {name: values.get(name) for name in wanted}
    seen(house, look, scope, community_id, fields=wanted, count=1, where=f"record={kind}", record_type=kind,
         record_id=record_id)  # fmt: skip
    return {"as_of": stamp(house.clock()), "v": row.v, "values": told}


def _opened(connection: Any, house: House, community_id: str, row: Any) -> dict[str, Any]:
    if row.secret is None:
        return {}
    keys = DataKeys(house.keys)
    learn(keys, connection, community_id, [row.subject_id])
    try:
        values: dict[str, Any] = orjson.loads(unseal(keys.of(row.subject_id), bytes(row.secret)))
    except SubjectErased:
        return {}
    return values


def looks(
    house: House, community_id: str, kind: str, record_id: str, *, cursor: str | None, limit: int
) -> dict[str, Any]:
    """Who looked at one record, newest first; and how many lists of its type may have shown it too.

    Returns
    -------
    dict
        ``as_of``, ``rows``, ``next`` and ``lists`` (their count, and when the last one was looked at).

    Raises
    ------
    NotFound, InvalidInput
        No such type, or no record of this type and id in the community; a cursor of another record.
    """
    use = f"looks/{community_id}/{record_id}"
    before = read_cursor(house.keys, use, cursor)
    if kind not in house.registry.types():
        raise NotFound("there is no such record type")
    with read(house.engine) as connection:
        entry = rosters.entries_by_id(connection, community_id, [record_id]).get(record_id)
        if entry is None or entry.type != kind:
            raise NotFound("no such record in this community")
        lines = store.looks_at(connection, community_id, kind, record_id, before=before, limit=limit + 1)
        page = lines[:limit]
        names = people_store.names_of_users(connection, community_id, {line.actor_id for line in page})
        count, last_at = store.looks_through_lists(connection, community_id, kind)
    form = form_of(house.registry, kind, None)
    rows = [
        {
            "audit_id": line.audit_id, "at": line.at,
            "actor": {"user_id": line.actor_id, "name": names.get(line.actor_id)},
            "role": line.role, "role_label": ROLES.get(line.role, line.role), "action": line.action,
            "purpose": line.purpose,
            "fields": [
                {"name": name, "label": field_label(form, name.removeprefix(f"{kind}."))} for name in orjson.loads(line.fields)
            ],
        }
        for line in page
    ]  # fmt: skip
    last = [page[-1].at, page[-1].audit_id] if len(lines) > limit else None
    return {
        "as_of": stamp(house.clock()),
        "rows": rows,
        "next": make_cursor(house.keys, use, last) if last is not None else None,
        "lists": {"count": count, "last_at": last_at},
    }
