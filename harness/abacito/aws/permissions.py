"""``ports.PermissionRecords`` on the table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from abacito.abaco.actor import ActorKey
from abacito.abaco.permission import WORLD, Level, Permission, Resource, ResourceKind
from abacito.aws import keys
from abacito.aws.tables import Delete, Item, Put, Table, Update, Value, exists, is_new


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
        while True:
            found = self._table.get(keys.permission(resource, user))
            if found is None:
                writes = entries(resource, user, level)
            else:
                first, *others = _puts(resource, user, level, int(found["since"]))
                writes = [Put(first.key, first.item, exists()), *others]
            if not self._table.transact(*writes):
                return

    def delete_all(self, resource: Resource) -> None:
        """Forget the map, entry by entry; a repeated call finds the rest."""
        for entry in self.list(resource):
            own, *by_user = _places(resource, entry.user)
            gone = [Delete(own, exists()), *map(Delete, by_user)]
            self._table.transact(*gone, *_counted(resource, entry.user, -1))


def entries(resource: Resource, user: str, level: Level) -> Sequence[Put | Update]:
    """The writes by which a user who has no entry gets one; a user's entries on actors are counted."""
    first, *others = _puts(resource, user, level, time.time_ns())
    return [Put(first.key, first.item, is_new()), *others, *_counted(resource, user, 1)]


def permission(item: Item) -> Permission:
    """The entry that an item holds."""
    return Permission(str(item["user"]), Level(int(item["level"])), int(item["since"]))


def _puts(resource: Resource, user: str, level: Level, since: int) -> list[Put]:
    item: dict[str, Value | None] = {"user": user, "level": int(level), "since": since, "actor": resource.name}
    return [Put(place, item) for place in _places(resource, user)]


def _counted(resource: Resource, user: str, by: int) -> list[Update]:
    if resource.kind is not ResourceKind.ACTOR:
        return []
    return [Update(keys.user_count(resource.tenant, user), add={"count": by})]


def _places(resource: Resource, user: str) -> list[keys.Key]:
    own = keys.permission(resource, user)
    if resource.kind is not ResourceKind.ACTOR:
        return [own]
    return [own, keys.user_permission(ActorKey(resource.tenant, resource.name), user)]
