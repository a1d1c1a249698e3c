"""A world in which the real workers, store and queues run step by step, while time, crashes and the daemon are ours.

Each poller is a greenlet. Whatever it does between two calls of a store, a queue or the daemon happens at once; at
each call it hands over to the scheduler, who decides who goes next, who dies, who sleeps and how time passes.
"""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from abacito.abaco.actor import Actor, ActorStatus
from abacito.abaco.authorization import Authorization
from abacito.abaco.caller import ADMIN, Caller
from abacito.abaco.config import Configs
from abacito.abaco.container import Callback, ContainerEnd, ContainerSpec
from abacito.abaco.errors import ContainerGone, NameTaken, StartRefused
from abacito.abaco.events import Events
from abacito.abaco.execution import ExecutionKey, ExecutionStatus
from abacito.abaco.linking import Linking
from abacito.abaco.message import Message
from abacito.abaco.messaging import Messaging
from abacito.abaco.news import News
from abacito.abaco.ports import ContainerState, Ring
from abacito.abaco.registration import Description, Registration
from abacito.abaco.retirement import Retirement
from abacito.abaco.tenant import Tenant
from abacito.abaco.tokens import Tokens, User
from abacito.abaco.worker import Slot
from abacito.aws.embedded import Engine
from abacito.aws.session import Storage, storage
from abacito.cipher import FernetCipher
from abacito.workers.hold import Hold
from abacito.workers.supervise import RING_VISIBILITY_S, Workshop
from abacito.workers.sweep import Sweep
from abacito.workers.worker import Visit

TENANT = Tenant("SIM", "http://sim", max_workers_per_actor=2, generate_clients=False)
OWNER = Caller("owner", "SIM", frozenset({ADMIN}))
LIMITS = {"stateful": 1, "stateless": 2}
#: How often an idle poller looks for a ring; the real one is told at once.
IDLE_S = 2.0


class Turn:
    """Hands over to the scheduler; when the poller gets its turn again, it goes on or, if it was killed, ends."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, until: Callable[[], bool] | None = None, wake: float = 0.0) -> None:
        me = getcurrent()
        if me.parent is None:  # the scheduler itself, or a client: nobody to hand over to
            return
        self._world.waits[me] = (until, wake)
        me.parent.switch()
        if me in self._world.killed:
            raise GreenletExit


class Stepped:
    """Any object, each of whose calls is one step."""

    def __init__(self, turn: Turn, target: Any) -> None:
        self._turn, self._target = turn, target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found) or name == "exceptions":
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._turn()
            return found(*args, **kwargs)

        return call


class SteppedSource:
    """The engine, each of whose calls is one step."""

    is_alone = True

    def __init__(self, turn: Turn, engine: Engine) -> None:
        self._turn, self._engine = turn, engine
        self.account = engine.account

    def client(self, service: Any) -> Any:
        return Stepped(self._turn, self._engine.client(service))

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


class Pace:
    """The simulated real time."""

    def __init__(self, world: World, turn: Turn) -> None:
        self._world, self._turn = world, turn

    def monotonic(self) -> float:
        return self._world.now

    def sleep(self, seconds: float) -> None:
        self._turn(wake=self._world.now + seconds)


class Clock:
    """Domain time, which tests throw about; nothing of the protocol may care."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self, tenant: str = "") -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + self.offset


class Box:
    """One container of the simulated daemon, which runs for ``length_s``."""

    def __init__(self, daemon: Daemon, spec: ContainerSpec, length_s: float) -> None:
        self._daemon, self.spec, self._length_s = daemon, spec, length_s
        self.id = f"{spec.name}#{daemon.made}"
        self.image_id = spec.image
        self.started: float | None = None
        self.stopped: float | None = None

    @property
    def execution(self) -> str:
        return self.spec.labels["abacito.execution"]

    def state(self) -> ContainerState:
        self._daemon.turn()
        if self._daemon.boxes.get(self.spec.name) is not self:
            raise ContainerGone(self.id)
        return self.state_now()

    def state_now(self) -> ContainerState:
        if self.started is None:
            return ContainerState.CREATED
        over = self._daemon.world.now >= self._end()
        return ContainerState.EXITED if over else ContainerState.RUNNING

    def start(self) -> None:
        self._daemon.turn()
        if self._daemon.boxes.get(self.spec.name) is not self:
            raise ContainerGone(self.id)
        if self._daemon.start_fails(self.spec):
            raise StartRefused("no such command")
        self._daemon.world.check_start(self)
        self.started = self._daemon.world.now

    def wait(self, timeout_s: float) -> ContainerEnd | None:
        world = self._daemon.world
        wake = world.now + timeout_s
        self._daemon.turn(until=lambda: world.now >= min(wake, self._end()) or self._is_gone())
        if self._is_gone():
            raise ContainerGone(self.id)
        if self.state_now() is not ContainerState.EXITED:
            return None
        return ContainerEnd(0, {"Status": "exited"}, self._length_s, world.clock.now(), world.clock.now())

    def log(self) -> str:
        return f"log of {self.execution}"

    def stop(self, grace_s: float = 10.0) -> None:
        self._daemon.turn()
        self.stopped = self._daemon.world.now

    def remove(self) -> None:
        self._daemon.turn()
        if not self._is_gone():
            del self._daemon.boxes[self.spec.name]

    def _is_gone(self) -> bool:
        return self._daemon.boxes.get(self.spec.name) is not self

    def _end(self) -> float:
        if self.started is None:
            return float("inf")
        return min(self.started + self._length_s, self.stopped if self.stopped is not None else float("inf"))


class Daemon:
    """A runner whose containers are only entries: names are unique, a start works once."""

    name, location = "simulated", "nowhere"

    def __init__(self, world: World, turn: Turn) -> None:
        self.world, self.turn = world, turn
        self.boxes: dict[str, Box] = {}
        self.made = 0
        self.bad: set[str] = set()

    def callback_host(self) -> str | None:
        return None

    def prepare(self, image: str) -> str:
        self.turn()
        return image

    def create(self, spec: ContainerSpec, on_result: Callable[[bytes], None]) -> Box:
        self.turn()
        if spec.name in self.boxes:
            raise NameTaken(spec.name)
        self.made += 1
        self.boxes[spec.name] = Box(self, spec, next(self.world.lengths))
        return self.boxes[spec.name]

    def find(self, name: str) -> Box | None:
        self.turn()
        return self.boxes.get(name)

    def start_fails(self, spec: ContainerSpec) -> bool:
        return spec.labels["abacito.actor"] in self.bad

    def names(self) -> list[str]:
        self.turn()
        return list(self.boxes)

    def clear(self) -> None: ...

    def close(self) -> None: ...


class CountedSlots:
    """The slots; takeovers and claims are counted."""

    def __init__(self, world: World, slots: Any) -> None:
        self._world, self._slots = world, slots

    def take_over(self, *args: Any, **kwargs: Any) -> Any:
        taken = self._slots.take_over(*args, **kwargs)
        self._world.takeovers += taken is not None
        return taken

    def claim(self, held: Slot, execution: ExecutionKey) -> bool:
        claimed = self._slots.claim(held, execution)
        self._world.claims[execution.id] += claimed
        assert self._world.claims[execution.id] <= 1, f"{execution.id} claimed twice"
        return bool(claimed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._slots, name)


# One engine for all worlds, one after the other: making its clients would take longer than most worlds last.
_present: list[World] = []
_ENGINE = Engine(monotonic=lambda: _present[-1].now)


class World:
    """Two actors, one stateful, one stateless; pollers that come and go; and what must always hold."""

    def __init__(
        self,
        visit: type[Visit] = Visit,
        stored: Callable[[SteppedSource], Storage] | None = None,
        rings: Callable[[Any], Any] = lambda rings: rings,
    ) -> None:
        self.now = 1000.0
        self.clock = Clock()
        self.waits: dict[greenlet, tuple[Callable[[], bool] | None, float]] = {}
        self.killed: set[greenlet] = set()
        self.visiting: set[greenlet] = set()
        self.pollers: dict[str, greenlet] = {}
        self.lengths = iter(lambda: 1.0, None)
        self.takeovers = 0
        self.claims: Counter[str] = Counter()
        self._visit, self._made, self._rings = visit, 0, rings
        self._turn = Turn(self)
        _present.append(self)
        self.engine = _ENGINE
        self.engine.reset()
        source = SteppedSource(self._turn, self.engine)
        self.stored = stored(source) if stored else storage(source, "sim", f"abacito-{self.engine.account}")
        self.stored.set_up(("default",))
        self.daemon = Daemon(self, self._turn)
        parts = self.stored
        six = (parts.actors, parts.executions, parts.slots, parts.mailboxes, parts.rings, self.clock)
        self.messaging = Messaging(*six)
        authorization = Authorization(parts.actors, parts.aliases, parts.configs, parts.permissions)
        linking = Linking(parts.actors, parts.aliases)
        self.registration = Registration(*six, Pace(self, self._turn), linking, authorization)
        self.actors = {kind: self._register(kind) for kind in LIMITS}
        self.accepted: dict[str, list[str]] = defaultdict(list)
        self.purged: set[str] = set()
        self.starts: Counter[str] = Counter()

    def close(self) -> None:
        for name in list(self.pollers):
            self.kill(name)
        _present.remove(self)

    # What clients do.

    def post(self, kind: str) -> None:
        actor = self.stored.actors.get(self.actors[kind].key)
        assert actor is not None
        execution = self.messaging.post(actor, "owner", Message("hello", "str"))
        self.accepted[kind].append(execution.id)

    def ring(self, kind: str, delay_s: int = 0) -> None:
        """A doubled or late ring."""
        self.stored.rings.send("default", Ring(self.actors[kind].key), delay_s)

    def double_message(self, kind: str) -> None:
        """The queue delivers an accepted message once more, and its ring."""
        for execution_id in self.accepted[kind][-1:]:
            key = self.actors[kind].key
            url = self.stored.mailboxes._queues.url(self.stored.mailboxes._name(key))
            group = key.id if kind == "stateful" else execution_id
            self._made += 1
            self.engine.client("sqs").send_message(
                QueueUrl=url, MessageBody=execution_id, MessageGroupId=group, MessageDeduplicationId=str(self._made)
            )
        self.ring(kind)

    def repair(self, kind: str) -> None:
        """What a PUT with force does for the protocol: write, then as many rings as the limit."""
        self.daemon.bad.discard(self.actors[kind].id)
        actor = self.stored.actors.get(self.actors[kind].key)
        if actor is not None and actor.status == ActorStatus.ERROR:
            self.stored.actors.set_status(actor.with_status(ActorStatus.READY, " "))
            for _ in range(LIMITS[kind]):
                self.ring(kind)

    def purge(self, kind: str) -> None:
        actor = self.stored.actors.get(self.actors[kind].key)
        assert actor is not None
        self.messaging.purge(actor)
        self.purged.update(self.accepted[kind])

    def sweep(self) -> None:
        """One pass, in no time."""
        Sweep(self.workshop("sweep")).run_pass()

    def lose_rings(self) -> None:
        """Those that can be had now, as by several faults at once."""
        while (ring := self.stored.rings.receive("default", 0, RING_VISIBILITY_S)) is not None:
            self.stored.rings.delete(ring)

    # Pollers.

    def start_poller(self) -> None:
        self._made += 1
        name = f"poller-{self._made}"
        self.pollers[name] = greenlet(lambda: self._poll(name))

    def kill(self, name: str) -> None:
        """As by ``kill -9``: from here on it does nothing more, whatever its code would still want to do."""
        poller = self.pollers.pop(name)
        self.killed.add(poller)
        while poller and not poller.dead:  # it gets its turns, and ends at each call that it tries
            poller.switch()
        self.waits.pop(poller, None)

    def step(self, name: str) -> bool:
        """Let a poller make one step; False when it has nothing to do now."""
        poller = self.pollers[name]
        until, wake = self.waits.get(poller, (None, 0.0))
        if wake > self.now or (until is not None and not until()):
            return False
        poller.switch()
        return True

    def work_until_idle(self, name: str, at_most: int = 80) -> None:
        """Let one poller work alone, while time stands still."""
        for _ in range(at_most):
            if not self.step(name):
                return

    def work_at_random(self, seed: int, steps: int) -> None:
        """The pollers work by turns, in a random order, while time goes by."""
        choose = random.Random(seed)
        for _ in range(steps):
            name = choose.choice(sorted(self.pollers))
            if not self.step(name) or choose.random() < 0.15:
                self.now += choose.uniform(0, 0.6)

    def run_until_rest(self, horizon_s: float) -> None:
        """Everybody works, nobody fails, until nothing happens any more or ``horizon_s`` are over."""
        end, quiet_since = self.now + horizon_s, self.now
        while self.now < end and self.now - quiet_since < RING_VISIBILITY_S + 2 * IDLE_S:
            moved = [self.step(name) for name in list(self.pollers)]
            if not any(moved):
                self.now = self._next_event()
            elif any(self._is_busy(poller) for poller in self.pollers.values()):
                quiet_since = self.now

    def _next_event(self) -> float:
        """When the next poller wakes; half a second on when one waits for more than the time."""
        waits = [self.waits.get(poller, (None, 0.0)) for poller in self.pollers.values()]
        if not waits or any(until is not None for until, _ in waits):
            return self.now + 0.5
        return max(self.now + 0.001, min(wake for _, wake in waits))

    def _is_busy(self, poller: greenlet) -> bool:
        return poller in self.visiting

    def _poll(self, name: str) -> None:
        workshop = self.workshop(name)
        while True:
            ring = workshop.rings.receive("default", 0, RING_VISIBILITY_S)
            if ring is None:
                self._turn(wake=self.now + IDLE_S)
                continue
            self.visiting.add(getcurrent())
            try:
                self._visit(workshop, ring).make()
            finally:
                self.visiting.discard(getcurrent())

    def workshop(self, name: str) -> Workshop:
        parts = self.stored
        return Workshop(
            actors=parts.actors,
            executions=parts.executions,
            slots=CountedSlots(self, parts.slots),
            mailboxes=parts.mailboxes,
            rings=self._rings(parts.rings),
            runner=self.daemon,
            tokens=Tokens(parts.tokens, self.clock, {("SIM", "owner"): User("owner", "", "SIM", frozenset())}),
            configs=Configs(parts.configs, parts.actors, parts.aliases, parts.permissions, FernetCipher()),
            events=Events(parts.events, Linking(parts.actors, parts.aliases), self.clock),
            retirement=Retirement(parts.slots, self.clock, lambda _: TENANT),
            clock=self.clock,
            pace=Pace(self, self._turn),
            hold=Hold(),
            news=News(),
            tenant=lambda _: TENANT,
            stopping=threading.Event(),
            namespace="sim",
            poller=name,
            callback=lambda: Callback("http://sim"),
        )

    def _register(self, kind: str) -> Actor:
        settings = {"image": kind, "stateless": kind == "stateless"}
        return self.registration.register(OWNER, TENANT, Description(settings))

    # What must hold.

    def check_start(self, box: Box) -> None:
        kind = box.spec.image
        self.starts[box.execution] += 1
        assert self.starts[box.execution] == 1, f"second start of {box.execution}"
        running = [
            other for other in self.daemon.boxes.values()
            if other.spec.image == kind and other.state_now() is ContainerState.RUNNING
        ]  # fmt: skip
        assert len(running) < LIMITS[kind], f"{kind}: more containers at once than {LIMITS[kind]}"
        if kind == "stateful":
            self.check_order(box.execution)

    def check_order(self, execution_id: str) -> None:
        order = self.accepted["stateful"]
        if execution_id in order:
            later = order[order.index(execution_id) + 1 :]
            assert not any(self.starts[other] for other in later), f"{execution_id} starts out of order"

    def check_at_rest(self) -> None:
        """Every accepted message has ended in exactly one final record, and nothing is left over."""
        for kind, actor in self.actors.items():
            statuses = {}
            for execution_id in self.accepted[kind]:
                found = self.stored.executions.get(ExecutionKey(actor.key, execution_id))
                assert found is not None
                statuses[execution_id] = found.status
            # A purged one stays as it was: waiting, or parked because it would not start.
            dropped = (ExecutionStatus.SUBMITTED, ExecutionStatus.ERROR)
            lost = {
                x: str(s) for x, s in statuses.items()
                if s is not ExecutionStatus.COMPLETE and not (x in self.purged and s in dropped)
            }  # fmt: skip
            assert not lost, f"{kind}: accepted, and ended as {lost}"
            complete = sum(1 for s in statuses.values() if s is ExecutionStatus.COMPLETE)
            stored = self.stored.actors.get(actor.key)
            assert stored is not None
            assert stored.totals.executions == complete, f"{kind}: totals say {stored.totals.executions} of {complete}"
            assert self.stored.mailboxes.count(actor.key) == 0, f"{kind}: messages left"
            held = [slot for slot in self.stored.slots.list(actor.key) if slot.is_held or slot.execution]
            assert not held, f"{kind}: slots left in use: {held}"
        assert not self.daemon.boxes, f"containers left: {list(self.daemon.boxes)}"
