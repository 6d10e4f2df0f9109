"""Commands typed at the terminal of the server, on the house of a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from server.cli import main
from server.house import House

_KEY = b"a made-up key of thirty-two bytes".hex()
"""The key of `server_kit` and `front_door`."""


def terminal(house: House, folder: Path) -> Callable[..., tuple[int, str, str]]:
    """Runs `dishu` with these words on the house's database and this data folder: (exit status, standard output, standard error)."""
    url = house.engine.url.render_as_string(hide_password=False)
    environment = {"DISHU_DATA": str(folder), "DISHU_DATABASE_URL": url, "DISHU_KEY": _KEY, "DISHU_KEY_FILE": ""}

    def run(*words: object) -> tuple[int, str, str]:
        answer = CliRunner(env=environment).invoke(main, [str(word) for word in words])
        return answer.exit_code, answer.stdout, answer.stderr

    return run
