"""`dishu version`."""

from __future__ import annotations

import platform

import click

from server.api.meta import running_version


@click.command("version")
def command() -> None:
    """Version of Dishu and of Python."""
    click.echo(f"dishu {running_version()} (Python {platform.python_version()})")
