"""`dishu device`."""

from __future__ import annotations

import click

from server.cli.house import open_house
from server.errors import NotFound
from server.services import enrolment, odk_access
from server.services.accounts import OPERATOR, user_of_login


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
    """Revoke a device: a lost one is refused and erases itself, any other first hands over what it has."""
    house = open_house()
    where = {one.install_id: one.community_id for one in enrolment.list_installs(house, OPERATOR)}
    if install_id not in where:
        raise NotFound(f"there is no device {install_id}")
    enrolment.revoke_install(house, OPERATOR, install_id, reason=reason, community_id=where[install_id])
    click.echo("revoked")


@command.command("odk")
@click.argument("login")
@click.option("--url", required=True, help="Where phones reach this server: https://example.org")
@click.option("--label", default="", help="What the device is called on lists.")
def odk(login: str, url: str, label: str) -> None:
    """Make an address for ODK Collect, for the worker who signs in as LOGIN; prints it, and what its QR code holds."""
    house = open_house()
    user = user_of_login(house, login)
    made = odk_access.create(house, OPERATOR, user.user_id, label=label, community_id=user.community_id)
    click.echo(f"device   {made.install_id}")
    click.echo(f"address  {odk_access.address_of(house, made, url)}")
    click.echo(f"QR code  {odk_access.settings_code(house, made, url)}")
