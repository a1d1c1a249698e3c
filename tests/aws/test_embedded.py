"""An engine is an AWS of its own, beside any other moto in the process; it forgets, and its long polls end."""

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from freezegun import freeze_time
from moto import mock_aws
from moto.core.model_instances import model_data
from moto.sqs.models import Queue, sqs_backends

from abacito.abaco.time import real_monotonic
from abacito.aws.embedded import Engine

KEY = {"pk": {"S": "k"}}


def fill(client: Callable[[Any], Any], text: str) -> str:
    """One item, one message, one object; the queue's URL."""
    client("dynamodb").create_table(
        TableName="same",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    client("dynamodb").put_item(TableName="same", Item={**KEY, "text": {"S": text}})
    client("s3").create_bucket(Bucket="abacito-same")
    client("s3").put_object(Bucket="abacito-same", Key="a/b", Body=text.encode())
    url = str(client("sqs").create_queue(QueueName="same")["QueueUrl"])
    client("sqs").send_message(QueueUrl=url, MessageBody=text)
    return url


def read(client: Callable[[Any], Any]) -> tuple[str, bytes, str]:
    """What ``fill`` wrote; the message is given back."""
    item = client("dynamodb").get_item(TableName="same", Key=KEY)["Item"]["text"]["S"]
    stored = client("s3").get_object(Bucket="abacito-same", Key="a/b")["Body"].read()
    url = client("sqs").get_queue_url(QueueName="same")["QueueUrl"]
    message = client("sqs").receive_message(QueueUrl=url)["Messages"][0]
    client("sqs").change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return item, stored, message["Body"]


def contents(client: Callable[[Any], Any]) -> tuple[list[str], list[Any], list[str]]:
    return (
        client("dynamodb").list_tables()["TableNames"],
        client("s3").list_buckets()["Buckets"],
        client("sqs").list_queues().get("QueueUrls", []),
    )


def users(service: Any) -> Any:
    return boto3.client(service, region_name="us-east-1")


def test_two_engines_do_not_see_each_other() -> None:
    one, other = Engine(), Engine()
    fill(one.client, "one")

    assert contents(other.client) == ([], [], [])

    fill(other.client, "other")

    assert read(one.client) == ("one", b"one", "one")
    assert read(other.client) == ("other", b"other", "other")


def test_a_users_mock_neither_sees_nor_wipes_ours() -> None:
    engine = Engine()
    fill(engine.client, "ours")

    with mock_aws():
        assert read(engine.client) == ("ours", b"ours", "ours")
        assert contents(users) == ([], [], [])
    with mock_aws():
        assert read(engine.client) == ("ours", b"ours", "ours")

    assert read(engine.client) == ("ours", b"ours", "ours")


def test_our_calls_do_nothing_in_a_users_mock_even_under_the_same_names() -> None:
    engine = Engine()

    with mock_aws():
        url = fill(users, "theirs")
        fill(engine.client, "ours")
        engine.client("dynamodb").delete_item(TableName="same", Key=KEY)
        engine.client("sqs").purge_queue(QueueUrl=url)
        engine.client("s3").delete_object(Bucket="abacito-same", Key="a/b")
        engine.client("s3").delete_bucket(Bucket="abacito-same")

        assert read(users) == ("theirs", b"theirs", "theirs")
        with pytest.raises(ClientError, match=r"BucketAlready(Exists|OwnedByYou)"):
            boto3.client("s3", region_name="eu-west-1").create_bucket(
                Bucket="abacito-same", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )


def test_a_users_mock_has_the_stock_queue() -> None:
    fill(Engine().client, "ours")

    with mock_aws():
        fill(users, "theirs")
        queues = sqs_backends["123456789012"]["us-east-1"].queues

        assert [type(queue) for queue in queues.values()] == [Queue]


def test_a_users_plain_client_goes_to_the_network() -> None:
    fill(Engine().client, "ours")
    session = boto3.Session("id", "secret", region_name="us-east-1")
    nobody_there = "http://127.0.0.1:9"
    plain = session.client("dynamodb", endpoint_url=nobody_there, config=Config(retries={"total_max_attempts": 1}))

    with pytest.raises(EndpointConnectionError):
        plain.list_tables()


def test_the_users_environment_does_not_matter() -> None:
    theirs = {"AWS_PROFILE": "nobody", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "MOTO_ACCOUNT_ID": "111111111111"}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    code = "from abacito.aws.embedded import Engine; e = Engine()\n"
    code += "[e.client('s3').create_bucket(Bucket='abacito-b') for _ in range(2)]\n"  # twice, for it is its own
    code += "print(e.client('sqs').create_queue(QueueName='q')['QueueUrl'].split('/')[-2] == e.account)"

    ran = subprocess.run([sys.executable, "-c", code], env=ours | theirs, capture_output=True, text=True, check=True)

    assert ran.stdout == "True\n"


def test_a_reset_leaves_an_empty_account_with_another_number() -> None:
    engine = Engine()
    fill(engine.client, "old")
    old = engine.account

    engine.reset()

    assert contents(engine.client) == ([], [], [])
    assert engine.account != old
    assert len(engine.account) == 12
    assert engine.account.isdigit()


def test_what_was_reset_is_freed() -> None:
    engine = Engine()
    fill(engine.client, "old")
    gc.collect()
    before = sum(isinstance(held, Queue) for held in gc.get_objects())

    engine.reset()
    gc.collect()

    assert sum(isinstance(held, Queue) for held in gc.get_objects()) == before - 1


def test_moto_keeps_no_list_of_what_we_made() -> None:
    def listed() -> int:
        models: list[Any] = [model for of_service in model_data.values() for model in of_service.values()]
        return sum(len(model.instances_tracked) for model in models)

    fill(Engine().client, "first")  # what moto makes once
    before = listed()
    engine = Engine()
    fill(engine.client, "ours")
    for _ in range(20):
        read(engine.client)
        engine.client("s3").put_object(Bucket="abacito-same", Key="a/b", Body=b"ours")
    gc.collect()  # replaced objects close their files without a warning

    assert listed() == before


def test_clients_are_made_once() -> None:
    engine = Engine()

    assert engine.client("sqs") is engine.client("sqs")


class Poll:
    """A long poll in a thread of its own, which has looked once when this is made."""

    def __init__(self, pool: ThreadPoolExecutor, wait_s: int, in_hand: str = "") -> None:
        self._looked = threading.Event()
        self.engine = Engine(self._monotonic)
        self.sqs = self.engine.client("sqs")
        self.url = self.sqs.create_queue(QueueName="q")["QueueUrl"]
        if in_hand:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=in_hand)
            self.receipt = receive(self.sqs, self.url, 0)[0]["ReceiptHandle"]
        self._looked.clear()
        self._answer: Future[float] = pool.submit(self._receive, wait_s)
        assert self._looked.wait(5)

    def _monotonic(self) -> float:
        self._looked.set()
        return real_monotonic()

    def _receive(self, wait_s: int) -> float:
        self.bodies = [m["Body"] for m in receive(self.sqs, self.url, wait_s)]
        return real_monotonic()

    def ended_after(self, start: float) -> float:
        """Seconds from then until it came back."""
        return self._answer.result(timeout=15) - start


def receive(sqs: Any, url: str, wait_s: int) -> list[Any]:
    return list(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=wait_s).get("Messages", []))


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor() as threads:
        yield threads


def test_a_long_poll_is_woken_by_a_message(pool: ThreadPoolExecutor) -> None:
    poll = Poll(pool, wait_s=10)

    start = real_monotonic()
    poll.sqs.send_message(QueueUrl=poll.url, MessageBody="m")

    assert poll.ended_after(start) < 0.2
    assert poll.bodies == ["m"]


def test_a_long_poll_is_woken_when_a_message_is_given_back(pool: ThreadPoolExecutor) -> None:
    poll = Poll(pool, wait_s=10, in_hand="m")

    start = real_monotonic()
    poll.sqs.change_message_visibility(QueueUrl=poll.url, ReceiptHandle=poll.receipt, VisibilityTimeout=0)

    assert poll.ended_after(start) < 0.2
    assert poll.bodies == ["m"]


def test_a_long_poll_gets_a_message_when_it_is_due() -> None:
    sqs = Engine().client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    start = real_monotonic()
    sqs.send_message(QueueUrl=url, MessageBody="m", DelaySeconds=1)

    [message] = receive(sqs, url, 10)

    assert message["Body"] == "m"
    assert 1 <= real_monotonic() - start < 1.3


def test_a_long_poll_in_frozen_time_ends_and_costs_nothing() -> None:
    with freeze_time("2026-01-05"):
        sqs = Engine().client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        start, worked = real_monotonic(), time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)

        assert receive(sqs, url, 1) == []

        assert 1 <= real_monotonic() - start < 1.5
        assert time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) - worked < 0.2


def test_a_message_in_flight_comes_again_in_real_time_though_time_is_frozen() -> None:
    with freeze_time("2026-01-05"):
        sqs = Engine().client("sqs")
        url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="m")

        first, second = receive(sqs, url, 0), receive(sqs, url, 5)

        assert [m["MessageId"] for m in first] == [m["MessageId"] for m in second]


@pytest.mark.parametrize("end", [Engine.interrupt, Engine.reset, Engine.close])
def test_long_polls_end_at_once(pool: ThreadPoolExecutor, end: Callable[[Engine], None]) -> None:
    poll = Poll(pool, wait_s=10)

    start = real_monotonic()
    end(poll.engine)

    assert poll.ended_after(start) < 0.2
    assert poll.bodies == []


def test_an_interrupted_engine_answers_a_long_poll_with_what_it_has() -> None:
    engine = Engine()
    sqs = engine.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    engine.interrupt()

    start = real_monotonic()
    found = [receive(sqs, url, 10), receive(sqs, url, 10)]

    assert [len(messages) for messages in found] == [1, 0]
    assert real_monotonic() - start < 0.2


def test_long_polls_wait_again_after_resume() -> None:
    engine = Engine()
    sqs = engine.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    engine.interrupt()
    engine.resume()

    start = real_monotonic()
    receive(sqs, url, 1)

    assert real_monotonic() - start >= 1


def test_a_long_poll_on_a_queue_that_is_deleted_is_told_so(pool: ThreadPoolExecutor) -> None:
    poll = Poll(pool, wait_s=10)

    poll.sqs.delete_queue(QueueUrl=poll.url)

    with pytest.raises(ClientError, match="NonExistentQueue"):
        poll.ended_after(0)
