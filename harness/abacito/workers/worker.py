"""One ring, from its receipt to its end: steps 1 to 4 and 8 of docs/protocol.md."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey, ActorStatus
from abacito.abaco.errors import ImageUnavailable, RunnerAway, SlotLost
from abacito.abaco.execution import ExecutionKey
from abacito.abaco.ports import Delivery, Ring, RingInHand
from abacito.abaco.registration import first_slot, ready_slot
from abacito.abaco.worker import Hold, Slot, WorkerStatus
from abacito.workers.supervise import RING_VISIBILITY_S, Ended, Heart, Stopping, Supervision, Workshop

log = logging.getLogger(__name__)

# Real seconds (docs/protocol.md, figures).
MESSAGE_VISIBILITY_S = 10
#: After so many messages a holder lets other rings of the queue have their turn.
MESSAGES_PER_TURN = 8


class Visit:
    """What a poller does with one ring. Whoever dies or stops in the middle leaves a ring that comes again."""

    def __init__(self, workshop: Workshop, ring: RingInHand) -> None:
        self._workshop, self._ring = workshop, ring
        self._actor: Actor | None = None

    def make(self) -> None:
        """Work for the actor that the ring names. Never raises for what another poller, or a stop, interrupts."""
        try:
            self._make()
        except SlotLost as lost:
            log.info("%s", lost)
        except Stopping:
            log.debug("stopped with ring %s in hand", self._ring.id)

    def _make(self) -> None:
        self._actor = self._workshop.actors.get(self._key)
        if self._ring.ring.prepare:
            self._prepare()
            self._workshop.rings.hide(self._ring, RING_VISIBILITY_S)  # building an image may have taken most of it
        held = self._take_over_or_acquire()
        if held is None:
            self._workshop.rings.delete(self._ring)
            return
        if self._hold(held):
            self._look()

    @property
    def _key(self) -> ActorKey:
        return self._ring.ring.actor

    # Preparing: the image at hand, the actor READY, its first worker up.

    def _prepare(self) -> None:
        actor = self._actor
        if actor is None or actor.status == ActorStatus.SHUTTING_DOWN:
            return
        if actor.status == ActorStatus.ERROR:  # registered so; as in Abaco, no worker is started for it
            self._drop_idle_slots()
            return
        if actor.is_ready:  # a ring that came again, or more workers: its image was at hand, and is not asked for again
            self._show_workers(actor)
            return
        self._actor = self._with_image(actor)
        if self._actor.is_ready and self._is_current(actor):
            self._show_workers(self._actor)  # before the actor: who sees it READY finds its worker so
        if not self._workshop.actors.set_status(self._actor):
            self._actor = self._workshop.actors.get(self._key)
            return
        self._workshop.events.actor_changed(self._actor)
        if self._actor.is_ready:
            self._ring_for_all(self._actor)
        else:
            log.warning("actor %s is in ERROR: %s", actor.id, self._actor.status_message)
            self._drop_idle_slots()

    def _with_image(self, actor: Actor) -> Actor:
        """READY, or ERROR with Abaco's text; a runner that is away is waited for."""
        image = actor.image or ""
        while True:
            self._workshop.rings.hide(self._ring, RING_VISIBILITY_S)
            try:
                self._workshop.runner.prepare(image)
                return actor.with_status(ActorStatus.READY, " ")
            except ImageUnavailable as error:
                began = "Spawner got an exception from call to start_worker. Exception:"
                reason = f"{began}Error pulling image {image} - exception: {error} "
                return actor.with_status(ActorStatus.ERROR, reason)
            except RunnerAway as error:
                log.warning("runner away, actor %s waits: %s", actor.id, error)
                self._pause()

    def _pause(self) -> None:
        self._workshop.pace.sleep(1.0)
        if self._workshop.stopping.is_set():
            raise Stopping

    def _is_current(self, actor: Actor) -> bool:
        """Whether no update has come in between; the update's own ring then shows its workers."""
        now = self._workshop.actors.get(self._key)
        return now is not None and now.revision == actor.revision

    def _show_workers(self, actor: Actor) -> None:
        """Its worker records come up: READY, with image and location."""
        for slot in self._workshop.slots.list(actor.key):
            if slot.is_up:
                continue
            up = replace(slot, create_time=self._workshop.clock.now(actor.key.tenant))
            ready = ready_slot(up, actor, self._workshop.runner.location)
            self._workshop.slots.set_up(ready)
            self._workshop.retirement.note(actor, ready)

    def _ring_for_all(self, actor: Actor) -> None:
        """Rings sent while it was not READY were dropped: one for each message that could run at once now."""
        waiting = min(self._workshop.slot_limit(actor), self._workshop.mailboxes.count(actor.key))
        for _ in range(waiting - 1):  # this ring itself is the first
            self._workshop.rings.send(actor.queue, Ring(actor.key))

    def _drop_idle_slots(self) -> None:
        """Abaco 1.9, spawner.py: an actor whose image cannot be had loses the worker record that was made for it."""
        for slot in self._workshop.slots.list(self._key):
            if slot.execution is None:
                self._workshop.slots.delete_idle(slot)

    # Step 2: a slot.

    def _take_over_or_acquire(self) -> Slot | None:
        slots = self._workshop.slots.list(self._key)
        hold = Hold(self._ring.id, secrets.token_hex(8), self._workshop.poller)
        for seen in slots:
            if self._is_orphan(seen):
                return self._take_over(seen, hold)
        if self._actor is None or not self._actor.is_ready:
            return None
        return self._acquire(self._actor, slots, hold)

    def _is_orphan(self, seen: Slot) -> bool:
        """Whether this ring says that the slot's holder is gone: it came again, or a sweep saw no beat."""
        ring = self._ring.ring
        swept = (ring.slot, ring.token, ring.beat) == (seen.number, seen.token, seen.beat)
        return seen.is_held and (seen.ring == self._ring.id or swept)

    def _take_over(self, seen: Slot, hold: Hold) -> Slot | None:
        taken = self._workshop.slots.take_over(seen, hold, if_still=seen.ring != self._ring.id)
        if taken is None:
            self._workshop.rings.hide(self._ring, 0)
            raise SlotLost(f"worker slot {seen.number} of actor {seen.actor.id} was taken over by another")
        log.info("worker %s of actor %s taken over from %s", taken.worker_id, self._key.id, seen.poller)
        return taken

    def _acquire(self, actor: Actor, slots: Sequence[Slot], hold: Hold) -> Slot | None:
        while (slot := self._candidate(actor, slots)) is not None:
            is_new = all(slot.number != seen.number for seen in slots)
            purged = bool(slot.execution) and (ids.number(slot.execution or "") or 0) < actor.purged_before
            held = self._workshop.slots.acquire(slot, hold, is_new=is_new, drops=purged)
            if held is not None:
                return held
            slots = self._workshop.slots.list(self._key)  # another was quicker: what is there to be had now?
        return None

    def _candidate(self, actor: Actor, slots: Sequence[Slot]) -> Slot | None:
        """An idle slot below the limit, one that names a parked execution first; else a missing one that has work."""
        limit = self._workshop.slot_limit(actor)
        idle = [slot for slot in slots if not slot.is_held and slot.number < limit]
        if idle:
            return min(idle, key=lambda slot: (slot.execution is None, slot.number))
        missing = set(range(limit)) - {slot.number for slot in slots}
        if not missing or not self._is_one_more_needed(slots):
            return None
        return self._moved(slots, limit, min(missing)) or self._new_slot(actor, min(missing))

    def _is_one_more_needed(self, slots: Sequence[Slot]) -> bool:
        """Whether there is a message that no holder is about to receive.

        Whoever holds a slot looks once more in the end, so a ring may be dropped for him. The count has messages in
        hand too, those just claimed among them; hence the look.
        """
        about_to_receive = sum(1 for slot in slots if slot.is_held and slot.execution is None)
        if about_to_receive and self._workshop.mailboxes.count(self._key) <= about_to_receive:
            return False
        return self._sees_a_message()

    def _moved(self, slots: Sequence[Slot], limit: int, number: int) -> Slot | None:
        """A worker beyond the limit (asked for by HTTP, or made beside one that was to go) takes a free place."""
        for slot in slots:
            is_spare = not slot.is_held and slot.number >= limit and slot.execution is None
            if is_spare and self._workshop.slots.delete_idle(slot):
                return replace(slot, number=number, status=WorkerStatus.READY)
        return None

    def _new_slot(self, actor: Actor, number: int) -> Slot:
        slot = replace(first_slot(actor, number), create_time=self._workshop.clock.now(actor.key.tenant))
        return ready_slot(slot, actor, self._workshop.runner.location)

    # Steps 3 and 4: the messages, one after the other.

    def _hold(self, held: Slot) -> bool:
        """Work with the slot in hand, then give it up. False when the ring is done with: nothing to be looked for."""
        heart = Heart(self._workshop, self._ring, held)
        named = held.execution
        if named is not None and self._supervise(heart, named, fresh=False) is Ended.PARKED:
            return False
        for _ in range(0 if heart.held.must_go else MESSAGES_PER_TURN):
            execution_id = self._next(heart)
            if execution_id is None:
                break
            if self._supervise(heart, execution_id, fresh=True) is Ended.PARKED:
                return False
            if heart.held.must_go:
                break
        self._release(heart.held)
        return True

    def _supervise(self, heart: Heart, execution_id: str, *, fresh: bool) -> Ended:
        key = ExecutionKey(self._key, execution_id)
        ended = Supervision(self._workshop, heart, self._actor, key).run(fresh=fresh)
        if ended is Ended.PARKED:
            self._stop_workers()
            self._workshop.rings.delete(self._ring)
        return ended

    def _stop_workers(self) -> None:
        """Abaco 1.9, worker.py: the worker whose container would not start takes the actor's others with it."""
        actor = self._workshop.actors.get(self._key)
        if actor is None or actor.status != ActorStatus.ERROR:  # repaired already
            return
        self._drop_idle_slots()
        for slot in self._workshop.slots.list(self._key):
            if slot.is_held:
                self._workshop.slots.drain(slot)

    def _next(self, heart: Heart) -> str | None:
        """Receive and claim; the execution that is ours now, or None when nothing more can be had or is to begin."""
        with self._workshop.hold.passing() as may_begin:
            return self._received(heart) if may_begin else None

    def _received(self, heart: Heart) -> str | None:
        while True:
            heart.renew()
            delivery = self._workshop.mailboxes.receive(self._key, MESSAGE_VISIBILITY_S)
            if delivery is None:
                return None
            # Read after the slot is held: a deletion is seen here, or it finds the slot.
            self._actor = self._workshop.actors.get(self._key)
            if self._actor is None or not self._actor.is_ready or self._workshop.stopping.is_set():
                self._workshop.mailboxes.release(self._key, delivery)
                return None
            if self._claim(heart.held, delivery, self._actor):
                return delivery.execution_id

    def _claim(self, held: Slot, delivery: Delivery, actor: Actor) -> bool:
        """Whether we are to run it. The message is deleted in any case: refused, another answers for it."""
        key = ExecutionKey(self._key, delivery.execution_id)
        purged = (ids.number(key.id) or 0) < actor.purged_before
        try:
            claimed = not purged and self._workshop.slots.claim(held, key)
        except SlotLost:
            self._workshop.mailboxes.release(self._key, delivery)
            self._workshop.rings.send(actor.queue, Ring(self._key))
            raise
        self._workshop.mailboxes.delete_message(self._key, delivery)
        if purged:
            self._workshop.actors.dropped(self._key)
        return claimed

    # Step 8: release, and only then look once more.

    def _release(self, held: Slot) -> None:
        """The worker stays, idle, until it is retired; without an actor, or when it was told to go, it goes now."""
        if self._actor is None or held.must_go:
            self._workshop.slots.discard(held)
            return
        released = self._workshop.slots.release(held)
        if released.must_go:  # that was asked since we looked last
            self._workshop.slots.delete_idle(released)
        else:
            self._workshop.retirement.note(self._actor, released)

    def _look(self) -> None:
        """What came in while the slot was held had its ring dropped; never work on what is found here."""
        if self._sees_a_message():
            self._workshop.rings.hide(self._ring, 0)
        else:
            self._workshop.rings.delete(self._ring)

    def _sees_a_message(self) -> bool:
        """Whether one can be had now; it is given back."""
        delivery = self._workshop.mailboxes.receive(self._key, MESSAGE_VISIBILITY_S)
        if delivery is not None:
            self._workshop.mailboxes.release(self._key, delivery)
        return delivery is not None
