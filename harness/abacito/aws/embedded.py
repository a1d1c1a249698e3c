"""moto in this process as an AWS of one emulator's own; this file and ``plain.py`` know moto's insides (5.2), no other.

What is better here than in stock moto, and why:

- moto is not safe under threads (messages lost or doubled, counters short, two winners of one conditional write): one
  lock round every call, never held through a wait.
- Its SQS walks the whole queue on every call, and lives on the wall clock: here heaps and dicts, on a monotonic clock.
- Its DynamoDB sorts the whole table for a query and copies it for a transaction: here a page costs a page, and a
  transaction what it touches.
- It parses, checks and copies an item several times to change one attribute: ``plain.py`` does what is simple at once.
- A call goes a long way: boto3 makes HTTP of it, which moto reads, answers by HTTP, and boto3 reads that. Calls about
  items, messages and whole objects are handed over as they are (``direct.py``): a tenth of the time.
- Its classes are abstract to mypy, though not to Python: hence the ignored ``abstract``.
- It finds its data by account in global registries, which any ``mock_aws()`` in the process wipes: our backends are in
  no registry at all. Our clients' requests go straight to them, so nothing of moto or botocore is patched.
"""

from __future__ import annotations

import base64
import bisect
import copy
import heapq
import io
import itertools
import json
import os
import re
import threading
import time
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC
from enum import Enum, auto
from functools import cache, partial
from typing import Any, Literal, Self, TypeAlias
from urllib.parse import urlparse

import boto3
import botocore.session
from botocore import UNSIGNED, xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.response import StreamingBody
from moto.core.base_backend import backend_lock
from moto.core.botocore_stubber import MockRawResponse
from moto.core.exceptions import ServiceException
from moto.core.model_instances import model_data
from moto.core.models import botocore_stubber
from moto.core.request import Request, normalize_request
from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import create_condition_expression_parser
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult, validate_put_has_empty_keys
from moto.s3.exceptions import BucketAlreadyExists, InvalidBucketName, MissingBucket
from moto.s3.models import (
    MAX_BUCKET_NAME_LENGTH,
    MIN_BUCKET_NAME_LENGTH,
    FakeBucket,
    FakeKey,
    FakeMultipart,
    S3Backend,
    s3_backends,
)
from moto.s3.responses import S3Response
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import (
    DEDUPLICATION_TIME_IN_SECONDS,
    Message,
    Queue,
    SQSBackend,
    _filter_message_attributes,
)
from moto.sqs.responses import SQSResponse
from werkzeug.exceptions import HTTPException

from abacito.aws.direct import Refused, answer_directly, copied
from abacito.aws.plain import NOTHING, change_of, plan_of

Service: TypeAlias = Literal["dynamodb", "sqs", "s3"]
Answer: TypeAlias = tuple[int, dict[str, Any], str | bytes]

_REGION = "us-east-1"

# How many receipts of deleted messages a queue knows, so that deleting twice is no error. moto keeps them for ever.
_DELETED_RECEIPTS = 64

# AWS: a message can be in flight for 12 hours in all (SQS developer guide, visibility timeout).
_MAX_IN_FLIGHT_S = 43200


def real_monotonic() -> float:
    """Seconds of real time. ``time.monotonic`` is swapped by freezegun; this is left alone, by time-machine too."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class _State(Enum):
    """Where a message stands. READY may still wait for its group."""

    GONE = auto()
    READY = auto()
    DELAYED = auto()
    HIDDEN = auto()


class _Entry:
    """A message in a queue; ``number`` is its place by arrival, times are the queue's own clock."""

    __slots__ = ("due", "message", "number", "sent", "state")

    def __init__(self, message: Message, number: int, sent: float) -> None:
        self.message, self.number, self.sent = message, number, sent
        self.due = sent
        self.state = _State.GONE


class _NothingYet(Exception):
    """A long poll found nothing; in ``due_in`` seconds something becomes visible (None: nothing will)."""

    def __init__(self, queue: FlatQueue, wait_s: float, due_in: float | None) -> None:
        super().__init__(queue.name)
        self.wait_s = wait_s
        self._queue, self._version = queue, queue.version
        # A millisecond at least: a clock that stands still must not make this a busy loop.
        self._look_at = None if due_in is None else real_monotonic() + max(due_in, 0.001)

    def wait(self, deadline: float) -> None:
        """Until the queue changes, its next message is due, or real time reaches ``deadline``."""
        until = deadline if self._look_at is None else min(deadline, self._look_at)
        with self._queue.news:
            while self._queue.version == self._version and (left := until - real_monotonic()) > 0:
                self._queue.news.wait(left)


class _Unlisted:
    """An object of ours that moto does not put on the list of all objects that it ever made."""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        return object.__new__(cls)


class FlatQueue(_Unlisted, Queue):
    """moto's queue, but every call costs the same at any depth.

    Each group's ready messages are a heap of numbers (``_lines``), the first of each line stands in ``_heads``, what
    waits for a time in ``_timers``. An entry's state is the truth; what stands in a heap is a hint, checked when it
    comes up. A standard queue has one line that nothing blocks.

    Differs from moto on purpose: visible at the due time (moto: only after it); a message past its retention is
    dropped (moto: stays, and makes a receive come back empty); a FIFO batch that timed out comes again in its order
    (moto: skips the first); the last receipts of deleted messages only are known; no dead-letter queues.
    """

    def __init__(self, name: str, region: str, account_id: str, monotonic: Callable[[], float], **kwargs: Any) -> None:
        super().__init__(name, region, account_id, **kwargs)
        self.news = threading.Condition()
        self.version = 0
        self._monotonic = monotonic
        self._numbers = itertools.count()
        self._deleted: deque[str] = deque(maxlen=_DELETED_RECEIPTS)
        self._empty()

    def _empty(self) -> None:
        # Ordered, not a plain dict: asking that one for its first key walks over all the deleted ones before it.
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._by_receipt: dict[str, _Entry] = {}
        self._by_dedup: dict[str | None, _Entry] = {}
        self._counts: Counter[_State] = Counter()
        self._hidden_in_group: Counter[str | None] = Counter()
        self._lines: defaultdict[str | None, list[int]] = defaultdict(list)
        self._heads: list[tuple[int, str | None]] = []
        self._timers: list[tuple[float, int]] = []

    def _setup_dlq(self, policy: Any) -> None:
        if not self._is_empty_redrive_policy(policy):
            raise SQSException("InvalidParameterValue", "Dead-letter queues are not emulated.")
        self.redrive_policy = None

    @property
    def messages(self) -> list[Message]:
        """What could be received now but for its group, by arrival."""
        self._settle()
        return [entry.message for entry in self._entries.values() if entry.state is _State.READY]

    @property
    def approximate_number_of_messages(self) -> int:
        """How many are visible; exact."""
        return self._count(_State.READY)

    @property
    def approximate_number_of_messages_delayed(self) -> int:
        """How many have never been visible yet; exact."""
        return self._count(_State.DELAYED)

    @property
    def approximate_number_of_messages_not_visible(self) -> int:
        """How many are in flight; exact."""
        return self._count(_State.HIDDEN)

    def _count(self, state: _State) -> int:
        self._settle()
        return self._counts[state]

    def changed(self) -> None:
        """Wake the long polls to look again."""
        with self.news:
            self.version += 1
            self.news.notify_all()

    def add_message(self, message: Message) -> None:
        """Put a message at the end, unless it is a duplicate of one that is still here (as in moto)."""
        entry = _Entry(message, next(self._numbers), self._monotonic())
        if self.fifo_queue and message.deduplication_id:
            twin = self._by_dedup.get(message.deduplication_id)
            if twin and entry.sent - twin.sent < DEDUPLICATION_TIME_IN_SECONDS:
                return
            self._by_dedup[message.deduplication_id] = entry
        self._entries[entry.number] = entry
        # moto has just written the delay down in its own terms, milliseconds by the wall clock.
        delay_s = round((message.delayed_until - (message.sent_timestamp or 0)) / 1000) if message.delayed_until else 0
        self._file(entry, _State.DELAYED, delay_s)
        self.changed()

    def take(self, count: int, visibility_s: float) -> list[Message]:
        """Receive up to ``count`` messages, hidden from others for ``visibility_s``."""
        self._settle()
        taken = list(itertools.islice(iter(self._next, None), count))
        for entry in taken:
            entry.message.mark_received()
            self._by_receipt[str(entry.message.receipt_handle)] = entry
            self._file(entry, _State.HIDDEN, visibility_s)
        return [entry.message for entry in taken]

    def hide(self, receipt: str, seconds: float) -> None:
        """Make the message visible ``seconds`` from now, wherever it stands. Raises ReceiptHandleIsInvalid."""
        self._settle()
        entry = self._by_receipt.get(receipt)
        if entry is None:
            raise ReceiptHandleIsInvalid
        if self._monotonic() + seconds - entry.sent > _MAX_IN_FLIGHT_S:
            raise InvalidParameterValue(
                f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the "
                f"message is beyond the limit [{_MAX_IN_FLIGHT_S} seconds]"
            )
        self._file(entry, _State.HIDDEN, seconds)
        self.changed()

    def delete_message(self, receipt_handle: str) -> None:
        """Remove a message, by any receipt it ever had. Raises ReceiptHandleIsInvalid for one that is not known."""
        entry = self._by_receipt.get(receipt_handle)
        if entry:
            self._drop(entry)
            self._deleted.extend(_receipts(entry))
            self.changed()
        elif receipt_handle not in self._deleted:
            raise ReceiptHandleIsInvalid

    def purge(self) -> None:
        """Remove all messages."""
        self._empty()

    def due_in(self) -> float | None:
        """Seconds until the next hidden or delayed message becomes visible; None when there is none."""
        while self._timers and self._timer_is_void(*self._timers[0]):
            heapq.heappop(self._timers)
        return self._timers[0][0] - self._monotonic() if self._timers else None

    def _settle(self) -> None:
        """Bring the states up to the present."""
        now = self._monotonic()
        kept_since = now - float(self.message_retention_period)  # type: ignore[attr-defined] # moto sets it by name
        while self._entries and (oldest := next(iter(self._entries.values()))).sent <= kept_since:
            self._drop(oldest)
        while self._timers and self._timers[0][0] <= now:
            due, number = heapq.heappop(self._timers)
            if not self._timer_is_void(due, number):
                self._make_ready(self._entries[number])

    def _timer_is_void(self, due: float, number: int) -> bool:
        entry = self._entries.get(number)
        return entry is None or entry.due != due or entry.state is _State.READY

    def _next(self) -> _Entry | None:
        """Take the oldest ready message whose group is free out of its line."""
        while self._heads:
            number, group = heapq.heappop(self._heads)
            line = self._lines.get(group)
            if not line or line[0] != number or self._hidden_in_group[group]:
                continue  # a hint of the past; a group that is blocked comes again when it is free
            while line and line[0] == number:  # more than once, if it was hidden while it stood here
                heapq.heappop(line)
            self._announce(group)
            entry = self._entries.get(number)
            if entry and entry.state is _State.READY:
                return entry
        return None

    def _file(self, entry: _Entry, state: _State, seconds: float) -> None:
        """The message is ``state`` for so long, and then ready."""
        entry.due = self._monotonic() + seconds
        if seconds <= 0:
            self._make_ready(entry)
            return
        self._move(entry, state)
        heapq.heappush(self._timers, (entry.due, entry.number))
        if len(self._timers) > 64 + 2 * len(self._entries):  # mostly of deleted messages
            self._timers = [timer for timer in self._timers if not self._timer_is_void(*timer)]
            heapq.heapify(self._timers)

    def _make_ready(self, entry: _Entry) -> None:
        group = self._group(entry)
        heapq.heappush(self._lines[group], entry.number)
        self._move(entry, _State.READY)
        if self._lines[group][0] == entry.number:
            self._announce(group)

    def _announce(self, group: str | None) -> None:
        """Say which message is the group's first now."""
        if line := self._lines[group]:
            heapq.heappush(self._heads, (line[0], group))
        else:
            del self._lines[group]

    def _move(self, entry: _Entry, state: _State) -> None:
        self._counts[entry.state] -= 1
        self._counts[state] += 1
        was_hidden, entry.state = entry.state is _State.HIDDEN, state
        is_hidden = state is _State.HIDDEN
        group = self._group(entry)
        if not self.fifo_queue or was_hidden == is_hidden:
            return
        self._hidden_in_group[group] += 1 if is_hidden else -1
        if not self._hidden_in_group[group]:
            del self._hidden_in_group[group]
            self._announce(group)

    def _drop(self, entry: _Entry) -> None:
        self._move(entry, _State.GONE)
        del self._entries[entry.number]
        for receipt in _receipts(entry):
            del self._by_receipt[receipt]
        if self._by_dedup.get(entry.message.deduplication_id) is entry:
            del self._by_dedup[entry.message.deduplication_id]

    def _group(self, entry: _Entry) -> str | None:
        return entry.message.group_id if self.fifo_queue else None


def _receipts(entry: _Entry) -> list[str]:
    return [receipt for receipt in entry.message.all_receipt_handles if receipt]


class FlatSqs(SQSBackend):
    """moto's SQS with flat queues. A long poll that finds nothing raises, so that it can wait without the lock."""

    def __init__(self, account_id: str, monotonic: Callable[[], float]) -> None:
        super().__init__(_REGION, account_id)
        self._monotonic = monotonic

    def create_queue(self, name: str, tags: dict[str, str] | None = None, **kwargs: Any) -> Queue:
        """The queue; moto compares the attributes when there is one of that name."""
        if name not in self.queues:
            self.queues[name] = FlatQueue(name, self.region_name, self.account_id, self._monotonic, **kwargs)  # type: ignore[abstract]
        return super().create_queue(name, tags, **kwargs)

    def delete_queue(self, queue_name: str) -> None:
        """Remove it; its long polls are told so."""
        queue = self._flat(queue_name)
        super().delete_queue(queue_name)
        queue.changed()

    def purge_queue(self, queue_name: str) -> None:
        """Remove its messages."""
        super().purge_queue(queue_name)
        self._flat(queue_name).purge()

    def receive_message(
        self,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[Message]:
        """What can be had now. Raises _NothingYet when there is nothing and the caller would wait for it."""
        queue = self._flat(queue_name)
        taken = [copy.copy(message) for message in queue.take(int(count), int(visibility_timeout))]
        if not taken and wait_seconds_timeout:
            raise _NothingYet(queue, float(wait_seconds_timeout), queue.due_in())
        for message in taken:  # copies: the filter takes attributes away
            _filter_message_attributes(message, message_attribute_names or [])
        return taken

    def change_message_visibility(self, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
        """Hide a message for so long from now; 0 gives it back. Raises ReceiptHandleIsInvalid."""
        self._flat(queue_name).hide(receipt_handle, int(visibility_timeout))

    def wake(self) -> None:
        """Let every long poll look again."""
        for queue in list(self.queues):
            self._flat(queue).changed()

    def _flat(self, name: str) -> FlatQueue:
        queue = self.get_queue(name)
        assert isinstance(queue, FlatQueue)
        return queue


def _value(key: DynamoType) -> Any:
    return key.cast_value


class Partition(dict[DynamoType, Item]):
    """The items of one partition key by sort key, with the sort keys in order."""

    def __init__(self) -> None:
        super().__init__()
        self._order: list[DynamoType] = []

    def __setitem__(self, key: DynamoType, item: Item) -> None:
        if key not in self:
            bisect.insort(self._order, key, key=_value)
        super().__setitem__(key, item)

    def pop(self, key: DynamoType, *default: Any) -> Any:
        """As a dict's."""
        if key in self:
            del self._order[bisect.bisect_left(self._order, _value(key), key=_value)]
        return super().pop(key, *default)

    def __deepcopy__(self, memo: dict[int, Any]) -> Partition:
        twin = Partition()
        for key, item in self.items():
            twin[copy.deepcopy(key, memo)] = copy.deepcopy(item, memo)
        return twin

    def page(
        self, comparison: str | None, values: Sequence[Any], start: Any, limit: int | None, is_forward: bool
    ) -> dict[DynamoType, Item]:
        """The items that moto's own query can return, and the next one, from which it sees that there is more."""
        low, high = self._range(comparison, values)
        if is_forward:
            low = max(low, self._right(start)) if start is not None else low
            positions = range(low, min(high + 1, len(self._order)))
        else:
            high = min(high, self._left(start)) if start is not None else high
            positions = range(high - 1, max(low - 1, 0) - 1, -1)
        return self._up_to(limit, positions)

    def _up_to(self, limit: int | None, positions: range) -> dict[DynamoType, Item]:
        found: dict[DynamoType, Item] = {}
        size = 0
        for position in positions:
            key = self._order[position]
            found[key] = self[key]
            size += found[key].size()
            if size > RESULT_SIZE_LIMIT or (limit and len(found) > limit):
                break
        return found

    def _range(self, comparison: str | None, values: Sequence[Any]) -> tuple[int, int]:
        end = len(self._order)
        match comparison, *values:
            case (("=" | "EQ"), value):
                return self._left(value), self._right(value)
            case (("<" | "LT"), value):
                return 0, self._left(value)
            case (("<=" | "LE"), value):
                return 0, self._right(value)
            case ((">" | "GT"), value):
                return self._right(value), end
            case ((">=" | "GE"), value):
                return self._left(value), end
            case "BETWEEN", low, high:
                return self._left(low), self._right(high)
            case "BEGINS_WITH", prefix:
                length = len(prefix)
                return self._left(prefix), bisect.bisect_right(self._order, prefix, key=lambda k: _value(k)[:length])
        return 0, end

    def _left(self, value: Any) -> int:
        return bisect.bisect_left(self._order, value, key=_value)

    def _right(self, value: Any) -> int:
        return bisect.bisect_right(self._order, value, key=_value)


class FlatTable(_Unlisted, Table):
    """moto's table, but a query by the table's own key costs a page. Index queries and scans cost the table."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_in_transaction = False
        if self.has_range_key:
            self.items = defaultdict(Partition)

    def __deepcopy__(self, memo: dict[int, Any]) -> FlatTable:
        if self.is_in_transaction:
            return self  # moto's copy to go back to; FlatDynamo keeps what the transaction touches
        twin = object.__new__(FlatTable)  # type: ignore[type-abstract]
        memo[id(self)] = twin
        twin.__dict__ = copy.deepcopy(self.__dict__, memo)
        return twin

    def get_item(
        self,
        hash_key: DynamoType,
        range_key: DynamoType | None = None,
        projection_expression: list[list[str]] | None = None,
    ) -> Item | None:
        """The item or None; looking for one leaves no empty partition behind, as it does in moto."""
        if range_key and hash_key not in self.items:
            return None
        return super().get_item(hash_key, range_key, projection_expression)

    def delete_item(self, hash_key: DynamoType, range_key: DynamoType | None) -> Item | None:
        """Remove the item, and with the last one its partition."""
        item = super().delete_item(hash_key, range_key)
        if self.has_range_key and not self.items[hash_key]:
            del self.items[hash_key]
        return item

    def restore(self, hash_key: DynamoType, range_key: DynamoType | None, item: Item | None) -> None:
        """Put things back to this."""
        if item is None:
            self.delete_item(hash_key, range_key)
        elif range_key:
            self.items[hash_key][range_key] = item
        else:
            self.items[hash_key] = item  # type: ignore[assignment] # so does moto

    def query(
        self,
        hash_key: DynamoType | None,
        range_comparison: str | None,
        range_objs: list[DynamoType],
        limit: int,
        exclusive_start_key: dict[str, Any],
        scan_index_forward: bool,
        projection_expressions: list[list[str]] | None,
        index_name: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[list[Item], int, dict[str, Any] | None]:
        """moto's own query, over a table that holds only what it can return."""
        asked = (hash_key, range_comparison, range_objs, limit, exclusive_start_key, scan_index_forward)
        rest = (projection_expressions, index_name, *args)
        # The old QueryFilter sifts before the limit counts, so a page may need any number of items.
        if index_name or hash_key is None or kwargs.keys() - {"hash_key_conditions", "range_key_conditions"}:
            return super().query(*asked, *rest, **kwargs)
        found: Any = self.items.get(hash_key, {})
        if isinstance(found, Partition):
            start = (exclusive_start_key or {}).get(str(self.range_key_attr))
            found = found.page(
                range_comparison,
                [_value(value) for value in range_objs],
                None if start is None else _value(DynamoType(start)),
                limit,
                scan_index_forward is not False,
            )
        view = object.__new__(Table)  # type: ignore[type-abstract] # not tracked, and gone after this
        view.__dict__ = {**self.__dict__, "items": {hash_key: found} if found else {}}
        return Table.query(view, *asked, *rest, **kwargs)


# The parameters that a plain update may have, and what moto's model calls them.
_PLAIN_PARAMETERS = {
    "UpdateExpression": "update_expression",
    "ExpressionAttributeNames": "expression_attribute_names",
    "ExpressionAttributeValues": "expression_attribute_values",
    "ConditionExpression": "condition_expression",
}


class FlatDynamo(DynamoDBBackend):
    """moto's DynamoDB with flat tables. A refused transaction leaves its traces in streams, which nobody reads here."""

    def create_table(self, name: str, **kwargs: Any) -> Table:  # type: ignore[override] # moto's caller names them all
        """Make the table; moto refuses a name that is taken."""
        if name in self.tables:
            return super().create_table(name, **kwargs)
        self.tables[name] = FlatTable(name, account_id=self.account_id, region=self.region_name, **kwargs)  # type: ignore[abstract]
        return self.tables[name]

    def update_item(self, table_name: str, key: dict[str, Any], **asked: Any) -> Item:  # type: ignore[override] # as above
        """The item afterwards. Plain updates are done by hand; the rest, and what is refused, in moto's own way."""
        named = {theirs: asked.get(ours) for theirs, ours in _PLAIN_PARAMETERS.items()}
        is_old = asked.get("attribute_updates") or asked.get("expected")
        plain = None if is_old else self.update_plainly({"TableName": table_name, "Key": key, **named})
        return super().update_item(table_name, key, **asked) if plain is None else plain

    def update_plainly(self, asked: dict[str, Any]) -> Item | None:
        """The item afterwards; None, and nothing is done, when it is not plain, or to be refused.

        ``asked`` as UpdateItem's parameters; others than ``_PLAIN_PARAMETERS`` are not looked at.
        """
        table, key = self.tables.get(asked["TableName"]), asked["Key"]
        if not isinstance(table, FlatTable) or key.keys() != set(table.table_key_attrs):
            return None
        expression, names, values = (asked.get(n) for n in list(_PLAIN_PARAMETERS)[:3])
        change = change_of(table, expression or "", names, values)
        if change is None:
            return None
        condition = create_condition_expression_parser(asked.get("ConditionExpression"), names, values)
        operator = condition.parse()
        used = {*change.placeholders, *condition.expr_attr_names_found, *condition.expr_attr_values_found}
        item = table.get_item(*self.get_keys_value(table, key))
        attributes = change.applied(item)
        if attributes is None or {*(names or ()), *(values or ())} - used or not operator.expr(item):
            return None
        if item is None:
            item = table.put_item(key)
        item.attrs.clear()
        # update(), for moto weighs the whole item whenever an attribute is set by itself.
        item.attrs.update({**{name: DynamoType(value) for name, value in key.items()}, **attributes})
        return item

    def transact_write_items(self, transact_items: list[dict[str, Any]]) -> None:
        """All or nothing, as moto; but what moto would go back to is a copy of the items, not of the whole tables."""
        before = [(*place, copy.deepcopy(place[0].get_item(*place[1:]))) for place in self._places(transact_items)]
        tables = {id(table): table for table, *_ in before}.values()
        for table in tables:
            table.is_in_transaction = True
        try:
            super().transact_write_items(transact_items)
        except BaseException:  # whatever it was, it must not leave half a transaction
            for table, hash_key, range_key, item in before:
                table.restore(hash_key, range_key, item)
            raise
        finally:
            for table in tables:
                table.is_in_transaction = False

    def _places(
        self, transact_items: list[dict[str, Any]]
    ) -> Iterator[tuple[FlatTable, DynamoType, DynamoType | None]]:
        """Where the operations write; those that make no sense are left for moto to refuse."""
        for operation in itertools.chain.from_iterable(item.values() for item in transact_items):
            table = self.tables.get(operation.get("TableName"))
            key = operation.get("Key") or operation.get("Item") or {}
            if isinstance(table, FlatTable) and key.keys() >= set(table.table_key_attrs):
                yield (table, *self.get_keys_value(table, key))


_PLAIN_KEY = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)
_PLAIN_OBJECT = {"PutObject": {"Bucket", "Key", "Body"}, "GetObject": {"Bucket", "Key"}}


class OwnS3(S3Backend):
    """moto's S3, but its buckets' names are its own: moto's are taken for all accounts alike."""

    def create_bucket(self, bucket_name: str, region_name: str, bucket_namespace: str | None = None) -> FakeBucket:
        """Make the bucket. Raises BucketAlreadyExists, InvalidBucketName."""
        if bucket_name in self.buckets:
            raise BucketAlreadyExists(bucket=bucket_name)
        if not MIN_BUCKET_NAME_LENGTH <= len(bucket_name) <= MAX_BUCKET_NAME_LENGTH:
            raise InvalidBucketName
        with _kept(s3_backends.bucket_accounts, bucket_name):  # where a bucket writes itself down when it is made
            bucket = FakeBucket(bucket_name, self.account_id, region_name, bucket_namespace=bucket_namespace)  # type: ignore[abstract]
        self.buckets[bucket_name] = bucket
        return bucket

    def get_bucket(self, bucket_name: str) -> FakeBucket:
        """The bucket. Raises MissingBucket."""
        if bucket_name not in self.buckets:
            raise MissingBucket(bucket=bucket_name)
        return self.buckets[bucket_name]

    def answer_plainly(self, operation: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """Put or get an object as it is, in a bucket without rules; None, and nothing is done, for all else."""
        bucket = self.buckets.get(asked.get("Bucket", ""))
        is_plain = bucket is not None and not (bucket.is_versioned or bucket.encryption or bucket.policy)
        if not (is_plain and _PLAIN_KEY.fullmatch(asked.get("Key", "")) and asked.keys() == _PLAIN_OBJECT[operation]):
            return None
        return self._put(**asked) if operation == "PutObject" else self._get(**asked)

    def _put(self, Bucket: str, Key: str, Body: Any) -> dict[str, Any] | None:  # noqa: N803 # boto3's names
        if not isinstance(Body, bytes):
            return None
        key = self.put_object(Bucket, Key, Body)
        key.set_acl(self.get_bucket(Bucket).acl)
        self.tagger.delete_all_tags_for_resource(key.arn)
        return {"ETag": key.etag}

    def _get(self, Bucket: str, Key: str) -> dict[str, Any] | None:  # noqa: N803 # as above
        key = self.get_object(Bucket, Key)
        if key is None or set(key.metadata) != {"content-type"}:
            return None
        about = {"ETag": key.etag, "LastModified": key.last_modified.replace(microsecond=0, tzinfo=UTC), "Metadata": {}}
        body = StreamingBody(io.BytesIO(key.value), key.size)
        kind = key.metadata["content-type"]
        return {"Body": body, "ContentLength": key.size, "ContentType": kind, "AcceptRanges": "bytes", **about}

    def delete_bucket(self, bucket_name: str) -> FakeBucket | None:
        """Remove the bucket; None when something is in it."""
        with _kept(s3_backends.bucket_accounts, bucket_name):
            return super().delete_bucket(bucket_name)


@contextmanager
def _kept(names: dict[str, Any], name: str) -> Iterator[None]:
    """Whatever is done to that entry meanwhile, it stays as it was."""
    absent = object()
    before = names.get(name, absent)
    try:
        yield
    finally:
        names.pop(name, None)
        if before is not absent:
            names[name] = before


class _Ours:
    """What a response of ours asks another way than moto's: which account, and who may."""

    own: Any
    # moto makes an IAM for each account that it meets, and keeps it; so it meets but one.
    account = "500000000000"

    def get_current_account(self) -> str:
        """Ours, whatever MOTO_ACCOUNT_ID says."""
        return self.account

    def set_up_directly(self, operation: str, asked: dict[str, Any]) -> None:
        """Take a call's parameters as they are, in place of a request. The headers say how to word a refusal."""
        self.headers = {"X-Amz-Target": f"direct.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        self.querystring: dict[str, Any] = {}
        self.uri_match: dict[str, Any] = {}
        self.params = self.body = asked
        self.response_headers: dict[str, Any] = {}
        self.account = self.current_account = self.own.account_id

    def setup_class(self, *args: Any, **kwargs: Any) -> None:
        """Read the request."""
        super().setup_class(*args, **kwargs)  # type: ignore[misc] # this is mixed into BaseResponse
        self.account = self.current_account = self.own.account_id

    def _authenticate_and_authorize_action(self, iam_request_cls: type, resource: str = "*") -> None:
        """Anybody may, also while a user tests policies (moto counts requests for the whole process)."""


class _DynamoResponse(_Ours, DynamoHandler):
    @property
    def dynamodb_backend(self) -> DynamoDBBackend:
        return self.own  # type: ignore[no-any-return]

    def update_item(self) -> ActionResult:
        """A plain update without moto's copies of the item before and after."""
        shown = self.body.get("ReturnValues", "NONE")
        is_usual = self.body.keys() <= _PLAIN_UPDATE and shown in ("NONE", "ALL_NEW")
        item = self.own.update_plainly(self.body) if is_usual else None
        if item is None:
            return super().update_item()
        attributes = item.to_json() if shown == "ALL_NEW" else {}
        capacity = {"TableName": self.body["TableName"], "CapacityUnits": 0.5}
        return DynamoResult({**attributes, "ConsumedCapacity": capacity})

    def transact_write_items(self) -> ActionResult:
        """moto parses every update to see whether it uses all its names; a plain one's are known."""
        parts = self.body["TransactItems"]
        if not all(self._is_checked(part) for part in parts):
            return super().transact_write_items()
        self.own.transact_write_items(parts)
        return ActionResult({"ConsumedCapacity": [], "ItemCollectionMetrics": {}})

    def _is_checked(self, part: dict[str, Any]) -> bool:
        """Whether moto would find nothing against it before the transaction begins."""
        (verb, asked), *more = part.items()
        key = asked.get("Key" if verb == "Update" else "Item", {})
        names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues")
        plan = plan_of(asked.get("UpdateExpression", "")) if verb == "Update" else NOTHING
        if more or verb not in ("Put", "Update") or plan is None or values == {}:
            return False
        condition = create_condition_expression_parser(asked.get("ConditionExpression"), names, values or {})
        condition.parse()
        validate_put_has_empty_keys(key, self.own.get_table(asked["TableName"]))
        return not names.keys() - {*plan.names, *condition.expr_attr_names_found}

    def serialized(self, action_result: ActionResult) -> Answer:
        """Items as they are: moto compares every value with every type that it could have, most of a query's time."""
        if self._get_action() not in _ITEM_ACTIONS or not isinstance(action_result, DynamoResult):
            return super().serialized(action_result)
        given: Any = action_result.result
        body = json.dumps({name: value for name, value in given.items() if value is not None}, default=_base64)
        return 200, {"Content-Type": "application/x-amz-json-1.0", **self.response_headers}, body

    @staticmethod
    def _enrich_response(headers: dict[str, str], body: Any) -> tuple[dict[str, str], Any]:
        """No request id: moto looks for its place in all of the body, though only XML has one."""
        if "status" in headers:
            headers["status"] = str(headers["status"])
        return headers, body


_PLAIN_UPDATE = {*_PLAIN_PARAMETERS, "TableName", "Key", "ReturnValues"}
_ITEM_ACTIONS = {"BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "TransactGetItems", "UpdateItem"}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


class _SqsResponse(_Ours, SQSResponse):
    @property
    def sqs_backend(self) -> SQSBackend:
        return self.own  # type: ignore[no-any-return]


class _S3Response(_Ours, S3Response):
    @property
    def backend(self) -> S3Backend:
        return self.own  # type: ignore[no-any-return]

    def _dispatch(self, request: Request, full_url: str | None = None, headers: Any = None) -> Answer:
        url = str(full_url)
        has_key = urlparse(url).path.lstrip("/").partition("/")[2]
        return self.key_response(request, url, headers) if has_key else self.bucket_response(request, url, headers)


_RESPONSES: dict[Service, Callable[[], Any]] = {"dynamodb": _DynamoResponse, "sqs": _SqsResponse, "s3": _S3Response}
_accounts = itertools.count(500_000_000_001)

# What is called all the time, by boto3's names, and moto's method for it.
_DIRECT: dict[str, dict[str, str]] = {
    "dynamodb": {name: xform_name(name) for name in (*sorted(_ITEM_ACTIONS), "TransactWriteItems")},
    "sqs": {
        name: xform_name(name)
        for name in ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage", "SendMessage")
    },
    "s3": {name: xform_name(name) for name in _PLAIN_OBJECT},
}


class _Account:
    """One life of an engine's data, from a reset to the next. Its methods are called with the engine's lock held."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.id = str(next(_accounts))
        self.is_over = False
        self.sqs = FlatSqs(self.id, monotonic)
        self.s3 = OwnS3("aws", self.id)
        self._backends = {"dynamodb": FlatDynamo(_REGION, self.id), "sqs": self.sqs, "s3": self.s3}

    def answer(self, service: Service, request: Request) -> Answer:
        """moto's answer to what is no direct call."""
        response = _RESPONSES[service]()
        response.own = self._backends[service]
        with _untracked(service, self.id):
            try:
                return response._dispatch(request, request.raw_url, request.headers)  # type: ignore[no-any-return]
            except HTTPException as error:  # as moto's own stub does
                return int(error.code or 500), dict(error.get_headers()), error.get_body()

    def call(self, service: Service, operation: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """What a direct call answers; None, and nothing is done, when it is more than that.

        Raises _NothingYet for a long poll, Refused.
        """
        if service == "s3":
            with _untracked(service, self.id):
                return self.s3.answer_plainly(operation, asked)
        response = _RESPONSES[service]()
        response.own = self._backends[service]
        response.set_up_directly(operation, asked)
        with _untracked(service, self.id):
            try:
                done: ActionResult = getattr(response, _DIRECT[service][operation])()
            except ServiceException as error:
                raise Refused(*response.serialized(ActionResult(error))) from error
            except HTTPException as error:
                raise Refused(int(error.code or 500), dict(error.get_headers()), str(error.description)) from error
        answer: Any = done.result or {}
        return dict(answer) if isinstance(done, DynamoResult) else copied(answer)  # a DynamoResult is a copy already

    def forget(self) -> None:
        """Long polls end; nothing of it stays in moto."""
        self.is_over = True
        self.sqs.wake()
        for bucket in self.s3.buckets.values():
            for key in bucket.keys.values():
                key.dispose()
        s3_backends.pop(self.id, None)  # moto looks tags up there, and thereby makes it


@contextmanager
def _untracked(service: Service, account_id: str) -> Iterator[None]:
    """moto lists every object it ever made, for its dashboard: what is made in here is taken off those lists again."""
    models: list[Any] = list(model_data[service].values())
    lengths = [len(model.instances_tracked) for model in models]
    try:
        yield
    finally:
        for model, length in zip(models, lengths, strict=True):
            # A user's mock in another thread may append at the same time: a dashboard can miss that one. But what has
            # files is told by its owner: moto's reset closes all files on these lists, so it must find the right ones.
            if model in (FakeKey, FakeMultipart):
                _take_off(model.instances_tracked, account_id)
            else:
                del model.instances_tracked[length:]


def _take_off(tracked: list[Any], account_id: str) -> None:
    for stored in [s for s in tracked if getattr(s, "account_id", None) == account_id]:
        tracked.remove(stored)
        stored.disposed = True  # else moto warns when it is collected; the file is closed then all the same


@cache
def _session() -> boto3.Session:
    """A session that reads nothing of the user's: no profile, no file, no variable."""
    fixed = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
    session = botocore.session.Session({name: (None, None, value, None) for name, value in fixed.items()})
    session.set_credentials("embedded", "embedded")
    # moto hooks every session there is; botocore asks all hooks, so a user's mock would carry out our calls too.
    session.unregister("before-send", botocore_stubber)  # type: ignore[arg-type]
    return boto3.Session(botocore_session=session, region_name=_REGION)


_CONFIG = Config(
    signature_version=UNSIGNED,
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    ignore_configured_endpoint_urls=True,  # type: ignore[call-arg] # the stubs do not know it
)


class Engine:
    """One emulator's own AWS: moto in this process, in an account of its own, on a botocore session of our own.

    ``monotonic``: the clock, in seconds, by which messages are hidden, delayed and kept. Waits end by real time.
    Engines, and whatever else uses moto or boto3 in the process, neither see nor disturb each other.
    """

    # moto's own, re-entrant and one for the process, which its reset holds too: no reset falls into a call of ours.
    _lock: AbstractContextManager[Any] = backend_lock
    is_alone = True

    def __init__(self, monotonic: Callable[[], float] = real_monotonic) -> None:
        self._monotonic = monotonic
        self._account = _Account(monotonic)
        self._clients: dict[Service, Any] = {}
        self._is_interrupted = False

    @property
    def account(self) -> str:
        """The account's number, 12 digits; another one after each reset."""
        return self._account.id

    def client(self, service: Service) -> Any:
        """The boto3 client of a service, always the same one; threads may share it."""
        with backend_lock:  # botocore's sessions are not safe under threads, its clients are
            if service not in self._clients:
                url = f"https://{service}.{_REGION}.amazonaws.com"
                client: Any = _session().client(service, endpoint_url=url, config=_CONFIG)
                client.meta.events.register("before-send.*.*", partial(self._send, service))
                answer_directly(client, _DIRECT[service], partial(self._patiently, service))
                self._clients[service] = client
            return self._clients[service]

    def reset(self) -> None:
        """Forget everything: from now on every call meets an empty account; long polls under way end."""
        with self._lock:
            old, self._account = self._account, _Account(self._monotonic)
            old.forget()

    def interrupt(self) -> None:
        """Until ``resume`` a long poll, also one under way, answers at once with what it finds, maybe nothing."""
        self._is_interrupted = True
        with self._lock:
            self._account.sqs.wake()

    def resume(self) -> None:
        """Long polls wait again."""
        self._is_interrupted = False

    def close(self) -> None:
        """Forget everything, and end the long polls."""
        self.interrupt()
        self.reset()

    def _send(self, service: Service, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Answer instead of the network."""
        if service == "s3":
            request.headers["Authorization"] = "unsigned"  # moto refuses S3 requests without any

        with self._lock:
            status, headers, body = self._account.answer(service, normalize_request(request))
        return AWSResponse(request.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type] # as moto does

    def _patiently(self, service: Service, operation: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """A direct call's answer, waited for as long as a long poll says; then it is that there is nothing."""
        account, deadline = self._account, None
        while True:
            try:
                with self._lock:
                    return account.call(service, operation, asked)
            except _NothingYet as nothing:
                deadline = deadline or real_monotonic() + nothing.wait_s
                if account.is_over or self._is_interrupted or real_monotonic() >= deadline:
                    return {}
                nothing.wait(deadline)
