"""S11 to S18, L6: what is consumed, what is answered, what waits."""

from __future__ import annotations

import json
from typing import Any

from server.conformance.device import Device, NotTested, must, operation
from server.conformance.ground import Ground
from server.conformance.rules import rule
from server.house import uuid7


def _now(results: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(one["now"]["outcome"], one["now"]["reason"]) for one in results]


@rule("L6a")
def retry(ground: Ground) -> None:
    """The same batch again is answered alike and changes nothing."""
    made = ground.building()
    body = ground.one.batch([made], [ground.building()])
    first = ground.one.told(body)
    again = ground.one.told(body)
    must(again["results"] == first["results"], "a repeated push is answered otherwise")
    must(again["applied"] == first["applied"], "a repeated push moves the head of the log")
    must(ground.one.seen(made["id"])["v"] == 1, "a repeated push is applied twice")


@rule("L6b")
def reused(ground: Ground) -> None:
    """The same op_id with other content is quarantined, and the first stands."""
    made = ground.building(number="1")
    ground.one.write(made)
    other = made | {"set": made["set"] | {"number": "2"}}
    said = ground.one.push([other])[0]
    must(said["now"]["outcome"] == "quarantined", f"a reused op_id is answered {said['now']['outcome']}")
    must(ground.one.seen(made["id"])["fields"]["number"] == "1", "a reused op_id has overwritten the first")


@rule("S11")
def known_by_op_id(ground: Ground) -> None:
    """An operation that came under another n is known by its op_id: one operation, one answer."""
    made = ground.building()
    first = ground.one.push([made])[0]
    again = ground.one.push([made])[0]
    must(again["now"] == first["now"] and ground.one.seen(made["id"])["v"] == 1, "one op_id was applied under two numbers")


@rule("S12a")
def gap(ground: Ground) -> None:
    """Nothing of a batch is consumed unless the server has exactly `after`; `expected` says what it has."""
    made = ground.building()
    head: dict[str, Any] = {"n": ground.one.n, "op_id": ground.one.op_id}
    for wrong in ({"n": head["n"] + 5, "op_id": uuid7()}, {"n": head["n"], "op_id": uuid7()}):
        told = ground.one.told(ground.one.batch([made], n=wrong["n"], after=wrong))
        must(told.get("expected") == head, "`expected` is not the head of the log")
        must(told["results"] == [] and told["applied"] == head, "a batch behind a gap was consumed")
    must(ground.one.write(made) == ["applied"], "an operation that was not consumed is not applied afterwards")


@rule("S12b")
def empty(ground: Ground) -> None:
    """An empty batch says whether `after` is what the server has."""
    must("expected" not in ground.one.told(ground.one.batch()), "`expected` comes although `after` is right")
    must("expected" in ground.one.told(ground.one.batch(after={"n": ground.one.n + 1, "op_id": uuid7()})), "`expected` does not come")


@rule("S12c")
def other_at_consumed(ground: Ground) -> None:
    """Another op_id at a consumed n stops the batch."""
    after: dict[str, Any] = {"n": ground.one.n, "op_id": ground.one.op_id}
    ground.one.write(ground.building())
    head = ground.one.n
    told = ground.one.told(ground.one.batch([ground.building()], [ground.building()], n=after["n"], after=after))
    must(told["applied"]["n"] == head and "expected" in told, "another operation was consumed at a consumed n")


@rule("S12d")
def overlap(ground: Ground) -> None:
    """A repeated batch that goes on consumes only what is new."""
    one, two = ground.building(), ground.building()
    body = ground.one.batch([one])
    first = ground.one.told(body)
    told = ground.one.told(ground.one.batch([one], [two], n=body["after"]["n"], after=body["after"]))
    must(told["results"][0] == first["results"][0] and len(told["results"]) == 2, "a batch that goes on is answered otherwise")
    must(told["applied"]["n"] == body["after"]["n"] + 2, "what was new was not consumed")


@rule("S12e")
def unreadable(ground: Ground) -> None:
    """Unreadable and oversized operations are quarantined, use up their n, and stop nobody."""
    limit = ground.line.send("GET", "/api/v1/sync/config", token=ground.one.token).body["limits"]["max_op_bytes"]
    huge = json.dumps(ground.building() | {"note": "x" * (limit + 1)})
    made = ground.building()
    results = ground.one.push(['{"op_id": nonsense'], [huge], [made])
    must([one["now"]["outcome"] for one in results] == ["quarantined", "quarantined", "applied"],
         "unreadable, oversized, good are not quarantined, quarantined, applied")  # fmt: skip


@rule("S12f")
def no_values(ground: Ground) -> None:
    """An answer says where a value is wrong, and never the value."""
    wrong = ground.building(floors_count="secret-in-words")
    said = ground.one.push([wrong])[0]
    must(said["now"]["outcome"] == "quarantined", f"a value that is none is answered {said['now']['outcome']}")
    must([one["pointer"] for one in said["errors"]] == ["/set/floors_count"], "`errors` do not point at the value")
    must("secret-in-words" not in json.dumps(said), "an answer repeats a value")


@rule("S13a")
def groups(ground: Ground) -> None:
    """A group applies whole or not at all."""
    good, wrong, other = ground.building(), ground.building(floors_count="up"), ground.building()
    results = ground.one.push([good, wrong], [other])
    must([one["now"]["outcome"] for one in results] == ["quarantined", "quarantined", "applied"], "half a group was applied")
    ground.one.pull()
    must(ground.one.record(good["id"]) is None and ground.one.record(other["id"]) is not None, "half a group is in the stream")


@rule("S13b")
def held(ground: Ground) -> None:
    """What refers to a record that is not there is held, and later operations on it wait behind."""
    child = ground.new("dwelling", {"building": uuid7(), "door_number": "1"})
    results = ground.one.push([child], [operation("patch", "dwelling", child["id"], set={"door_number": "2"}, was={})])
    must(_now(results) == [("held", "parent"), ("held", "behind")], "a child without its parent and what follows are not held")


@rule("S14")
def release(ground: Ground) -> None:
    """What was held is released when what it waits for comes, and its install is told in its own stream."""
    parent = ground.building()
    child = ground.new("dwelling", {"building": parent["id"], "door_number": "1"})
    must(ground.one.write(child) == ["held"], "a child without its parent is not held")
    must(ground.two.write(parent) == ["applied"], "the parent is not applied")
    for _ in range(60):
        came = [row for row in ground.one.pull() if row["kind"] == "STATUS" and row["op_id"] == child["op_id"]]
        if came:
            must(came[-1]["outcome"] == "applied" and came[-1]["status"] >= 2, "a released operation is not told as applied")
            must(came[-1]["stream"] == f"install/{ground.one.install_id}", "a status comes in another stream")
            break
        ground.line.pause(1.0)
    else:
        must(False, "what was held is not released within a minute")
    ground.one.seen(child["id"])


@rule("S10a")
def unknown_form(ground: Ground) -> None:
    """An unknown form version is held, not refused."""
    must(_now(ground.one.push([ground.building() | {"form_version": 999}])) == [("held", "form")], "an unknown form version is not held")


@rule("S10b")
def unknown_fields(ground: Ground) -> None:
    """Fields and members that the server does not know are kept and given back."""
    made = ground.building(colour_of_the_door="red") | {"later_member": {"a": 1}}
    must(ground.one.write(made) == ["applied"], "an unknown field or member is refused")
    must(ground.one.seen(made["id"])["fields"].get("colour_of_the_door") == "red", "an unknown field is not given back")


@rule("S17")
def bad_one(ground: Ground) -> None:
    """One bad operation never sinks the others of its batch."""
    results = ground.one.push([ground.building()], [ground.building(anchor={"lon": 1})], [operation("dance", "building")], [ground.building()])
    must([one["now"]["outcome"] for one in results] == ["applied", "quarantined", "quarantined", "applied"], "a bad operation touches others")


@rule("S18a")
def routed(ground: Ground) -> None:
    """A create that falls into another cell is accepted and routed."""
    if ground.beyond is None:
        raise NotTested("the second device follows no cell of its own")
    made = ground.building(ground.beyond)
    must(ground.one.write(made) == ["applied"], "a create in another cell is refused")
    must(ground.two.seen(made["id"])["home"] in ground.two.streams, "a create in another cell did not come there")


@rule("S18b")
def out_of_scope(ground: Ground) -> None:
    """A later edit of a record outside the scope is quarantined as out_of_scope, and its answer carries no values."""
    if ground.beyond is None:
        raise NotTested("the second device follows no cell of its own")
    made = ground.building(ground.beyond, number="17-secret")
    must(ground.two.write(made) == ["applied"], "a building in an own cell is not applied")
    ground.both()
    results = ground.one.push([operation("patch", "building", made["id"], set={"number": "18"}, was={"number": None})])
    must(_now(results) == [("quarantined", "out_of_scope")], "an edit outside the scope is not quarantined")
    must("17-secret" not in json.dumps(results), "an answer carries values of a record outside the scope")


@rule("S21a")
def fork(ground: Ground) -> None:
    """A fork gets an install of its own; asking again with its id gives the same one."""
    ground.one.write(ground.building())
    asked = {"protocol": 1, "install_id": ground.one.install_id, "fork_id": uuid7(), "log": [[ground.one.n, ground.one.op_id]]}
    first, again = ground.one.post("fork", asked), ground.one.post("fork", asked)
    must(first.status == 200, f"a fork is answered {first.status} {first.slug}")
    must(first.body["install_id"] == again.body.get("install_id") == asked["fork_id"], "asking again gives another fork")
    must(first.body["parent"] == {"install_id": ground.one.install_id, "n": ground.one.n, "op_id": ground.one.op_id},
         "the fork does not begin at the last operation in common")  # fmt: skip


@rule("S21b")
def fork_repeats(ground: Ground) -> None:
    """What a fork sends again is known by its op_id and answered as what it became."""
    made = ground.building()
    ground.one.write(made)
    asked = {"protocol": 1, "install_id": ground.one.install_id, "fork_id": uuid7(), "log": [[ground.one.n, uuid7()]]}
    told = ground.one.post("fork", asked).body
    other = Device(ground.line, told["install_id"], told["device_token"], told["community_id"])
    must(other.write(made) == ["applied"], "what a fork repeats is answered otherwise")
    must(ground.one.seen(made["id"])["v"] == 1, "what a fork repeats is applied twice")


@rule("S25a")
def missing(ground: Ground) -> None:
    """A client that has forgotten what follows `expected` says so in `missing`, and the server goes on."""
    head: dict[str, Any] = {"n": ground.one.n, "op_id": ground.one.op_id}
    after: dict[str, Any] = {"n": ground.one.n + 3, "op_id": uuid7()}
    told = ground.one.told(ground.one.batch([ground.building()], n=after["n"], after=after, missing=head))
    must([one["now"]["outcome"] for one in told["results"]] == ["applied"], "work behind a missing range is not taken")
    must(told["applied"]["n"] == after["n"] + 1, "the log does not go on behind a missing range")


@rule("S25b")
def witness(ground: Ground) -> None:
    """Copies that a phone offers as witnesses are taken and never merged unasked."""
    record_id = ground.stored(number="1")
    copy = dict(ground.one.record(record_id) or {})
    copy |= {"v": copy["v"] + 7, "tag": "0123456789abcdef", "fields": copy["fields"] | {"number": "999"}}
    offered = {"protocol": 1, "install_id": ground.one.install_id, "witnesses": [{"epoch": ground.one.last_page["epoch"], "record": copy}]}
    first, again = ground.one.post("witness", offered), ground.one.post("witness", offered)
    must(first.status == again.status == 200, f"a witness is answered {first.status} and {again.status}")
    must(ground.one.seen(record_id)["fields"]["number"] == "1", "a witness was merged unasked")
