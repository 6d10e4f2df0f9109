"""`dishu erase`."""

from __future__ import annotations

import sys
from typing import Any

import click

from server.cli.house import community_id_of, open_house
from server.services import erasure_reach
from server.services.accounts import OPERATOR
from server.services.audit import Look
from server.services.erasing import REASONS, By
from server.store.database import write
from server.store.erasing import scrub
from server.store.jobs import finish_queued
from sync.days import day_at


@click.command("erase")
@click.argument("person_id")
@click.option("--community", required=True, help="Code or id.")
@click.option("--reason", type=click.Choice(list(REASONS)), required=True)
@click.option("--reference", default="", help="Number of the file that asks for it; never a name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-rewrite", is_flag=True, help="Leave writing the database anew to a worker.")
def command(person_id: str, community: str, reason: str, reference: str, yes: bool, no_rewrite: bool) -> None:
    """Erase a person for good (lawful erasure): nobody can undo it.

    Shows what goes and what still names the person elsewhere, and asks. The journal stays and can be verified.
    """
    house = open_house()
    community_id = str(community_id_of(house, community))
    look = Look(OPERATOR, "change", f"erasure: {reason}")
    seen = erasure_reach.preview(house, OPERATOR, community_id, person_id, look)
    _show(seen)
    if not yes:
        click.confirm("Erase for good?", abort=True)
    by = By(OPERATOR.user_id, reason, reference, "system")
    told = erasure_reach.erase(house, OPERATOR, community_id, person_id, by, seen["confirm"], look)
    done = told["done"]
    click.echo(f"erased: {done['records']} records, {done['keys']} keys, {done['photos']} photos, {done['files']} files")
    if no_rewrite:
        click.echo("the database is written anew by the next worker; until then its free space may hold old bytes")
        return
    sys.stdout.flush()
    scrub(house.engine)
    with write(house.engine) as connection:
        finish_queued(connection, community_id, told["job_id"], house.clock())
    click.echo("the database was written anew; nothing of it is left in its files")


def _show(seen: dict[str, Any]) -> None:
    for record_type, count in seen["records"].items():
        click.echo(f"{count:>6}  {record_type}")
    click.echo(f"{seen['photos']:>6}  photos, {seen['waiting']} waiting operations, {len(seen['merged'])} merged ids")
    for one in seen["named"]:
        click.echo(f"left for you to decide: {one['type']} {one['id']}, field {one['field']} ({one['how']})")
    for name in seen["lists"]:
        click.echo(f"left for you to decide: a saved list ({name!r}) asks for this person")
    for name in seen["systems"]:
        click.echo(f"left for you to tell: the outside system {name!r} was given this person")
    for name in seen["databases"]:
        click.echo(f"left for you to delete: {name}, a database that a restore has replaced")
    if seen["backups"]:
        click.echo(f"{len(seen['backups'])} backups hold it still; the last expires {day_at(seen['backups_end'])}")
