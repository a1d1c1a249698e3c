"""Idle workers: how long they stay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from abacito.abaco.actor import Actor
from abacito.abaco.ports import Clock, WorkerSlots
from abacito.abaco.tenant import Tenant
from abacito.abaco.worker import Slot

#: Abaco's autoscaler looks every five seconds, and takes every idle worker of a stateless actor (execution.md §3.1).
IDLE_STATELESS_S = 5
#: The one official hint: keep a worker warm for synchronous messages.
SYNC_HINT = "sync"


class Retirement:
    """Remembers which workers this process has left idle, and lets them go when their time is over.

    Only those are looked at, so what an idle actor costs is nothing. Idle time goes by the emulator's clock.
    """

    def __init__(self, slots: WorkerSlots, clock: Clock, tenant: Callable[[str], Tenant]) -> None:
        self._slots, self._clock, self._tenant = slots, clock, tenant
        self._lock = threading.Lock()
        self._idle: dict[str, tuple[Slot, datetime]] = {}

    @property
    def idle(self) -> Mapping[str, tuple[Slot, datetime]]:
        """The workers that it remembers, by id, each with the time when it is over."""
        with self._lock:
            return dict(self._idle)

    def start_with(self, idle: Mapping[str, tuple[Slot, datetime]]) -> None:
        """Remember these, and no other."""
        with self._lock:
            self._idle = dict(idle)

    def note(self, actor: Actor, slot: Slot) -> None:
        """It is idle from now on."""
        life_s = self._life_s(actor)
        if life_s >= 0:
            due = self._clock.now(actor.key.tenant) + timedelta(seconds=life_s)
            with self._lock:
                self._idle[slot.worker_id] = slot, due

    def adopt(self, actor: Actor, slot: Slot) -> None:
        """It was found idle: if nobody here has noted it, its time counts from what it did last."""
        life_s = self._life_s(actor)
        if life_s >= 0:
            due = (slot.last_execution_time or slot.create_time) + timedelta(seconds=life_s)
            with self._lock:
                self._idle.setdefault(slot.worker_id, (slot, due))

    def run_pass(self) -> None:
        """Let those go whose time is over, unless they are at work again: then they are noted anew afterwards."""
        if not self._idle:
            return
        with self._lock:
            now = {tenant: self._clock.now(tenant) for tenant in {slot.actor.tenant for slot, _ in self._idle.values()}}
            over = [slot for slot, due in self._idle.values() if due <= now[slot.actor.tenant]]
            for slot in over:
                del self._idle[slot.worker_id]
        for slot in over:
            self._retire(slot)

    def _retire(self, slot: Slot) -> None:
        for found in self._slots.list(slot.actor):
            is_same = found.worker_id == slot.worker_id and found.last_execution_time == slot.last_execution_time
            if is_same and found.execution is None:
                self._slots.delete_idle(found)

    def _life_s(self, actor: Actor) -> int:
        """Seconds; -1 for ever."""
        tenant = self._tenant(actor.key.tenant)
        if not (actor.stateless and tenant.autoscaling):
            return tenant.worker_ttl
        return tenant.sync_max_idle_time if SYNC_HINT in actor.hints else IDLE_STATELESS_S
