"""The floors: what the same work costs at least under the same WSGI server, without any of the product's promises.

``python -m bench.floors FOLDER`` serves them on a free port and prints the address. Same gunicorn settings as the
product on SQLite (one process, threads), own database file, WAL, ``synchronous=FULL``, no compression.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import orjson
from flask import Flask, Response, request
from gunicorn.app.base import BaseApplication

# The 25 fields of the persons that are measured with (bench.workload), so that both sides send the same names.
COLUMNS = (
    "name", "document_type", "document_number", "document_evidence", "sex", "birth_date", "birth_precision",
    "vital_status", "phones", "ethnic_code", "education_code", "marital_code", "political_code", "occupation_text",
    "employer_text", "emergency_contacts", "keyholder_text", "residence_household", "relation_to_head",
    "resident_from", "joined_reason", "presence", "registration_address_text", "registration_division_code",
    "registration_kind",
)  # fmt: skip


def make_app(path: Path) -> Flask:
    """The Flask application of the floors over the database file ``path``."""
    app, local = Flask("floors", static_folder=None), threading.local()
    writing = threading.Lock()

    def database() -> sqlite3.Connection:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(path, isolation_level=None, timeout=30)
            local.connection.execute("PRAGMA journal_mode=WAL")
            local.connection.execute("PRAGMA synchronous=FULL")
        connection: sqlite3.Connection = local.connection
        return connection

    database().executescript(
        "CREATE TABLE IF NOT EXISTS item (id TEXT PRIMARY KEY, body TEXT NOT NULL);"
        f"CREATE TABLE IF NOT EXISTS wide (n INTEGER PRIMARY KEY, {', '.join(f'{name} TEXT' for name in COLUMNS)});"
    )

    @app.get("/")
    def alive() -> Response:
        return _json({"ok": True})

    @app.post("/insert")
    def insert() -> Response:
        records = orjson.loads(request.get_data())["records"]
        rows = [(one["id"], orjson.dumps(one).decode()) for one in records]
        with writing:
            connection = database()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO item (id, body) VALUES (?, ?)", rows)
            connection.execute("COMMIT")
        return _json({"stored": len(rows)})

    @app.post("/submission")
    def submission() -> Response:
        content = request.files["xml_submission_file"].read().decode()
        with writing:
            connection = database()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO item (id, body) VALUES (?, ?)", (uuid.uuid4().hex, content))
            connection.execute("COMMIT")
        return Response("<OpenRosaResponse/>", status=201, mimetype="text/xml")

    @app.post("/patch")
    def patch() -> Response:
        changes = orjson.loads(request.get_data())["changes"]
        with writing:
            connection = database()
            connection.execute("BEGIN IMMEDIATE")
            ids = orjson.dumps([one["id"] for one in changes]).decode()
            stored = dict(
                connection.execute(
                    "SELECT i.id, i.body FROM json_each(?) k CROSS JOIN item i ON i.id = k.value", (ids,)
                ).fetchall()
            )
            rows = [
                (orjson.dumps(orjson.loads(stored[one["id"]]) | one["set"]).decode(), one["id"]) for one in changes
            ]
            connection.executemany("UPDATE item SET body = ? WHERE id = ?", rows)
            connection.execute("COMMIT")
        return _json({"changed": len(rows)})

    @app.post("/widen")
    def widen() -> Response:
        records = orjson.loads(request.get_data())["records"]
        rows = [tuple(_text(one[name]) for name in COLUMNS) for one in records]
        marks = ", ".join("?" * len(COLUMNS))
        with writing:
            connection = database()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO wide ({', '.join(COLUMNS)}) VALUES ({marks})", rows)
            connection.execute("COMMIT")
        return _json({"stored": len(rows)})

    @app.post("/read")
    def read() -> Response:
        asked = orjson.loads(request.get_data())
        rows = database().execute(
            f"SELECT n, {', '.join(COLUMNS)} FROM wide WHERE n > ? ORDER BY n LIMIT ?", (asked["after"], asked["limit"])
        )
        names = ("n", *COLUMNS)
        return _json({"rows": [dict(zip(names, row, strict=True)) for row in rows]})

    return app


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), mimetype="application/json")


class _Floors(BaseApplication):
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__()

    def load_config(self) -> None:
        """The settings of server.serve on SQLite."""
        chosen: dict[str, Any] = {
            "bind": ["127.0.0.1:0"], "worker_class": "gthread", "workers": 1, "threads": 16, "timeout": 120,
            "keepalive": 5, "loglevel": "warning", "accesslog": None, "control_socket_disable": True,
            "when_ready": _ready,
        }  # fmt: skip
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """One process, one application."""
        return make_app(self.folder / "floors.sqlite3")


def _ready(arbiter: Any) -> None:
    host, port = arbiter.LISTENERS[0].sock.getsockname()[:2]
    print(f"http://{host}:{port}/", flush=True)


if __name__ == "__main__":
    _Floors(Path(sys.argv[1])).run()
