"""Publishing as a job: watched while it runs, refused at once where the gate refuses, whole or not at all (L4, S29)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from cells_kit import CODE, bow_tie, collection, path_of, populate_ground, row_of_cells
from click.testing import CliRunner
from front_door import COMMUNITY, FIRST_DAY, open_office, problem
from kills_kit import environment
from sqlalchemy import select

from server.cli import main
from server.house import utc_now, uuid7
from server.jobs.worker import LEASE, Worker
from server.models import record
from server.services import publishing
from server.services.verify import verify
from server.store.database import read

KEY = b"a made-up key of thirty-two bytes".hex()
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    clock.now = FIRST_DAY + timedelta(days=1)
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


@pytest.fixture
def secretary(office):
    return office.signed_in("secretary")


def draft(person, document=None):
    answer = person.post(f"{path_of()}?datum=wgs84", document or row_of_cells(11, 12))
    assert answer.status_code == 201, answer.data
    return answer.json["edition_id"]


def states(person):
    return {one["edition_id"]: one["state"] for one in person.get(path_of()).json["editions"]}


def homes(office):
    with read(office.house.engine) as connection:
        return dict(connection.execute(select(record.c.id, record.c.home)).all())


def worker(office):
    return Worker(office.house, sweepers=())


def test_codes_that_swap_their_ground_are_warned_of(office, secretary, tmp_path):
    """Two codes in force that stand on each other's ground: the check, the dry run and the terminal name both with the shares; it may be published."""
    def found(*numbers):
        document = row_of_cells(*numbers)
        made = secretary.post(f"{path_of()}?datum=wgs84", document).json
        told = secretary.get(f"{path_of()}/{made['edition_id']}/dry-run").json["warnings"]
        warned = [one for one in made["certificate"]["problems"] if one["code"].startswith("code")]
        assert made["certificate"]["ok"] and [one["zh"] for one in told] == [one["zh"] for one in warned if one["code"] != "code_order"]
        return document, told

    swapped, [one] = found(2, 1)
    first, second = f"{CODE}001", f"{CODE}002"
    assert (one["code"], one["severity"], sorted(one["cells"])) == ("codes_swapped", "warning", [first, second])
    assert f"100% of the ground of {first} was that of {second}, and 100% of its households" in one["en"] and "面积有 100% 原属" in one["zh"]
    _, [alone] = found(2, 11)
    assert alone["code"] == "code_on_other_ground" and alone["cells"] == [second, first]
    assert found(1, 2)[1] == found(11, 12)[1] == []
    file = tmp_path / "swapped.geojson"
    file.write_text(json.dumps(swapped), "utf-8")
    url = office.house.engine.url.render_as_string(hide_password=False)
    settings = {"DISHU_DATA": str(tmp_path), "DISHU_DATABASE_URL": url, "DISHU_KEY": KEY, "DISHU_KEY_FILE": ""}
    for command in ("check", "diff"):
        said = CliRunner(env=settings).invoke(main, ["cells", command, str(file), "--community", COMMUNITY, "--datum", "wgs84"])
        assert said.exit_code == 0 and "codes_swapped" in said.stdout, said.output


def test_publishing_is_a_job_that_tells_how_far_it_is(office, secretary):
    """Whoever does not want to wait gets a job with an address; asked twice it is one job; the old cells hold until it is done."""
    edition_id, before = draft(secretary), homes(office)
    asked = secretary.post(f"{path_of()}/{edition_id}/publish", headers=ASYNC)
    assert asked.status_code == 202, asked.data
    job = asked.json["publishing"]
    assert (job["state"], job["edition_id"], asked.headers["Location"]) == ("queued", edition_id, job["href"])
    again = secretary.post(f"{path_of()}/{edition_id}/publish", headers=ASYNC).json["publishing"]
    assert again["job_id"] == job["job_id"]
    assert secretary.get(f"{path_of()}/{edition_id}").json["publishing"]["job_id"] == job["job_id"]
    assert homes(office) == before and states(secretary)[edition_id] == "draft"
    assert worker(office).run_all() == 1
    told = secretary.get(job["href"]).json["publishing"]
    assert told["state"] == "done" and told["done"] == told["total"] > 0, told
    assert states(secretary)[edition_id] == "published" and homes(office) != before
    assert secretary.get(f"{path_of()}/{edition_id}").json["publishing"] is None
    assert problem(secretary.get(f"{job['href']}x")) == (404, "not-found")
    assert office.signed_in("subdistrict").get(job["href"]).status_code == 403


def test_the_way_back_is_a_job_too(office, secretary):
    """A community with many records is never made to wait inside one request, whatever is put in force."""
    edition_id = draft(secretary)
    assert secretary.post(f"{path_of()}/{edition_id}/publish").status_code == 200
    now = homes(office)
    asked = secretary.post(f"{path_of()}/previous/republish", headers=ASYNC)
    assert asked.status_code == 202 and asked.json["edition_id"] == asked.json["publishing"]["edition_id"]
    worker(office).run_all()
    assert states(secretary)[asked.json["edition_id"]] == "published" and homes(office) != now


def test_many_records_make_a_job_of_it(office, secretary, monkeypatch):
    """Above a number of records the answer is a job without being asked for one; below it the answer waits."""
    edition_id = draft(secretary)
    monkeypatch.setattr(publishing, "AT_ONCE", len(homes(office)) - 1)
    assert secretary.post(f"{path_of()}/{edition_id}/publish").status_code == 202
    monkeypatch.setattr(publishing, "AT_ONCE", len(homes(office)))
    assert secretary.post(f"{path_of()}/{edition_id}/publish").status_code == 200
    worker(office).run_all()
    assert states(secretary)[edition_id] == "published", "a job for what is done already does nothing"


def test_what_the_gate_refuses_makes_no_job(office, secretary):
    """A broken draft is refused at once with its places; a draft that was thrown away meanwhile fails its job and nothing else."""
    broken = draft(secretary, collection(bow_tie(1)))
    refused = secretary.post(f"{path_of()}/{broken}/publish", headers=ASYNC)
    assert problem(refused) == (422, "invalid-cells") and refused.json["errors"]
    assert worker(office).run_all() == 0
    gone = draft(secretary)
    job = secretary.post(f"{path_of()}/{gone}/publish", headers=ASYNC).json["publishing"]
    assert secretary.client.delete(f"{path_of()}/{gone}", headers=secretary.headers).status_code in (200, 204)
    worker(office).run_all()
    told = secretary.get(job["href"]).json["publishing"]
    assert (told["state"], told["error"]) == ("failed", "NotFound")
    assert list(states(secretary).values()).count("published") == 1


# The worker of another process, whose machine goes off in the middle of the one transaction.
_KILLED = """
import os, signal
from server.cli.house import open_house
from server.jobs.worker import Worker
from server.services import editions
def off(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
editions.follow_lineage = off
Worker(open_house()).run_one()
"""


def test_killed_in_the_middle_the_old_edition_holds(office, secretary, clock):
    """SIGKILL inside the transaction: not one record has moved, and when the lease is over another worker does it whole."""
    edition_id, before = draft(secretary), homes(office)
    job = secretary.post(f"{path_of()}/{edition_id}/publish", headers=ASYNC).json["publishing"]
    url = office.house.engine.url.render_as_string(hide_password=False)
    surroundings = environment(url) | {"DISHU_DATA": str(office.house.settings.data_dir), "DISHU_KEY": office.house.settings.key.hex()}
    dead = subprocess.run([sys.executable, "-c", _KILLED], env=surroundings, capture_output=True, text=True, timeout=60)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    assert homes(office).items() >= before.items() and states(secretary)[edition_id] == "draft"
    assert verify(office.house).agrees
    assert secretary.get(job["href"]).json["publishing"]["state"] == "running"
    clock.now = utc_now() + 2 * LEASE
    assert worker(office).run_all() == 1
    assert states(office.signed_in("secretary"))[edition_id] == "published"
    assert verify(office.house).agrees
