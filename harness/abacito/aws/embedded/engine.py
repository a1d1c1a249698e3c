"""The engine: accounts of its own, and boto3 clients whose calls go straight to them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import boto3
import botocore.session
from botocore import UNSIGNED, xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from moto.core.base_backend import backend_lock
from moto.core.botocore_stubber import MockRawResponse
from moto.core.exceptions import ServiceException
from moto.core.models import botocore_stubber
from moto.core.request import Request, normalize_request
from moto.core.responses import ActionResult
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.responses import DynamoResult
from moto.s3.models import s3_backends
from moto.sqs.models import Message
from werkzeug.exceptions import HTTPException

from abacito.abaco.time import real_monotonic
from abacito.aws.embedded.direct import Refused, answer_directly, copied
from abacito.aws.embedded.objects import PLAIN_OBJECT, OwnS3, SavedObject
from abacito.aws.embedded.queue import REGION, FlatQueue, FlatSqs, Letter, NothingYet
from abacito.aws.embedded.responses import ITEM_ACTIONS, RESPONSES, Answer, Service
from abacito.aws.embedded.table import FlatDynamo
from abacito.aws.embedded.tracking import untracked

_accounts = itertools.count(500_000_000_001)

# What is called all the time, by boto3's names, and moto's method for it.
_DIRECT: dict[str, dict[str, str]] = {
    "dynamodb": {name: xform_name(name) for name in (*sorted(ITEM_ACTIONS), "TransactWriteItems")},
    "sqs": {
        name: xform_name(name)
        for name in ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage", "SendMessage")
    },
    "s3": {name: xform_name(name) for name in PLAIN_OBJECT},
}


@dataclass(frozen=True, slots=True)
class Saved:
    """All that an engine held at one instant, by moto's own objects, which are shared and never changed."""

    tables: Mapping[str, dict[DynamoType, Any]]
    objects: Mapping[str, Mapping[str, SavedObject]]
    queues: Mapping[str, tuple[FlatQueue, tuple[Message, ...]]]

    def partition(self, table: str, pk: str) -> dict[str, dict[str, Any]]:
        """The items of one partition by their sort key, as DynamoDB's API has them."""
        found = self.tables.get(table, {}).get(DynamoType({"S": pk}), {})
        return {key.value: item.to_json()["Attributes"] for key, item in found.items()}


class _Account:
    """One life of an engine's data, from a reset to the next. Its methods are called with the engine's lock held."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.id = str(next(_accounts))
        self.is_over = False
        self.sqs = FlatSqs(self.id, monotonic)
        self.s3 = OwnS3("aws", self.id)
        self.dynamodb = FlatDynamo(REGION, self.id)
        self._backends = {"dynamodb": self.dynamodb, "sqs": self.sqs, "s3": self.s3}

    def answer(self, service: Service, request: Request) -> Answer:
        """moto's answer to what is no direct call."""
        response = RESPONSES[service]()
        response.own = self._backends[service]
        with untracked(service, self.id):
            try:
                return response._dispatch(request, request.raw_url, request.headers)  # type: ignore[no-any-return]
            except HTTPException as error:  # as moto's own stub does
                return int(error.code or 500), dict(error.get_headers()), error.get_body()

    def call(self, service: Service, operation: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """What a direct call answers; None, and nothing is done, when it is more than that.

        Raises NothingYet for a long poll, Refused.
        """
        if service == "s3":
            with untracked(service, self.id):
                return self.s3.answer_plainly(operation, asked)
        response = RESPONSES[service]()
        response.own = self._backends[service]
        response.set_up_directly(operation, asked)
        with untracked(service, self.id):
            try:
                done: ActionResult = getattr(response, _DIRECT[service][operation])()
            except ServiceException as error:
                raise Refused(*response.serialized(ActionResult(error))) from error
            except HTTPException as error:
                raise Refused(int(error.code or 500), dict(error.get_headers()), str(error.description)) from error
        answer: Any = done.result or {}
        return dict(answer) if isinstance(done, DynamoResult) else copied(answer)  # a DynamoResult is a copy already

    def saved(self) -> Saved:
        """All of it now."""
        return Saved(self.dynamodb.saved(), self.s3.saved(), self.sqs.saved())

    def go_back(self, saved: Saved, keeps: Callable[[str], bool]) -> None:
        """Have just this, but for the items whose partition key is to be kept."""
        self.dynamodb.go_back(saved.tables, keeps)
        with untracked("s3", self.id):
            self.s3.go_back(saved.objects)
        self.sqs.go_back(saved.queues)

    def forget(self) -> None:
        """Long polls end; nothing of it stays in moto."""
        self.is_over = True
        self.sqs.wake()
        for bucket in self.s3.buckets.values():
            for key in bucket.keys.values():
                key.dispose()
        s3_backends.pop(self.id, None)  # moto looks tags up there, and thereby makes it


@cache
def _session() -> boto3.Session:
    """A session that reads nothing of the user's: no profile, no file, no variable."""
    fixed = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
    session = botocore.session.Session({name: (None, None, value, None) for name, value in fixed.items()})
    session.set_credentials("embedded", "embedded")
    # moto hooks every session there is; botocore asks all hooks, so a user's mock would carry out our calls too.
    session.unregister("before-send", botocore_stubber)  # type: ignore[arg-type]
    return boto3.Session(botocore_session=session, region_name=REGION)


_CONFIG = Config(
    signature_version=UNSIGNED,
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    ignore_configured_endpoint_urls=True,  # type: ignore[call-arg] # the stubs do not know it
)


class Engine:
    """One emulator's own AWS: moto in this process, in an account of its own, on a botocore session of our own.

    ``monotonic``: the clock, in seconds, by which messages are hidden, delayed and kept. Waits end by real time.
    Engines, and whatever else uses moto or boto3 in the process, neither see nor disturb each other.
    """

    # moto's own, re-entrant and one for the process, which its reset holds too: no reset falls into a call of ours.
    _lock: AbstractContextManager[Any] = backend_lock
    is_alone = True

    def __init__(self, monotonic: Callable[[], float] = real_monotonic) -> None:
        self._monotonic = monotonic
        self._account = _Account(monotonic)
        self._clients: dict[Service, Any] = {}
        self._is_interrupted = False

    @property
    def account(self) -> str:
        """The account's number, 12 digits; another one after each reset."""
        return self._account.id

    def client(self, service: Service) -> Any:
        """The boto3 client of a service, always the same one; threads may share it."""
        with backend_lock:  # botocore's sessions are not safe under threads, its clients are
            if service not in self._clients:
                url = f"https://{service}.{REGION}.amazonaws.com"
                client: Any = _session().client(service, endpoint_url=url, config=_CONFIG)
                client.meta.events.register("before-send.*.*", partial(self._send, service))
                answer_directly(client, _DIRECT[service], partial(self._patiently, service))
                self._clients[service] = client
            return self._clients[service]

    def reset(self) -> None:
        """Forget everything: from now on every call meets an empty account; long polls under way end."""
        with self._lock:
            old, self._account = self._account, _Account(self._monotonic)
            old.forget()

    def save(self) -> Saved:
        """All that is there at this instant; it costs about as much as there are long logs and messages waiting."""
        with self._lock:
            return self._account.saved()

    def go_back(self, saved: Saved, keeps: Callable[[str], bool] = lambda _: False) -> None:
        """Have just that in the same tables and buckets again, at about the same cost, as often as one likes.

        Items whose partition key ``keeps`` holds of are left as they are now. Messages that were in somebody's hand are
        waiting again.
        """
        with self._lock:
            self._account.go_back(saved, keeps)

    def deliver(self, queue: str, letters: Iterable[Letter]) -> None:
        """Have just these messages in a queue, under the ids that they had."""
        with self._lock:
            self._account.sqs.deliver(queue, letters)

    def interrupt(self) -> None:
        """Until ``resume`` a long poll, also one under way, answers at once with what it finds, maybe nothing."""
        self._is_interrupted = True
        with self._lock:
            self._account.sqs.wake()

    def resume(self) -> None:
        """Long polls wait again."""
        self._is_interrupted = False

    def close(self) -> None:
        """Forget everything, and end the long polls."""
        self.interrupt()
        self.reset()

    def _send(self, service: Service, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Answer instead of the network."""
        if service == "s3":
            request.headers["Authorization"] = "unsigned"  # moto refuses S3 requests without any

        with self._lock:
            status, headers, body = self._account.answer(service, normalize_request(request))
        return AWSResponse(request.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type] # as moto does

    def _patiently(self, service: Service, operation: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """A direct call's answer, waited for as long as a long poll says; then it is that there is nothing."""
        account, deadline = self._account, None
        while True:
            try:
                with self._lock:
                    return account.call(service, operation, asked)
            except NothingYet as nothing:
                deadline = deadline or real_monotonic() + nothing.wait_s
                if account.is_over or self._is_interrupted or real_monotonic() >= deadline:
                    return {}
                nothing.wait(deadline)
