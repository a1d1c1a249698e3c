"""The whole instance counted, over all tenants: what its operators see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from abacito.abaco.actor import Actor, Enrolment, Totals
from abacito.abaco.messaging import Messaging
from abacito.abaco.ports import ActorRecords, ExecutionRecords, Rings, WorkerSlots
from abacito.abaco.worker import Slot, WorkerStatus, workers_of

#: Its length is what ``utilization`` tells as the command queue.
DEFAULT_QUEUE = "default"

_FIGURES = ("runtime", "cpu", "io")


@dataclass(frozen=True, slots=True)
class Tally:
    """What one actor, deleted or not, has done: executions by number, the figures of the finished ones."""

    enrolment: Enrolment
    executions: int
    totals: Totals

    def figures(self) -> Mapping[str, Any]:
        """By Abaco's names for it."""
        return {
            "actor_id": self.enrolment.key.id,
            "owner": self.enrolment.owner,
            "image": self.enrolment.image,
            "total_executions": self.executions,
            "total_execution_cpu": self.totals.cpu_ns,
            "total_execution_io": self.totals.io_bytes,
            "total_execution_runtime": self.totals.runtime_s,
        }


@dataclass(frozen=True, slots=True)
class ActorCensus:
    """What belongs to one actor now."""

    messages: int
    executions: int
    runtime_s: int
    workers: Sequence[Slot]


class Census:
    """Counts. Every call goes through all actors: it is for operators, not for clients."""

    def __init__(
        self,
        actors: ActorRecords,
        executions: ExecutionRecords,
        slots: WorkerSlots,
        rings: Rings,
        messaging: Messaging,
    ) -> None:
        self._actors, self._executions, self._slots = actors, executions, slots
        self._rings, self._messaging = rings, messaging

    def actors(self) -> Sequence[Actor]:
        """The actors that exist, oldest first."""
        return self._actors.get_many(each.key for each in self._actors.enrolled() if not each.is_deleted)

    def of(self, actor: Actor) -> ActorCensus:
        """One actor's mailbox, executions and workers."""
        return ActorCensus(
            messages=self._messaging.waiting(actor),
            executions=self._executions.count(actor.key),
            runtime_s=actor.totals.runtime_s,
            workers=workers_of(self._slots.list(actor.key)),
        )

    def workers(self) -> Sequence[Slot]:
        """All workers."""
        keys = [each.key for each in self._actors.enrolled() if not each.is_deleted]
        return [slot for key in keys for slot in workers_of(self._slots.list(key))]

    def worker_summary(self, workers: Sequence[Slot]) -> Mapping[str, int]:
        """These workers by status, and how many actors have none. Abaco sets no worker to ERROR."""
        by_status = Counter(slot.status for slot in workers)
        existing = {each.key for each in self._actors.enrolled() if not each.is_deleted}
        return {
            "total_workers": len(workers),
            "ready_workers": by_status[WorkerStatus.READY],
            "requested_workers": by_status[WorkerStatus.REQUESTED],
            "error_workers": 0,
            "busy_workers": by_status[WorkerStatus.BUSY],
            "actors_no_workers": len(existing - {slot.actor for slot in workers}),
        }

    def tallies(self) -> Sequence[Tally]:
        """Every actor that ever was."""
        enrolled = self._actors.enrolled()
        existing = {actor.key: actor.totals for actor in self.actors()}
        return [
            Tally(each, self._executions.count(each.key), each.totals or existing.get(each.key, Totals()))
            for each in enrolled
        ]

    @staticmethod
    def execution_summary(tallies: Sequence[Tally]) -> Mapping[str, int]:
        """Twelve sums: over all that ever was, and over what exists."""
        existing = [each for each in tallies if not each.enrolment.is_deleted]
        return {**_sums("all", tallies), **_sums("existing", existing)}

    def utilization(self) -> Mapping[str, int]:
        """Actors now and ever, workers, and the length of the default command queue."""
        enrolled = self._actors.enrolled()
        return {
            "currentActors": sum(1 for each in enrolled if not each.is_deleted),
            "totalActors": len(enrolled),
            "workers": len(self.workers()),
            "commandQueue": self._rings.count(DEFAULT_QUEUE),
        }


def _sums(which: str, tallies: Sequence[Tally]) -> Mapping[str, int]:
    figures = [tally.figures() for tally in tallies]
    sums = {f"total_execution_{name}_{which}": sum(f[f"total_execution_{name}"] for f in figures) for name in _FIGURES}
    return {
        f"total_actors_{which}": len(figures),
        f"total_actors_{which}_with_executions": sum(1 for f in figures if f["total_executions"]),
        f"total_executions_{which}": sum(f["total_executions"] for f in figures),
        **sums,
    }
