"""``abacito bench``: how long an execution takes, as a ratio to the raw Docker life cycle of the same run."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from abacito.cli import exits

if TYPE_CHECKING:
    from abacito.cli.crowd import Crowd
    from abacito.client import Actor
    from abacito.emulator import Emulator


@click.command(epilog=f"Example: abacito bench execution --rounds 30\n\n{exits.HELP}")
@click.argument("what", type=click.Choice(["execution", "scale"]), default="execution")
@click.option("--rounds", type=click.IntRange(min=3), default=15, show_default=True, help="Measurements of each.")
@click.option("--actors", type=click.IntRange(min=100), default=10_000, show_default=True, help="For scale: stored.")
@click.option("--executions", type=click.IntRange(min=100), default=100_000, show_default=True, help="The same.")
def bench(what: str, rounds: int, actors: int, executions: int) -> None:
    """Measure, as ratios within one run: whatever else the machine does hits both sides.

    execution (needs Docker): POST to COMPLETE with its log read, against the plain life of the same container.
    scale: reading from an emulator with so much stored, against one that holds 100 actors and executions.
    """
    if what == "scale":
        _scale(rounds, actors, executions)
    else:
        _execution(rounds)


def _execution(rounds: int) -> None:
    from abacito.containers.floor import Floor
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    with Emulator(Settings.read(port=0, runner="docker")) as emulator:
        actor = emulator.client().register("echo").wait(within_s=120)
        floor = Floor(emulator.runner.prepare("echo"), ["sh", "-c", "echo hello"])
        try:
            ours, raw = _interleaved(lambda: _execute(actor), floor.run, rounds)
        finally:
            floor.close()
        _report(ours, raw, emulator)


def _scale(rounds: int, actors: int, executions: int) -> None:
    from abacito.cli.crowd import Crowd
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    settings = Settings.read(port=0, runner="process")
    with Emulator(settings) as few, Emulator(settings) as many:
        crowds = Crowd(few, 100, 100), Crowd(many, actors, executions)
        for crowd in crowds:
            click.echo(f"storing {crowd.actors} actors and {crowd.executions} executions …", err=True)
            crowd.store()
        click.echo(f"{_machine()}, {rounds} rounds; {actors} actors, {executions} executions, against 100 of each")
        click.echo(f"{'p50 in ms':<64}{'few':>8}{'many':>8}{'ratio':>8}")
        for path in crowds[0].requests():
            medians = [statistics.median(each) * 1000 for each in _by_turns(crowds, path, rounds)]
            click.echo(f"{path:<64}{medians[0]:>8.1f}{medians[1]:>8.1f}{medians[1] / medians[0]:>8.2f}")


def _by_turns(crowds: Sequence[Crowd], path: str, rounds: int) -> Sequence[list[float]]:
    """Seconds of each; the first round warms up and does not count."""
    seconds: list[list[float]] = [[] for _ in crowds]
    for _ in range(rounds + 1):
        for taken, crowd in zip(seconds, crowds, strict=True):
            began = time.perf_counter()
            crowd.get(path)
            taken.append(time.perf_counter() - began)
    return [taken[1:] for taken in seconds]


def _machine() -> str:
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _execute(actor: Actor) -> str:
    execution = actor.send("hello")
    return execution.wait().logs


def _interleaved(ours: Callable[[], str], raw: Callable[[], str], rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each, by turns; the first round of both warms up and does not count."""
    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(rounds + 1):
        for taken, action in zip(seconds, (ours, raw), strict=True):
            began = time.perf_counter()
            log = action()
            taken.append(time.perf_counter() - began)
            if "hello" not in log:
                raise click.ClickException(f"the container's log is {log!r}, not hello: nothing to compare")
    return seconds[0][1:], seconds[1][1:]


def _report(ours: list[float], raw: list[float], emulator: Emulator) -> None:
    click.echo(f"{_machine()}, {len(ours)} rounds")
    click.echo(f"{'ms':<52}{'p50':>8}{'p95':>8}")
    for name, seconds in (
        ("one execution, POST to COMPLETE with its log read", ours),
        ("raw: create, start, wait, logs, inspect, remove", raw),
    ):
        p95 = statistics.quantiles(seconds, n=20)[-1]
        click.echo(f"{name:<52}{statistics.median(seconds) * 1000:>8.0f}{p95 * 1000:>8.0f}")
    click.echo(f"{'ratio of the medians':<52}{statistics.median(ours) / statistics.median(raw):>8.2f}")
