"""Documents tell the truth about the code: what is named exists, what exists is named."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from bench.documents import WRITTEN, renewed
from bench.wire_examples import digests
from forms.definition import POLICIES
from forms.registry import load_registry
from server.app import create_app
from server.cli import COMMANDS, main
from server.permissions import ROLES
from server.problems import PROBLEMS
from server.settings import Settings
from sync.operation import KINDS, operation_of
from sync.outcome import OUTCOMES

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
    "docs/api.md",
    "docs/problems.md",
    "docs/forms.md",
    "docs/proof.md",
    "docs/bench.md",
    *sorted(f"docs/adr/{path.name}" for path in (ROOT / "docs" / "adr").glob("*.md")),
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


# ---------------------------------------------------------------- what is written from the program
# Ids, hashes and tokens of the examples change with the number of ids that the server draws; their shape does not.
_CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b|"
    r"dishu-device\.[\w.-]+|\"(?:cursor|receipt)\": \"[\w=-]+\""
)
_RENEW = "renew it: python -m bench.documents"


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_written_parts_are_current(name):
    """Lists and messages in a document are those of the program that it came with."""
    text = _read(name)
    assert _CHANGING.sub("~", renewed(text, WRITTEN[name]())) == _CHANGING.sub("~", text), _RENEW


def test_a_part_without_a_place_is_noticed():
    """A list that has lost its place in a document is an error, not a list that nobody renews."""
    with pytest.raises(ValueError, match="places"):
        renewed("no place here", {"fields": "| a |"})
    with pytest.raises(ValueError, match="end"):
        renewed("<!-- written: fields -->", {"fields": "| a |"})


def test_digests_of_the_specification_are_exact():
    """A client that computes the worked example gets the very hashes that the specification shows."""
    assert digests() in _read("docs/protocol.md"), _RENEW


def _examples() -> list[object]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", _read("docs/protocol.md"), re.DOTALL)]


def test_every_message_of_the_specification_is_whole():
    """Every example is JSON that can be copied, and every operation in it can be read."""
    examples = _examples()
    assert len(examples) >= 15
    requests = [one for one in examples if isinstance(one, dict) and "groups" in one]
    texts = [member["op"] for one in requests for group in one["groups"] for member in group["ops"]]
    assert [operation_of(json.loads(text)).kind for text in texts] == ["create", "create"]


def test_messages_of_the_specification_are_written_by_the_program():
    """Nobody reads a message that was never sent: by hand are the two files alone that phones give each other."""
    by_hand = re.sub(r"<!-- written: ([a-z-]+) -->.*?<!-- end: \1 -->", "", _read("docs/protocol.md"), flags=re.DOTALL)
    formats = [json.loads(block)["format"] for block in re.findall(r"```json\n(.*?)```", by_hand, re.DOTALL)]
    assert formats == ["dishu-sealed-1", "dishu-rescue-1"]


# ---------------------------------------------------------------- nothing is left out
@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(Settings.in_folder(tmp_path_factory.mktemp("documented"), key=bytes(32)))


def test_every_route_is_documented(app):
    """Whatever the server answers at stands in the list of routes, with its method."""
    told = _read("docs/api.md") + _read("docs/protocol.md")
    missing = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        missing += [f"{method} {path}" for method in methods if f"`{method} {path}`" not in told]
    assert sorted(missing) == [], _RENEW


def test_the_specification_names_no_request_that_does_not_exist(app):
    """A client author does not look for an address that this version has not."""
    rules = {re.sub(r"<(?:\w+:)?\w+>", "*", rule.rule) for rule in app.url_map.iter_rules()}
    named = set(re.findall(r"`(?:GET|POST|DELETE) (/[^`? ]*)", "".join(_read(name) for name in DOCUMENTS)))
    assert sorted(path for path in named if re.sub(r"\{\w+\}", "*", path) not in rules) == []


@pytest.mark.parametrize("slug", sorted(PROBLEMS))
def test_every_problem_is_documented(slug):
    """Whoever meets a problem finds it in the list."""
    assert f"| `{slug}` |" in _read("docs/problems.md"), _RENEW


def test_every_form_word_is_in_the_glossary():
    """Record types, fields, units, rosters, code lists, roles, outcomes and policies are explained in one place."""
    told = set(re.findall(r"`([a-z0-9_]+)`", _read("docs/glossary.md")))
    registry = load_registry()
    words = {*registry.types(), *registry.rosters(), *registry.codelists(), *ROLES, *OUTCOMES, *POLICIES}
    for name in registry.types():
        form = registry.latest(name)
        words |= {*form.fields, *form.units}
    assert sorted(words - told) == [], _RENEW


def test_every_field_has_its_chinese_name_in_the_glossary():
    """A secretary who reads a word on a screen finds it beside its identifier."""
    told = _read("docs/glossary.md")
    registry = load_registry()
    missing = [
        f"{name}.{spec.name}"
        for name in registry.types()
        for spec in registry.latest(name).fields.values()
        if f"| {spec.label['zh']} | `{spec.name}` |" not in told
    ]
    assert missing == [], _RENEW


@pytest.mark.parametrize("number", range(1, 31))
def test_every_rule_is_in_the_specification(number):
    """A rule that code and tests cite by its number can be looked up, with whether it holds."""
    rows = re.findall(rf"^\| S{number} \| .+ \| (yes|part|later)\b.* \|$", _read("docs/protocol.md"), re.MULTILINE)
    assert len(rows) == 1


def test_rules_that_hold_in_part_say_what_is_left():
    """Nobody builds on half a rule without knowing which half."""
    rows = re.findall(r"^\| (S\d+) \| .+ \| part(.*) \|$", _read("docs/protocol.md"), re.MULTILINE)
    assert [rule for rule, left in rows if len(left) < 20] == []


@pytest.mark.parametrize("law", range(1, 12))
def test_every_law_is_on_the_map(law):
    """A law that is cited by its number stands in ARCHITECTURE.md."""
    assert re.search(rf"^\| L{law} ", _read("ARCHITECTURE.md"), re.MULTILINE)


def test_every_kind_of_operation_is_specified():
    """A client author knows every kind of operation that the server reads."""
    told = _read("docs/protocol.md")
    assert sorted(kind for kind in KINDS if f"`{kind}`" not in told) == []


def test_every_command_is_documented():
    """Whoever runs a server finds every command in the manual."""
    told = _read("docs/operations.md")
    context = main.make_context("dishu", ["version"])
    missing = []
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        missing += [] if f"dishu {name}" in told else [name]
        for inner in getattr(command, "commands", {}):
            missing += (
                [] if re.search(rf"`dishu {name}[^|]*`{inner}`|dishu {name} {inner}", told) else [f"{name} {inner}"]
            )
    assert missing == []


def test_every_command_that_is_named_exists():
    """A command copied from a document works."""
    allowed = {*COMMANDS, "erase"}  # named as not there yet
    named = {word for name in DOCUMENTS for word in re.findall(r"(?:`|bin/)dishu ([a-z][a-z-]+)", _read(name))}
    assert sorted(named - allowed) == []


def test_every_setting_is_documented():
    """Every variable that the program reads is in the manual, and no other."""
    read = set(re.findall(r'"((?:DISHU_[A-Z_]+)|PORT)"', _read("server/settings.py")))
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", _read("docs/operations.md"), re.MULTILINE))
    assert told == read


def test_every_dependency_has_its_reason():
    """Nothing is installed without a reason that was written down."""
    project = tomllib.loads(_read("pyproject.toml"))["project"]
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    names = {re.match(r"[a-z0-9-]+", requirement).group() for requirement in [*project["dependencies"], *extras]}
    server, _, screens = _read("docs/adr/0013-dependencies.md").partition("The screens (")
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", server, re.MULTILINE)) == names
    package = json.loads(_read("web/package.json"))
    first_cells = "".join(re.findall(r"^\|([^|]+)\|", screens, re.MULTILINE))
    told = set(re.findall(r"`([^`]+)`", first_cells))
    assert told == {one for one in package["dependencies"] | package["devDependencies"] if not one.startswith("@types/")}


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda path: path.stem)
def test_decisions_admit_their_flaw(path):
    """A decision says in which situation it was made, what was decided, and what it costs."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]} ")
    for heading in ("Status: ", "## Context", "## Decision", "## Consequences", "**The flaw.**"):
        assert heading in text, heading


def test_tables_are_on_the_map():
    """Every table of the database is named where ARCHITECTURE.md says what is kept."""
    from server.models import metadata

    told = set(re.findall(r"`([a-z_]+)`", _read("ARCHITECTURE.md")))
    assert sorted(set(metadata.tables) - told) == []


def _anchors(name: str) -> set[str]:
    """The anchors that a page offers, as GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.+)$", _read(name), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_into_pages_hold(name):
    """A link to a section leads to that section."""
    folder = Path(name).parent
    wrong = []
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", _read(name)):
        page = name if not target else str((ROOT / folder / target).resolve().relative_to(ROOT))
        wrong += [] if re.match(r"[a-z]+:", target) or anchor in _anchors(page) else [f"{target}#{anchor}"]
    assert wrong == []
