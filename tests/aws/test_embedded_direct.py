"""Calls that are handed to moto without HTTP answer as they would by HTTP, and share nothing with the caller."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from abacito.aws.embedded import Engine


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def table(engine: Engine) -> Any:
    client = engine.client("dynamodb")
    client.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    return client


@pytest.fixture
def stock() -> Iterator[Any]:
    with mock_aws():
        asked = Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
        yield lambda service: boto3.client(service, region_name="us-east-1", config=asked)


KEY = {"pk": {"S": "k"}}


def item_of(table: Any) -> Any:
    return table.get_item(TableName="t", Key=KEY).get("Item")


def test_what_the_caller_changes_afterwards_is_not_stored(table: Any) -> None:
    item: dict[str, Any] = {
        **KEY,
        "m": {"M": {"l": {"L": [{"S": "a"}]}}},
        "s": {"SS": ["u"]},
        "b": {"B": bytearray(b"1")},
    }
    table.put_item(TableName="t", Item=item)

    item["m"]["M"]["l"]["L"].append({"S": "b"})
    item["s"]["SS"].append("v")
    item["b"]["B"][:] = b"2"

    assert item_of(table) == {**KEY, "m": {"M": {"l": {"L": [{"S": "a"}]}}}, "s": {"SS": ["u"]}, "b": {"B": b"1"}}


@pytest.mark.parametrize("way", ["get", "query", "update", "batch"])
def test_what_the_caller_changes_in_an_answer_is_not_stored(table: Any, way: str) -> None:
    table.put_item(TableName="t", Item={**KEY, "m": {"M": {"l": {"L": [{"S": "a"}]}}}, "s": {"SS": ["u"]}})
    before = item_of(table)

    match way:
        case "get":
            answer = item_of(table)
        case "query":
            values = {":k": KEY["pk"]}
            condition = "pk = :k"
            found = table.query(TableName="t", KeyConditionExpression=condition, ExpressionAttributeValues=values)
            [answer] = found["Items"]
        case "update":
            names, values = {"#f": "f"}, {":f": {"S": "g"}}
            asked: dict[str, Any] = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
            asked["UpdateExpression"] = "SET #f = :f"
            answer = table.update_item(TableName="t", Key=KEY, ReturnValues="ALL_NEW", **asked)["Attributes"]
            before["f"] = {"S": "g"}
        case _:
            [answer] = table.batch_get_item(RequestItems={"t": {"Keys": [KEY]}})["Responses"]["t"]
    assert answer == before
    answer["m"]["M"]["l"]["L"].append({"S": "b"})
    answer["s"]["SS"].append("v")

    assert item_of(table) != answer


def test_a_refusal_is_boto3s_own_exception_with_all_its_fields(table: Any) -> None:
    condition = {"ConditionExpression": "attribute_exists(pk)"}

    with pytest.raises(table.exceptions.ConditionalCheckFailedException) as refused:
        table.put_item(TableName="t", Item=KEY, **condition)
    with pytest.raises(table.exceptions.TransactionCanceledException) as cancelled:
        table.transact_write_items(TransactItems=[{"Put": {"TableName": "t", "Item": KEY, **condition}}])

    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]] == ["ConditionalCheckFailed"]
    assert item_of(table) is None


def test_a_queue_that_is_not_there_is_refused_as_by_stock_moto(engine: Engine, stock: Any) -> None:
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/nowhere"

    def refusal(client: Any) -> Any:
        with pytest.raises(client.exceptions.QueueDoesNotExist) as refused:
            client.receive_message(QueueUrl=url)
        return refused.value.response["Error"]

    assert refusal(engine.client("sqs")) == refusal(stock("sqs"))


def test_an_update_that_replaces_a_large_attribute_weighs_it_once(table: Any) -> None:
    table.put_item(TableName="t", Item={**KEY, "state": {"S": "x" * 300_000}})
    asked = {"UpdateExpression": "SET #s = :s", "ExpressionAttributeNames": {"#s": "state"}}

    table.update_item(TableName="t", Key=KEY, **asked, ExpressionAttributeValues={":s": {"S": "y" * 300_000}})

    assert item_of(table)["state"]["S"][0] == "y"
    with pytest.raises(ClientError, match="size"):
        table.update_item(TableName="t", Key=KEY, **asked, ExpressionAttributeValues={":s": {"S": "z" * 410_000}})
    assert item_of(table)["state"]["S"][0] == "y"


def told(answer: Any) -> dict[str, Any]:
    """An S3 answer without what belongs to the HTTP around it."""
    return {name: answer[name] for name in sorted(answer) if name not in ("ResponseMetadata", "LastModified")}


@pytest.mark.parametrize("seed", range(4))
def test_objects_are_kept_as_by_stock_moto(engine: Engine, stock: Any, seed: int) -> None:
    chance = random.Random(seed)
    ours, theirs = clients = engine.client("s3"), stock("s3")
    for client in clients:
        client.create_bucket(Bucket="abacito-bucket")

    for _ in range(40):
        key = chance.choice(["a", "a/b", "bodies/Ab12.bin", "odd key", "ü"])
        action = chance.choice(["put", "put", "put", "get", "get", "described", "delete"])
        body = chance.randbytes(chance.randrange(2000))
        assert act(ours, action, key, body) == act(theirs, action, key, body)


def act(client: Any, action: str, key: str, body: bytes) -> Any:
    place = {"Bucket": "abacito-bucket", "Key": key}
    try:
        match action:
            case "put":
                return client.put_object(**place, Body=body)["ETag"]
            case "described":
                return client.put_object(**place, Body=body, Metadata={"who": "me"}, ContentType="text/plain")["ETag"]
            case "get":
                answer = client.get_object(**place)
                return {**told(answer), "Body": answer["Body"].read(), "zone": str(answer["LastModified"].tzname())}
            case _:
                return told(client.delete_object(**place))
    except ClientError as error:
        return error.response["Error"]
