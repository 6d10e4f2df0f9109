"""Tables beside the time that reading them takes anyway; duplicates found among people with realistic mistakes; checking of values."""

from __future__ import annotations

import random
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path

import openpyxl

from bench.report import Line
from bench.workload import Maker
from forms.identity import resident_id_check_character
from forms.registry import load_registry
from forms.schemas import schema_for
from forms.validate import validator
from server.app import create_app, house_of
from server.house import House
from server.jobs.worker import Worker
from server.permissions import Actor
from server.services import communities, sheet_import
from server.services.accounts import OPERATOR, add_user
from server.services.duplicate_pairs import Known, likely_pairs
from server.services.pinyin import spellings
from server.settings import Settings
from server.start import prepare

CODE = "999999001001"
HEADINGS = ("序号", "姓名", "性别", "身份证号码", "联系电话", "与户主关系", "小区", "楼栋", "单元", "室号", "户籍地址", "工作单位")
_FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国文斌宇浩然子轩欣怡雨涵梓萱博昆峰村坤哲"
_SOUNDS = ("伟玮维", "芳方坊", "敏闽", "静靖敬", "丽莉立", "强墙", "军君均", "勇永咏", "杰洁捷", "娟涓", "明鸣名", "华骅", "建健剑", "宇雨羽", "浩皓昊", "欣新心", "博柏")
_VARIANTS = ("昆崑", "峰峯", "村邨", "坤堃", "哲喆", "国國", "华華", "兰蘭", "军軍", "杰傑", "丽麗", "伟偉")


# ---------------------------------------------------------------- tables in
def tables_in(rows: int) -> list[Line]:
    """Planning and writing a table of so many persons, beside openpyxl's read-only mode over the same file."""
    with tempfile.TemporaryDirectory(prefix="dishu-bench-") as name:
        path = Path(name) / "people.xlsx"
        _workbook(path, rows)
        floor_s, floor_cpu_s = _timed(lambda: sum(1 for _ in _plain_rows(path)))
        house = house_of(create_app(Settings.in_folder(Path(name) / "data", key=bytes(32))))
        prepare(house)
        communities.add_community(house, OPERATOR, code=CODE, name="某社区", community_id="c")
        user_id = add_user(house, OPERATOR, login="bench", name="某某", role="secretary", password="a bench of many words", community_id="c").user_id
        plan_s, plan_cpu_s = _timed(lambda: sum(len(one) for one in sheet_import.plans(house, "c", path, None, None)))
        peak_mb = _peak(house, path)
        write_s, write_cpu_s = _timed(lambda: _written(house, user_id, path))
        house.engine.dispose()
    note = f"{plan_s:.1f} s beside {floor_s:.1f} s; CPU {plan_cpu_s / floor_cpu_s:.2f} times; {peak_mb:.0f} MB at most of {min(rows, 20_000):,} rows"
    told = f"{write_s:.1f} s beside {floor_s:.1f} s; CPU {write_cpu_s / floor_cpu_s:.2f} times; {rows / write_s:,.0f} rows/s"
    return [
        Line(f"plan of {rows:,} rows of a table", plan_s / floor_s, "times reading it", 3.0, most=True, note=note),
        Line(f"import of {rows:,} rows of a table", write_s / floor_s, "times reading it", 3.0, most=True, note=told),
    ]


def _workbook(path: Path, rows: int) -> None:
    chance = random.Random(7)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("人员")
    sheet.append(HEADINGS)
    for number in range(1, rows + 1):
        home = number // 3
        born = date(1950, 1, 1) + timedelta(days=chance.randrange(25_000))
        digits = f"999999{born:%Y%m%d}{number % 1000:03d}"
        sheet.append([
            number, chance.choice(_FAMILY) + "".join(chance.choices(_GIVEN, k=2)), "男" if number % 2 else "女",
            digits + resident_id_check_character(digits), f"100{chance.randrange(10**8):08d}", "户主" if number % 3 == 0 else "子" if number % 2 else "女",
            "量测苑", str(home // 60 + 1), str(home % 60 // 20 + 1), f"{home % 20 // 2 + 1}0{home % 2 + 1}", f"量测路{home}号", "量测单位",
        ])  # fmt: skip
    book.save(path)


def _plain_rows(path: Path) -> Iterator[tuple[object, ...]]:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    yield from book.worksheets[0].iter_rows(values_only=True)
    book.close()


def _peak(house: House, path: Path) -> float:
    """MB that planning holds at most, over the first rows: it does not grow with the table but with the ids of its people."""
    tracemalloc.start()
    seen = 0
    for some in sheet_import.plans(house, "c", path, None, None):
        seen += len(some)
        if seen >= 20_000:
            break
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def _written(house: House, user_id: str, path: Path) -> None:
    actor = Actor(user_id, "secretary", "c")
    with path.open("rb") as file:
        file_id = sheet_import.keep_file(house, "c", iter(lambda: file.read(1 << 16), b""))
    job = sheet_import.request_import(house, actor, file_id=file_id, name="", sheet=None, mapping=None, act="write")
    Worker(house, sweepers=()).run_all()
    done = sheet_import.import_of(house, "c", job.job_id)
    assert done.state == "done", done.error
    assert done.result is not None and done.result["outcomes"]["rejected"] == 0, done.result  # every row is written


# ---------------------------------------------------------------- duplicates
def duplicates(people: int) -> list[Line]:
    """Precision and recall over people of whom a tenth stand twice with mistakes: mistyped and like-sounding names, other forms of
    a character, swapped digits, a wrong digit of the document, another name to it, no document, another door; brothers, twins and people of one name are there to be taken for them."""
    found, pairs, wrong = _crowd(people, random.Random(11))
    (shown, seconds) = _found(found)
    hits = shown & pairs.keys()
    kinds = sorted(set(pairs.values()))
    recalls = {kind: (sum(1 for one in hits if pairs[one] == kind), sum(1 for one in pairs.values() if one == kind)) for kind in kinds}
    note = ", ".join(f"{kind} {got}/{all_}" for kind, (got, all_) in recalls.items())
    least = min(recalls, key=lambda kind: recalls[kind][0] / recalls[kind][1])
    return [
        Line(f"duplicates among {people:,}: recall", len(hits) / len(pairs), "of the pairs", 0.95, note=note),
        Line("duplicates: recall of the mistake that is found least", recalls[least][0] / recalls[least][1], "of its pairs", 0.9, note=least),
        Line("duplicates: precision", len(hits) / len(shown), "of what is shown", 0.99, note=f"{len(shown - pairs.keys())} shown that are two; {wrong:,} pairs like twins and brothers; {seconds:.1f} s"),
    ]  # fmt: skip


def _found(people: list[Known]) -> tuple[set[tuple[str, str]], float]:
    started = time.perf_counter()
    shown = {(one.first, one.second) for one in likely_pairs(people)}
    return shown, time.perf_counter() - started


def _crowd(count: int, chance: random.Random) -> tuple[list[Known], dict[tuple[str, str], str], int]:
    """(people, pairs that are one with the mistake made, pairs that only look so)."""
    people: list[Known] = []
    wrong = 0
    while len(people) < count:
        door, family, phone = f"door-{len(people)}", chance.choice(_FAMILY), f"100{chance.randrange(10**8):08d}"
        members = [_somebody(len(people) + n, family, door, phone if n < 2 else None, chance) for n in range(chance.choice((1, 2, 3, 4)))]
        if len(members) > 2 and chance.random() < 0.05:  # twins: one day, one door, one family name, one character in common
            twin = members[2]
            other = _with_number(twin, _next_number(twin.document)) if twin.document else twin
            members.append(_named(replace(other, id=f"{twin.id}t", sex=chance.choice("12")), twin.name[:2] + chance.choice(_GIVEN)))
            wrong += 1
        people += members
    pairs: dict[tuple[str, str], str] = {}
    for one in chance.sample(people, count // 10):
        kind = chance.choice(tuple(_MISTAKES))
        other = _MISTAKES[kind](replace(one, id=f"{one.id}x"), chance)
        people.append(other)
        pairs[one.id, other.id] = kind
    wrong += sum(1 for a, b in combinations(people[:2_000], 2) if a.name == b.name)
    return people, pairs, wrong


def _somebody(number: int, family: str, door: str, phone: str | None, chance: random.Random) -> Known:
    born = date(1935, 1, 1) + timedelta(days=chance.randrange(32_000))
    one = Known(f"{number:08d}", "", birth=born.isoformat(), sex=chance.choice("12"), phones=frozenset({phone} if phone else ()), door=door)
    if chance.random() < 0.85:
        one = _with_number(one, _checked(f"99999{chance.randrange(10)}{born:%Y%m%d}{chance.randrange(1_000):03d}"))
    return _named(one, family + "".join(chance.choices(_GIVEN, k=chance.choice((1, 2, 2)))))


def _named(one: Known, name: str) -> Known:
    return replace(one, name=name, sounds=spellings(name))


def _checked(digits: str) -> str:
    """Seventeen digits and the check digit behind them (GB 11643)."""
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(digits))
    return digits + "10x98765432"[total % 11]


def _with_number(one: Known, number: str) -> Known:
    return replace(one, document=number, tail=number[-4:])


def _next_number(number: str) -> str:
    """The number of who was registered on the same day, place and sex after somebody: a twin's."""
    return _checked(f"{number[:14]}{(int(number[14:17]) + 2) % 1_000:03d}")


def _wrong_digit(one: Known, chance: random.Random) -> Known:
    """A digit of the document is another one, with or without the check digit that belongs to it."""
    if one.document is None:
        return _swapped(one, chance)
    place = chance.choice((*range(6), 14, 15, 16))
    digits = one.document[:place] + str((int(one.document[place]) + chance.randrange(1, 10)) % 10) + one.document[place + 1 : 17]
    return _with_number(one, _checked(digits) if chance.random() < 0.5 else digits + one.document[17])


def _other_name(one: Known, chance: random.Random) -> Known:
    """The name of before, and no day of birth."""
    return replace(_named(one, chance.choice(_FAMILY) + chance.choice(_GIVEN)), birth=None) if one.document else _mistyped(one, chance)


def _mistyped(one: Known, chance: random.Random) -> Known:
    return _named(one, one.name[:-1] + chance.choice(_GIVEN))


def _sounding(one: Known, chance: random.Random) -> Known:
    groups = {character: group for group in _SOUNDS for character in group}
    at = next((place for place, character in enumerate(one.name) if place and character in groups), None)
    if at is None:
        return _mistyped(one, chance)
    others = groups[one.name[at]].replace(one.name[at], "")
    return _named(one, one.name[:at] + chance.choice(others) + one.name[at + 1 :])


def _variant(one: Known, chance: random.Random) -> Known:
    forms = {pair[0]: pair[1] for pair in _VARIANTS}
    name = "".join(forms.get(character, character) for character in one.name)
    return _named(one, name) if name != one.name else _sounding(one, chance)


def _swapped(one: Known, chance: random.Random) -> Known:
    """Two digits of the day of birth change places, or one is another; the day stays one of the calendar."""
    year, month, day = (one.birth or "").split("-")
    for made in (f"{year}-{day}-{month}", f"{year}-{month}-{day[::-1]}", f"{year[:2]}{year[3]}{year[2]}-{month}-{day}", f"{year}-{month}-0{chance.randrange(1, 9)}"):
        try:
            if date.fromisoformat(made).isoformat() != one.birth and date.fromisoformat(made).year < 2026:
                return replace(one, birth=made)
        except ValueError:
            continue
    return one


def _without(one: Known, chance: random.Random) -> Known:
    return replace(one, tail=None, document=None, sex=one.sex if chance.random() < 0.5 else None)


def _moved(one: Known, chance: random.Random) -> Known:
    return replace(one, door=f"elsewhere-{one.id}", phones=one.phones if chance.random() < 0.5 else frozenset())


def _moved_mistyped(one: Known, chance: random.Random) -> Known:
    return _moved(_mistyped(one, chance), chance)


_MISTAKES = {
    "mistyped name": _mistyped, "like-sounding name": _sounding, "variant character": _variant, "digits of birth": _swapped,
    "no document": _without, "digit of the document": _wrong_digit, "another name, same document": _other_name, "moved": _moved, "moved, mistyped": _moved_mistyped,
}  # fmt: skip


# ---------------------------------------------------------------- checking
def checking(records: int) -> list[Line]:
    """Valid records of 25 fields through the compiled validator, beside the marshmallow schema that it is compiled from."""
    form = load_registry().latest("person")
    work = Maker(5)
    for _group in work.homes(2):
        pass
    values = [work.person()["set"] for _ in range(records)]
    check, schema = validator(form), schema_for(form)()
    assert all(not check(one, True)[1] for one in values)
    sample = values[: max(1, records // 20)]

    def ours() -> None:
        for one in values:  # one after the other, nothing kept: with thousands of results held, collecting garbage is what is measured
            check(one, True)

    def theirs() -> None:
        for one in sample:
            schema.load(one)

    each = min(_timed(ours) for _ in range(10))[0] / len(values)
    other = min(_timed(theirs) for _ in range(10))[0] / len(sample)
    note = f"{each * 1e6:.1f} µs beside {other * 1e6:.0f} µs each"
    return [Line("checking valid records of 25 fields", other / each, "times faster than marshmallow", 50.0, note=note)]


def _timed(act: object) -> tuple[float, float]:
    """(wall, CPU) seconds of an act."""
    assert callable(act)
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - wall, time.process_time() - cpu


def tables(scale: str) -> list[Line]:
    """Everything of this section."""
    rows = {"full": 200_000, "quick": 20_000, "tiny": 300}[scale]
    return [*tables_in(rows), *checking(100 if scale == "tiny" else 2_000)]
