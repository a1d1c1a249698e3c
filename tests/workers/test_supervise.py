"""One execution in the hand of one worker: what is asked of it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from abacito.abaco.execution import Execution, ExecutionKey, ExecutionStatus
from abacito.abaco.halting import Halting
from abacito.abaco.worker import Slot, WorkerStatus
from abacito.aws.session import storage
from abacito.workers.supervise import HALT_AGAIN_S
from tests.workers.simulation import SteppedSource, World


@pytest.fixture
def world() -> Iterator[World]:
    """The stateful actor has a container that would run for long, and a worker that waits for its end."""
    with closing(World()) as made:
        made.lengths = iter(lambda: 100.0, None)
        made.start_poller()
        made.run_until_rest(60)
        made.post("stateful")
        made.work_until_idle(min(made.pollers))
        yield made


def execution(world: World) -> Execution:
    [posted] = world.accepted["stateful"]
    found = world.stored.executions.get(ExecutionKey(world.actors["stateful"].key, posted))
    assert found is not None
    return found


def worker(world: World) -> Slot:
    [slot] = world.stored.slots.list(world.actors["stateful"].key)
    return slot


def test_a_halt_by_the_same_process_stops_the_container_at_once(world: World) -> None:
    began = world.now

    Halting(world.stored.slots).force_quit(execution(world))
    world.work_until_idle(min(world.pollers))

    assert execution(world).status is ExecutionStatus.COMPLETE
    assert world.now == began


def test_a_halt_that_did_not_get_through_is_asked_for_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    [box] = world.daemon.boxes.values()
    with monkeypatch.context() as daemon_is_away:
        daemon_is_away.setattr(box, "stop", lambda: None)
        Halting(world.stored.slots).force_quit(execution(world))
        world.now += HALT_AGAIN_S - 1
        world.work_until_idle(min(world.pollers))
    assert execution(world).status is ExecutionStatus.RUNNING

    world.now += 1
    world.work_until_idle(min(world.pollers))

    assert execution(world).status is ExecutionStatus.COMPLETE


def test_a_halt_that_comes_after_the_end_touches_the_container_no_more(world: World) -> None:
    [tell] = world.stored.slots._listeners.values()  # as in the hand of a thread that is about to call it
    [box] = world.daemon.boxes.values()
    posted = execution(world)
    world.now += 100
    world.work_until_idle(min(world.pollers))
    assert execution(world).status is ExecutionStatus.COMPLETE

    tell(posted.id)

    assert box.stopped is None


def test_a_halt_of_another_execution_stops_nothing(world: World) -> None:
    assert not world.stored.slots.halt(worker(world), "another")
    world.work_until_idle(min(world.pollers))

    assert execution(world).status is ExecutionStatus.RUNNING


def test_a_halt_by_another_process_is_seen_at_the_next_look(world: World) -> None:
    another = storage(SteppedSource(world._turn, world.engine), "sim", f"abacito-{world.engine.account}")

    Halting(another.slots).force_quit(execution(world))
    world.work_until_idle(min(world.pollers))
    assert execution(world).status is ExecutionStatus.RUNNING
    world.now += 1
    world.work_until_idle(min(world.pollers))

    assert execution(world).status is ExecutionStatus.COMPLETE


def test_a_worker_that_is_sent_away_shows_that_it_knows_it(world: World) -> None:
    world.stored.slots.drain(worker(world))
    asked = worker(world).status
    world.now += 1
    world.work_until_idle(min(world.pollers))

    assert (asked, worker(world).status) == (WorkerStatus.SHUTDOWN_REQUESTED, WorkerStatus.SHUTTING_DOWN)
    world.stored.slots.drain(worker(world))
    assert worker(world).status is WorkerStatus.SHUTTING_DOWN
    world.run_until_rest(300)
    assert not world.stored.slots.list(world.actors["stateful"].key)
