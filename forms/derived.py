"""What a roster shows without anybody having typed it. Derived, never asked, never stored in a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from forms.definition import FieldType, Privacy


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived value of a record type.

    ``base`` is the record type it belongs to, None for any. ``needs`` are column paths from that record.
    ``stored`` values come from what the store keeps beside a record (its cell, its confirmations, a count);
    the others are computed by ``derive`` from ``needs``. What ``counts_people`` of one place is for those alone who see
    personal fields: an exact small count names somebody.
    """

    name: str
    base: str | None
    type: FieldType
    privacy: Privacy
    label_zh: str
    label_en: str
    needs: tuple[str, ...] = ()
    stored: bool = False
    counts_people: bool = False


DERIVED: dict[str, Derived] = {
    item.name: item
    for item in (
        Derived("cell_code", None, "text", "public", "网格", "Cell", stored=True),
        Derived("confirmed_on", None, "date", "internal", "最近确认", "Last confirmed", stored=True),
        Derived("members_count", "household", "integer", "internal", "在户人数", "Members", stored=True, counts_people=True),
        Derived("households_count", "dwelling", "integer", "internal", "住户数", "Households", stored=True, counts_people=True),
        Derived(
            "members_known_count", "organization", "integer", "internal", "党员数", "Party members",
            stored=True, counts_people=True,
        ),
        Derived(
            "members_with_phone_count", "household", "integer", "internal", "留有电话的人数", "Members with a phone",
            stored=True, counts_people=True,
        ),
        Derived("check_ins_count", "party_member", "integer", "internal", "有效报到数", "Check-ins in force", stored=True),
        Derived("services_count", "party_member", "integer", "internal", "服务次数", "Services on record", stored=True),
        Derived(
            "lives_alone", "person", "boolean", "personal", "独自居住", "Lives alone",
            ("residence_household.dwelling",), stored=True,
        ),
        Derived(
            "arrangement", "person", "text", "personal", "居住结构", "How it is lived in",
            ("residence_household.dwelling",), stored=True,
        ),
        Derived(
            "registration_hangs", "person", "boolean", "personal", "空挂户", "Registered here, nobody of the register lives at the door",
            ("registration_dwelling.door_number",), stored=True,
        ),
        Derived("moved_in_on", "person", "date", "personal", "迁入日期", "Moved in on", stored=True),
        Derived("born_here_on", "person", "date", "personal", "出生入户日期", "Joined by birth on", stored=True),
        Derived(
            "died_in_household_on", "person", "date", "personal", "去世日期（仍在户）", "Died, still in the household",
            ("residence_household", "vital_status", "died_on"),
        ),
        Derived("came_here_on", "person", "date", "personal", "来本社区日期", "Came here on", stored=True),
        Derived("stay_began_on", "residence", "date", "personal", "当初来本社区日期", "Had come here on", stored=True),
        Derived("left_by_death", "residence", "boolean", "personal", "因死亡", "Left by death", stored=True),
        Derived("left_here_on", "residence", "date", "personal", "离开本社区日期", "Left here on", stored=True),
        Derived("age", "person", "integer", "personal", "年龄", "Age", ("birth_date", "died_on")),
        Derived("is_head", "person", "boolean", "personal", "是否户主", "Is head", ("residence_household.head",)),
        Derived(
            "lives_here", "person", "boolean", "personal", "现住本地", "Lives here", ("residence_household", "vital_status"),
        ),
        Derived(
            "residence_state",
            "person",
            "text",
            "personal",
            "人户状态",
            "Lives and is registered",
            (
                "residence_household",
                "residence_household.dwelling",
                "registration_dwelling",
                "registration_address_text",
                "registration_division_code",
                "presence",
            ),
        ),
    )
}

#: Beside ``needs`` of ``residence_state``: whether somebody of the register lives in the dwelling of the registration.
TIED = "~tied"

#: Values of ``residence_state`` with their labels.
RESIDENCE_STATES: dict[str, tuple[str, str]] = {
    "same_place": ("人在户在", "Lives where registered"),
    "lives_not_registered": ("人在户不在", "Lives here, registered elsewhere"),
    "registered_not_living": ("户在人不在", "Registered here, lives elsewhere"),
    "registered_hanging": ("空挂", "Registered here, nobody of the register lives at the door"),
    "unknown": ("不详", "Unknown"),
}


def age_on(birth_date: str | None, day: date) -> int | None:
    """Completed years on a day; None without a birth date or before birth.

    Born on 29 February: a year is completed on 1 March of common years.
    """
    if birth_date is None:
        return None
    born = date.fromisoformat(birth_date)
    if born > day:
        return None
    return day.year - born.year - int((day.month, day.day) < (born.month, born.day))


def residence_state(
    *,
    residence_household: str | None,
    residence_dwelling: str | None,
    registration_dwelling: str | None,
    registered_outside: bool,
    away_long: bool = False,
    tied: bool = True,
) -> str:
    """One of ``RESIDENCE_STATES``, from where a person lives and is registered.

    Who is away for long lives where they went. ``tied``: somebody of the register lives in the dwelling of the registration; only
    everybody of that dwelling tells (`dwelling_facts.tied`).

    A residence whose dwelling is not known says nothing about a registration in a known dwelling: ``unknown``.
    """
    if residence_household is None or away_long:
        return ("registered_not_living" if tied else "registered_hanging") if registration_dwelling is not None else "unknown"
    if registration_dwelling is not None:
        if residence_dwelling is None:
            return "unknown"
        return "same_place" if residence_dwelling == registration_dwelling else "lives_not_registered"
    return "lives_not_registered" if registered_outside else "unknown"


def derive(name: str, values: Mapping[str, Any], *, record_id: str, today: date) -> Any:
    """A computed derived value.

    Parameters
    ----------
    name : str
        A key of ``DERIVED`` that is not ``stored``.
    values : mapping
        Path of ``needs`` to plain value; absent is null.
    record_id : str
        Id of the record that the value belongs to.
    today : datetime.date

    Raises
    ------
    KeyError
        Unknown, or stored.
    """
    if name == "age":
        died_on = values.get("died_on")
        return age_on(values.get("birth_date"), today if died_on is None else min(today, date.fromisoformat(died_on)))
    if name == "is_head":
        return values.get("residence_household.head") == record_id
    if name == "lives_here":  # whoever the figures count as a resident
        return values.get("residence_household") is not None and values.get("vital_status") != "deceased"
    if name == "residence_state":
        return residence_state(
            residence_household=values.get("residence_household"),
            residence_dwelling=values.get("residence_household.dwelling"),
            registration_dwelling=values.get("registration_dwelling"),
            registered_outside=any(
                values.get(key) is not None for key in ("registration_address_text", "registration_division_code")
            ),
            away_long=values.get("presence") == "away_long",
            tied=values.get(TIED) is not False,
        )
    if name == "died_in_household_on":  # written as a fact, not by the step that takes the dead out of their household
        dead = values.get("vital_status") == "deceased" and values.get("residence_household") is not None
        return values.get("died_on") if dead else None
    raise KeyError(name)
