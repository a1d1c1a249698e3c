"""Configs and secrets: values that containers of chosen actors find in their environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.caller import Caller
from abacito.abaco.errors import Malformed, Undecipherable, Unknown
from abacito.abaco.names import check_name
from abacito.abaco.permission import Level, Resource, ResourceKind

if TYPE_CHECKING:
    from abacito.abaco.ports import ActorRecords, AliasRecords, Cipher, ConfigRecords, PermissionRecords

RESERVED = ("executions", "nonces", "logs", "messages", "adapters", "admin", "utilization")
FORBIDDEN = tuple(":/?#[]@!$&'()*+,;= ")


@dataclass(frozen=True, slots=True)
class Config:
    """A named value of a tenant. ``actors``: ids and aliases, comma-separated, as typed.

    ``value`` of a secret is its ciphertext, everywhere but in a container.
    """

    tenant: str
    name: str
    value: str | None
    is_secret: bool
    actors: str

    @property
    def resource(self) -> Resource:
        """What its permissions hang on."""
        return Resource(ResourceKind.CONFIG, self.tenant, self.name)

    @property
    def entries(self) -> tuple[str, ...]:
        """The ids and aliases that it names."""
        return tuple(entry.strip() for entry in self.actors.split(","))


class Configs:
    """Making configs, and what of them a container gets."""

    def __init__(
        self,
        configs: ConfigRecords,
        actors: ActorRecords,
        aliases: AliasRecords,
        permissions: PermissionRecords,
        cipher: Cipher,
    ) -> None:
        self._configs, self._actors, self._aliases = configs, actors, aliases
        self._permissions, self._cipher = permissions, cipher

    def list(self, tenant: str) -> Sequence[Config]:
        """All configs of a tenant, whoever asks (Abaco 1.9 filters nothing here)."""
        return self._configs.list(tenant)

    def get(self, tenant: str, name: str, missing: str = "No config found: {}.") -> Config:
        """The config. Raises Unknown."""
        found = self._configs.get(tenant, name)
        if found is None:
            raise Unknown(missing.format(name))
        return found

    def create(self, caller: Caller, config: Config) -> Config:
        """A new config, a secret's value encrypted, with UPDATE for the caller; refusals in Abaco's order.

        No permission on the actors that it names is asked for (Abaco 1.9 drops that check's answer).
        """
        self._check_actors(config)
        check_name(
            config.name,
            RESERVED,
            FORBIDDEN,
            kind="a config",
            name_kind="a config name",
            shown=f"[{''.join(FORBIDDEN)}]",
        )
        kept = self._encrypted(config)
        if not self._configs.add(kept):
            raise Malformed(f"Config {config.name} already exists; please choose another name for your config")
        self._permissions.set(config.resource, caller.username, Level.UPDATE)
        return kept

    def update(self, config: Config) -> Config:
        """Replace value, flag and actors as a whole; permissions stay."""
        self._check_actors(config)
        kept = self._encrypted(config)
        if not self._configs.replace(kept):
            raise Unknown(f"No config found: {config.name}.")
        return kept

    def delete(self, config: Config) -> str:
        """Remove it with its permissions; what to tell the user.

        The config itself goes last, so that one of the same name cannot be made before the rest is gone.
        """
        self._permissions.delete_all(config.resource)
        self._configs.delete(config.tenant, config.name)
        return f"Actor config {config.name} deleted successfully."

    def of(self, actor: Actor) -> Mapping[str, str | None]:
        """What the actor's containers get: name to value, secrets in clear; one that cannot be decrypted is left out.

        Abaco 1.9 compares by substring and over all tenants; here an entry is the actor's id or an alias of it, within
        its tenant (http-api-more §13, 13).
        """
        configs = self._configs.list(actor.key.tenant)
        if not configs:
            return {}
        aliases = self._aliases.list(actor.key.tenant)
        names = {actor.id, *(alias.name for alias in aliases if alias.actor_id == actor.id)}
        found: dict[str, str | None] = {}
        for config in configs:
            if names.intersection(config.entries):
                try:
                    found[config.name] = self._value(config)
                except Undecipherable:  # encrypted with another key; Abaco says nothing either
                    continue
        return found

    def _value(self, config: Config) -> str | None:
        if not config.is_secret or config.value is None:
            return config.value
        return self._cipher.decrypt(config.value)

    def _encrypted(self, config: Config) -> Config:
        if not config.is_secret:
            return config
        return replace(config, value=self._cipher.encrypt(config.value or ""))

    def _check_actors(self, config: Config) -> None:
        for entry in dict.fromkeys(config.entries):  # one look at each, however often it stands there
            if not self._exists(config.tenant, entry):
                raise Unknown(f"No actor or alias found with id: {entry}.")

    def _exists(self, tenant: str, entry: str) -> bool:
        if ids.number(entry) is not None:
            return self._actors.get(ActorKey(tenant, entry)) is not None
        return self._aliases.get(tenant, entry) is not None
