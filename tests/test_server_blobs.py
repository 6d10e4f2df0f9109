"""Photos: taken in where the line breaks, kept sealed, shown to those who may see the record that shows them."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from front_door import Office, furnish, open_office
from hand_phone import HandPhone
from PIL import Image

from server.house import uuid7
from server.services import blobs
from server.services.archive import ArchiveDamaged
from server.services.backup import back_up
from server.services.blobs import sweep_uploads
from server.services.restore import restore

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}
SUZHOU_LATITUDE = ((31.0, 18.0, 30.0), "N")


def picture(colour: str = "red", *, gps: bool = False, form: str = "JPEG") -> bytes:
    """A small photo; with ``gps`` as a phone's camera writes it, with the place in it."""
    image, file = Image.new("RGB", (60, 40), colour), io.BytesIO()
    exif = Image.Exif()
    if gps:
        exif[0x0112] = 6
        exif[0x010F] = "Some Camera"
        exif.get_ifd(0x8825)[1], exif.get_ifd(0x8825)[2] = SUZHOU_LATITUDE[1], SUZHOU_LATITUDE[0]
    image.save(file, form, **({"exif": exif} if gps else {}))
    return file.getvalue()


def name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def office(prepared_database: Any, tmp_path: Path, clock: Any, new_id: Any) -> Office:
    return open_office(prepared_database(furnish), tmp_path, clock, new_id)


class Uploader:
    """Somebody who speaks the upload protocol by hand."""

    def __init__(self, client: Any, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    def begin(self, content: bytes, *, name: str | None = None, kind: str = "image/jpeg", length: int | None = None) -> Any:
        pairs = {"sha256": name or name_of(content), "filetype": kind}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
        size = {"Upload-Length": str(len(content) if length is None else length), "Upload-Metadata": metadata}
        return self.client.post("/api/v1/blobs", headers=self.headers | TUS | size)

    def send(self, where: str, offset: int, piece: bytes, **more: str) -> Any:
        headers = self.headers | PIECE | {"Upload-Offset": str(offset)} | {key.replace("_", "-"): value for key, value in more.items()}
        return self.client.patch(where, data=piece, headers=headers)

    def offset(self, where: str) -> int:
        return int(self.client.head(where, headers=self.headers | TUS).headers["Upload-Offset"])

    def upload(self, content: bytes) -> None:
        where = self.begin(content).headers["Location"]
        assert self.send(where, 0, content).status_code == 204

    def fetch(self, name: str, **headers: str) -> Any:
        return self.client.get(f"/api/v1/blobs/{name}", headers=self.headers | headers)


def phone(office: Office, role: str = "secretary") -> tuple[HandPhone, Uploader]:
    made = HandPhone(office, role)
    return made, Uploader(made.client, made.headers)


def show(made: HandPhone, name: str) -> dict[str, Any]:
    """Record a resource that shows a photo."""
    fields = {"name": "应急物资柜", "kind": "supply", "photos": {"add": [name]}, "anchor": anchor()}
    operation = {"op_id": uuid7(), "type": "resource", "id": uuid7(), "kind": "create", "base": None, "set": fields, "was": {}}
    operation |= {"form_version": 1, "claimed_at": "2026-03-01T09:00:00+08:00"}
    (result,) = made.push([operation])
    assert result["now"]["outcome"] == "applied", result
    return result


def anchor() -> dict[str, Any]:
    return {"lon": 120.605, "lat": 31.305, "datum": "cgcs2000", "accuracy_m": 5, "confidence": 0.95, "method": "survey"}


def test_the_server_says_what_it_speaks(office):
    """A client of the public protocol learns version, abilities and limits without signing in."""
    answer = office.client().options("/api/v1/blobs")
    assert (answer.status_code, answer.headers["Tus-Version"]) == (204, "1.0.0")
    assert answer.headers["Tus-Extension"] == "creation,checksum,expiration"
    assert int(answer.headers["Tus-Max-Size"]) == 20_000_000


def test_an_interrupted_photo_goes_on_at_the_byte(office):
    """The line breaks twice in a photo: nothing is sent twice, and the photo comes out whole."""
    _, uploader = phone(office)
    content = picture()
    begun = uploader.begin(content)
    assert (begun.status_code, begun.headers["Tus-Resumable"]) == (201, "1.0.0")
    where = begun.headers["Location"]
    assert uploader.send(where, 0, content[:100]).headers["Upload-Offset"] == "100"
    assert uploader.offset(where) == 100
    assert uploader.send(where, 100, content[100:101]).status_code == 204
    assert uploader.send(where, 101, content[101:]).headers["Upload-Offset"] == str(len(content))
    assert uploader.offset(where) == len(content)
    fetched = uploader.fetch(name_of(content))
    assert (fetched.data, fetched.content_type) == (content, "image/jpeg")
    part = uploader.fetch(name_of(content), Range="bytes=10-19")
    assert (part.status_code, part.data) == (206, content[10:20])


class Killed(BaseException):
    """The program ends here."""


def killed(*_: object) -> None:
    raise Killed


def test_a_photo_whose_server_was_killed_behind_its_last_byte_is_kept_when_the_phone_asks(office, monkeypatch):
    """The phone asks how far it is, is told that all has arrived, and never sends again: by then the photo is kept."""
    _, uploader = phone(office)
    content = picture()
    where = uploader.begin(content).headers["Location"]
    with monkeypatch.context() as change, pytest.raises(Killed):
        change.setattr(blobs, "_finish", killed)
        uploader.send(where, 0, content)
    assert uploader.offset(where) == len(content)
    assert uploader.fetch(name_of(content)).data == content
    assert uploader.offset(where) == len(content), "asked again, nothing is done twice"


def test_an_upload_that_had_arrived_and_whose_bytes_are_gone_is_begun_anew(office, monkeypatch):
    """After a restore: the phone is told that this upload is none, and does not wait for it."""
    _, uploader = phone(office)
    content = picture()
    where = uploader.begin(content).headers["Location"]
    with monkeypatch.context() as change, pytest.raises(Killed):
        change.setattr(blobs, "_finish", killed)
        uploader.send(where, 0, content)
    for one in (office.house.settings.data_dir / "uploads").iterdir():
        one.unlink()
    assert [uploader.client.head(where, headers=uploader.headers | TUS).status_code for _ in range(2)] == [460, 404]
    uploader.upload(content)
    assert uploader.fetch(name_of(content)).data == content


def test_a_photo_whose_storage_was_away_at_its_last_byte_is_kept_when_it_is_back(office):
    """Told as 503 by sending and by asking, as long as it lasts; whichever comes afterwards finishes it."""
    _, uploader = phone(office)
    content, folder = picture(), office.house.settings.data_dir / "blobs"
    folder.write_bytes(b"no folder")
    where = uploader.begin(content).headers["Location"]
    assert uploader.send(where, 0, content).json["type"] == "/problems/storage-unreachable"
    assert uploader.client.head(where, headers=uploader.headers | TUS).status_code == 503
    folder.unlink()
    assert uploader.send(where, len(content), b"").status_code == 204
    assert uploader.fetch(name_of(content)).data == content


@pytest.mark.parametrize(
    ("offset", "piece", "headers", "status", "slug"),
    [
        (5, b"x", {}, 409, "offset-differs"),  # after a lost answer: the phone asks with HEAD
        (0, b"x" * 5000, {}, 422, "invalid-input"),  # more than was announced
        (0, b"abc", {"Upload_Checksum": "sha256 " + base64.b64encode(bytes(32)).decode()}, 460, "hash-differs"),  # a flipped bit
        (0, b"abc", {"Upload_Checksum": "crc32 AAAA"}, 422, "invalid-input"),  # not announced by the server
        (0, b"abc", {"Content_Type": "image/jpeg"}, 415, "unsupported-body"),
        (0, b"abc", {"Tus_Resumable": "0.2.1"}, 412, "tus-version"),
    ],
)  # fmt: skip
def test_a_piece_that_cannot_be_taken_changes_nothing(office, offset, piece, headers, status, slug):
    """Each mistake has its own answer, and the upload stands where it stood."""
    _, uploader = phone(office)
    where = uploader.begin(picture()).headers["Location"]
    answer = uploader.send(where, offset, piece, **headers)
    assert (answer.status_code, answer.json["type"]) == (status, f"/problems/{slug}")
    assert uploader.offset(where) == 0


def test_a_checksum_that_fits_is_taken(office):
    """SHA-1 and SHA-256 are understood, as announced."""
    _, uploader = phone(office)
    content = picture()
    where = uploader.begin(content).headers["Location"]
    first = base64.b64encode(hashlib.sha1(content[:50]).digest()).decode()
    second = base64.b64encode(hashlib.sha256(content[50:]).digest()).decode()
    assert uploader.send(where, 0, content[:50], Upload_Checksum=f"sha1 {first}").status_code == 204
    assert uploader.send(where, 50, content[50:], Upload_Checksum=f"sha256 {second}").status_code == 204


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "ab"}, 422),  # no SHA-256
        ({"kind": "image/svg+xml"}, 422),  # may hold a program
        ({"length": 0}, 422),
        ({"length": 20_000_001}, 413),
    ],
)
def test_an_upload_that_cannot_begin(office, change, status):
    """Type and size are judged before a byte is sent."""
    _, uploader = phone(office)
    assert uploader.begin(picture(), **change).status_code == status


def test_other_bytes_than_announced_are_not_kept(office):
    """A file whose hash differs is refused at its end, and its name still opens nothing."""
    _, uploader = phone(office)
    content, other = picture("red"), picture("blue")
    where = uploader.begin(content, length=len(other)).headers["Location"]
    assert uploader.send(where, 0, other).json["type"] == "/problems/hash-differs"
    assert uploader.fetch(name_of(content)).status_code == 404
    assert uploader.client.head(where, headers=uploader.headers | TUS).status_code == 404


def test_what_is_no_picture_is_not_kept(office):
    """A program that calls itself a photo is refused."""
    _, uploader = phone(office)
    content = b"#!/bin/sh\necho hello\n"
    where = uploader.begin(content).headers["Location"]
    assert uploader.send(where, 0, content).status_code == 422
    assert uploader.fetch(name_of(content)).status_code == 404


@pytest.mark.parametrize(("form", "kind"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_a_photo_does_not_tell_where_it_was_taken(office, form, kind):
    """Place and camera are left out; which side is up stays."""
    _, uploader = phone(office)
    content = picture(gps=True, form=form)
    where = uploader.begin(content, kind=kind).headers["Location"]
    assert uploader.send(where, 0, content).status_code == 204
    kept = uploader.fetch(name_of(content)).data
    exif = Image.open(io.BytesIO(kept)).getexif()
    assert dict(exif) == {0x0112: 6} and not exif.get_ifd(0x8825)
    assert b"Some Camera" not in kept
    assert Image.open(io.BytesIO(kept)).size == (60, 40)


def test_a_photo_is_seen_by_those_who_see_its_record(office):
    """The worker of the cell uploads; the secretary sees it, somebody who only knows its name does not."""
    content = picture()
    made, uploader = phone(office)
    show(made, name_of(content))
    assert uploader.client.get(f"/api/v1/blobs/{name_of(content)}", headers=uploader.headers).status_code == 404
    uploader.upload(content)
    secretary = office.signed_in("secretary").client
    assert secretary.get(f"/api/v1/blobs/{name_of(content)}").data == content
    assert office.client().get(f"/api/v1/blobs/{name_of(content)}").status_code == 401


def test_a_reference_counts_only_from_somebody_who_had_the_photo(office):
    """Writing another's photo's name into one's own record does not open it."""
    content = picture()
    _, owner = phone(office)
    owner.upload(content)
    thief, hands = phone(office, "grid_worker")
    assert hands.fetch(name_of(content)).status_code == 404
    assert office.signed_in("secretary").client.get(f"/api/v1/blobs/{name_of(content)}").status_code == 404
    show(thief, name_of(content))
    assert hands.fetch(name_of(content)).status_code == 404


def test_what_lies_in_the_folder_is_sealed(office):
    """Whoever copies the folder has no picture."""
    content = picture()
    _, uploader = phone(office)
    uploader.upload(content)
    files = [path for path in (office.house.settings.data_dir / "blobs").rglob("*") if path.is_file()]
    assert len(files) == 1 and content[20:60] not in files[0].read_bytes()
    assert not any((office.house.settings.data_dir / "uploads").iterdir())


def test_an_upload_that_is_never_finished_is_forgotten(office, clock):
    """After seven days what had arrived is gone, and the phone begins anew."""
    _, uploader = phone(office)
    content = picture()
    where = uploader.begin(content).headers["Location"]
    uploader.send(where, 0, content[:10])
    clock.advance(days=8)
    assert uploader.client.head(where, headers=uploader.headers | TUS).status_code == 410
    sweep_uploads(office.house)
    assert not any((office.house.settings.data_dir / "uploads").iterdir())
    assert uploader.client.head(where, headers=uploader.headers | TUS).status_code == 404


def test_a_pull_says_which_photos_are_missing(office):
    """After a restore the phone learns which of its photos it must send again."""
    made, uploader = phone(office)
    content, other = picture("red"), picture("blue")
    uploader.upload(content)
    names = [name_of(content), name_of(other)]
    body = {"protocol": 1, "install_id": made.install_id, "cursor": None, "blobs": names}
    answer = made.client.post("/api/v1/sync/pull", json=body, headers=made.headers)
    assert answer.json["blobs_missing"] == [name_of(other)]
    assert answer.json["blobs_safe"] == []


def test_photos_are_in_the_backup_and_come_back(office, tmp_path):
    """S26: after two verified backups the phone may let go of a photo; a backup whose photo is damaged does not count."""
    made, uploader = phone(office)
    content = picture()
    uploader.upload(content)
    body = {"protocol": 1, "install_id": made.install_id, "cursor": None, "blobs": [name_of(content)]}
    first = back_up(office.house, tmp_path / "copies")
    assert made.client.post("/api/v1/sync/pull", json=body, headers=made.headers).json["blobs_safe"] == []
    back_up(office.house, tmp_path / "copies")
    assert made.client.post("/api/v1/sync/pull", json=body, headers=made.headers).json["blobs_safe"] == [name_of(content)]
    (file,) = (path for path in (office.house.settings.data_dir / "blobs").rglob("*") if path.is_file())
    sealed = file.read_bytes()
    file.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(ArchiveDamaged, match=name_of(content)):
        back_up(office.house, tmp_path / "copies")
    file.unlink()
    restore(office.house, first.archive, replace=True)
    assert uploader.fetch(name_of(content)).data == content


def test_s26_an_operation_is_safe_with_its_photos_only(office, tmp_path):
    """S26: what shows a photo that no backup has is not safe; a photo that a restored backup lacks is asked for and comes again."""
    made, uploader = phone(office)
    content, late = picture("red"), picture("blue")
    uploader.upload(content)
    show(made, name_of(content))
    show(made, name_of(late))
    show(made, name_of(content))
    without = [back_up(office.house, tmp_path / "copies") for _ in range(2)]
    assert all(one.difference is None for one in without) and made.push_nothing()["safe_n"] == 1
    uploader.upload(late)
    back_up(office.house, tmp_path / "copies")
    assert made.push_nothing()["safe_n"] == 1, "the older of the two newest copies lacks the photo"
    back_up(office.house, tmp_path / "copies")
    assert made.push_nothing()["safe_n"] == 3

    restore(office.house, without[0].archive, replace=True)
    for file in (office.house.settings.data_dir / "blobs").rglob(f"*{name_of(late)}*"):
        file.unlink()
    body = {"protocol": 1, "install_id": made.install_id, "cursor": None, "blobs": [name_of(content), name_of(late)]}
    answer = made.client.post("/api/v1/sync/pull", json=body, headers=made.headers).json
    assert (answer["blobs_missing"], answer["blobs_safe"], answer["safe_n"]) == ([name_of(late)], [], 0)
    uploader.upload(late)
    assert uploader.fetch(name_of(late)).data == late
    assert made.client.post("/api/v1/sync/pull", json=body, headers=made.headers).json["blobs_missing"] == []
