"""The loops beside the poller: events to their receivers, and the cron's passes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from abacito.abaco.events import Delivery
from abacito.abaco.ports import EventQueue

log = logging.getLogger(__name__)

#: Real seconds between two passes of Abaco's cron loop (http-api-more §5).
CRON_PASS_S = 50.0
#: How often logs whose time is over are looked for in the store; readers do not see them any more.
LOG_SWEEP_S = 600.0
#: How often idle workers are looked at.
RETIREMENT_PASS_S = 1.0
#: An event comes again after so long when its delivery was broken off: longer than a webhook may take.
EVENT_VISIBILITY_S = 30


class EventRounds:
    """Takes events from the queue and delivers them, until told to stop."""

    def __init__(self, queue: EventQueue, delivery: Delivery, long_poll_s: int, stopping: threading.Event) -> None:
        self._queue, self._delivery = queue, delivery
        self._long_poll_s, self._stopping = long_poll_s, stopping

    def run_once(self) -> None:
        """Wait for the next event, and deliver it."""
        found = self._queue.receive(self._long_poll_s, EVENT_VISIBILITY_S)
        if found is not None and not self._stopping.is_set():
            self._delivery.deliver(found.event)
            self._queue.delete(found)


class Rounds:
    """Threads that do something again and again; a failure is noted, and the next round tries anew."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._threads: list[threading.Thread] = []
        self.failures: list[Exception] = []

    def add(self, name: str, once: Callable[[], object], every_s: float = 0.0, *, at_once: bool = True) -> None:
        """Do this from ``start`` on, or so many real seconds after it, with as many in between."""
        args = (name, once, every_s, 0.0 if at_once else every_s)
        self._threads.append(threading.Thread(target=self._run, args=args, name=name, daemon=True))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait for the rounds under way; ``stopping`` must be set."""
        for thread in self._threads:
            thread.join()

    def _run(self, name: str, once: Callable[[], object], every_s: float, first_s: float) -> None:
        self._stopping.wait(first_s)
        while not self._stopping.is_set():
            try:
                once()
            except Exception as error:  # the store or queue is away or confused: the loop outlives that
                if self._stopping.is_set():
                    return
                log.error("%s failed", name, exc_info=error)
                self.failures.append(error)
                self._stopping.wait(1.0)
            self._stopping.wait(every_s)
