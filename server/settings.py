"""Every setting of a running Dishu. Nothing else reads the environment."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.errors import StartError

_KEY_BYTES = 32
_HEX = re.compile(r"[0-9a-fA-F]+")


class SettingsError(StartError):
    """A setting that cannot be used; the message is one line and names the setting, never a secret."""


@dataclass(frozen=True, slots=True)
class HouseSecrets:
    """What a key file holds: the present secret, those that were rotated out, and the key of hashes where it is older."""

    present: bytes = field(repr=False)
    former: tuple[bytes, ...] = field(default=(), repr=False)
    hashing: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where Dishu keeps things and how much it takes.

    Attributes
    ----------
    data_dir : folder of the database, the house key, certificates and finished exports
    database_url : SQLAlchemy address; SQLite or PostgreSQL (psycopg)
    key : the house secret where the environment gives it, else None and ``key_file`` is read
    key_file : file of the house secret in hexadecimal, mode 0600, made at first start
    host, port : where `dishu serve` listens
    secure : cookies for HTTPS only and HSTS; `dishu serve --tls` sets it
    proxies : how many reverse proxies in front set X-Forwarded-* (0: such headers are ignored)
    blobs_url : where photos are kept: a folder (file://…, default ``<data_dir>/blobs``) or S3-compatible storage (s3://bucket/prefix)
    max_blob_bytes : largest photo
    max_body_bytes : largest request body, packed or unpacked, where an endpoint names no smaller one
    session_hours, code_hours, token_days : how long a sign-in, an enrolment code and a read token live
    attempts, lock_minutes : wrong passwords in a row before an account is closed for a while
    sign_in_per_minute, enrol_per_minute : tries from one address
    """

    data_dir: Path
    database_url: str
    key: bytes | None = field(default=None, repr=False)
    key_file: Path = Path("house.key")
    blobs_url: str = ""
    max_blob_bytes: int = 20_000_000
    host: str = "127.0.0.1"
    port: int = 8000
    secure: bool = False
    proxies: int = 0
    max_body_bytes: int = 32_000_000
    session_hours: int = 12
    code_hours: int = 72
    token_days: int = 365
    attempts: int = 8
    lock_minutes: int = 15
    sign_in_per_minute: int = 20
    enrol_per_minute: int = 20

    @classmethod
    def in_folder(cls, data_dir: Path | str, **changes: Any) -> Settings:
        """Settings whose files all lie in one folder, whatever the environment says."""
        folder = Path(data_dir).absolute()
        defaults: dict[str, Any] = {
            "data_dir": folder,
            "database_url": f"sqlite:///{folder / 'dishu.sqlite3'}",
            "key_file": folder / "house.key",
            "blobs_url": (folder / "blobs").as_uri(),
        }
        return cls(**(defaults | changes))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **changes: Any) -> Settings:
        """Settings from ``DISHU_*`` and ``PORT``; SettingsError names the variable that cannot be used.

        An empty variable counts as absent. ``changes`` (of the command line) win.
        """
        given = {name: value for name, value in (environment or os.environ).items() if value}
        found: dict[str, Any] = {}
        if "DISHU_DATABASE_URL" in given:
            found["database_url"] = _database_url(given["DISHU_DATABASE_URL"])
        if "DISHU_KEY" in given:
            found["key"] = _secret(given["DISHU_KEY"], "DISHU_KEY")
        if "DISHU_KEY_FILE" in given:
            found["key_file"] = Path(given["DISHU_KEY_FILE"]).absolute()
        if "DISHU_BLOBS_URL" in given:
            found["blobs_url"] = _blobs_url(given["DISHU_BLOBS_URL"])
        if "DISHU_HOST" in given:
            found["host"] = given["DISHU_HOST"]
        if "DISHU_SECURE" in given:
            found["secure"] = given["DISHU_SECURE"] not in {"0", "false", "no"}
        for variable, name, smallest, largest in _NUMBERS:
            if variable in given:
                found[name] = _number(given[variable], variable, smallest, largest)
        folder = changes.pop("data_dir", None) or given.get("DISHU_DATA", "data")
        return cls.in_folder(folder, **(found | changes))

    def lacks_key(self) -> bool:
        """Whether a key would have to be made: none in the environment, and no key file yet."""
        return self.key is None and not self.key_file.exists()

    def secret(self) -> bytes:
        """The house secret; makes the key file at first start, refuses one that others may read."""
        return self.secrets().present

    def secrets(self) -> HouseSecrets:
        """The house secret with those that were rotated out (`server.services.rotation`)."""
        return HouseSecrets(self.key) if self.key is not None else _key_of(self.key_file)

    def changed_secrets(self) -> Callable[[], HouseSecrets | None]:
        """A function that gives the secrets where the key file has changed since it was asked last, else None."""
        if self.key is not None:
            return lambda: None
        seen = [_age_of(self.key_file)]

        def look() -> HouseSecrets | None:
            age = _age_of(self.key_file)
            if age == seen[0] or age is None:
                return None
            seen[0] = age
            return _key_of(self.key_file)

        return look


_NUMBERS = (
    ("PORT", "port", 0, 65_535),
    ("DISHU_PROXIES", "proxies", 0, 8),
    ("DISHU_MAX_BODY_BYTES", "max_body_bytes", 100_000, 1_000_000_000),
    ("DISHU_MAX_BLOB_BYTES", "max_blob_bytes", 10_000, 1_000_000_000),
    ("DISHU_SESSION_HOURS", "session_hours", 1, 24 * 31),
    ("DISHU_CODE_HOURS", "code_hours", 1, 24 * 31),
    ("DISHU_TOKEN_DAYS", "token_days", 1, 3650),
    ("DISHU_SIGN_IN_PER_MINUTE", "sign_in_per_minute", 1, 100_000),
    ("DISHU_ENROL_PER_MINUTE", "enrol_per_minute", 1, 100_000),
)


def _number(text: str, variable: str, smallest: int, largest: int) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text) or not smallest <= int(text) <= largest:
        raise SettingsError(f"{variable} must be a whole number from {smallest} to {largest}")
    return int(text)


def _database_url(text: str) -> str:
    # PostgreSQL's own tools write postgres:// or postgresql://; the driver in use is psycopg 3.
    for prefix in ("postgres://", "postgresql://"):
        if text.startswith(prefix):
            return "postgresql+psycopg://" + text.removeprefix(prefix)
    if text.startswith("sqlite:///") and len(text) > len("sqlite:///"):
        return f"sqlite:///{Path(text.removeprefix('sqlite:///')).absolute()}"
    if text.startswith("postgresql+psycopg://"):
        return text
    raise SettingsError("DISHU_DATABASE_URL must begin with sqlite:/// or postgresql://")


def _blobs_url(text: str) -> str:
    if text.startswith("s3://") and len(text) > len("s3://"):
        return text.rstrip("/")
    if text.startswith("file:///") or "://" not in text:
        return Path(text.removeprefix("file://")).absolute().as_uri()
    raise SettingsError("DISHU_BLOBS_URL must be a folder or begin with s3://")


def _secret(text: str, source: str) -> bytes:
    text = text.strip()
    try:
        if _HEX.fullmatch(text) and len(text) % 2 == 0 and len(text) >= 2 * _KEY_BYTES:
            secret = bytes.fromhex(text)
        else:
            secret = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error) as error:
        raise SettingsError(f"{source} must be hexadecimal or base64") from error
    if len(secret) < _KEY_BYTES:
        raise SettingsError(f"{source} must hold at least {_KEY_BYTES} bytes")
    return secret


def _age_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def write_secrets(path: Path, secrets: HouseSecrets) -> None:
    """Put a key file in the place of another, whole or not at all: the present secret, then what is older by name."""
    lines = [secrets.present.hex(), *(f"former {one.hex()}" for one in secrets.former)]
    if secrets.hashing is not None:
        lines.append(f"hashing {secrets.hashing.hex()}")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".house-key-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_secrets(path: Path) -> HouseSecrets:
    """The secrets of a key file that is there; SettingsError says what is wrong with it."""
    if not path.exists():
        raise SettingsError(f"there is no key file {path}")
    return _key_of(path)


def _parsed(text: str, source: str) -> HouseSecrets:
    present, *older = text.strip().splitlines() or [""]
    named: dict[str, list[bytes]] = {"former": [], "hashing": []}
    for line in older:
        name, _, rest = line.partition(" ")
        if name not in named:
            raise SettingsError(f"{source} has a line that is neither former nor hashing")
        named[name].append(_secret(rest, source))
    return HouseSecrets(_secret(present, source), tuple(named["former"]), named["hashing"][0] if named["hashing"] else None)


def _key_of(path: Path) -> HouseSecrets:
    try:
        if not path.exists():
            _make_key(path)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"the key file {path} is not a file")
        if status.st_mode & 0o077:
            raise SettingsError(f"the key file {path} can be read by others; make it private: chmod 600 {path}")
        return _parsed(path.read_text("ascii"), f"the key file {path}")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise SettingsError(f"the key file {path} cannot be read: {reason}") from error


def _make_key(path: Path) -> None:
    """Write a new secret; two processes that start together agree on the one that was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".house-key-")  # mkstemp gives mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)  # whole or not at all, and never over another's key
        except FileExistsError:
            pass
    finally:
        os.unlink(name)
