"""What an engine held is gone back to, whatever has come of it meanwhile, and is never changed itself."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest

from abacito.aws.embedded import Engine

TABLES = {"sorted": ("pk", "sk"), "plain": ("pk",)}
QUEUES = {"line.fifo": {"FifoQueue": "true", "ContentBasedDeduplication": "true"}, "loose": {}}


class History:
    """Random calls to an engine of two tables, two queues and a bucket."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.engine = Engine()
        self.dynamodb, self.sqs, self.s3 = (self.engine.client(name) for name in ("dynamodb", "sqs", "s3"))  # type: ignore[arg-type]
        for name, keys in TABLES.items():
            self.dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=False)],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            )
        self.s3.create_bucket(Bucket="bucket")
        self.urls = {n: self.sqs.create_queue(QueueName=n, Attributes=a)["QueueUrl"] for n, a in QUEUES.items()}
        self.extra = 0

    def steps(self, count: int) -> None:
        for _ in range(count):
            acts = (self.put, self.update, self.update_oddly, self.delete, self.transact, self.object, self.send)
            self.random.choice((*acts, self.receive, self.new_queue))()

    def key(self, table: str) -> dict[str, Any]:
        return {name: {"S": self.random.choice("abc")} for name in TABLES[table]}

    def table(self) -> str:
        return self.random.choice(list(TABLES))

    def number(self) -> dict[str, str]:
        return {"N": str(self.random.randrange(9))}

    def put(self) -> None:
        table = self.table()
        self.dynamodb.put_item(TableName=table, Item={**self.key(table), "n": self.number()})

    def update(self) -> None:
        table = self.table()
        self.dynamodb.update_item(
            TableName=table,
            Key=self.key(table),
            UpdateExpression="SET #m = :m ADD #n :n",
            ExpressionAttributeNames={"#m": "m", "#n": "n"},
            ExpressionAttributeValues={":m": {"S": self.random.choice("xyz")}, ":n": self.number()},
        )

    def update_oddly(self) -> None:
        """An update that moto itself carries out, on the item as it lies there."""
        table = self.table()
        self.dynamodb.update_item(
            TableName=table,
            Key=self.key(table),
            UpdateExpression="SET l = list_append(if_not_exists(l, :none), :one)",
            ExpressionAttributeValues={":none": {"L": []}, ":one": {"L": [self.number()]}},
        )

    def delete(self) -> None:
        table = self.table()
        self.dynamodb.delete_item(TableName=table, Key=self.key(table))

    def transact(self) -> None:
        """Two writes, of which the second is refused half of the time."""
        put = {"TableName": "sorted", "Item": {**self.key("sorted"), "t": self.number()}}
        missing = {"ConditionExpression": "attribute_not_exists(pk)"}
        wary = {"TableName": "plain", "Item": {**self.key("plain"), "t": self.number()}, **missing}
        with suppress(self.dynamodb.exceptions.TransactionCanceledException):
            self.dynamodb.transact_write_items(TransactItems=[{"Put": put}, {"Put": wary}])

    def object(self) -> None:
        key = self.random.choice("abc")
        if self.random.random() < 0.3:
            self.s3.delete_object(Bucket="bucket", Key=key)
        else:
            self.s3.put_object(Bucket="bucket", Key=key, Body=self.random.randbytes(3))

    def send(self) -> None:
        name = self.random.choice(list(QUEUES))
        group = {"MessageGroupId": self.random.choice("gh")} if name.endswith(".fifo") else {}
        self.sqs.send_message(QueueUrl=self.urls[name], MessageBody=str(self.random.random()), **group)

    def receive(self) -> None:
        """One message, which is then deleted, given back, or kept in hand."""
        url = self.urls[self.random.choice(list(QUEUES))]
        for message in self.sqs.receive_message(QueueUrl=url).get("Messages", ()):
            receipt = message["ReceiptHandle"]
            if self.random.random() < 0.3:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
            elif self.random.random() < 0.5:
                self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)

    def new_queue(self) -> None:
        self.extra += 1
        self.sqs.create_queue(QueueName=f"extra{self.extra}")

    def seen(self) -> Any:
        """All that can be asked for, the messages by their content wherever they stand."""
        items = [self.dynamodb.scan(TableName=table)["Items"] for table in TABLES]
        pages = [
            self.dynamodb.query(
                TableName="sorted", KeyConditionExpression="pk = :k", ExpressionAttributeValues={":k": {"S": key}}
            )["Items"]
            for key in "abc"
        ]
        found = self.s3.list_objects_v2(Bucket="bucket").get("Contents", [])
        objects = {each["Key"]: self.s3.get_object(Bucket="bucket", Key=each["Key"])["Body"].read() for each in found}
        queues = sorted(self.sqs.list_queues().get("QueueUrls", []))
        account = self.engine._account.sqs
        messages = {name: [message.body for message in account.queues[name].saved()] for name in QUEUES}  # type: ignore[attr-defined]
        return sorted(map(repr, items[0])), sorted(map(repr, items[1])), pages, objects, queues, messages


@pytest.mark.parametrize("seed", range(12))
def test_whatever_comes_after_it_what_was_saved_is_gone_back_to_again_and_again(seed: int) -> None:
    history = History(seed)
    history.steps(80)
    saved, seen = history.engine.save(), history.seen()

    for _ in range(3):
        history.steps(60)
        later, later_seen = history.engine.save(), history.seen()
        history.engine.go_back(saved)
        assert history.seen() == seen
        history.engine.go_back(later)
        assert history.seen() == later_seen
        history.engine.go_back(saved)
        assert history.seen() == seen


def test_a_message_that_was_in_somebodys_hand_is_waiting_again_and_his_receipt_is_not_good() -> None:
    history = History(1)
    url = history.urls["line.fifo"]
    for body in ("first", "second"):
        history.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
    (held,) = history.sqs.receive_message(QueueUrl=url)["Messages"]
    saved = history.engine.save()
    history.sqs.delete_message(QueueUrl=url, ReceiptHandle=held["ReceiptHandle"])

    history.engine.go_back(saved)

    (again,) = history.sqs.receive_message(QueueUrl=url)["Messages"]
    assert (held["Body"], again["Body"]) == ("first", "first")
    assert again["ReceiptHandle"] != held["ReceiptHandle"]
    history.sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    (after,) = history.sqs.receive_message(QueueUrl=url)["Messages"]
    assert after["Body"] == "second"


def test_partitions_that_are_kept_stay_as_they_are_and_do_not_come_back() -> None:
    history = History(2)

    def put(pk: str) -> None:
        history.dynamodb.put_item(TableName="sorted", Item={"pk": {"S": pk}, "sk": {"S": "s"}})

    put("K#old")
    put("other")
    saved = history.engine.save()
    put("K#new")
    put("another")
    history.dynamodb.delete_item(TableName="sorted", Key={"pk": {"S": "K#old"}, "sk": {"S": "s"}})

    history.engine.go_back(saved, lambda pk: pk.startswith("K#"))

    found = history.dynamodb.scan(TableName="sorted")["Items"]
    assert sorted(item["pk"]["S"] for item in found) == ["K#new", "other"]
