"""Abaco as a whole, as its HTTP face sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from abacito.abaco.alias import Aliases
from abacito.abaco.authorization import Authorization
from abacito.abaco.census import Census
from abacito.abaco.config import Configs
from abacito.abaco.faults import Faults
from abacito.abaco.finding import Finding
from abacito.abaco.halting import Halting
from abacito.abaco.messaging import Messaging
from abacito.abaco.news import News
from abacito.abaco.nonce import Nonces
from abacito.abaco.oauth import Gateway
from abacito.abaco.ports import Clock, ExecutionRecords, Pace
from abacito.abaco.registration import Registration
from abacito.abaco.staffing import Staffing
from abacito.abaco.tenant import Tenant
from abacito.abaco.tokens import Tokens
from abacito.abaco.travelling import Travelling


class File(Protocol):
    """Something that can be written to a file."""

    def to_bytes(self) -> bytes:
        """What is written."""


class Worlds(Protocol):
    """All that there is, to be taken and gone back to; and whether any of it is to run."""

    @property
    def is_paused(self) -> bool:
        """Whether messages wait for ``resume``."""

    def pause(self) -> None:
        """Begin nothing; what runs goes on."""

    def resume(self) -> None:
        """Go on."""

    def snapshot(self) -> File:
        """All there is at this instant. Raises Unavailable where it is not ours alone."""

    def restore(self, snapshot: Any) -> None:
        """Have what is in a snapshot or its file, and nothing else. Raises Malformed, Misconfigured, Unavailable."""

    def start_over(self, *, empty: bool) -> None:
        """Go back to what was loaded or seeded, or to nothing. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Abaco:
    """The rules, put together. ``health`` looks at each part and tells its state in a word, ``ok`` when it is well."""

    registration: Registration
    messaging: Messaging
    authorization: Authorization
    aliases: Aliases
    nonces: Nonces
    configs: Configs
    staffing: Staffing
    finding: Finding
    faults: Faults
    census: Census
    tokens: Tokens
    gateway: Gateway
    executions: ExecutionRecords
    halting: Halting
    clock: Clock
    travelling: Travelling
    pace: Pace
    news: News
    tenant: Callable[[str], Tenant]
    health: Callable[[], dict[str, str]]
    worlds: Worlds
