"""Exports: who may ask for what, and the job that makes the file.

The scope of the asker is fixed when they ask; personal layers and fields only where the role may export them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.house import House
from server.permissions import Actor, Scope, below, cell_stream, may
from server.services import audit
from server.services.accounts import communities_below
from server.services.labels import PERSONAL
from server.services.layers import LAYERS, PERSONAL_LAYERS, RECORD_LAYERS
from server.services.looks import Look
from server.store import assignments as places
from server.store import exports as store
from server.store import jobs
from server.store.database import read, write
from server.store.jobs import Job

KIND = "export"
PACKAGE = "package"
FORMATS = ("geojson", "geopackage", "csv", "xlsx", PACKAGE)
PACKED = ("geopackage", "filegdb", "flatgeobuf", "geojson", "shapefile", "kml", "geoparquet", "pmtiles")
"""What a package may hold beside its data dictionary."""
PROJECTED = ("geopackage", PACKAGE)
"""Formats that can be had in metres of the local 3° zone."""

KEPT_DAYS = 7
"""How long a finished file is kept."""


def folder(house: House) -> Path:
    """Where finished files lie; made when needed, for the owner of the server alone."""
    path = house.settings.data_dir / "exports"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def demand_export(house: House, actor: Actor, community_id: str) -> None:
    """Stop with OutsideScope unless the actor may export from this community."""
    if not may(actor, "export", community_id=community_id, communities_below=communities_below(house, actor)):
        raise OutsideScope(f"a {actor.role} may not export from here")


def request_export(
    house: House, actor: Actor, scope: Scope, community_id: str, asked: Mapping[str, Any], look: Look
) -> Job:
    """Queue an export.

    Parameters
    ----------
    asked : ``format``, ``layers`` (of a package: all that may be had when left out), ``personal`` (default false), ``cell``
        (a code, all cells when left out), ``area`` (a subdistrict's or district's code instead of one community),
        ``formats`` (of a package: all that can be made when left out), ``projected`` (metres of the local 3° Gauss–Krüger zone
        instead of degrees; a package keeps degrees where a format knows nothing else)
    look : who asks and what for; written into the audit log where personal fields are asked for

    Raises
    ------
    InvalidInput
        An unknown format or layer, with its place.
    OutsideScope
        The community, area or cell is not the actor's, or personal fields are asked for by somebody who may not export them.
    NotFound
        No published cell has the code, or no community the area's.
    """
    communities = _communities(house, actor, scope, community_id, asked)
    personal = bool(asked.get("personal", False))
    layers = _checked(asked, personal)
    allowed = scope.fields == "all" and all(may(actor, "export_personal", community_id=one) for one in communities)
    refused = [name for name in layers if name in PERSONAL_LAYERS]
    if refused and not allowed:
        raise OutsideScope(f"you may export places and figures, not {', '.join(refused)}")
    if personal and not allowed:
        raise OutsideScope("you may not export personal fields")
    job_id = house.new_id()
    with write(house.engine) as connection:
        homes = _homes(connection, communities[0], asked.get("cell"))
        arguments = {
            "format": asked["format"],
            "formats": packed_formats(asked) if asked["format"] == PACKAGE else None,
            "layers": layers,
            "personal": personal,
            "projected": bool(asked.get("projected", False)),
            "cell": asked.get("cell"),
            "area": asked.get("area"),
            "communities": list(communities),
            "homes": homes,
            "purpose": look.purpose,
            "scope": scope_document(scope if allowed else replace(scope, fields="internal")),
            "actor": {"user_id": actor.user_id, "role": actor.role, "community_id": actor.community_id},
            "request_id": look.request_id,
        }
        jobs.add(
            connection,
            community_id=communities[0],
            job_id=job_id,
            kind=KIND,
            arguments=arguments,
            requested_by=actor.user_id,
            at=house.clock(),
        )
        fields = personal_fields(house, layers) if personal else ()
        for one in communities if fields else ():
            audit.store.append(
                connection,
                audit.line_of(
                    house, look, scope=f"export={job_id} {scope.describe()}", community_id=one, fields=fields
                ),
            )
        made = jobs.find(connection, communities[0], job_id)
    assert made is not None
    return made


def _communities(
    house: House, actor: Actor, scope: Scope, community_id: str, asked: Mapping[str, Any]
) -> tuple[str, ...]:
    """The communities that are exported: one, or all of an area, every one of which the actor must be allowed."""
    area = asked.get("area")
    if area is None:
        if not scope.sees_community(community_id):
            raise OutsideScope("this community is not among those you work for")
        return (community_id,)
    if asked.get("cell") is not None:
        raise InvalidInput("one or the other", errors=[InputError("/cell", "conflict", "a cell or an area, not both")])
    if not area.isdigit() or len(area) not in {6, 9}:
        message = "six digits of a district or nine of a subdistrict are expected"
        raise InvalidInput(message, errors=[InputError("/area", "malformed", message)])
    with read(house.engine) as connection:
        found = [one.community_id for one in places.communities(connection) if below(area, one.code)]
    if not found:
        raise NotFound("no community has a code of this area")
    allowed = communities_below(house, actor)
    for one in found:
        if not scope.sees_community(one) or not may(actor, "export", community_id=one, communities_below=allowed):
            raise OutsideScope("this area holds communities that you do not work for")
    return tuple(found)


def _checked(asked: Mapping[str, Any], personal: bool) -> list[str]:
    errors = []
    if asked.get("format") not in FORMATS:
        errors.append(InputError("/format", "unknown_format", f"one of {', '.join(FORMATS)} is expected"))
    if asked.get("projected") and asked.get("format") in FORMATS and asked["format"] not in PROJECTED:
        errors.append(InputError("/projected", "conflict", f"metres are for {' and '.join(PROJECTED)}; this format keeps degrees"))
    layers = list(dict.fromkeys(asked.get("layers") or ()))
    if not layers and asked.get("format") == PACKAGE:
        layers = [name for name in LAYERS if personal or name not in PERSONAL_LAYERS]
    if not layers:
        errors.append(InputError("/layers", "required", "name at least one layer"))
    for position, name in enumerate(layers):
        if name not in LAYERS:
            errors.append(InputError(f"/layers/{position}", "unknown_layer", f"one of {', '.join(LAYERS)} is expected"))
    can = available_formats()
    for position, name in enumerate(asked.get("formats") or ()):
        if name not in can:
            errors.append(InputError(f"/formats/{position}", "unknown_format", f"one of {', '.join(can)} is expected"))
    if errors:
        raise InvalidInput("this export cannot be made", errors=errors)
    return layers


def available_formats() -> tuple[str, ...]:
    """What a package can hold in this installation: GeoParquet needs pyarrow."""
    return tuple(name for name in PACKED if name != "geoparquet" or find_spec("pyarrow") is not None)


def packed_formats(asked: Mapping[str, Any]) -> list[str]:
    """The formats of a package that is asked for, in their own order."""
    wanted: Sequence[str] = asked.get("formats") or available_formats()
    return [name for name in available_formats() if name in wanted]


def communities_of(job: Job) -> list[str]:
    """The communities that a job exports."""
    return list(job.arguments.get("communities") or [job.community_id])


def _homes(connection: Any, community_id: str, code: str | None) -> list[str] | None:
    if code is None:
        return None
    homes = [cell_stream(cell.cell_id) for cell in store.cell_shapes(connection, community_id) if cell.code == code]
    if not homes:
        raise NotFound("no published cell of this community has this code")
    return homes


def personal_fields(house: House, layers: list[str]) -> tuple[str, ...]:
    """Names of the personal fields in these layers, ``type.field``."""
    return tuple(
        f"{kind}.{spec.name}"
        for name in layers
        if (kind := RECORD_LAYERS.get(name)) is not None
        for spec in house.registry.latest(kind).fields.values()
        if spec.privacy in PERSONAL
    )


def scope_document(scope: Scope) -> dict[str, Any]:
    """A scope as the arguments of a job keep it."""
    return {
        "community_ids": scope.community_ids,
        "streams": None if scope.streams is None else sorted(scope.streams),
        "fields": scope.fields,
        "topics": scope.topics,
    }


def scope_from(document: Mapping[str, Any]) -> Scope:
    """The scope that was fixed when the export was asked for."""
    ids, streams, topics = document["community_ids"], document["streams"], document["topics"]
    return Scope(
        None if ids is None else tuple(ids),
        None if streams is None else frozenset(streams),
        document["fields"],
        None if topics is None else tuple(topics),
    )


def own_jobs(house: House, actor: Actor, community_id: str) -> list[Job]:
    """The actor's exports of a community, newest first."""
    with read(house.engine) as connection:
        return [job for job in jobs.of_community(connection, community_id, KIND) if job.requested_by == actor.user_id]


def own_job(house: House, actor: Actor, scope: Scope, job_id: str) -> Job:
    """One export of the actor's own; NotFound for everybody else's."""
    communities = scope.community_ids
    with read(house.engine) as connection:
        found = jobs.find_any(connection, job_id, communities)
    if found is None or found.kind != KIND or found.requested_by != actor.user_id:
        raise NotFound("you have asked for no such export")
    return found


def describe_job(job: Job) -> dict[str, Any]:
    """A job as its asker sees it."""
    result = job.result or {}
    return {
        "job_id": job.job_id,
        "community_id": job.community_id,
        "state": job.state,
        "format": job.arguments["format"],
        "layers": job.arguments["layers"],
        "cell": job.arguments["cell"],
        "area": job.arguments.get("area"),
        "formats": job.arguments.get("formats"),
        "personal": job.arguments["personal"],
        "projected": bool(job.arguments.get("projected")),
        "requested_at": job.requested_at,
        "ended_at": job.ended_at,
        "done": job.done_count,
        "total": job.total_count,
        "attempt": job.attempt,
        "error": job.error if job.state == "failed" else None,
        "file": None
        if job.state != "done"
        else {name: result.get(name) for name in ("name", "media_type", "size", "sha256", "expires_at")}
        | {"removed": bool(result.get("removed")), "href": f"/api/v1/exports/{job.job_id}/file"},
    }


def finished_file(house: House, actor: Actor, scope: Scope, job_id: str, look: Look) -> tuple[Path, dict[str, Any]]:
    """The finished file of the actor's own export, and what is known of it; a personal one is written into the audit log.

    Raises
    ------
    NotFound
        Not the actor's, not finished, or no longer kept.
    """
    job = own_job(house, actor, scope, job_id)
    result = job.result or {}
    path = folder(house) / str(result.get("file", "-"))
    if job.state != "done" or result.get("removed") or not path.is_file():
        raise NotFound("this export has no file: not finished yet, failed, or no longer kept")
    if job.arguments["personal"]:
        fields = personal_fields(house, job.arguments["layers"])
        for one in communities_of(job) if fields else ():
            audit.note(
                house, look, scope=f"download={job_id}", community_id=one, fields=fields, count=job.done_count
            )  # fmt: skip
    return path, result
