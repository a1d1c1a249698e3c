"""Eight threads on one engine: nothing lost, nothing doubled; and it is the lock that does it."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError

from abacito.aws.embedded import Engine

THREADS = 8
ROUNDS = 25


class Unlocked(Engine):
    """The same engine without its lock, to show what the lock is for."""

    _lock = nullcontext()


@pytest.fixture(autouse=True)
def hurried_threads() -> Iterator[None]:
    """Threads change places fifty times as often as by default: rare races become common."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(before)


class Stress:
    """All threads at one counter, at the same new items, and at one queue."""

    def __init__(self, engine: Engine) -> None:
        self.dynamodb, self.sqs = engine.client("dynamodb"), engine.client("sqs")
        self.errors: list[str] = []
        self.winners: list[int] = []
        self.received: list[str] = []
        self.dynamodb.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )
        self.url = self.sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]

    def faults(self) -> dict[str, Any]:
        """What went wrong; empty when nothing did."""
        for act in (self.add, self.claim, self.pass_messages):
            with ThreadPoolExecutor(THREADS) as threads:
                list(threads.map(lambda number, act=act: self.noting_errors(act, number), range(THREADS)))
        self.drain()
        found = {
            "errors": self.errors,
            "lost updates": THREADS * ROUNDS - self.counter(),
            "two winners": [key for key, won in Counter(self.winners).items() if won > 1],
            "messages doubled": [body for body, times in Counter(self.received).items() if times > 1],
            "messages lost": THREADS * ROUNDS - len(set(self.received)),
        }
        return {name: value for name, value in found.items() if value}

    def noting_errors(self, act: Callable[[int], None], number: int) -> None:
        try:
            act(number)
        except Exception as error:  # noqa: BLE001 # without the lock anything can break, and that counts
            self.errors.append(repr(error))

    def add(self, _: int) -> None:
        for _ in range(ROUNDS):
            self.dynamodb.update_item(
                TableName="t",
                Key={"pk": {"S": "counter"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    def claim(self, _: int) -> None:
        for key in range(ROUNDS):
            try:
                self.dynamodb.put_item(
                    TableName="t", Item={"pk": {"S": str(key)}}, ConditionExpression="attribute_not_exists(pk)"
                )
            except self.dynamodb.exceptions.ConditionalCheckFailedException:
                continue
            self.winners.append(key)

    def pass_messages(self, number: int) -> None:
        for turn in range(ROUNDS):
            self.sqs.send_message(QueueUrl=self.url, MessageBody=f"{number}-{turn}")
            self.take()

    def take(self) -> int:
        messages = self.sqs.receive_message(QueueUrl=self.url).get("Messages", [])
        for message in messages:
            self.received.append(message["Body"])
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return len(messages)

    def drain(self) -> None:
        try:
            while self.take():
                pass
        except (ClientError, RuntimeError) as error:
            self.errors.append(repr(error))

    def counter(self) -> int:
        item = self.dynamodb.get_item(TableName="t", Key={"pk": {"S": "counter"}}).get("Item", {"n": {"N": "0"}})
        return int(item["n"]["N"])


@pytest.mark.parametrize("run", range(5))
def test_eight_threads_lose_and_double_nothing(run: int) -> None:
    assert Stress(Engine()).faults() == {}


def test_without_the_lock_they_do() -> None:
    assert any(Stress(Unlocked()).faults() for _ in range(10))
