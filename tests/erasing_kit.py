"""What is left of somebody in the files of a house."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
from sqlalchemy import make_url

from server.store.database import run, write


def files_of(ground):
    """Every file that a disk of this house holds: data folder, database with its log, or the tables of PostgreSQL."""
    url = make_url(str(ground.house.engine.url.render_as_string(hide_password=False)))
    found = [path for path in ground.house.settings.data_dir.rglob("*") if path.is_file()]
    if url.get_backend_name() == "sqlite":
        ground.house.engine.dispose()
        return found + [path for path in Path(str(url.database)).parent.glob(Path(str(url.database)).name + "*") if path.is_file()]
    with write(ground.house.engine) as connection:
        run(connection, "COMMIT")
        run(connection, "CHECKPOINT")
        base = Path(run(connection, "SHOW data_directory").scalar_one()) / "base"
        oid = run(connection, "SELECT oid FROM pg_database WHERE datname = current_database()").scalar_one()
    return found + [path for path in (base / str(oid)).iterdir() if path.is_file() and os.access(path, os.R_OK)]


def _content(path):
    """The bytes of a file; none of one that is gone: PostgreSQL renews what it remembers of its catalogue at any moment."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def holding(ground, *needles):
    """Names of files in which one of these bytes stands, plain or as JSON or UTF-16 writes it."""
    written = {form for one in needles for text in [one] for form in (
        text.encode(), text.encode("utf-16-le"), orjson.dumps(text)[1:-1], text.encode("unicode_escape"),
    )} if needles and isinstance(needles[0], str) else set(needles)  # fmt: skip
    return [path.name for path in files_of(ground) if any(one in content for content in [_content(path)] for one in written)]
