"""What a crash leaves in the storage of photos goes again; what this house has not begun itself is named, never touched."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from test_server_blobs import Killed, killed, name_of, office, phone, picture  # noqa: F401

from server.cli import main
from server.services import blob_leftovers, blob_store
from server.services.blob_leftovers import unnamed
from server.store import backup
from server.store import blobs as store


def kept(office: Any) -> list[str]:  # noqa: F811
    return [file for page in blob_store.files(office.house) for file, _ in page]


def age(office: Any, file: str, at: datetime) -> None:  # noqa: F811
    """A file as if it had been written then."""
    os.utime(office.house.settings.data_dir / "blobs" / file, (at.timestamp(), at.timestamp()))


def test_a_file_that_a_crash_left_without_its_row_goes_after_a_day(office, clock, monkeypatch):  # noqa: F811
    """Nobody can open it; while its upload may still go on it stays, and the photo that is sent again is never taken for it."""
    _, uploader = phone(office)
    content = picture()
    where = uploader.begin(content).headers["Location"]
    with monkeypatch.context() as change, pytest.raises(Killed):
        change.setattr(store, "add_blob", killed)
        uploader.send(where, 0, content)
    left = kept(office)
    blob_leftovers.sweep(office.house)
    assert len(left) == 1 and kept(office) == left
    assert uploader.offset(where) == len(content) and uploader.fetch(name_of(content)).data == content
    assert len(kept(office)) == 2
    clock.advance(days=2)
    for _ in range(2):
        blob_leftovers.sweep(office.house)
        assert len(kept(office)) == 1 and left[0] not in kept(office)
    assert uploader.fetch(name_of(content)).data == content


def test_a_file_that_goes_while_it_is_written_is_no_photo(office, clock, monkeypatch):  # noqa: F811
    """A storage that takes longer than a day: the phone is told to come again, and no row names a file that is gone."""
    _, uploader = phone(office)
    content = picture()
    where, put = uploader.begin(content).headers["Location"], blob_store.put

    def slowly(*given: Any) -> None:
        put(*given)
        clock.advance(days=2)
        blob_leftovers.sweep(office.house)

    with monkeypatch.context() as change:
        change.setattr(blob_store, "put", slowly)
        assert uploader.send(where, 0, content).status_code == 503
    assert kept(office) == [] and uploader.fetch(name_of(content)).status_code == 404
    assert uploader.offset(where) == len(content) and uploader.fetch(name_of(content)).data == content


def test_a_storage_that_is_away_keeps_no_file_for_ever(office, clock, monkeypatch):  # noqa: F811
    """What could not be removed is removed at the next round."""
    _, uploader = phone(office)
    where = uploader.begin(picture()).headers["Location"]
    with monkeypatch.context() as change, pytest.raises(Killed):
        change.setattr(store, "add_blob", killed)
        uploader.send(where, 0, picture())
    clock.advance(days=2)
    with monkeypatch.context() as change, pytest.raises(Killed):
        change.setattr(blob_store, "drop", killed)
        blob_leftovers.sweep(office.house)
    assert len(kept(office)) == 1
    blob_leftovers.sweep(office.house)
    assert kept(office) == []


def test_verify_names_a_file_that_no_row_names_and_nobody_removes_it(office, clock, monkeypatch):  # noqa: F811
    """A database that was copied back knows less than its storage: what it has not begun itself is for people to judge, and no backup says otherwise."""
    _, uploader = phone(office)
    uploader.upload(picture())
    named = kept(office)
    stray, fresh = f"c-1/ab/{'a' * 64}.1", f"c-1/cd/{'c' * 64}.2"
    for file in (stray, fresh):
        blob_store.put(office.house, file, b"sealed")
    for file in (*named, stray):
        age(office, file, clock() - timedelta(days=3))
    blob_leftovers.sweep(office.house)
    assert list(unnamed(office.house)) == list(unnamed(office.house, "c-1")) == [stray] and list(unnamed(office.house, "c-2")) == []
    assert sorted(kept(office)) == sorted([*named, stray, fresh]) and "begun_file" not in backup.tables()
    monkeypatch.setattr("server.cli.verify.open_house", lambda: office.house)
    said = CliRunner().invoke(main, ["verify"])
    assert said.exit_code == 0 and stray in said.output and fresh not in said.output and named[0] not in said.output
