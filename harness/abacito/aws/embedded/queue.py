"""moto's SQS with queues that cost the same at any depth, on a clock of their own."""

from __future__ import annotations

import copy
import heapq
import itertools
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import DEDUPLICATION_TIME_IN_SECONDS, Message, Queue, SQSBackend, _filter_message_attributes

from abacito.abaco.time import real_monotonic
from abacito.aws.embedded.tracking import Unlisted

REGION = "us-east-1"

# How many receipts of deleted messages a queue knows, so that deleting twice is no error. moto keeps them for ever.
_DELETED_RECEIPTS = 64

# AWS: a message can be in flight for 12 hours in all (SQS developer guide, visibility timeout).
_MAX_IN_FLIGHT_S = 43200


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


class NothingYet(Exception):
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


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it was sent; ``once``: its deduplication id."""

    id: str
    body: str
    group: str | None = None
    once: str | None = None

    def to_message(self) -> Message:
        """moto's own."""
        message = Message(self.id, self.body)
        message.group_id, message.deduplication_id = self.group, self.once
        message.mark_sent()
        return message


class FlatQueue(Unlisted, Queue):
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
    def is_empty(self) -> bool:
        """Whether nothing is in it, visible or not."""
        return not self._entries

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

    def saved(self) -> tuple[Message, ...]:
        """All messages by arrival, wherever they stand; nobody is to change them."""
        self._settle()
        return tuple(_unread(entry.message) for entry in self._entries.values())

    def go_back(self, saved: Iterable[Message]) -> None:
        """Have just these in it, all ready: whoever had one in hand is told that his receipt is not good."""
        self._empty()
        for message in map(_unread, saved):
            entry = _Entry(message, next(self._numbers), self._monotonic())
            self._entries[entry.number] = entry
            if message.deduplication_id:
                self._by_dedup[message.deduplication_id] = entry
            self._make_ready(entry)
        self.changed()

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


def _unread(message: Message) -> Message:
    """The same as it was sent."""
    twin = copy.copy(message)
    twin.receipt_handle, twin._old_receipt_handles = None, []
    twin.approximate_receive_count, twin.approximate_first_receive_timestamp = 0, None
    return twin


def _receipts(entry: _Entry) -> list[str]:
    return [receipt for receipt in entry.message.all_receipt_handles if receipt]


class FlatSqs(SQSBackend):
    """moto's SQS with flat queues. A long poll that finds nothing raises, so that it can wait without the lock."""

    def __init__(self, account_id: str, monotonic: Callable[[], float]) -> None:
        super().__init__(REGION, account_id)
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
        """What can be had now. Raises NothingYet when there is nothing and the caller would wait for it."""
        queue = self._flat(queue_name)
        taken = [copy.copy(message) for message in queue.take(int(count), int(visibility_timeout))]
        if not taken and wait_seconds_timeout:
            raise NothingYet(queue, float(wait_seconds_timeout), queue.due_in())
        for message in taken:  # copies: the filter takes attributes away
            _filter_message_attributes(message, message_attribute_names or [])
        return taken

    def change_message_visibility(self, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
        """Hide a message for so long from now; 0 gives it back. Raises ReceiptHandleIsInvalid."""
        self._flat(queue_name).hide(receipt_handle, int(visibility_timeout))

    def saved(self) -> dict[str, tuple[FlatQueue, tuple[Message, ...]]]:
        """Each queue by name, and what is in it now."""
        return {name: (queue, queue.saved()) for name, queue in self._all().items()}

    def go_back(self, saved: Mapping[str, tuple[FlatQueue, tuple[Message, ...]]]) -> None:
        """Have just these queues, and this in them."""
        before = self._all()
        self.queues = {name: queue for name, (queue, _) in saved.items()}
        for queue, messages in saved.values():
            if messages or not queue.is_empty:
                queue.go_back(messages)
        for name in before.keys() - saved.keys():
            before[name].changed()

    def deliver(self, queue_name: str, letters: Iterable[Letter]) -> None:
        """Have just these in it."""
        self._flat(queue_name).go_back(letter.to_message() for letter in letters)

    def wake(self) -> None:
        """Let every long poll look again."""
        for queue in self._all().values():
            queue.changed()

    def _all(self) -> dict[str, FlatQueue]:
        return {name: self._flat(name) for name in self.queues}

    def _flat(self, name: str) -> FlatQueue:
        queue = self.get_queue(name)
        assert isinstance(queue, FlatQueue)
        return queue
