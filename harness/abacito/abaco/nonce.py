"""Nonces: links to an actor that anybody may use, so many times, up to a level, on their owner's behalf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from abacito.abaco import ids
from abacito.abaco.caller import Caller
from abacito.abaco.errors import Absent, Malformed, Unauthorized
from abacito.abaco.permission import ALIAS_NONCE_LEVELS, LEVELS, Level, Resource, ResourceKind

if TYPE_CHECKING:
    from abacito.abaco.ports import Clock, NonceRecords
    from abacito.abaco.tenant import Tenant

UNLIMITED = -1
#: The largest integer of MongoDB, where Abaco 1.9 keeps them.
MOST_USES = 2**63 - 1
_NOT_FOUND = "Nonce not found."
_DOES_NOT_EXIST = "Nonce does not exist."


@dataclass(frozen=True, slots=True)
class Nonce:
    """One nonce of an actor or an alias; who redeems it acts as its owner, with his roles at its creation.

    ``max_uses`` and ``remaining_uses`` are -1 when there is no limit.
    """

    id: str
    resource: Resource
    owner: str
    roles: tuple[str, ...]
    level: Level
    api_server: str
    create_time: datetime
    description: str | None = ""
    max_uses: int = UNLIMITED
    remaining_uses: int = UNLIMITED
    current_uses: int = 0
    last_use_time: datetime | None = None


class Nonces:
    """Making nonces and redeeming them."""

    def __init__(self, nonces: NonceRecords, clock: Clock) -> None:
        self._nonces, self._clock = nonces, clock

    def create(
        self,
        caller: Caller,
        tenant: Tenant,
        resource: Resource,
        level: str | None,
        max_uses: int | None,
        description: str | None,
    ) -> Nonce:
        """A new nonce. Raises Malformed for a level that this kind cannot have, and for impossible uses."""
        levels = ALIAS_NONCE_LEVELS if resource.kind is ResourceKind.ALIAS else LEVELS
        if level not in levels:
            raise Malformed(f"Invalid nonce description. The level attribute must be one of: {levels}")
        uses = _uses(max_uses)
        while True:
            nonce = Nonce(
                id=f"{tenant.name}_{ids.new_id()}",
                resource=resource,
                owner=caller.username,
                roles=tuple(sorted(caller.roles)),
                level=Level[level],
                api_server=tenant.api_server,
                create_time=self._clock.now(resource.tenant),
                description=description,
                max_uses=uses,
                remaining_uses=uses,
            )
            if self._nonces.add(nonce):
                return nonce

    def list(self, resource: Resource) -> Sequence[Nonce]:
        """All nonces of an actor or alias in order of creation, used-up ones too."""
        return self._nonces.list(resource)

    def get(self, resource: Resource, nonce_id: str) -> Nonce:
        """The nonce. Raises Absent: Abaco answers 400."""
        found = self._nonces.get(resource, nonce_id)
        if found is None:
            raise Absent(_NOT_FOUND)
        return found

    def delete(self, resource: Resource, nonce_id: str) -> None:
        """Remove it. Raises Absent; Abaco 1.9 fails with 500 there (http-api-more §13, 5)."""
        if not self._nonces.delete(resource, nonce_id):
            raise Absent(_NOT_FOUND)

    def redeem(self, resource: Resource, nonce_id: str, wanted: Level) -> Caller:
        """Spend one use, atomically: two requests never both have the last one. Whom the request acts for.

        Raises Unauthorized; then nothing was spent (http-api §6.2).
        """
        nonce = self._nonces.get(resource, nonce_id)
        if nonce is None:
            raise Unauthorized(_DOES_NOT_EXIST)
        if nonce.level < wanted:
            raise Unauthorized("Nonce does not have sufficient permissions level.")
        if not self._nonces.spend(nonce, self._clock.now(resource.tenant)):
            raise Unauthorized("No remaining uses left for this nonce.")
        return Caller(nonce.owner, resource.tenant, frozenset(nonce.roles))


def tenant_of(nonce_id: str) -> str:
    """The tenant that a nonce's id names: what stands before its last underscore."""
    return nonce_id.rpartition("_")[0]


def _uses(asked: int | None) -> int:
    if asked is None:
        raise Malformed("The max uses parameter must be an integer.")
    if asked == 0 or asked < UNLIMITED:
        raise Malformed("The max uses parameter must be a positive integer or -1 (to denote unlimited uses).")
    if asked > MOST_USES:
        raise Malformed(f"The max uses parameter must be at most {MOST_USES}.")
    return asked
