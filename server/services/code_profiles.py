"""The rules of cell codes that a house knows: those that come with the project, and its own in ``profiles/`` of the data folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geo.errors import ProfileError
from geo.profile import CodeProfile, load_profile, profile_from_dict, shipped_profiles
from server.errors import InputError, InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from server.house import House

FOLDER = "profiles"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def code_profile(house: House, name: str) -> CodeProfile:
    """A profile by name: ``profiles/<name>.json`` of the data folder, or one that comes with the project.

    Read anew each time: a file that was put right is in force without a restart.

    Raises
    ------
    ProfileError
        None of that name; or the file cannot be used, in one line with the file and the place in it.
    """
    folder = house.settings.data_dir / FOLDER
    file = folder / f"{name}.json"
    shipped = shipped_profiles()
    if not _NAME.fullmatch(name) or not file.is_file():
        if name in shipped:
            return load_profile(name)
        own = {one.stem for one in folder.glob("*.json")}
        raise ProfileError(f"no profile of that name; known are {', '.join(sorted(shipped | own))}; your own lie in {folder}")
    if name in shipped:
        raise ProfileError(f"{file}: a profile that comes with the project has this name; take another one")
    return _read(file)


def profile_of(house: House, community: Any) -> CodeProfile:
    """The profile that a community's row names.

    Raises
    ------
    InvalidInput
        It is gone or cannot be used any more: one line, under the place ``/code_profile``.
    """
    try:
        return code_profile(house, community.code_profile)
    except ProfileError as error:
        message = f"of the community: {error.message}"
        raise InvalidInput(message, errors=[InputError("/code_profile", error.code, message)]) from error


def profile_files(house: House) -> dict[str, bytes]:
    """The house's own profiles as they lie in its data folder, by file name; broken ones too."""
    return {one.name: one.read_bytes() for one in sorted((house.settings.data_dir / FOLDER).glob("*.json")) if one.is_file()}


def put_back(house: House, files: Mapping[str, bytes]) -> list[Path]:
    """Write profiles of a backup into the data folder; another one of that name stays beside it. Returns those set aside."""
    folder, aside = house.settings.data_dir / FOLDER, []
    for name, content in files.items():
        target = folder / name
        if target.parent != folder or target.suffix != ".json":
            continue
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.is_file() and target.read_bytes() != content:
            kept = target.with_name(f"{name}.replaced-{house.clock():%Y-%m-%dT%H%M%S}")
            target.replace(kept)
            aside.append(kept)
        part = target.with_name(f"{name}.part")
        part.write_bytes(content)
        part.replace(target)
    return aside


def _read(file: Path) -> CodeProfile:
    try:
        found = profile_from_dict(json.loads(file.read_text("utf-8-sig")))
    except json.JSONDecodeError as error:
        raise ProfileError(f"{file}: line {error.lineno}, column {error.colno}: not JSON") from error
    except ProfileError as error:
        raise ProfileError(f"{file}: {error.message}") from error
    except (OSError, ValueError) as error:
        raise ProfileError(f"{file}: it cannot be read as UTF-8 text") from error
    except (TypeError, AttributeError) as error:
        raise ProfileError(f"{file}: a value is of the wrong kind") from error
    if found.name != file.stem:
        raise ProfileError(f"{file}: /name must be that of the file, {file.stem}")
    return found
