"""boto3 calls that are answered in this process, without the HTTP that boto3 makes of them and reads an answer from."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeAlias

from botocore.awsrequest import HeadersDict
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

#: Takes an operation's name and its parameters. None: nothing is done, it is to go by HTTP. May raise Refused.
Answering: TypeAlias = Callable[[str, dict[str, Any]], dict[str, Any] | None]


class Refused(Exception):
    """A refusal as it would come over HTTP."""

    def __init__(self, status: int, headers: dict[str, Any], body: str | bytes) -> None:
        super().__init__(status)
        self.status, self.headers, self.body = status, headers, body

    def error_of(self, client: Any, operation: str) -> ClientError:
        """boto3's exception for it."""
        model = client.meta.service_model
        body = self.body if isinstance(self.body, bytes) else self.body.encode()
        answer = {"status_code": self.status, "headers": HeadersDict(self.headers), "body": body}
        parser = create_parser(model.resolved_protocol)
        parsed = parser.parse(answer, model.operation_model(operation).output_shape)
        code = parsed["Error"]["Code"]
        if (shape := model.shape_for_error_code(code)) is not None:
            parsed.update(parser.parse(answer, shape))
        # SQS's exceptions go by the name of their shape, as botocore's own handler has it (handlers.py).
        kind = client.exceptions.from_code(parsed["Error"].get("QueryErrorCode", code))
        error: ClientError = kind(parsed, operation)
        return error


def answer_directly(client: Any, operations: Collection[str], answering: Answering) -> None:
    """From now on these operations of the client are answered so, as boto3 would after the whole way by HTTP."""
    by_http = client._make_api_call  # the one method through which calls, waiters and pages all go
    client._make_api_call = partial(_call, client, operations, answering, by_http)


def _call(
    client: Any,
    operations: Collection[str],
    answering: Answering,
    by_http: Callable[[str, dict[str, Any]], Any],
    operation: str,
    asked: dict[str, Any],
) -> Any:
    if operation not in operations:
        return by_http(operation, asked)
    try:
        answer = answering(operation, copied(asked))
    except Refused as refused:
        raise refused.error_of(client, operation) from None
    if answer is None:
        return by_http(operation, asked)
    shape = client.meta.service_model.operation_model(operation).output_shape
    known = shape.members if shape else {}  # boto3 drops what it does not know
    told = {name: value for name, value in answer.items() if value is not None and name in known}
    return {**told, "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}}


def copied(value: Any) -> Any:
    """The same in containers of its own, so that whoever keeps it shares nothing with the caller."""
    if isinstance(value, dict):
        return {name: copied(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [copied(part) for part in value]
    return bytes(value) if isinstance(value, bytearray | memoryview) else value
