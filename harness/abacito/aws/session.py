"""Where state and messages rest: moto in this process, or any endpoint that speaks AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from abacito.abaco.errors import Misconfigured, Unavailable
from abacito.abaco.time import Clocks, SystemClock
from abacito.aws.actors import ActorTable
from abacito.aws.buckets import Bucket
from abacito.aws.clocks import ClockTable
from abacito.aws.executions import ExecutionTable
from abacito.aws.mailboxes import Queues, SqsEvents, SqsMailboxes, SqsRings
from abacito.aws.nonces import NonceTable
from abacito.aws.permissions import PermissionTable
from abacito.aws.slots import SlotTable
from abacito.aws.tables import Table
from abacito.aws.tenants import AliasTable, ConfigTable
from abacito.aws.tokens import ClientTable, TokenTable

#: How long one look into a command queue may wait. SQS allows 20 s; a stop must not wait that long for an endpoint.
ENDPOINT_LONG_POLL_S = 3
EMBEDDED_LONG_POLL_S = 20


class Source(Protocol):
    """Gives clients of DynamoDB, SQS and S3. ``is_alone``: nobody but this process has what is stored there."""

    is_alone: bool

    def client(self, service: Any) -> Any:
        """The client of a service, shared by all threads."""

    def interrupt(self) -> None:
        """End the long polls under way, where that can be done."""

    def close(self) -> None:
        """Nothing more is asked of it."""


class Endpoint:
    """Any endpoint that speaks AWS: MiniStack, LocalStack, AWS itself (credentials and region as boto3 finds them)."""

    is_alone = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = boto3.Session()

    def client(self, service: str) -> Any:
        """A client: path-style buckets, no optional checksums, which not all engines know. Raises Misconfigured."""
        config = Config(
            connect_timeout=5,
            retries={"total_max_attempts": 3},
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=64,
        )
        region = self._session.region_name or "us-east-1"
        try:
            make: Any = self._session.client  # its stubs want a literal for each service
            return make(service, endpoint_url=self._url, region_name=region, config=config)
        except ValueError as error:
            raise Misconfigured(f"endpoint_url = {self._url!r}: {error}") from error

    def interrupt(self) -> None:
        """A long poll over the network ends by itself, within ENDPOINT_LONG_POLL_S."""

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Everything stored, behind its ports.

    ``set_up`` makes table, bucket and command queues, before the first use, and raises Unavailable; ``forget`` drops
    what is remembered of them when they are gone.
    """

    actors: ActorTable
    executions: ExecutionTable
    slots: SlotTable
    tokens: TokenTable
    clients: ClientTable
    permissions: PermissionTable
    nonces: NonceTable
    aliases: AliasTable
    configs: ConfigTable
    clocks: ClockTable
    mailboxes: SqsMailboxes
    rings: SqsRings
    events: SqsEvents
    set_up: Callable[[Iterable[str]], None]
    forget: Callable[[], None]


def storage(source: Source, namespace: str, bucket_name: str) -> Storage:
    """The parts over one table, one bucket and the queues of this namespace (bucket names are global on AWS)."""
    table = Table(source.client("dynamodb"), namespace)
    clocks = ClockTable(table, is_alone=source.is_alone)
    expiry = Clocks(clocks, SystemClock()).real_expiry
    bucket = Bucket(source.client("s3"), bucket_name)
    queues = Queues(source.client("sqs"))
    executions = ExecutionTable(table, bucket, expiry)
    permissions, nonces = PermissionTable(table), NonceTable(table)
    rings, events = SqsRings(queues, namespace), SqsEvents(queues, namespace)

    def set_up(queue_names: Iterable[str]) -> None:
        try:
            table.create(expires=not source.is_alone)
            bucket.create()
            rings.create(queue_names)
            events.create()
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"the AWS endpoint cannot be used: {error}") from error

    def forget() -> None:
        queues.forget_all()
        clocks.forget()

    return Storage(
        actors=ActorTable(table, permissions, nonces),
        executions=executions,
        slots=SlotTable(table, executions),
        tokens=TokenTable(table, expiry),
        clients=ClientTable(table),
        permissions=permissions,
        nonces=nonces,
        aliases=AliasTable(table),
        configs=ConfigTable(table),
        clocks=clocks,
        mailboxes=SqsMailboxes(queues, namespace),
        rings=rings,
        events=events,
        set_up=set_up,
        forget=forget,
    )
