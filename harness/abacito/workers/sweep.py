"""The sweep: the only net for what two faults at once have left, of which no ring tells any more."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from abacito.abaco.actor import Actor, ActorStatus
from abacito.abaco.deletion import Deletion
from abacito.abaco.errors import RunnerAway
from abacito.abaco.execution import ExecutionKey
from abacito.abaco.ports import Ring
from abacito.abaco.worker import Slot
from abacito.workers.supervise import Workshop

log = logging.getLogger(__name__)

# Real seconds (docs/protocol.md, figures).
SWEEP_PASS_S = 600.0
#: Ten heartbeats: who has not shown himself by then is gone. An actor that has just come gets as long to come up.
GRACE_S = 30


class Sweep:
    """Looks at everything there is, and rings for what nobody seems to look after. It holds nothing itself.

    Safe at any time and by any number of pollers: a ring too many does no harm.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._deletion = Deletion(workshop.actors, workshop.executions, workshop.slots, workshop.mailboxes)

    def run_pass(self) -> None:
        """Every actor that is not deleted, then the runner's containers."""
        found = self._containers()  # looked for first: before one is made, a slot names its execution
        named: set[str] = set()
        for actor in self._actors():
            slots = self._workshop.slots.list(actor.key)
            executions = (ExecutionKey(actor.key, slot.execution) for slot in slots if slot.execution)
            named.update(map(self._workshop.container_name, executions))
            self._mend(actor, slots)
        for name in sorted(set(found) - named):
            self._remove(name)

    def _actors(self) -> Sequence[Actor]:
        registered = self._workshop.actors.enrolled()
        return self._workshop.actors.get_many(each.key for each in registered if not each.is_deleted)

    def _mend(self, actor: Actor, slots: Sequence[Slot]) -> None:
        for slot in slots:
            if slot.is_held:
                suspect = Ring(actor.key, slot=slot.number, token=slot.token, beat=slot.beat)
                self._workshop.rings.send(actor.queue, suspect, GRACE_S)
            elif not slot.execution:
                self._workshop.retirement.adopt(actor, slot)
        if actor.is_going:
            self._deletion.run_pass(actor.key)
            return
        match actor.status:
            case ActorStatus.SUBMITTED:
                self._workshop.rings.send(actor.queue, Ring(actor.key, prepare=True), GRACE_S)
            case ActorStatus.READY:
                self._ring_for_waiting(actor, slots)

    def _ring_for_waiting(self, actor: Actor, slots: Sequence[Slot]) -> None:
        parked = sum(1 for slot in slots if slot.is_parked)
        waiting = self._workshop.mailboxes.count(actor.key) + parked
        for _ in range(min(self._workshop.slot_limit(actor), waiting)):
            self._workshop.rings.send(actor.queue, Ring(actor.key))

    def _containers(self) -> Collection[str]:
        try:
            return self._workshop.runner.names()
        except RunnerAway as error:
            log.warning("runner away, no containers are looked for: %s", error)
            return ()

    def _remove(self, name: str) -> None:
        try:
            container = self._workshop.runner.find(name)
            if container is not None:
                container.remove()
                log.warning("removed container %s, which no worker had in hand", name)
        except RunnerAway as error:
            log.warning("runner away, container %s is left: %s", name, error)
