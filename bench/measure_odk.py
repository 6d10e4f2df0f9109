"""Filled forms of ODK Collect, one in a request on eight connections, beside an endpoint that takes the same POST and inserts one row."""

from __future__ import annotations

import http.client
import random
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import served
from bench.report import Line, ratio
from bench.served import Cost, Served
from bench.workload import COMMUNITY, anchor, lay_ground
from forms.odk_form import collect_forms
from forms.registry import load_registry
from server.app import create_app, house_of
from server.house import House
from server.permissions import Actor
from server.services import accounts, assignments, odk_access
from server.services.office_writes import write_group
from server.settings import Settings
from server.start import prepare
from server.store.database import read, run

CONNECTIONS = 8
ROUNDS = 6
TRIES = 10
_HEAD = b'--cut\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="s.xml"\r\nContent-Type: text/xml\r\n\r\n'
_HEADERS = {"Content-Type": "multipart/form-data; boundary=cut", "X-OpenRosa-Version": "1.0"}


def submissions(each: int, say: Callable[[str], None], rounds: int = ROUNDS) -> list[Line]:
    """``each`` forms on each connection in each round, rounds in turns: a visit; a household with two members."""
    with tempfile.TemporaryDirectory(prefix="dishu-bench-") as name:
        folder = Path(name)
        addresses, dwelling, household = _lay(folder)
        with served.product(folder) as product, served.floors(folder) as floor:
            visit = ratio(
                f"filled forms on {CONNECTIONS} connections: a visit",
                *_turns(product, floor, addresses, lambda: _visit(household), each, rounds), each * CONNECTIONS, 0.4,
            )  # fmt: skip
            say("visits measured")
            family = ratio(
                f"filled forms on {CONNECTIONS} connections: a household with two members",
                *_turns(product, floor, addresses, lambda: _family(dwelling), max(1, each // 3), rounds), max(1, each // 3) * CONNECTIONS,
            )  # fmt: skip
    return [visit, family]


def _lay(folder: Path) -> tuple[list[str], str, str]:
    """A community with a home, and an address for each of eight workers; (paths of the addresses, dwelling, household)."""
    house = house_of(create_app(Settings.in_folder(folder)))
    prepare(house)
    ground = lay_ground(house)
    ids = {name: str(uuid.uuid4()) for name in ("building", "dwelling", "household")}
    values = {
        "building": {"name": "一号楼", "anchor": anchor(random.Random(1))},
        "dwelling": {"building": ids["building"], "door_number": "101"},
        "household": {"dwelling": ids["dwelling"], "kind": "family"},
    }
    operations = [{"type": kind, "id": ids[kind], "kind": "create", "set": one} for kind, one in values.items()]
    write_group(house, ground.secretary, accounts.scope(house, ground.secretary), operations)
    addresses = [_address(house, ground.secretary, number) for number in range(CONNECTIONS)]
    house.engine.dispose()
    return addresses, ids["dwelling"], ids["household"]


def _address(house: House, secretary: Actor, number: int) -> str:
    with read(house.engine) as connection:
        cell_id = run(connection, "SELECT cell_id FROM cell WHERE community_id = ? ORDER BY code LIMIT 1", (COMMUNITY,)).scalar_one()
    user = accounts.add_user(house, secretary, login=f"collect{number}", name="量测", role="grid_worker", password="correct horse battery staple")
    assignments.assign(house, secretary, user_id=user.user_id, cell_id=cell_id)
    made = odk_access.create(house, secretary, user.user_id)
    return f"{odk_access.address_of(house, made, '')}/submission?deviceID=bench"


def _turns(
    product: Served, floor: Served, addresses: list[str], form: Callable[[], bytes], each: int, rounds: int
) -> tuple[list[Cost], list[Cost]]:
    ours: list[Cost] = []
    theirs: list[Cost] = []
    for number in range(rounds + 1):
        bodies = [[form() for _ in range(each)] for _ in range(CONNECTIONS)]
        pairs = [(product, addresses, ours), (floor, ["/submission"] * CONNECTIONS, theirs)]
        for server, paths, kept in pairs if number % 2 else reversed(pairs):
            cost = _sent(server, paths, bodies)
            if number:  # the first one warms up
                kept.append(cost)
    return ours, theirs


def _sent(server: Served, paths: list[str], bodies: list[list[bytes]]) -> Cost:
    """All bodies, those of one list behind each other on one connection."""
    host, _, port = server.address.removeprefix("http://").rpartition(":")

    def worker(path: str, mine: list[bytes]) -> None:
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        for body in mine:
            for _ in range(TRIES):
                connection.request("POST", path, body, _HEADERS)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 503:
                    break
                time.sleep(float(answer.headers.get("Retry-After", "1")))  # as Collect would; the wait counts
            if answer.status != 201:
                raise RuntimeError(f"{answer.status} {content[:300]!r}")
        connection.close()

    cpu, started = server.cpu_s(), time.perf_counter()
    with ThreadPoolExecutor(len(paths)) as pool:
        list(pool.map(worker, paths, bodies))
    return Cost(time.perf_counter() - started, server.cpu_s() - cpu)


def _visit(household: str) -> bytes:
    answers = {
        "household": household, "method": "door", "outcome": "met", "attempt_number": "1", "visited_at": "2026-03-02T09:00:00.000+08:00",
        "note": "一切正常",
    }  # fmt: skip
    return _form("visit", f"<s_visit>{_nodes(answers)}</s_visit>", _entity("visit", str(uuid.uuid4())))


def _family(dwelling: str) -> bytes:
    household = str(uuid.uuid4())
    answers = {"dwelling": dwelling, "kind": "family", "members_count_stated": "2"}
    members = "".join(
        f"<member>{_nodes({'name': '赵安', 'sex': '1', 'birth_date': '1960-01-02', 'residence_household': household, 'document_missing_reason': 'not_asked'}, 'p_')}"
        f"<meta>{_entity('person', str(uuid.uuid4()))}</meta></member>"
        for _ in range(2)
    )
    return _form("household_survey", f"<s_basic>{_nodes(answers)}</s_basic>{members}", _entity("household", household))


def _nodes(answers: dict[str, str], prefix: str = "") -> str:
    return "".join(f"<{prefix}{name}>{value}</{prefix}{name}>" for name, value in answers.items())


def _entity(kind: str, record_id: str) -> str:
    return f'<entity dataset="{kind}" id="{record_id}" create="true" update="false" baseVersion=""><label>x</label></entity>'


def _form(form_id: str, body: str, entity: str) -> bytes:
    version = collect_forms(load_registry())[form_id].version
    xml = (
        f'<?xml version="1.0"?><data id="{form_id}" version="{version}">{body}<dishu_end>2026-03-02T09:10:00.000+08:00</dishu_end>'
        f"<meta>{entity}<instanceID>uuid:{uuid.uuid4()}</instanceID></meta></data>"
    )
    return _HEAD + xml.encode() + b"\r\n--cut--\r\n"
