"""``ports.PermissionRecords`` on the table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from abacito.abaco.actor import ActorKey
from abacito.abaco.permission import WORLD, Level, Permission, Resource, ResourceKind
from abacito.aws import keys
from abacito.aws.tables import Delete, Item, Put, Table, Value


class PermissionTable:
    """A map's entries beside the thing itself; those on actors a second time by user, for the lists."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def list(self, resource: Resource) -> Sequence[Permission]:
        """The whole map."""
        return [permission(item) for item in self._table.query(keys.resource(resource), keys.PERMISSION)]

    def bearing_on(self, resource: Resource, user: str) -> Sequence[Permission]:
        """The user's own entry and the world's."""
        found = self._table.get_many(keys.permission(resource, name) for name in (user, WORLD))
        return [permission(item) for item in found.values()]

    def set(self, resource: Resource, user: str, level: Level) -> None:
        """Give this user this level; an entry that exists keeps its place in the order."""
        found = self._table.get(keys.permission(resource, user))
        since = int(found["since"]) if found else time.time_ns()
        self._table.transact(*entries(resource, user, level, since))

    def delete_all(self, resource: Resource) -> None:
        """Forget the map; an entry in a user's list goes first, so that a repeated call finds the rest."""
        for entry in self.list(resource):
            for place in _places(resource, entry.user)[::-1]:
                self._table.delete(Delete(place))


def entries(resource: Resource, user: str, level: Level, since: int | None = None) -> Sequence[Put]:
    """The writes by which a user has this level."""
    item: dict[str, Value | None] = {
        "user": user,
        "level": int(level),
        "since": time.time_ns() if since is None else since,
        "actor": resource.name,
    }
    return [Put(place, item) for place in _places(resource, user)]


def permission(item: Item) -> Permission:
    """The entry that an item holds."""
    return Permission(str(item["user"]), Level(int(item["level"])), int(item["since"]))


def _places(resource: Resource, user: str) -> list[keys.Key]:
    own = keys.permission(resource, user)
    if resource.kind is not ResourceKind.ACTOR:
        return [own]
    return [own, keys.user_permission(ActorKey(resource.tenant, resource.name), user)]
