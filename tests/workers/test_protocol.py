"""The delivery protocol, run over the real workers, store and queues by random schedules (docs/protocol.md)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from abacito.abaco.execution import ExecutionKey
from abacito.abaco.worker import Slot, WorkerStatus
from abacito.aws import keys
from abacito.aws.session import Storage, storage
from abacito.aws.slots import SlotTable
from abacito.aws.tables import Update, exists
from abacito.workers.sweep import GRACE_S
from abacito.workers.worker import Visit
from tests.workers.simulation import SteppedSource, World

KINDS = st.sampled_from(["stateful", "stateless"])

# One kind of misfortune at a time leaves nothing that needs a net; a storm of all may, and there is a sweep in the end.
WEATHERS = ["doubles", "crashes", "sleeps", "storm"]


def only_in(*weathers: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A rule for these weathers, and for the storm."""
    return precondition(lambda machine: machine.weather in (*weathers, "storm"))


class Protocol(RuleBasedStateMachine):
    """Clients, pollers, time and misfortune, in any order; what must hold is asserted by the World as it goes."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.weather = ""

    @initialize(weather=st.sampled_from(WEATHERS), seed=st.integers(0, 2**16))
    def begin(self, weather: str, seed: int) -> None:
        self.weather = weather
        lengths = random.Random(seed)
        self.world.lengths = iter(lambda: lengths.choice([0.0, 1.0, 5.0, 25.0]), None)
        self.world.start_poller()
        self.world.start_poller()
        for _ in range(40):  # the images are looked at, the actors become READY
            self.work(0, 1)

    @rule(kind=KINDS)
    def post(self, kind: str) -> None:
        self.world.post(kind)

    @rule(kind=KINDS, count=st.integers(2, 4))
    def post_many(self, kind: str, count: int) -> None:
        for _ in range(count):
            self.world.post(kind)

    @rule(poller=st.integers(0, 3), steps=st.integers(1, 30))
    def work(self, poller: int, steps: int) -> None:
        """One poller works while the other stands still."""
        names = sorted(self.world.pollers)
        for _ in range(steps):
            if names and not self.world.step(names[poller % len(names)]):
                return

    @rule(steps=st.integers(5, 60), seed=st.integers(0, 2**16))
    def work_together(self, steps: int, seed: int) -> None:
        self.world.work_at_random(seed, steps)

    @only_in("sleeps")
    @rule(seconds=st.sampled_from([0.5, 2.0, 4.0, 11.0, 16.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        """Nobody works meanwhile: whoever holds something sleeps past his leases."""
        self.world.now += seconds

    @only_in("crashes")
    @rule(poller=st.integers(0, 3))
    def a_poller_dies_and_another_starts(self, poller: int) -> None:
        names = sorted(self.world.pollers)
        self.world.kill(names[poller % len(names)])
        self.world.start_poller()

    @only_in("doubles")
    @rule(kind=KINDS, delay_s=st.sampled_from([0, 0, 5, 20]))
    def a_ring_is_doubled_or_late(self, kind: str, delay_s: int) -> None:
        self.world.ring(kind, delay_s)

    @only_in("doubles")
    @rule(kind=KINDS)
    def a_message_is_delivered_twice(self, kind: str) -> None:
        self.world.double_message(kind)

    @rule(kind=KINDS)
    def starts_fail_until_repaired(self, kind: str) -> None:
        self.world.daemon.bad.add(self.world.actors[kind].id)

    @rule(kind=KINDS)
    def repair(self, kind: str) -> None:
        self.world.repair(kind)

    @rule(kind=KINDS)
    def purge(self, kind: str) -> None:
        self.world.purge(kind)

    @only_in()
    @rule()
    def a_sweep_passes(self) -> None:
        self.world.sweep()

    @rule(hours=st.integers(-48, 48))
    def the_domain_clock_moves(self, hours: int) -> None:
        self.world.clock.offset += timedelta(hours=hours)

    def teardown(self) -> None:
        world = self.world
        try:
            world.daemon.bad.clear()
            for _ in range(3):
                world.run_until_rest(1500)
                for kind in world.actors:
                    world.repair(kind)  # does nothing to an actor that is well: its rings would hide a loss
                if self.weather == "storm":
                    world.sweep()
                    world.now += GRACE_S + 1
            world.run_until_rest(1500)
            world.check_at_rest()
        finally:
            world.close()


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(stateful_step_count=25)


MISCHIEF: dict[str, Callable[[World, str], None]] = {
    "another message": lambda world, kind: world.post(kind),
    "the same message": lambda world, kind: world.double_message(kind),
    "the same ring": lambda world, kind: world.ring(kind),
    "the poller's death": lambda world, kind: world.kill(min(world.pollers)),
}
#: One message, from the ring to the ring's end, takes a poller fewer steps than this.
ALL_STEPS = 40


def interrupted(world: World, kind: str, steps: int, mischief: str) -> None:
    """A poller works for so many steps; then something comes in, and another works as far as it can; then both."""
    world.lengths = iter(lambda: 0.0, None)
    world.start_poller()
    world.run_until_rest(60)
    world.post(kind)
    first = min(world.pollers)
    for _ in range(steps):
        world.step(first)
    MISCHIEF[mischief](world, kind)
    world.start_poller()
    world.work_until_idle(max(world.pollers))
    world.run_until_rest(120)
    world.check_at_rest()


@pytest.mark.parametrize("mischief", MISCHIEF)
@pytest.mark.parametrize("kind", ["stateful", "stateless"])
def test_whatever_comes_between_any_two_steps_does_no_harm(kind: str, mischief: str) -> None:
    for steps in range(ALL_STEPS):
        with closing(World()) as world:
            interrupted(world, kind, steps, mischief)


def calm(seed: int, world: World) -> None:
    """Two pollers that never die or sleep, containers that outlast every lease: nobody may ever be taken over."""
    choose = random.Random(seed)
    world.lengths = iter(lambda: choose.choice([0.0, 1.0, 25.0, 45.0]), None)
    world.start_poller()
    world.start_poller()
    for _ in range(choose.randint(2, 8)):
        world.post(choose.choice(["stateful", "stateless"]))
        for _ in range(choose.randint(0, 40)):
            world.step(choose.choice(sorted(world.pollers)))
    world.run_until_rest(1500)
    world.check_at_rest()
    assert world.takeovers == 0, "a living holder was taken over"


@pytest.mark.parametrize("seed", range(15))
def test_nobody_is_taken_over_while_he_lives(seed: int) -> None:
    with closing(World()) as world:
        calm(seed, world)


def test_without_heartbeats_a_living_holder_would_be_taken_over() -> None:
    def broken() -> None:
        for seed in range(15):
            with closing(World(rings=DeafRings)) as world:
                calm(seed, world)

    with pytest.raises(AssertionError, match="taken over"):
        broken()


def test_messages_of_a_stateful_actor_run_one_after_the_other() -> None:
    """spec: execution #77"""
    with closing(World()) as world:
        world.start_poller()
        world.start_poller()
        for _ in range(4):
            world.post("stateful")

        world.run_until_rest(300)

        world.check_at_rest()
        assert sum(world.starts.values()) == 4


# Each of these breaks one rule of the protocol. The schedules above must find every one of them out.


class ClaimWithoutCondition(SlotTable):
    """Claims an execution whoever has claimed it before."""

    def claim(self, held: Slot, execution: ExecutionKey) -> bool:
        refused = self._table.transact(
            Update(keys.execution(execution), {"worker_id": held.worker_id}, when=exists()),
            Update(
                keys.slot(held.actor, held.number),
                {"execution": execution.id, "failures": 0, "status": str(WorkerStatus.BUSY)},
                when=Attr("token").eq(held.token),
            ),
        )
        return not refused


class ReleaseAfterLook(Visit):
    """Looks for messages while it still holds the slot."""

    def _hold(self, held: Slot) -> bool:
        self._found = False
        return super()._hold(held)

    def _release(self, held: Slot) -> None:
        delivery = self._workshop.mailboxes.receive(self._key, 10)
        if delivery is not None:
            self._workshop.mailboxes.release(self._key, delivery)
            self._found = True
        super()._release(held)

    def _look(self) -> None:
        if self._found:
            self._workshop.rings.hide(self._ring, 0)
        else:
            self._workshop.rings.delete(self._ring)


class NoSecondLook(Visit):
    """Drops its ring without looking what came in meanwhile."""

    def _look(self) -> None:
        self._workshop.rings.delete(self._ring)


def _with_slots(slots: type[SlotTable]) -> Callable[[], World]:
    def stored(source: SteppedSource) -> Storage:
        parts = storage(source, "sim", f"abacito-{source.account}")
        broken = slots(parts.slots._table, parts.executions)
        return replace(parts, slots=broken)

    return lambda: World(stored=stored)


class DeafRings:
    """Rings whose holder never renews them."""

    def __init__(self, rings: Any) -> None:
        self._rings = rings

    def hide(self, ring: Any, seconds: int) -> None:
        if seconds == 0:
            self._rings.hide(ring, 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rings, name)


BROKEN: dict[str, tuple[Callable[[], World], str]] = {
    "claim without condition": (_with_slots(ClaimWithoutCondition), "the same message"),
    "release after the look": (lambda: World(visit=ReleaseAfterLook), "another message"),
    "a ring dropped without a second look": (lambda: World(visit=NoSecondLook), "another message"),
}


@pytest.mark.parametrize("rule_", BROKEN)
def test_each_broken_rule_is_found_out(rule_: str) -> None:
    make, mischief = BROKEN[rule_]

    def broken() -> None:
        for kind, steps in itertools.product(["stateful", "stateless"], range(ALL_STEPS)):
            with closing(make()) as world:
                interrupted(world, kind, steps, mischief)

    with pytest.raises(AssertionError):
        broken()
