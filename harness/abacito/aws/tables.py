"""DynamoDB as this project uses it: one table, items of plain values, conditional writes that answer yes or no."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import stamina
from boto3.dynamodb.conditions import Attr, ConditionBase, ConditionExpressionBuilder
from botocore.exceptions import ClientError

from abacito.abaco.errors import Malformed
from abacito.aws.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Where an item tells DynamoDB from when on it may be taken away, in seconds of the epoch.
EXPIRES_AT = "expires_at"
#: When a tenant's moment is on the machine's clock, in seconds of the epoch; None when that may change.
Expiry: TypeAlias = Callable[[str, datetime], int | None]

Value: TypeAlias = str | int | bool | bytes
Item: TypeAlias = dict[str, Value]

log = logging.getLogger(__name__)

# So many items are asked for at once where there is a limit: it may be far larger than what there is.
_PAGE = 1000
# AWS: BatchGetItem takes at most 100 keys (API reference, BatchGetItem).
_BATCH = 100


# AWS: an item has at most 400 KB (DynamoDB quotas); engines word the refusal differently, but all speak of the size.
_TOO_LARGE = "Everything together may have 400 KB, which is the store's limit for one record."


class _Conflict(Exception):
    """Two transactions met at an item; DynamoDB refuses one, which may simply try again."""


def is_new() -> ConditionBase:
    """The item does not exist yet."""
    return Attr("pk").not_exists()


def exists() -> ConditionBase:
    """The item exists."""
    return Attr("pk").exists()


@dataclass(frozen=True, slots=True)
class Put:
    """A whole item, written if ``when`` holds."""

    key: Key
    item: Mapping[str, Value | None]
    when: ConditionBase | None = None

    def parameters(self) -> dict[str, Any]:
        """As PutItem and a transaction take it; attributes that are None are left out."""
        item = {**_key(self.key), **{n: _encode(v) for n, v in self.item.items() if v is not None}}
        return {"Item": item, **_condition(self.when)}


@dataclass(frozen=True, slots=True)
class Delete:
    """An item removed if ``when`` holds."""

    key: Key
    when: ConditionBase | None = None

    def parameters(self) -> dict[str, Any]:
        """As DeleteItem and a transaction take it."""
        return {"Key": _key(self.key), **_condition(self.when)}


@dataclass(frozen=True, slots=True)
class Update:
    """Attributes set, removed, added to, if ``when`` holds; without it the item is made if need be."""

    key: Key
    set: Mapping[str, Value] = field(default_factory=dict)
    remove: Sequence[str] = ()
    add: Mapping[str, int] = field(default_factory=dict)
    when: ConditionBase | None = None

    def parameters(self) -> dict[str, Any]:
        """As UpdateItem and a transaction take it."""
        names: dict[str, str] = {}
        values: dict[str, Any] = {}
        clauses: list[str] = []
        for verb, join, given in (("SET", " = ", self.set), ("ADD", " ", self.add)):
            parts = []
            for name, value in given.items():
                mark = f"u{len(names)}"
                names[f"#{mark}"], values[f":{mark}"] = name, _encode(value)
                parts.append(f"#{mark}{join}:{mark}")
            clauses += [f"{verb} {', '.join(parts)}"] if parts else []
        removed = {f"#r{i}": name for i, name in enumerate(self.remove)}
        clauses += [f"REMOVE {', '.join(removed)}"] if removed else []
        condition = _condition(self.when)
        names |= removed | condition.pop("ExpressionAttributeNames", {})
        values |= condition.pop("ExpressionAttributeValues", {})
        found = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        written = {name: value for name, value in found.items() if value}
        return {"Key": _key(self.key), "UpdateExpression": " ".join(clauses), **written, **condition}


class Table:
    """One table with keys ``pk`` and ``sk``. Reads are consistent; a condition that does not hold is no error."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client, self._name = client, name

    def create(self, *, expires: bool = False) -> None:
        """Make the table, if it is not there, and wait until it can be used; ``expires``: its items may vanish."""
        try:
            self._client.create_table(
                TableName=self._name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
        if self._client.describe_table(TableName=self._name)["Table"].get("TableStatus") != "ACTIVE":
            self._client.get_waiter("table_exists").wait(TableName=self._name)
        if expires:
            self._let_expire()

    def _let_expire(self) -> None:
        """Have DynamoDB take items away some time after EXPIRES_AT; no reader relies on it."""
        try:
            self._client.update_time_to_live(
                TableName=self._name, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES_AT}
            )
        except ClientError as error:  # it is so already, or the engine knows no such thing
            log.debug("items of table %s do not expire anew: %s", self._name, error)

    def get(self, key: Key) -> Item | None:
        """One item."""
        answer = self._client.get_item(TableName=self._name, Key=_key(key), ConsistentRead=True)
        return _decode(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Those of these items that exist."""
        wanted, found = list(dict.fromkeys(keys)), {}
        while wanted:
            batch, wanted = wanted[:_BATCH], wanted[_BATCH:]
            request = {self._name: {"Keys": [_key(key) for key in batch], "ConsistentRead": True}}
            answer = self._client.batch_get_item(RequestItems=request)  # type: ignore[arg-type] # stubs want a TypedDict
            for raw in answer["Responses"].get(self._name, []):
                item = _decode(raw)
                found[str(item["pk"]), str(item["sk"])] = item
            left: dict[str, Any] = answer.get("UnprocessedKeys", {})
            wanted += [(key["pk"]["S"], key["sk"]["S"]) for key in left.get(self._name, {}).get("Keys", [])]
        return found

    def query(self, pk: str, prefix: str = "", limit: int | None = None) -> Iterator[Item]:
        """The items of a partition whose sort key begins so, in order of it; with a limit, the first so many."""
        values = {":pk": {"S": pk}, **({":prefix": {"S": prefix}} if prefix else {})}
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk" + (" AND begins_with(sk, :prefix)" if prefix else ""),
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
        }
        left = math.inf if limit is None else limit
        while left > 0:
            if limit is not None:
                request["Limit"] = int(min(left, _PAGE))
            answer = self._client.query(**request)
            yield from map(_decode, answer["Items"])
            left -= len(answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def put(self, put: Put) -> bool:
        """Write it; False when its condition does not hold. Raises Malformed when it is too large."""
        try:
            with _size_refused():
                self._client.put_item(TableName=self._name, **put.parameters())
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def update(self, update: Update) -> Item | None:
        """The item afterwards; None when the condition does not hold. Raises Malformed when it is too large."""
        try:
            with _size_refused():
                answer = self._client.update_item(TableName=self._name, ReturnValues="ALL_NEW", **update.parameters())
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return _decode(answer["Attributes"])

    def remove(self, delete: Delete) -> bool:
        """Remove it, if it is there; False when its condition does not hold."""
        try:
            self._client.delete_item(TableName=self._name, **delete.parameters())
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def take(self, delete: Delete) -> Item | None:
        """Remove it; the item as it was, None when there is none or its condition does not hold."""
        try:
            answer = self._client.delete_item(TableName=self._name, ReturnValues="ALL_OLD", **delete.parameters())
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return _decode(answer["Attributes"]) if answer.get("Attributes") else None

    def transact(self, *writes: Put | Update | Delete) -> tuple[int, ...]:
        """All of these writes or none; the positions whose conditions do not hold: empty when it was done.

        Raises Malformed when an item would be too large.
        """
        request = [{type(write).__name__: {"TableName": self._name, **write.parameters()}} for write in writes]
        for attempt in stamina.retry_context(on=_Conflict, attempts=10, wait_initial=0.01, wait_max=0.5):
            with attempt:
                return self._transact_once(request)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _transact_once(self, request: list[dict[str, Any]]) -> tuple[int, ...]:
        try:
            with _size_refused():
                self._client.transact_write_items(TransactItems=request)  # type: ignore[arg-type] # stubs want TypedDicts
        except self._client.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code", "None") for reason in error.response["CancellationReasons"]]
            refused = tuple(i for i, code in enumerate(codes) if code == "ConditionalCheckFailed")
            if refused:
                return refused
            if any("size" in reason.get("Message", "") for reason in error.response["CancellationReasons"]):
                raise Malformed(_TOO_LARGE) from error
            raise _Conflict(str(codes)) from error
        return ()


@contextmanager
def _size_refused() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        told = error.response["Error"]
        if told["Code"] == "ValidationException" and "size" in told.get("Message", ""):
            raise Malformed(_TOO_LARGE) from error
        raise


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _encode(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
    return {"S": value}


def _decode(item: Mapping[str, Any]) -> Item:
    return {name: int(v) if kind == "N" else v for name, typed in item.items() for kind, v in typed.items()}


def _condition(when: ConditionBase | None) -> dict[str, Any]:
    if when is None:
        return {}
    built = ConditionExpressionBuilder().build_expression(when)
    values = {mark: _encode(value) for mark, value in built.attribute_value_placeholders.items()}
    names = built.attribute_name_placeholders
    return {
        "ConditionExpression": built.condition_expression,
        "ExpressionAttributeNames": names,
        **({"ExpressionAttributeValues": values} if values else {}),
    }
