from __future__ import annotations

import json
from typing import Any

import pytest
from sync_kit import VECTORS, Village, operation, survey_village, uid

from sync.memory import Listed

STORIES = [
    pytest.param(case, id=f"{case['rule']}: {case['name']}")
    for path in sorted((VECTORS / "merge").glob("*.json"))
    if path.name != "form.json"
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
]
UNKNOWN_TAG = "ffffffffffffffff"


def _operation(number: int, step: dict[str, Any], tags: dict[int, str]) -> dict[str, Any]:
    base = step["base"]
    told = {"v": base, "tag": tags[base]} if type(base) is int else {"v": 7, "tag": UNKNOWN_TAG} if base == "lost" else None
    more = {name: step[name] for name in ("was", "units", "unit") if name in step}
    if "siblings" in step:
        more["siblings"] = [uid(f"op {one}") for one in step["siblings"]]
    return operation(step["kind"], "survey", "r", step.get("set", {}), op=str(number), base=told, **more)


def _tell(story: dict[str, Any], *, batched: bool) -> tuple[Village, list[str]]:
    village, outcomes = survey_village(), []
    waiting = list(enumerate(story["steps"], 1))
    while waiting:
        tags = {row.v: row.tag for row in village.past.get(uid("r"), ())}
        by = waiting[0][1]["by"]
        groups = []
        # a base comes from a pull: a step that looks at what this push makes belongs to the next one
        while waiting and waiting[0][1]["by"] == by and (type(base := waiting[0][1]["base"]) is not int or base in tags):
            groups.append([_operation(*waiting.pop(0), tags)])
            if not batched:
                break
        outcomes += [one.outcome for one in village.push(by, *groups)]
        village.check_streams()
    return village, outcomes


def _listed(village: Village) -> list[dict[str, Any]]:
    names = ("unit", "kind", "policy", "base", "standing", "newcomer", "new_stands", "open")
    return [{name: getattr(one.dispute, name) for name in names} for one in village.listed if isinstance(one, Listed)]


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("batched", [False, True], ids=["one by one", "in batches"])
def test_the_record_ends_as_the_rule_says(story: dict[str, Any], batched: bool) -> None:
    """S1–S6, S9, S10: What becomes of a record that several people write is what the rule promises, however they batch their pushes."""
    expected = story["expected"]
    village, outcomes = _tell(story, batched=batched)
    record = village.record("r")
    assert outcomes == [step["outcome"] for step in story["steps"]], story["why"]
    assert record.fields == expected["fields"], story["why"]
    assert record.life == expected.get("life", "live")
    assert record.open_units == expected.get("open", [])
    assert sorted(record.confirmed) == expected.get("confirmed", [])
    assert record.v == expected.get("v", record.v)
    waiting = {
        unit: [one.op_id for one in conflict.siblings if one.role == "set_aside"]
        for (_, unit), conflict in village.conflicts.items()
    }
    steps = {unit: [uid(f"op {one}") for one in found] for unit, found in expected.get("waiting", {}).items()}
    assert {unit: found for unit, found in waiting.items() if found} == steps
    assert sorted(unit for _, unit in village.conflicts) == record.open_units
    for found, wanted in zip(_listed(village), expected.get("listed", []), strict=True):
        assert {name: found[name] for name in wanted} == wanted
    assert [one for one in expected.get("outdated", []) if ("confirm", "outdated", record.id) not in village.findings] == []
    assert bool(village.found("confirm")) == bool(expected.get("outdated"))


def test_every_policy_and_rule_has_its_story() -> None:
    """No merge policy and none of the rules about one record is left without a story."""
    told = [one.values[0] for one in STORIES]
    assert {"S1", "S2", "S3", "S4", "S5", "S6", "S9", "S10", "L5"} <= {one["rule"] for one in told}
    assert len({one["name"] for one in told}) == len(told)
