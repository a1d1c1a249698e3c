"""``abacito bench``: how long an execution takes, as a ratio to the raw Docker life cycle of the same run."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import click

from abacito.cli import exits
from abacito.cli.options import tell

if TYPE_CHECKING:
    from abacito.cli.crowd import Crowd

#: A GET is quick: so many make a round.
_GETS = 20
_WORLD_ACTORS, _WORLD_EXECUTIONS = 1000, 10_000


@click.command(epilog=f"Example: abacito bench execution --rounds 30\n\n{exits.HELP}")
@click.argument(
    "what", type=click.Choice(["execution", "throughput", "flood", "scale", "identity", "worlds"]), default="execution"
)
@click.option("--rounds", type=click.IntRange(min=3), default=15, show_default=True, help="Measurements of each.")
@click.option("--actors", type=click.IntRange(min=100), default=10_000, show_default=True, help="For scale: stored.")
@click.option("--executions", type=click.IntRange(min=100), default=100_000, show_default=True, help="The same.")
@click.option("--megabytes", type=click.IntRange(min=2), default=100, show_default=True, help="For flood: of log.")
def bench(what: str, rounds: int, actors: int, executions: int, megabytes: int) -> None:
    """Measure, as ratios within one run: whatever else the machine does hits both sides.

    \b
    execution (needs Docker): POST to COMPLETE with its log read, against the plain
        life of the same container; and Docker's word of its end to COMPLETE.
    throughput: results of 10 MB, and binary messages of 10 MB, on their way.
    flood (needs Docker): the memory that so much log takes while it is cut off.
    scale: reading from an emulator with so much stored, against one that holds
        100 actors and executions.
    identity: a GET with a token, and with an assertion, against one that asks
        nobody who he is.
    worlds: a snapshot of 1,000 actors and 10,000 executions, taken, gone back to,
        written to a file and read from it, against an empty emulator's.
    """
    tell(0)
    if what == "worlds":
        _worlds(rounds)
    elif what == "scale":
        _scale(rounds, actors, executions)
    elif what == "identity":
        _identity(rounds)
    elif what == "throughput":
        _throughput(rounds)
    elif what == "flood":
        _flood(megabytes)
    else:
        _execution(rounds)


def _execution(rounds: int) -> None:
    from abacito.containers.deaths import Deaths
    from abacito.containers.floor import Floor
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    with Emulator(Settings.read(port=0, runner="docker")) as emulator, closing(Deaths()) as deaths:
        actor = emulator.client().register("echo").wait(within_s=120)
        lags: list[float] = []

        def execute() -> str:
            execution = actor.send("hello").wait()
            seen = time.time()
            log = execution.logs
            lags.append(seen - deaths.time_of(f"abacito-{emulator.namespace}-{execution.id}", within_s=5))
            return log

        with closing(Floor(emulator.runner.prepare("echo"), ["sh", "-c", "echo hello"])) as floor:
            ours, raw = _interleaved(execute, floor.run, rounds)
        _report(ours, raw, lags[1:])


def _throughput(rounds: int) -> None:
    from abacito.cli.rates import SIZE_BYTES, Rates
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    megabytes = SIZE_BYTES / 1_000_000
    with Emulator(Settings.read(port=0, runner="process")) as emulator:
        rates = Rates(emulator)
        measured = [rates.measure() for _ in range(rounds + 1)][1:]
    click.echo(f"{_machine()}, {rounds} rounds of {megabytes:g} MB")
    click.echo(f"{'MB per second':<56}{'p50':>8}{'worst':>8}")
    for way in measured[0]:
        seconds = [each[way] for each in measured]
        click.echo(f"{way:<56}{megabytes / statistics.median(seconds):>8.0f}{megabytes / max(seconds):>8.0f}")


def _flood(megabytes: int) -> None:
    from abacito.cli.floods import Flood
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    with Emulator(Settings.read(port=0, runner="docker")) as emulator:
        flood = Flood(emulator, megabytes)
        grown_mib, taken_s, kept = flood.measure()
    click.echo(f"{_machine()}, a log of {megabytes} MB, {flood.limit} characters of it are kept")
    click.echo(f"{'peak growth of this process, in MiB':<56}{grown_mib:>8.1f}")
    click.echo(f"{'characters of log afterwards, with the notice':<56}{kept:>8}")
    click.echo(f"{'MB per second':<56}{megabytes / taken_s:>8.1f}")


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


def _worlds(rounds: int) -> None:
    from abacito.cli.crowd import Crowd
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    settings = Settings.read(port=0, runner="process")
    with Emulator(settings) as empty, Emulator(settings) as full:
        Crowd(full, _WORLD_ACTORS, _WORLD_EXECUTIONS).store()
        click.echo(f"{_machine()}, {rounds} rounds; {_WORLD_ACTORS} actors, {_WORLD_EXECUTIONS} executions")
        click.echo(f"{'p50 in ms':<56}{'empty':>8}{'full':>8}")
        snapshots = {emulator: emulator.snapshot() for emulator in (empty, full)}
        files = {emulator: snapshot.to_bytes() for emulator, snapshot in snapshots.items()}
        acts: dict[str, Callable[[Emulator], object]] = {
            "a snapshot is taken": lambda emulator: emulator.snapshot(),
            "it is gone back to": lambda emulator: emulator.restore(snapshots[emulator]),
            "it is written": lambda emulator: snapshots[emulator].to_bytes(),
            "it is read from a file, and is there": lambda emulator: emulator.restore(files[emulator]),
        }
        for name, act in acts.items():
            taken: dict[Emulator, list[float]] = {empty: [], full: []}
            for _ in range(rounds):
                for emulator, seconds in taken.items():
                    seconds.append(_seconds(partial(act, emulator)))
            medians = [statistics.median(seconds) * 1000 for seconds in taken.values()]
            click.echo(f"{name:<56}{medians[0]:>8.1f}{medians[1]:>8.1f}")


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _identity(rounds: int) -> None:
    from contextlib import ExitStack

    from abacito.emulator import Emulator
    from abacito.settings import Settings

    with ExitStack() as stack:
        asked: dict[str, Callable[[], object]] = {}
        for auth in ("none", "tokens", "jwt"):
            emulator = stack.enter_context(Emulator(Settings.read(port=0, runner="process", auth=auth)))
            client = stack.enter_context(closing(emulator.client()))
            actor = client.register("abacosamples/test").wait()
            asked[auth] = partial(client.request, "GET", actor.path)
        seconds: dict[str, list[float]] = {auth: [] for auth in asked}
        for _ in range(rounds * _GETS):
            for auth, ask in asked.items():
                began = time.perf_counter()
                ask()
                seconds[auth].append(time.perf_counter() - began)
    floor = statistics.median(seconds["none"])
    click.echo(f"{_machine()}, {rounds * _GETS} rounds")
    click.echo(f"{'GET of an actor, p50 in ms':<56}{'takes':>8}{'more':>8}")
    for auth, taken in seconds.items():
        median = statistics.median(taken)
        click.echo(f"--auth {auth:<49}{median * 1000:>8.2f}{(median - floor) * 1000:>8.2f}")


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


def _report(ours: list[float], raw: list[float], lags: list[float]) -> None:
    click.echo(f"{_machine()}, {len(ours)} rounds")
    click.echo(f"{'ms':<56}{'p50':>8}{'p95':>8}")
    for name, seconds in (
        ("one execution, POST to COMPLETE with its log read", ours),
        ("raw: create, start, wait, logs, inspect, remove", raw),
        ("from Docker's die event until COMPLETE is seen by HTTP", lags),
    ):
        p95 = statistics.quantiles(seconds, n=20)[-1]
        click.echo(f"{name:<56}{statistics.median(seconds) * 1000:>8.0f}{p95 * 1000:>8.0f}")
    click.echo(f"{'ratio of the first two medians':<56}{statistics.median(ours) / statistics.median(raw):>8.2f}")
