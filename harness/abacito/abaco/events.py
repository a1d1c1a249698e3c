"""Events of actors and executions, for those that have a link or a webhook (execution.md §8)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey, ActorStatus
from abacito.abaco.bookkeeping import display_time
from abacito.abaco.errors import AbacoError
from abacito.abaco.execution import Execution
from abacito.abaco.message import Message

if TYPE_CHECKING:
    from abacito.abaco.linking import Linking
    from abacito.abaco.messaging import Messaging
    from abacito.abaco.ports import ActorRecords, Clock, EventQueue

log = logging.getLogger(__name__)

#: Who such a message names as its sender, and such an execution as its executor.
EXECUTOR = "Abaco Event"
_CONTENT_TYPE = "application/json"


class EventType(StrEnum):
    """Abaco 1.9 declares EXECUTION_STARTED too, and never sends it."""

    ACTOR_READY = "ACTOR_READY"
    ACTOR_ERROR = "ACTOR_ERROR"
    EXECUTION_COMPLETE = "EXECUTION_COMPLETE"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of ``source``. ``payload`` is what its receivers get, keys in Abaco's order.

    ``execution_id`` is the id that the linked actor's execution will have, so that a second delivery makes no second.
    """

    source: ActorKey
    payload: Mapping[str, Any]
    execution_id: str

    @property
    def webhook(self) -> str:
        """Where it is posted to; empty without one."""
        return str(self.payload["_abaco_webhook"])

    def to_document(self) -> str:
        """As JSON; the order of the payload's keys stays."""
        return json.dumps([self.source.tenant, self.source.id, self.execution_id, list(self.payload.items())])

    @classmethod
    def from_document(cls, document: str) -> Self:
        """The event whose ``to_document`` this was."""
        tenant, actor_id, execution_id, payload = json.loads(document)
        return cls(ActorKey(tenant, actor_id), dict(payload), execution_id)


class Webhooks(Protocol):
    """The way out to other people's servers."""

    def post(self, url: str, body: Mapping[str, Any]) -> None:
        """Post JSON, once, within a time limit. Whatever goes wrong is logged."""


class Events:
    """Tells of what happened, if anybody wants to know; nothing is sent for an actor with neither link nor webhook."""

    def __init__(self, queue: EventQueue, linking: Linking, clock: Clock) -> None:
        self._queue, self._linking, self._clock = queue, linking, clock

    def actor_changed(self, actor: Actor) -> None:
        """It has become READY, or has got into ERROR, just now."""
        is_ready = actor.status == ActorStatus.READY
        kind = EventType.ACTOR_READY if is_ready else EventType.ACTOR_ERROR
        first = {"status_message": actor.status_message}
        self._send(actor, {**first, **self._common(actor, kind, {"actor_id": actor.id})}, f"{kind}-{ids.new_id()}")

    def execution_complete(self, actor: Actor, execution: Execution) -> None:
        """It is COMPLETE; safe to repeat."""
        first = {
            "actor_id": actor.id,
            "execution_id": execution.id,
            "status": str(execution.status),
            "exit_code": execution.outcome.exit_code if execution.outcome else None,
        }
        common = self._common(actor, EventType.EXECUTION_COMPLETE, {})
        self._send(actor, {**first, **common}, execution.id)

    def _common(self, actor: Actor, kind: EventType, before_dbid: Mapping[str, str]) -> Mapping[str, Any]:
        now = display_time(self._clock.now(actor.key.tenant))
        return {
            "tenant_id": actor.key.tenant,
            "event_type": str(kind),
            "event_time_utc": now,
            "event_time_display": now,
            **before_dbid,
            "actor_dbid": actor.key.dbid,
        }

    def _send(self, actor: Actor, content: Mapping[str, Any], once: str) -> None:
        if not (actor.link or actor.webhook):
            return
        target = self._linking.target(actor.key.tenant, actor.link) if actor.link else None
        payload = {
            **content,
            "_abaco_link": target.dbid if target else "",
            "_abaco_webhook": actor.webhook or "",
        }
        self._queue.send(Event(actor.key, payload, ids.new_id()), once)


class Delivery:
    """Brings events to their receivers: first the linked actor, then the webhook; neither's failure hinders the other.

    ``api_server`` is what receivers are told as ``_abaco_api_server``.
    """

    def __init__(
        self, actors: ActorRecords, messaging: Messaging, webhooks: Webhooks, api_server: Callable[[], str]
    ) -> None:
        self._actors, self._messaging = actors, messaging
        self._webhooks, self._api_server = webhooks, api_server

    def deliver(self, event: Event) -> None:
        """Deliver; the linked execution has the event's own id, so a repeated delivery is the same one."""
        if event.payload["_abaco_link"]:
            self._to_linked_actor(event)
        if event.webhook:
            body = {**event.payload, "_abaco_Content_Type": _CONTENT_TYPE, "_abaco_username": EXECUTOR}
            self._webhooks.post(event.webhook, {**body, "_abaco_api_server": self._api_server()})

    def _to_linked_actor(self, event: Event) -> None:
        linked = ActorKey(event.source.tenant, str(event.payload["_abaco_link"]).rpartition("_")[2])
        actor = self._actors.get(linked)
        if actor is None:
            log.warning("event of actor %s dropped: its linked actor %s is gone", event.source.id, linked.id)
            return
        variables = {
            "_abaco_Content_Type": _CONTENT_TYPE,
            "_abaco_username": EXECUTOR,
            "_abaco_api_server": self._api_server(),
        }
        message = Message(str(dict(event.payload)), _CONTENT_TYPE, None, variables)
        try:
            self._messaging.post(actor, EXECUTOR, message, event.execution_id)
        except AbacoError as error:
            log.warning("event of actor %s not brought to actor %s: %s", event.source.id, linked.id, error)
