"""The house keeps its shape: who imports whom, how large a file gets, what names mean."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("forms", "geo", "sync", "server")
SOURCE_FOLDERS = (*ROOMS, "bench", "tests", "web")
GENERATED = {"node_modules", "dist", "static", "__pycache__"}

FULL = 400
# A file that may be longer, with the reason. Split by meaning before adding one.
LONGER: dict[str, str] = {}

MEANINGLESS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "handler",
    "handlers",
    "common",
    "misc",
    "info",
}

# What each room may import besides the standard library and the rooms below it.
ALLOWED = {
    "forms": {"marshmallow", "pyxform", "openpyxl"},
    "geo": {"shapely", "numpy", "pyproj", "geojson", "pyogrio", "pymetis"},
    "sync": {"forms"},
    "sync/device": {"forms", "sync", "orjson", "httpx"},
}
# Heavy or optional: imported inside the function that needs them, so that the room loads without.
LAZY = {"forms": {"pyxform", "openpyxl"}, "geo": {"pyogrio", "pymetis"}}

# The rules of agreement are given the time, the identifiers and the randomness; they never fetch them.
FETCHED = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
    ("uuid", "uuid1"), ("uuid", "uuid4"), ("uuid", "uuid7"),
}  # fmt: skip


def _sources(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> Iterator[Path]:
    for folder in folders:
        for place, within, names in os.walk(ROOT / folder):
            within[:] = sorted(set(within) - GENERATED)
            yield from (Path(place, name) for name in sorted(names) if name.endswith(suffixes))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _room(path: Path) -> str:
    return "sync/device" if _name(path).startswith("sync/device/") else _name(path).split("/")[0]


def _imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Top-level names of absolutely imported packages, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0], node.lineno


def test_rooms_import_only_what_lies_below_them():
    """Someone who reads one room needs to know only the rooms below it."""
    program = Path(sys.executable).with_name("lint-imports")
    answer = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_pure_rooms_need_few_packages():
    """forms, geo and sync can be used elsewhere without dragging a server along."""
    foreign = [
        f"{_name(path)}:{line} imports {package}"
        for path in _sources("forms", "geo", "sync")
        for package, line in _imports(ast.parse(path.read_text(encoding="utf-8")))
        if package not in sys.stdlib_module_names
        and package != _room(path).split("/")[0]
        and package not in ALLOWED[_room(path)]
    ]
    assert foreign == []


def test_heavy_packages_are_imported_where_they_are_used():
    """Reading a definition or placing a point does not load a workbook or GIS file library."""
    eager = [
        f"{_name(path)}:{node.lineno}"
        for room, packages in LAZY.items()
        for path in _sources(room)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom) and any(package in packages for package, _ in _imports(node))
    ]
    assert eager == []


def test_rules_of_agreement_fetch_neither_time_nor_chance():
    """The same operations give the same result on every machine and in every year."""
    fetched = [
        f"{_name(path)}:{node.lineno} {ast.unparse(node.func)}"
        for path in _sources("sync")
        if _room(path) == "sync"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _is_fetch(node.func)
    ]
    assert fetched == []


def _is_fetch(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in {"open", "input", "print", "uuid4", "uuid7"}
    if isinstance(function, ast.Attribute):
        return (ast.unparse(function.value).split(".")[-1], function.attr) in FETCHED
    return False


def test_no_file_is_overfull():
    """Every file can be read in one sitting: at most 400 lines."""
    lengths = {
        _name(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in _sources(*SOURCE_FOLDERS, suffixes=(".py", ".ts", ".vue"))
    }
    assert {name: count for name, count in lengths.items() if count > FULL and name not in LONGER} == {}
    stale = [name for name in LONGER if lengths.get(name, 0) <= FULL]
    assert stale == [], "no longer too long; take it off the list"


def test_names_say_what_a_module_is_about():
    """A newcomer can guess from a file's name what it holds."""
    banned = [_name(path) for path in _sources(*SOURCE_FOLDERS, suffixes=(".py", ".ts")) if path.stem in MEANINGLESS]
    folders = {_name(path.parent) for path in _sources(*SOURCE_FOLDERS) if path.parent.name in MEANINGLESS}
    assert banned == []
    assert folders == set()


def test_no_test_folder_hides_a_room():
    """A folder of tests named like a package would be imported in its place."""
    hidden = [
        _name(path)
        for path in (ROOT / "tests").rglob("*")
        if (path.is_dir() and path.name in {*ROOMS, "bench"}) or path.name == "__init__.py"
        if "vectors" not in path.parts
    ]
    assert hidden == []


def test_test_files_have_names_of_their_own():
    """Two test files with one name would be taken for the same module."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_no_test_is_switched_off():
    """A test either runs or is gone; only a missing outside program may skip one, through conftest.py."""
    off = {"skip", "skipif", "importorskip"}
    found = [
        f"{_name(path)}:{node.lineno}"
        for path in _sources("tests")
        if path.name != "conftest.py" and "skip" in (text := path.read_text(encoding="utf-8").replace("# fmt: skip", ""))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr in off and ast.unparse(node.value) in {"pytest", "pytest.mark"}
    ]
    assert found == []


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_has_a_sign(room):
    """The first thing in a room says what lives there."""
    first = ROOT / room / "__init__.py"
    assert first.exists()
    assert ast.get_docstring(ast.parse(first.read_text(encoding="utf-8")))
