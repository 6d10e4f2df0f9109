"""The text of a Shapefile: which encoding it has, and headings that were cut inside a character.

A .dbf keeps ten bytes of a heading whatever they mean, and often nothing says how they are encoded.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from geo.errors import GeoError

# GB 18030 reads everything that GBK and GB 2312 write.
_CHINESE = {"gbk", "gb2312", "gb18030", "cp936", "936", "ansi936", "euccn", "hz"}


def encoding_of(path: Path, declared: str | None = None) -> tuple[str, bool]:
    """The encoding of a Shapefile's text, and whether it was guessed.

    Parameters
    ----------
    path : Path
        The .shp; its .cpg and .dbf lie beside it.
    declared : str, optional
        Wins over everything.

    Raises
    ------
    GeoError
        ``encoding_unknown``: a name that Python does not know, or bytes that are neither UTF-8 nor GBK.
    """
    if declared is not None:
        return _known(declared), False
    cpg = _beside(path, ".cpg")
    if cpg is not None:
        named = cpg.read_text("ascii", errors="replace").strip()
        if named:
            return _known(named), False
    dbf = _beside(path, ".dbf")
    raw = b"" if dbf is None else dbf.read_bytes()
    pieces = _pieces(raw)
    if all(piece.isascii() for piece in pieces):
        return "utf-8", False
    for encoding in ("utf-8", "gb18030"):
        if all(_fits(piece, encoding) for piece in pieces):
            return encoding, True
    raise GeoError("the text is neither UTF-8 nor GBK; declare its encoding", code="encoding_unknown")


def decode(text: str, *, encoding: str) -> str:
    """Text that was read as Latin-1, byte for byte, in its real encoding; a last character that was cut is dropped."""
    raw = text.encode("latin-1", errors="replace")
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    return decoder.decode(raw)


def _known(name: str) -> str:
    plain = "".join(sign for sign in name.casefold() if sign.isalnum())
    if plain in _CHINESE:
        return "gb18030"
    try:
        return codecs.lookup("utf-8" if plain in ("utf8", "65001") else name).name
    except LookupError as error:
        raise GeoError(f"the encoding {name[:20]!r} is not known", code="encoding_unknown") from error


def _beside(path: Path, suffix: str) -> Path | None:
    found = (path.with_suffix(one) for one in (suffix, suffix.upper()))
    return next((one for one in found if one.is_file()), None)


def _pieces(raw: bytes) -> list[bytes]:
    """Headings and text values of a .dbf, each by itself."""
    if len(raw) < 32:
        return []
    header_size, record_size = int.from_bytes(raw[8:10], "little"), int.from_bytes(raw[10:12], "little")
    names, widths = [], []
    for at in range(32, min(header_size, len(raw)) - 1, 32):
        field = raw[at : at + 32]
        if field[:1] == b"\r" or len(field) < 18:
            break
        names.append(field[:11].split(b"\x00")[0])
        widths.append((field[11:12], field[16]))
    pieces = names
    for record in range(header_size, len(raw) - record_size + 1, max(record_size, 1)):
        at = record + 1
        for kind, width in widths:
            if kind == b"C":
                pieces.append(raw[at : at + width].rstrip(b" \x00"))
            at += width
    return pieces


def _fits(piece: bytes, encoding: str) -> bool:
    try:
        # Not final: a last character may have been cut.
        codecs.getincrementaldecoder(encoding)().decode(piece)
    except UnicodeDecodeError:
        return False
    return True
