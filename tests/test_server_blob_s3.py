"""Photos in S3-compatible storage: the same five verbs over real HTTP, against a small server that speaks as much of S3 as they need."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

import pytest
from front_door import furnish, open_office
from test_server_blobs import name_of, phone, picture, show

from server.errors import StorageUnreachable
from server.services import blob_store

KEY_ID = "an-access-key"
SIGNED = re.compile(rf"AWS4-HMAC-SHA256 Credential={KEY_ID}/\d{{8}}/[^/]+/s3/aws4_request, *SignedHeaders=\S+, *Signature=[0-9a-f]{{64}}")


class Storage(ThreadingHTTPServer):
    """Objects by bucket and key, in memory. ``bad_days`` is how many requests are answered 500 first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.buckets: dict[str, dict[str, bytes]] = {"photos": {}}
        self.asked: list[str] = []
        self.bad_days = 0
        self.after_put: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Storage

    def log_message(self, *_: object) -> None:
        pass

    def _say(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | {name.replace("_", "-"): value for name, value in headers.items()}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else content)

    def _wrong(self, status: int, code: str) -> None:
        self._say(status, f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'.encode(), Content_Type="application/xml")

    def _act(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        self.server.asked.append(f"{self.command} {bucket}/{key}")
        if self.server.bad_days:
            self.server.bad_days -= 1
            return self._wrong(500, "InternalError")
        if not SIGNED.fullmatch(self.headers.get("Authorization", "")):
            return self._wrong(403, "AccessDenied")
        objects = self.server.buckets.get(bucket)
        if objects is None:
            return self._wrong(404, "NoSuchBucket")
        if self.command == "PUT":
            objects[key] = body
            self.server.after_put()
            return self._say(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')
        if self.command == "POST":  # ?delete: many at once, those that are not there count as deleted
            keys = [unescape(one) for one in re.findall(r"<Key>(.*?)</Key>", body.decode())]
            for one in keys:
                objects.pop(one, None)
            told = "".join(f"<Deleted><Key>{escape(one)}</Key></Deleted>" for one in keys)
            return self._say(200, f'<?xml version="1.0"?><DeleteResult>{told}</DeleteResult>'.encode(), Content_Type="application/xml")
        if not key:  # ?list-type=2
            begins = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
            told = "".join(
                f"<Contents><Key>{escape(one)}</Key><LastModified>2026-03-02T01:00:00.000Z</LastModified><Size>{len(content)}</Size></Contents>"
                for one, content in sorted(objects.items()) if one.startswith(begins)
            )  # fmt: skip
            told = f"<Name>{bucket}</Name><IsTruncated>false</IsTruncated>{told}"
            return self._say(200, f'<?xml version="1.0"?><ListBucketResult>{told}</ListBucketResult>'.encode(), Content_Type="application/xml")
        if key not in objects:
            return self._wrong(404, "NoSuchKey")
        content = objects[key]
        return self._say(200, content, ETag=f'"{hashlib.md5(content).hexdigest()}"', Last_Modified="Mon, 02 Mar 2026 01:00:00 GMT")

    do_GET = do_HEAD = do_PUT = do_POST = _act


@pytest.fixture
def storage(monkeypatch):
    server = Storage()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    given = {"ACCESS_KEY_ID": KEY_ID, "SECRET_ACCESS_KEY": "a secret", "ENDPOINT_URL": server.url, "REGION": "anywhere", "ALLOW_HTTP": "true"}
    for name, value in given.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    blob_store._store.cache_clear()
    yield server
    blob_store._store.cache_clear()
    server.shutdown()
    server.server_close()


def place(bucket="photos"):
    return SimpleNamespace(settings=SimpleNamespace(blobs_url=f"s3://{bucket}/house"))


def test_the_five_verbs_over_s3(storage):
    """Put, put again, get, list, drop, drop again: signed requests under the prefix; what is not there is None."""
    blob_store.put(place(), "c-1/ab", b"first")
    blob_store.put(place(), "c-1/ab", b"second")
    assert storage.buckets == {"photos": {"house/c-1/ab": b"second"}}
    assert blob_store.get(place(), "c-1/ab") == b"second"
    assert list(blob_store.files(place())) == [[("c-1/ab", datetime(2026, 3, 2, 1, tzinfo=UTC))]]
    for _ in range(2):
        blob_store.drop(place(), "c-1/ab")
    assert storage.buckets == {"photos": {}} and blob_store.get(place(), "c-1/ab") is None


def test_one_bad_answer_is_asked_again_and_what_cannot_be_kept_says_so(storage, monkeypatch):
    """A hiccup of the storage costs nobody a photo; no such bucket, or another key, is told as unreachable, never as kept."""
    storage.bad_days = 1
    blob_store.put(place(), "c-1/cd", b"kept")
    assert len(storage.asked) == 2 and len(storage.buckets["photos"]) == 1
    with pytest.raises(StorageUnreachable):
        blob_store.put(place("nowhere"), "c-1/cd", b"lost")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    blob_store._store.cache_clear()
    for act in (lambda: blob_store.put(place(), "c-1/ef", b"lost"), lambda: blob_store.get(place(), "c-1/cd")):
        with pytest.raises(StorageUnreachable):
            act()
    assert len(storage.buckets["photos"]) == 1


def opened(prepared_database, tmp_path, clock, new_id):
    office = open_office(prepared_database(furnish), tmp_path, clock, new_id)
    house = office.app.extensions["dishu"]
    office.app.extensions["dishu"] = replace(house, settings=replace(house.settings, blobs_url="s3://photos/house"))
    return office


def test_a_photo_goes_to_s3_sealed_and_comes_back(storage, prepared_database, tmp_path, clock, new_id):
    """Uploaded by a phone, seen at the office; in the bucket nobody sees a picture. While the storage lacks it, the photo is asked for later."""
    office = opened(prepared_database, tmp_path, clock, new_id)
    content = picture()
    made, uploader = phone(office)
    show(made, name_of(content))
    uploader.upload(content)
    ((key, kept),) = storage.buckets["photos"].items()
    assert name_of(content) in key and b"JFIF" not in kept and content not in kept
    client = office.signed_in("secretary").client
    assert client.get(f"/api/v1/blobs/{name_of(content)}").data == content
    storage.buckets["photos"].clear()
    assert client.get(f"/api/v1/blobs/{name_of(content)}").status_code == 503


def test_two_who_upload_the_same_photo_at_once_have_it_both(storage, prepared_database, tmp_path, clock, new_id):
    """S26: both files are on their way to the storage; nobody waits for it meanwhile, one stays, and it opens for both for ever."""
    office = opened(prepared_database, tmp_path, clock, new_id)
    content = picture()
    both, (_, other) = [phone(office)[1] for _ in range(2)], phone(office)
    turns, second_came, first_done = count(1), threading.Event(), threading.Event()

    def hold() -> None:
        if next(turns) == 1:
            second_came.wait(10)
        else:
            second_came.set()
            first_done.wait(10)

    storage.after_put = hold
    with ThreadPoolExecutor(2) as pool:
        uploads = [pool.submit(one.upload, content) for one in both]
        met = second_came.wait(10)
        assert other.begin(picture("blue")).status_code == 201
        done, _ = wait(uploads, 10, FIRST_COMPLETED)
        first_done.set()
    assert met and len(done) == 1, "one waited for the other's storage"
    for one in uploads:
        one.result()
    assert [one.fetch(name_of(content)).data for one in both] == [content, content]
    assert len(storage.buckets["photos"]) == 1
    ((key, kept),) = storage.buckets["photos"].items()
    storage.buckets["photos"][key] = kept[:-1] + bytes([kept[-1] ^ 1])
    damaged = both[0].fetch(name_of(content))
    assert (damaged.status_code, damaged.json["type"]) == (503, "/problems/storage-unreachable")
