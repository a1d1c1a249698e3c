"""Asking for workers, on records that count how often they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.ports import Clock, Ring, Rings, WorkerSlots
from abacito.abaco.staffing import Staffing
from abacito.abaco.worker import Slot, WorkerStatus

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ACTOR = Actor(ActorKey("A", "B"), "jdoe", "http://abaco", "image", NOW, NOW)


class Records:
    """Worker records, the bells and the time; of the numbers ``snatched``, each is another's when it is asked for."""

    def __init__(self, *snatched: int) -> None:
        self.numbers: set[int] = set()
        self.looks = 0
        self._snatched = set(snatched)

    def list(self, actor: ActorKey) -> Sequence[Slot]:
        self.looks += 1
        return [Slot(actor, number, str(number), WorkerStatus.READY, NOW) for number in sorted(self.numbers)]

    def add(self, slot: Slot) -> bool:
        is_free = slot.number not in self.numbers | self._snatched
        self._snatched.discard(slot.number)
        self.numbers.add(slot.number)
        return is_free

    def send(self, queue: str, ring: Ring) -> None:
        pass

    def now(self, tenant: str) -> datetime:
        return NOW


def staffing(records: Records) -> Staffing:
    return Staffing(cast(WorkerSlots, records), cast(Rings, records), cast(Clock, records))


def test_many_workers_are_asked_for_without_looking_at_all_for_each() -> None:
    records = Records()

    said = staffing(records).ensure(ACTOR, "B", 1000)

    assert said == "Scheduled 1000 new worker(s) to start. Previously, there were 0 workers."
    assert records.numbers == set(range(1000))
    assert records.looks == 2


def test_a_number_that_somebody_else_takes_meanwhile_is_made_up_for() -> None:
    records = Records(0, 2)

    staffing(records).ensure(ACTOR, "B", 3)

    assert records.numbers == {0, 1, 2, 3, 4}
