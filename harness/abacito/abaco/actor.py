"""An actor: a registered image with its settings, its status and its totals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from abacito.abaco.container import Mount
from abacito.abaco.permission import Resource, ResourceKind


class ActorStatus(StrEnum):
    """Abaco 1.9, codes.py. There is no busy status for actors."""

    SUBMITTED = "SUBMITTED"
    READY = "READY"
    ERROR = "ERROR"
    SHUTTING_DOWN = "SHUTTING_DOWN"


@dataclass(frozen=True, slots=True)
class ActorKey:
    """What an actor's records hang on: the same id in another tenant is another actor."""

    tenant: str
    id: str

    @property
    def dbid(self) -> str:
        """``<TENANT>_<id>``: hidden from the API but for a few texts, and known to containers."""
        return f"{self.tenant}_{self.id}"

    @property
    def resource(self) -> Resource:
        """What its permissions and nonces hang on."""
        return Resource(ResourceKind.ACTOR, self.tenant, self.id)


@dataclass(frozen=True, slots=True)
class Totals:
    """What an actor's executions add up to: all of them by number, the finished ones by figures."""

    executions: int = 0
    runtime_s: int = 0
    cpu_ns: int = 0
    io_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is remembered of every actor ever registered. ``totals`` are those of a deleted one; else None."""

    key: ActorKey
    owner: str
    image: str | None
    link: str = ""
    totals: Totals | None = None

    @property
    def is_deleted(self) -> bool:
        """Whether the actor is gone."""
        return self.totals is not None


@dataclass(frozen=True, slots=True)
class Actor:
    """A registered actor. ``status`` is text: a registration may carry any (http-api §2.2); ActorStatus names ours.

    ``purged_before`` is the number of an id: waiting messages of older executions are dropped, not run. ``is_going``:
    it is being deleted, which its status alone does not tell.
    """

    key: ActorKey
    owner: str
    api_server: str
    image: str | None
    create_time: datetime
    last_update_time: datetime
    name: str | None = None
    description: str | None = ""
    stateless: bool | None = True
    type: str | None = "none"
    link: str | None = ""
    webhook: str | None = ""
    token: bool | str = False
    hints: tuple[str, ...] = ()
    default_environment: Mapping[str, Any] | None = field(default_factory=dict)
    privileged: bool | None = False
    max_workers: int | None = None
    mem_limit: str | None = None
    max_cpus: int | None = None
    queue: str = "default"
    use_container_uid: bool | None = False
    run_as_executor: bool | None = False
    uid: str | None = None
    gid: str | None = None
    tasdir: str | None = None
    log_ex: int | None = None
    cron_schedule: str | None = None
    cron_on: bool | None = False
    cron_next_ex: str | None = None
    mounts: tuple[Mount, ...] = ()
    status: str | None = ActorStatus.SUBMITTED
    status_message: str | None = ""
    state: Any = field(default_factory=dict)
    revision: int = 1
    totals: Totals = Totals()
    purged_before: int = 0
    is_going: bool = False

    @property
    def id(self) -> str:
        """The id that users see."""
        return self.key.id

    @property
    def resource(self) -> Resource:
        """What its permissions and nonces hang on."""
        return self.key.resource

    @property
    def wants_token(self) -> bool:
        """Whether containers get an access token; the text ``false`` counts as false (execution.md §4.2)."""
        return self.token is True or str(self.token).lower() == "true"

    @property
    def is_ready(self) -> bool:
        """Whether its messages may be run now."""
        return self.status == ActorStatus.READY

    def slot_limit(self, max_workers_per_actor: int) -> int:
        """How many containers may run at once: one for a stateful actor, always; else its own figure, if it has one."""
        if not self.stateless:
            return 1
        own = self.max_workers or 0
        return own if own > 0 else max_workers_per_actor

    def to_document(self) -> str:
        """All that only a registration or an update changes, as JSON; the rest are attributes of the record."""
        document = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _APART}
        document["mounts"] = [[m.host_path, m.container_path, m.mode] for m in self.mounts]
        return json.dumps(document, default=datetime.isoformat, separators=(",", ":"))

    @classmethod
    def from_document(cls, key: ActorKey, document: str, **apart: Any) -> Self:
        """The actor whose ``to_document`` this was, with the attributes kept apart from it."""
        values = json.loads(document)
        values["mounts"] = tuple(Mount(*mount) for mount in values["mounts"])
        values["hints"] = tuple(values["hints"])
        for name in ("create_time", "last_update_time"):
            values[name] = datetime.fromisoformat(values[name])
        return cls(key=key, **values, **apart)

    def with_status(self, status: ActorStatus, message: str) -> Self:
        """The same actor, elsewhere in its life."""
        return replace(self, status=status, status_message=message)


_APART = {"key", "status", "status_message", "state", "revision", "totals", "purged_before", "is_going"}
