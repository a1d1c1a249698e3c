"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_EMULATOR = (
    click.option(
        "--runner",
        type=click.Choice(["auto", "docker", "process"]),
        help="Where actors run: in Docker, or as processes of this machine. auto: Docker if it answers.  [auto]",
    ),
    click.option("--workers", type=click.IntRange(min=1), help="Containers at once.  [twice the cores]"),
    click.option("--pull/--no-pull", "docker_pull", default=None, help="Let Docker pull missing images.  [no]"),
    click.option(
        "--shared-namespace/--no-shared-namespace",
        default=None,
        help="Let Docker containers take turns in network namespaces, twice as fast, or give each its own.  [shared]",
    ),
    click.option(
        "--keep-containers",
        type=click.Choice(["never", "failed", "always"]),
        help="Which containers stay in Docker after their end, to be looked into.  [never]",
    ),
    click.option("--case", type=click.Choice(["camel", "snake"]), help="Field names of the API.  [camel]"),
    click.option(
        "--auth",
        type=click.Choice(["tokens", "jwt", "none"]),
        help="Who tells the users: bearer tokens, signed assertions (as Abaco's gateway sends), or nobody.  [tokens]",
    ),
    click.option(
        "--jwt-public-key", metavar="KEY", help="Checks assertions: base64 of the DER form.  [a throw-away one]"
    ),
    click.option(
        "--actor-tls/--no-actor-tls",
        default=None,
        help="Let agavepy, tapispy and tapipy work inside actors, by some more variables and a folder there.  [no]",
    ),
    click.option("--endpoint-url", metavar="URL", help="Keep state in this AWS-compatible endpoint, not in memory."),
    click.option("-v", "--verbose", count=True, help="Tell more on stderr; twice: everything."),
)


def emulator_options(command: Command) -> Command:
    """What every command that starts an emulator takes; unset ones are None, so that environment and files count."""
    for option in reversed(_EMULATOR):
        command = option(command)
    return command


def tell(verbose: int) -> None:
    """Have the log on stderr: warnings, with -v what happens, with -vv everything of ours."""
    import logging

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("abacito").setLevel([logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)])
    # A retry is what was meant to happen; what comes of the last one is told by whoever asked for it.
    logging.getLogger("stamina").setLevel(logging.DEBUG if verbose > 1 else logging.ERROR)


def json_option(command: Command) -> Command:
    """For those who read with a program."""
    return click.option("--json", "as_json", is_flag=True, help="Print all that is told, as JSON.")(command)


def target_option(command: Command) -> Command:
    """The address of the running emulator that a command is about."""
    option = click.option(
        "--target",
        metavar="URL",
        envvar="ABACITO_TARGET",
        default="http://127.0.0.1:8088",
        show_default=True,
        callback=lambda _context, _option, url: url.rstrip("/"),
        help="The emulator's address.",
    )
    return option(command)
