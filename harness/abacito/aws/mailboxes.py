"""SQS: a FIFO mailbox per actor, and a standard command queue per Abaco queue for the rings."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from abacito.abaco.actor import ActorKey
from abacito.abaco.errors import Unknown
from abacito.abaco.events import Event
from abacito.abaco.ports import Delivery, EventInHand, Ring, RingInHand
from abacito.aws import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient

# AWS: the longest that a queue keeps a message, 14 days (SQS quotas, messages).
_RETENTION_S = 14 * 24 * 3600


class Queues:
    """Names to URLs, each asked for once."""

    def __init__(self, client: SQSClient) -> None:
        self.client = client
        self._urls: dict[str, str] = {}

    def create(self, name: str) -> str:
        """The queue's URL; makes it if it is not there, a FIFO queue where the name says so."""
        fifo = {"FifoQueue": "true"} if name.endswith(keys.FIFO) else {}
        kept = {"MessageRetentionPeriod": str(_RETENTION_S), **fifo}
        self._urls[name] = self.client.create_queue(QueueName=name, Attributes=kept)["QueueUrl"]  # type: ignore[arg-type]
        return self._urls[name]

    def url(self, name: str) -> str | None:
        """The queue's URL; None when there is no such queue."""
        if name not in self._urls:
            try:
                self._urls[name] = self.client.get_queue_url(QueueName=name)["QueueUrl"]
            except ClientError as error:
                _swallow(error, _NO_QUEUE)
                return None
        return self._urls[name]

    def forget(self, name: str) -> None:
        """The queue is gone."""
        self._urls.pop(name, None)

    def forget_all(self) -> None:
        """Every queue is gone."""
        self._urls.clear()


class SqsMailboxes:
    """``ports.Mailboxes`` on FIFO queues. Order comes from the queue: the group is the actor, or the execution."""

    def __init__(self, queues: Queues, namespace: str) -> None:
        self._queues, self._namespace = queues, namespace

    def create(self, actor: ActorKey) -> None:
        """Make the mailbox, if it is not there."""
        self._queues.create(self._name(actor))

    def send(self, actor: ActorKey, execution_id: str, group: str) -> None:
        """Put a message at the end; the deduplication id is the execution. Raises Unknown without a mailbox."""
        sent = self._call("send_message", actor, MessageBody=execution_id, MessageGroupId=group,
                          MessageDeduplicationId=execution_id)  # fmt: skip
        if sent is None:
            raise Unknown(f"No actor found with id: {actor.id}.")

    def receive(self, actor: ActorKey, visibility_s: int) -> Delivery | None:
        """The next message, if one can be had now."""
        answer = self._call("receive_message", actor, VisibilityTimeout=visibility_s, MaxNumberOfMessages=1)
        messages = (answer or {}).get("Messages", [])
        return Delivery(messages[0]["Body"], messages[0]["ReceiptHandle"]) if messages else None

    def delete_message(self, actor: ActorKey, delivery: Delivery) -> None:
        """Done with it."""
        self._call("delete_message", actor, ReceiptHandle=delivery.receipt)

    def release(self, actor: ActorKey, delivery: Delivery) -> None:
        """Make it visible again, in its place."""
        self._call("change_message_visibility", actor, ReceiptHandle=delivery.receipt, VisibilityTimeout=0)

    def count(self, actor: ActorKey) -> int:
        """Waiting or in hand; exact on the embedded engine, approximate on AWS."""
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._call("get_queue_attributes", actor, AttributeNames=wanted)
        return sum(int(n) for n in (answer or {}).get("Attributes", {}).values())

    def delete(self, actor: ActorKey) -> None:
        """Remove the mailbox with all that is in it."""
        self._call("delete_queue", actor)
        self._queues.forget(self._name(actor))

    def _name(self, actor: ActorKey) -> str:
        return keys.mailbox_name(self._namespace, actor.id)

    def _call(self, operation: str, actor: ActorKey, **arguments: Any) -> dict[str, Any] | None:
        """The answer; None when there is no such queue, or the receipt is not good any more."""
        name = self._name(actor)
        url = self._queues.url(name)
        if url is None:
            return None
        try:
            return getattr(self._queues.client, operation)(QueueUrl=url, **arguments)  # type: ignore[no-any-return]
        except ClientError as error:
            _swallow(error, _NO_QUEUE | _STALE_RECEIPT)
            if _code(error) in _NO_QUEUE:
                self._queues.forget(name)
            return None


class SqsRings:
    """``ports.Rings`` on standard queues: a ring may come twice or late, and nothing rests on it."""

    def __init__(self, queues: Queues, namespace: str) -> None:
        self._queues, self._namespace = queues, namespace

    def create(self, names: Iterable[str]) -> None:
        """Make the command queues."""
        for name in names:
            self._queues.create(keys.command_name(self._namespace, name))

    def send(self, queue: str, ring: Ring, delay_s: int = 0) -> None:
        """Ring."""
        body = json.dumps(asdict(ring), separators=(",", ":"))
        self._queues.client.send_message(QueueUrl=self._url(queue), MessageBody=body, DelaySeconds=delay_s)

    def receive(self, queue: str, wait_s: int, visibility_s: int) -> RingInHand | None:
        """The next ring, waiting up to ``wait_s`` for one."""
        answer = self._queues.client.receive_message(
            QueueUrl=self._url(queue), WaitTimeSeconds=wait_s, VisibilityTimeout=visibility_s, MaxNumberOfMessages=1
        )
        for message in answer.get("Messages", []):
            return RingInHand(ring_of(message["Body"]), message["MessageId"], message["ReceiptHandle"], queue)
        return None

    def hide(self, ring: RingInHand, seconds: int) -> None:
        """Keep it for so long; 0 gives it back."""
        self._settle("change_message_visibility", ring, VisibilityTimeout=seconds)

    def delete(self, ring: RingInHand) -> None:
        """Done with it."""
        self._settle("delete_message", ring)

    def count(self, queue: str) -> int:
        """How many wait; approximate on AWS."""
        name = "ApproximateNumberOfMessages"
        answer = self._queues.client.get_queue_attributes(QueueUrl=self._url(queue), AttributeNames=[name])  # type: ignore[list-item] # the stubs want a literal
        return int(answer["Attributes"][name])  # type: ignore[index] # as above

    def _settle(self, operation: str, ring: RingInHand, **arguments: Any) -> None:
        call = getattr(self._queues.client, operation)
        try:
            call(QueueUrl=self._url(ring.queue), ReceiptHandle=ring.receipt, **arguments)
        except ClientError as error:
            _swallow(error, _STALE_RECEIPT)

    def _url(self, queue: str) -> str:
        name = keys.command_name(self._namespace, queue)
        return self._queues.url(name) or self._queues.create(name)


def ring_of(body: str) -> Ring:
    """The ring that a message on a command queue is."""
    found = json.loads(body)
    return Ring(**{**found, "actor": ActorKey(**found["actor"])})


class SqsEvents:
    """``ports.EventQueue`` on one FIFO queue; the group is the actor, so that each one's events stay in order."""

    def __init__(self, queues: Queues, namespace: str) -> None:
        self._queues, self._name = queues, keys.events_name(namespace)

    def create(self) -> None:
        """Make the queue."""
        self._queues.create(self._name)

    def send(self, event: Event, once: str) -> None:
        """Put it at the end."""
        self._queues.client.send_message(
            QueueUrl=self._url(),
            MessageBody=event.to_document(),
            MessageGroupId=event.source.id,
            MessageDeduplicationId=once,
        )

    def receive(self, wait_s: int, visibility_s: int) -> EventInHand | None:
        """The next event, waiting up to ``wait_s`` for one."""
        answer = self._queues.client.receive_message(
            QueueUrl=self._url(), WaitTimeSeconds=wait_s, VisibilityTimeout=visibility_s, MaxNumberOfMessages=1
        )
        for message in answer.get("Messages", []):
            return EventInHand(Event.from_document(message["Body"]), message["ReceiptHandle"])
        return None

    def delete(self, event: EventInHand) -> None:
        """Done with it; it may have been given to somebody else meanwhile."""
        try:
            self._queues.client.delete_message(QueueUrl=self._url(), ReceiptHandle=event.receipt)
        except ClientError as error:
            _swallow(error, _STALE_RECEIPT)

    def _url(self) -> str:
        return self._queues.url(self._name) or self._queues.create(self._name)


# Compared by suffix: engines differ in the prefix ("AWS.SimpleQueueService.").
_NO_QUEUE = {"NonExistentQueue", "QueueDoesNotExist"}
_STALE_RECEIPT = {"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"}


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"].rsplit(".", 1)[-1]


def _swallow(error: ClientError, expected: set[str]) -> None:
    if _code(error) not in expected:
        raise error
