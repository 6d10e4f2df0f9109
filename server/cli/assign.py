"""`dishu assign`."""

from __future__ import annotations

import click

from server.cli.house import open_house
from server.permissions import DUTIES
from server.services import accounts, assignments
from server.services.accounts import OPERATOR


@click.command("assign")
@click.argument("login")
@click.argument("cell_ids", nargs=-1, required=True)
@click.option("--duty", type=click.Choice(list(DUTIES)), default="lead", show_default=True)
@click.option("--from", "from_on", help="First day (2026-03-02); today without it.")
@click.option("--to", "to_on", help="Last day; until further notice without it.")
def command(login: str, cell_ids: tuple[str, ...], duty: str, from_on: str | None, to_on: str | None) -> None:
    """Assign a grid worker to cells of the published edition."""
    house = open_house()
    user = accounts.user_of_login(house, login)
    for cell_id in cell_ids:
        assignments.assign(
            house,
            OPERATOR,
            user_id=user.user_id,
            cell_id=cell_id,
            duty=duty,
            from_on=from_on,
            to_on=to_on,
            community_id=user.community_id,
        )
        click.echo(f"{user.login}\tcell/{cell_id}\t{duty}")
