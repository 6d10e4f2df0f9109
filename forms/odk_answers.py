"""A filled form as it comes from a phone: read without trusting it, and taken apart into the records that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from forms.errors import FormsError
from forms.metadata import said_metadata
from forms.odk_form import PHOTO_QUESTIONS, SEEN, CollectForm, Part, asked_fields

MOST_DEPTH = 32
MOST_NODES = 20_000
MOST_ID = 200
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_SHOWN = re.compile(r"([1-9]\d{0,8})-([0-9a-f]{16})").fullmatch
_TRUE = frozenset({"1", "true"})


class SubmissionUnreadable(FormsError):
    """A submission that is no filled form; ``code`` says why, and nothing of its content."""

    def __init__(self, code: str) -> None:
        super().__init__(code.replace("_", " "))
        self.code = code


@dataclass(slots=True)
class Node:
    """An element by its local name; ``text`` is what stands directly in it."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def child(self, name: str) -> Node | None:
        """The first child of a name."""
        return next((one for one in self.children if one.name == name), None)

    def said(self, *path: str) -> str:
        """The text at the end of a path, edges stripped; empty where nothing is there."""
        node: Node | None = self
        for name in path:
            node = node.child(name) if node is not None else None
        return node.text.strip() if node is not None else ""


@dataclass(frozen=True, slots=True)
class Submission:
    """A filled form: which form by which version, its own id, the one that it replaces, and its nodes."""

    form_id: str
    form_version: str
    instance_id: str
    deprecated_id: str
    root: Node

    @property
    def ended_at(self) -> str | None:
        """When the form was finished, by the phone's clock; None where it does not say so in full."""
        text = self.root.said("dishu_end")
        return text if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", text) else None


def metadata_of(form: CollectForm, submission: Submission) -> dict[str, str]:
    """What the phone says of a filled form beside its answers, by name: when it was begun and finished, on which device."""
    kinds = form.parts[0].record_type.metadata
    return said_metadata(kinds, [(node.name, node.text.strip()) for node in submission.root.children]) if kinds else {}


@dataclass(frozen=True, slots=True)
class Entity:
    """One record of a filled form.

    ``seen`` is the version (v, tag) that the questions were filled from; ``base_version`` and ``trunk_version`` are what ODK tells;
    ``answers`` holds every field whose question was asked, an empty text where it was left empty; ``photos`` are names of files.
    """

    part: Part
    record_id: str
    creates: bool
    seen: tuple[int, str] | None
    base_version: int | None
    trunk_version: int | None
    branch_id: str
    confirmed: bool
    answers: dict[str, str]
    photos: tuple[str, ...]


def read_submission(content: bytes) -> Submission:
    """Read the XML of a submission.

    Raises
    ------
    SubmissionUnreadable
        No XML (``not_xml``), a document type or entities (``doctype``), too deep or too many nodes (``too_large``), no form id or
        instance id (``no_form_id``, ``no_instance_id``).
    """
    root = _tree(content)
    form_id = root.attributes.get("id", "").strip()
    if not form_id or len(form_id) > MOST_ID:
        raise SubmissionUnreadable("no_form_id")
    instance_id = root.said("meta", "instanceID") or root.attributes.get("instanceID", "").strip()
    if not instance_id or len(instance_id) > MOST_ID or not instance_id.isprintable():
        raise SubmissionUnreadable("no_instance_id")
    version = root.attributes.get("version", "").strip()
    return Submission(form_id, version, instance_id, root.said("meta", "deprecatedID"), root)


def entities_of(form: CollectForm, submission: Submission) -> list[Entity]:
    """The records of a filled form in the order of its parts; what names no record of its part is left out."""
    found = []
    for part in form.parts:
        scopes = [submission.root] if part.repeat is None else _repeats(submission.root, part.repeat)
        others = {one.repeat for one in form.parts if one.repeat is not None} if part.repeat is None else set()
        for scope in scopes:
            entity = _entity(part, scope, others)
            if entity is not None:
                found.append(entity)
    return found


def _entity(part: Part, scope: Node, others: set[str]) -> Entity | None:
    nodes = {node.name: node for node in _below(scope, others)}
    head = next((node for node in _below(scope, others) if node.name == "entity" and node.attributes.get("dataset") == part.record_type.name), None)
    if head is None:
        return None
    record_id = head.attributes.get("id", "").strip().lower().removeprefix("uuid:")
    creates, updates = (head.attributes.get(name, "").strip() in _TRUE for name in ("create", "update"))
    if not _UUID(record_id) or not (creates or updates):
        return None
    answers, photos = {}, []
    for spec in asked_fields(part.record_type):
        if spec.format == "photo":
            names = (nodes.get(f"{part.prefix}{spec.name}_{number}") for number in range(1, PHOTO_QUESTIONS + 1))
            photos += [node.text.strip() for node in names if node is not None and node.text.strip()]
        elif (node := nodes.get(part.prefix + spec.name)) is not None:
            answers[spec.name] = node.text.strip()
    shown = nodes.get(part.prefix + SEEN)
    match = _SHOWN(shown.text.strip()) if shown is not None else None
    confirmed = nodes.get(f"{part.prefix}dishu_confirmed")
    return Entity(
        part, record_id, creates and not updates, (int(match[1]), match[2]) if match else None,
        _version(head, "baseVersion"), _version(head, "trunkVersion"), head.attributes.get("branchId", "").strip()[:MOST_ID],
        confirmed is not None and confirmed.text.strip() == "OK", answers, tuple(dict.fromkeys(photos)),
    )  # fmt: skip


def _version(head: Node, name: str) -> int | None:
    text = head.attributes.get(name, "").strip()
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None


def _repeats(root: Node, name: str) -> list[Node]:
    return [node for node in _below(root, set()) if node.name == name]


def _below(node: Node, without: set[str]) -> Iterator[Node]:
    """All nodes below one in order, but not those inside elements of these names."""
    waiting = list(reversed(node.children))
    while waiting:
        one = waiting.pop()
        yield one
        if one.name not in without:
            waiting += reversed(one.children)


def _tree(content: bytes) -> Node:
    """Nodes by local names. Expat by hand: a document type is refused where it begins, before any entity could be declared."""
    top = Node("", {})
    stack, count = [top], 0

    def refuse(*_: object) -> Any:
        raise SubmissionUnreadable("doctype")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > MOST_DEPTH or count > MOST_NODES:
            raise SubmissionUnreadable("too_large")
        node = Node(_local(name), {_local(key): value for key, value in attributes.items()})
        stack[-1].children.append(node)
        stack.append(node)

    def end(_: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        stack[-1].text += data

    reader = expat.ParserCreate(namespace_separator=" ")
    reader.buffer_text = True
    reader.StartDoctypeDeclHandler = refuse
    reader.EntityDeclHandler = refuse
    reader.ExternalEntityRefHandler = refuse
    reader.StartElementHandler, reader.EndElementHandler, reader.CharacterDataHandler = start, end, text
    try:
        reader.Parse(content, True)
    except (expat.ExpatError, UnicodeError, ValueError, LookupError) as error:
        raise SubmissionUnreadable("not_xml") from error
    return top.children[0]


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
