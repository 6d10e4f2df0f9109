"""What changed in a table since it was filled before, beyond the rows of its lists."""

from __future__ import annotations

from datetime import timedelta

from front_door import problem
from openpyxl import Workbook
from records_kit import CODE_A, actor_of, write_operation
from test_server_templates import a_form, filled, office, sent  # noqa: F401


def test_a_figure_of_each_cell_is_compared_too(office, clock):  # noqa: F811
    """What is counted for each row of a list stands under its heading; a cell with two figures is told when either of them changed."""
    book = Workbook()
    page = book.active
    page["A1"] = "{{人员|计数}}人，老人{{人员: 年龄>=60|计数}}人"
    page["A2"], page["B2"], page["A3"], page["B3"] = "网格", "老人数", "{{网格|code}}", "{{人员: 年龄>=60 且 网格编码=本行网格|计数}}"
    person = office.signed_in("secretary")
    template = sent(person, book).json["template_id"]
    before, _ = filled(office, person, template)
    clock.now += timedelta(days=30)
    person = office.signed_in("secretary")
    write_operation(office.house, actor_of(office, "secretary"), "patch", "child", {"birth_date": "1950-06-01"}, was={"birth_date": "2020-06-01"})
    now, _ = filled(office, person, template)
    told = person.get(f"/api/v1/template-runs/{now['run_id']}/changes", query_string={"against": before["run_id"]}).json
    [found] = told["lists"]
    assert [(one["name"], one["label"]) for one in found["columns"]] == [("code", "编码"), ("B3", "老人数")]
    [changed] = found["changed"]
    assert changed["values"]["code"] == CODE_A and [(one["column"], one["now"] - one["before"]) for one in changed["changes"]] == [("B3", 1)]
    assert [one["cell"] for one in told["figures"]] == ["A1"] and told["figures"][0]["before"] != told["figures"][0]["now"]


def test_what_a_colleague_filled_in_is_found_and_compared_by_whoever_could_have_filled_it_in(office):  # noqa: F811
    """The secretary finds a planner's table, with who filled it in, and compares it with the next one; no wider or more personal table goes down."""
    secretary, planner, clerk = (office.signed_in(role) for role in ("secretary", "planner", "community_worker"))
    book = Workbook()
    book.active["A1"] = "{{房屋: 用途=住宅|计数}}"
    plain = sent(secretary, book).json["template_id"]
    personal = sent(secretary, a_form()).json["template_id"]
    first, _ = filled(office, planner, plain, purpose="")
    own, _ = filled(office, secretary, plain)
    hers, _ = filled(office, clerk, personal)
    runs = secretary.get("/api/v1/template-runs").json["runs"]
    assert [one["run_id"] for one in runs] == [hers["run_id"], own["run_id"], first["run_id"]]
    assert len({one["by"]["user_id"] for one in runs}) == 3 and all(one["by"]["name"] for one in runs)
    assert secretary.get(first["file"]["href"]).status_code == secretary.get(hers["file"]["href"]).status_code == 200
    compared = secretary.get(f"/api/v1/template-runs/{own['run_id']}/changes").json
    assert compared["before"]["run_id"] == first["run_id"] and compared["figures"] == []
    assert [one["run_id"] for one in planner.get("/api/v1/template-runs").json["runs"]] == [first["run_id"]]
    for wider in (own, hers):
        assert problem(planner.get(wider["file"]["href"])) == (404, "not-found")
    downloads = [one for one in secretary.get("/api/v1/audit", query_string={"action": "export"}).json["lines"] if one["purpose"] == "download of a table"]
    assert len(downloads) == 2  # of the table with personal columns: by who filled it in, by who found it
