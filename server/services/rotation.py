"""`dishu keys`: another house secret while the house is in use; killed in the middle, it goes on where it was (S28)."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from server.errors import StartError
from server.sealing import KeyRing, WrongKey
from server.services.accounts import OPERATOR
from server.services.audit import Look, note
from server.services.backup import KEY_FOLDER
from server.settings import HouseSecrets, read_secrets, write_secrets
from server.store import backup, rotating
from server.store.database import read, rewrite, write

if TYPE_CHECKING:
    from server.house import House

_ROWS = 500
_HEARD_S = 2.5
"""After this time every process of the house has looked at its key file (`KeyRing.renew`)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a rotation is: secrets that were rotated out and are still kept, and keys that they still wrap."""

    former: int
    left: int
    elsewhere: tuple[str, ...] = ()
    """Archives that count whose key is in none of the folders that were looked into."""


def standing(house: House, folders: Sequence[Path] = ()) -> Standing:
    """What is wrapped by a former secret still, in the database, the data folder and ``folders`` with keys of archives."""
    house.keys.renew(now=True)
    left = sum(not house.keys.wraps(key) for some in rotating.wrapped(house.engine, _ROWS) for _, key in some)
    found = _backup_keys(house, folders)
    there = {file.stem for file, _ in found}
    with read(house.engine) as connection:
        elsewhere = tuple(sorted(one.file_name for one in backup.copies(connection) if one.backup_id not in there))
    return Standing(len(house.keys.former), left + sum(not house.keys.wraps(key) for _, key in found), elsewhere)


def rotate(house: House, folders: Sequence[Path] = (), *, wait: Callable[[float], None] = time.sleep) -> tuple[bool, int]:
    """Begin a rotation, or go on with one that was not finished: (whether it was begun now, keys wrapped anew).

    ``folders`` are those outside the data folder that keys of archives were written to. Running servers follow by themselves. Tokens and cursors
    that the former secret signed hold until `retire`.

    Raises
    ------
    StartError
        The secret comes from the environment: there is no file to rotate.
    """
    path = _key_file(house)
    house.keys.renew(now=True)
    begun = not house.keys.former or standing(house, folders).left == 0
    if begun:
        now = read_secrets(path)
        hashing = now.hashing or KeyRing.from_secret(now.present).hashing
        write_secrets(path, HouseSecrets(secrets.token_bytes(32), (now.present, *now.former), hashing))
        note(house, Look(OPERATOR, "change", "house key rotated"), scope="house key")
    house.keys.renew(now=True)
    wait(_HEARD_S)
    count = rewrap(house, folders)
    if standing(house).left:  # a server that had not heard of it yet has made a key meanwhile
        count += rewrap(house, folders)
    return begun, count


def rewrap(house: House, folders: Sequence[Path] = ()) -> int:
    """Wrap everything anew that a former secret wraps, some keys in each transaction; how many there were."""
    count = 0
    for some in rotating.wrapped(house.engine, _ROWS):
        old = [(place, key) for place, key in some if not house.keys.wraps(key)]
        if old:
            with write(house.engine) as connection:
                count += sum(rotating.replace(connection, place, key, house.keys.wrap(house.keys.unwrap(key))) for place, key in old)
    for file, key in _backup_keys(house, folders):
        if not house.keys.wraps(key):
            try:
                _write_backup_key(file, house.keys.wrap(house.keys.unwrap(key)))
            except WrongKey:
                continue  # of another house: not ours to touch
            count += 1
    return count


def retire(house: House) -> int:
    """Forget the secrets that were rotated out, and write the keys' tables anew; how many there were.

    Device tokens that were not renewed since, and cursors, end with them.

    Raises
    ------
    StartError
        A former secret wraps something still: finish the rotation first.
    """
    path = _key_file(house)
    if standing(house).left:
        raise StartError("the rotation is not finished: `dishu keys rotate` goes on with it")
    now = read_secrets(path)
    if now.former:
        write_secrets(path, HouseSecrets(now.present, (), now.hashing))
        note(house, Look(OPERATOR, "change", "former house keys retired"), scope="house key")
        house.keys.renew(now=True)
        rewrite(house.engine, rotating.rewrapped_tables())
    return len(now.former)


def keep_former(house: House, key_file: Path) -> None:
    """Take the secrets of another key file of this house among the former ones, so that what they wrapped opens again."""
    path, old = _key_file(house), read_secrets(key_file)
    now = read_secrets(path)
    new = tuple(one for one in (old.present, *old.former) if one not in (now.present, *now.former))
    if new:
        write_secrets(path, HouseSecrets(now.present, (*now.former, *new), now.hashing))
        house.keys.renew(now=True)


def _key_file(house: House) -> Path:
    if house.settings.key is not None:
        raise StartError("the house key comes from DISHU_KEY; put it into a file (DISHU_KEY_FILE) to rotate it")
    return house.settings.key_file


def _backup_keys(house: House, folders: Sequence[Path]) -> list[tuple[Path, bytes]]:
    """Key files of archives in the data folder and in these, with what each holds."""
    found = []
    everywhere = dict.fromkeys(one.resolve() for one in (house.settings.data_dir / KEY_FOLDER, *folders))
    for file in (file for folder in everywhere for file in sorted(folder.glob("*.key"))):
        try:
            found.append((file, bytes.fromhex(orjson.loads(file.read_bytes())["wrapped"])))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _write_backup_key(file: Path, wrapped: bytes) -> None:
    said = orjson.loads(file.read_bytes()) | {"wrapped": wrapped.hex()}
    part = file.with_name(file.name + ".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        target.write(orjson.dumps(said) + b"\n")
        target.flush()
        os.fsync(target.fileno())
    os.replace(part, file)
