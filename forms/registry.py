"""All record types, code lists and rosters that this house knows.

Versions of a type are kept for ever. An unknown version is None, not an error: the operation that names it is held
until its form arrives (S10).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forms.codelist import CodeList, read_code_list
from forms.definition import RecordType
from forms.errors import DefinitionError, UnknownCodeList, UnknownRecordType, UnknownRoster
from forms.loading import read_record_type

if TYPE_CHECKING:
    from forms.question import Question
    from forms.roster import Roster


class Registry:
    """A closed set of declarations. Build it with ``load_registry`` or ``with_surveys``; it never changes afterwards."""

    def __init__(
        self, codelists: Mapping[str, CodeList], types: Iterable[RecordType], rosters: Iterable[Mapping[str, Any]] = (),
        questions: Iterable[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        self._codelists = dict(codelists)
        #: Names of the special surveys among the types, sorted, and which of them take no new answers.
        self.surveys: tuple[str, ...] = ()
        self.closed: frozenset[str] = frozenset()
        self._versions: dict[str, dict[int, RecordType]] = {}
        for record_type in types:
            versions = self._versions.setdefault(record_type.name, {})
            if record_type.version in versions:
                raise DefinitionError(record_type.name, "/version", "this version is already declared")
            versions[record_type.version] = record_type
        self._latest = {name: versions[max(versions)] for name, versions in self._versions.items()}
        self._check_refs()
        self._rosters: dict[str, Roster] = {}
        for document in rosters:
            from forms.roster import read_roster  # rosters are checked against a finished set of types

            roster = read_roster(document, self)
            self._rosters[roster.name] = roster
        self._questions: dict[str, Question] = {}
        for document in questions:
            from forms.question import read_question

            question = read_question(document, self)
            self._questions[question.name] = question

    def latest(self, name: str) -> RecordType:
        """Newest version of a record type.

        Raises
        ------
        UnknownRecordType
            No such type.
        """
        try:
            return self._latest[name]
        except KeyError:
            raise UnknownRecordType(name) from None

    def get(self, name: str, version: int) -> RecordType | None:
        """One version of a record type; None where the type or the version is unknown here."""
        return self._versions.get(name, {}).get(version)

    def types(self) -> list[str]:
        """Names of all record types, sorted."""
        return sorted(self._versions)

    def versions(self, name: str) -> list[int]:
        """Known versions of a type, ascending; empty for an unknown type."""
        return sorted(self._versions.get(name, {}))

    def codelist(self, name: str) -> CodeList:
        """A code list.

        Raises
        ------
        UnknownCodeList
            No such list.
        """
        try:
            return self._codelists[name]
        except KeyError:
            raise UnknownCodeList(name) from None

    def codelists(self) -> dict[str, CodeList]:
        """All code lists by name."""
        return dict(self._codelists)

    def roster(self, name: str) -> Roster:
        """A roster.

        Raises
        ------
        UnknownRoster
            No such roster.
        """
        try:
            return self._rosters[name]
        except KeyError:
            raise UnknownRoster(name) from None

    def rosters(self) -> dict[str, Roster]:
        """All rosters by name."""
        return dict(self._rosters)

    def questions(self) -> dict[str, Question]:
        """All questions by name, in their order."""
        return dict(sorted(self._questions.items(), key=lambda item: (item[1].place, item[0])))

    def extended(
        self, types: Iterable[RecordType], codelists: Mapping[str, CodeList], rosters: Iterable[Mapping[str, Any]],
        surveys: tuple[str, ...], closed: frozenset[str],
    ) -> Registry:  # fmt: skip
        """This registry and further types, lists and rosters; what is here already is shared, not read again (forms/survey.py)."""
        here = (one for versions in self._versions.values() for one in versions.values())
        made = Registry(self._codelists | dict(codelists), [*here, *types])
        made.surveys, made.closed = surveys, closed
        made._rosters, made._questions = dict(self._rosters), dict(self._questions)
        for document in rosters:
            from forms.roster import read_roster

            roster = read_roster(document, made)
            made._rosters[roster.name] = roster
        return made

    def _check_refs(self) -> None:
        for versions in self._versions.values():
            for record_type in versions.values():
                for position, spec in enumerate(record_type.fields.values()):
                    if spec.ref_type is not None and spec.ref_type not in self._versions:
                        raise DefinitionError(
                            record_type.name, f"/fields/{position}/ref_type", f"no record type {spec.ref_type!r}"
                        )


def load_registry(extra: Iterable[Mapping[str, Any]] = (), codelists: Iterable[Mapping[str, Any]] = ()) -> Registry:
    """All built-in declarations, and further definitions of special surveys or older versions.

    Parameters
    ----------
    extra : iterable of mappings
        Definition documents. Without any, and without code lists, the same registry is returned every time.
    codelists : iterable of mappings
        Code list documents that the definitions use. A name that is already declared is refused.

    Raises
    ------
    DefinitionError
        A declaration is wrong; the error names the file and the place.
    """
    documents, further = tuple(extra), tuple(codelists)
    if not documents and not further:
        return _built_in()
    lists = _built_in().codelists()
    for document in further:
        found = read_code_list(document)
        if found.name in lists:
            raise DefinitionError(f"codelists/{found.name}", "/name", "a list of this name is already declared")
        lists[found.name] = found
    types = [read_record_type(document, _finder(lists)) for document in (*_documents("definitions"), *documents)]
    return Registry(lists, types, _documents("rosters"), _documents("questions"))


@lru_cache(maxsize=1)
def _built_in() -> Registry:
    codelists = {found.name: found for found in map(read_code_list, _documents("codelists"))}
    types = [read_record_type(document, _finder(codelists)) for document in _documents("definitions")]
    return Registry(codelists, types, _documents("rosters"), _documents("questions"))


def _finder(codelists: Mapping[str, CodeList]) -> Callable[[str], CodeList]:
    def find(name: str) -> CodeList:
        try:
            return codelists[name]
        except KeyError:
            raise UnknownCodeList(name) from None

    return find


def _documents(folder: str) -> list[dict[str, Any]]:
    files = sorted((Path(__file__).parent / folder).glob("*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]
