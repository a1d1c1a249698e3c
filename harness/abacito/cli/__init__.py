"""The command line: arguments in, exit code out. Heavy imports stand inside the commands, ``--help`` needs none."""

from __future__ import annotations

import importlib
import sys

import click

from abacito.abaco.errors import AbacoError
from abacito.cli import exits

_COMMANDS = {
    "serve": "abacito.cli.serve:serve",
    "run": "abacito.cli.run:run",
    "exec": "abacito.cli.exec:exec_",
    "clock": "abacito.cli.clock:clock",
    "faults": "abacito.cli.faults:faults",
    "snapshot": "abacito.cli.worlds:snapshot",
    "reset": "abacito.cli.worlds:reset",
    "pause": "abacito.cli.worlds:pause",
    "resume": "abacito.cli.worlds:resume",
    "token": "abacito.cli.token:token",
    "env": "abacito.cli.env:env",
    "replay": "abacito.cli.replay:replay",
    "scenario": "abacito.cli.scenario:scenario",
    "bench": "abacito.cli.bench:bench",
}


class _Commands(click.Group):
    """The commands, each imported from its own module when it is named, or when help lists them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Errors of ours end in one line on stderr and the documented exit code, never in a stack trace."""
        try:
            return super().invoke(ctx)
        except AbacoError as error:
            click.echo(f"abacito: {error}", err=True)
            sys.exit(exits.code_of(error))
        except KeyboardInterrupt:
            sys.exit(exits.INTERRUPTED)


@click.group(cls=_Commands, epilog=exits.HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="abacito")
def main() -> None:
    """Abaco, TACC's functions-as-a-service platform, on your own machine."""
