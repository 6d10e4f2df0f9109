"""`dishu device`."""

from __future__ import annotations

import click

from server.cli.house import open_house
from server.errors import NotFound
from server.services import enrolment
from server.services.accounts import OPERATOR


@click.group("device")
def command() -> None:
    """Devices that were enrolled."""


@command.command("list")
def list_devices() -> None:
    """Every device: id, community, operations here, state."""
    for one in enrolment.list_installs(open_house(), OPERATOR):
        state = f"revoked ({one.revoked_reason})" if one.revoked_at else "in use"
        click.echo(f"{one.install_id}\t{one.community_id}\t{one.last_n}\t{state}\t{one.flag or ''}".rstrip())


@command.command("revoke")
@click.argument("install_id")
@click.option("--reason", type=click.Choice(list(enrolment.REASONS)), required=True)
def revoke(install_id: str, reason: str) -> None:
    """Revoke a device: it may neither push nor pull any more."""
    house = open_house()
    where = {one.install_id: one.community_id for one in enrolment.list_installs(house, OPERATOR)}
    if install_id not in where:
        raise NotFound(f"there is no device {install_id}")
    enrolment.revoke_install(house, OPERATOR, install_id, reason=reason, community_id=where[install_id])
    click.echo("revoked")
