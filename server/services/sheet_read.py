"""The rows of a table as values: cells judged and made normal, each fault told by its column. Never a cell's content in a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forms.identity import resident_id_birth, resident_id_ok, resident_id_sex
from forms.sheet_columns import EXTRA, TYPES
from forms.sheet_values import CellRefused, birth_values, cell_text, cell_value, says_nothing
from forms.validate import validator
from server.services.sheet_ground import place_of
from server.store.sheet_scratch import digest

if TYPE_CHECKING:
    from forms.registry import Registry


@dataclass(frozen=True, slots=True)
class CellError:
    """What is wrong with a cell: its column by letter and heading, a code, in words. Never the cell itself."""

    column: str
    heading: str
    code: str
    message_zh: str
    message_en: str


@dataclass(slots=True)
class SheetRow:
    """A row as values by record type, and what leads to its place."""

    row: int
    values: dict[str, dict[str, Any]]
    parts: dict[str, str]
    errors: list[CellError]

    @property
    def person(self) -> dict[str, Any]:
        return self.values["person"]

    @property
    def key(self) -> bytes:
        """What tells whom this row is about, as far as the table alone says it: the document, else name, birth and address."""
        number = self.person.get("document_number")
        if number:
            return digest("document", str(number))
        return digest("name", str(self.person.get("name")), str(self.person.get("birth_date")), place_of(self.parts).text)


class Reader:
    """Reads rows of one table.

    Parameters
    ----------
    headings, targets : the columns in order, and what each holds (None: left out)
    """

    def __init__(self, registry: Registry, headings: Sequence[str], targets: Sequence[str | None]) -> None:
        self._headings, self._targets = headings, targets
        self._forms = {kind: registry.latest(kind) for kind in TYPES}
        self._check = {kind: validator(form) for kind, form in self._forms.items()}
        self.columns = frozenset(target for target in targets if target is not None)

    def read(self, number: int, cells: Sequence[Any]) -> SheetRow:
        found = SheetRow(number, {kind: {} for kind in self._forms}, {}, [])
        for place, (target, cell) in enumerate(zip(self._targets, cells, strict=False)):
            if target is None:
                continue
            kind, _, name = target.partition(".")
            try:
                if target in EXTRA:
                    text = cell_text(cell)
                    found.parts[target] = "" if says_nothing(text) else text
                elif target == "person.birth_date":
                    found.person.update(birth_values(cell))
                elif (value := cell_value(target, self._forms[kind].fields[name], cell)) is not None:
                    found.values[kind][name] = value
            except CellRefused as error:
                found.errors.append(self._error(place, error.code, error.message_zh, error.message_en))
        if not found.errors:
            _complete(found.person)
            if _is_wrong_number(found.person):
                place = self._targets.index("person.document_number")
                zh, en = "身份证号的校验位或日期不对，请核对", "the check digit or the day of this resident number is wrong"
                found.errors.append(self._error(place, "wrong_check_digit", zh, en))
                return found
            self._judge(found)
        return found

    def _judge(self, found: SheetRow) -> None:
        for kind, values in found.values.items():
            if kind != "person" and not values:
                continue
            normal, errors = self._check[kind](values, False)
            for error in errors:
                name = error.pointer.split("/")[2]
                place = self._targets.index(f"{kind}.{name}") if f"{kind}.{name}" in self._targets else None
                found.errors.append(self._error(place, error.code, error.message_zh or "", error.message_en))
            found.values[kind] = {name: value for name, value in normal.items() if value is not None}
        if not found.person.get("name") and not found.errors:
            place = self._targets.index("person.name") if "person.name" in self._targets else None
            found.errors.append(self._error(place, "required", "没有姓名", "a name is missing"))

    def _error(self, place: int | None, code: str, zh: str, en: str) -> CellError:
        if place is None:
            return CellError("", "", code, zh, en)
        return CellError(column_letter(place), self._headings[place] if place < len(self._headings) else "", code, zh, en)


def column_letter(place: int) -> str:
    """The letter of a column as spreadsheets show it: 0 is A, 26 is AA."""
    letters = ""
    place += 1
    while place:
        place, left = divmod(place - 1, 26)
        letters = chr(65 + left) + letters
    return letters


def _is_wrong_number(person: Mapping[str, Any]) -> bool:
    """Whether a number looks like a resident's and is none; with another type of document it may be anything."""
    number = person.get("document_number")
    if not isinstance(number, str) or person.get("document_type") not in (None, "resident_id"):
        return False
    return len(number) == 18 and number[:17].isdigit() and number.isascii() and not resident_id_ok(number)


def _complete(person: dict[str, Any]) -> None:
    """What a resident's number says about birth and sex, where the table says nothing."""
    number = person.get("document_number")
    if not isinstance(number, str):
        return
    number = person["document_number"] = number.replace(" ", "").upper()
    if not resident_id_ok(number):
        return
    person.setdefault("document_type", "resident_id")
    if (born := resident_id_birth(number)) is not None:
        if born.startswith(str(person.get("birth_date"))[: {"year": 4, "month": 7}.get(person.get("birth_precision", ""), 10)]):
            person["birth_date"] = born
            person.pop("birth_precision", None)
        person.setdefault("birth_date", born)
    if (sex := resident_id_sex(number)) is not None:
        person.setdefault("sex", sex)
