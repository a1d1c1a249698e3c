"""``ports.WorkerSlots``: the conditional writes on which it rests that each execution runs once (docs/protocol.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from boto3.dynamodb.conditions import Attr, ConditionBase

from abacito.abaco.actor import ActorKey, ActorStatus
from abacito.abaco.errors import SlotLost
from abacito.abaco.execution import ExecutionKey, ExecutionStatus, Outcome
from abacito.abaco.worker import HALT_ALL, Hold, Slot, WorkerStatus
from abacito.aws import keys
from abacito.aws.executions import LOG_ATTRIBUTES, ExecutionTable
from abacito.aws.tables import Delete, Item, Put, Table, Update, Value, exists, is_new

_FREE = Attr("ring").not_exists()
_WRITTEN_TEXT = ("worker_id", "status", "ring", "token", "poller", "execution", "halt", "image", "location")
_WRITTEN_TIMES = ("create_time", "last_execution_time")


class SlotTable:
    """Worker slots in their actor's partition, by number. Authority is the token; every holder's write asks for it."""

    def __init__(self, table: Table, executions: ExecutionTable) -> None:
        self._table, self._executions = table, executions
        self._listeners: dict[str | None, Callable[[str], object]] = {}

    def add(self, slot: Slot) -> bool:
        """Put a slot; False when that number exists."""
        return self._table.put(Put(_place(slot), _item(slot), is_new()))

    def list(self, actor: ActorKey) -> Sequence[Slot]:
        """The actor's slots by number."""
        return [_slot(actor, item) for item in self._table.query(keys.partition(actor), keys.SLOT)]

    def set_up(self, slot: Slot) -> None:
        """Store what is shown of a worker that has come up; whoever holds it keeps it."""
        shown = {name: _item(slot)[name] for name in ("image", "location", "create_time")}
        changes = {name: value for name, value in shown.items() if value is not None}
        self._table.update(Update(_place(slot), changes, when=exists()))
        ready: dict[str, Value] = {"status": str(slot.status)}
        self._table.update(Update(_place(slot), ready, when=exists() & _FREE))

    def acquire(self, slot: Slot, hold: Hold, *, is_new: bool, drops: bool) -> Slot | None:
        """Hold an idle slot, or make it; None when it is not as it was seen."""
        if is_new:
            held = replace(slot, ring=hold.ring, token=hold.token, poller=hold.poller, failures=0)
            return held if self.add(held) else None
        changes = {**_held(hold), "failures": 0}
        when = exists() & _FREE & _as_seen(slot)
        update = Update(_place(slot), changes, ("execution",) if drops else (), when=when)
        return self._slot_after(slot, update)

    def take_over(self, seen: Slot, hold: Hold, *, if_still: bool) -> Slot | None:
        """Hold a slot whose holder is gone."""
        when: ConditionBase = Attr("token").eq(seen.token)
        if if_still:
            when = when & Attr("beat").eq(seen.beat)
        return self._slot_after(seen, Update(_place(seen), _held(hold), when=when))

    def beat(self, held: Slot) -> Slot:
        """Show that we live."""
        return self._as_holder(held, add={"beat": 1})

    def look(self, held: Slot) -> Slot:
        """The slot as it is now."""
        item = self._table.get(_place(held))
        if item is None or item.get("token") != held.token:
            raise _lost(held)
        return _slot(held.actor, item)

    def claim(self, held: Slot, execution: ExecutionKey) -> bool:
        """Execution and slot name each other, or neither does."""
        wanted = exists() & Attr("worker_id").not_exists()
        refused = self._table.transact(
            Update(keys.execution(execution), {"worker_id": held.worker_id}, when=wanted),
            Update(
                _place(held),
                {"execution": execution.id, "failures": 0, "status": str(WorkerStatus.BUSY)},
                when=_is_ours(held),
            ),
        )
        if 1 in refused:
            raise _lost(held)
        return not refused

    def fail(self, held: Slot) -> int:
        """Count a failed start."""
        return self._as_holder(held, add={"failures": 1}).failures

    def park(self, held: Slot, execution: ExecutionKey, reason: str) -> None:
        """Execution and actor in ERROR, slot idle but naming it, all at once."""
        error = str(ActorStatus.ERROR)
        self._with_actor(
            held,
            Update(
                keys.execution(execution),
                {"status": str(ExecutionStatus.ERROR), "retryable": True},
                when=Attr("status").ne(str(ExecutionStatus.COMPLETE)),
            ),
            Update(
                _place(held),
                {"status": str(WorkerStatus.READY)},
                ("ring", "token", "poller"),
                when=_is_ours(held),
            ),
            Update(keys.actor(held.actor), {"status": error, "status_message": reason}, when=exists()),
        )

    def finish(self, held: Slot, key: ExecutionKey, outcome: Outcome, log: str, expires: datetime | None) -> None:
        """Log, outcome, totals and the slot's time, all at once: no reader sees COMPLETE half-filled."""
        change, puts = self._executions.log_writes(key, log, expires)
        figures = {"executions": 1, "runtime": outcome.runtime, "cpu": outcome.cpu, "io": outcome.io}
        self._with_actor(
            held,
            Update(
                keys.execution(key),
                {"status": str(ExecutionStatus.COMPLETE), "outcome": outcome.to_document(), **change},
                tuple(name for name in LOG_ATTRIBUTES if name not in change),
                when=Attr("status").eq(str(ExecutionStatus.RUNNING)),
            ),
            Update(
                _place(held),
                {"last_execution_time": (outcome.finish_time or outcome.start_time).isoformat()},
                when=_is_ours(held) & Attr("execution").eq(key.id),
            ),
            Update(keys.actor(held.actor), add=figures, when=exists()),
            *puts,
        )

    def abort(self, held: Slot, execution: ExecutionKey) -> None:
        """The execution ends in ERROR, for good."""
        self._transact(
            held,
            Update(
                keys.execution(execution),
                {"status": str(ExecutionStatus.ERROR)},
                ("retryable",),
                when=Attr("status").ne(str(ExecutionStatus.COMPLETE)),
            ),
            Update(_place(held), add={"beat": 1}, when=_is_ours(held)),
        )

    def forget(self, held: Slot) -> Slot:
        """The slot names no execution any more; the slot as it is now."""
        return self._as_holder(held, remove=("execution",))

    def release(self, held: Slot) -> Slot:
        """Idle and READY again; the slot as it is now."""
        idle: dict[str, Value] = {"status": str(WorkerStatus.READY)}
        return self._as_holder(held, set=idle, remove=("ring", "token", "poller"))

    def discard(self, held: Slot) -> None:
        """Delete the slot that we hold."""
        if not self._table.remove(Delete(_place(held), _is_ours(held))):
            raise _lost(held)

    def delete_idle(self, slot: Slot) -> bool:
        """Delete a slot that nobody holds; one that names an execution only goes with its actor."""
        same = Attr("worker_id").eq(slot.worker_id) & _FREE & _as_seen(slot)  # another may have its number by now
        return self._table.remove(Delete(_place(slot), same))

    def drain(self, slot: Slot) -> bool:
        """Ask for its going, when what it has in hand is done."""
        change: dict[str, Value] = {"drain": True, **_asked_to_go(slot)}
        return self._table.update(Update(_place(slot), change, when=Attr("worker_id").eq(slot.worker_id))) is not None

    def shut_down(self, held: Slot) -> Slot:
        """The holder knows that it is to go."""
        return self._as_holder(held, set={"status": str(WorkerStatus.SHUTTING_DOWN)})

    def halt(self, slot: Slot, what: str) -> bool:
        """Ask the holder to stop an execution, or to stop all and go."""
        place = Attr("ring").exists()
        named = place if what == HALT_ALL else place & Attr("execution").eq(what)
        shown = _asked_to_go(slot) if what == HALT_ALL else {}
        is_asked = self._table.update(Update(_place(slot), {"halt": what, **shown}, when=named)) is not None
        tell = self._listeners.get(slot.token)
        if is_asked and tell is not None:
            tell(what)
        return is_asked

    @contextmanager
    def heard(self, held: Slot, tell: Callable[[str], object]) -> Iterator[None]:
        """Tell at once of a ``halt`` by this process."""
        self._listeners[held.token] = tell
        try:
            yield
        finally:
            del self._listeners[held.token]

    def _slot_after(self, slot: Slot, update: Update) -> Slot | None:
        item = self._table.update(update)
        return _slot(slot.actor, item) if item else None

    def _as_holder(
        self,
        held: Slot,
        set: dict[str, Value] | None = None,
        remove: tuple[str, ...] = (),
        add: dict[str, int] | None = None,
    ) -> Slot:
        after = self._slot_after(held, Update(_place(held), set or {}, remove, add or {}, _is_ours(held)))
        if after is None:
            raise _lost(held)
        return after

    def _with_actor(self, held: Slot, execution: Update, slot: Update, actor: Update, *puts: Put) -> None:
        """All these writes; the actor may be gone by now, then the others."""
        refused = self._table.transact(execution, slot, actor, *puts)
        if refused == (2,):
            refused = self._table.transact(execution, slot, *puts)
        if refused:
            raise _lost(held)

    def _transact(self, held: Slot, *writes: Update) -> None:
        if self._table.transact(*writes):
            raise _lost(held)


def _as_seen(slot: Slot) -> ConditionBase:
    named = Attr("execution")
    return named.eq(slot.execution) if slot.execution else named.not_exists()


def _asked_to_go(slot: Slot) -> dict[str, Value]:
    """What is shown of it; one that is going already goes on."""
    is_going = slot.status is WorkerStatus.SHUTTING_DOWN
    return {} if is_going else {"status": str(WorkerStatus.SHUTDOWN_REQUESTED)}


def _is_ours(held: Slot) -> ConditionBase:
    return Attr("token").eq(held.token)


def _lost(held: Slot) -> SlotLost:
    return SlotLost(f"worker slot {held.number} of actor {held.actor.id} has another holder now")


def _held(hold: Hold) -> dict[str, Value]:
    return {"ring": hold.ring, "token": hold.token, "poller": hold.poller}


def _place(slot: Slot) -> keys.Key:
    return keys.slot(slot.actor, slot.number)


def _item(slot: Slot) -> dict[str, Value | None]:
    times = {name: getattr(slot, name) for name in _WRITTEN_TIMES}
    return {
        "number": slot.number,
        **{name: getattr(slot, name) for name in _WRITTEN_TEXT},
        **{name: moment and moment.isoformat() for name, moment in times.items()},
        "failures": slot.failures,
        "beat": slot.beat,
        "drain": slot.drain,
    }


def _slot(actor: ActorKey, item: Item) -> Slot:
    texts = {name: item.get(name) for name in _WRITTEN_TEXT}
    times = {name: item.get(name) for name in _WRITTEN_TIMES}
    return Slot(
        actor=actor,
        number=int(item["number"]),
        **{**texts, "status": WorkerStatus(str(item["status"]))},  # type: ignore[arg-type] # texts, as they were put
        **{name: datetime.fromisoformat(str(t)) if t else None for name, t in times.items()},  # type: ignore[arg-type]
        failures=int(item.get("failures", 0)),
        beat=int(item.get("beat", 0)),
        drain=bool(item.get("drain", False)),
    )
