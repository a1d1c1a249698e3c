"""An execution's results: each an item, taken once, oldest first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from abacito.abaco.execution import ExecutionKey
from abacito.aws import keys
from abacito.aws.tables import EXPIRES_AT, Delete, Expiry, Item, Put, Table, Value, exists, is_new

#: Abaco 1.9, channels.py: an execution's results are gone so long after their last use.
RESULTS_LIFE = timedelta(minutes=20)
_KEPT = timedelta(days=1)

# By so much the life of results may be short: their last use is not written down more often.
_LAST_USE_WITHIN = timedelta(seconds=1)

# Of so many executions it is remembered which result was last taken here.
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class _Taken:
    """What was last taken in this process: a hint where the next one is, never a claim to it."""

    sequence: int
    at: datetime
    noted: datetime
    """When a last use was written down from here."""


class ResultTable:
    """The results of all executions, in a partition for each."""

    def __init__(self, table: Table, expiry: Expiry) -> None:
        self._table, self._expiry = table, expiry
        self._taken: OrderedDict[str, _Taken] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, key: ExecutionKey, sequence: int, data: bytes, now: datetime) -> None:
        """Keep one; the same sequence twice is one result."""
        self._table.put(Put(_place(key.id, sequence), {"data": data, **self._used(key, now)}, is_new()))

    def take(self, key: ExecutionKey, now: datetime) -> bytes | None:
        """The oldest; deleting it decides which of two readers gets it."""
        last = self._taken.get(key.id)
        if last is not None and timedelta() <= now - last.at < RESULTS_LIFE:
            # Whoever reads all of them mostly finds the next one there. If not, it is looked for.
            item = self._table.take(Delete(_place(key.id, last.sequence + 1), exists()))
            if item is not None:
                return self._handed_out(key, item, now)
        return self._take_oldest(key, now)

    def _take_oldest(self, key: ExecutionKey, now: datetime) -> bytes | None:
        while True:
            oldest = next(self._table.query(keys.results(key.id), limit=1), None)
            if oldest is None:
                return None
            place = (str(oldest["pk"]), str(oldest["sk"]))
            if place == keys.results_used(key.id):  # nothing else is left
                self._table.remove(Delete(place))
                return None
            if self._are_over(key.id, oldest, now):
                return None
            if self._table.remove(Delete(place, exists())):
                return self._handed_out(key, oldest, now)

    def _handed_out(self, key: ExecutionKey, item: Item, now: datetime) -> bytes:
        """Its data; that there was a use is written down, and remembered."""
        last = self._taken.get(key.id)
        noted = now
        if last is not None and timedelta() <= now - last.noted < _LAST_USE_WITHIN:
            noted = last.noted
        else:
            self._table.put(Put(keys.results_used(key.id), self._used(key, now)))
        with self._lock:
            self._taken[key.id] = _Taken(int(item["sk"]), now, noted)
            self._taken.move_to_end(key.id)
            if len(self._taken) > _REMEMBERED:
                self._taken.popitem(last=False)
        return bytes(item["data"])  # type: ignore[arg-type] # it is bytes that were put there

    def _used(self, key: ExecutionKey, now: datetime) -> dict[str, Value | None]:
        """When a result was sent or read, and when DynamoDB may forget it: long after all of them are over."""
        return {"at": now.isoformat(), EXPIRES_AT: self._expiry(key.actor.tenant, now + _KEPT)}

    def _are_over(self, execution_id: str, oldest: Item, now: datetime) -> bool:
        """Whether nobody has sent or read a result for so long that all of them are gone (http-api §4.6)."""
        since = now - RESULTS_LIFE
        if datetime.fromisoformat(str(oldest["at"])) > since:
            return False
        times = [datetime.fromisoformat(str(item["at"])) for item in self._table.query(keys.results(execution_id))]
        return max(times) <= since


def _place(execution_id: str, sequence: int) -> keys.Key:
    return keys.results(execution_id), f"{sequence:08d}"
