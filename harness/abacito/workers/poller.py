"""The loop: rings in, visits out, as many at once as there are threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from abacito.abaco.errors import Unavailable
from abacito.abaco.ports import RingInHand
from abacito.workers.supervise import RING_VISIBILITY_S, Workshop
from abacito.workers.worker import Visit

log = logging.getLogger(__name__)

# While nothing can be begun a stop is noticed within so many seconds.
_LOOK_AGAIN_S = 0.5


class Poller:
    """Long-polls each command queue and nothing else, so what an idle actor costs is nothing.

    A ring is taken only when a thread is free for it: what nobody here can serve stays there for another poller.
    """

    def __init__(self, workshop: Workshop, queues: Iterable[str], threads: int, long_poll_s: int) -> None:
        self._workshop, self._long_poll_s = workshop, long_poll_s
        self._free = threading.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="abacito-worker")
        self._loops = [
            threading.Thread(target=self._run, args=(queue,), name=f"abacito-poller-{queue}", daemon=True)
            for queue in queues
        ]
        self.failures: list[Exception] = []
        """Our own failures, not the actors'; for whoever owns the poller to raise."""

    def start(self) -> None:
        """Begin to poll."""
        for loop in self._loops:
            loop.start()

    def check(self) -> None:
        """Raise Unavailable when a loop has ended that should not have."""
        dead = [loop.name for loop in self._loops if not loop.is_alive()]
        if dead:
            raise Unavailable(f"not running: {', '.join(dead)}")

    def stop(self) -> None:
        """Take no more rings, and return when no visit is under way. ``workshop.stopping`` must be set."""
        for loop in self._loops:
            loop.join()
        self._pool.shutdown(wait=True)

    def _run(self, queue: str) -> None:
        stopping = self._workshop.stopping
        while not stopping.is_set():
            if not (self._is_one_free(_LOOK_AGAIN_S) and self._workshop.hold.wait(_LOOK_AGAIN_S)):
                continue
            ring = self._receive(queue)
            if ring is None or stopping.is_set():
                continue
            with self._workshop.hold.passing() as may_begin:
                if may_begin and self._free.acquire(blocking=False):
                    self._pool.submit(self._visit, ring)
                else:  # held meanwhile, or the other queues were quicker
                    self._give_back(ring)

    def _is_one_free(self, within_s: float) -> bool:
        """Whether there is a thread; it is not taken, or the poll of an idle queue would keep it from the others."""
        is_free = self._free.acquire(timeout=within_s)
        if is_free:
            self._free.release()
        return is_free

    def _receive(self, queue: str) -> RingInHand | None:
        try:
            return self._workshop.rings.receive(queue, self._long_poll_s, RING_VISIBILITY_S)
        except Exception as error:  # noqa: BLE001 # the queue service is away or confused: the loop must outlive that
            self._note(error, f"queue {queue} not polled")
            self._workshop.stopping.wait(1.0)
            return None

    def _give_back(self, ring: RingInHand) -> None:
        try:
            self._workshop.rings.hide(ring, 0)
        except Exception as error:  # noqa: BLE001 # as above; the ring comes again by itself, later
            self._note(error, f"ring for actor {ring.ring.actor.id} not given back")

    def _visit(self, ring: RingInHand) -> None:
        try:
            Visit(self._workshop, ring).make()
        except Exception as error:  # noqa: BLE001 # our own failure, not the actor's: the ring comes again
            self._note(error, f"ring for actor {ring.ring.actor.id} not served")
        finally:
            self._free.release()

    def _note(self, error: Exception, what: str) -> None:
        if self._workshop.stopping.is_set():
            return
        log.error("%s", what, exc_info=error)
        self.failures.append(error)
