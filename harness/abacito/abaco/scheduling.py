"""Cron passes: what falls due becomes messages."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import replace
from datetime import datetime

from abacito.abaco import cron, ids
from abacito.abaco.actor import Actor
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
        scheduled = [each.key for each in self._actors.enrolled() if each.has_cron and not each.is_deleted]
        return sum(self._pass_over(actor) for actor in self._actors.get_many(scheduled))

    def _pass_over(self, actor: Actor) -> bool:
        try:
            next_run = cron.next_execution(actor.cron_next_ex or "")
            step = cron.one_pass(
                cron.read(actor.cron_schedule or ""), next_run, self._clock.now(), is_on=bool(actor.cron_on)
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
