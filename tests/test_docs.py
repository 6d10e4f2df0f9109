"""Documents tell the truth about the code: what is named exists, what exists is named."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    "README.md",
    "README.zh-CN.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/protocol.md",
    "docs/glossary.md",
    "docs/operations.md",
)
ROOMS = ("forms", "geo", "sync", "server")


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _make_targets() -> set[str]:
    """Every verb that the Makefile offers: the words before a colon at the start of a line, file names aside."""
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", _read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_is_there(name):
    """Whoever follows a pointer to a document finds it, and it is more than a title."""
    assert len(_read(name).splitlines()) > 5


def test_every_verb_is_documented():
    """Nobody has to read the Makefile to learn what can be done."""
    told = "\n".join(_read(name) for name in ("README.md", "CONTRIBUTING.md", "docs/operations.md"))
    assert sorted(target for target in _make_targets() if f"make {target}" not in told) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_verb_that_is_named_exists(name):
    """A command copied from a document works."""
    named = set(re.findall(r"`make ([a-z][a-z-]*)", _read(name)))
    named |= set(re.findall(r"^(?:\$ )?make ([a-z][a-z-]*)", _read(name), re.MULTILINE))
    assert sorted(named - _make_targets()) == []


def _linked_files(name: str) -> list[str]:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", _read(name))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_between_documents_hold(name):
    """A link to a file of the project leads somewhere."""
    folder = (ROOT / name).parent
    assert [target for target in _linked_files(name) if not (folder / target).exists()] == []


def test_both_readmes_give_the_two_commands():
    """Someone new starts the server and runs the tests from either README."""
    for name in ("README.md", "README.zh-CN.md"):
        assert {"make run", "make test"} <= set(re.findall(r"make (?:run|test)\b", _read(name))), name


def test_architecture_names_every_room():
    """The map shows every room of the house."""
    text = _read("ARCHITECTURE.md")
    assert [room for room in ROOMS if f"{room}/" not in text and f"`{room}`" not in text] == []


def test_decisions_are_numbered_once():
    """A decision is cited by its number, so a number means one decision; none is missing."""
    names = sorted(path.name for path in (ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(match.group(1)) for name in names if (match := re.match(r"(\d{4})-[a-z0-9-]+\.md$", name))]
    assert len(numbers) == len(names), "a decision is named 0001-what-it-says.md"
    assert [number for number, count in Counter(numbers).items() if count > 1] == []
    assert numbers == list(range(1, len(numbers) + 1))


def test_dependencies_are_locked():
    """What is installed is what was tested: every dependency is pinned with its hashes."""
    project = tomllib.loads(_read("pyproject.toml"))["project"]
    for lock, wanted in {
        "requirements.lock": project["dependencies"],
        "requirements-dev.lock": [*project["dependencies"], *project["optional-dependencies"]["dev"]],
    }.items():
        pinned = set(re.findall(r"^([a-z0-9-]+)==", _read(lock), re.MULTILINE))
        names = {re.match(r"[a-z0-9-]+", requirement.lower()).group() for requirement in wanted}
        assert names - pinned == set(), lock
        assert _read(lock).count("--hash=sha256:") > len(pinned)
