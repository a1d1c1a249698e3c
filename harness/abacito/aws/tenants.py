"""``ports.AliasRecords`` and ``ports.ConfigRecords``: what belongs to a tenant as a whole, in its partition."""

from __future__ import annotations

from collections.abc import Sequence

from abacito.abaco.alias import Alias
from abacito.abaco.config import Config
from abacito.aws import keys
from abacito.aws.tables import Delete, Item, Put, Table, Update, Value, exists, is_new


class AliasTable:
    """Aliases by name."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, alias: Alias) -> bool:
        """Put a new alias; False when the tenant has one of that name."""
        item = {
            "name": alias.name,
            "actor_id": alias.actor_id,
            "owner": alias.owner,
            "api_server": alias.api_server,
        }
        return self._table.put(Put(keys.alias(alias.tenant, alias.name), item, is_new()))

    def get(self, tenant: str, name: str) -> Alias | None:
        """The alias."""
        item = self._table.get(keys.alias(tenant, name))
        return _alias(tenant, item) if item else None

    def list(self, tenant: str) -> Sequence[Alias]:
        """A tenant's aliases, by name."""
        return [_alias(tenant, item) for item in self._table.query(keys.tenant(tenant), keys.ALIAS)]

    def point(self, alias: Alias) -> bool:
        """Store the actor that it stands for now; False when it is gone."""
        change = Update(keys.alias(alias.tenant, alias.name), {"actor_id": alias.actor_id}, when=exists())
        return self._table.update(change) is not None

    def delete(self, tenant: str, name: str) -> None:
        """Remove it."""
        self._table.remove(Delete(keys.alias(tenant, name)))


class ConfigTable:
    """Configs by name; secrets come here encrypted."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, config: Config) -> bool:
        """Put a new config; False when the tenant has one of that name."""
        return self._table.put(Put(keys.config(config.tenant, config.name), _item(config), is_new()))

    def get(self, tenant: str, name: str) -> Config | None:
        """The config."""
        item = self._table.get(keys.config(tenant, name))
        return _config(tenant, item) if item else None

    def list(self, tenant: str) -> Sequence[Config]:
        """A tenant's configs, by name."""
        return [_config(tenant, item) for item in self._table.query(keys.tenant(tenant), keys.CONFIG)]

    def replace(self, config: Config) -> bool:
        """Store another content under the same name; False when it is gone."""
        return self._table.put(Put(keys.config(config.tenant, config.name), _item(config), exists()))

    def delete(self, tenant: str, name: str) -> None:
        """Remove it."""
        self._table.remove(Delete(keys.config(tenant, name)))


def _alias(tenant: str, item: Item) -> Alias:
    return Alias(tenant, str(item["name"]), str(item["actor_id"]), str(item["owner"]), str(item["api_server"]))


def _item(config: Config) -> dict[str, Value | None]:
    return {
        "name": config.name,
        "value": config.value,
        "is_secret": config.is_secret,
        "actors": config.actors,
    }


def _config(tenant: str, item: Item) -> Config:
    value = item.get("value")
    return Config(
        tenant,
        str(item["name"]),
        None if value is None else str(value),
        bool(item["is_secret"]),
        str(item["actors"]),
    )
