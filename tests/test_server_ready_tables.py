"""The tables that come with the house, filled from a small community: every value in its place."""

from __future__ import annotations

import io
import subprocess
from datetime import datetime

import pytest
from front_door import COMMUNITY
from openpyxl import load_workbook
from records_kit import CODE_A, CODE_B, IDS, ZHANG_NUMBER, actor_of, office_with_records
from test_server_templates import filled

from server.house import uuid7
from server.services.push import accept_user_operation
from server.services.template_ready import READY
from server.store.database import read, run, stamp


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def _told(office):
    """Somebody came this month, a child is away for long, one is only registered, and of two members on the unit's list one reported and serves."""

    def wrote(kind, record_type, record_id, values, **more):
        one = {"kind": kind, "type": record_type, "id": record_id, "set": values} | more
        told = accept_user_operation(office.house, actor_of(office, "secretary"), one)
        assert told["now"]["outcome"] == "applied", told

    def changed(record_type, name, values, was):
        with read(office.house.engine) as connection:
            row = run(connection, "SELECT v, tag FROM record WHERE id = ?", (IDS[name],)).one()
        wrote("patch", record_type, IDS[name], values, was=was, base={"v": row.v, "tag": row.tag})

    born = {"birth_precision": "day", "document_missing_reason": "not_asked", "sex": "2"}
    came = {"residence_household": IDS["household_a"], "resident_from": "2026-03-01", "joined_reason": "moved_in", "presence": "present"}
    wrote("create", "person", uuid7(), {"name": "孙九", "birth_date": "1950-01-01", **born, **came})
    wrote("create", "person", uuid7(), {"name": "吴十", "birth_date": "1990-05-05", **born, "registration_dwelling": IDS["dwelling_a"]})
    changed("person", "child", {"presence": "away_long", "relation_to_head": "20"}, {"presence": "present"})
    changed("party_member", "member", {"on_unit_list": True}, {})
    changed("party_member", "stranger", {"on_unit_list": True, "in_service": True}, {})
    wrote("create", "service_record", uuid7(), {"party_member": IDS["member"], "kind": "environment", "served_on": "2026-02-20"})


def _rows(book):
    """Page to its rows below the headings: days as texts, what stands behind the last value left out, a list without anybody empty."""
    found = {}
    for page in book:
        rows = [[cell.date().isoformat() if isinstance(cell, datetime) else cell for cell in row] for row in page.iter_rows(min_row=5, values_only=True)]
        found[page.title] = [row for row in rows if any(cell is not None for cell in row)]
    return found


PLACE_A, PLACE_B = ("听雨苑", "2", "1", "201"), ("听雨苑", "10", None, "1001")
_SUMS = [f"=SUM({column}5:{column}6)" for column in "HIJKLMNO"]
WANTED = {
    "household_book": {"户册": [
        [1, CODE_A, *PLACE_A, "张三", "家庭户", 4, None, "住宅", "自住", "2026-03-01"],
        [2, CODE_B, *PLACE_B, None, "家庭户", 1, None, "住宅", None, "2026-03-01"],
        ["合计", *[None] * 7, "=SUM(I5:I6)", *[None] * 4],
    ]},
    "persons": {
        "人员": [
            [1, CODE_A, *PLACE_A, "李四", "女", "1962-05-05", 63, None, "配偶", "不详", None, None, None],
            [2, CODE_A, *PLACE_A, "孙九", "女", "1950-01-01", 76, None, None, "不详", None, None, None],
            [3, CODE_A, *PLACE_A, "张三", "男", "1960-01-01", 66, f"****{ZHANG_NUMBER[-4:]}", "户主", "不详", None, "10200000001", None],
            [4, CODE_A, *PLACE_A, "张小小", "男", "2020-06-01", 5, None, "子", "不详", None, None, None],
            [5, CODE_B, *PLACE_B, "王五", "男", "1940-02-29", 86, None, "户主", "不详", None, None, None],
        ],
        "户在人不在": [[1, CODE_A, "吴十", "女", 35, "201", "空挂", "是", None, None]],
    },
    "elderly_alone": {
        "独居老人": [
            [1, CODE_B, *PLACE_B, "王五", "男", 86, None, None, "=IF(I5>=80,1,0)", "2026-03-01"],
            ["合计", *[None] * 10, "=SUM(L5:L5)", None],
        ],
        "空巢老人": [
            [1, CODE_A, *PLACE_A, "李四", "女", 63, None, None, "2026-03-01"],
            [2, CODE_A, *PLACE_A, "孙九", "女", 76, None, None, "2026-03-02"],
            [3, CODE_A, *PLACE_A, "张三", "男", 66, "10200000001", None, "2026-03-01"],
        ],
    },
    "party_register": {
        "汇总": [[2, 1, "=A5-B5", '=IF(A5=0,"",B5/A5)', 1, '=IF(B5=0,"",E5/B5)', 0, 0, 0]],
        "应报到未报到": [[1, "周七", "示例小学", None, None, None]],
        "已报到": [[1, "张三", "示例小学", "已登记", "2026-02-01", None, None, None, "教学", None, "10200000001"]],
    },
    "resources": {"资源": [
        [1, "物资", None, "急救箱", CODE_A, "听雨苑", 3, None, None, None, '=IF(OR(G5="",I5=""),"",I5-G5)', None, None, "钱八", "10200000009"],
    ]},
    "population_changes": {
        "汇总": [[1, 0, 0, 0, 0, "=A5+B5+E5-C5-D5", 5]],
        "迁入与出生": [[1, "孙九", "女", 76, "2026-03-01", "迁入", *PLACE_A, CODE_A]],
        "迁出与死亡": [],
        "去世仍在户": [],
    },
    "baseline": {"底数": [
        [CODE_A, "第1网格", 1, 1, 1, 1, '=IF(E5=0,"",F5/E5)', 1, 5, 4, 0, 1, 0, 1, 0],
        [CODE_B, "第2网格", 1, 2, 2, 1, '=IF(E6=0,"",F6/E6)', 1, 1, 1, 1, 0, 1, 0, 0],
        ["合计", None, "=SUM(C5:C6)", "=SUM(D5:D6)", "=SUM(E5:E6)", "=SUM(F5:F6)", '=IF(E7=0,"",F7/E7)', *_SUMS],
    ]},
}  # fmt: skip


def test_every_ready_table_says_what_is_so(office, ogrinfo, tmp_path):
    """Each list names exactly whom it should with all their facts, each figure counts them, formulas stand where they belong, no
    placeholder is left; and GDAL, which is no kin of what wrote them, finds the same sheets."""
    _told(office)
    person = office.signed_in("secretary")
    assert set(WANTED) == set(READY)
    for name, wanted in WANTED.items():
        _, answer = filled(office, person, f"ready-{name}")
        book = load_workbook(io.BytesIO(answer.data))
        assert not [cell for page in book for row in page.iter_rows(values_only=True) for cell in row if "{{" in str(cell)], name
        assert _rows(book) == wanted, name
        (tmp_path / f"{name}.xlsx").write_bytes(answer.data)
        told = subprocess.run([ogrinfo, "-ro", "-q", str(tmp_path / f"{name}.xlsx")], capture_output=True, text=True, check=True, timeout=60)
        assert all(page.title in told.stdout for page in book), told.stdout


def test_a_service_entered_on_the_page_of_a_check_in_is_its_members(office):
    """It names the check-in alone; whoever checked in has served all the same, once, now and as of any time, and is active."""
    _told(office)
    person = office.signed_in("secretary")

    def served(**asked):
        rows = person.get(f"/api/v1/communities/{COMMUNITY}/roster/party_members", query_string=asked).json["rows"]
        return {row["name"]: row["services_count"] for row in rows}

    assert served() == {"张三": 1, "周七": 0}
    for who in ({"check_in": IDS["check_in"]}, {"check_in": IDS["check_in"], "party_member": IDS["member"]}):
        one = {"kind": "create", "type": "service_record", "id": uuid7(), "set": who | {"kind": "environment", "served_on": "2026-02-21"}}
        assert accept_user_operation(office.house, actor_of(office, "secretary"), one)["now"]["outcome"] == "applied"
    assert served() == served(known_at=stamp(office.house.clock())) == {"张三": 3, "周七": 0}
