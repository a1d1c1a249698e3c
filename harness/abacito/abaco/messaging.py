"""Posting, counting and purging an actor's messages."""

from __future__ import annotations

import logging
from dataclasses import replace

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorStatus
from abacito.abaco.errors import AbacoError, Malformed
from abacito.abaco.execution import Execution, ExecutionKey, ExecutionStatus
from abacito.abaco.message import Message
from abacito.abaco.ports import ActorRecords, Clock, ExecutionRecords, Mailboxes, Ring, Rings, WorkerSlots

log = logging.getLogger(__name__)


class Messaging:
    """The one way by which a message gets into a mailbox, whoever sends it."""

    def __init__(
        self,
        actors: ActorRecords,
        executions: ExecutionRecords,
        slots: WorkerSlots,
        mailboxes: Mailboxes,
        rings: Rings,
        clock: Clock,
    ) -> None:
        self._actors, self._executions, self._slots = actors, executions, slots
        self._mailboxes, self._rings, self._clock = mailboxes, rings, clock

    def post(self, actor: Actor, executor: str, message: Message, execution_id: str | None = None) -> Execution:
        """Queue one message: an execution, SUBMITTED, that will run once. The actor's status is not looked at.

        The message's variables get ``_abaco_execution_id``. What the store or queue raises leaves nothing behind.
        With an ``execution_id`` it may be posted again: there is one execution, and it runs once.
        """
        execution = self._record(actor, executor, message, execution_id)
        try:
            group = execution.id if actor.stateless else actor.id
            self._mailboxes.send(actor.key, execution.id, group)
        except AbacoError:
            # The send may have arrived all the same; only if nobody claimed the execution is it undone.
            if self._executions.undo(execution.key):
                raise
        self._rings.send(actor.queue, Ring(actor.key))
        log.info("execution %s of actor %s submitted by %s", execution.id, actor.id, executor)
        return execution

    def replay(self, actor: Actor, execution: Execution, executor: str) -> Execution:
        """Run an execution's message again, with the variables that it had of its actor; ids and token are new.

        Raises Malformed for one that has not run, or whose variables were too long to be kept.
        """
        message = self._executions.message(execution.key)
        had = self._executions.had(execution.key)
        if message is None or had is None:
            raise Malformed(f"Execution {execution.id} cannot be run again: what it had of its actor is not known.")
        return self.post(actor, executor, replace(message, pinned=had))

    def outcome_of(self, execution: Execution) -> bytes | str | None:
        """What a synchronous post answers, if it can answer now: the first result, which is thereby gone, else the log.

        A result counts at once, the log only when the execution is final, or nothing will come of it as things are:
        its actor in ERROR, or gone (execution.md §10, http-api §3.3). None: not yet.
        """
        found = self._executions.get(execution.key)  # looked at first: what was sent before the end is there after it
        if found is not None and found.status is ExecutionStatus.SUBMITTED and not self._waits_in_vain(found):
            return None
        result = self._executions.take_result(execution.key, self._clock.now(execution.key.actor.tenant))
        if result is not None:
            return result
        if found is not None and found.status is ExecutionStatus.RUNNING:
            return None
        return self._executions.log(execution.key, self._clock.now(execution.key.actor.tenant))

    def _waits_in_vain(self, execution: Execution) -> bool:
        actor = self._actors.get(execution.key.actor)
        return actor is None or actor.status == ActorStatus.ERROR

    def waiting(self, actor: Actor) -> int:
        """How many messages wait, those that could not be started included; not those in work."""
        held_back = sum(1 for slot in self._slots.list(actor.key) if slot.is_parked)
        return max(0, self._mailboxes.count(actor.key) - self._actors.purge_left(actor.key)) + held_back

    def purge(self, actor: Actor) -> None:
        """Drop the waiting messages; their executions stay SUBMITTED for ever, as in Abaco.

        Not by SQS's PurgeQueue: that may also take what is sent within the next minute.
        """
        before = ids.number(ids.new_id()) or 0
        self._actors.purge(actor.key, before, self._mailboxes.count(actor.key))

    def _record(self, actor: Actor, executor: str, message: Message, execution_id: str | None) -> Execution:
        while True:
            key = ExecutionKey(actor.key, execution_id or ids.new_id())
            variables = {**message.variables, "_abaco_execution_id": key.id}
            own = replace(message, variables=variables)
            execution = Execution(key, executor, actor.api_server, self._clock.now(actor.key.tenant))
            if self._executions.add(execution, own) or execution_id is not None:
                return execution
