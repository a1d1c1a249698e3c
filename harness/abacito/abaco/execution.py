"""An execution: one run of an actor for one message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from abacito.abaco.actor import ActorKey


class ExecutionStatus(StrEnum):
    """Abaco 1.9: these four, no others. COMPLETE says nothing about success: the exit code does."""

    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"


#: What whoever waits for an execution waits for.
FINAL = frozenset({ExecutionStatus.COMPLETE, ExecutionStatus.ERROR})


@dataclass(frozen=True, slots=True)
class ExecutionKey:
    """What an execution's records hang on; under another actor the same id is not found."""

    actor: ActorKey
    id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a COMPLETE execution. ``runtime`` whole seconds, ``cpu`` ns, ``io`` bytes received."""

    exit_code: int | str
    final_state: Mapping[str, Any]
    start_time: datetime
    finish_time: datetime | None
    runtime: int = 0
    cpu: int = 0
    io: int = 0

    def to_document(self) -> str:
        """As JSON, times as ISO text."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(values, default=datetime.isoformat, separators=(",", ":"))

    @classmethod
    def from_document(cls, document: str) -> Self:
        """The outcome whose ``to_document`` this was."""
        values = json.loads(document)
        values["start_time"] = datetime.fromisoformat(values["start_time"])
        if values["finish_time"]:
            values["finish_time"] = datetime.fromisoformat(values["finish_time"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Execution:
    """One run for one message, which is stored beside it.

    ``worker_id`` is set once, by the claim; ``outcome`` is there when it is COMPLETE.

    ``retryable``: it is in ERROR because its container would not start, keeps its place, and runs after a repair.
    """

    key: ExecutionKey
    executor: str
    api_server: str
    received: datetime
    status: ExecutionStatus = ExecutionStatus.SUBMITTED
    worker_id: str | None = None
    outcome: Outcome | None = None
    retryable: bool = False

    @property
    def id(self) -> str:
        """The id that users see."""
        return self.key.id

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status is ExecutionStatus.COMPLETE or (self.status is ExecutionStatus.ERROR and not self.retryable)

    def to_document(self) -> str:
        """What is fixed from the start, as JSON."""
        fixed = {"executor": self.executor, "api_server": self.api_server, "received": self.received.isoformat()}
        return json.dumps(fixed, separators=(",", ":"))

    @classmethod
    def from_document(cls, key: ExecutionKey, document: str, **later: Any) -> Self:
        """The execution whose ``to_document`` this was, with what came later."""
        fixed = json.loads(document)
        received = datetime.fromisoformat(fixed["received"])
        return cls(key, fixed["executor"], fixed["api_server"], received, **later)
