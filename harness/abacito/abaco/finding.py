"""What there is to search through: each type's stored records, of those actors on which the caller has an entry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.caller import Caller
from abacito.abaco.execution import Execution, ExecutionKey
from abacito.abaco.ports import ActorRecords, Clock, ExecutionRecords, WorkerSlots
from abacito.abaco.search import Page, Query, Record, SearchType
from abacito.abaco.worker import Slot, workers_of

_NOT_STORED = ("key", "totals", "purged_before", "is_going")


class Finding:
    """Searches. Neither a role nor the world helps: a record is found by who is named in its actor's map (§4.2)."""

    def __init__(self, actors: ActorRecords, executions: ExecutionRecords, slots: WorkerSlots, clock: Clock) -> None:
        self._actors, self._executions, self._slots, self._clock = actors, executions, slots, clock

    def search(self, caller: Caller, kind: SearchType, query: Query) -> Page:
        """A search through all that the caller's actors have of this type, oldest first."""
        if kind is SearchType.ACTORS and query.is_plain:
            total, page = self._actors.page_named(caller.tenant, caller.username, query.skip, query.limit)
            return Page(total, query.skip, query.limit, [actor_record(actor) for actor in page])
        _, actors = self._actors.page_named(caller.tenant, caller.username, 0, _ALL)
        return query.page(record for actor in actors for record in self._records(kind, actor))

    def actor_of(self, tenant: str, execution_id: str) -> ActorKey | None:
        """The actor whose execution this is; every actor that ever was is asked."""
        for each in self._actors.enrolled(tenant):
            if self._executions.get(ExecutionKey(each.key, execution_id)) is not None:
                return each.key
        return None

    def search_in(self, caller: Caller, kind: SearchType, query: Query, key: ActorKey) -> Page:
        """The same within one actor; a page of its executions costs a page, however many there are."""
        actor, entries = self._actors.get_for(key, caller.username)
        if actor is None or all(entry.user != caller.username for entry in entries):
            return query.page(())
        if kind is SearchType.EXECUTIONS and query.is_plain:
            until = query.skip + query.limit
            listed = self._executions.list(key, until)[query.skip :] if query.limit else []
            total = self._executions.count(key)
            return Page(total, query.skip, query.limit, [execution_record(each) for each in listed])
        return query.page(self._records(kind, actor))

    def _records(self, kind: SearchType, actor: Actor) -> Iterator[Record]:
        match kind:
            case SearchType.ACTORS:
                yield actor_record(actor)
            case SearchType.EXECUTIONS:
                yield from map(execution_record, self._executions.list(actor.key))
            case SearchType.WORKERS:
                yield from map(worker_record, workers_of(self._slots.list(actor.key)))
            case SearchType.LOGS:
                for execution, text in self._executions.logs(actor.key, self._clock.now(actor.key.tenant)):
                    yield log_record(actor, execution, text)


_ALL = 2**62


def actor_record(actor: Actor) -> Record:
    """An actor by Abaco's stored names."""
    stored: dict[str, Any] = {f.name: getattr(actor, f.name) for f in fields(actor) if f.name not in _NOT_STORED}
    mounts = [{"container_path": m.container_path, "host_path": m.host_path, "mode": m.mode} for m in actor.mounts]
    return {
        **stored,
        "_id": actor.key.dbid,
        "id": actor.id,
        "db_id": actor.key.dbid,
        "tenant": actor.key.tenant,
        "hints": list(actor.hints),
        "mounts": mounts,
        "executions": {},
    }


def execution_record(execution: Execution) -> Record:
    """An execution by Abaco's stored names; ``actor_id`` is the dbid there."""
    outcome, key = execution.outcome, execution.key.actor
    return {
        "id": execution.id,
        "actor_id": key.dbid,
        "tenant": key.tenant,
        "api_server": execution.api_server,
        "executor": execution.executor,
        "worker_id": execution.worker_id,
        "status": str(execution.status),
        "message_received_time": execution.received,
        "start_time": outcome.start_time if outcome else None,
        "finish_time": outcome.finish_time if outcome else None,
        "exit_code": outcome.exit_code if outcome else None,
        "final_state": outcome.final_state if outcome else None,
        "runtime": outcome.runtime if outcome else 0,
        "cpu": outcome.cpu if outcome else 0,
        "io": outcome.io if outcome else 0,
    }


def worker_record(slot: Slot) -> Record:
    """A worker by Abaco's stored names, as far as they are set; ``last_execution_time`` is 0 before the first."""
    record: dict[str, Any] = {
        "id": slot.worker_id,
        "actor_id": slot.actor.dbid,
        "tenant": slot.actor.tenant,
        "status": str(slot.status),
        "create_time": slot.create_time,
    }
    if slot.is_up:
        record |= {
            **worker_place(slot),
            "last_execution_time": slot.last_execution_time or 0,
            "last_health_check_time": slot.last_health_check_time,
        }
    return record


def worker_place(slot: Slot) -> Record:
    """Where a worker that is up runs, as Abaco tells it; nulls for one that is not.

    There is no worker container here: ``cid`` only has the form of a Docker id, and the host is Abaco's local one.
    """
    place = {
        "image": slot.image,
        "location": slot.location,
        "cid": hashlib.sha256(slot.worker_id.encode()).hexdigest(),
        "ch_name": f"worker_{slot.worker_id}",
        "host_id": "0",
        "host_ip": "172.17.0.1",
    }
    return place if slot.is_up else dict.fromkeys(place)


def log_record(actor: Actor, execution: Execution, text: str) -> Record:
    """A log by Abaco's stored names, and what its links are made of."""
    return {
        "_id": execution.id,
        "actor_id": actor.key.dbid,
        "tenant": actor.key.tenant,
        "logs": text,
        "api_server": execution.api_server,
        "owner": actor.owner,
    }
