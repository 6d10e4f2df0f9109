"""Repairs of a draft: proposed with the cells before and after, made only when somebody asks for them (L4)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
import shapely

from geo.area import area_m2
from geo.cells import DraftEdition
from geo.edition import Certificate
from geo.repairs import Limits, Numbering, Repair, apply, propose_repairs
from server.errors import InputError, InvalidInput, NotFound
from server.permissions import Actor
from server.services.code_profiles import profile_of
from server.services.drafts import (
    cell_rows,
    cells_in_force,
    check_draft,
    demand_publisher,
    edition_row,
    layer_of,
    outline_of,
    problem_told,
    problems_of,
    report_of,
)
from server.services.places import cell_of_row
from server.store import places as store
from server.store.database import read, write

if TYPE_CHECKING:
    from server.house import House

USUAL_LIMITS = Limits()
"""How far repairs go unless somebody asks for wider ones."""

# Found anew whenever cells are checked, so not carried along with a draft.
_ASKED_AGAIN = frozenset({"datum_suspect"})


def kept_draft(house: House, community_id: str, edition_id: str) -> tuple[DraftEdition, dict[str, Any]]:
    """A kept draft as it was read, with what reading found, and its certificate's report; NotFound when published."""
    with read(house.engine) as connection:
        row = edition_row(connection, community_id, edition_id)
        cells = tuple(cell_of_row(one, row.layer) for one in store.cells_of(connection, community_id, edition_id))
    if row.state != "draft":
        raise NotFound("there is no such draft: the edition was published before")
    report = orjson.loads(row.certificate) if row.certificate else {}
    found = tuple(
        one
        for one in problems_of(report)
        if one.code not in _ASKED_AGAIN and (one.feature_index is not None or one.code == "encoding_guessed")
    )
    return DraftEdition(cells, found, report.get("datum")), report


def proposals(
    house: House, community_id: str, draft: DraftEdition, *, limits: Limits = USUAL_LIMITS, allowed: Collection[str] = ()
) -> list[Repair]:
    """What could be repaired in a draft of this community; NotFound without such a community.

    ``allowed`` : codes of the past that may come back, for the way back to an edition (`revived_codes`).
    """
    with read(house.engine) as connection:
        row = store.community_row(connection, community_id)
        if row is None:
            raise NotFound("there is no such community")
        standing = cells_in_force(connection, community_id, layer_of(draft))
        ever = store.retired_codes(connection, community_id, "")
    retired = ever - {one.code for one in standing} - set(allowed)
    numbering = Numbering(profile_of(house, row), row.code, ever, retired, standing)
    return propose_repairs(draft, boundary=outline_of(row), limits=limits, numbering=numbering)


def revived_codes(house: House, community_id: str, report: Mapping[str, Any]) -> frozenset[str]:
    """Codes that a kept draft may have although they were given up: those of the edition that it goes back to."""
    if report.get("revives") is None:
        return frozenset()
    with read(house.engine) as connection:
        return frozenset(one.code for one in store.cells_of(connection, community_id, report["revives"]))


def repair_draft(
    house: House, actor: Actor, community_id: str, edition_id: str, wanted: Sequence[str], *, limits: Limits = USUAL_LIMITS
) -> Certificate:
    """Make the repairs with these ids in a kept draft, and keep its new certificate.

    ``limits`` : those that the proposals were asked with.

    Raises
    ------
    InvalidInput
        An id that is not among the present proposals: the draft has changed since, or was repaired already.
    NotFound, OutsideScope
    """
    demand_publisher(actor, community_id)
    draft, report = kept_draft(house, community_id, edition_id)
    allowed = revived_codes(house, community_id, report)
    offered = {repair_id(one): one for one in proposals(house, community_id, draft, limits=limits, allowed=allowed)}
    unknown = [at for at, one in enumerate(wanted) if one not in offered]
    if unknown or not wanted:
        message = "not among the repairs that are proposed now; look at them again"
        raise InvalidInput(message, errors=[InputError(f"/repairs/{at}", "stale_repair", message) for at in unknown or [0]])
    chosen = [one for name, one in offered.items() if name in set(wanted)]
    made = [*report.get("repaired", ()), *({"kind": one.kind, "cells": list(one.cell_codes)} for one in chosen)]
    return keep_changed(house, community_id, edition_id, apply(draft, chosen), report | {"repaired": made})


def keep_changed(
    house: House, community_id: str, edition_id: str, draft: DraftEdition, report: Mapping[str, Any]
) -> Certificate:
    """Check changed cells of a draft and keep them under the same edition; what the report says beside the check stays.

    Raises
    ------
    NotFound
        The draft was published or thrown away meanwhile.
    """
    certificate = check_draft(house, community_id, draft, revives=report.get("revives"))
    kept = report_of(certificate) | {
        name: value
        for name, value in (("datum", draft.datum), ("revives", report.get("revives")), ("repaired", report.get("repaired")))
        if value is not None
    }
    with write(house.engine) as connection:
        if edition_row(connection, community_id, edition_id).state != "draft":
            raise NotFound("there is no such draft: the edition was published before")
        store.replace_cells(
            connection, community_id, edition_id, cell_rows(community_id, edition_id, draft.cells),
            orjson.dumps(kept).decode(), certificate.hash,
        )  # fmt: skip
    return certificate


def repair_id(repair: Repair) -> str:
    """Names a proposal by what it would change, so that another draft, or the same one later, has another name for it."""
    digest = hashlib.blake2b(f"{repair.kind}/{repair.detail}".encode(), digest_size=12)
    for change in repair.changes:
        digest.update(f"/{change.at}/{change.cell_code}/{change.new_code or ''}/".encode())
        digest.update(shapely.to_wkb(change.before) + shapely.to_wkb(change.after))
    digest.update(repr([(one.code, one.cell_codes) for one in repair.settles]).encode())
    return digest.hexdigest()


def repairs_told(repairs: Iterable[Repair], draft: DraftEdition) -> list[dict[str, Any]]:
    """Proposals for a draft as they are shown: every cell before and after with its areas in m², and the findings that would go."""
    return [
        {
            "repair_id": repair_id(one),
            "kind": one.kind,
            "detail": one.detail,
            "zh": one.message_zh,
            "en": one.message_en,
            "cells": list(one.cell_codes),
            "largest_area_change_m2": round(one.largest_area_change_m2, 2),
            "settles": [problem_told(problem) for problem in one.settles],
            "changes": [
                {
                    "cell_id": draft.cells[change.at].cell_id,
                    "cell": change.cell_code,
                    "new_code": change.new_code,
                    "area_before_m2": round(area_m2(change.before), 1),
                    "area_after_m2": round(area_m2(change.after), 1),
                    "area_change_m2": round(change.area_change_m2, 2),
                    "before": _geometry(change.before),
                    "after": _geometry(change.after),
                }
                for change in one.changes
            ],
        }
        for one in repairs
    ]


def _geometry(shape: Any) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads(shapely.to_geojson(shape))
    return made
