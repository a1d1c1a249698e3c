"""Who may do what with an actor."""

from __future__ import annotations

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.caller import Caller
from abacito.abaco.errors import Malformed, Unauthorized, Unknown
from abacito.abaco.permission import Level, is_permitted
from abacito.abaco.ports import ActorRecords
from abacito.abaco.tenant import Tenant

NOT_AUTHORIZED = "Not authorized -- you do not have access to this actor."


class Authorization:
    """The checks that stand before every resource, in Abaco's order (http-api §8.4)."""

    def __init__(self, actors: ActorRecords) -> None:
        self._actors = actors

    def check_role(self, caller: Caller, tenant: Tenant) -> None:
        """Raises Unauthorized for a caller without any role of Abaco's."""
        if not caller.has_abaco_role(tenant.user_role):
            raise Unauthorized("Not authorized -- missing required role.")

    def resolve(self, caller: Caller, identifier: str) -> ActorKey:
        """The actor that a path means. What decodes is an id and is not looked up here (http-api §2.1).

        Raises Unknown for any other word.
        """
        if ids.number(identifier) is None:
            raise Unknown(f"Actor with identifier '{identifier}' not found")
        return ActorKey(caller.tenant, identifier)

    def permit(self, caller: Caller, key: ActorKey, level: Level) -> Actor | None:
        """The actor, for a caller who has this level; None only for an admin, when it does not exist.

        Raises Malformed for what does not exist, Unauthorized for too low a level: Abaco answers 400 to both.
        """
        actor, entries = self._actors.get_for(key, caller.username)
        if caller.is_admin:
            return actor
        if actor is None:
            raise Malformed(f"Actor {key.dbid} does not exist")
        if not is_permitted(entries, level):
            raise Unauthorized(NOT_AUTHORIZED)
        return actor
