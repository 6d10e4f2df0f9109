"""How a Chinese name sounds, as people type it: 张三 by ``zhangsan``, ``zhang`` or ``zs``.

The readings come from the table of characters that the package pypinyin carries; its phrases, which take a second and
fifty megabytes to load, are of no use for names. A character with several readings is found by each of them.
"""

from __future__ import annotations

import importlib.util
import itertools
import unicodedata
from functools import lru_cache
from pathlib import Path

import orjson

MOST_READINGS = 12
"""Of one name: a long name of characters with many readings is not multiplied out."""


@lru_cache(maxsize=1)
def _table() -> dict[str, str]:
    """Code point in decimal to its readings with tone marks, joined by commas."""
    found = importlib.util.find_spec("pypinyin")
    folder = (found.submodule_search_locations or [""])[0] if found is not None else ""
    table: dict[str, str] = orjson.loads((Path(folder) / "pinyin_dict.json").read_bytes())
    return table


@lru_cache(maxsize=50_000)
def syllables(character: str) -> tuple[str, ...]:
    """Readings of one character in plain letters, the usual one first; ü is ``v``. A letter or digit reads as itself.

    Empty for anything else, such as a dot inside a name.
    """
    told = _table().get(str(ord(character)))
    if told is None:
        return (character.casefold(),) if character.isascii() and character.isalnum() else ()
    plain = (unicodedata.normalize("NFD", one.replace("ü", "v")) for one in _with_v(told).split(","))
    readings = ("".join(letter for letter in one if letter.isascii() and letter.isalpha()) for one in plain)
    return tuple(dict.fromkeys(one for one in readings if one))


def _with_v(told: str) -> str:
    return told.translate(str.maketrans("ǖǘǚǜü", "vvvvv"))


def _readings(name: str) -> list[tuple[str, ...]]:
    """Readings of a name as syllables, at most `MOST_READINGS`; none for a name without a reading."""
    characters = [found for character in name if (found := syllables(character))]
    if not characters:
        return []
    # The last one varies first: turned round, all readings of the family name are among them.
    turned = itertools.islice(itertools.product(*reversed(characters)), MOST_READINGS)
    return [reading[::-1] for reading in turned]


@lru_cache(maxsize=100_000)
def spellings(name: str) -> frozenset[str]:
    """The whole name as it may be spelt: ``zengmou`` and ``cengmou`` for 曾某."""
    return frozenset("".join(reading) for reading in _readings(name))


def sounds_like(name: str, typed: str, *, whole: bool) -> bool:
    """Whether a name is found by letters as they are typed: ``zhangsan``, ``zhang'san``, ``zs``.

    Parameters
    ----------
    typed : in small letters; anything else than letters and ``'`` finds nothing
    whole : only from the first syllable of the name on, not from any
    """
    letters = typed.replace("'", "").replace(" ", "")
    if not (letters.isascii() and letters.isalpha()):
        return False
    full, initials = (spellings(name), sounds(name)[1]) if whole else sounds(name)
    return any(one.startswith(letters) for one in full) or (len(letters) > 1 and any(one.startswith(letters) for one in initials))


@lru_cache(maxsize=100_000)
def sounds(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How a name may be typed: (full spellings, initials), each without repeats.

    Full spellings begin at every syllable, so that ``san`` finds 张三 too. Empty for a name without a reading.
    """
    full: dict[str, None] = {}
    initials: dict[str, None] = {}
    for reading in _readings(name):
        for start in range(len(reading)):
            full["".join(reading[start:])] = None
        initials["".join(one[0] for one in reading)] = None
    return tuple(full), tuple(initials)
