"""One execution, from its claim to the end of its clean-up: steps 5 to 7 of docs/protocol.md."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import TypeVar

from abacito.abaco.actor import Actor, ActorStatus
from abacito.abaco.bookkeeping import kept_log, log_expiry, outcome_of
from abacito.abaco.config import Configs
from abacito.abaco.container import Callback, ContainerEnd, ContainerSpec
from abacito.abaco.errors import (
    ContainerGone,
    CreationRefused,
    ImageUnavailable,
    NameTaken,
    RunnerAway,
    SlotLost,
    StartRefused,
)
from abacito.abaco.events import Events
from abacito.abaco.execution import Execution, ExecutionKey, ExecutionStatus
from abacito.abaco.message import Message
from abacito.abaco.news import News
from abacito.abaco.ports import (
    ActorRecords,
    Clock,
    Container,
    ContainerState,
    ExecutionRecords,
    Mailboxes,
    Pace,
    RingInHand,
    Rings,
    Runner,
    WorkerSlots,
)
from abacito.abaco.retirement import Retirement
from abacito.abaco.tenant import Tenant
from abacito.abaco.tokens import Tokens
from abacito.abaco.worker import HALT_ALL, Slot, WorkerStatus
from abacito.workers.environment import environment, had_of
from abacito.workers.hold import Hold

log = logging.getLogger(__name__)

T = TypeVar("T")

# Real seconds (docs/protocol.md, figures).
HEARTBEAT_S = 3.0
RING_VISIBILITY_S = 15
LOOK_S = 1.0
#: Longer than the grace that a container has to end by itself, and the kill after it.
HALT_AGAIN_S = 15.0

#: Abaco 1.9, worker.py: five failed starts in a row are tolerated, the sixth puts the actor into ERROR.
TOLERATED_START_FAILURES = 5


class Stopping(Exception):
    """The poller is being stopped: leave everything as it is."""


class Ended(Enum):
    """How a supervision ended."""

    DONE = auto()
    """The execution is final and cleaned up."""
    DROPPED = auto()
    """Its actor is gone: it was not run."""
    PARKED = auto()
    """It would not start; actor in ERROR, slot given up but still naming it."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """All that workers work with; one per poller.

    ``callback`` tells how containers reach the API; ``poller`` names us in the slots that we hold.
    """

    actors: ActorRecords
    executions: ExecutionRecords
    slots: WorkerSlots
    mailboxes: Mailboxes
    rings: Rings
    runner: Runner
    tokens: Tokens
    configs: Configs
    events: Events
    retirement: Retirement
    clock: Clock
    pace: Pace
    hold: Hold
    news: News
    tenant: Callable[[str], Tenant]
    stopping: threading.Event
    namespace: str
    poller: str
    callback: Callable[[], Callback]

    def slot_limit(self, actor: Actor) -> int:
        """How many of its containers may run at once."""
        return actor.slot_limit(self.tenant(actor.key.tenant).max_workers_per_actor)

    def container_name(self, key: ExecutionKey) -> str:
        """By this name every poller finds the execution's container, and no second one can be made."""
        return f"abacito-{self.namespace}-{key.id}"


class Heart:
    """A holder's signs of life: the ring stays hidden, the slot's beat goes up."""

    def __init__(self, workshop: Workshop, ring: RingInHand, held: Slot) -> None:
        self._workshop, self._ring, self.held = workshop, ring, held
        # The ring was received, or after preparing an image renewed, a moment ago.
        self._last = workshop.pace.monotonic()

    def beat(self) -> None:
        """Beat now. Raises SlotLost when the slot has another holder."""
        self.renew()
        self.held = self._workshop.slots.beat(self.held)

    def renew(self) -> None:
        """Keep the ring, unless that was done just now. A refusal changes nothing: the token says who holds."""
        now = self._workshop.pace.monotonic()
        if now - self._last >= LOOK_S:
            self._workshop.rings.hide(self._ring, RING_VISIBILITY_S)
            self._last = now

    def beat_if_due(self) -> None:
        """Beat if the last sign is HEARTBEAT_S old, else only look at what others ask of the slot."""
        if self._workshop.pace.monotonic() - self._last >= HEARTBEAT_S:
            self.beat()
        else:
            self.held = self._workshop.slots.look(self.held)
        if self.held.must_go and self.held.status is not WorkerStatus.SHUTTING_DOWN:
            self.held = self._workshop.slots.shut_down(self.held)

    def rest(self, seconds: float) -> None:
        """Let time pass with the slot in hand. Raises Stopping when the poller stops, SlotLost."""
        self._workshop.pace.sleep(seconds)
        if self._workshop.stopping.is_set():
            raise Stopping
        self.beat()


class Supervision:
    """One execution in the hand of one slot's holder."""

    def __init__(self, workshop: Workshop, heart: Heart, actor: Actor | None, key: ExecutionKey) -> None:
        self._workshop, self._heart, self._actor, self._key = workshop, heart, actor, key
        self._results = 0
        self._halting = threading.Lock()
        self._may_halt = False
        self._halted: float | None = None
        self._had: Mapping[str, str | None] | None = None

    def run(self, *, fresh: bool) -> Ended:
        """See it to its end. ``fresh``: we have just claimed it, so no container of it can exist.

        Raises SlotLost and Stopping; then nothing more may be written.
        """
        ended = self._begin(None) if fresh else None
        while ended is None:
            if self._workshop.stopping.is_set():
                raise Stopping
            ended = self._look()
        return ended

    def _look(self) -> Ended | None:
        """Look at record and container, and do what is to be done now; None: look again."""
        execution = self._workshop.executions.get(self._key)
        if execution is None or execution.is_final:
            self._tell(execution)  # whoever recorded it may have died before he told
            return self._clean_up()
        container = self._patiently(lambda: self._workshop.runner.find(self._name))
        if container is None and execution.status is ExecutionStatus.RUNNING:
            log.warning("execution %s: its container was removed by somebody else", self._key.id)
            self._abort()
            return self._clean_up()
        state = container and self._state_of(container)
        if container is None or state is ContainerState.CREATED:
            return self._begin(container)
        if state is None:
            return None
        # Adopted: somebody started it before us; its environment and worker id stay as they are.
        self._workshop.executions.set_running(self._key)
        return self._follow(container, start_time=None)

    def _begin(self, found: Container | None) -> Ended | None:
        if found is not None:  # made by a holder who is gone, and never started: only its creator may start it
            self._heart.beat()
            self._patiently(lambda: self._remove_if_not_started(found))
            return None
        if self._actor is None or self._heart.held.halt == HALT_ALL:
            return self._drop()
        try:
            container = self._patiently(self._create)
        except NameTaken:
            return None
        except (CreationRefused, ImageUnavailable) as error:
            log.warning("execution %s: no container can be made: %s", self._key.id, error)
            self._abort()
            return self._clean_up()
        return self._start(container)

    def _start(self, container: Container) -> Ended | None:
        self._still_ours(container)
        start_time = self._now()
        try:
            self._patiently(container.start)
        except ContainerGone:  # a successor has removed it: he looks after the execution now, or we look again
            return None
        except StartRefused as error:
            self._patiently(container.remove)
            return self._failed(f"Could not start container {container.id}. Exception {error}")
        self._workshop.executions.set_running(self._key, self._had)
        return self._follow(container, start_time)

    def _still_ours(self, container: Container) -> None:
        """A holder who has slept past his leases finds out here, before anything runs."""
        try:
            self._heart.beat()
        except SlotLost:
            container.remove()
            raise

    def _failed(self, reason: str) -> Ended | None:
        failures = self._workshop.slots.fail(self._heart.held)
        log.warning("execution %s: start %d failed: %s", self._key.id, failures, reason)
        if self._heart.held.halt == HALT_ALL:
            return self._drop()
        if failures <= TOLERATED_START_FAILURES:
            self._heart.rest(0.1 * 2 ** (failures - 1))
            return None
        # Abaco 1.9, worker.py: the text that users see as the actor's status message.
        message = f"Error executing container: {reason}; w"
        self._workshop.slots.park(self._heart.held, self._key, message)
        self._workshop.news.tell()
        if self._actor is not None:
            self._workshop.events.actor_changed(self._actor.with_status(ActorStatus.ERROR, message))
        return Ended.PARKED

    def _follow(self, container: Container, start_time: datetime | None) -> Ended | None:
        """Until the container has ended, then record it."""
        try:
            end = self._watch(container)
        except ContainerGone:
            return None
        self._record(container, end, start_time or end.started_at or self._now())
        self._tell(self._workshop.executions.get(self._key) if self._is_followed else None)
        log.info("execution %s finished: exit %s", self._key.id, end.exit_code)
        return self._clean_up(container)

    def _watch(self, container: Container) -> ContainerEnd:
        with self._workshop.slots.heard(self._heart.held, lambda what: self._halt_if_meant(container, what)):
            self._may_halt = True
            try:
                return self._watch_until_end(container)
            finally:
                with self._halting:  # who has heard of a halt just now comes too late, or is waited for
                    self._may_halt = False

    def _watch_until_end(self, container: Container) -> ContainerEnd:
        began, shown = self._workshop.pace.monotonic(), ""
        while True:
            end = self._patiently(lambda: container.wait(LOOK_S))
            if end is not None:
                return end
            if self._workshop.stopping.is_set():
                raise Stopping
            self._heart.beat_if_due()
            self._halt_if_meant(container, self._heart.held.halt)
            self._halt_if_too_long(container, self._workshop.pace.monotonic() - began)
            shown = self._publish(container.log(), shown)

    def _halt_if_meant(self, container: Container, what: str | None) -> None:
        if what in (self._key.id, HALT_ALL):
            self._halt(container)

    def _halt_if_too_long(self, container: Container, ran_s: float) -> None:
        if 0 <= self._tenant.max_run_time <= ran_s:
            self._halt(container)

    def _halt(self, container: Container) -> None:
        """Ask it to stop, once; and again if it has not long after, as the runner may have been away."""
        now = self._workshop.pace.monotonic()
        with self._halting:  # by our own look, or in the thread of whoever asks for it
            if self._may_halt and (self._halted is None or now - self._halted >= HALT_AGAIN_S):
                self._halted = now
                container.stop()

    def _publish(self, text: str, shown: str) -> str:
        """Show the log so far, if there is more of it than what readers see."""
        if text != shown and self._actor is not None:
            expires = log_expiry(self._actor, self._tenant, self._now())
            self._workshop.executions.publish_log(self._key, kept_log(text, self._tenant), expires)
        return text

    def _record(self, container: Container, end: ContainerEnd, start_time: datetime) -> None:
        now = self._now()
        expires = log_expiry(self._actor, self._tenant, now) if self._actor else now
        text = kept_log(container.log(), self._tenant)
        self._workshop.slots.finish(self._heart.held, self._key, outcome_of(end, start_time), text, expires)
        self._workshop.news.tell()

    @property
    def _is_followed(self) -> bool:
        """Whether anybody wants to know of this execution's end; none is told of once its actor is being deleted."""
        return bool(self._actor and (self._actor.link or self._actor.webhook)) and self._heart.held.halt != HALT_ALL

    def _tell(self, execution: Execution | None) -> None:
        """That it is COMPLETE; safe to repeat."""
        if execution is not None and execution.status is ExecutionStatus.COMPLETE and self._is_followed:
            assert self._actor is not None  # it is followed
            self._workshop.events.execution_complete(self._actor, execution)

    def _abort(self) -> None:
        self._workshop.slots.abort(self._heart.held, self._key)
        self._workshop.news.tell()

    def _clean_up(self, container: Container | None = None) -> Ended:
        """Each step may be repeated by a successor: the container goes, then the slot lets go of the execution."""
        found = container or self._patiently(lambda: self._workshop.runner.find(self._name))
        if found is not None:
            self._patiently(found.remove)
        self._heart.held = self._workshop.slots.forget(self._heart.held)
        return Ended.DONE

    def _drop(self) -> Ended:
        """Its actor is gone or going: the slot lets go of it."""
        self._heart.held = self._workshop.slots.forget(self._heart.held)
        return Ended.DROPPED

    def _create(self) -> Container:
        actor, workshop = self._actor, self._workshop
        assert actor is not None  # _begin has looked
        message = workshop.executions.message(self._key)
        if message is None:
            raise CreationRefused("its message is not there any more")
        return workshop.runner.create(self._spec(actor, message), self._keep_result)

    def _spec(self, actor: Actor, message: Message) -> ContainerSpec:
        tenant, held = self._tenant, self._heart.held
        token = self._access_token(actor, message)
        configs = self._workshop.configs.of(actor)
        self._had = had_of(actor) if message.pinned is None else message.pinned
        callback = self._workshop.callback()
        variables = environment(actor, message, held.worker_id, token, callback.api_server, configs)
        max_cpus = actor.max_cpus or tenant.max_cpus
        return ContainerSpec(
            name=self._name,
            image=actor.image or "",
            environment={**variables, **callback.variables},
            labels=self._labels(),
            binary=message.binary,
            privileged=bool(actor.privileged),
            mem_limit=actor.mem_limit or tenant.mem_limit,
            nano_cpus=max_cpus if max_cpus > 0 else None,
            user=_user(actor),
            mounts=(*actor.mounts, *callback.mounts),
            log_limit=tenant.max_log_length,
            search_paths=callback.search_paths,
        )

    def _access_token(self, actor: Actor, message: Message) -> str:
        """A fresh token of the actor's owner, whoever posted (execution.md §4), unless the actor has it otherwise;
        empty when it is to have none."""
        if not (self._tenant.generate_clients and actor.wants_token):
            return ""
        user = message.variables.get("_abaco_username", actor.owner) if actor.run_as_executor else actor.owner
        return self._workshop.tokens.issue_to(self._tenant, user)

    def _labels(self) -> dict[str, str]:
        """Beside those that the runner puts on all it makes."""
        return {
            "abacito.actor": self._key.actor.id,
            "abacito.worker": self._heart.held.worker_id,
            "abacito.execution": self._key.id,
        }

    def _now(self) -> datetime:
        """By the clock of the actor's tenant."""
        return self._workshop.clock.now(self._key.actor.tenant)

    def _keep_result(self, data: bytes) -> None:
        self._workshop.executions.add_result(self._key, self._results, data, self._now())
        self._results += 1
        self._workshop.news.tell()

    @property
    def _name(self) -> str:
        return self._workshop.container_name(self._key)

    @property
    def _tenant(self) -> Tenant:
        return self._workshop.tenant(self._key.actor.tenant)

    def _state_of(self, container: Container) -> ContainerState | None:
        try:
            return self._patiently(container.state)
        except ContainerGone:
            return None

    def _remove_if_not_started(self, container: Container) -> None:
        try:
            if container.state() is ContainerState.CREATED:
                container.remove()
        except ContainerGone:
            return

    def _patiently(self, call: Callable[[], T]) -> T:
        """The call's answer; while the runner is away, wait with the slot in hand: nobody's execution fails for it."""
        while True:
            try:
                return call()
            except RunnerAway as error:
                log.warning("runner away, execution %s waits: %s", self._key.id, error)
                self._heart.rest(HEARTBEAT_S)


def _user(actor: Actor) -> str | None:
    if actor.use_container_uid or not actor.uid:
        return None
    return f"{actor.uid}:{actor.gid}" if actor.gid else str(actor.uid)
