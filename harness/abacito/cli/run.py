"""``abacito run``: one message, one container, no server to start."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abacito.cli import exits
from abacito.cli.options import emulator_options, tell
from abacito.cli.signals import term_like_interrupt

if TYPE_CHECKING:
    from abacito.client import Actor, Execution


@click.command(
    epilog=f'Examples: abacito run ./my-actor -m "some text" · abacito run abacosamples/test --json \'{{"n": 3}}\'\n\n'
    f"Exits with the actor's own code. {exits.HELP}"
)
@click.argument("image")
@click.option("-m", "--message", help="Send this text.")
@click.option("--json", "json_text", metavar="JSON", help="Send this JSON.")
@click.option("--binary", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Send this file's bytes.")
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="A default variable of the actor; repeatable.")
@click.option("--timeout", type=click.FloatRange(min=0), default=3600.0, help="Seconds to wait.", show_default=True)
@emulator_options
def run(
    image: str,
    message: str | None,
    json_text: str | None,
    binary: Path | None,
    env: tuple[str, ...],
    timeout: float,
    verbose: int,
    **given: Any,
) -> None:
    """Send one message to IMAGE (an image, or a folder with a Dockerfile), print its log, exit with its code."""
    content = _content(message, json_text, binary)
    variables = dict(_variable(pair) for pair in env)
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    tell(verbose)
    term_like_interrupt()
    with Emulator(Settings.read(port=0, **given)) as emulator:
        abaco = emulator.client()
        click.echo(f"runner: {emulator.runner.name}", err=True)
        place: str | Path = Path(image) if Path(image).is_dir() else image
        actor = abaco.register(place, default_environment=variables)
        code = _until_ready(actor, timeout) or follow(actor.send(content), timeout)
        abaco.close()
    sys.exit(code)


def _until_ready(actor: Actor, timeout_s: float) -> int:
    """Wait for the image; 0, or the exit code of its failure, which has then been told."""
    from abacito.client import WaitedInVain

    try:
        actor.wait(within_s=timeout_s)
    except WaitedInVain as error:
        click.echo(f"abacito: {error}", err=True)
        return exits.FAILED if actor.status == "ERROR" else exits.TIMED_OUT
    return exits.DONE


def follow(execution: Execution, timeout_s: float) -> int:
    """Print the log as it comes; the exit code."""
    printed = ""
    for details in execution.watch(timeout_s):
        text = execution.logs
        click.echo(text[len(printed) :], nl=False)
        printed = text
        ended = details["status"]
    if ended == "COMPLETE":
        code = execution.exit_code
        return code if isinstance(code, int) else exits.FAILED
    if ended == "ERROR":
        click.echo("abacito: the container could not be started; -v tells why", err=True)
        return exits.FAILED
    click.echo(f"abacito: still {ended} after {timeout_s:g} s", err=True)
    return exits.TIMED_OUT


def _content(message: str | None, json_text: str | None, binary: Path | None) -> Any:
    given = [what for what in (message, json_text, binary) if what is not None]
    if len(given) != 1:
        raise click.UsageError("give exactly one of -m, --json and --binary")
    if json_text is not None:
        try:
            return json.loads(json_text)
        except ValueError as error:
            raise click.BadParameter(f"{json_text!r} is not JSON: {error}", param_hint="--json") from error
    return binary.read_bytes() if binary else message


def _variable(pair: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="-e")
    return name, value
