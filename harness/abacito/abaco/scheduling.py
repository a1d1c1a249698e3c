"""Cron passes: what falls due becomes messages."""

from __future__ import annotations

import hashlib
import heapq
import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from abacito.abaco import cron, ids
from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.errors import AbacoError, Malformed
from abacito.abaco.message import Message
from abacito.abaco.messaging import Messaging
from abacito.abaco.ports import ActorRecords, Clock

log = logging.getLogger(__name__)

_HOUR_US = 3_600_000_000


class Scheduling:
    """Abaco's cron loop looks every 50 s at every actor that has a schedule, in all tenants (http-api-more §6.4)."""

    def __init__(self, actors: ActorRecords, messaging: Messaging, clock: Clock) -> None:
        self._actors, self._messaging, self._clock = actors, messaging, clock

    def run_pass(self) -> int:
        """One pass; how many messages it has posted. Missed runs are made up one a pass.

        An occurrence is posted once, whoever dies or runs passes at the same time: its execution's id comes from it.
        """
        return sum(self.pass_over(actor) for actor in self._actors.scheduled())

    def agenda(self, tenant: str, until: datetime) -> Agenda:
        """What falls due for this tenant's actors until then, to be run one by one."""
        return Agenda(self, self._actors, self._actors.scheduled(tenant), until)

    def pass_over(self, actor: Actor) -> bool:
        """What a pass does for one actor; whether it has posted."""
        try:
            next_run = cron.next_execution(actor.cron_next_ex or "")
            step = cron.one_pass(
                cron.read(actor.cron_schedule or ""),
                next_run,
                self._clock.now(actor.key.tenant),
                is_on=bool(actor.cron_on),
            )
            if step.runs:
                self._messaging.post(actor, cron.EXECUTOR, _message(actor), _occurrence_id(actor, next_run))
            if step.next is not None:
                self._actors.set_cron(replace(actor, cron_next_ex=cron.display(step.next)))
        except Malformed as error:  # stored by other means than a registration
            log.warning("actor %s has a schedule that cannot be used: %s", actor.id, error)
            return False
        except AbacoError as error:
            log.warning("actor %s: its cron execution waits for the next pass: %s", actor.id, error)
            return False
        return step.runs


class Agenda:
    """The occurrences of some actors' schedules until a time, oldest first."""

    def __init__(self, scheduling: Scheduling, records: ActorRecords, actors: Iterable[Actor], until: datetime) -> None:
        self._scheduling, self._records, self._until = scheduling, records, until
        self._due: list[tuple[datetime, str, ActorKey]] = []
        self._periods: dict[ActorKey, cron.Period] = {}
        for actor in actors:
            self._enter(actor)

    def count(self, limit: int) -> int:
        """How many there are, of those that are off too; counted no further than ``limit``."""
        total = 0
        for due, _, key in self._due:
            while due <= self._until and due < cron.LAST_HOUR and total < limit:
                total, due = total + 1, self._periods[key].after(due)
        return total

    def next_due(self) -> datetime | None:
        """When the oldest one left is due."""
        return self._due[0][0] if self._due else None

    def run(self) -> bool:
        """Run the oldest one, which is due by the clock now; whether it has posted."""
        _, _, key = heapq.heappop(self._due)
        actor = self._records.get(key)
        if actor is None:
            return False
        runs = self._scheduling.pass_over(actor)
        if (after := self._records.get(key)) is not None and after.cron_next_ex != actor.cron_next_ex:
            self._enter(after)
        return runs

    def _enter(self, actor: Actor) -> None:
        try:
            due, period = cron.next_execution(actor.cron_next_ex or ""), cron.read(actor.cron_schedule or "")
        except Malformed:  # a pass says so
            return
        if due <= self._until and due < cron.LAST_HOUR:
            self._periods[actor.key] = period
            heapq.heappush(self._due, (due, ids.sort_key(actor.id), actor.key))


def _message(actor: Actor) -> Message:
    """Neither user, nor assertion header: nobody has asked."""
    variables = {
        "_abaco_Content_Type": "str",
        "_abaco_actor_revision": str(actor.revision),
        "Time_msg_queued": str(time.process_time()),
    }
    return Message(cron.MESSAGE, "str", None, variables)


def _occurrence_id(actor: Actor, due: datetime) -> str:
    """The id of an occurrence's execution: of the hour in which it is due, and always the same."""
    digest = hashlib.sha256(f"{actor.key.dbid} {actor.create_time}".encode()).digest()
    within_hour = int.from_bytes(digest[:8]) % _HOUR_US
    return ids.at(int(due.timestamp()) * 1_000_000 + within_hour, int.from_bytes(digest[8:10]))
