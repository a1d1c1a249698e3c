"""``ports.ActorRecords`` and ``ports.TokenRecords`` on the table."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime

from boto3.dynamodb.conditions import Attr

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey, ActorStatus, Totals
from abacito.abaco.permission import WORLD, Level, Permission
from abacito.abaco.tokens import StoredToken
from abacito.aws import keys
from abacito.aws.tables import Delete, Item, Put, Table, Update, Value, exists, is_new


class ActorTable:
    """Actors with their totals, and the permission map twice: by actor, and by user for the lists."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, actor: Actor) -> bool:
        """Put a new actor, with UPDATE for its owner; False when the id is taken."""
        item = {
            "doc": actor.to_document(),
            "status": actor.status,
            "status_message": actor.status_message,
            "state": json.dumps(actor.state),
            "revision": actor.revision,
        }
        writes = [Put(keys.actor(actor.key), item, is_new()), *self._grant(actor.key, actor.owner, Level.UPDATE)]
        return not self._table.transact(*writes)

    def get(self, key: ActorKey) -> Actor | None:
        """The actor as it is now."""
        item = self._table.get(keys.actor(key))
        return _actor(key, item) if item else None

    def get_for(self, key: ActorKey, user: str) -> tuple[Actor | None, Sequence[Permission]]:
        """The actor and the entries of this user and the world, in one read."""
        found = self._table.get_many([keys.actor(key), *(keys.permission(key, name) for name in (user, WORLD))])
        item = found.pop(keys.actor(key), None)
        return (_actor(key, item) if item else None), [_permission(entry) for entry in found.values()]

    def visible_to(self, tenant: str, user: str) -> Sequence[tuple[Actor, Sequence[Permission]]]:
        """The actors that the user's or the world's entries name, oldest first."""
        entries: dict[str, list[Permission]] = {}
        for name in dict.fromkeys((user, WORLD)):
            for entry in self._table.query(keys.user(tenant, name), keys.ACTOR):
                entries.setdefault(str(entry["actor"]), []).append(_permission(entry))
        actor_keys = {keys.actor(ActorKey(tenant, actor)): ActorKey(tenant, actor) for actor in entries}
        found = self._table.get_many(actor_keys)
        actors = [_actor(actor_keys[place], item) for place, item in found.items()]
        return [(actor, entries[actor.id]) for actor in sorted(actors, key=lambda a: ids.sort_key(a.id))]

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
        change = {"status": str(ActorStatus.SHUTTING_DOWN)}
        return self._table.update(Update(keys.actor(key), change, when=exists())) is not None

    def delete(self, key: ActorKey) -> None:
        """Remove actor, permissions and nonces; the actor's own item last, so that a repeated pass finds the rest."""
        for entry in self._table.query(keys.partition(key), keys.PERMISSION):
            username = str(entry["user"])
            self._table.delete(Delete((keys.user(key.tenant, username), _sorted(key))))
            self._table.delete(Delete(keys.permission(key, username)))
        self._table.delete(Delete(keys.actor(key)))

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

    def _grant(self, key: ActorKey, username: str, level: Level) -> list[Put]:
        entry: dict[str, Value | None] = {
            "user": username,
            "level": int(level),
            "since": time.time_ns(),
            "actor": key.id,
        }
        by_user = (keys.user(key.tenant, username), _sorted(key))
        return [Put(keys.permission(key, username), entry), Put(by_user, entry)]


class TokenTable:
    """Tokens by the hash of their text."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, digest: str, token: StoredToken) -> None:
        """Keep a token."""
        item = {"username": token.username, "tenant": token.tenant, "expires": token.expires.isoformat()}
        self._table.put(Put(keys.token(digest), item))

    def get(self, digest: str) -> StoredToken | None:
        """The token, expired or not."""
        item = self._table.get(keys.token(digest))
        if item is None:
            return None
        expires = datetime.fromisoformat(str(item["expires"]))
        return StoredToken(str(item["username"]), str(item["tenant"]), expires)


def _sorted(key: ActorKey) -> str:
    return keys.ACTOR + ids.sort_key(key.id)


def _permission(item: Item) -> Permission:
    return Permission(str(item["user"]), Level(int(item["level"])), int(item["since"]))


def _actor(key: ActorKey, item: Item) -> Actor:
    totals = (int(item.get(name, 0)) for name in ("executions", "runtime", "cpu", "io"))
    return Actor.from_document(
        key,
        str(item["doc"]),
        status=item.get("status"),
        status_message=item.get("status_message"),
        state=json.loads(str(item["state"])),
        revision=int(item["revision"]),
        totals=Totals(*totals),
        purged_before=int(item.get("purged_before", 0)),
    )
