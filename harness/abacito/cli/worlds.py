"""What an emulator begins with and leaves behind, and ``abacito snapshot``, ``reset``, ``pause`` and ``resume``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from abacito.cli import exits
from abacito.cli.options import json_option, target_option

if TYPE_CHECKING:
    from abacito.emulator import Emulator
    from abacito.scenario.story import Story
    from abacito.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(dir_okay=False, path_type=Path)
_STORY = click.Path(exists=True, path_type=Path)

_WORLD = (
    click.option("--import", "imported", type=_FILE, envvar="ABACITO_IMPORT", help="Begin with this snapshot."),
    click.option(
        "--seed",
        "seeds",
        type=_STORY,
        multiple=True,
        envvar="ABACITO_SEED",
        metavar="STORY",
        help="Play this story first, or all in this folder; repeated: one after the other.",
    ),
    click.option(
        "--export-on-exit", "exported", type=_FILE, envvar="ABACITO_EXPORT_ON_EXIT", help="Write a snapshot at the end."
    ),
)


def world_options(command: Command) -> Command:
    """What an emulator begins with, and what is to be left of it; for ``begun``."""
    for option in reversed(_WORLD):
        command = option(command)
    return command


@contextmanager
def begun(
    settings: Settings, imported: Path | None, seeds: tuple[Path, ...], exported: Path | None
) -> Iterator[Emulator]:
    """An emulator that holds what is in the file and what comes of the stories; in the end what it holds is written.

    The stories' users are known to it. Raises Misconfigured for a file that is no snapshot, and for what is no story;
    ends the process for a story that fails.
    """
    from abacito.emulator import Emulator
    from abacito.scenario.users import settings_for

    stories = _stories(seeds)
    for story in stories:
        settings = settings_for(story, settings)
    with Emulator(settings) as emulator:
        if imported is not None:
            _load(emulator, imported)
        if stories:
            _play(emulator, stories)
        yield emulator
        if exported is not None:
            emulator.snapshot().save(exported)
            click.echo(f"{exported} has all that there was", err=True)


def _load(emulator: Emulator, file: Path) -> None:
    from abacito.abaco.errors import Malformed, Misconfigured

    try:
        emulator.restore(file)
    except (Malformed, Misconfigured) as error:
        raise Misconfigured(f"--import {file}: {error}") from error


def _stories(seeds: tuple[Path, ...]) -> list[Story]:
    from abacito.cli.scenario import load_all

    return load_all(seeds) if seeds else []


def _play(emulator: Emulator, stories: list[Story]) -> None:
    from abacito.scenario.ask import Target
    from abacito.scenario.play import play

    target = Target.of(emulator)
    for story in stories:
        outcome = play(story, target, lambda _: None, tidy=False)
        if outcome.failure is not None:
            click.echo(f"abacito: --seed {story.file}: {outcome.failure}", err=True)
            sys.exit(exits.FAILED)
    emulator.client().quiet()
    emulator.stay_here()


@click.group(epilog=f"Example: abacito snapshot save world.abacito\n\n{exits.HELP}")
def snapshot() -> None:
    """All that a running emulator holds, to a file and from one."""


@snapshot.command()
@click.argument("file", type=_FILE)
@target_option
def save(file: Path, target: str) -> None:
    """Write all that it holds to FILE: actors, executions, logs, state, configs, the time. Tokens are not in it.

    Secrets are, readable, unless the emulator's encryption_key is set.
    """
    from abacito import client
    from abacito.files import write_whole

    write_whole(file, client.save_snapshot(target), for_us_only=True)
    click.echo(file)


@snapshot.command()
@click.argument("file", type=_FILE)
@json_option
@target_option
def load(file: Path, target: str, as_json: bool) -> None:
    """Have it hold what is in FILE, and nothing else; from then on a reset leads back here."""
    from abacito import client, worlds
    from abacito.abaco.errors import Misconfigured

    try:
        _tell(client.load_snapshot(target, worlds.read(file)), as_json)
    except client.Refused as error:
        raise Misconfigured(f"{file}: {error.message}") from error


@click.command(epilog=f"Example: abacito reset --empty\n\n{exits.HELP}")
@click.option("--empty", is_flag=True, help="Forget what it began with, too.")
@json_option
@target_option
def reset(empty: bool, target: str, as_json: bool) -> None:
    """Have a running emulator go back to what it began with: a snapshot, what was seeded, or nothing."""
    _steer(target, "/_abacito/reset", as_json, {"to": "empty"} if empty else None)


@click.command(epilog=f"Example: abacito pause\n\n{exits.HELP}")
@json_option
@target_option
def pause(target: str, as_json: bool) -> None:
    """Have a running emulator begin nothing: messages wait, what runs goes on."""
    _steer(target, "/_abacito/pause", as_json)


@click.command(epilog=f"Example: abacito resume\n\n{exits.HELP}")
@json_option
@target_option
def resume(target: str, as_json: bool) -> None:
    """Have it go on."""
    _steer(target, "/_abacito/resume", as_json)


def _steer(target: str, path: str, as_json: bool, body: object = None) -> None:
    from abacito.client import control

    _tell(control(target, "POST", path, body), as_json)


def _tell(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts))
    elif facts["paused"]:
        click.echo("messages wait until abacito resume", err=True)
