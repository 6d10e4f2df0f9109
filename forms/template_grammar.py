"""Placeholders of table templates (一表通): what stands in a cell between ``{{`` and ``}}``. The grammar is docs/templates.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from forms.errors import PlaceholderError
from forms.template_filter import MOMENT, columns_used, read_filter
from forms.template_sources import CELLS, Source, SourceColumn, plain_word, sources, words

if TYPE_CHECKING:
    from forms.registry import Registry

Kind = Literal["value", "listing", "field", "number", "figure"]
_PART = re.compile(r"'[^']*'|\"[^\"]*\"|“[^”]*”|‘[^’]*’|「[^」]*」|.", re.DOTALL)
_FIGURE = re.compile(r"\s*(?P<word>\w+)\s*(?:[(（]\s*(?P<column>[^()（）]+(?:[(（][^()（）]*[)）])?)\s*[)）]\s*)?\Z")


@dataclass(frozen=True, slots=True)
class Listing:
    """Which records, in which order: ``order`` holds (column, falling); empty for the order of the roster."""

    source: str
    condition: Mapping[str, Any] | None = field(hash=False)
    order: tuple[tuple[str, bool], ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """Columns that choosing and ordering look at."""
        asked = columns_used(self.condition) if self.condition is not None else frozenset()
        return asked | {name for name, _ in self.order}

    @property
    def by_row(self) -> bool:
        """Whether the condition speaks of the row that it stands in."""
        return self.condition is not None and MOMENT + "row" in _fields(self.condition)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder of a text, from ``start`` to ``end``.

    ``value``: ``word`` names what a run gives. ``listing``: begins a list, one row for each record, shows ``column``.
    ``field``: another column of the row's list. ``number``: the row's number in its list. ``figure``: ``word`` is what is
    counted over ``listing``, of ``column`` where there is one. ``coded``: the code instead of its label.
    """

    start: int
    end: int
    kind: Kind
    word: str = ""
    listing: Listing | None = None
    column: str | None = None
    coded: bool = False


def read_text(text: str, registry: Registry, listed: Listing | None = None) -> list[Placeholder]:
    """The placeholders of a cell's text, in order; none for a text without ``{{``.

    Parameters
    ----------
    listed : the list of the cell's row, where there is one

    Raises
    ------
    PlaceholderError
        The first that cannot be used, with its place in the text.
    """
    found: list[Placeholder] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        end = text.find("}}", start)
        if end < 0:
            _refuse("not_closed", start, "占位符没有写完，缺少 }}", "the placeholder is not closed by }}")
        one = _read(text[start + 2 : end], start + 2, registry, listed, start, end + 2)
        found.append(one)
        if one.kind == "listing":
            listed = one.listing
        position = end + 2
    if "}}" in text[position:]:
        _refuse("not_opened", text.index("}}", position), "多了 }}，缺少 {{", "}} without {{ before it")
    return found


def read_listing(text: str, registry: Registry, offset: int = 0) -> Listing:
    """``source: condition`` alone, as a named range says it."""
    source, condition = _listing(text, offset, registry)
    return Listing(source.name, condition)


def source_of(registry: Registry, name: str) -> Source:
    """A source by its own name."""
    return sources(registry)[plain_word(name)]


def personal_columns(registry: Registry, placeholders: Sequence[Placeholder]) -> frozenset[str]:
    """``source.column`` of every personal column that the placeholders show, count or ask about."""
    asked = set()
    for one in placeholders:
        if one.listing is None:
            continue
        source = source_of(registry, one.listing.source)
        names = one.listing.columns | ({one.column} if one.column else set())
        asked |= {f"{source.name}.{name}" for name in names if source.columns[name].privacy in ("personal", "secret")}
    return frozenset(asked)


# ---------------------------------------------------------------- reading
def _read(
    body: str, at: int, registry: Registry, listed: Listing | None, start: int, end: int
) -> Placeholder:
    parts = _split(body, "|｜")
    plain = plain_word(body)
    if len(parts) == 1 and not body.lstrip().startswith("."):
        value = _said("values", plain)
        if value is not None:
            return Placeholder(start, end, "value", value)
        if plain in map(plain_word, words()["number"]):
            if listed is None:
                _refuse("no_list", at, "这一行没有名单，不能有序号", "no list begins in this row")
            return Placeholder(start, end, "number", listing=listed)
        _refuse("unknown_word", at, f"不认识“{body.strip()}”", f"{body.strip()!r} is no value; a list is written source | field")
    if body.lstrip().startswith(".") or not parts[0][0].strip():
        if listed is None:
            _refuse("no_list", at, "这一行没有名单", "no list begins in this row")
        text, offset = (body.lstrip()[1:], at + body.index(".") + 1) if len(parts) == 1 else (parts[1][0], at + parts[1][1])
        column, coded = _column(text, offset, source_of(registry, listed.source))
        return Placeholder(start, end, "field", listing=listed, column=column.name, coded=coded)
    if len(parts) > 3:
        _refuse("too_many_parts", at + parts[3][1], "“|”太多", "more than two |")
    source, condition = _listing(parts[0][0], at, registry)
    figure = _figure(parts[1][0], at + parts[1][1], source)
    if figure is not None:
        if len(parts) > 2:
            _refuse("too_many_parts", at + parts[2][1], "一个数没有顺序", "a figure has no order")
        name, column_name = figure
        return Placeholder(start, end, "figure", name, Listing(source.name, condition), column_name)
    column, coded = _column(parts[1][0], at + parts[1][1], source)
    order = _order(parts[2][0], at + parts[2][1], source) if len(parts) > 2 else ()
    listing = Listing(source.name, condition, order)
    if listing.by_row:
        _refuse("row_in_list", at, "名单的条件里不能用“本行网格”", "a list cannot ask about the row that it makes")
    return Placeholder(start, end, "listing", listing=listing, column=column.name, coded=coded)


def _listing(text: str, at: int, registry: Registry) -> tuple[Source, Mapping[str, Any] | None]:
    parts = _split(text, ":：", 1)
    name = parts[0][0].strip()
    source = sources(registry).get(plain_word(name))
    if source is None:
        _refuse("unknown_source", at, f"没有“{name}”这种名册", f"there is no roster or record type {name!r}")
    if len(parts) == 1:
        return source, None
    if not parts[1][0].strip():  # it would count everybody, in a form that somebody hands in
        _refuse("no_condition", at + parts[1][1], "冒号后面没有条件；要全部的就去掉冒号", "no condition behind the colon; without the colon it is all of them")
    return source, read_filter(parts[1][0], source, offset=at + parts[1][1])


def _figure(text: str, at: int, source: Source) -> tuple[str, str | None] | None:
    match = _FIGURE.match(text)
    name = _said("figures", plain_word(match["word"])) if match is not None else None
    if match is None or name is None or (match["column"] is None and plain_word(text) in source.known):
        return None
    if match["column"] is None:
        if name != "count":
            _refuse("figure_of_what", at, f"“{match['word']}”后面要写列名，如 合计(数量)", f"{name} needs a column, such as sum(quantity)")
        return name, None
    column, _ = _column(match["column"], at + match.start("column"), source)
    if name in ("sum", "average") and column.type not in ("integer", "decimal"):
        _refuse("not_a_number", at, f"“{column.label['zh']}”不是数，不能合计或平均", f"{column.name} is no number")
    if name in ("max", "min") and column.type not in ("integer", "decimal", "date"):
        _refuse("no_order", at, f"“{column.label['zh']}”没有大小先后", f"{column.name} has no order")
    return name, column.name


def _column(text: str, at: int, source: Source) -> tuple[SourceColumn, bool]:
    plain = plain_word(text)
    coded = False
    name = source.known.get(plain)
    for word in words()["code"] if name is None else ():
        ending = plain_word(word)
        if plain.endswith(ending) and (name := source.known.get(plain.removesuffix(ending).removesuffix("."))) is not None:
            coded = True
            break
    if name is None:
        _refuse("unknown_column", at, f"“{source.label['zh']}”没有“{text.strip()}”这一列", f"{source.name} has no column {text.strip()!r}")
    return source.columns[name], coded


def _order(text: str, at: int, source: Source) -> tuple[tuple[str, bool], ...]:
    order = []
    rest = text.strip()
    for word in words()["by"]:
        if rest.casefold().startswith(word):
            rest = rest[len(word) :]
            break
    else:
        _refuse("bad_order", at, "顺序要写成“按 年龄 降序”", "an order is written by age desc")
    for part, _ in _split(rest, ",，、"):
        falling = next((word for word in words()["falling"] if part.rstrip().casefold().endswith(word)), "")
        column, _coded = _column(part.rstrip()[: len(part.rstrip()) - len(falling)], at, source)
        if column.type in ("location", "ref", "select_multiple", "text_set") or column.privacy == "secret":
            _refuse("no_order", at, f"不能按“{column.label['zh']}”排序", f"{column.name} cannot be ordered by")
        order.append((column.name, bool(falling)))
    return tuple(order)


def _said(group: str, plain: str) -> str | None:
    for name, said in words()[group].items():
        if plain == name or plain in map(plain_word, said):
            return str(name)
    return None


def _split(text: str, marks: str, most: int = -1) -> list[tuple[str, int]]:
    """(part, where it begins) between marks that stand outside quotes."""
    parts, start = [], 0
    for piece in _PART.finditer(text):
        if len(piece[0]) == 1 and piece[0] in marks and most != 0:
            parts.append((text[start : piece.start()], start))
            start = piece.end()
            most -= 1
    return [*parts, (text[start:], start)]


def _fields(tree: Mapping[str, Any]) -> set[str]:
    found = {tree["field"]} if "field" in tree else set()
    return found.union(*(_fields(one) for one in tree.get("args", ())))


def _refuse(code: str, position: int, zh: str, en: str) -> NoReturn:
    raise PlaceholderError(code, position, zh, en)


__all__ = ["CELLS", "Listing", "Placeholder", "personal_columns", "read_listing", "read_text", "source_of"]
