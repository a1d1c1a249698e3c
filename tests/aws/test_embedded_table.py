"""Our table answers what moto's answers, for a page's cost instead of the table's."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from abacito.aws.embedded import Engine


@pytest.fixture
def stock() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture
def ours() -> Any:
    return Engine().client("dynamodb")


def make(dynamodb: Any, name: str, kind: str = "S", *, sorted_by: bool = True) -> None:
    keys = [("pk", "HASH", "S"), ("sk", "RANGE", kind)][: 2 if sorted_by else 1]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": role} for name, role, _ in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, _, kind in keys],
    )


ONE, NO = {"N": "1"}, {"BOOL": False}


class Pair:
    """The same history on a table of moto's and one of ours."""

    def __init__(self, stock: Any, ours: Any, seed: int) -> None:
        self.random = random.Random(seed)
        self.name = f"table{seed}"
        self.kind = "N" if seed % 3 == 0 else "S"
        self.is_sorted = seed % 7 != 0
        self.clients = (stock, ours)
        for client in self.clients:
            make(client, self.name, self.kind, sorted_by=self.is_sorted)

    def do(self, operation: str, **asked: Any) -> Any:
        """What both answer, which must be the same."""
        answers = [self.ask(client, operation, asked) for client in self.clients]
        assert answers[1] == answers[0]
        return answers[0]

    def ask(self, client: Any, operation: str, asked: dict[str, Any]) -> Any:
        try:
            answer = getattr(client, operation)(**asked)
        except ClientError as error:
            return error.response["Error"], error.response.get("CancellationReasons")
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def step(self) -> None:
        acts = (self.put, self.put, self.update, self.update, self.delete, self.get, self.query, self.query)
        self.random.choice((*acts, self.query, self.transact, self.batch))()

    def sort_value(self) -> dict[str, str]:
        if self.kind == "N":
            return {"N": str(self.random.choice([*range(12), -3, 1.5, "2E1"]))}
        return {"S": self.random.choice("ab") + str(self.random.randrange(12))}

    def key(self) -> dict[str, Any]:
        return {"pk": {"S": self.random.choice("xy")}, **({"sk": self.sort_value()} if self.is_sorted else {})}

    def condition(self) -> dict[str, Any]:
        texts = [
            "",
            "",
            "attribute_not_exists(pk)",
            "attribute_exists(pk)",
            "n > :two",
            "attribute_exists(t) OR n = :two",
        ]
        text = self.random.choice(texts)
        values = {":two": {"N": "2"}} if ":two" in text else {}
        return {"ConditionExpression": text, "ExpressionAttributeValues": values} if text else {}

    def put_parameters(self) -> dict[str, Any]:
        data = {
            "n": {"N": str(self.random.randrange(5))},
            "b": {"B": b"\x00\xff"},
            "m": {"M": {"l": {"L": [{"S": "é"}]}}},
        }
        item = {**self.key(), **dict(self.random.sample(sorted(data.items()), 2)), "f": {"BOOL": True}}
        return self.tidy({"TableName": self.name, "Item": item, **self.condition()})

    def update_parameters(self) -> dict[str, Any]:
        changes: list[tuple[str, dict[str, Any]]] = [
            ("SET #t = :t", {":t": {"S": "later"}}),
            ("ADD n :one", {":one": {"N": "1"}}),
            ("SET #t = :t REMOVE b", {":t": {"NULL": True}}),
            ("SET #t = if_not_exists(#t, :t) ADD n :one", {":t": {"SS": ["u", "v"]}, ":one": {"N": "-1"}}),
            # What plain.py does by hand, or nearly so.
            ("SET #t = :t", {":t": {"B": b"\xfe"}}),
            (
                "SET #t = :t, #f = :f ADD #n :one REMOVE #m, #b",
                {":t": {"S": ""}, ":f": {"BOOL": False}, ":one": ONE},
            ),
            ("ADD #n :one, #t :one", {":one": ONE}),
            ("ADD #n :one REMOVE #t", {":one": {"N": "1.5"}}),
            ("ADD #b :one", {":one": ONE}),
            ("REMOVE #t, #b", {}),
            ("SET #t = :t REMOVE #t", {":t": {"S": "both"}}),
            ("SET #t = :t ADD #n :one", {":t": {"L": [{"N": "1"}]}, ":one": ONE}),
            ("SET #t = :t", {":t": {"S": "later"}, ":unused": {"S": "x"}}),
            ("SET #t = :t, #k = :t", {":t": {"S": "key"}}),
            ("SET #t = :missing", {":t": {"S": "later"}}),
        ]
        change, values = self.random.choice(changes)
        when = self.condition()
        values = {**values, **when.pop("ExpressionAttributeValues", {})}
        used = {"#t": "t", "#f": "f", "#n": "n", "#m": "m", "#b": "b", "#k": "pk"}
        used = {mark: name for mark, name in used.items() if mark in change or self.random.random() < 0.02}
        names = {"ExpressionAttributeNames": used} if used else {}
        asked = {"Key": self.key(), "UpdateExpression": change, "ExpressionAttributeValues": values}
        return self.tidy({"TableName": self.name, **asked, **names, **when})

    def tidy(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in asked.items() if value != {}}

    def put(self) -> None:
        self.do("put_item", **self.put_parameters(), ReturnValues="ALL_OLD")

    def update(self) -> None:
        shown = self.random.choice(["NONE", "ALL_NEW", "ALL_OLD", "UPDATED_NEW"])
        self.do("update_item", **self.update_parameters(), ReturnValues=shown)

    def delete(self) -> None:
        shown = self.random.choice(["NONE", "ALL_OLD"])
        asked = self.tidy({"TableName": self.name, "Key": self.key(), **self.condition()})
        self.do("delete_item", **asked, ReturnValues=shown)

    def get(self) -> None:
        self.do("get_item", TableName=self.name, Key=self.key(), ConsistentRead=True)

    def batch(self) -> None:
        keys = {str(key): key for key in (self.key() for _ in range(3))}
        self.do("batch_get_item", RequestItems={self.name: {"Keys": list(keys.values())}})

    def transact(self) -> None:
        doomed = {"TableName": self.name, "Key": self.key(), "ConditionExpression": "attribute_exists(nothing)"}
        parts = [
            {"Put": self.put_parameters()},
            {"Update": self.update_parameters()},
            {"Update": self.update_parameters()},
        ]
        self.do("transact_write_items", TransactItems=parts + [{"ConditionCheck": doomed}] * self.random.randrange(2))

    def query(self) -> None:
        tests = ["= :a", "< :a", "<= :a", "> :a", ">= :a", "BETWEEN :a AND :b", "begins"]
        test = self.random.choice(["", *tests]) if self.is_sorted else ""
        values = {":p": {"S": self.random.choice("xyz")}}
        condition = "pk = :p"
        if test:
            low, high = sorted((self.sort_value(), self.sort_value()), key=in_order)
            prefix = {"S": self.random.choice(["a", "b1", ""])} if self.kind == "S" else low
            is_prefix = test == "begins" and self.kind == "S"
            condition += " AND begins_with(sk, :a)" if is_prefix else f" AND sk {test}".replace("begins", "> :a")
            values |= {":a": prefix if is_prefix else low, **({":b": high} if ":b" in test else {})}
        asked: dict[str, Any] = {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}
        asked |= {"Limit": self.random.randrange(1, 6)} if self.random.random() < 0.6 else {}
        asked |= {"FilterExpression": "attribute_exists(t)"} if self.random.random() < 0.3 else {}
        self.all_pages(ScanIndexForward=self.random.random() < 0.5, **asked)

    def all_pages(self, **asked: Any) -> None:
        start: dict[str, Any] = {}
        while True:
            answer = self.do("query", TableName=self.name, **asked, **start)
            last = answer.get("LastEvaluatedKey") if isinstance(answer, dict) else None
            if last is None:
                return
            start = {"ExclusiveStartKey": last}


def in_order(value: dict[str, str]) -> float | str:
    return float(value["N"]) if "N" in value else value["S"]


@pytest.mark.parametrize("seed", range(16))
def test_a_random_history_is_answered_as_by_stock_moto(stock: Any, ours: Any, seed: int) -> None:
    pair = Pair(stock, ours, seed)

    for _ in range(60):
        pair.step()

    pair.do("scan", TableName=pair.name)


def test_the_old_query_filter_is_applied_before_the_limit_as_in_stock_moto(stock: Any, ours: Any) -> None:
    pair = Pair(stock, ours, 1)
    for number in range(8):
        item = {"pk": {"S": "x"}, "sk": {"S": str(number)}, "n": {"N": str(number % 2)}}
        pair.do("put_item", TableName=pair.name, Item=item)

    wanted = {"n": {"AttributeValueList": [{"N": "1"}], "ComparisonOperator": "EQ"}}
    key = {"pk": {"AttributeValueList": [{"S": "x"}], "ComparisonOperator": "EQ"}}

    pair.do("query", TableName=pair.name, KeyConditions=key, QueryFilter=wanted, Limit=2)


def test_a_refused_transaction_changes_nothing(ours: Any) -> None:
    make(ours, "t")
    keys = [{"pk": {"S": "p"}, "sk": {"S": str(number)}} for number in range(3)]
    ours.put_item(TableName="t", Item={**keys[0], "n": {"N": "1"}})
    before = ours.scan(TableName="t")["Items"]
    parts = [
        {"Update": update_of(keys[0])},
        {"Put": {"TableName": "t", "Item": keys[1]}},
        {"ConditionCheck": {"TableName": "t", "Key": keys[2], "ConditionExpression": "attribute_exists(pk)"}},
    ]

    with pytest.raises(ours.exceptions.TransactionCanceledException):
        ours.transact_write_items(TransactItems=parts)

    assert ours.scan(TableName="t")["Items"] == before


def update_of(key: dict[str, Any]) -> dict[str, Any]:
    added = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    return {"TableName": "t", "Key": key, **added}


def median_ms(act: Callable[[], Any]) -> float:
    def once() -> float:
        start = time.perf_counter()
        act()
        return 1000 * (time.perf_counter() - start)

    return statistics.median(once() for _ in range(25))


def test_pages_and_transactions_cost_the_same_in_a_large_table(ours: Any) -> None:
    make(ours, "t")
    page: dict[str, Any] = {
        "KeyConditionExpression": "pk = :p AND begins_with(sk, :s)",
        "Limit": 5,
        "ScanIndexForward": False,
    }
    page["ExpressionAttributeValues"] = {":p": {"S": "p"}, ":s": {"S": "s"}}

    def fill(count: int) -> None:
        for number in range(count):
            ours.put_item(TableName="t", Item={"pk": {"S": "p"}, "sk": {"S": f"s{number:05d}"}})

    def costs() -> tuple[float, float]:
        parts = [{"Update": update_of({"pk": {"S": "p"}, "sk": {"S": f"s0000{number}"}})} for number in range(2)]
        return (
            median_ms(lambda: ours.query(TableName="t", **page)),
            median_ms(lambda: ours.transact_write_items(TransactItems=parts)),
        )

    fill(10)
    small = costs()
    fill(3_000)
    large = costs()

    assert large[0] < 3 * small[0]
    assert large[1] < 3 * small[1]
