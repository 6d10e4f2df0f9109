"""Reading request bodies: JSON, plain or packed with gzip or zstd, never larger than an endpoint takes."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
from flask import request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from server.errors import BodyTooLarge, InputError, InvalidInput, MalformedBody, UnsupportedBody

_DEEPEST = 100  # levels of a body that is looked through text by text


def read_json(max_bytes: int, *, any_text: bool = False) -> dict[str, Any]:
    """The JSON object in the request body.

    Parameters
    ----------
    max_bytes : the most that is read and the most that a packed body may unpack to
    any_text : take texts with U+0000, too, which not every database can keep; for those who look at them piece by piece

    Raises
    ------
    UnsupportedBody, BodyTooLarge, MalformedBody, InvalidInput
        Before anything was changed. Messages say where JSON ends to be JSON, never what stands there.
    """
    raw = read_bytes(max_bytes, media=("application/json",))
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"not JSON at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise MalformedBody("nested too deeply") from error
    if not isinstance(body, dict):
        raise MalformedBody("a JSON object is expected")
    if not any_text and b"\\u0000" in raw:
        _refuse_nul(body)
    return body


def _refuse_nul(body: dict[str, Any]) -> None:
    """InvalidInput naming every place of the body that holds U+0000; a name that holds it is told by what it stands in."""

    def places(at: str, value: Any, level: int) -> Iterator[str]:
        if level > _DEEPEST:
            raise MalformedBody("nested too deeply")
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from [at] if "\0" in name else places(f"{at}/{name}", inner, level + 1)
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                yield from places(f"{at}/{number}", inner, level + 1)
        elif isinstance(value, str) and "\0" in value:
            yield at

    wrong = list(places("", body, 0))
    if wrong:
        raise InvalidInput(errors=[InputError(pointer, "control_character", "U+0000 is no text") for pointer in wrong])


def read_bytes(max_bytes: int, *, media: tuple[str, ...] = ()) -> bytes:
    """The request body, unpacked when Content-Encoding says so; any media type when ``media`` is empty."""
    if media and request.mimetype not in media:
        raise UnsupportedBody(f"send {' or '.join(media)}")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip", "zstd"}:
        raise UnsupportedBody("the content encodings read here are gzip and zstd")
    if (request.content_length or 0) > max_bytes:
        raise BodyTooLarge(f"at most {max_bytes} bytes are taken")
    packed = request.stream.read(max_bytes + 1)
    if len(packed) > max_bytes:
        raise BodyTooLarge(f"at most {max_bytes} bytes are taken")
    if encoding == "identity":
        return packed
    return _unpack_zstd(packed, max_bytes) if encoding == "zstd" else unpack_gzip(packed, max_bytes)


def unpack_gzip(packed: bytes, max_bytes: int) -> bytes:
    """Unpack a gzip body, stopping as soon as it grows beyond the limit."""
    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(packed, max_bytes + 1)
    except zlib.error as error:
        raise MalformedBody("not a gzip body") from error
    if len(plain) > max_bytes:
        raise BodyTooLarge(f"unpacked, at most {max_bytes} bytes are taken")
    if not reader.eof or reader.unused_data:
        raise MalformedBody("the gzip body is cut short or has something behind it")
    return plain


def _unpack_zstd(packed: bytes, max_bytes: int) -> bytes:
    """Unpack one zstd frame, stopping as soon as it grows beyond the limit."""
    reader = zstd.ZstdDecompressor()
    try:
        plain = reader.decompress(packed, max_bytes + 1)
    except zstd.ZstdError as error:
        raise MalformedBody("not a zstd body") from error
    if len(plain) > max_bytes:
        raise BodyTooLarge(f"unpacked, at most {max_bytes} bytes are taken")
    if not reader.eof or reader.unused_data:
        raise MalformedBody("the zstd body is cut short or has something behind it")
    return plain
