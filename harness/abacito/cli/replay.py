"""``abacito replay``: an execution of a running emulator once more."""

from __future__ import annotations

import sys

import click

from abacito.cli import exits
from abacito.cli.options import target_option


@click.command(epilog=f"Example: abacito replay 8y3WV5zqj1BeD --token $TOKEN\n\n{exits.HELP}")
@click.argument("execution")
@target_option
@click.option("--token", metavar="T", envvar="ABACITO_TOKEN", required=True, help="A token of that emulator's.")
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds to wait for the end.")
def replay(execution: str, target: str, token: str, timeout: float) -> None:
    """Run EXECUTION's message again with the environment that it had, print its log, exit with its code."""
    from abacito.cli.run import follow
    from abacito.client import Abaco, Actor, Execution

    abaco = Abaco(target, token)
    result = abaco.request("POST", "/_abacito/replay", params={"execution": execution})
    click.echo(f"execution {result['id']} of actor {result['actor_id']}", err=True)
    code = follow(Execution(abaco, Actor(abaco, result["actor_id"]), result["id"]), timeout)
    abaco.close()
    sys.exit(code)
