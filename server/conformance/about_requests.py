"""W: requests, envelopes, problems. L9: clocks."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import secrets
import sys

from PIL import Image

from server.conformance.device import must
from server.conformance.ground import Ground
from server.conformance.line import Reply
from server.conformance.rules import rule

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def _problem(reply: Reply, status: int, slug: str) -> None:
    must(reply.status == status, f"{reply.status} {reply.slug} where {status} {slug} is due")
    must("problem+json" in reply.headers.get("content-type", ""), "an error is not application/problem+json")
    must(reply.slug == slug, f"the problem is {reply.slug or 'without a type'} where {slug} is due")


@rule("W1a")
def code_once(ground: Ground) -> None:
    """A code is used up by its first success: without its retry_key, or with another one, nobody enrols."""
    for key in (None, secrets.token_urlsafe(32)):
        asked = {"code": ground.codes[0], "label": "", "app_version": ""} | ({"retry_key": key} if key else {})
        _problem(ground.line.send("POST", "/api/v1/enroll", asked), 409, "enrolment-code-used")


@rule("W1b")
def lost_answer_again(ground: Ground) -> None:
    """Who asks again with the code and its retry_key, before the install was heard of, is given the same install and token."""
    for device in (ground.one, ground.two):
        again = device.again
        must(again is not None and again.status == 200, f"an enrolment asked for again is answered {again.status if again else 'nothing'}")
        told = again.body if again else {}
        must(told.get("install_id") == device.install_id, "an enrolment asked for again is another install")
        must(told.get("device_token") == device.token, "an enrolment asked for again has another token")


@rule("W2a")
def token_needed(ground: Ground) -> None:
    """Without a token, or with one that was not given out, 401 and nothing else."""
    body = ground.one.batch([ground.building()])
    for token in (None, "dishu-device.made.up", ground.one.token[:-2] + "zz"):
        reply = ground.line.send("POST", "/api/v1/sync/push", body, token=token)
        must(reply.status == 401, f"a push with a wrong token is answered {reply.status}")
    must(not ground.one.told(ground.one.batch())["results"] and ground.one.n == body["after"]["n"], "a refused push was consumed")


@rule("W2b")
def own_install_only(ground: Ground) -> None:
    """A token speaks for its own install only."""
    body = ground.one.batch([ground.building()]) | {"install_id": ground.two.install_id}
    reply = ground.line.send("POST", "/api/v1/sync/push", body, token=ground.one.token)
    must(400 <= reply.status < 500, f"a push for another install is answered {reply.status}")


@rule("W3a")
def bodies(ground: Ground) -> None:
    """What is no JSON is 400 malformed-body; what is not JSON by its type is 415."""
    _problem(ground.one.post("push", b'{"protocol": 1,'), 400, "malformed-body")
    reply = ground.one.post("push", b"protocol=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    _problem(reply, 415, "unsupported-body")


@rule("W3b")
def envelopes(ground: Ground) -> None:
    """A wrong envelope is 422, names its place, and consumes nothing."""
    good = ground.one.batch([ground.building()])
    for name, value in (("protocol", 99), ("after", {"n": -1, "op_id": None}), ("groups", "none")):
        reply = ground.one.post("push", good | {name: value})
        _problem(reply, 422, "invalid-input")
        pointers = [str(one.get("pointer")) for one in reply.body.get("errors", [])]
        must(any(one.startswith(f"/{name}") for one in pointers), f"the problem does not point at /{name}")
    must(ground.one.told(ground.one.batch())["applied"]["n"] == good["after"]["n"], "a refused batch was consumed")


@rule("W4")
def limits(ground: Ground) -> None:
    """Limits, protocol versions and the epoch are told; the epoch is that of every answer."""
    reply = ground.line.send("GET", "/api/v1/sync/config", token=ground.one.token)
    must(reply.status == 200, f"the limits are answered {reply.status}")
    told = reply.body
    names = ("max_ops", "max_bytes", "max_op_bytes", "page_rows")
    must(all(isinstance(told.get("limits", {}).get(one), int) for one in names), "a limit is not told")
    must(told.get("min_protocol", 9) <= 1 <= told.get("protocol", 0), "protocol 1 is not spoken")
    must(told.get("epoch") == ground.one.told(ground.one.batch())["epoch"] == ground.one.page()["epoch"], "epochs differ between answers")


@rule("W5a")
def packed(ground: Ground) -> None:
    """A body packed with gzip or zstd is read like a plain one."""
    content = json.dumps(ground.one.batch([ground.building()])).encode()
    for name, body in (("gzip", gzip.compress(content)), ("zstd", _zstd(content))):
        reply = ground.one.post("push", body, headers={"Content-Encoding": name})
        must(reply.status == 200 and len(reply.body.get("results", [])) == 1, f"a body packed with {name} is answered {reply.status}")
    ground.steady()


def _zstd(content: bytes) -> bytes:
    return bytes(zstd.compress(content))


@rule("W5b")
def packed_answers(ground: Ground) -> None:
    """An answer is packed for those who say that they read it."""
    asked = {"protocol": 1, "install_id": ground.one.install_id, "cursor": None, "limit": None}
    reply = ground.one.post("pull", asked, headers={"Accept-Encoding": "gzip"})
    packed_ = reply.headers.get("content-encoding") == "gzip"
    must(reply.status == 200 and (packed_ or len(reply.content) < 2_000), "a large answer comes unpacked")
    must(bool(reply.body.get("cursor")), "a packed answer cannot be read")


@rule("W6")
def reference(ground: Ground) -> None:
    """The reference has an ETag, and is 304 for who has it."""
    first = ground.line.send("GET", "/api/v1/reference", token=ground.one.token)
    tag = first.headers.get("etag", "")
    must(first.status == 200 and bool(tag), "the reference has no ETag")
    must({"forms", "codelists", "cells", "assignments"} <= first.body.keys(), "the reference is not whole")
    again = ground.line.send("GET", "/api/v1/reference", token=ground.one.token, headers={"If-None-Match": tag})
    must(again.status == 304 and not again.content, f"the same reference is answered {again.status} again")


@rule("W7")
def photos(ground: Ground) -> None:
    """A photo goes up in pieces by tus 1.0.0, continues at the byte, and is checked against its SHA-256."""
    content = _picture()
    name = hashlib.sha256(content).hexdigest()
    tus = {"Tus-Resumable": "1.0.0"}
    said = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in (("sha256", name), ("filetype", "image/png")))
    made = ground.line.send("POST", "/api/v1/blobs", b"", token=ground.one.token,
                            headers=tus | {"Upload-Length": str(len(content)), "Upload-Metadata": said})  # fmt: skip
    must(made.status == 201 and bool(made.headers.get("location")), f"an upload is answered {made.status}")
    where = made.headers["location"]
    where = where[where.index("/api/") :]
    half = len(content) // 2
    for start, piece in ((0, content[:half]), (half, content[half:])):
        at = ground.line.send("HEAD", where, token=ground.one.token, headers=tus)
        must(at.headers.get("upload-offset") == str(start), "Upload-Offset is not where the upload stands")
        headers = tus | {"Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
        reply = ground.line.send("PATCH", where, piece, token=ground.one.token, headers=headers)
        must(reply.status == 204, f"a piece is answered {reply.status} {reply.slug}")
    got = ground.line.send("GET", f"/api/v1/blobs/{name}", token=ground.one.token)
    must(got.status == 200, f"who uploaded a photo is answered {got.status}")
    other = ground.line.send("GET", f"/api/v1/blobs/{name}", token=ground.two.token)
    must(other.status in (403, 404), f"who knows only the name of a photo is answered {other.status}")


def _picture() -> bytes:
    made = io.BytesIO()
    Image.frombytes("RGB", (16, 16), secrets.token_bytes(16 * 16 * 3)).save(made, "PNG")
    return made.getvalue()


@rule("L9")
def clocks(ground: Ground) -> None:
    """No clock is trusted: a claim of another century is taken, and decides nothing."""
    record_id = ground.stored()
    late = ground.patch(ground.one, "building", record_id, {"number": "1"}, claimed_at="1971-01-01T00:00:00.000Z")
    early = ground.patch(ground.two, "building", record_id, {"use": "office"}, claimed_at="2097-01-01T00:00:00.000Z")
    body = ground.two.batch([early], sent_at="2097-01-01T00:00:00.000+00:00")
    told = ground.two.told(body)
    must(told["results"][0]["now"]["outcome"] == "applied", "a clock that is ahead changes an outcome")
    must(told["skew_s"] is not None and told["skew_s"] > 10**9, "the skew of a clock is not told")
    must(ground.one.write(late) == ["merged"], "a clock that is behind changes an outcome")
    fields = ground.one.seen(record_id)["fields"]
    must(fields.get("number") == "1" and fields.get("use") == "office", "a wrong clock costs a value")


@rule("L10")
def scope(ground: Ground) -> None:
    """Nothing outside an install's scope is sent to it."""
    held = set(ground.one.last_page["scope"]["streams"])
    must(all(row["stream"] in held for row in ground.one.afresh()), "a row of a stream that is not followed came")
    if ground.beyond is None:
        return
    hidden = ground.building(ground.beyond)
    must(ground.two.write(hidden) == ["applied"], "a building in the other cell is not applied")
    ground.both()
    must(ground.two.record(hidden["id"]) is not None, "a record of an own cell did not come")
    must(ground.one.record(hidden["id"]) is None, "a record of a foreign cell came")


@rule("W8")
def asked_whole(ground: Ground) -> None:
    """What the office asks is told whole to the own install only, under the mark that a complete page says in `asked`."""
    ground.one.pull()
    page = ground.one.last_page
    must("asked" in page, "a complete page does not say whether anything is asked")
    own = {"protocol": 1, "install_id": ground.one.install_id}
    reply = ground.one.post("asked", own)
    must(reply.status == 200 and isinstance(reply.body.get("asked"), list), f"what is asked is answered {reply.status}")
    must(reply.body.get("mark") == page["asked"], "what is asked comes under another mark than the page's")
    must(bool(reply.body["asked"]) == (page["asked"] is not None), "a mark without anything asked, or the other way round")
    _problem(ground.one.post("asked", own | {"install_id": ground.two.install_id}), 422, "invalid-input")
