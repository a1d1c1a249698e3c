"""Aliases: names that stand for an actor wherever an actor's id may stand."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from abacito.abaco import ids
from abacito.abaco.actor import ActorKey
from abacito.abaco.caller import Caller
from abacito.abaco.errors import Malformed, Unauthorized, Unknown
from abacito.abaco.names import check_name
from abacito.abaco.permission import Level, Resource, ResourceKind, is_permitted

if TYPE_CHECKING:
    from abacito.abaco.ports import ActorRecords, AliasRecords, NonceRecords, PermissionRecords
    from abacito.abaco.tenant import Tenant

log = logging.getLogger(__name__)

RESERVED = ("executions", "nonces", "logs", "messages", "adapters", "admin")
FORBIDDEN = tuple("\\ \":/?#[]@!$&'()*+,;=")
# As Abaco prints it: each character in single quotes, nothing escaped.
_FORBIDDEN_SHOWN = "[" + ", ".join(f"'{character}'" for character in FORBIDDEN) + "]"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for an actor, unique in its tenant. The actor may be gone: the alias stays."""

    tenant: str
    name: str
    actor_id: str
    owner: str
    api_server: str

    @property
    def actor(self) -> ActorKey:
        """The actor it stands for."""
        return ActorKey(self.tenant, self.actor_id)

    @property
    def resource(self) -> Resource:
        """What its permissions and nonces hang on: its own, not its actor's."""
        return Resource(ResourceKind.ALIAS, self.tenant, self.name)


class Aliases:
    """Naming actors."""

    def __init__(
        self, aliases: AliasRecords, actors: ActorRecords, permissions: PermissionRecords, nonces: NonceRecords
    ) -> None:
        self._aliases, self._actors, self._permissions, self._nonces = aliases, actors, permissions, nonces

    def list(self, tenant: str) -> Sequence[Alias]:
        """All aliases of a tenant, whoever asks (Abaco 1.9 filters nothing here)."""
        return self._aliases.list(tenant)

    def get(self, tenant: str, name: str) -> Alias:
        """The alias. Raises Unknown."""
        found = self._aliases.get(tenant, name)
        if found is None:
            raise Unknown(f"No alias found: {name}.")
        return found

    def create(self, caller: Caller, tenant: Tenant, name: str, actor_id: str) -> Alias:
        """A new alias, with UPDATE for the caller; the refusals in Abaco's order (http-api-more §1.2).

        The caller needs UPDATE on the actor; the admin role does not help here.
        """
        if ids.number(name) is not None:
            raise Malformed("Invalid alias description. Alias cannot be an Abaco hash id.")
        self._check_actor(caller, tenant, actor_id)
        check_name(name, RESERVED, FORBIDDEN, kind="an alias", name_kind="an alias", shown=_FORBIDDEN_SHOWN)
        alias = Alias(tenant.name, name, actor_id, caller.username, tenant.api_server)
        if not self._aliases.add(alias):
            raise Malformed(f"Alias {name} already exists.")
        self._permissions.set(alias.resource, caller.username, Level.UPDATE)
        log.info("alias %s of actor %s created by %s", name, actor_id, caller.username)
        return alias

    def point(self, caller: Caller, alias: Alias, actor_id: str) -> Alias:
        """The alias stands for another actor from now on; its owner stays, the caller gets UPDATE on it.

        An admin may point it at what does not exist (Abaco 1.9); others need UPDATE on the actor.
        """
        if not caller.is_admin:
            key = ActorKey(alias.tenant, actor_id)
            actor, entries = self._actors.get_for(key, caller.username)
            if actor is None:
                raise Malformed(f"Actor {key.dbid} does not exist")
            if not is_permitted(entries, Level.UPDATE):
                raise Unauthorized(
                    "Not authorized -- you do not have UPDATE access to the actor "
                    "you want to associate with this alias."
                )
        pointed = replace(alias, actor_id=actor_id)
        if not self._aliases.point(pointed):
            raise Unknown(f"No alias found: {alias.name}.")
        self._permissions.set(alias.resource, caller.username, Level.UPDATE)
        return pointed

    def delete(self, alias: Alias) -> str:
        """Remove it with its permissions and nonces; what to tell the user.

        The alias itself goes last, so that one of the same name cannot be made before the rest is gone. Abaco 1.9
        prints the whole record there and keeps the nonces, which a new alias of that name then has: two bugs that
        are not imitated (http-api-more §13, 1 and 3).
        """
        self._nonces.delete_all(alias.resource)
        self._permissions.delete_all(alias.resource)
        self._aliases.delete(alias.tenant, alias.name)
        return f"Alias {alias.name} deleted successfully."

    def _check_actor(self, caller: Caller, tenant: Tenant, actor_id: str) -> None:
        """An alias is not taken for an actor here, so there are no aliases of aliases."""
        known = ids.number(actor_id) is not None
        key = ActorKey(tenant.name, actor_id)
        actor, entries = self._actors.get_for(key, caller.username) if known else (None, ())
        if actor is None:
            raise Unknown(f"No actor found with id: {actor_id}.")
        if not is_permitted(entries, Level.UPDATE):
            raise Unauthorized(f"Not authorized -- you do not have access to {actor_id}.")
