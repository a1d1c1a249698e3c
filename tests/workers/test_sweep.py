"""What nobody looks after any more is found by a sweep; what somebody has in hand is left to him."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from abacito.abaco.container import ContainerSpec
from abacito.abaco.errors import RunnerAway
from abacito.abaco.ports import Ring
from abacito.abaco.worker import Hold
from abacito.workers.sweep import GRACE_S, Sweep
from tests.workers.simulation import LIMITS, TENANT, Daemon, World

KINDS = pytest.mark.parametrize("kind", ["stateful", "stateless"])


@pytest.fixture
def world() -> Iterator[World]:
    """Both actors READY, one poller, nothing to do."""
    with closing(World()) as made:
        made.start_poller()
        made.run_until_rest(60)
        yield made


def rings(world: World) -> list[Ring]:
    """Those that can be had now; they are in hand thereby."""
    found = []
    while (ring := world.stored.rings.receive("default", 0, 15)) is not None:
        found.append(ring.ring)
    return found


def hold(world: World, kind: str) -> None:
    """A poller acquires the actor's first worker, and is never heard of again, nor is his ring."""
    [slot, *_] = world.stored.slots.list(world.actors[kind].key)
    assert world.stored.slots.acquire(slot, Hold("lost ring", "token", "dead"), is_new=False, drops=False)


@KINDS
def test_a_message_whose_ring_is_lost_is_run(world: World, kind: str) -> None:
    world.post(kind)
    world.lose_rings()
    world.run_until_rest(60)
    assert not world.starts

    world.sweep()
    world.run_until_rest(60)

    world.check_at_rest()


def test_an_actor_gets_no_more_rings_than_it_has_messages_or_may_have_containers(world: World) -> None:
    world.sweep()
    assert rings(world) == []

    for posted in range(1, 5):
        world.post("stateless")
        world.lose_rings()
        world.sweep()
        wanted = min(posted, LIMITS["stateless"])
        assert rings(world) == [Ring(world.actors["stateless"].key)] * wanted


@KINDS
def test_an_execution_that_waits_for_a_repair_is_run_when_the_repairs_rings_are_lost(world: World, kind: str) -> None:
    world.daemon.bad.add(world.actors[kind].id)
    world.post(kind)
    world.run_until_rest(60)
    world.repair(kind)
    world.lose_rings()

    world.sweep()
    world.run_until_rest(60)

    world.check_at_rest()


@KINDS
def test_a_held_slot_without_a_ring_is_taken_over_when_its_holder_has_not_beaten(world: World, kind: str) -> None:
    """The last row of the protocol's table of crashes."""
    hold(world, kind)
    world.post(kind)

    world.sweep()
    world.run_until_rest(GRACE_S - 1)
    assert world.takeovers == 0
    world.now += 1
    world.run_until_rest(60)

    assert world.takeovers == 1
    world.check_at_rest()


def test_a_holder_who_lives_is_not_taken_over(world: World) -> None:
    world.lengths = iter(lambda: 100.0, None)
    world.post("stateful")
    world.work_until_idle(min(world.pollers))

    world.sweep()
    world.run_until_rest(300)

    assert world.takeovers == 0
    world.check_at_rest()


@KINDS
def test_a_deletion_that_nobody_goes_on_with_is_finished(world: World, kind: str) -> None:
    key = world.actors[kind].key
    hold(world, kind)
    world.stored.actors.begin_deletion(key)

    world.sweep()  # asks the holder to go
    world.now += GRACE_S
    world.run_until_rest(60)  # he is taken over, and goes
    world.sweep()

    assert world.stored.actors.get(key) is None
    assert not world.stored.slots.list(key)


def test_an_actor_that_was_registered_with_the_status_of_a_deletion_is_not_deleted(world: World) -> None:
    actor = world.stored.actors.get(world.actors["stateless"].key)
    assert actor is not None
    named = replace(actor, status="SHUTTING_DOWN", revision=actor.revision)
    assert world.stored.actors.update(named, starts_anew=True, says=True)

    world.sweep()

    assert world.stored.actors.get(actor.key) is not None


def test_an_actor_whose_first_ring_is_lost_becomes_ready() -> None:
    with closing(World()) as world:
        world.lose_rings()
        world.post("stateful")
        world.start_poller()
        world.run_until_rest(60)
        assert not world.starts

        world.sweep()
        world.now += GRACE_S
        world.run_until_rest(60)

        world.check_at_rest()


def test_a_container_that_no_slot_names_is_removed_and_no_other(world: World) -> None:
    world.lengths = iter(lambda: 100.0, None)
    world.post("stateful")
    world.work_until_idle(min(world.pollers))
    [in_hand] = world.daemon.boxes
    world.daemon.create(ContainerSpec("abacito-sim-lost", "stateful", {}), lambda _: None)

    world.sweep()

    assert list(world.daemon.boxes) == [in_hand]


def test_what_a_deleted_actor_has_left_is_removed(world: World) -> None:
    world.daemon.create(ContainerSpec("abacito-sim-lost", "stateful", {}), lambda _: None)
    world.registration.delete(world.actors["stateful"].key)

    world.sweep()

    assert not world.daemon.boxes


class Away(Daemon):
    """Does not answer."""

    def names(self) -> list[str]:
        raise RunnerAway("no daemon")


def test_a_runner_that_is_away_does_not_keep_the_rest_from_being_swept(world: World) -> None:
    world.post("stateless")
    world.lose_rings()

    Sweep(replace(world.workshop("sweep"), runner=Away(world, world._turn))).run_pass()

    assert rings(world) == [Ring(world.actors["stateless"].key)]


def test_an_idle_worker_that_no_process_remembers_goes_when_its_time_is_over(world: World) -> None:
    [slot] = world.stored.slots.list(world.actors["stateful"].key)
    workshop = world.workshop("another process")

    Sweep(workshop).run_pass()
    world.clock.offset += timedelta(seconds=TENANT.worker_ttl - 1)
    Sweep(workshop).run_pass()  # does not begin to count anew
    workshop.retirement.run_pass()
    assert world.stored.slots.list(slot.actor)
    world.clock.offset += timedelta(seconds=1)
    workshop.retirement.run_pass()

    assert not world.stored.slots.list(slot.actor)
