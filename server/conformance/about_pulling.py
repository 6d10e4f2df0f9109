"""S19 to S24, L7, L8: pages, cursors, counts and digests."""

from __future__ import annotations

from server.conformance.device import NotTested, enrol, must, operation
from server.conformance.ground import MARK, Ground
from server.conformance.rules import rule
from sync.digest import made_id


@rule("S19a")
def cursors(ground: Ground) -> None:
    """A cursor that was touched, or is another install's, is refused as cursor-unreadable."""
    ground.both()
    cursor = ground.one.cursor or ""
    middle = len(cursor) // 2
    touched = cursor[:middle] + ("A" if cursor[middle] != "A" else "B") + cursor[middle + 1 :]
    for wrong in (touched, ground.two.cursor, "nonsense"):
        reply = ground.one.post("pull", {"protocol": 1, "install_id": ground.one.install_id, "cursor": wrong, "limit": None})
        must(reply.status == 410 and reply.slug == "cursor-unreadable", f"a wrong cursor is answered {reply.status} {reply.slug}")


@rule("S19b")
def same_page(ground: Ground) -> None:
    """The same cursor gives the same again: pulling moves nothing."""
    ground.stored()
    asked = {"protocol": 1, "install_id": ground.one.install_id, "cursor": None, "limit": 3}
    one, two = ground.one.post("pull", asked).body, ground.one.post("pull", asked).body
    must(one.get("rows") == two.get("rows"), "the same question is answered otherwise")


@rule("S20a")
def small_pages(ground: Ground) -> None:
    """Small pages bring the same copies as large ones."""
    for _ in range(3):
        ground.stored()
    ground.one.afresh()
    whole = dict(ground.one.rows)
    ground.one.afresh(limit=2)
    must(ground.one.rows == whole, "small pages bring other rows")


@rule("S20b")
def only_complete(ground: Ground) -> None:
    """Only a complete page has counts, digests, `applied` and `safe_n`."""
    ground.stored()
    ground.one.cursor, ground.one.rows = None, {}
    page = ground.one.page(limit=1)
    must(not page["complete"] and not page.keys() & {"streams", "applied", "safe_n"}, "a page that is not complete says that it is")
    ground.one.pull()
    page = ground.one.last_page
    must(page.keys() >= {"streams", "applied", "safe_n"}, "a complete page has no counts")
    must(page["applied"] == {"n": ground.one.n, "op_id": ground.one.op_id}, "`applied` is not the head of the log")


@rule("S20c")
def changing(ground: Ground) -> None:
    """A record that changes between two pages is right at the end."""
    record_ids = [ground.stored(number="1") for _ in range(3)]
    ground.one.cursor, ground.one.rows = None, {}
    ground.one.page(limit=2)
    for record_id in record_ids:
        ground.two.write(ground.patch(ground.two, "building", record_id, {"number": "2"}))
    ground.one.pull()
    copies = [ground.one.record(one) or {} for one in record_ids]
    must([one["fields"]["number"] for one in copies] == ["2"] * 3, "a change between two pages is skipped")


@rule("S20d")
def rows(ground: Ground) -> None:
    """A row is PUT with the record, REMOVE with a reason, or STATUS; seq grows in every stream."""
    record_id = ground.stored()
    ground.one.write(operation("delete", "building", record_id, base=ground.one.base(record_id)))
    numbers: dict[str, int] = {}
    for row in ground.one.afresh(limit=7):
        must(row["kind"] in ("PUT", "REMOVE", "STATUS"), f"a row of kind {row['kind']}")
        must(row["kind"] != "REMOVE" or row["reason"] in ("moved", "deleted", "merged", "erased"), "a REMOVE without a reason")
        must(row["seq"] > numbers.get(row["stream"], 0), "seq does not grow in a stream")
        numbers[row["stream"]] = row["seq"]


@rule("L7")
def digests(ground: Ground) -> None:
    """Counts and digests at `complete` are those of the rows that were given."""
    ground.stored()
    for device in (ground.one, ground.two):
        for how in ("on", "from zero"):
            if how == "on":
                device.pull()
            else:
                device.afresh()
            mine = device.digests()
            for name, one in device.streams.items():
                must((one["count"], one["digest"]) == mine[name], f"count or digest of {name.partition('/')[0]} differs, pulled {how}")


@rule("L8")
def no_skip(ground: Ground) -> None:
    """What was answered is in the next pull of everybody who follows the stream."""
    for _ in range(5):
        made = ground.building()
        must(ground.one.write(made) == ["applied"], "a building is not applied")
        came = {row["record"]["id"] for row in ground.two.pull() if row["kind"] == "PUT"}
        must(made["id"] in came, "a change is skipped by a cursor")


@rule("S20e")
def doubted(ground: Ground) -> None:
    """A stream that a client doubts is given from zero."""
    record_id = ground.stored()
    page = ground.one.page(replace=[ground.stream])
    must(ground.stream in page["replace"], "a doubted stream is not named in `replace`")
    while not page["complete"]:
        page = ground.one.page()
    must(ground.one.record(record_id) is not None, "a doubted stream is not given from zero")


@rule("S22")
def streams(ground: Ground) -> None:
    """The streams of an install are told with its first page, its own and the reference among them."""
    ground.one.afresh()
    told = ground.one.last_page["scope"]["streams"]
    must(f"install/{ground.one.install_id}" in told and ground.stream in told and "~reference" in told, "a stream is not told")
    must(set(ground.one.streams) == set(told), "counts are not given for exactly the streams that are followed")


@rule("S22b")
def leaving(ground: Ground) -> None:
    """A record that leaves a stream says so, and stands in its new one."""
    if ground.beyond is None:
        raise NotTested("the second device follows no cell of its own")
    record_id = ground.stored()
    ground.two.write(ground.patch(ground.two, "building", record_id, {"anchor": ground.anchor(ground.beyond)}))
    came = [row for row in ground.one.pull() if row["kind"] == "REMOVE" and row["id"] == record_id]
    must(bool(came) and came[-1]["reason"] == "moved" and came[-1]["stream"] == ground.stream, "leaving is not told as REMOVE (moved)")
    must(ground.one.record(record_id) is None, "a record that left is still in a stream")
    must(ground.two.seen(record_id)["home"] != ground.stream, "a record that moved has its old home")


@rule("S23")
def masks(ground: Ground) -> None:
    """Secret fields travel as masks only."""
    person = ground.home()["persons"][0]
    number = "TESTDOC0000012345678"
    said = ground.one.write(ground.patch(ground.one, "person", person, {"document_type": "other", "document_number": number}))
    must(said == ["applied"], f"a document number is answered {said[0]}")
    copy = ground.two.seen(person)
    must(number not in str(copy) and isinstance(copy["fields"].get("document_number"), dict), "a secret field travels in plain")


@rule("S23b")
def projections(ground: Ground) -> None:
    """A phone that may not read a record gets its id, v and tag alone, so that totals agree, and cannot write it."""
    if ground.office is None:
        raise NotTested("asks for a community worker, whom --login makes")
    person = ground.home()["persons"][0]
    cares = [ground.new("care_status", {"person": person, "kind": "living_alone", "line_of_work": line}) for line in ("elderly_care", "health")]
    must(ground.one.write(*cares) == ["applied"] * 2, "care records are not applied")
    user = ground.office.line_worker("elderly_care")
    phone = enrol(ground.line, ground.office.code(user), MARK)
    phone.pull()
    seen, hidden = (phone.seen(one["id"]) for one in cares)
    must("fields" in seen, "a care record of the own line of work comes without its fields")
    must(hidden.keys() == {"id", "v", "tag"}, "of another line of work more than id, v and tag is told")
    base = {"v": hidden["v"], "tag": hidden["tag"]}
    said = phone.push([operation("patch", "care_status", cares[1]["id"], base=base, set={"level": None})])[0]
    must((said["now"]["outcome"], said["now"]["reason"]) == ("quarantined", "out_of_scope"), "what was not shown is written")
    reply = ground.office.ask("POST", f"/api/v1/users/{user}/topics", {"topics": ["health"]})
    must(reply.status == 204, f"other lines of work are answered {reply.status} {reply.slug}")
    phone.pull()
    must(phone.seen(cares[0]["id"]).keys() == {"id", "v", "tag"}, "what is no longer to be seen is not replaced")


@rule("S24")
def episodes(ground: Ground) -> None:
    """Whoever moves out leaves a closed episode that the server makes, its id by section 8."""
    home, other = ground.home(), ground.home(0)
    person = home["persons"][0]
    move = ground.patch(ground.one, "person", person, {"residence_household": other["household"]})
    must(ground.one.write(move) == ["applied"], "a person does not move")
    ground.one.pull()
    must(ground.one.record(made_id("residence", person, move["op_id"])) is not None, "no closed episode has come")


@rule("S24b")
def server_made(ground: Ground) -> None:
    """Nobody writes what the server makes."""
    said = ground.one.push([operation("create", "reference_card", set={})])[0]["now"]
    must(said["outcome"] == "quarantined", f"a record that the server makes is answered {said['outcome']} to a client")


@rule("S30")
def nowhere(ground: Ground) -> None:
    """Nobody is moved to a community that is not there: the command is quarantined and nothing changes."""
    home = ground.home()
    before = ground.one.seen(home["household"])
    move = operation("command", "household", home["household"], base=ground.one.base(home["household"]), name="move_household",
                     arguments={"community": "no-such-community"}, others={})  # fmt: skip
    said = ground.one.push([move])[0]
    must(said["now"]["outcome"] == "quarantined", f"a move to nowhere is answered {said['now']['outcome']} where quarantined is due")
    must(said["errors"][0]["pointer"] == "/arguments/community", "what is wrong is not said by its place")
    must(ground.one.seen(home["household"])["v"] == before["v"], "a move that was refused has changed the household")


@rule("S30c")
def leaves_alone(ground: Ground) -> None:
    """A move to another community stands in a group of its own: beside anything else the whole group is quarantined as not_alone."""
    home, other = ground.home(), ground.stored()
    before = ground.one.seen(home["household"])
    move = operation("command", "household", home["household"], base=ground.one.base(home["household"]), name="move_household",
                     arguments={"community": "no-such-community"}, others={})  # fmt: skip
    said = ground.one.push([ground.patch(ground.one, "building", other, {"number": "9"}), move])
    told = [(one["now"]["outcome"], one["now"]["reason"]) for one in said]
    must(told == [("quarantined", "not_alone")] * 2, f"an edit beside a move to another community is answered {told[0]}, the move {told[1]}")
    must("number" not in ground.one.seen(other)["fields"] and ground.one.seen(home["household"])["v"] == before["v"], "a group that was refused has changed something")


@rule("S30b")
def departures(ground: Ground) -> None:
    """A complete page tells how far it tells of who has left, a push that says it back is taken, and what is no such text is 422."""
    ground.one.pull()
    told = ground.one.last_page.get("departures")
    must(isinstance(told, str), "a complete page has no text `departures`")
    reply = ground.one.post("push", ground.one.batch())
    must(reply.status == 200, f"a push that says `departures` back is answered {reply.status} {reply.slug}")
    reply = ground.one.post("push", ground.one.batch(departures={"seen": 1, "last_n": 0}))
    must(reply.status == 422, f"a push whose `departures` is none is answered {reply.status} where 422 is due")
