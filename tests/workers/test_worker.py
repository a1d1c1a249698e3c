"""How many workers an actor has: as many as there is work for, and no record that never worked."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from abacito.abaco.registration import Description
from tests.workers.simulation import LIMITS, OWNER, TENANT, World

#: One message, from the ring to the ring's end, takes a poller fewer steps than this.
ALL_STEPS = 40


def without_workers(world: World) -> None:
    """A stateless actor that has been idle for a while."""
    world.start_poller()
    world.run_until_rest(60)
    for slot in world.stored.slots.list(world.actors["stateless"].key):
        world.stored.slots.delete_idle(slot)


def workers(world: World) -> int:
    return len(world.stored.slots.list(world.actors["stateless"].key))


@pytest.mark.parametrize("length_s", [0.0, 1.0])
@pytest.mark.parametrize("begins_with", [0, 1])
def test_two_rings_for_one_message_make_one_worker(begins_with: int, length_s: float) -> None:
    for steps in range(ALL_STEPS):
        with closing(World()) as world:
            without_workers(world)
            world.lengths = iter(lambda: length_s, None)
            world.start_poller()
            world.post("stateless")
            world.ring("stateless")

            one, other = sorted(world.pollers, reverse=bool(begins_with))
            for _ in range(steps):
                world.step(one)
            world.work_until_idle(other)
            world.run_until_rest(60)

            assert workers(world) == 1, f"after {steps} steps"
            world.check_at_rest()


@pytest.mark.parametrize("seed", range(20))
def test_two_rings_for_one_message_make_one_worker_in_any_order(seed: int) -> None:
    with closing(World()) as world:
        without_workers(world)
        world.start_poller()
        world.post("stateless")
        world.ring("stateless")

        world.work_at_random(seed, 200)
        world.run_until_rest(60)

        assert workers(world) == 1
        world.check_at_rest()


def test_a_ring_without_a_message_makes_no_worker() -> None:
    with closing(World()) as world:
        without_workers(world)

        world.ring("stateless")
        world.run_until_rest(60)

        assert workers(world) == 0


@pytest.mark.parametrize("messages", [1, 2, 3, 5])
def test_there_are_as_many_workers_as_messages_up_to_the_limit_and_they_work_side_by_side(messages: int) -> None:
    with closing(World()) as world:
        without_workers(world)
        world.start_poller()
        for _ in range(messages):
            world.post("stateless")

        for name in sorted(world.pollers):
            world.work_until_idle(name)

        wanted = min(messages, LIMITS["stateless"])
        assert (workers(world), len(world.daemon.boxes)) == (wanted, wanted)
        world.run_until_rest(60)
        assert workers(world) == wanted
        world.check_at_rest()


def test_an_actor_may_be_registered_without_a_worker() -> None:
    with closing(World()) as world:
        settings = Description({"image": "stateless", "stateless": True})
        actor = world.registration.register(OWNER, replace(TENANT, init_count=0), settings)

        world.start_poller()
        world.run_until_rest(60)

        found = world.stored.actors.get(actor.key)
        assert found is not None
        assert found.is_ready
        assert not world.stored.slots.list(actor.key)
