"""``abacito clock``: a running emulator's time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from abacito.cli import exits
from abacito.cli.options import json_option, target_option

Command = TypeVar("Command", bound=Callable[..., Any])


_tenant = click.option("--tenant", metavar="NAME", help="Whose clock.  [the default tenant's]")


def _options(command: Command) -> Command:
    """What all of them take."""
    return target_option(_tenant(json_option(command)))


_force = click.option("--force", is_flag=True, help="Backwards too: what has expired by then stays so.")


@click.group(epilog=f"Example: abacito clock travel 4h1m\n\n{exits.HELP}")
def clock() -> None:
    """Look at a running emulator's time, and move it.

    Spans are written 90s, 4h1m, 2d or 1w; times 2026-11-23T09:00, in UTC unless they have a zone. The new time is
    printed, and on stderr what fell due on the way.
    """


@clock.command()
@_options
def show(**given: Any) -> None:
    """What it shows."""
    _tell(None, **given)


# So that -1h is a span.
@clock.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("span")
@_force
@_options
def travel(span: str, force: bool, **given: Any) -> None:
    """Move it on by SPAN."""
    _tell({"travel": span, "force": force}, **given)


@clock.command()
@click.argument("span")
@_options
def tick(span: str, **given: Any) -> None:
    """Move it on by SPAN, one that stands still too."""
    _tell({"tick": span}, **given)


@clock.command()
@click.argument("moment")
@_force
@_options
def at(moment: str, force: bool, **given: Any) -> None:
    """Move it to MOMENT."""
    _tell({"at": moment, "force": force}, **given)


@clock.command()
@click.argument("moment", required=False)
@_force
@_options
def freeze(moment: str | None, force: bool, **given: Any) -> None:
    """Have it stand still, here or at MOMENT."""
    _tell({"freeze": moment or True, "force": force}, **given)


@clock.command()
@_options
def unfreeze(**given: Any) -> None:
    """Have it go on from where it stands."""
    _tell({"freeze": False}, **given)


@clock.command()
@_options
def reset(**given: Any) -> None:
    """Have it show the machine's time again."""
    _tell({"reset": True}, **given)


def _tell(body: dict[str, Any] | None, target: str, tenant: str | None, as_json: bool) -> None:
    from abacito.client import control

    path = "/_abacito/clock" + (f"?tenant={tenant}" if body is None and tenant else "")
    named = body and ({**body, "tenant": tenant} if tenant else body)
    facts = control(target, "GET" if named is None else "POST", path, named)
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(facts["now"])
    told = [f"{facts['offset_s']:+.0f} s from the machine's time"] if facts["offset_s"] or facts["frozen"] else []
    told += ["stands still"] if facts["frozen"] else []
    told += [f"cron executions that fell due: {facts['cron_runs']}"] if facts["cron_runs"] else []
    if told:
        click.echo("; ".join(told), err=True)
