"""An actor's workers: asking for more, sending one away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.errors import Malformed, Unknown
from abacito.abaco.ports import Clock, Ring, Rings, WorkerSlots
from abacito.abaco.worker import Slot, WorkerStatus, workers_of

#: Abaco has no limit; each is a record, and to make very many of them takes very long.
MOST_WORKERS = 1000


class Staffing:
    """Worker records by HTTP's hand. However many there are, an actor's limit says how many run at once."""

    def __init__(self, slots: WorkerSlots, rings: Rings, clock: Clock) -> None:
        self._slots, self._rings, self._clock = slots, rings, clock

    def list(self, actor: ActorKey) -> Sequence[Slot]:
        """The workers, oldest number first."""
        return workers_of(self._slots.list(actor))

    def get(self, actor: ActorKey, worker_id: str) -> Slot:
        """One worker. Raises Unknown."""
        for slot in self.list(actor):
            if slot.worker_id == worker_id:
                return slot
        raise Unknown("Worker not found.")

    def request(self, actor: Actor, count: int = 1) -> None:
        """So many more worker records, REQUESTED; the caller rings so that they come up."""
        while count > 0:  # again for numbers that somebody else took in between
            taken = {slot.number for slot in self._slots.list(actor.key)}
            free = itertools.islice((n for n in itertools.count() if n not in taken), count)
            count -= sum(self._slots.add(self._requested(actor, number)) for number in free)

    def ensure(self, actor: Actor, identifier: str, wanted: int) -> str:
        """At least so many workers; what to tell the user. Never fewer than there are, no upper limit (http-api §7)."""
        if wanted > MOST_WORKERS:
            raise Malformed(f"Invalid POST: an actor may have {MOST_WORKERS} workers here, not {wanted}.")
        present = len(self.list(actor.key))
        missing = wanted - present
        if missing <= 0:
            return f"Actor {identifier} already had {wanted} worker(s)."
        self.request(actor, missing)
        self._rings.send(actor.queue, Ring(actor.key, prepare=True))
        return f"Scheduled {missing} new worker(s) to start. Previously, there were {present} workers."

    def dismiss(self, slot: Slot) -> None:
        """Have it go: at once when it is idle, else when the execution that it has in hand is done."""
        if self._delete_idle(slot) or not self._slots.drain(slot):
            return
        # Its holder may have let go of it in between, and then does not see what was asked.
        for after in self._slots.list(slot.actor):
            if after.worker_id == slot.worker_id:
                self._delete_idle(after)

    def _requested(self, actor: Actor, number: int) -> Slot:
        return Slot(actor.key, number, ids.new_id(), WorkerStatus.REQUESTED, self._clock.now(actor.key.tenant))

    def _delete_idle(self, slot: Slot) -> bool:
        """Whether it is gone; one that names an execution waits for a repair of its actor, and must not be lost."""
        return not slot.is_held and slot.execution is None and self._slots.delete_idle(slot)
