"""Files of cells as people send them: one file, the parts of a Shapefile, or a zip with one of these inside."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from geo.cell import BASE_LAYER
from geo.cells import DraftEdition
from geo.columns import guess_households
from geo.datum import METRES
from geo.errors import GeoError
from geo.files import as_geojson, kind_of, tables_of
from server.errors import BodyTooLarge, InputError, InvalidInput
from server.services.drafts import read_draft, with_households

MOST_BYTES = 200_000_000
"""The most that a file may unpack to."""
HOUSEHOLDS = "households"
"""The word of a mapping for the column that says how many households a cell has."""

_MOST_MEMBERS = 200
# What may lie beside the file that is read.
_OF_SHAPEFILE = frozenset({".shp", ".shx", ".dbf", ".cpg", ".prj", ".sbn", ".sbx", ".qix"})
_READABLE = frozenset({".gpkg", ".shp", ".fgb", ".kml", ".geojson", ".json"})


@dataclass(frozen=True, slots=True)
class CellFile:
    """A file as it was read.

    ``columns`` are its headings, ``mapping`` our word → the heading that was taken for it (given or guessed, ``guessed``
    names the latter), ``tables`` the layers of a file that has several.
    """

    draft: DraftEdition
    kind: str
    columns: tuple[str, ...]
    mapping: Mapping[str, str]
    guessed: tuple[str, ...]
    tables: tuple[str, ...]


def read_files(
    files: Sequence[tuple[str, bytes]],
    *,
    datum: str | None,
    mapping: Mapping[str, str] | None = None,
    table: str | None = None,
    encoding: str | None = None,
    layer: str = BASE_LAYER,
) -> CellFile:
    """Cells from what somebody has sent.

    Parameters
    ----------
    files : (name, bytes) of each part; zips are unpacked
    datum, mapping, table, encoding, layer : as `geo.files.read_cell_file`; ``mapping`` may name ``households`` too

    Raises
    ------
    InvalidInput, MalformedBody, CellsRefused, BodyTooLarge
        As `drafts.read_draft`; none or several files that could be meant are named.
    """
    with tempfile.TemporaryDirectory(prefix="dishu-cells-") as folder:
        try:
            path = the_one_file(Path(folder), files)
            return read_path(path, datum=datum, mapping=mapping, table=table, encoding=encoding, layer=layer)
        except OSError as error:
            raise _wrong("/file", "unreadable_file", "the parts of the file cannot be unpacked") from error


def read_path(
    path: Path,
    *,
    datum: str | None,
    mapping: Mapping[str, str] | None = None,
    table: str | None = None,
    encoding: str | None = None,
    layer: str = BASE_LAYER,
) -> CellFile:
    """Cells from a file of this machine, a zip too; parameters and errors as `read_files`."""
    if path.suffix.lower() in (".zip", ".kmz"):
        return read_files([(path.name, path.read_bytes())], datum=datum, mapping=mapping, table=table, encoding=encoding, layer=layer)
    given = dict(mapping or {})
    column = given.pop(HOUSEHOLDS, None)
    try:
        kind, tables = kind_of(path), tables_of(path)
        source, words, problems = as_geojson(
            path, mapping=given, table=table, encoding=encoding, is_metres=datum == METRES
        )
    except GeoError as error:
        if error.code != "unknown_file":
            raise _wrong("/file", error.code, error.message) from error
        # Whatever it is, the reader of GeoJSON says where it goes wrong.
        kind, tables, source, words, problems = "geojson", (), path.read_bytes(), given, ()
    draft = read_draft(source, datum=datum, mapping=words, layer=layer)
    columns = tuple(dict.fromkeys(name for cell in draft.cells for name in cell.properties))
    used = tuple(dict.fromkeys(name for name in words.values() if name))
    households = column or guess_households(columns)
    if column is not None and column not in columns:
        raise _wrong("/mapping/households", "unknown_column", "no cell has this column")
    if households is not None:
        draft = with_households(draft, households)
    told = {word: name for word, name in words.items() if name} | ({HOUSEHOLDS: households} if households else {})
    return CellFile(
        replace(draft, problems=(*problems, *draft.problems)),
        kind,
        (*used, *(name for name in columns if name not in used)),
        told,
        tuple(word for word in told if (mapping or {}).get(word) != told[word] and word != told[word]),
        tables,
    )


def the_one_file(folder: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    """Lay the parts into a folder and say which of them is to be read."""
    laid: dict[str, Path] = {}
    left = MOST_BYTES
    for number, (name, content) in enumerate(files):
        for inner, part in _unpacked(name, content, left):
            left -= len(part)
            if left < 0:
                raise BodyTooLarge(f"unpacked, at most {MOST_BYTES} bytes are taken")
            # The parts of a Shapefile belong together by their name; its letters are nobody's path.
            suffix = PurePosixPath(inner).suffix.lower()
            stem = PurePosixPath(inner).stem.casefold() if suffix in _OF_SHAPEFILE else f"{number}/{inner}"
            home = laid.setdefault(stem, folder / f"part{len(laid)}")
            home.mkdir(exist_ok=True)
            (home / f"cells{suffix if suffix in _READABLE | _OF_SHAPEFILE else '.geojson'}").write_bytes(part)
    found = sorted(
        path for home in laid.values() for path in home.iterdir() if path.suffix in _READABLE
    )
    if len(found) != 1:
        message = "no GeoPackage, Shapefile, FlatGeobuf, KML or GeoJSON in it" if not found else "several files in it; send one"
        raise _wrong("/file", "no_file" if not found else "several_files", message)
    return found[0]


def _unpacked(name: str, content: bytes, most: int) -> Iterable[tuple[str, bytes]]:
    if not content.startswith(b"PK\x03\x04"):
        yield name, content
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if len(members) > _MOST_MEMBERS or sum(one.file_size for one in members) > most:
                raise BodyTooLarge(f"unpacked, at most {MOST_BYTES} bytes and {_MOST_MEMBERS} files are taken")
            for one in members:
                inner = _member_name(one)
                if PurePosixPath(inner).suffix.lower() in _READABLE | _OF_SHAPEFILE and not inner.startswith("__MACOSX"):
                    yield inner, archive.read(one)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise _wrong("/file", "unreadable_file", "the zip cannot be unpacked (broken, or with a password)") from error


def _member_name(one: zipfile.ZipInfo) -> str:
    """Names in zips made on Chinese Windows are GBK without saying so."""
    if one.flag_bits & 0x800:
        return one.filename
    try:
        return one.filename.encode("cp437").decode("gbk")
    except UnicodeError:
        return one.filename


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
