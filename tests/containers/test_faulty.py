"""A runner on which things go wrong, above one of Python functions: what the workers see of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from abacito.abaco.container import ContainerEnd, ContainerSpec
from abacito.abaco.errors import ContainerGone, RunnerAway, StartRefused
from abacito.abaco.faults import Fault, FaultKind, Faults
from abacito.abaco.ports import Container, ContainerState
from abacito.containers.faulty import FaultyRunner
from abacito.containers.stub import StubRunner

SPEC = ContainerSpec("c1", "stub/it", {}, labels={"abacito.actor": "XaBc"})


class Stage:
    """A faulty runner, what it revokes, and the results that come through."""

    def __init__(self) -> None:
        self.stubs, self.faults = StubRunner(), Faults()
        self.revoked: list[str] = []
        self.results: list[bytes] = []
        self.runner = FaultyRunner(self.stubs, self.faults, self.revoked.append)

    def started(self, function: Callable[[Any], Any], *faults: Fault, spec: ContainerSpec = SPEC) -> Container:
        for fault in faults:
            self.faults.add(fault)
        self.stubs.register(spec.image, function)
        container = self.runner.create(spec, self.results.append)
        container.start()
        return container


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.runner.close()


def ended(container: Container) -> ContainerEnd:
    end = container.wait(20)
    assert end is not None
    return end


def test_without_a_fault_it_is_the_runner_below(stage: Stage) -> None:
    container = stage.started(lambda context: (context.send_result(b"r"), print("said")))

    assert (ended(container).exit_code, container.log(), stage.results) == (0, "said\n", [b"r"])
    assert (stage.runner.name, stage.runner.names(), container.state()) == ("stub", ["c1"], ContainerState.EXITED)
    container.remove()
    assert stage.runner.find("c1") is None


def test_while_it_is_away_no_call_gets_through(stage: Stage) -> None:
    container = stage.started(lambda context: None)
    found = stage.runner.find("c1")
    assert found is not None
    stage.faults.add(Fault(FaultKind.RUNNER_AWAY, times=0))

    calls: list[Callable[[], object]] = [
        *(container.state, container.remove, found.state, lambda: container.wait(0)),
        *(stage.runner.names, lambda: stage.runner.find("c1"), lambda: stage.runner.prepare("stub/it")),
        lambda: stage.runner.create(replace(SPEC, name="c2"), stage.results.append),
    ]
    for call in calls:
        with pytest.raises(RunnerAway, match="fault f1"):
            call()

    stage.faults.clear()
    assert ended(container).exit_code == 0


def test_a_start_that_fails_for_another_reason_strikes_nothing(stage: Stage) -> None:
    container = stage.started(lambda context: None)
    ended(container)
    stage.faults.add(Fault(FaultKind.EXITS))

    with pytest.raises(StartRefused):
        container.start()

    assert [fault.struck for fault in stage.faults.list()] == [0]


def test_whoever_finds_it_again_finds_what_has_befallen_it(stage: Stage) -> None:
    stage.started(lambda context: print("said"), Fault(FaultKind.EXITS, exit_code=9), Fault(FaultKind.LOSES_LOGS))

    found = stage.runner.find("c1")

    assert found is not None
    assert (ended(found).exit_code, found.log()) == (9, "")


def test_a_token_is_revoked_before_it_can_be_used_or_in_its_time(stage: Stage) -> None:
    with_token = replace(SPEC, environment={"_abaco_access_token": "t1"})
    seen: list[list[str]] = []

    now = stage.started(lambda context: seen.append([*stage.revoked]), Fault(FaultKind.TOKEN_REVOKED), spec=with_token)
    ended(now)
    assert seen == [["t1"]]

    may_end = threading.Event()
    later = replace(with_token, name="c2")
    container = stage.started(
        lambda context: may_end.wait(20), Fault(FaultKind.TOKEN_REVOKED, after_s=0.05), spec=later
    )
    assert container.wait(0.2) is None
    assert stage.revoked == ["t1", "t1"]
    may_end.set()
    assert ended(container).exit_code == 0


def test_one_that_hangs_runs_until_it_is_stopped_and_ran_so_long(stage: Stage) -> None:
    container = stage.started(lambda context: None, Fault(FaultKind.HANGS))

    assert container.wait(0.2) is None
    assert container.state() is ContainerState.RUNNING
    container.stop(0)

    end = ended(container)
    assert (end.exit_code, end.runtime_s >= 0.2) == (137, True)
    assert end.started_at is not None
    assert end.finished_at is not None
    assert (end.finished_at - end.started_at).total_seconds() == pytest.approx(end.runtime_s, abs=0.05)
    assert end.final_state["FinishedAt"] == end.finished_at


def test_who_waits_for_one_that_hangs_is_let_go_by_a_clear(stage: Stage) -> None:
    container = stage.started(lambda context: None, Fault(FaultKind.HANGS))
    waits = threading.Thread(target=lambda: _gone(container), daemon=True)
    waits.start()

    stage.runner.clear()

    waits.join(20)
    assert not waits.is_alive()


def _gone(container: Container) -> None:
    """Wait for much longer than the test lasts."""
    try:
        container.wait(600)
        container.wait(600)
    except ContainerGone:
        return
