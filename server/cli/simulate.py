"""`dishu simulate`: phones, a server and everything that goes wrong between them, played from seeds."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click


@click.command("simulate")
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed.")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="How many seeds, one after the other.")
@click.option("--phones", type=click.IntRange(1, 6), default=3, show_default=True, help="Phones at the beginning.")
@click.option("--steps", type=click.IntRange(0), default=40, show_default=True, help="Acts of people and faults in each story.")
@click.option("--faults", default="all", show_default=True, help="all, none, or names with commas: line, late, phone, server, clock …")
@click.option("--only", help="Play these steps of the seed only (numbers with commas), as a failing story told them.")
def command(seed: int, count: int, phones: int, steps: int, faults: str, only: str | None) -> None:
    """Play stories in this process, let each settle, and check that no acknowledged operation is lost and all copies agree.

    Needs no server and touches no data. The same seed is the same story. A story that fails is shortened and told. Exit status 0
    when all laws hold, else 1.
    """
    from server.simulation.acts import FAULTS
    from server.simulation.play import play, shortest

    wanted = {"all": sorted(FAULTS), "none": []}.get(faults, [one.strip() for one in faults.split(",")])
    unknown = sorted(set(wanted) - FAULTS.keys())
    if unknown:
        raise click.BadParameter(f"{unknown[0]} is not one of {', '.join(FAULTS)}", param_hint="--faults")
    chosen = [int(one) for one in only.split(",")] if only else None
    logging.disable(logging.CRITICAL)  # what goes wrong on purpose is no news
    outcomes: Counter[str] = Counter()
    bar: Any = click.progressbar(length=count, label="playing", file=sys.stderr) if sys.stderr.isatty() else nullcontext()
    with tempfile.TemporaryDirectory(prefix="dishu-simulate-") as folder, bar as shown:
        given: dict[str, Any] = {"phones": phones, "steps": steps, "faults": wanted, "folder": Path(folder)}
        for one in range(seed, seed + count):
            story = play(one, only=chosen, **given)
            outcomes.update(story.outcomes)
            if shown is not None:
                shown.update(1)
            if story.wrong is not None:
                found = shortest(story, **given)
                for step, line in found.lines:
                    click.echo(f"{step:>5}  {line}")
                click.echo(f"again: dishu simulate --seed {one} --phones {phones} --steps {steps} --faults {faults} --only "
                           + ",".join(str(step) for step, _ in found.lines))  # fmt: skip
                raise click.ClickException(f"seed {one}: {found.wrong}")
    told = ", ".join(f"{number:,} {name}" for name, number in sorted(outcomes.items()))
    click.echo(f"{count:,} stories from seed {seed}: every law holds ({told})")
