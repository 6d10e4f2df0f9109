"""A move to another community, accepted over and over while the served program is killed: it is whole in both, or in neither."""

from __future__ import annotations

import json
import random
import secrets
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar

import pytest
from crossing_kit import COMMUNITY, OTHER, ask, dwelling_there, furnish_two, rows, secretary_of, waiting_there
from kills_kit import Program, free_port, office
from server_kit import PASSWORD, Phone, create, home, patch
from stream_oracle import recount

from server.services import enrolment
from server.services.verify import verify

pytestmark = pytest.mark.long
KILLS, FAMILIES = 5, 12


class Secretary:
    """The secretary of the other community at a browser; Refused is an answer, OSError is none."""

    def __init__(self, port: int) -> None:
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar())).open
        self._base, self._head = f"http://127.0.0.1:{port}/api/v1", {"Content-Type": "application/json"}

    def post(self, path, body):
        request = urllib.request.Request(self._base + path, json.dumps(body).encode(), self._head, method="POST")
        with self._open(request, timeout=60) as answer:
            return json.loads(answer.read())

    def sign_in(self):
        for _ in range(600):
            try:
                self._head["X-CSRF-Token"] = self.post("/session", {"login": "secretary-2", "password": PASSWORD})["csrf_token"]
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the program does not answer")

    def accept(self, waiting, dwelling):
        """Whether it was answered; a request that was accepted before is 409."""
        try:
            self.post(f"/inbox/arrivals/{COMMUNITY}/{waiting.install_id}/{waiting.n}/accept", {"dwelling": dwelling})
        except urllib.error.HTTPError as error:
            assert error.code in (404, 409, 503), error.code
            return error.code == 409
        except OSError:
            return False
        return True


def whole(ground, ids):
    """In which of the two these records live; all of them in the same one, by versions that go on from each other."""
    found = {
        community_id: {row.id: row for row in rows(ground, "SELECT id, v, tag, life FROM record WHERE community_id = ?", community_id) if row.id in ids}
        for community_id in (COMMUNITY, OTHER)
    }
    living = {community_id for community_id, records in found.items() for one in records.values() if one.life == "live"}
    assert len(living) == 1, living
    if living == {COMMUNITY}:
        assert found[OTHER] == {}
        return COMMUNITY
    assert found[COMMUNITY].keys() == found[OTHER].keys() == ids and {one.life for one in found[COMMUNITY].values()} == {"moved"}
    assert all(found[OTHER][one].v >= found[COMMUNITY][one].v for one in ids)
    return OTHER


def test_s30_killed_while_households_are_accepted_each_is_whole_in_one_of_the_two(prepared_database, tmp_path):
    """S30, L5, L7: after five kills every household has moved once, with everything, and copies and counts of both sides agree."""
    url = prepared_database(furnish_two)
    seed = secrets.randbelow(10**9)
    chance, port = random.Random(seed), free_port()
    program = Program(url, tmp_path / "data", port, tmp_path / "server.log")
    secretary, took = Secretary(port), []
    with office(url, tmp_path) as ground:
        phone, away = ground.worker(0), ground.worker(0)
        families = []
        for number in range(FAMILIES):
            made = home(0, f"张{number}", f"李{number}")
            visits = [create("visit", {"household": made.household, "method": "door", "outcome": "met", "attempt_number": one}) for one in range(1, 9)]
            phone.push(made.operations, *[[one] for one in visits])
            families.append((made, {made.household, *made.persons, *(one["id"] for one in visits)}))
        away.pull()
        late = [patch(ground, made.persons[0], {"note": "敲门"}) for made, _ in families]
        asked = [ask(ground, phone, made.household)[1] for made, _ in families]
        dwelling = dwelling_there(ground)
        kills = 0
        try:
            program.start()
            secretary.sign_in()
            for (_, ids), waiting in zip(families, asked, strict=True):
                started = time.monotonic()
                if took and kills < KILLS:
                    with ThreadPoolExecutor(1) as pool:
                        answered = pool.submit(secretary.accept, waiting, dwelling)
                        time.sleep(chance.uniform(0, max(took)))
                        program.kill()
                        answered.result()
                    kills += 1
                    whole(ground, ids)
                    program.start()
                    secretary.sign_in()
                while not secretary.accept(waiting, dwelling):
                    time.sleep(0.05)
                took = took or [time.monotonic() - started]
                assert whole(ground, ids) == OTHER
        finally:
            program.kill()
            print(f"seed {seed}: {kills} kills, accepting took {max(took, default=0):.2f} s")
        assert kills == KILLS and waiting_there(ground) == []
        assert {one["now"]["reason"] for one in away.push(*[[one] for one in late])} == {"moved"}
        code, _ = enrolment.create_code(ground.house, secretary_of(ground.house), secretary_of(ground.house).user_id)
        given = enrolment.enrol(ground.house, code, label="phone", app_version="1")
        there = Phone(ground, given.install_id, given.device_token, secretary_of(ground.house).user_id)
        for one in (phone, away, there):
            one.pull()
        everybody = set().union(*(ids for _, ids in families))
        assert everybody <= there.visible and not everybody & (phone.visible | away.visible)
        assert {away.statuses[one["op_id"]]["reason"] for one in late} == {"moved"}
        recount(ground)
        report = verify(ground.house, again=True)
        assert report.agrees, str(report.difference)
    assert program.complaints() == []
