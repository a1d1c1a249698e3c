"""Our queue gives what moto's gives, but for moto's faults, each named below; and it costs the same at any depth."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from moto.sqs.exceptions import ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import SQSBackend

from abacito.aws.embedded import Engine
from abacito.aws.embedded.queue import FlatSqs


class Clock:
    """One time for moto (the wall clock) and for ours (monotonic)."""

    def __init__(self, frozen: FrozenDateTimeFactory) -> None:
        self._frozen, self.microseconds = frozen, 0

    def advance(self, microseconds: int) -> None:
        self._frozen.tick(timedelta(microseconds=microseconds))
        self.microseconds += microseconds

    def monotonic(self) -> float:
        return self.microseconds / 1e6


@pytest.fixture
def clock() -> Iterator[Clock]:
    with freeze_time("2026-01-05") as frozen:
        yield Clock(frozen)  # type: ignore[arg-type]


class Pair:
    """The same history on moto's queue and on ours."""

    def __init__(self, clock: Clock, seed: int, *, fifo: bool, batches: bool) -> None:
        self.clock, self.fifo, self.batches = clock, fifo, batches
        self.random = random.Random(seed)
        self.backends = (SQSBackend("us-east-1", "1"), FlatSqs("1", clock.monotonic))
        self.name = "q.fifo" if fifo else "q"
        self.receipts: list[tuple[str, str]] = []
        self.sent = 0
        self.do(lambda b: b.create_queue(self.name, **({"FifoQueue": "true"} if fifo else {})).name)

    def do(self, act: Callable[[Any], Any]) -> list[Any]:
        results = []
        for backend in self.backends:
            try:
                results.append(act(backend))
            except SQSException as error:
                results.append(type(error).__name__)
        return results

    def step(self) -> None:
        # never just at a due time: there moto differs, see below
        self.clock.advance(self.random.choice([1_300, 1_300, 13_700, 1_037_100, 7_011_300, 31_007_100, 400_007_100]))
        acts = [self.send] * 4 + [self.receive] * 4 + [self.delete] * 2 + [self.hide] * 2 + [self.count, self.purge]
        weights = [1.0] * 13 + [0.1]
        first, second = self.random.choices(acts, weights)[0]()
        assert second == first

    def send(self) -> list[Any]:
        self.sent += 1
        asked: dict[str, Any] = {"delay_seconds": self.random.choice([None, 0, 5, 40])}
        if self.fifo:
            asked = {"group_id": self.random.choice("abc"), "deduplication_id": f"d{self.random.randrange(40)}"}
        body = f"m{self.sent}"
        return self.do(lambda b: b.send_message(self.name, body, **asked).body)

    def receive(self) -> list[Any]:
        count = self.random.choice([1, 3, 10]) if self.batches else 1
        hidden_s = self.random.choice([0, 5, 30, 120])
        taken = self.do(lambda b: b.receive_message(self.name, count, 0, hidden_s, []))
        self.receipts += [(m.receipt_handle, o.receipt_handle) for m, o in zip(*taken, strict=False)]
        return [[(m.body, m.approximate_receive_count, m.group_id) for m in messages] for messages in taken]

    def delete(self) -> list[Any]:
        return self.with_receipt(lambda b, receipt: b.delete_message(self.name, receipt))

    def hide(self) -> list[Any]:
        seconds = self.random.choice([0, 3, 60, 50_000])
        return self.with_receipt(lambda b, receipt: b.change_message_visibility(self.name, receipt, seconds))

    def with_receipt(self, act: Callable[[Any, str], Any]) -> list[Any]:
        pair = self.random.choice(self.receipts or [("none", "none")])
        results = self.do(lambda b: act(b, pair[b is self.backends[1]]))
        self.clock.advance(1_300)
        return results

    def purge(self) -> list[Any]:
        return self.do(lambda b: b.purge_queue(self.name))

    def count(self) -> list[Any]:
        names = ("", "Delayed", "NotVisible")
        wanted = [f"ApproximateNumberOfMessages{name}" for name in names]
        return self.do(lambda b: b.get_queue_attributes(self.name, wanted))


@pytest.mark.parametrize(("fifo", "batches"), [(False, True), (True, False)])
def test_a_random_history_goes_as_on_stock_moto(clock: Clock, fifo: bool, batches: bool) -> None:
    for seed in range(40):
        pair = Pair(clock, seed, fifo=fifo, batches=batches)

        for _ in range(80):
            pair.step()


class Fifo:
    """A FIFO queue of one of the two kinds, on the controlled clock."""

    def __init__(self, backend: SQSBackend) -> None:
        self.backend = backend
        backend.create_queue("q.fifo", FifoQueue="true", MessageRetentionPeriod="3600")

    def send(self, body: str, group: str = "g") -> None:
        self.backend.send_message("q.fifo", body, group_id=group, deduplication_id=body)

    def receive(self, count: int = 1, hidden_s: int = 30) -> list[Any]:
        return self.backend.receive_message("q.fifo", count, 0, hidden_s, [])

    def bodies(self, count: int = 1) -> list[str]:
        return [message.body for message in self.receive(count)]


@pytest.fixture
def stock(clock: Clock) -> Fifo:
    return Fifo(SQSBackend("us-east-1", "1"))


@pytest.fixture
def ours(clock: Clock) -> Fifo:
    return Fifo(FlatSqs("1", clock.monotonic))


def test_a_message_is_visible_at_its_due_time_where_moto_needs_a_moment_more(
    clock: Clock, stock: Fifo, ours: Fifo
) -> None:
    for queue in (stock, ours):
        queue.send("m")
        queue.receive(hidden_s=30)

    clock.advance(30_000_000)

    assert ours.bodies() == ["m"]
    assert stock.bodies() == []


def test_an_expired_message_is_dropped_where_moto_stumbles_over_it_for_ever(
    clock: Clock, stock: Fifo, ours: Fifo
) -> None:
    for queue in (stock, ours):
        queue.send("old", "a")
    clock.advance(3_600_000_000)
    for queue in (stock, ours):
        queue.send("new", "b")

    assert ours.bodies() == ["new"]
    assert stock.bodies() == []


def test_a_batch_that_timed_out_comes_again_in_order_where_moto_skips_its_first(
    clock: Clock, stock: Fifo, ours: Fifo
) -> None:
    for queue in (stock, ours):
        queue.send("first")
        queue.send("second")
        assert [m.body for m in queue.receive(2, hidden_s=5)] == ["first", "second"]

    clock.advance(5_001_000)

    assert ours.bodies(2) == ["first", "second"]
    assert stock.bodies(2) == ["second"]


@pytest.mark.parametrize("seed", range(20))
def test_batches_keep_the_order_inside_each_group(ours: Fifo, clock: Clock, seed: int) -> None:
    rolled = random.Random(seed)
    waiting: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    for number in range(40):
        group = rolled.choice("abc")
        waiting[group].append(str(number))
        ours.send(str(number), group)

    while any(waiting.values()):
        batch = ours.receive(rolled.randrange(1, 11), hidden_s=5)
        for group, bodies in waiting.items():
            got = [message.body for message in batch if message.group_id == group]
            assert got == bodies[: len(got)]
        for message in rolled.sample(batch, rolled.randrange(len(batch) + 1)):
            ours.backend.delete_message("q.fifo", message.receipt_handle)
            waiting[message.group_id].remove(message.body)
        clock.advance(5_000_000 if seed else 0)
        if not seed:  # the rest given back by hand
            for message in batch:
                if message.body in waiting[message.group_id]:
                    ours.backend.change_message_visibility("q.fifo", message.receipt_handle, 0)


def test_groups_take_turns_by_arrival(ours: Fifo) -> None:
    for body, group in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("c1", "c")):
        ours.send(body, group)

    assert [ours.bodies(), ours.bodies(), ours.bodies(), ours.bodies()] == [["a1"], ["b1"], ["c1"], []]


def test_a_deleted_message_leaves_nothing_behind(clock: Clock, ours: Fifo) -> None:
    queue = ours.backend.get_queue("q.fifo")
    for number in range(500):
        ours.send(str(number), str(number))
        ours.backend.delete_message("q.fifo", ours.receive(hidden_s=40_000)[0].receipt_handle)

    held = {name: len(value) for name, value in vars(queue).items() if hasattr(value, "__len__")}

    assert not {name: size for name, size in held.items() if size > 100}


def test_a_message_may_be_deleted_twice_but_not_by_a_made_up_receipt(ours: Fifo) -> None:
    ours.send("m")
    receipt = ours.receive()[0].receipt_handle

    ours.backend.delete_message("q.fifo", receipt)
    ours.backend.delete_message("q.fifo", receipt)

    with pytest.raises(ReceiptHandleIsInvalid):
        ours.backend.delete_message("q.fifo", "made up")


def test_dead_letter_queues_are_refused_by_name() -> None:
    sqs = Engine().client("sqs")

    with pytest.raises(ClientError, match="Dead-letter queues are not emulated"):
        sqs.create_queue(QueueName="q", Attributes={"RedrivePolicy": '{"deadLetterTargetArn": "a"}'})


@pytest.mark.parametrize("fifo", [False, True])
def test_a_call_costs_the_same_with_3000_waiting(fifo: bool) -> None:
    sqs = Engine().client("sqs")
    made = {"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true"}} if fifo else {"QueueName": "q"}
    url = sqs.create_queue(**made)["QueueUrl"]
    numbers = iter(range(10_000))

    def send() -> None:
        number = str(next(numbers))
        group = {"MessageGroupId": number, "MessageDeduplicationId": number} if fifo else {}
        sqs.send_message(QueueUrl=url, MessageBody=number, **group)

    def round_trip() -> float:
        start = time.perf_counter()
        send()
        receipt = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=20)
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
        return time.perf_counter() - start

    for _ in range(10):
        send()
    shallow = min(round_trip() for _ in range(40))  # whatever else the machine does only adds to it
    for _ in range(3_000):
        send()
    deep = min(round_trip() for _ in range(40))

    assert deep < 3 * shallow


def test_batch_calls_work() -> None:
    sqs = Engine().client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    entries = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(5)]

    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    handles = [{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in received]
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=handles)["Successful"]

    assert [m["MessageId"] for m in sent] == [m["MessageId"] for m in received]
    assert [d["Id"] for d in deleted] == ["m0", "m1", "m2", "m3", "m4"]
