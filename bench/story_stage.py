"""What the story needs around it: a served house, the phones' radio, an office browser, GDAL, and a voice."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from sync.device import Answer, HttpTransport, Offline

ROOT = Path(__file__).resolve().parent.parent
_EXPORT_S = 120


class NotAsTold(Exception):
    """Something is not as the story tells it; the message is one line."""


# ---------------------------------------------------------------- the voice
class Voice:
    """Prints the story: Chinese first, short English beside it."""

    def __init__(self) -> None:
        self.checks = 0
        self.title = "开场"

    def act(self, title: str, english: str) -> None:
        """A new part of the story; ``title`` stays known."""
        self.title = title
        print(f"\n{title}  {english}", flush=True)

    def say(self, chinese: str, english: str = "") -> None:
        """A plain line."""
        print(f"   {chinese}" + (f"  · {english}" if english else ""), flush=True)

    def check(self, holds: object, chinese: str, english: str = "") -> None:
        """A line that is only told when it holds; NotAsTold otherwise."""
        if not holds:
            raise NotAsTold(f"{self.title}：{chinese} · not so: {english or chinese}")
        self.checks += 1
        print(f"   ✓ {chinese}" + (f"  · {english}" if english else ""), flush=True)

    def table(self, rows: Sequence[Sequence[Any]]) -> None:
        """Rows in columns; the first row is the head. Chinese characters count two columns."""
        texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
        widths = [max(_width(row[at]) for row in texts) for at in range(len(texts[0]))]
        for row in texts:
            cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
            print(f"     {'  '.join(cells).rstrip()}", flush=True)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


# ---------------------------------------------------------------- the house
def environment_of(folder: Path) -> dict[str, str]:
    """This process's environment with the house in ``folder`` and nothing else of Dishu's settings."""
    clean = {name: value for name, value in os.environ.items() if name != "PORT" and not name.startswith("DISHU_")}
    return clean | {"DISHU_DATA": str(folder), "PORT": "0"}


def dishu(folder: Path, *arguments: str) -> str:
    """Run the command to its end; what it printed. NotAsTold with its last line when it fails."""
    done = subprocess.run(
        [*_command(), *arguments], cwd=ROOT, env=environment_of(folder), capture_output=True, text=True, timeout=600
    )
    if done.returncode != 0:
        raise NotAsTold(f"dishu {' '.join(arguments)}: {_last_line(done.stderr)}")
    return done.stdout


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """`dishu serve` on a free port while the block runs; the address that it printed."""
    log = folder / "serve.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*_command(), "serve"],
            cwd=ROOT,
            env=environment_of(folder),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        address = next((line.strip() for line in process.stdout if line.startswith("http://")), None)
        if address is None:
            raise NotAsTold(f"dishu serve: {_last_line(log.read_text('utf-8', 'replace'))}")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command() -> list[str]:
    beside = Path(sys.executable).with_name("dishu")
    return [str(beside)] if beside.exists() else [sys.executable, "-c", "from server.cli import main; main()"]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


# ---------------------------------------------------------------- the phones' radio
class Radio(HttpTransport):
    """A phone's network that can be switched off, counts its requests, and remembers what it sent and was told."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.on = True
        self.requests = 0
        self.tried_while_off = 0
        self.pushed: dict[str, Any] | None = None
        self.answered: dict[str, Any] | None = None
        self.told: dict[str, dict[str, Any]] = {}

    def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, token: str | None = None
    ) -> Answer:
        """As HttpTransport; Offline while it is switched off."""
        if not self.on:
            self.tried_while_off += 1
            raise Offline("flight mode")
        self.requests += 1
        answer = super().request(method, path, body=body, token=token)
        if path.endswith("/push"):
            self.pushed, self.answered = body, answer.body
        elif path.endswith("/pull") and answer.body.get("complete"):
            self.told = answer.body["streams"]  # counts and digests as the server has them
        return answer

    def again(self, token: str | None) -> tuple[str, dict[str, Any]]:
        """Send the bytes of the last push once more: (their SHA-256, the answer)."""
        assert self.pushed is not None
        fingerprint = hashlib.sha256(orjson.dumps(self.pushed)).hexdigest()
        return fingerprint, super().request("POST", "/api/v1/sync/push", body=self.pushed, token=token).body


# ---------------------------------------------------------------- the office
class Office:
    """Somebody at a browser: signs in with a password, keeps the cookie, sends the CSRF token with every change."""

    def __init__(self, address: str, login: str, password: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self.cookie = self.csrf = ""
        answer = self.post("/api/v1/session", {"login": login, "password": password})
        self.name: str = answer["user"]["name"]
        self.community: str = answer["user"]["community_id"]
        self.csrf = answer["csrf_token"]

    def send(
        self, method: str, path: str, body: Any = None, *, csrf: str | None = None, purpose: str = "make demo"
    ) -> tuple[int, bytes]:
        """Status and content. ``csrf`` replaces the session's token."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=120)
        headers = {"Accept": "application/json", "X-Purpose": quote(purpose)}
        if self.cookie:
            headers["Cookie"] = self.cookie
        if method != "GET":
            headers |= {"Content-Type": "application/json", "X-CSRF-Token": self.csrf if csrf is None else csrf}
        try:
            connection.request(method, path, None if body is None else orjson.dumps(body), headers)
            response = connection.getresponse()
            given = response.getheader("Set-Cookie")
            if given:
                self.cookie = given.partition(";")[0]
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The JSON of a 200; NotAsTold otherwise."""
        return self._wanted("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """The JSON of a 2xx; NotAsTold otherwise."""
        return self._wanted("POST", path, body)

    def _wanted(self, method: str, path: str, body: Any) -> Any:
        status, content = self.send(method, path, body)
        if not 200 <= status < 300:
            raise NotAsTold(f"{method} {path.partition('?')[0]}: {status} {_problem(content)}")
        return orjson.loads(content) if content else None

    def export(self, form: str, layers: Sequence[str], folder: Path) -> Path:
        """Ask for an export, wait for the job, download the file and compare its SHA-256."""
        job = self.post("/api/v1/exports", {"format": form, "layers": list(layers)})
        path = f"/api/v1/exports/{job['job_id']}"
        deadline = time.monotonic() + _EXPORT_S
        while job["state"] in ("queued", "running"):
            if time.monotonic() > deadline:
                raise NotAsTold(f"the export as {form} was not finished after {_EXPORT_S} s")
            time.sleep(0.1)
            job = self.get(path)
        if job["state"] != "done":
            raise NotAsTold(f"the export as {form} is {job['state']}: {job['error']}")
        status, content = self.send("GET", job["file"]["href"])
        if status != 200 or hashlib.sha256(content).hexdigest() != job["file"]["sha256"]:
            raise NotAsTold(f"the export as {form} could not be downloaded whole ({status})")
        target = folder / str(job["file"]["name"])
        target.write_bytes(content)
        return target


def _problem(content: bytes) -> str:
    try:
        problem = orjson.loads(content)
        return f"{problem.get('type', '')} {problem.get('detail') or problem.get('title', '')}".strip()
    except (orjson.JSONDecodeError, AttributeError):
        return ""


# ---------------------------------------------------------------- another program
class Gdal:
    """GDAL looks into a file: its own ogrinfo where the machine has it, else pyogrio in a process of its own."""

    def __init__(self) -> None:
        self._ogrinfo = shutil.which("ogrinfo")
        self.name = "ogrinfo" if self._ogrinfo else "pyogrio"
        self.version = (
            self._run([self._ogrinfo, "--version"]) if self._ogrinfo else self._python("print(p.__gdal_version__)")
        )

    def count(self, path: Path, layer: str, where: str = "") -> int:
        """Features of a layer, of those that meet an OGR condition."""
        if self._ogrinfo:
            condition = ["-where", where] if where else []
            told = self._run([self._ogrinfo, "-ro", "-so", *condition, str(path), layer])
            found = re.search(r"^Feature Count: (\d+)", told, re.MULTILINE)
            return int(found.group(1)) if found else -1
        return int(self._python("print(len(p.raw.read(a[0], layer=a[1], where=a[2] or None)[3][0]))",
                                str(path), layer, where))  # fmt: skip

    def fields(self, path: Path, layer: str) -> set[str]:
        """Names of the columns of a layer."""
        if self._ogrinfo:
            told = self._run([self._ogrinfo, "-ro", "-so", str(path), layer])
            return set(re.findall(r"^(\w+): (?:String|Integer|Integer64|Real|Date|DateTime)\b", told, re.MULTILINE))
        return set(json.loads(self._python("import json; print(json.dumps(list(p.read_info(a[0], layer=a[1])['fields'])))",
                                           str(path), layer)))  # fmt: skip

    def _python(self, code: str, *arguments: str) -> str:
        return self._run([sys.executable, "-c", f"import sys, pyogrio as p; a = sys.argv[1:]; {code}", *arguments])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise NotAsTold(f"{self.name} cannot read the file: {_last_line(done.stderr or done.stdout)}")
        return done.stdout.strip()
