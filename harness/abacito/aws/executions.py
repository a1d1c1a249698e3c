"""``ports.ExecutionRecords`` on the table and, for what is long, the bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from boto3.dynamodb.conditions import Attr

from abacito.abaco.actor import ActorKey
from abacito.abaco.execution import Execution, ExecutionKey, ExecutionStatus, Outcome
from abacito.abaco.message import Message
from abacito.aws import keys
from abacito.aws.buckets import Bucket
from abacito.aws.results import ResultTable
from abacito.aws.tables import EXPIRES_AT, Delete, Expiry, Item, Put, Table, Update, Value, exists, is_new

# An item has 400 KB for this, a message and a log.
_LONGEST_HAD = 65_536

#: The three attributes by which an item tells its log: in an item of its own, or in which object; and until when.
LOG_ATTRIBUTES = ("log_item", "log_object", "log_expires")


class ExecutionTable:
    """Executions in their actor's partition, oldest first by key."""

    def __init__(self, table: Table, bucket: Bucket, expiry: Expiry) -> None:
        self._table, self._bucket, self._expiry = table, bucket, expiry
        self._results = ResultTable(table, expiry)

    def add(self, execution: Execution, message: Message) -> bool:
        """Put a new execution; a long message goes to the bucket first, so that no record lacks one."""
        binary_object = self._put_binary(execution.id, message.binary or b"")
        body = (message if binary_object is None else replace(message, binary=None)).to_document()
        inline = len(body) <= keys.INLINE_LIMIT_BYTES
        if not inline:
            self._bucket.put(keys.body_object(execution.id), body)
        item = {
            "id": execution.id,
            "status": str(execution.status),
            "doc": execution.to_document(),
            "message": body if inline else None,
            "binary_object": binary_object,
        }
        return not self._table.transact(
            Put(keys.execution(execution.key), item, is_new()), self._counted(execution.key.actor, 1)
        )

    def _put_binary(self, execution_id: str, binary: bytes) -> str | None:
        """Where a long one is now, by itself: as text in a document it is a third longer, and read letter by letter."""
        if len(binary) <= keys.INLINE_LIMIT_BYTES:
            return None
        place = keys.binary_object(execution_id)
        self._bucket.put_bytes(place, binary)
        return place

    def undo(self, key: ExecutionKey) -> bool:
        """Remove it again unless it is claimed."""
        unclaimed = exists() & Attr("worker_id").not_exists()
        return not self._table.transact(Delete(keys.execution(key), unclaimed), self._counted(key.actor, -1))

    def count(self, actor: ActorKey) -> int:
        """How many there have ever been, without reading them."""
        item = self._table.get(keys.executions_count(actor))
        return int(item["count"]) if item else 0

    def get(self, key: ExecutionKey) -> Execution | None:
        """The execution as it is now."""
        item = self._item(key)
        return _execution(key, item) if item else None

    def message(self, key: ExecutionKey) -> Message | None:
        """What it was started with."""
        item = self._item(key)
        if item is None:
            return None
        body = item.get("message") or self._bucket.get(keys.body_object(key.id))
        message = Message.from_document(str(body)) if body else None
        if message is None or "binary_object" not in item:
            return message
        binary = self._bucket.get_bytes(str(item["binary_object"]))
        return None if binary is None else replace(message, binary=binary)

    def list(self, actor: ActorKey, limit: int | None = None) -> Sequence[Execution]:
        """All executions ever, or the first so many, oldest first."""
        items = self._table.query(keys.partition(actor), keys.EXECUTION, limit)
        return [_execution(ExecutionKey(actor, str(item["id"])), item) for item in items]

    def set_running(self, key: ExecutionKey, had: Mapping[str, str | None] | None = None) -> None:
        """RUNNING, if it was SUBMITTED or waits for a repair; ``had`` is kept unless it is very long."""
        waiting = Attr("status").eq(str(ExecutionStatus.SUBMITTED)) | Attr("retryable").eq(True)
        change: dict[str, Value] = {"status": str(ExecutionStatus.RUNNING)}
        document = json.dumps(had, separators=(",", ":"))
        if had is not None and len(document) <= _LONGEST_HAD:
            change["had"] = document
        self._table.update(Update(keys.execution(key), change, ("retryable",), when=waiting))

    def had(self, key: ExecutionKey) -> Mapping[str, str | None] | None:
        """The variables that it had of its actor."""
        item = self._item(key)
        return json.loads(str(item["had"])) if item and "had" in item else None

    def publish_log(self, key: ExecutionKey, text: str, expires: datetime | None) -> None:
        """Show this much of the log while it runs."""
        change, puts = self.log_writes(key, text, expires)
        running = Attr("status").eq(str(ExecutionStatus.RUNNING))
        self._table.transact(Update(keys.execution(key), change, _absent(change), when=running), *puts)

    def log(self, key: ExecutionKey, now: datetime) -> str:
        """The log; empty when there is none, or it has expired by ``now``."""
        item = self._item(key) or {}
        kept = self._table.get(keys.log(key.id)) if "log_item" in item and not _has_expired(item, now) else None
        return self._log(item, kept, now) or ""

    def logs(self, actor: ActorKey, now: datetime) -> Iterator[tuple[Execution, str]]:
        """The executions that have a log at ``now``, each with it, oldest first."""
        items = list(self._table.query(keys.partition(actor), keys.EXECUTION))
        kept = self._table.get_many(
            keys.log(str(item["id"])) for item in items if "log_item" in item and not _has_expired(item, now)
        )
        for item in items:
            text = self._log(item, kept.get(keys.log(str(item["id"]))), now)
            if text is not None:
                yield _execution(ExecutionKey(actor, str(item["id"])), item), text

    def _log(self, item: Item, kept: Item | None, now: datetime) -> str | None:
        """The log that an item tells of, ``kept`` if that is an item; None when there is none, or none any more."""
        if "log_object" in item and not _has_expired(item, now):
            return self._bucket.get(str(item["log_object"]))
        return str(kept["text"]) if kept else None

    def log_writes(
        self, key: ExecutionKey, text: str, expires: datetime | None
    ) -> tuple[dict[str, Value], tuple[Put, ...]]:
        """What the execution must say of this log, and what is to be put with it: a short one is an item of its own,
        which DynamoDB may take away when its time is over. A long one is written to the bucket by this call."""
        when: dict[str, Value] = {"log_expires": expires.isoformat()} if expires else {}
        data = text.encode()
        if len(data) <= keys.INLINE_LIMIT_BYTES:
            until = self._expiry(key.actor.tenant, expires) if expires else None
            return {"log_item": True, **when}, (Put(keys.log(key.id), {"text": text, EXPIRES_AT: until}),)
        place = keys.log_object(key, expires)
        self._bucket.put_bytes(place, data)
        return {"log_object": place, **when}, ()

    def delete_logs(self, actor: ActorKey) -> None:
        """Remove the logs of all its executions."""
        for item in self._table.query(keys.partition(actor), keys.EXECUTION):
            if item.get("log_object"):
                self._bucket.delete(str(item["log_object"]))
            if "log_item" in item:
                self._table.remove(Delete(keys.log(str(item["id"]))))
            if "log_item" in item or "log_object" in item:
                place = keys.execution(ExecutionKey(actor, str(item["id"])))
                self._table.update(Update(place, remove=LOG_ATTRIBUTES, when=exists()))

    def sweep_logs(self, tenant: str, now: datetime) -> int:
        """Remove the objects of an hour gone by; items are DynamoDB's to take away; no reader sees either."""
        return self._bucket.delete_before(keys.logs(tenant), keys.logs(tenant, now))

    def add_result(self, key: ExecutionKey, sequence: int, data: bytes, now: datetime) -> None:
        """Keep one result; the same sequence twice is one result."""
        self._results.add(key, sequence, data, now)

    def take_result(self, key: ExecutionKey, now: datetime) -> bytes | None:
        """The oldest result, which is thereby gone; no two readers get the same one."""
        return self._results.take(key, now)

    def _counted(self, actor: ActorKey, by: int) -> Update:
        return Update(keys.executions_count(actor), add={"count": by})

    def _item(self, key: ExecutionKey) -> Item | None:
        try:
            return self._table.get(keys.execution(key))
        except ValueError:  # a word that is no id stands for no execution
            return None


def _has_expired(item: Item, now: datetime) -> bool:
    expires = item.get("log_expires")
    return bool(expires) and datetime.fromisoformat(str(expires)) <= now


def _absent(change: dict[str, Value]) -> tuple[str, ...]:
    """The log attributes that a change does not set: they are from an earlier, shorter log."""
    return tuple(name for name in LOG_ATTRIBUTES if name not in change)


def _execution(key: ExecutionKey, item: Item) -> Execution:
    outcome, worker = item.get("outcome"), item.get("worker_id")
    return Execution.from_document(
        key,
        str(item["doc"]),
        status=ExecutionStatus(str(item["status"])),
        worker_id=str(worker) if worker else None,
        outcome=Outcome.from_document(str(outcome)) if outcome else None,
        retryable=bool(item.get("retryable", False)),
    )
