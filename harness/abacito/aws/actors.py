"""``ports.ActorRecords`` on the table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from boto3.dynamodb.conditions import Attr

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey, ActorStatus, Enrolment, Totals
from abacito.abaco.permission import WORLD, Level, Permission
from abacito.aws import keys
from abacito.aws.nonces import NonceTable
from abacito.aws.permissions import PermissionTable, entries, permission
from abacito.aws.tables import Delete, Item, Put, Table, Update, Value, exists, is_new

_TOTALS = ("executions", "runtime", "cpu", "io")


class ActorTable:
    """Actors with their totals, and the register of all that ever were."""

    def __init__(self, table: Table, permissions: PermissionTable, nonces: NonceTable) -> None:
        self._table, self._permissions, self._nonces = table, permissions, nonces

    def add(self, actor: Actor) -> bool:
        """Put a new actor, with UPDATE for its owner; False when the id is taken."""
        put = Put(keys.actor(actor.key), _settings(actor), is_new())
        owners = entries(actor.resource, actor.owner, Level.UPDATE)
        return not self._table.transact(put, _enrolment(actor), _scheduled(actor), *owners)

    def update(self, actor: Actor, *, starts_anew: bool, says: bool) -> bool:
        """Replace all that an update replaces; totals and purges go on, and what a poller may be writing."""
        left = () if starts_anew else ("status", "revision") if says else ("status", "revision", "status_message")
        given = {name: value for name, value in _settings(actor).items() if name not in left}
        changes = {name: value for name, value in given.items() if value is not None}
        absent = tuple(name for name, value in given.items() if value is None)
        update = Update(keys.actor(actor.key), changes, absent, when=exists())
        return not self._table.transact(update, _enrolment(actor), _scheduled(actor))

    def get(self, key: ActorKey) -> Actor | None:
        """The actor as it is now."""
        item = self._table.get(keys.actor(key))
        return _actor(key, item) if item else None

    def get_for(self, key: ActorKey, user: str) -> tuple[Actor | None, Sequence[Permission]]:
        """The actor and the entries of this user and the world, in one read."""
        entries_of_both = [keys.permission(key.resource, name) for name in (user, WORLD)]
        found = self._table.get_many([keys.actor(key), *entries_of_both])
        item = found.pop(keys.actor(key), None)
        return (_actor(key, item) if item else None), [permission(entry) for entry in found.values()]

    def visible_to(self, tenant: str, user: str) -> Sequence[tuple[Actor, Sequence[Permission]]]:
        """The actors that the user's or the world's entries name, oldest first."""
        found: dict[str, list[Permission]] = {}
        for name in dict.fromkeys((user, WORLD)):
            for entry in self._table.query(keys.user(tenant, name), keys.ACTOR):
                found.setdefault(str(entry["actor"]), []).append(permission(entry))
        actors = self.get_many(ActorKey(tenant, actor) for actor in found)
        return [(actor, found[actor.id]) for actor in actors]

    def page_named(self, tenant: str, user: str, skip: int, limit: int) -> tuple[int, Sequence[Actor]]:
        """How many actors have an entry of this user's, and some of them: only those are read."""
        counter = self._table.get(keys.user_count(tenant, user))
        total = int(counter["count"]) if counter else 0
        if skip >= total or not limit:
            return total, []
        entries_of_user = self._table.query(keys.user(tenant, user), keys.ACTOR, min(skip + limit, total))
        named = [ActorKey(tenant, str(entry["actor"])) for entry in entries_of_user]
        return total, self.get_many(named[skip:])

    def get_many(self, wanted: Iterable[ActorKey]) -> Sequence[Actor]:
        """Those of these actors that exist, oldest first."""
        places = {keys.actor(key): key for key in wanted}
        actors = [_actor(places[place], item) for place, item in self._table.get_many(places).items()]
        return sorted(actors, key=lambda actor: ids.sort_key(actor.id))

    def enrolled(self, tenant: str | None = None) -> Sequence[Enrolment]:
        """Every actor ever registered, of one tenant or of all, by tenant and age."""
        return [_enrolled(item) for item in self._table.query(keys.REGISTER, keys.of_tenant(tenant))]

    def scheduled(self, tenant: str | None = None) -> Sequence[Actor]:
        """The actors that have a schedule, by a list of these alone."""
        items = self._table.query(keys.SCHEDULED, keys.of_tenant(tenant))
        return self.get_many(ActorKey(str(item["tenant"]), str(item["actor"])) for item in items)

    def set_cron(self, actor: Actor) -> bool:
        """Store its next cron execution unless it was updated meanwhile."""
        same = exists() & Attr("last_update").eq(actor.last_update_time.isoformat())
        return self._table.update(Update(keys.actor(actor.key), {"doc": actor.to_document()}, when=same)) is not None

    def set_status(self, actor: Actor) -> bool:
        """Store its status and message unless it is gone, going, or was updated meanwhile."""
        same = exists() & Attr("revision").eq(actor.revision) & Attr("status").ne(ActorStatus.SHUTTING_DOWN)
        changes = {"status": str(actor.status), "status_message": actor.status_message or ""}
        return self._table.update(Update(keys.actor(actor.key), changes, when=same)) is not None

    def set_state(self, key: ActorKey, state: object) -> bool:
        """Replace the state. DynamoDB refuses an item over 400 KB; no actor could be started with such a state."""
        return self._table.update(Update(keys.actor(key), {"state": json.dumps(state)}, when=exists())) is not None

    def begin_deletion(self, key: ActorKey) -> bool:
        """SHUTTING_DOWN; False when there is no such actor."""
        change: dict[str, Value] = {"status": str(ActorStatus.SHUTTING_DOWN), "is_going": True}
        return self._table.update(Update(keys.actor(key), change, when=exists())) is not None

    def delete(self, key: ActorKey) -> None:
        """Remove actor, permissions and nonces; the actor's own item last, so that a repeated pass finds the rest."""
        self._nonces.delete_all(key.resource)
        self._permissions.delete_all(key.resource)
        item = self._table.get(keys.actor(key))
        if item is not None:
            totals = {name: int(item.get(name, 0)) for name in _TOTALS}
            self._table.transact(
                Delete(keys.actor(key)),
                Delete(keys.scheduled(key)),
                Update(keys.enrolment(key), {**totals, "deleted": True}, ("link",), when=exists()),
            )

    def purge(self, key: ActorKey, before: int, left: int) -> None:
        """Remember which executions are not to be run."""
        changes = {"purged_before": before, "purge_left": left}
        self._table.update(Update(keys.actor(key), changes, when=exists()))

    def purge_left(self, key: ActorKey) -> int:
        """How many purged messages the queue still holds."""
        item = self._table.get(keys.actor(key))
        return max(0, int(item.get("purge_left", 0))) if item else 0

    def dropped(self, key: ActorKey) -> None:
        """One purged message has left the queue."""
        self._table.update(Update(keys.actor(key), add={"purge_left": -1}, when=exists()))


def _settings(actor: Actor) -> dict[str, Value | None]:
    """All of an actor's item but its totals and purges."""
    return {
        "doc": actor.to_document(),
        "status": actor.status,
        "status_message": actor.status_message,
        "state": json.dumps(actor.state),
        "revision": actor.revision,
        "last_update": actor.last_update_time.isoformat(),
    }


def _enrolment(actor: Actor) -> Put:
    item: dict[str, Value | None] = {
        "tenant": actor.key.tenant,
        "actor": actor.id,
        "owner": actor.owner,
        "image": actor.image,
        "link": actor.link or None,
    }
    return Put(keys.enrolment(actor.key), item)


def _scheduled(actor: Actor) -> Put | Delete:
    place = keys.scheduled(actor.key)
    if not actor.cron_schedule:
        return Delete(place)
    return Put(place, {"tenant": actor.key.tenant, "actor": actor.id})


def _enrolled(item: Item) -> Enrolment:
    image = item.get("image")
    return Enrolment(
        key=ActorKey(str(item["tenant"]), str(item["actor"])),
        owner=str(item["owner"]),
        image=None if image is None else str(image),
        link=str(item.get("link", "")),
        totals=_totals(item) if item.get("deleted") else None,
    )


def _totals(item: Item) -> Totals:
    return Totals(*(int(item.get(name, 0)) for name in _TOTALS))


def _actor(key: ActorKey, item: Item) -> Actor:
    return Actor.from_document(
        key,
        str(item["doc"]),
        status=item.get("status"),
        status_message=item.get("status_message"),
        state=json.loads(str(item["state"])),
        revision=int(item["revision"]),
        totals=_totals(item),
        purged_before=int(item.get("purged_before", 0)),
        is_going=bool(item.get("is_going", False)),
    )
