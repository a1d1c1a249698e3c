"""Faults that strike real containers: what Docker and Abaco tell of them then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from abacito.abaco.time import real_monotonic
from abacito.client import Abaco
from abacito.emulator import Emulator
from abacito.settings import Settings

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def docker() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="docker")) as running:
        yield running
        running.check()


@pytest.fixture
def abaco(docker: Emulator) -> Iterator[Abaco]:
    docker.reset()
    client = docker.client()
    yield client
    client.close()


def is_left_alone(docker: Emulator) -> None:
    """No container is left, soon after the last execution is COMPLETE."""
    deadline = real_monotonic() + 20
    while docker.runner.names():
        assert real_monotonic() < deadline


@pytest.mark.parametrize(("kind", "by_memory"), [("killed", False), ("out_of_memory", True)])
def test_a_container_is_killed_in_its_time(docker: Emulator, abaco: Abaco, kind: str, by_memory: bool) -> None:
    actor = abaco.register("sleeps").wait(within_s=60)
    fault = abaco.faults.add(kind, actor=actor.id, after_s=1)
    began = real_monotonic()

    seen = actor.send("30").wait(25).details

    state = seen["final_state"]
    assert (seen["status"], seen["exit_code"], state["ExitCode"]) == ("COMPLETE", 137, 137)
    assert (state["OOMKilled"], state["Running"], fault.struck) == (by_memory, False, 1)
    assert 1 <= real_monotonic() - began < 25
    is_left_alone(docker)


def test_a_container_whose_daemon_was_away_and_whose_first_start_failed_runs(abaco: Abaco) -> None:
    actor = abaco.register("echo").wait(within_s=60)
    faults = [abaco.faults.runner_away(), abaco.faults.start_fails(actor), abaco.faults.delivered_twice(actor)]

    execution = actor.send("hello").wait(60)

    assert (execution.exit_code, "hello" in execution.logs) == (0, True)
    assert [fault.struck for fault in faults] == [1, 1, 1]
    assert len(abaco.request("GET", f"{actor.path}/executions")["executions"]) == 1


def test_a_container_that_hangs_is_halted(docker: Emulator, abaco: Abaco) -> None:
    actor = abaco.register("echo").wait(within_s=60)
    abaco.faults.hangs(actor)
    execution = actor.send("hello")
    deadline = real_monotonic() + 30
    while "hello" not in execution.logs or execution.status != "RUNNING":
        assert real_monotonic() < deadline

    abaco.send("DELETE", execution.path)

    assert execution.wait(30).exit_code == 137
    is_left_alone(docker)
