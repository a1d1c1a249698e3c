"""Who may do what with actors, aliases and configs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.caller import Caller
from abacito.abaco.errors import Malformed, Refusal, Unauthorized, Unknown
from abacito.abaco.names import LONGEST_NAME_BYTES
from abacito.abaco.permission import Level, Resource, ResourceKind, as_map, is_permitted
from abacito.abaco.ports import ActorRecords, AliasRecords, ConfigRecords, PermissionRecords
from abacito.abaco.tenant import Tenant

NOT_AUTHORIZED = "Not authorized -- you do not have access to this actor."

_REFUSED = {
    ResourceKind.ACTOR: NOT_AUTHORIZED,
    ResourceKind.ALIAS: "Not authorized -- you do not have access to this alias.",
    ResourceKind.CONFIG: "You do not have sufficient access to this actor config.",
}
_KIND_NAMES = {ResourceKind.ACTOR: "Actor", ResourceKind.ALIAS: "Actor", ResourceKind.CONFIG: "Config"}

# Paths of Abaco's own that a request reaches as if they were identifiers (http-api-more §10).
_NO_IDENTIFIER = {
    "aliases": "Unable to parse actor identifier: is it missing from the URL?",
    "search": "'x-nonce' query parameter on the '/actors/search/{database}' endpoint does not resolve.",
}


@dataclass(frozen=True, slots=True)
class Target:
    """The actor that a path means, and through what it is named: itself, or an alias, whose nonces then count."""

    key: ActorKey
    named_by: Resource


class Authorization:
    """The checks that stand before every resource, in Abaco's order (http-api §8.4)."""

    def __init__(
        self, actors: ActorRecords, aliases: AliasRecords, configs: ConfigRecords, permissions: PermissionRecords
    ) -> None:
        self._actors, self._aliases, self._configs, self._permissions = actors, aliases, configs, permissions

    def check_role(self, caller: Caller, tenant: Tenant) -> None:
        """Raises Unauthorized for a caller without any role of Abaco's."""
        if not caller.has_abaco_role(tenant.user_role):
            raise Unauthorized("Not authorized -- missing required role.")

    def check_admin(self, caller: Caller) -> None:
        """Raises Unauthorized for everybody but admins."""
        if not caller.is_admin:
            raise Unauthorized("Abaco Admin role required.")

    def resolve(self, tenant: str, identifier: str) -> Target:
        """The actor that a path means: what decodes is an id and is not looked up here, all else is an alias.

        Raises Unknown for a word that is neither (http-api §2.1).
        """
        if ids.number(identifier) is not None:
            key = ActorKey(tenant, identifier)
            return Target(key, key.resource)
        if identifier in _NO_IDENTIFIER:
            raise Unknown(_NO_IDENTIFIER[identifier])
        alias = self._aliases.get(tenant, identifier)
        if alias is None:
            raise Unknown(f"Actor with identifier '{identifier}' not found")
        return Target(alias.actor, alias.resource)

    def permit(self, caller: Caller, key: ActorKey, level: Level) -> Actor | None:
        """The actor, for a caller who has this level; None only for an admin, when it does not exist.

        Raises Malformed for what does not exist, Unauthorized for too low a level: Abaco answers 400 to both.
        """
        actor, entries = self._actors.get_for(key, caller.username)
        if caller.is_admin:
            return actor
        if actor is None:
            raise Malformed(_missing(key.resource))
        if not is_permitted(entries, level):
            raise Unauthorized(NOT_AUTHORIZED)
        return actor

    def permit_resource(self, caller: Caller, resource: Resource, level: Level) -> None:
        """Nothing, for a caller who has this level on it. Admins pass, whether it exists or not.

        Raises Malformed and Unauthorized like ``permit``.
        """
        if caller.is_admin:
            return
        if not self._exists(resource):
            raise _unknown(resource)
        if not is_permitted(self._permissions.bearing_on(resource, caller.username), level):
            raise Unauthorized(_REFUSED[resource.kind])

    def permit_alias_and_actor(self, caller: Caller, target: Target, level: Level) -> None:
        """Nothing, for a caller who has this level on an alias and on its actor: what its nonces ask for."""
        if caller.is_admin:
            return
        if not self._exists(target.key.resource):
            raise Malformed(_missing(target.key.resource))
        for resource in (target.named_by, target.key.resource):
            if not is_permitted(self._permissions.bearing_on(resource, caller.username), level):
                raise Unauthorized("Not authorized -- you do not have access to this alias and actor.")

    def alias_resource(self, tenant: str, name: str) -> Resource:
        """What a name under ``/actors/aliases`` means. An actor's id means the actor: Abaco keeps both in one map."""
        if ids.number(name) is not None:
            return ActorKey(tenant, name).resource
        return Resource(ResourceKind.ALIAS, tenant, name)

    def permissions(self, resource: Resource) -> Mapping[str, str]:
        """The whole map. Raises Unknown when there is no such thing, which only an admin comes to see."""
        self._check_exists(resource)
        return as_map(self._permissions.list(resource))

    def grant(self, resource: Resource, user: str, level: Level) -> Mapping[str, str]:
        """Give a user a level, NONE to take it away; the whole map afterwards.

        Raises Unknown like ``permissions``; Abaco 1.9 makes a map for nothing there (http-api-more §2, 8).
        Raises Malformed for a name that is too long for the store.
        """
        self._check_exists(resource)
        if len(user.encode()) > LONGEST_NAME_BYTES:
            raise Malformed(f"The name is too long: a user's may have {LONGEST_NAME_BYTES} bytes.")
        self._permissions.set(resource, user, level)
        return as_map(self._permissions.list(resource))

    def _check_exists(self, resource: Resource) -> None:
        if not self._exists(resource):
            raise Unknown(_missing(resource))

    def _exists(self, resource: Resource) -> bool:
        match resource.kind:
            case ResourceKind.ACTOR:
                return self._actors.get(ActorKey(resource.tenant, resource.name)) is not None
            case ResourceKind.ALIAS:
                return self._aliases.get(resource.tenant, resource.name) is not None
        return self._configs.get(resource.tenant, resource.name) is not None


def _unknown(resource: Resource) -> Refusal:
    """What others than admins are told: an alias fails like any identifier that is none."""
    if resource.kind is ResourceKind.ALIAS:
        return Unknown(f"Actor with identifier '{resource.name}' not found")
    return Malformed(_missing(resource))


def _missing(resource: Resource) -> str:
    return f"{_KIND_NAMES[resource.kind]} {resource.id} does not exist"
