"""`dishu conformance URL`: passes against the served program, and names the rule that a faulty server breaks."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from faulty_proxy import faulty

from server.cli import main
from server.conformance.run import listed
from server.store.database import read
from tests.live import LiveServer, live_server

__all__ = ["live_server"]

ROOT = Path(__file__).resolve().parent.parent


def ask(server: LiveServer, url: str, *rules: str) -> tuple[int, str]:
    """Exit status and output of the command with two codes of a new community."""
    ground = server.community()
    codes = ["--code", ground.code(ground.worker(0)), "--code", ground.code(ground.worker(0, 1))]
    chosen = [part for one in rules for part in ("--rule", one)]
    said = CliRunner().invoke(main, ["conformance", url, *codes, *chosen])
    return said.exit_code, said.output


def test_the_served_program_keeps_every_rule(live_server):
    """Every rule that can be asked from outside is asked, and holds."""
    status, said = ask(live_server, live_server.url)
    assert status == 0 and "FAIL" not in said, said
    assert [line.split()[2] for line in said.splitlines() if line.startswith("NOT TESTED")] == ["S23b"], "asks for another account"
    assert said.count("PASS  ") == len(listed()) - 1 > 60


def test_what_was_written_for_trying_is_deleted_in_the_end(live_server):
    """A community that was used for trying has no record of it left but the marks of deletion."""
    ground = live_server.community()
    codes = [ground.code(ground.worker(0)), ground.code(ground.worker(0, 1))]
    command = ["conformance", live_server.url, "--code", codes[0], "--code", codes[1], "--rule", "S8", "--rule", "L10"]
    assert CliRunner().invoke(main, command).exit_code == 0
    with read(live_server.house.engine) as connection:
        left = connection.exec_driver_sql(
            "SELECT type, count(*) FROM record WHERE community_id = ? AND life = 'live' AND type <> 'reference' GROUP BY type",
            (ground.community_id,),
        ).all()
    assert [one for one in left if one[0] != "residence"] == []


def test_somebody_at_the_office_may_give_the_ground(live_server):
    """With a sign-in two workers are made for the purpose, and their accounts are closed in the end."""
    ground = live_server.community()
    login = f"s-{ground.community_id[-12:]}"
    environment = {"DISHU_CONFORMANCE_PASSWORD": "correct horse battery staple"}
    said = CliRunner().invoke(main, ["conformance", live_server.url, "--login", login, "--rule", "L", "--rule", "S23"], env=environment)
    assert said.exit_code == 0 and "NOT TESTED" not in said.output, said.output


def test_one_cell_is_enough_and_says_what_it_cannot_ask(live_server):
    """Rules that need a second cell are NOT TESTED with the reason; the others are asked."""
    ground = live_server.community()
    codes = [ground.code(ground.worker(0)), ground.code(ground.worker(0))]
    said = CliRunner().invoke(main, ["conformance", live_server.url, "--code", codes[0], "--code", codes[1], "--rule", "S18"])
    assert said.exit_code == 0 and said.output.count("NOT TESTED  ") == 2
    assert "the second device follows no cell of its own" in said.output


def test_mistakes_at_the_command_line_are_told(live_server):
    """No code, a used code, no server: one line, no traceback."""
    run = CliRunner().invoke
    assert run(main, ["conformance", live_server.url]).exit_code == 2
    assert run(main, ["conformance", "nonsense", "--login", "x"]).exit_code == 2
    said = run(main, ["conformance", live_server.url, "--code", "AAAA-AAAA-AAAA", "--code", "BBBB-BBBB-BBBB"])
    assert said.exit_code == 1 and "enrolment" in said.output and "Traceback" not in said.output
    assert run(main, ["conformance", "http://127.0.0.1:9", "--code", "A", "--code", "B"]).exit_code == 1


# ---------------------------------------------------------------- planted faults
class Planted:
    """Faults by name; each remembers what it needs to."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.count = 0

    def forgets_answers(self, path, asked, status, told):
        """Says ``unchanged`` to what was sent before."""
        if path.endswith("/push") and status == 200:
            for one in told["results"]:
                if one["op_id"] in self.seen and one["now"]["outcome"] == "applied":
                    one["first"] = one["now"] = {"outcome": "unchanged", "reason": None, "status": 1}
                self.seen[one["op_id"]] = True
        return status, told

    def hides_the_gap(self, path, asked, status, told):
        """Does not say ``expected``."""
        if path.endswith("/push"):
            told.pop("expected", None)
        return status, told

    def skips_a_row(self, path, asked, status, told):
        """Leaves out every seventh row."""
        if path.endswith("/pull") and status == 200:
            kept = []
            for row in told["rows"]:
                self.count += 1
                kept += [row] if self.count % 7 or row["kind"] != "PUT" else []
            told["rows"] = kept
        return status, told

    def counts_wrongly(self, path, asked, status, told):
        """Digests are one too high."""
        for one in told.get("streams", {}).values() if path.endswith("/pull") else ():
            one["digest"] = f"{(int(one['digest'], 16) + 1) % (1 << 128):032x}"
        return status, told

    def shows_secrets(self, path, asked, status, told):
        """The number that was pushed comes back in plain."""
        if path.endswith("/push"):
            found = re.search(r"document_number[\\\": ]+([A-Z0-9]+)", str(asked))
            self.seen["number"] = found[1] if found else self.seen.get("number")
        for row in told.get("rows", ()) if path.endswith("/pull") else ():
            if "document_number" in row.get("record", {}).get("fields", {}):
                row["record"]["fields"]["document_number"] = self.seen["number"]
        return status, told

    def calls_conflicts_applied(self, path, asked, status, told):
        """An overwritten value is not told."""
        for one in told.get("results", ()) if path.endswith("/push") else ():
            if one["now"]["outcome"] == "conflict":
                one["now"]["outcome"] = one["first"]["outcome"] = "applied"
        return status, told

    def makes_other_tags(self, path, asked, status, told):
        """Tags are not those of the specification."""
        for one in told.get("results", ()) if path.endswith("/push") else ():
            if one["record"]:
                one["record"] = one["record"] | {"tag": one["record"]["tag"][::-1]}
        return status, told

    def says_complete_too_early(self, path, asked, status, told):
        """Every page claims to be the last."""
        if path.endswith("/pull") and status == 200 and not told["complete"]:
            told |= {"complete": True, "streams": {}, "applied": {"n": 0, "op_id": None}, "safe_n": 0}
        return status, told

    def takes_any_cursor(self, path, asked, status, told):
        """A cursor that was touched is answered as if it were none."""
        if path.endswith("/pull") and status == 200:
            self.seen["page"] = copy.deepcopy(told)
        if path.endswith("/pull") and told.get("type") == "/problems/cursor-unreadable":
            return 200, self.seen["page"]
        return status, told

    def is_silent_about_leaving(self, path, asked, status, told):
        """No removal is told."""
        if path.endswith("/pull") and status == 200:
            told["rows"] = [row for row in told["rows"] if row["kind"] != "REMOVE"]
        return status, told

    def explains_with_html(self, path, asked, status, told):
        """Problems have no type."""
        return status, ({"error": "no"} if status >= 400 else told)

    def enrols_anew(self, path, asked, status, told):
        """Whoever asks again is another install."""
        if path.endswith("/enroll") and status == 200:
            key = asked["retry_key"]
            told["device_token"] += "" if key not in self.seen else "-again"
            self.seen[key] = True
        return status, told

    def merges_nothing(self, path, asked, status, told):
        """Refuses what was written upon an older base."""
        for one in told.get("results", ()) if path.endswith("/push") else ():
            if one["now"]["outcome"] == "merged":
                one["now"] = {"outcome": "quarantined", "reason": "stale", "status": 1}
        return status, told


@pytest.mark.parametrize(
    ("fault", "asked", "named"),
    [
        ("forgets_answers", ("L6", "S12"), {"L6a", "S12d"}),
        ("hides_the_gap", ("S12",), {"S12a", "S12b", "S12c"}),
        ("skips_a_row", ("L7", "L8", "S20a"), {"L7"}),
        ("counts_wrongly", ("L7", "S20"), {"L7"}),
        ("shows_secrets", ("S22", "S23"), {"S23"}),
        ("calls_conflicts_applied", ("S3a", "S5b"), {"S3a", "S5b"}),
        ("makes_other_tags", ("T", "L8"), {"T1"}),
        ("says_complete_too_early", ("S20b",), {"S20b"}),
        ("takes_any_cursor", ("S19",), {"S19a"}),
        ("is_silent_about_leaving", ("S22", "S5b", "L8"), {"S22b", "S5b"}),
        ("explains_with_html", ("W1", "W3", "L8"), {"W1a", "W3a", "W3b"}),
        ("enrols_anew", ("W1",), {"W1b"}),
        ("merges_nothing", ("S2a", "S2b"), {"S2b"}),
    ],
)
def test_a_faulty_server_is_told_which_rule_it_breaks(live_server, fault, asked, named):
    """A server that forgets, hides or makes up something fails, and the rule is named."""
    with faulty(live_server.url, getattr(Planted(), fault)) as url:
        status, said = ask(live_server, url, *asked)
    failed = set(re.findall(r"^FAIL +(\w+) ", said, re.MULTILINE))
    assert status == 1 and failed >= named and f"not kept: {', '.join(sorted(failed, key=said.index))}" in said, said
    assert failed - named <= ({"L8", "S20a"} if fault == "skips_a_row" else set()), said


# ---------------------------------------------------------------- the specification
def test_every_rule_that_is_asked_is_in_the_specification():
    """Whoever reads FAIL S12c finds the rule, and this part of it, in docs/protocol.md."""
    told = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    names = [one.name for one in listed()]
    assert len(names) == len(set(names))
    missing = [one.name for one in listed() if f"| {one.name} | {one.text} |" not in told]
    assert missing == [], "renew it: python -m bench.documents"
    roots = {re.match(r"[A-Z]\d+", name)[0] for name in names}
    assert [root for root in sorted(roots) if not re.search(rf"(^\| {root} \||\*\*{root}\b)", told, re.MULTILINE)] == []
