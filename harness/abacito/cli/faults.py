"""``abacito faults``: what is to go wrong in a running emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from abacito.abaco.faults import FIELDS, KINDS
from abacito.cli import exits
from abacito.cli.options import json_option, target_option

Command = TypeVar("Command", bound=Callable[..., Any])

_PATH = "/_abacito/faults"
_KINDS = "\n".join(f"{kind:<16} {' '.join(known.fields):<20} {known.help}" for kind, known in KINDS.items())


def _field_options(command: Command) -> Command:
    """One for each field of a fault."""
    for name, known in reversed([*FIELDS.items()]):
        words = f"{known.help[:1].upper()}{known.help[1:]}."
        command = click.option(f"--{name.replace('_', '-')}", name, type=known.kind, help=words)(command)
    return command


@click.group(epilog=f"Example: abacito faults add killed --actor ACTOR --after-s 1\n\n{exits.HELP}")
def faults() -> None:
    """Have something go wrong in a running emulator, and see how often it did."""


@faults.command(epilog=f"\b\n{_KINDS}\n\nExample: abacito faults add answers --path '/actors/**' --times 3")
@click.argument("kind")
@_field_options
@target_option
@json_option
def add(kind: str, target: str, as_json: bool, **fields: Any) -> None:
    """Set a fault of KIND, and print its id.

    It strikes once unless told otherwise. Each kind has the fields named with it, and all have times, probability
    and seed; without an actor or a path it strikes whatever comes.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    made = _ask(target, "POST", _PATH, {"kind": kind, **given})
    click.echo(json.dumps(made) if as_json else made["id"])
    if made["probability"] < 1:
        click.echo(f"to be repeated with --seed {made['seed']}", err=True)


@faults.command("list")
@target_option
@json_option
def list_(target: str, as_json: bool) -> None:
    """What is set, and how often each has struck."""
    _tell(_ask(target, "GET", _PATH)["faults"], as_json)


@faults.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@target_option
@json_option
def clear(ids: tuple[str, ...], target: str, as_json: bool) -> None:
    """Have these strike no more, or all, and print how they stood."""
    paths = [f"{_PATH}/{id}" for id in ids] or [_PATH]
    _tell([fault for path in paths for fault in _ask(target, "DELETE", path)["faults"]], as_json)


def _ask(target: str, method: str, path: str, body: object = None) -> dict[str, Any]:
    from abacito.client import control

    return control(target, method, path, body)


def _tell(told: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(told))
        return
    for fault in told:
        own = " ".join(f"{name}={fault[name]}" for name in FIELDS if fault.get(name) is not None)
        left = "until cleared" if fault["left"] is None else f"{fault['left']} left"
        click.echo(f"{fault['id']}  {fault['kind']}  struck {fault['struck']}, {left}  {own}")
