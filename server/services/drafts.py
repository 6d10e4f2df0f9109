"""Draft editions: read from GeoJSON, checked with a certificate, and kept even when they are broken (L4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
import shapely

from geo.cell import BASE_LAYER, Cell
from geo.cell_rows import cell_to_row
from geo.cells import DEFAULT_MAPPING, DraftEdition, read_cells
from geo.edition import Certificate, check_edition
from geo.errors import GeoError, MalformedGeoJSON, UnknownDatum
from geo.geojson_out import cell_feature
from geo.lineage import keep_identities, trace
from geo.moved_codes import moved_codes
from geo.problem import ERROR, Problem
from geo.repairs import suspect_datum
from server.errors import CellsRefused, InputError, InvalidInput, MalformedBody, NotFound, OutsideScope
from server.permissions import Actor, Scope, cell_stream, may
from server.services.code_profiles import profile_of
from server.services.places import cell_of_row
from server.store import places as store
from server.store.database import read, stamp, write

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

_LARGEST_ORDER = 2**31 - 1
Buildings = Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class EditionTold:
    """One edition as it is told: what it is, its certificate, and its cells where they were asked for."""

    edition_id: str
    layer: str
    number: int
    state: str
    profile: str
    content_hash: str | None
    created_at: str
    published_at: str | None
    certificate: dict[str, Any] | None
    cells: dict[str, Any] | None = None


def read_draft(
    source: bytes, *, datum: str | None, mapping: Mapping[str, str] | None = None, layer: str = BASE_LAYER
) -> DraftEdition:
    """A draft of one layer from the bytes of a GeoJSON file.

    Parameters
    ----------
    source : UTF-8 JSON, a byte order mark is forgiven
    datum : of the coordinates; None where features or the file declare it (`geo.cells.read_cells`)
    mapping : which property of the file holds ``code``, ``name``, ``order`` …
    layer : of features that name none; a feature that names another one is refused

    Raises
    ------
    MalformedBody
        Not JSON; says where it ends to be.
    InvalidInput
        Not GeoJSON, an unknown datum or word, another layer, or text that no database keeps; names the place.
    CellsRefused
        Not one cell could be read, so there is nothing to keep; names every feature.
    """
    unknown = sorted(set(mapping or ()) - set(DEFAULT_MAPPING))
    if unknown:
        known = ", ".join(DEFAULT_MAPPING)
        raise _one_error("/map", "unknown_word", f"{', '.join(unknown)} is none of {known}")
    try:
        document = orjson.loads(source.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"not JSON at line {error.lineno}, column {error.colno}") from error
    if not isinstance(document, dict):
        raise _one_error("", "malformed_geojson", "a FeatureCollection is expected")
    try:
        draft = read_cells(document, datum=datum, mapping=mapping, layer=layer)
    except MalformedGeoJSON as error:
        place = "" if error.feature_index is None else f"/features/{error.feature_index}"
        raise _one_error(place, error.code, error.message) from error
    except UnknownDatum as error:
        raise _one_error("/datum", error.code, error.message) from error
    except GeoError as error:
        raise _one_error("/crs", error.code, error.message) from error
    wrong = [found for cell in draft.cells for found in _unkeepable(cell, layer)]
    if wrong:
        raise InvalidInput("the cells cannot be kept", errors=wrong)
    if not draft.cells and draft.problems:
        raise refused(draft.problems, "no cell could be read")
    return draft


def with_households(draft: DraftEdition, column: str) -> DraftEdition:
    """The draft with each cell's households (whole numbers, from 0) under the name ``households``, as the gate reads them."""
    return replace(draft, cells=tuple(replace(cell, properties=_counted(cell.properties, column)) for cell in draft.cells))


def _counted(properties: Mapping[str, Any], column: str) -> dict[str, Any]:
    text = str(properties.get(column, "")).strip()
    number = int(float(text)) if re.fullmatch(r"[0-9]{1,7}([.]0*)?", text) else None
    return dict(properties) if number is None else {**properties, "households": number}


def households_of(draft: DraftEdition) -> dict[str, int]:
    """Households by code of the cells that say how many they have."""
    counts = ((cell.code, cell.properties.get("households")) for cell in draft.cells if cell.code)
    return {code: number for code, number in counts if isinstance(number, int) and not isinstance(number, bool) and number >= 0}


def layer_of(draft: DraftEdition) -> str:
    """The layer of a draft's cells; the base layer where it has none."""
    return draft.cells[0].layer if draft.cells else BASE_LAYER


def outline_of(row: Any) -> Any:
    """The boundary of a community's row as a polygon; None where it has none."""
    return shapely.from_wkb(bytes(row.boundary)) if row.boundary is not None else None


def check_draft(
    house: House,
    community_id: str,
    draft: DraftEdition,
    *,
    buildings: Buildings | None = None,
    revives: str | None = None,
) -> Certificate:
    """What the publish gate says of a draft of this community; nothing is kept.

    Parameters
    ----------
    draft : cells that say their households (`with_households`) are held against the profile's band; one that fits the
        community's boundary only in another datum is told so
    buildings : outlines; those that a border cuts are listed
    revives : the edition whose codes may come back, for the way back to it

    Raises
    ------
    NotFound, InvalidInput
    """
    with read(house.engine) as connection:
        row = store.community_row(connection, community_id)
        if row is None:
            raise NotFound("there is no such community")
        allowed = _codes_in_force(connection, community_id, layer_of(draft))
        if revives is not None:
            allowed |= {one.code for one in store.cells_of(connection, community_id, revives)}
        retired = store.retired_codes(connection, community_id, "") - allowed
        moved = _moved_codes(connection, community_id, draft)
    boundary = outline_of(row)
    suspect = suspect_datum(draft, boundary)
    if suspect is not None:
        draft = replace(draft, problems=(*draft.problems, suspect))
    else:
        draft = replace(draft, problems=(*draft.problems, *moved))
    profile = profile_of(house, row)
    return check_edition(
        draft, boundary=boundary, profile=profile, buildings=buildings, community_code=row.code, retired=retired,
        households=households_of(draft),
    )  # fmt: skip


def _moved_codes(connection: Connection, community_id: str, draft: DraftEdition) -> list[Problem]:
    """Codes in force that the draft gives to other ground; what has no sound outline is not compared."""
    standing = {cell.code: cell for cell in cells_in_force(connection, community_id, layer_of(draft))}
    sound = [replace(cell, cell_id=str(at)) for at, cell in enumerate(draft.cells) if is_sound(cell)]
    if all(cell.code not in standing or cell.geometry.equals_exact(standing[cell.code].geometry, 1e-9) for cell in sound):
        return []
    anchors = store.household_anchors(connection, community_id)
    lineage = trace(
        standing.values(), sound, lons=[one.lon for one in anchors], lats=[one.lat for one in anchors],
        households=[one.households for one in anchors],
    )  # fmt: skip
    return moved_codes(standing.values(), sound, lineage)


def is_sound(cell: Cell) -> bool:
    """Whether a cell has an outline that can be measured."""
    return cell.geometry is not None and cell.geometry.is_valid and not cell.geometry.is_empty


def keep_draft(
    house: House,
    actor: Actor,
    community_id: str,
    draft: DraftEdition,
    *,
    certificate: Certificate | None = None,
    revives: str | None = None,
) -> tuple[str, Certificate]:
    """Keep a draft with its certificate, broken or not; returns (edition id, certificate).

    A cell that is known by its code alone goes on under the identity of the published cell that it alone succeeds, so
    that its stream survives (S29).

    ``certificate``: of `check_draft` for this very draft, where the caller has it already. ``revives``: as there.
    """
    demand_publisher(actor, community_id)
    if certificate is None:
        certificate = check_draft(house, community_id, draft, revives=revives)
    layer, edition_id = layer_of(draft), house.new_id()
    with read(house.engine) as connection:
        standing = cells_in_force(connection, community_id, layer)
    kept = _told_apart(draft.cells if revives is not None else keep_identities(draft.cells, standing))
    report = report_of(certificate) | {"datum": draft.datum} | ({"revives": revives} if revives is not None else {})
    with write(house.engine) as connection:
        number = 1 + max((row.number for row in store.editions_of(connection, community_id)), default=0)
        store.insert_edition(
            connection,
            (
                community_id, edition_id, layer, number, "draft", certificate.profile, orjson.dumps(report).decode(),
                certificate.hash, stamp(house.clock()),
            ),
        )  # fmt: skip
        store.insert_cells(connection, cell_rows(community_id, edition_id, kept))
    return edition_id, certificate


def cell_rows(community_id: str, edition_id: str, cells: Iterable[Cell]) -> list[tuple[Any, ...]]:
    """Cells as rows of an edition."""
    return [(community_id, edition_id, *_cell_values(cell)) for cell in cells]


def cells_in_force(connection: Connection, community_id: str, layer: str) -> list[Cell]:
    """The cells of the published edition of a layer; none before the first."""
    edition = store.published_edition(connection, community_id, layer)
    rows = store.cells_of(connection, community_id, edition.edition_id) if edition is not None else []
    return [cell_of_row(row, layer) for row in rows]


def list_editions(house: House, community_id: str) -> list[EditionTold]:
    """Every edition of a community, drafts too, oldest first; NotFound without such a community."""
    with read(house.engine) as connection:
        if store.community_row(connection, community_id) is None:
            raise NotFound("there is no such community")
        return [_told(row) for row in store.editions_of(connection, community_id)]


def find_edition(house: House, community_id: str, edition_id: str) -> EditionTold:
    """One edition with its cells as GeoJSON; NotFound if there is none."""
    with read(house.engine) as connection:
        row = edition_row(connection, community_id, edition_id)
        rows = store.cells_of(connection, community_id, edition_id)
    told = _told(row)
    features = [cell_feature(cell_of_row(one, told.layer), {"area_m2": one.area_m2}) for one in rows]
    return replace(told, cells={"type": "FeatureCollection", "features": features})


def seen_by(scope: Scope, told: EditionTold) -> EditionTold:
    """An edition as somebody sees it who publishes none: its cells within the scope, without the certificate; OutsideScope of a draft."""
    if told.state == "draft" or told.cells is None:
        raise OutsideScope("cells are published by the community's secretary")
    features = [one for one in told.cells["features"] if scope.streams is None or cell_stream(one["id"]) in scope.streams]
    return replace(told, certificate=None, cells=told.cells | {"features": features})


def as_collection(cells: Iterable[Cell]) -> dict[str, Any]:
    """Cells as a GeoJSON FeatureCollection."""
    return {"type": "FeatureCollection", "features": [cell_feature(cell) for cell in cells]}


def edition_row(connection: Connection, community_id: str, edition_id: str) -> Any:
    """The row of one edition; NotFound if there is none."""
    for row in store.editions_of(connection, community_id):
        if row.edition_id == edition_id:
            return row
    raise NotFound("there is no such edition")


def demand_publisher(actor: Actor, community_id: str) -> None:
    """OutsideScope unless the actor may publish cells there."""
    if not may(actor, "publish_cells", community_id=community_id):
        raise OutsideScope("cells are published by the community's secretary")


# ---------------------------------------------------------------- certificates


def report_of(certificate: Certificate) -> dict[str, Any]:
    """A certificate as it is kept and told: JSON values only."""
    return {
        "ok": certificate.ok,
        "hash": certificate.hash,
        "profile": certificate.profile,
        "counts": dict(certificate.counts),
        "area_m2": certificate.area_m2,
        "problems": [problem_told(one) for one in certificate.problems],
    }


def problems_of(report: Mapping[str, Any] | None) -> list[Problem]:
    """The findings of a kept certificate."""
    return [
        Problem(
            one["code"], one["severity"], tuple(one["cells"]), one["lon"], one["lat"], one.get("size_m2"),
            one.get("size_m"), one["en"], one["zh"], one.get("feature_index"),
        )
        for one in (report or {}).get("problems", ())
    ]  # fmt: skip


def errors_of(report: Mapping[str, Any] | None) -> list[Problem]:
    """Those that forbid publishing."""
    return [one for one in problems_of(report) if one.severity == ERROR]


def refused(problems: Iterable[Problem], message: str = "the cells cannot be published") -> CellsRefused:
    """The error of cells that the gate refuses: each finding with its cells, its place on the ground and its size."""
    fatal = dict.fromkeys(one for one in problems if one.severity == ERROR)
    return CellsRefused(message, errors=[InputError(_pointer(one), one.code, _said(one)) for one in fatal])


def problem_told(one: Problem) -> dict[str, Any]:
    """A finding as it is kept and told."""
    return {
        "code": one.code, "severity": one.severity, "cells": list(one.cell_codes), "lon": one.lon, "lat": one.lat,
        "size_m2": one.size_m2, "size_m": one.size_m, "feature_index": one.feature_index, "zh": one.message_zh,
        "en": one.message_en,
    }  # fmt: skip


def _pointer(one: Problem) -> str:
    if one.feature_index is not None:
        return f"/features/{one.feature_index}"
    return "/cells/" + ",".join(code.replace("~", "~0").replace("/", "~1") for code in one.cell_codes)


def _said(one: Problem) -> str:
    place = "" if one.lon is None or one.lat is None else f" (at {one.lon:.7f}, {one.lat:.7f})"
    return f"{one.message_en}{place} / {one.message_zh}"


# ---------------------------------------------------------------- rows


def _told(row: Any) -> EditionTold:
    return EditionTold(
        row.edition_id, row.layer, row.number, row.state, row.profile, row.content_hash, row.created_at,
        row.published_at, orjson.loads(row.certificate) if row.certificate else None,
    )  # fmt: skip


def _cell_values(cell: Cell) -> tuple[Any, ...]:
    row = cell_to_row(cell)
    return (
        row["cell_id"], row["code"], row["name"], row["sort_order"], row["geometry_wkb"], row["area_m2"],
        row["label_lon"] or 0.0, row["label_lat"] or 0.0, row["properties_json"],
    )  # fmt: skip


def _told_apart(cells: Iterable[Cell]) -> list[Cell]:
    """The cells with identities of their own: a draft may name two alike, which its certificate says."""
    used: set[str] = set()
    found = []
    for cell in cells:
        own, times = cell.cell_id, 1
        while own in used:
            times += 1
            own = f"{cell.cell_id}~{times}"
        used.add(own)
        found.append(replace(cell, cell_id=own))
    return found


def _unkeepable(cell: Cell, layer: str) -> Iterable[InputError]:
    place = _pointer_of_cell(cell)
    if cell.layer != layer:
        yield InputError(f"{place}/layer", "another_layer", f"only cells of the layer {layer} are taken here")
    if abs(cell.order) > _LARGEST_ORDER:
        yield InputError(f"{place}/order", "out_of_range", f"at most {_LARGEST_ORDER}")
    for word, text in (("code", cell.code), ("name", cell.name), ("cell_id", cell.cell_id)):
        if "\0" in text:
            yield InputError(f"{place}/{word}", "unprintable", "the character U+0000 cannot be kept")


def _pointer_of_cell(cell: Cell) -> str:
    return "/cells/" + cell.cell_id.replace("\0", "").replace("~", "~0").replace("/", "~1")


def _codes_in_force(connection: Connection, community_id: str, layer: str) -> set[str]:
    return {cell.code for cell in cells_in_force(connection, community_id, layer)}


def _one_error(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
