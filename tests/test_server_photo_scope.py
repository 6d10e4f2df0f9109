"""L10, S18: whoever has once read a photo reads it, and may name it elsewhere, only while a record of their cells shows it."""

from __future__ import annotations

import pytest
from server_kit import anchor, create, furnish, home, open_ground, operation, patch
from stream_oracle import recount
from test_server_blobs import Uploader, name_of, picture


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish), tmp_path, clock)
    yield ground
    recount(ground)
    ground.close()


class Scene:
    """A photo of a home in the middle cell, by one of its two workers; what a phone gets who asks for it."""

    def __init__(self, ground):
        self.ground, self.content = ground, picture("red")
        self.name, self.near = name_of(self.content), home(1, "王五")
        self.owner, self.reader = ground.worker(1), ground.worker(0, 1)
        self.owner.write(*self.near.operations)
        fields = {"household": self.near.household, "method": "door", "outcome": "met", "attempt_number": 1}
        self.visit = create("visit", fields | {"photos": {"add": [self.name]}})
        self.owner.write(self.visit)
        self.reader.pull()

    def upload(self, phone=None):
        self.hands(phone or self.owner).upload(self.content)

    def hands(self, phone):
        return Uploader(self.ground.app.test_client(), {"Authorization": f"Bearer {phone.token}"})

    def status(self, phone):
        return self.hands(phone).fetch(self.name).status_code

    def naming(self, cell=0):
        """A cupboard in a cell that shows the same photo."""
        return create("resource", {"name": "应急物资柜", "kind": "supply", "anchor": anchor(cell), "photos": {"add": [self.name]}})


@pytest.fixture
def scene(ground):
    return Scene(ground)


def test_a_reader_whose_cell_was_taken_away_reads_the_photo_no_more(ground, scene):
    """L10: having read it once opens nothing; whoever uploaded it keeps it; with the cell it comes back."""
    scene.upload()
    assert [scene.status(one) for one in (scene.owner, scene.reader)] == [200, 200]
    ground.unassign(scene.reader.user_id, 1)
    ground.unassign(scene.owner.user_id, 1)
    assert [scene.status(one) for one in (scene.owner, scene.reader)] == [200, 404]
    ground.assign(scene.reader.user_id, 1)
    assert scene.status(scene.reader) == 200


def test_naming_it_elsewhere_afterwards_opens_nothing(ground, scene):
    """L10: a record of one's own that names the photo is written, and shows nothing to anybody who may not see it anyway."""
    scene.upload()
    other = ground.worker(0)
    assert scene.status(scene.reader) == 200
    ground.unassign(scene.reader.user_id, 1)
    scene.reader.pull()
    scene.reader.write(scene.naming())
    assert [scene.status(one) for one in (scene.reader, other)] == [404, 404]


@pytest.mark.parametrize("told", ["before it has heard of it", "after it has heard of it"])
def test_what_was_named_offline_while_it_could_be_read_counts(ground, scene, told):
    """S18, L5: named in the cupboard of another cell before the reassignment was read; it arrives later, and the cupboard shows the photo."""
    scene.upload()
    other, named = ground.worker(0), scene.naming()
    assert scene.status(scene.reader) == 200
    ground.unassign(scene.reader.user_id, 1)
    if told == "after it has heard of it":
        scene.reader.n = 1  # it is in the log, unsent
        scene.reader.pull()
        scene.reader.n = 0
    scene.reader.write(named)
    assert [scene.status(one) for one in (other, scene.reader)] == [200, 200]
    later = scene.naming()
    scene.reader.write(later, operation("delete", "resource", named["id"], base=ground.base(named["id"])))
    assert scene.status(other) == 200, "by the cupboard that is left: it was named while one that is seen showed it"


def test_one_who_sees_the_record_may_name_its_photo_without_having_opened_it(ground, scene):
    """S18: could already read it: the record that shows it is in the author's cells."""
    scene.upload()
    other = ground.worker(0)
    scene.reader.write(scene.naming())
    assert scene.status(other) == 200


def test_it_was_named_before_the_file_had_come(ground, scene):
    """The record goes first, the file later: once the author has read it, what they said of it before counts."""
    other = ground.worker(0)
    scene.reader.write(scene.naming())
    scene.upload()
    assert scene.status(other) == 404
    assert scene.status(scene.reader) == 200
    assert scene.status(other) == 200


def test_it_was_read_and_is_shown_no_more_when_the_reference_arrives(ground, scene):
    """S18, L5: the visit is deleted while the reader is offline: what they have read and named counts; whoever has not read it, names it in vain."""
    scene.upload()
    blind, other = ground.worker(0, 1), ground.worker(0)
    assert scene.status(scene.reader) == 200
    scene.owner.write(operation("delete", "visit", scene.visit["id"], base=ground.base(scene.visit["id"])))
    blind.write(scene.naming())
    assert scene.status(other) == 404
    scene.reader.write(scene.naming())
    assert scene.status(other) == 200


def test_a_stranger_cannot_open_it_by_a_chain_of_records(ground, scene):
    """L10: who never saw it names it twice; the second naming is no more worth than the first."""
    scene.upload()
    stranger, other = ground.worker(0), ground.worker(0)
    first = scene.naming()
    stranger.write(first)
    stranger.write(scene.naming())
    stranger.write(patch(ground, first["id"], {"note": "再写"}))
    assert [scene.status(one) for one in (stranger, other)] == [404, 404]
    scene.upload(stranger)
    assert [scene.status(one) for one in (stranger, other)] == [200, 200], "who has the bytes has them"


def test_a_record_that_leaves_the_cells_takes_its_photo_with_it(ground, scene):
    """L10, L3: the building is put elsewhere: the reader of the old cell reads no more; the worker of the new one does."""
    scene.upload()
    old, new = ground.worker(1), ground.worker(2)
    assert [scene.status(one) for one in (old, new)] == [200, 404]
    ground.worker(0, 1, 2).write(patch(ground, scene.near.building, {"anchor": anchor(2)}))
    assert [scene.status(one) for one in (old, new)] == [404, 200]
