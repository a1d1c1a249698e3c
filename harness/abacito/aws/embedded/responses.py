"""moto's answers, given for one account, and without what is not needed here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Literal, TypeAlias
from urllib.parse import urlparse

from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import create_condition_expression_parser
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.responses import DynamoHandler, DynamoResult, validate_put_has_empty_keys
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response
from moto.sqs.models import SQSBackend
from moto.sqs.responses import SQSResponse

from abacito.aws.embedded.plain import NOTHING, plan_of
from abacito.aws.embedded.table import PLAIN_PARAMETERS

Service: TypeAlias = Literal["dynamodb", "sqs", "s3"]
Answer: TypeAlias = tuple[int, dict[str, Any], str | bytes]


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
        if self._get_action() not in ITEM_ACTIONS or not isinstance(action_result, DynamoResult):
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


_PLAIN_UPDATE = {*PLAIN_PARAMETERS, "TableName", "Key", "ReturnValues"}
ITEM_ACTIONS = {"BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "TransactGetItems", "UpdateItem"}


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


RESPONSES: dict[Service, Callable[[], Any]] = {"dynamodb": _DynamoResponse, "sqs": _SqsResponse, "s3": _S3Response}
