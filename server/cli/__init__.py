"""The command `dishu`. One file per topic; each offers ``command``.

Mistakes and refusals are one line on standard error and exit status 1 (2: the command line itself is wrong).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from server.access_log import log_to_stderr
from server.errors import ServerError, StartError
from server.store.errors import StoreError

# Command on the screen, module of this package. Modules are loaded when they are used.
COMMANDS = {
    "serve": "serving",
    "work": "work",
    "demo": "demo",
    "db": "database",
    "user": "user",
    "device": "device",
    "enrol-code": "enrol_code",
    "assign": "assign",
    "token": "token",
    "community": "community",
    "cells": "cells",
    "basemap": "basemap",
    "forms": "forms",
    "survey": "surveys",
    "rules": "rules",
    "import": "imports",
    "export": "export",
    "table": "tables",
    "verify": "verify",
    "erase": "erase",
    "keys": "keys",
    "simulate": "simulate",
    "conformance": "conformance",
    "backup": "backup",
    "restore": "restore",
    "version": "version",
}


class _House(click.Group):
    """Loads sub-commands when they are asked for, and says what went wrong in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, module in COMMANDS.items() if importlib.util.find_spec(f"{__name__}.{module}")]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        found = importlib.import_module(f"{__name__}.{COMMANDS[name]}").command
        assert isinstance(found, click.Command)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        debug = bool(ctx.params.get("debug"))
        log_to_stderr()
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            # Whoever read our output has seen enough: nothing more is said, not even by the interpreter at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(1) from None
        except Exception as error:
            if debug:
                raise
            raise click.ClickException(one_line(error)) from error


def one_line(error: Exception) -> str:
    """What a person at the terminal is told about an error, without personal values."""
    places = "; ".join(f"{item.pointer} {item.message}" for item in getattr(error, "errors", ()) or () if item.pointer)
    if isinstance(error, StartError | ServerError | StoreError | OSError):
        said = str(error) or type(error).__name__
        return f"{said} ({places})" if places else said
    if isinstance(error, SQLAlchemyError):
        return f"the database refused: {type(getattr(error, 'orig', None) or error).__name__}"
    if places or type(error).__module__.partition(".")[0] in {"forms", "geo", "sync", "server"}:
        return " ".join(part for part in (str(error) or type(error).__name__, places) if part)
    return f"unexpected {type(error).__name__}; `dishu --debug …` shows where"


@click.group(cls=_House, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show where an error happened.")
def main(debug: bool) -> None:
    """底数 Dishu: offline survey of grid communities. Settings come from DISHU_* and PORT (docs/operations.md)."""
