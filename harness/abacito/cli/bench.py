"""``abacito bench``: how long an execution takes, as a ratio to the raw Docker life cycle of the same run."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from abacito.cli import exits

if TYPE_CHECKING:
    from abacito.client import Actor
    from abacito.emulator import Emulator


@click.command(epilog=f"Example: abacito bench --rounds 30\n\n{exits.HELP}")
@click.option("--rounds", type=click.IntRange(min=3), default=15, show_default=True, help="Measurements of each.")
def bench(rounds: int) -> None:
    """Measure one execution, POST to COMPLETE with its log read, against the plain life of the same container.

    Both by turns, so that whatever else the machine does hits both. Needs Docker.
    """
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
    click.echo(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {len(ours)} rounds")
    click.echo(f"{'ms':<52}{'p50':>8}{'p95':>8}")
    for name, seconds in (
        ("one execution, POST to COMPLETE with its log read", ours),
        ("raw: create, start, wait, logs, inspect, remove", raw),
    ):
        p95 = statistics.quantiles(seconds, n=20)[-1]
        click.echo(f"{name:<52}{statistics.median(seconds) * 1000:>8.0f}{p95 * 1000:>8.0f}")
    click.echo(f"{'ratio of the medians':<52}{statistics.median(ours) / statistics.median(raw):>8.2f}")
