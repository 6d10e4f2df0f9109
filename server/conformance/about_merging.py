"""S1 to S9: what becomes of two people's values. Section 8: tags."""

from __future__ import annotations

from typing import Any

from server.conformance.device import Device, must, operation
from server.conformance.ground import Ground
from server.conformance.rules import rule
from sync.digest import ZERO_TAG, version_tag


def _write(device: Device, *members: dict[str, Any], due: str, what: str) -> None:
    said = device.write(*members)
    must(said == [due] * len(members), f"{what} is answered {', '.join(sorted(set(said)))} where {due} is due")


@rule("S1")
def units_merge(ground: Ground) -> None:
    """Different units of one record, written from one base, merge: nobody's value goes."""
    record_id = ground.stored()
    mine = ground.patch(ground.one, "building", record_id, {"number": "7"})
    theirs = ground.patch(ground.two, "building", record_id, {"floors_count": 9})
    _write(ground.one, mine, due="applied", what="the first edit")
    _write(ground.two, theirs, due="merged", what="an edit of another unit")
    fields = ground.one.seen(record_id)["fields"]
    must(fields.get("number") == "7" and fields.get("floors_count") == 9, "a value of another unit is gone")


@rule("S2a")
def agreement(ground: Ground) -> None:
    """Both wrote the same value: agreement, nothing changes."""
    record_id = ground.stored()
    mine, theirs = (ground.patch(one, "building", record_id, {"number": "8"}) for one in (ground.one, ground.two))
    _write(ground.one, mine, due="applied", what="the first edit")
    v = ground.one.seen(record_id)["v"]
    _write(ground.two, theirs, due="unchanged", what="the same value again")
    must(ground.one.seen(record_id)["v"] == v, "an equal value makes a version")


@rule("S2b")
def difference(ground: Ground) -> None:
    """Both wrote different values under policy last: the later arrival stands and is answered merged."""
    record_id = ground.stored()
    mine, theirs = (ground.patch(one, "building", record_id, {"number": value}) for one, value in ((ground.one, "1"), (ground.two, "2")))
    _write(ground.one, mine, due="applied", what="the first edit")
    _write(ground.two, theirs, due="merged", what="another value of the same unit")
    must(ground.one.seen(record_id)["fields"]["number"] == "2", "policy last does not let the later arrival stand")


@rule("S2c")
def unknown_base(ground: Ground) -> None:
    """With an unknown base `was` decides: equal to what stands, the new value is taken."""
    record_id = ground.stored(number="1")
    strange = {"v": 77, "tag": "0123456789abcdef"}
    good = operation("patch", "building", record_id, base=strange, set={"number": "2"}, was={"number": "1"})
    said = ground.two.write(good)[0]
    must(said in ("applied", "merged"), f"a write upon what stands is answered {said}")
    must(ground.two.seen(record_id)["fields"]["number"] == "2", "a write upon what stands is not taken")
    lon, lat = ground.place
    other = operation("patch", "building", record_id, base=strange, set={"anchor": ground.anchor((lon + 1e-5, lat))}, was={"anchor": None})
    _write(ground.two, other, due="conflict", what="a write upon something that does not stand there")


@rule("S2d")
def own_chain(ground: Ground) -> None:
    """Nobody is in conflict with their own earlier writes."""
    record_id = ground.stored()
    base = ground.one.base(record_id)
    for number, was in (("1", None), ("2", "1"), ("3", "2")):
        said = ground.one.write(operation("patch", "building", record_id, base=base, set={"number": number}, was={"number": was}))
        must(said[0] in ("applied", "merged"), f"an own later write is answered {said[0]}")
    must(ground.one.seen(record_id)["fields"]["number"] == "3", "an own later write does not stand")


@rule("S3a")
def review(ground: Ground) -> None:
    """Policy review: the value that stands stays, the newcomer's is kept as an open conflict."""
    record_id, _ = _dispute(ground)
    copy = ground.one.record(record_id) or {}
    must("anchor" in copy.get("conflicts", []), "the unit in dispute is not named in the stream")


def _dispute(ground: Ground) -> tuple[str, list[str]]:
    """A building whose place is in dispute, and the op_ids of the two values."""
    record_id = ground.stored()
    copies = [(ground.one, 1e-5), (ground.two, 2e-5)]
    lon, lat = ground.place
    writes = [ground.patch(device, "building", record_id, {"anchor": ground.anchor((lon + by, lat))}) for device, by in copies]
    _write(ground.one, writes[0], due="applied", what="the first place")
    _write(ground.two, writes[1], due="conflict", what="another place")
    ground.both()
    stands = (ground.one.record(record_id) or {})["fields"]["anchor"]["raw"]["lon"]
    must(abs(stands - (lon + 1e-5)) < 1e-9, "policy review does not keep the value that stood")
    return record_id, [one["op_id"] for one in writes]


@rule("S3b")
def union(ground: Ground) -> None:
    """Policy union: what two people add or take out is joined."""
    home = ground.home()["household"]
    mine = ground.patch(ground.one, "household", home, {"tags": {"add": ["a", "b"]}})
    theirs = ground.patch(ground.two, "household", home, {"tags": {"add": ["c"]}})
    ground.one.write(mine)
    said = ground.two.write(theirs)[0]
    must(said in ("applied", "merged"), f"a second addition to a set is answered {said}")
    must(sorted(ground.one.seen(home)["fields"]["tags"]) == ["a", "b", "c"], "an addition to a set is gone")


@rule("S3c")
def sums(ground: Ground) -> None:
    """Policy add: every movement counts once per op_id."""
    record_id = ground.stored("resource", quantity=10)
    mine, theirs = (ground.patch(one, "resource", record_id, {"quantity": {"delta": by}}) for one, by in ((ground.one, -3), (ground.two, 5)))
    body = ground.one.batch([mine])
    ground.one.told(body)
    ground.one.told(body)
    ground.two.write(theirs)
    must(ground.one.seen(record_id)["fields"]["quantity"] == 12, "a movement is lost or counted twice")


@rule("S3d")
def append(ground: Ground) -> None:
    """Policy append: both suffixes are kept."""
    record_id = ground.stored(note="A")
    for device, text in ((ground.one, "A\nB"), (ground.two, "A\nC")):
        device.write(ground.patch(device, "building", record_id, {"note": text}))
    note = ground.one.seen(record_id)["fields"]["note"]
    must("B" in note and "C" in note, "a suffix of a note is gone")


@rule("S4")
def settle(ground: Ground) -> None:
    """The values in dispute can be read, and a resolution closes those that it names."""
    record_id, op_ids = _dispute(ground)
    asked = {"protocol": 1, "install_id": ground.one.install_id, "records": [record_id]}
    reply = ground.one.post("disputes", asked)
    must(reply.status == 200, f"a question for disputes is answered {reply.status} {reply.slug}")
    told = [one for one in reply.body["disputes"] if one["unit"] == "anchor"]
    must(len(told) == 1 and {one["op_id"] for one in told[0]["siblings"]} == set(op_ids), "a dispute does not list both values")
    must(all(isinstance(one.get("form_version"), int) for one in told[0]["siblings"]), "a value in dispute does not say by which form it was written")
    final = {"anchor": ground.anchor()}
    resolve = operation("resolve", "building", record_id, base=ground.one.base(record_id), unit="anchor", siblings=op_ids, set=final)
    said = ground.one.write(resolve)[0]
    must(said in ("applied", "merged"), f"a resolution is answered {said}")
    must("anchor" not in ground.one.seen(record_id)["conflicts"], "a resolution does not close its conflict")


@rule("S5a")
def edit_of_deleted(ground: Ground) -> None:
    """A write that had not seen a deletion is kept and answered conflict; the record stays deleted until it is restored."""
    record_id = ground.stored()
    edit = ground.patch(ground.two, "building", record_id, {"number": "5"})
    _write(ground.one, operation("delete", "building", record_id, base=ground.one.base(record_id)), due="applied", what="a deletion")
    _write(ground.two, edit, due="conflict", what="an edit of a deleted record")
    ground.one.pull()
    must(ground.one.record(record_id) is None, "a deleted record comes to life by an edit")
    said = ground.one.write(operation("restore", "building", record_id))[0]
    must(said in ("applied", "merged"), f"a restoration is answered {said}")
    must(ground.one.seen(record_id)["fields"].get("number") == "5", "an edit of a deleted record is lost")


@rule("S5b")
def delete_unseen(ground: Ground) -> None:
    """A deletion of what the deleter had not seen stands, is answered conflict, and says so to the streams."""
    record_id = ground.stored()
    deletion = operation("delete", "building", record_id, base=ground.two.base(record_id))
    _write(ground.one, ground.patch(ground.one, "building", record_id, {"number": "6"}), due="applied", what="an edit")
    _write(ground.two, deletion, due="conflict", what="a deletion over an unseen value")
    came = [row for row in ground.one.pull() if row["kind"] == "REMOVE" and row["id"] == record_id]
    must(bool(came) and came[-1]["reason"] == "deleted", "a deletion is not told as REMOVE (deleted)")


@rule("S6")
def one_home(ground: Ground) -> None:
    """Nobody lives in two homes: two moves of one person are a dispute about one unit."""
    person = ground.home()["persons"][0]
    homes = [ground.home(0)["household"] for _ in range(2)]
    ground.both()
    moves = [ground.patch(one, "person", person, {"residence_household": home}) for one, home in zip((ground.one, ground.two), homes, strict=True)]
    _write(ground.one, moves[0], due="applied", what="the first move")
    _write(ground.two, moves[1], due="conflict", what="the second move")
    copy = ground.one.seen(person)
    must(copy["fields"]["residence_household"] == homes[0] and "residence" in copy["conflicts"], "two moves of a person are no dispute")


@rule("S7")
def never_refused(ground: Ground) -> None:
    """What does not fit together is recorded all the same."""
    made = ground.new("resource", {"name": "conformance", "kind": "supply", "anchor": ground.anchor(), "valid_until": "2001-01-01"})
    _write(ground.one, made, due="applied", what="a value that contradicts a constraint over units")


@rule("S8")
def command(ground: Ground) -> None:
    """A command is one operation: a household moves with everybody in it, in one step."""
    home, other = ground.home(2), ground.home(0)
    move = operation("command", "household", home["household"], base=ground.one.base(home["household"]), name="move_household",
                     arguments={"dwelling": other["dwelling"]}, others={})  # fmt: skip
    _write(ground.one, move, due="applied", what="a move")
    must(ground.one.seen(home["household"])["fields"]["dwelling"] == other["dwelling"], "a household did not move")
    wrong = operation("command", "household", home["household"], name="move_household", arguments={"dwelling": other["dwelling"], "speed": 1})
    said = ground.one.push([wrong])[0]
    must(said["now"]["outcome"] == "quarantined" and said["errors"][0]["code"] == "unknown_argument", "a strange argument is not refused")


@rule("S8b")
def merging(ground: Ground) -> None:
    """A merged id leads to the survivor for ever, and a merge can be undone."""
    stays, ends = ground.home(2)["persons"]
    merge = operation("command", "person", stays, base=ground.one.base(stays), name="merge_persons", arguments={"merged": ends}, others={})
    must(ground.one.write(merge)[0] in ("applied", "merged"), "a merge is not applied")
    came = [row for row in ground.one.pull() if row["kind"] == "REMOVE" and row["id"] == ends]
    must(bool(came) and came[-1]["reason"] == "merged", "a merge is not told as REMOVE (merged)")
    said = ground.one.push([operation("patch", "person", ends, set={"occupation_text": "x"}, was={"occupation_text": None})])[0]
    must((said["record"] or {}).get("id") == stays, "what is addressed to a merged id is not about the survivor")
    must(ground.one.write(operation("command", "person", stays, name="undo", arguments={"command": merge["op_id"]}))[0] in ("applied", "merged"),
         "a merge cannot be undone")  # fmt: skip
    ground.one.seen(ends)


@rule("S9")
def confirm(ground: Ground) -> None:
    """`confirm` marks the units that it names with who saw them when, and raises the version."""
    record_id = ground.stored(number="4")
    before = ground.one.base(record_id)
    seen = operation("confirm", "building", record_id, base=before, units=["number"], was={"number": "4"})
    _write(ground.one, seen, due="applied", what="a confirmation")
    copy = ground.one.seen(record_id)
    must(copy["v"] == before["v"] + 1, "a confirmation does not raise the version")
    must((copy["confirmed"].get("number") or {}).get("op_id") == seen["op_id"], "a confirmation does not mark its unit")


@rule("T1")
def tags(ground: Ground) -> None:
    """v grows by one with each operation, and tags follow section 8."""
    made = ground.building(number="1")
    first = ground.one.push([made])[0]["record"]
    must(first == {"id": made["id"], "v": 1, "tag": version_tag(ZERO_TAG, made["op_id"], ["anchor", "name", "number"])}, "the tag of a creation differs")
    edit = operation("patch", "building", made["id"], base={"v": 1, "tag": first["tag"]}, set={"number": "2", "use": "office"}, was={})
    second = ground.one.push([edit])[0]["record"]
    must(second == {"id": made["id"], "v": 2, "tag": version_tag(first["tag"], edit["op_id"], ["number", "use"])}, "the tag of a patch differs")
