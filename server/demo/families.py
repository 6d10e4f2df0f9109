"""Who lives together: members with sex, birth date and relation to the head, for the kinds of household one meets.

Parents are 18 to 44 years older than their children; spouses within nine years of each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from server.demo.chance import Chance
from server.demo.names import given_name, surname

HEAD, SPOUSE, NOT_RELATED = "02", "10", "99"
SON, DAUGHTER, ONLY_SON, ONLY_DAUGHTER, SON_IN_LAW, DAUGHTER_IN_LAW = "20", "30", "21", "31", "28", "38"
GRANDSON, GRANDDAUGHTER, DAUGHTERS_SON, DAUGHTERS_DAUGHTER = "41", "42", "43", "44"
FATHER, MOTHER, WIFES_FATHER, WIFES_MOTHER = "51", "52", "55", "56"
ELDER_BROTHER, YOUNGER_BROTHER, ELDER_SISTER, YOUNGER_SISTER = "71", "73", "75", "77"

NEVER, MARRIED, WIDOWED, DIVORCED = "10", "20", "30", "40"

OWNED = {
    "couple": 0.22, "one_child": 0.25, "two_children": 0.07, "single_parent": 0.04, "three_generations": 0.105,
    "old_couple": 0.125, "old_alone": 0.09, "alone": 0.053, "grandparent": 0.012, "siblings": 0.01,
}  # fmt: skip
LET = {
    "couple": 0.33, "one_child": 0.27, "two_children": 0.09, "single_parent": 0.04, "three_generations": 0.03,
    "alone": 0.17, "siblings": 0.04, "old_couple": 0.03,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """One invented person, before documents and registration. ``age`` is in whole years on ``as_of``."""

    name: str
    sex: str
    birth: date
    age: int
    relation: str
    marital: str


@dataclass(frozen=True, slots=True)
class Family:
    """A household: its kind in the code list, the shape it was made from, and its members, the head first."""

    kind: str
    shape: str
    members: list[Member] = field(default_factory=list)


def make_family(chance: Chance, shape: str) -> Family:
    """A household of one of the shapes of ``OWNED``, ``LET``, ``shared_rental`` or ``collective``."""
    kind = shape if shape in ("shared_rental", "collective") else "family"
    return Family(kind, shape, _SHAPES[shape](chance))


def _person(
    chance: Chance, sex: str, age: int, relation: str, marital: str | None = None, family_name: str | None = None
) -> Member:
    if marital is None:
        marital = NEVER if age < 27 or chance.holds(0.5 if age < 33 else 0.15) else DIVORCED
    name = (family_name or surname(chance)) + given_name(chance, sex, age)
    return Member(name, sex, chance.birth(age), age, relation, marital)


def _pair(chance: Chance, age: int, head_is_man: bool = True) -> list[Member]:
    """A married head of this age and the spouse."""
    mans, womans = ("1", "2")
    apart = min(9, max(-3, round(chance.random.gauss(2, 2))))
    if head_is_man:
        other = max(20, age - apart)
        return [_person(chance, mans, age, HEAD, MARRIED), _person(chance, womans, other, SPOUSE, MARRIED)]
    return [_person(chance, womans, age, HEAD, MARRIED), _person(chance, mans, age + apart, SPOUSE, MARRIED)]


def _child_age(chance: Chance, *parents: Member) -> int:
    """An age such that every parent was between 18 and 44 at the birth, mostly in their twenties."""
    low = max(0, max(parent.age for parent in parents) - 43)
    high = min(parent.age for parent in parents) - 19
    likely = min(parent.age for parent in parents) - chance.between(22, 33)
    return min(max(likely, low), max(high, low))


def _children(chance: Chance, parents: list[Member], count: int) -> list[Member]:
    father = next((one for one in parents if one.sex == "1"), parents[0])
    oldest = _child_age(chance, *parents)
    ages = [oldest]
    if count > 1 and oldest >= 2:
        ages.append(max(0, oldest - chance.between(2, 7)))
        if max(parent.age for parent in parents) - ages[1] > 44:
            ages.pop()
    made = []
    for age in ages:
        son = chance.holds(0.52)
        relation = (ONLY_SON if son else ONLY_DAUGHTER) if len(ages) == 1 else (SON if son else DAUGHTER)
        made.append(_person(chance, "1" if son else "2", age, relation, NEVER if age < 30 else None, father.name[0]))
    return made


def _elder(chance: Chance, child: Member, sex: str, relation: str, marital: str, family_name: str | None) -> Member:
    return _person(chance, sex, child.age + chance.between(21, 33), relation, marital, family_name)


def _couple(chance: Chance) -> list[Member]:
    return _pair(chance, chance.between(25, 62), chance.holds(0.75))


def _one_child(chance: Chance) -> list[Member]:
    parents = _pair(chance, chance.between(28, 54), chance.holds(0.75))
    return parents + _children(chance, parents, 1)


def _two_children(chance: Chance) -> list[Member]:
    parents = _pair(chance, chance.between(30, 48), chance.holds(0.8))
    return parents + _children(chance, parents, 2)


def _single_parent(chance: Chance) -> list[Member]:
    sex = chance.weighted({"1": 0.3, "2": 0.7})
    parent = _person(chance, sex, chance.between(29, 52), HEAD, chance.weighted({DIVORCED: 0.8, WIDOWED: 0.2}))
    return [parent, *_children(chance, [parent], 1)]


def _three_generations(chance: Chance) -> list[Member]:
    if chance.holds(0.55):  # the middle generation keeps the register
        parents = _pair(chance, chance.between(30, 47))
        family = parents + _children(chance, parents, 2 if chance.holds(0.3) else 1)
        man, woman = parents
        husbands_side = chance.holds(0.75)
        child, codes = (man, (FATHER, MOTHER)) if husbands_side else (woman, (WIFES_FATHER, WIFES_MOTHER))
        both = chance.holds(0.6)
        if both:
            old_man = _elder(chance, child, "1", codes[0], MARRIED, child.name[0])
            old_woman = _person(chance, "2", max(child.age + 19, old_man.age - chance.between(0, 4)), codes[1], MARRIED)
            return [*family, old_man, old_woman]
        return [*family, _elder(chance, child, "2", codes[1], WIDOWED, None)]
    man_age = chance.between(58, 76)
    old_man = _person(chance, "1", man_age, HEAD, MARRIED)
    old_woman = _person(chance, "2", man_age - chance.between(0, 4), SPOUSE, MARRIED)
    son = chance.holds(0.7)
    age = old_woman.age - chance.between(22, 30)
    relation = ONLY_SON if son else ONLY_DAUGHTER
    child = _person(chance, "1" if son else "2", age, relation, MARRIED, old_man.name[0])
    in_law_age = max(21, child.age + chance.between(-3, 2))
    in_law = _person(chance, "2" if son else "1", in_law_age, DAUGHTER_IN_LAW if son else SON_IN_LAW, MARRIED)
    father = child if son else in_law
    grandson = chance.holds(0.52)
    relation = (GRANDSON if grandson else GRANDDAUGHTER) if son else (DAUGHTERS_SON if grandson else DAUGHTERS_DAUGHTER)
    grandchild_age = _child_age(chance, child, in_law)
    grandchild = _person(
        chance,
        "1" if grandson else "2",
        grandchild_age,
        relation,
        NEVER if grandchild_age < 30 else None,
        father.name[0],
    )
    widowed = chance.holds(0.25)
    heads = [_person(chance, "2", old_woman.age, HEAD, WIDOWED)] if widowed else [old_man, old_woman]
    return [*heads, child, in_law, grandchild]


def _old_couple(chance: Chance) -> list[Member]:
    return _pair(chance, chance.between(61, 86), chance.holds(0.85))


def _old_alone(chance: Chance) -> list[Member]:
    sex = chance.weighted({"1": 0.3, "2": 0.7})
    return [
        _person(
            chance, sex, chance.between(63, 94), HEAD, chance.weighted({WIDOWED: 0.85, NEVER: 0.08, DIVORCED: 0.07})
        )
    ]


def _alone(chance: Chance) -> list[Member]:
    return [_person(chance, chance.weighted({"1": 0.55, "2": 0.45}), chance.between(22, 58), HEAD)]


def _grandparent(chance: Chance) -> list[Member]:
    woman = _person(chance, "2", chance.between(58, 74), HEAD, WIDOWED)
    age = min(17, max(3, woman.age - chance.between(48, 58)))
    boy = chance.holds(0.5)
    return [woman, _person(chance, "1" if boy else "2", age, GRANDSON if boy else GRANDDAUGHTER, NEVER)]


def _siblings(chance: Chance) -> list[Member]:
    head = _person(chance, chance.weighted({"1": 0.5, "2": 0.5}), chance.between(24, 36), HEAD, NEVER)
    brother, older = chance.holds(0.5), chance.holds(0.4)
    age = max(18, head.age + (chance.between(1, 6) if older else -chance.between(1, 6)))
    code = (ELDER_BROTHER if older else YOUNGER_BROTHER) if brother else (ELDER_SISTER if older else YOUNGER_SISTER)
    return [head, _person(chance, "1" if brother else "2", age, code, NEVER, head.name[0])]


def _strangers(chance: Chance, count: int, low: int, high: int) -> list[Member]:
    made = []
    for place in range(count):
        sex = chance.weighted({"1": 0.55, "2": 0.45})
        made.append(_person(chance, sex, chance.between(low, high), HEAD if place == 0 else NOT_RELATED, NEVER))
    return made


def _shared_rental(chance: Chance) -> list[Member]:
    return _strangers(chance, chance.between(3, 5), 21, 38)


def _collective(chance: Chance) -> list[Member]:
    return _strangers(chance, chance.between(4, 8), 18, 45)


_SHAPES = {
    "couple": _couple,
    "one_child": _one_child,
    "two_children": _two_children,
    "single_parent": _single_parent,
    "three_generations": _three_generations,
    "old_couple": _old_couple,
    "old_alone": _old_alone,
    "alone": _alone,
    "grandparent": _grandparent,
    "siblings": _siblings,
    "shared_rental": _shared_rental,
    "collective": _collective,
}
