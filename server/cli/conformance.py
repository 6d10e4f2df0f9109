"""`dishu conformance URL`: the protocol's rules asked of any server as a black box."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

import click


@click.command("conformance")
@click.argument("url")
@click.option("--code", "codes", multiple=True, envvar="DISHU_CONFORMANCE_CODES",
              help="Twice: one-time codes of two grid workers of one cell; better, the second has another cell too.")  # fmt: skip
@click.option("--login", envvar="DISHU_CONFORMANCE_LOGIN", help="Instead: somebody who may make accounts and codes, such as a secretary.")
@click.option("--password", envvar="DISHU_CONFORMANCE_PASSWORD", help="Of --login; asked for when left out.")
@click.option("--community", help="Id, for a --login above one community.")
@click.option("--ca-file", type=click.Path(exists=True), help="PEM file of the authority of the server's certificate.")
@click.option("--rule", "names", multiple=True, help="Only rules whose number begins so, such as S12; may be given again.")
def command(
    url: str, codes: tuple[str, ...], login: str | None, password: str | None, community: str | None, ca_file: str | None,
    names: tuple[str, ...],
) -> None:  # fmt: skip
    """Ask the server at URL every rule of docs/protocol.md that can be asked from outside: PASS, FAIL or NOT TESTED for each.

    Enrols two devices and writes some hundred records called "conformance" into one cell, which it deletes in the end; use a community
    that is there for trying. With --login it makes two workers and closes their accounts in the end. Exit status 0 when no rule fails.
    """
    from server.conformance.device import Broken, NotTested
    from server.conformance.ground import by_codes, by_office, sign_in
    from server.conformance.line import Line, NoAnswer
    from server.conformance.run import judge

    try:
        line = Line(url, ca_file=ca_file)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error
    if len(codes) != 2 and login is None:
        raise click.UsageError("give --code twice, or --login")
    found: Counter[str] = Counter()
    failed: list[str] = []
    try:
        with ExitStack() as stack:
            if len(codes) == 2:
                ground = stack.enter_context(by_codes(line, *codes))
            else:
                assert login is not None
                word = password or click.prompt("password", hide_input=True, err=True)
                ground = stack.enter_context(by_office(sign_in(line, login, word, community)))
            for one in judge(ground, lambda rule: not names or rule.name.startswith(tuple(names))):
                found[one.found] += 1
                failed += [one.rule.name] if one.found == "FAIL" else []
                click.echo(f"{one.found:<10}  {one.rule.name:<5} {one.rule.text}" + (f": {one.reason}" if one.reason else ""))
    except (Broken, NotTested, NoAnswer) as error:
        raise click.ClickException(f"{error}") from error
    click.echo(", ".join(f"{number} {name}" for name, number in sorted(found.items())))
    if failed:
        raise click.ClickException(f"not kept: {', '.join(failed)}")
