"""A PMTiles 3 archive as small as they come, written here: one tile for each (zoom, x, y), a single directory, nothing packed."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping

VECTOR, PICTURES = 1, 2


def tile_at(lon: float, lat: float, zoom: int) -> tuple[int, int, int]:
    """The tile (zoom, x, y) that holds a point."""
    across = (lon + 180) / 360 * 2**zoom
    down = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**zoom
    return zoom, int(across), int(down)


def archive(tiles: Mapping[tuple[int, int, int], bytes], *, kind: int, bounds: tuple[float, float, float, float], about: Mapping[str, object] | None = None) -> bytes:
    """The bytes of an archive of these tiles."""
    order = sorted((_tile_id(*place), content) for place, content in tiles.items())
    directory, before, at = bytearray(_varint(len(order))), 0, 0
    for number, _ in order:
        directory += _varint(number - before)
        before = number
    directory += b"".join(_varint(1) for _ in order)
    directory += b"".join(_varint(len(content)) for _, content in order)
    for _, content in order:
        directory += _varint(at + 1)
        at += len(content)
    metadata = json.dumps(about or {}).encode()
    starts = [127, 127 + len(directory), 127 + len(directory) + len(metadata)]
    zooms = [place[0] for place in tiles]
    corners = [round(value * 1e7) for value in bounds]
    head = struct.pack(
        "<8s11Q6B4iB2i", b"PMTiles\x03", starts[0], len(directory), starts[1], len(metadata), starts[2], 0, starts[2], at,
        len(order), len(order), len(order), 1, 1, 1, kind, min(zooms), max(zooms), *corners, max(zooms), corners[0], corners[1],
    )  # fmt: skip
    return head + bytes(directory) + metadata + b"".join(content for _, content in order)


def picture(red: int, green: int, blue: int, *, side: int = 256) -> bytes:
    """A PNG of one colour."""
    rows = (b"\x00" + bytes((red, green, blue)) * side) * side
    parts = [(b"IHDR", struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content)) for name, content in parts
    )


def vector_tile(layers: Mapping[str, tuple[int, list[tuple[int, int]]]], *, extent: int = 4096) -> bytes:
    """A Mapbox vector tile: for each layer one line (2) or polygon (3) through corners of the tile."""
    made = b""
    for name, (shape, corners) in layers.items():
        commands, here = [9], (0, 0)
        for number, corner in enumerate(corners):
            if number == 1:
                commands.append((len(corners) - 1) << 3 | 2)
            commands += [_zigzag(corner[0] - here[0]), _zigzag(corner[1] - here[1])]
            here = corner
        if shape == 3:
            commands.append(15)
        feature = _field(3, 0, shape) + _field(4, 2, b"".join(_varint(one) for one in commands))
        made += _field(3, 2, _field(15, 0, 2) + _field(1, 2, name.encode()) + _field(2, 2, feature) + _field(5, 0, extent))
    return made


def _tile_id(zoom: int, x: int, y: int) -> int:
    found, side = (4**zoom - 1) // 3, 2 ** (zoom - 1) if zoom else 0
    while side:
        right, down = int(bool(x & side)), int(bool(y & side))
        found += side * side * ((3 * right) ^ down)
        if not down:
            if right:
                x, y = side - 1 - (x & (side - 1)), side - 1 - (y & (side - 1))
            x, y = y, x
        x, y, side = x & (side - 1), y & (side - 1), side // 2
    return found


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def _field(number: int, wire: int, value: int | bytes) -> bytes:
    head = _varint(number << 3 | wire)
    return head + (_varint(value) if isinstance(value, int) else _varint(len(value)) + value)
