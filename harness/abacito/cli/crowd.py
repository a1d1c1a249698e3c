"""Many actors and executions in an emulator, for the benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey, ActorStatus
from abacito.abaco.execution import Execution, ExecutionKey
from abacito.abaco.message import Message
from abacito.emulator import Emulator

#: One in so many executions is of the one actor that is asked.
_SHARE = 10


class Crowd:
    """So many actors of one user's, written straight into the store; the first has a tenth of all executions."""

    def __init__(self, emulator: Emulator, actors: int, executions: int) -> None:
        self.actors, self.executions = actors, executions
        self._emulator = emulator
        self._client = emulator.client()
        self._asked: ExecutionKey

    def store(self) -> None:
        """Write them."""
        keys = [self._add_actor() for _ in range(self.actors)]
        own = self.executions // _SHARE
        asked = [self._add_execution(keys[0]) for _ in range(own)][own // 2]
        for number in range(self.executions - own):
            self._add_execution(keys[1 + number % (self.actors - 1)])
        self._emulator.stored.executions.set_running(asked)
        self._emulator.stored.executions.publish_log(asked, "hello\n", None)
        self._asked = asked

    def requests(self) -> Sequence[str]:
        """What is asked; ``{actor}`` and ``{execution}`` stand for the ones in question."""
        return (
            "/actors/{actor}",
            "/actors/{actor}/executions/{execution}",
            "/actors/{actor}/executions/{execution}/logs",
            "/actors/{actor}/executions?limit=20",
            "/actors?limit=20",
            "/actors/search/actors?owner=admin&limit=20",
            "/actors/{actor}/executions?status=SUBMITTED&limit=20",
        )

    def get(self, path: str) -> None:
        """Ask. Raises AssertionError when it is not answered with 200."""
        answer = self._client.send("GET", path.format(actor=self._asked.actor.id, execution=self._asked.id))
        assert answer.ok, f"{path}: {answer.text}"

    def _add_actor(self) -> ActorKey:
        admin, now = self._emulator.admin, self._emulator.clock.now()
        actor = Actor(ActorKey(admin.tenant, ids.new_id()), admin.username, self._emulator.url, "image", now, now)
        self._emulator.stored.actors.add(actor.with_status(ActorStatus.READY, " "))
        self._emulator.stored.mailboxes.create(actor.key)
        return actor.key

    def _add_execution(self, actor: ActorKey) -> ExecutionKey:
        now = self._emulator.clock.now()
        execution = Execution(ExecutionKey(actor, ids.new_id()), "admin", self._emulator.url, now)
        self._emulator.stored.executions.add(execution, Message("hello", "str"))
        return execution.key
