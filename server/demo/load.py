"""Puts the demo into a database through the same services as everybody: cells published, people signed up, work pushed.

Can be killed anywhere and run again: what is there stays, what is missing is added. The day of the demo is the day on
which its import began, so that a later run sends the same bytes and the server answers from what it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import shapely

from geo.cells import DraftEdition, read_cells
from geo.profile import CN15
from server.demo.chance import uuid7_shaped
from server.demo.community import SEED, batches, demo_groups, frozen
from server.demo.draw_cells import COMMUNITY_CODE
from server.demo.ground import cells_document
from server.permissions import HOUSE, Actor
from server.services import accounts, assignments, editions, enrolment, push, sign_in
from server.store import assignments as places
from server.store import installs, people
from server.store.assignments import Community
from server.store.database import read, stamp, write
from server.store.installs import Install

if TYPE_CHECKING:
    from server.house import House
    from server.store.people import User

COMMUNITY_ID = COMMUNITY_CODE
COMMUNITY_NAME = "桑榆里社区（演示）"
SUBDISTRICT_CODE, DISTRICT_CODE = COMMUNITY_CODE[:9], COMMUNITY_CODE[:6]

PASSWORD = "dishu-demo"  # noqa: S105 - of invented people, printed at every start
TOKEN_LABEL = "demo"  # noqa: S105 - a name, not a token
IMPORT_INSTALL = uuid7_shaped(1_735_689_600_000, "import of the demo")
BATCH = 500

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SignIn:
    """An account of the demo; all have the same password. ``cells`` are the codes of a grid worker's cells."""

    login: str
    name: str
    role: str
    community_id: str = COMMUNITY_ID
    area_code: str | None = None
    cells: tuple[str, ...] = ()


# The two grid workers' cells lie side by side, so that a household can move from one to the other.
SIGN_INS = (
    SignIn("secretary", "演示书记", "secretary"),
    SignIn("worker1", "网格员甲", "grid_worker", cells=(f"{COMMUNITY_CODE}017", f"{COMMUNITY_CODE}021")),
    SignIn("worker2", "网格员乙", "grid_worker", cells=(f"{COMMUNITY_CODE}018", f"{COMMUNITY_CODE}024")),
    SignIn("planner", "演示规划师", "planner"),
    SignIn("officer", "街道工作人员", "subdistrict", HOUSE, area_code=SUBDISTRICT_CODE),
    SignIn("auditor", "演示审计员", "auditor"),
    SignIn("admin", "系统管理员", "admin", HOUSE),
)


@dataclass(frozen=True, slots=True)
class DemoAccess:
    """What somebody needs to try the demo. Only hashes are kept: the code is new at every call, the token is told once."""

    community_id: str
    community_name: str
    password: str
    sign_ins: tuple[SignIn, ...]
    enrolment_login: str
    enrolment_code: str
    enrolment_expires_at: str
    read_token: str | None
    operations: int
    pushed: int


class DemoRefused(Exception):
    """The server did not apply an operation of the demo; says the type and the outcome, never a value."""

    def __init__(self, record_type: str, outcome: str, reason: str | None) -> None:
        super().__init__(f"the demo's {record_type} was {outcome}" + (f" ({reason})" if reason else ""))
        self.record_type = record_type
        self.outcome = outcome
        self.reason = reason


def ensure_demo(house: House, *, progress: Progress | None = None) -> DemoAccess:
    """The demo community in this house, whole; a second call adds nothing but a code.

    Parameters
    ----------
    house : with a database that is at the newest migration
    progress : told (operations done, operations in all) after every batch

    Raises
    ------
    DemoRefused
        An operation was not applied: forms and demo do not agree. What was pushed before stays.
    """
    _ensure_community(house)
    _ensure_cells(house)
    users = {one.login: _ensure_user(house, one) for one in SIGN_INS}
    for one in SIGN_INS:
        for cell_id in one.cells:
            _ensure_assignment(house, users[one.login], cell_id)
    operations, pushed = _ensure_records(house, progress)
    login = next(one.login for one in SIGN_INS if one.cells)
    code, expires_at = new_enrolment_code(house, login)
    return DemoAccess(
        COMMUNITY_ID, COMMUNITY_NAME, PASSWORD, SIGN_INS, login, code, expires_at, _first_read_token(house, users["planner"]),
        operations, pushed,
    )  # fmt: skip


def new_enrolment_code(house: House, login: str) -> tuple[str, str]:
    """A one-time code for a device of one of the demo's people: (code, expires_at)."""
    user = accounts.user_of_login(house, login)
    return enrolment.create_code(house, accounts.OPERATOR, user.user_id, community_id=COMMUNITY_ID)


def draft_of_cells() -> DraftEdition:
    """The shipped cells as a draft edition."""
    return read_cells(cells_document(), datum="wgs84")


def _ensure_community(house: House) -> None:
    boundary = shapely.union_all([cell.geometry for cell in draft_of_cells().cells])
    with write(house.engine) as connection:
        if places.community_of(connection, COMMUNITY_ID) is None:
            new = Community(COMMUNITY_ID, COMMUNITY_CODE, COMMUNITY_NAME, SUBDISTRICT_CODE, DISTRICT_CODE, CN15.name)
            places.add_community(connection, new, at=stamp(house.clock()), boundary=shapely.to_wkb(boundary))


def _ensure_cells(house: House) -> None:
    draft = draft_of_cells()
    with read(house.engine) as connection:
        if places.is_published_cell(connection, COMMUNITY_ID, draft.cells[0].cell_id):
            return
    editions.publish_edition(house, accounts.OPERATOR, COMMUNITY_ID, draft)


def _ensure_user(house: House, one: SignIn) -> User:
    with read(house.engine) as connection:
        user = people.user_by_login(connection, one.login)
    if user is not None:
        return user
    return accounts.add_user(
        house,
        accounts.OPERATOR,
        login=one.login,
        name=one.name,
        role=one.role,
        password=PASSWORD,
        community_id=one.community_id,
        area_code=one.area_code,
    )


def _ensure_assignment(house: House, user: User, cell_id: str) -> None:
    had = assignments.list_assignments(house, accounts.OPERATOR, user_id=user.user_id)
    if not any(one.cell_id == cell_id for one in had):
        assignments.assign(house, accounts.OPERATOR, user_id=user.user_id, cell_id=cell_id, community_id=COMMUNITY_ID)


def _ensure_install(house: House) -> Install:
    with write(house.engine) as connection:
        found = installs.install_of(connection, COMMUNITY_ID, IMPORT_INSTALL)
        if found is None:
            found = Install(COMMUNITY_ID, IMPORT_INSTALL, "import", None, "演示数据", stamp(house.clock()))
            installs.add_install(connection, found)
    return found


def _told_on(install: Install) -> date:
    """The local day on which the import began."""
    begun = datetime.fromisoformat(install.enrolled_at.replace("Z", "+00:00"))
    return (begun + timedelta(hours=8)).date()


def _ensure_records(house: House, progress: Progress | None) -> tuple[int, int]:
    """Push what the import install has not pushed yet; returns (operations in all, pushed now)."""
    install = _ensure_install(house)
    groups = list(demo_groups(_told_on(install), SEED))
    total = sum(len(group) for group in groups)
    if install.last_n >= total:
        return total, 0
    sender = push.Sender(COMMUNITY_ID, IMPORT_INSTALL, None, "import", scoped=False, source="import")
    pushed, n, after_op_id = 0, 0, None
    for batch in _numbered(groups):
        last_n, last_op_id = batch[-1][-1][0], batch[-1][-1][2]
        if last_n > install.last_n:
            answer = push.accept(
                house,
                sender,
                push.Batch(
                    tuple(tuple((number, text) for number, text, _, _ in group) for group in batch), n, after_op_id
                ),
            )
            _all_applied(answer["results"], batch)
            pushed += sum(len(group) for group in batch)
            if progress is not None:
                progress(last_n, total)
        n, after_op_id = last_n, last_op_id
    return total, pushed


_Numbered = list[tuple[int, str, str, str]]


def _numbered(groups: list[list[dict[str, object]]]) -> Iterator[list[_Numbered]]:
    """Batches of groups of (n, frozen text, op_id, type); the same cuts every time."""
    n = 0
    for batch in batches(groups, BATCH):
        made: list[_Numbered] = []
        for group in batch:
            made.append([])
            for operation in group:
                n += 1
                made[-1].append((n, frozen(operation), str(operation["op_id"]), str(operation["type"])))
        yield made


def _all_applied(results: list[dict[str, object]], batch: list[_Numbered]) -> None:
    types = {n: record_type for group in batch for n, _, _, record_type in group}
    for result in results:
        now = result["now"]
        assert isinstance(now, dict)
        if now["outcome"] != "applied":
            raise DemoRefused(types[int(str(result["n"]))], str(now["outcome"]), now["reason"])
    if len(results) != len(types):
        raise DemoRefused("batch", "not consumed", None)


def _first_read_token(house: House, user: User) -> str | None:
    """A read token of the planner; None where an earlier start made one, which goes on in whatever was set up with it."""
    actor: Actor = sign_in.actor_of(user)
    if any(row.label == TOKEN_LABEL and row.revoked_at is None for row in sign_in.read_tokens(house, actor)):
        return None
    token, _ = sign_in.make_read_token(house, actor, label=TOKEN_LABEL)
    return token


def describe(access: DemoAccess, address: str) -> str:
    """What is printed at the start: address, sign-ins, enrolment code and read token."""
    lines = [
        f"Dishu 底数   {address}",
        f"  {access.community_name}  ({access.operations} operations, {access.pushed} of them just now)",
        "  sign in as (password of all: " + access.password + ")",
    ]
    lines += [f"    {one.login:<10} {one.name}  {one.role}" for one in access.sign_ins]
    lines += [
        f"  enrolment code for a phone of {access.enrolment_login}: {access.enrolment_code}"
        f"  (once, until {access.enrolment_expires_at})",
        f"  read token (QGIS and the like, as password): {access.read_token}"
        if access.read_token
        else "  read token: the one told at the first start goes on; another one: 文件 in the console, or dishu token create planner",
    ]
    return "\n".join(lines)
