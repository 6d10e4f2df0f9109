"""What XLSForm calls metadata: rows of a workbook that ask nobody, and say when and with which device a form was filled in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

#: Kinds by the words of workbooks, old spellings included.
SPELLINGS: Mapping[str, str] = {
    "start": "start", "starttime": "start", "end": "end", "endtime": "end", "today": "today",
    "deviceid": "deviceid", "device_id": "deviceid", "device id": "deviceid", "imei": "deviceid",
    "username": "username", "email": "email", "phonenumber": "phonenumber", "phone number": "phonenumber", "phone_number": "phonenumber",
    "subscriberid": "subscriberid", "subscriber_id": "subscriberid", "simserial": "simserial", "sim_serial": "simserial",
    "audit": "audit", "start-geopoint": "start-geopoint",
}  # fmt: skip
#: Kinds that ODK Collect is asked for. The worker is known by the address that the phone writes with; what a telephone or its card is
#: numbered with, where somebody stood at the start and every touch of the screen is nobody's business.
ASKED = ("start", "end", "today", "deviceid")
MOST_TEXT = 255

Metadata = tuple[tuple[str, str], ...]


def read_metadata(document: Mapping[str, Any], fields: Collection[str]) -> Metadata:
    """(name, kind) of the metadata of a definition, in order. Raises ValueError at a kind that there is not and a name that is taken."""
    found = tuple((str(item["name"]), str(item["kind"])) for item in document.get("metadata", ()))
    names = [name for name, _ in found]
    if not {kind for _, kind in found} <= set(SPELLINGS.values()) or len(set(names)) < len(names) or not set(names).isdisjoint(fields):
        raise ValueError("metadata: a known kind and a name of its own are needed")
    return found


def asked_metadata(metadata: Metadata) -> list[dict[str, str]]:
    """The rows that a form for ODK Collect has for its metadata."""
    return [{"type": kind, "name": name} for name, kind in metadata if kind in ASKED]


def said_metadata(metadata: Metadata, answers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What a filled form says of its metadata, by name; empty and unprintable texts are left out, long ones are cut."""
    names = {name for name, kind in metadata if kind in ASKED}
    return {name: text[:MOST_TEXT] for name, text in answers if name in names and text and text.isprintable()}
