"""The public peers that `bench.peers` measures beside the product: installed, started, asked as their own clients ask them."""

from __future__ import annotations

import base64
import http.client
import socket
import subprocess
import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import orjson

from bench import served

POUCH, KINTO = "pouchdb-server@4.2.0", "kinto[postgresql]==26.5.0"


def install_pouch(folder: Path) -> None:
    """`pouchdb-server` of npm below ``folder``; nothing where it is there."""
    where = folder / "pouch"
    if (where / "node_modules" / ".bin" / "pouchdb-server").exists():
        return
    where.mkdir(parents=True, exist_ok=True)
    (where / "package.json").write_text('{"name": "peer", "private": true}')
    subprocess.run(["npm", "install", POUCH, "--no-audit", "--no-fund", "--loglevel=error"], cwd=where, check=True)


def install_kinto(folder: Path) -> None:
    """Kinto of PyPI in a virtual environment below ``folder``; nothing where it is there."""
    where = folder / "kinto"
    if (where / "bin" / "kinto").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(where)], check=True)
    subprocess.run([str(where / "bin" / "pip"), "install", "--quiet", KINTO], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Collection(ABC):
    """Records at a server."""

    title = ""

    @abstractmethod
    def pushing(self, records: list[dict[str, Any]]) -> Callable[[], list[str]]:
        """A request that is made already, to be sent: ids that were acknowledged."""

    def push(self, records: list[dict[str, Any]]) -> list[str]:
        """Ids that were acknowledged."""
        return self.pushing(records)()

    @abstractmethod
    def ids(self) -> set[str]:
        """Ids of all records that are there."""


class Peer(Collection):
    """A server on loopback HTTP; a collection of records in it."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.connection: http.client.HTTPConnection | None = None
        self.headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self.asked_s = 0.0
        """As of `served.Served`."""

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it."""

    def prepare(self) -> None:
        """What its first start needs."""

    @abstractmethod
    def begin(self) -> None:
        """Make the collection."""

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.title} did not start: {(self.folder / 'log').read_text()[-2000:]}") from None
                time.sleep(0.2)
        self.begin()
        return self

    def cpu_s(self) -> float:
        """CPU seconds of the server's processes so far."""
        return served.cpu_of_family(self.process.pid) if self.process is not None else 0.0

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[Any, dict[str, str]]:
        """JSON and headers of an answer below 400; RuntimeError else."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        content = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        for last in (False, True):
            started = time.perf_counter()
            try:
                self.connection.request(method, path, content, self.headers)
                answer = self.connection.getresponse()
                told = answer.read()
                self.asked_s += time.perf_counter() - started
                break
            except (http.client.HTTPException, ConnectionError):  # an idle connection was closed
                self.connection.close()
                if last:
                    raise
        if answer.status >= 400:
            raise RuntimeError(f"{self.title}: {method} {path}: {answer.status} {told[:300]!r}")
        return orjson.loads(told) if told else None, {name.lower(): value for name, value in answer.getheaders()}

    @abstractmethod
    def another(self, name: str) -> Collection:
        """The same server with another, empty collection, for devices that share it (a connection for each thread)."""


class Pouch(Peer):
    """`pouchdb-server` on LevelDB."""

    name, title = "pouch", "pouchdb-server"

    def __init__(self, peers: Path, folder: Path, database: str = "records") -> None:
        super().__init__(folder)
        self.peers, self.database, self.since = peers, database, 0
        self.revisions: list[tuple[str, str]] = []
        self.stored: dict[str, dict[str, Any]] = {}

    def command(self) -> list[str]:
        program = self.peers / "pouch" / "node_modules" / ".bin" / "pouchdb-server"
        return [str(program.resolve()), "--port", str(self.port), "--host", "127.0.0.1", "--dir", str(self.folder), "--no-stdout-logs"]

    def begin(self) -> None:
        self.ask("PUT", f"/{self.database}")

    def pushing(self, records: list[dict[str, Any]]) -> Callable[[], list[str]]:
        docs = [{"_id": one["id"], **{name: value for name, value in one.items() if name != "id"}} for one in records]
        self.stored |= {one["_id"]: one for one in docs}
        body = orjson.dumps({"docs": docs})

        def send() -> list[str]:
            told, _ = self.ask("POST", f"/{self.database}/_bulk_docs", body)
            self.revisions += [(one["id"], one["rev"]) for one in told if one.get("ok")]
            return [one["id"] for one in told if one.get("ok")]

        return send

    def editing(self, start: int, count: int, value: str) -> Callable[[], None]:
        """One field of stored records, which its clients send whole."""
        docs = [self.stored[one] | {"_rev": rev, "occupation_text": value} for one, rev in self.revisions[start : start + count]]
        body = orjson.dumps({"docs": docs})

        def send() -> None:
            told, _ = self.ask("POST", f"/{self.database}/_bulk_docs", body)
            self.revisions[start : start + count] = [(one["id"], one["rev"]) for one in told]

        return send

    def pull(self, limit: int) -> int:
        """The next page of the changes feed with the documents."""
        told, _ = self.ask("GET", f"/{self.database}/_changes?since={self.since}&limit={limit}&include_docs=true")
        self.since = told["last_seq"]
        return len(told["results"])

    def ids(self) -> set[str]:
        told, _ = self.ask("GET", f"/{self.database}/_all_docs")
        return {row["id"] for row in told["rows"]}

    def another(self, name: str) -> Collection:
        self.ask("PUT", f"/{name}")
        return _Shared(self, name)


class Kinto(Peer):
    """Kinto under its own `kinto start`, on PostgreSQL."""

    name, title = "kinto", "Kinto"

    def __init__(self, peers: Path, folder: Path, database_url: str, collection: str = "records", database_pid: int = 0) -> None:
        super().__init__(folder)
        self.database_pid = database_pid
        self.program, self.database_url, self.collection = peers / "kinto" / "bin" / "kinto", database_url, collection
        self.headers["Authorization"] = "Basic " + base64.b64encode(b"device:secret").decode()
        self.order: list[str] = []
        self.next: str | None = None

    def prepare(self) -> None:
        url = self.database_url.replace("postgresql+psycopg:", "postgresql:").replace("%", "%%")
        (self.folder / "kinto.ini").write_text(
            f"""[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {self.port}
[app:main]
use = egg:kinto
kinto.userid_hmac_secret = of-this-measure-only
kinto.bucket_create_principals = system.Everyone
multiauth.policies = basicauth
kinto.storage_backend = kinto.core.storage.postgresql
kinto.storage_url = {url}
kinto.permission_backend = kinto.core.permission.postgresql
kinto.permission_url = {url}
kinto.cache_backend = kinto.core.cache.memory
kinto.batch_max_requests = 500
kinto.paginate_by = 1000
kinto.storage_max_fetch_size = 20000
"""
        )
        subprocess.run([str(self.program), "migrate", "--ini", str(self.folder / "kinto.ini")], check=True, capture_output=True)

    def cpu_s(self) -> float:
        """Its own, and those of its database."""
        return super().cpu_s() + (served.cpu_of_family(self.database_pid) if self.database_pid else 0.0)

    def command(self) -> list[str]:
        return [str(self.program), "start", "--ini", str(self.folder / "kinto.ini"), "--port", str(self.port)]

    def begin(self) -> None:
        self.ask("PUT", "/v1/buckets/bench", {})
        self.ask("PUT", f"/v1/buckets/bench/collections/{self.collection}", {})

    def _path(self, record_id: str = "") -> str:
        return f"/buckets/bench/collections/{self.collection}/records" + (f"/{record_id}" if record_id else "")

    def pushing(self, records: list[dict[str, Any]]) -> Callable[[], list[str]]:
        requests = [{"method": "PUT", "path": "/v1" + self._path(one["id"]), "body": {"data": one}} for one in records]
        body = orjson.dumps({"requests": requests})

        def send() -> list[str]:
            told, _ = self.ask("POST", "/v1/batch", body)
            done = [one["id"] for one, said in zip(records, told["responses"], strict=True) if said["status"] in (200, 201)]
            self.order += done
            return done

        return send

    def editing(self, start: int, count: int, value: str) -> Callable[[], None]:
        """One field of stored records."""
        requests = [
            {"method": "PATCH", "path": "/v1" + self._path(one), "body": {"data": {"occupation_text": value}}} for one in self.order[start : start + count]
        ]
        body = orjson.dumps({"requests": requests})

        def send() -> None:
            told, _ = self.ask("POST", "/v1/batch", body)
            if any(one["status"] >= 400 for one in told["responses"]):
                raise RuntimeError("Kinto refused an edit")

        return send

    def pull(self, limit: int) -> int:
        """The next page, as its clients page."""
        told, headers = self.ask("GET", self.next or f"/v1{self._path()}?_limit={limit}&_sort=last_modified")
        following = headers.get("next-page")
        self.next = following[following.index("/v1/") :] if following else None
        return len(told["data"])

    def ids(self) -> set[str]:
        found: set[str] = set()
        self.next = None
        while True:
            told, headers = self.ask("GET", self.next or f"/v1{self._path()}?_limit=1000")
            found |= {one["id"] for one in told["data"]}
            following = headers.get("next-page")
            if not following:
                return found
            self.next = following[following.index("/v1/") :]

    def another(self, name: str) -> Collection:
        self.ask("PUT", f"/v1/buckets/bench/collections/{name}", {})
        return _Shared(self, name)


class _Shared(Collection):
    """A collection that several threads push into: each request on a connection of its own."""

    def __init__(self, peer: Pouch | Kinto, collection: str) -> None:
        self.peer, self.collection = peer, collection
        self.title = peer.title

    def _alone(self) -> Pouch | Kinto:
        made = (
            Pouch(self.peer.peers, self.peer.folder, self.collection)
            if isinstance(self.peer, Pouch)
            else Kinto(self.peer.program.parent.parent.parent, self.peer.folder, self.peer.database_url, self.collection)
        )
        made.port = self.peer.port
        return made

    def pushing(self, records: list[dict[str, Any]]) -> Callable[[], list[str]]:
        return self._alone().pushing([one | {"id": str(uuid.UUID(one["id"]))} for one in records])

    def ids(self) -> set[str]:
        return self._alone().ids()
