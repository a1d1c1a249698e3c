"""A worker: a numbered slot, that is a record and the right to run one container, not a thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from abacito.abaco.actor import ActorKey


class WorkerStatus(StrEnum):
    """Abaco 1.9, codes.py; the blanks are Abaco's."""

    REQUESTED = "REQUESTED"
    SPAWNER_SETUP = "SPAWNER SETUP"
    PULLING_IMAGE = "PULLING IMAGE"
    CREATING_CONTAINER = "CREATING CONTAINER"
    READY = "READY"
    BUSY = "BUSY"
    SHUTDOWN_REQUESTED = "SHUTDOWN_REQUESTED"
    SHUTTING_DOWN = "SHUTTING_DOWN"


#: ``halt`` of a slot whose actor is being deleted: stop whatever runs there, and go.
HALT_ALL = "*"


@dataclass(frozen=True, slots=True)
class Hold:
    """The claim of a poller on a slot: the ring that wakes a successor, and a token drawn anew each time."""

    ring: str
    token: str
    poller: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A worker slot. Held when it has a ring; it answers for the execution that it names.

    ``beat`` counts up while its holder lives; ``failures`` counts starts that failed in a row; ``halt`` names the
    execution to be stopped, or is HALT_ALL; ``drain``: go when the execution under way is done.
    """

    actor: ActorKey
    number: int
    worker_id: str
    status: WorkerStatus
    create_time: datetime
    ring: str | None = None
    token: str | None = None
    poller: str | None = None
    execution: str | None = None
    failures: int = 0
    beat: int = 0
    halt: str | None = None
    drain: bool = False
    image: str | None = None
    location: str | None = None
    last_execution_time: datetime | None = None

    @property
    def is_held(self) -> bool:
        """Whether some poller works there (or died there)."""
        return self.ring is not None

    @property
    def must_go(self) -> bool:
        """Whether its holder is to give it up for good: after the execution under way, or with it."""
        return self.drain or self.halt == HALT_ALL

    @property
    def is_parked(self) -> bool:
        """Whether it only keeps the place of an execution that would not start; as a worker it is gone."""
        return self.execution is not None and not self.is_held

    @property
    def is_up(self) -> bool:
        """Whether its image is at hand; before that, little is known of it."""
        return self.image is not None

    @property
    def last_health_check_time(self) -> datetime | None:
        """When it was last known to be well: what it did last. There is no health agent that asks."""
        return max(self.create_time, self.last_execution_time or self.create_time) if self.is_up else None


def workers_of(slots: Iterable[Slot]) -> Sequence[Slot]:
    """Those that are workers to users. After the sixth failed start Abaco stops the worker (execution.md §6)."""
    return [slot for slot in slots if not slot.is_parked]
