"""How far a command is that takes a while."""

from __future__ import annotations

import sys

import click


class Steps:
    """A progress bar on a terminal, cleared at the end; silent where the output goes to a file."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._at = 0
        self._label = ""
        self._shown = sys.stderr.isatty()

    def begin(self, label: str) -> None:
        """The next step has begun."""
        self._at += 1
        self._label = label
        self._draw((self._at - 1) / self._count)

    def part(self, done: int, of: int) -> None:
        """So much of the present step is done."""
        self._draw((self._at - 1 + (done / of if of else 1)) / self._count)

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)

    def _draw(self, share: float) -> None:
        if self._shown:
            bar = "█" * round(share * 24)
            click.echo(f"\r\x1b[K{bar:░<24} {share:4.0%} {self._label}", nl=False, err=True)
