"""``ports.NonceRecords`` on the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from boto3.dynamodb.conditions import Attr

from abacito.abaco.nonce import UNLIMITED, Nonce
from abacito.abaco.permission import Level, Resource
from abacito.aws import keys
from abacito.aws.tables import Delete, Item, Put, Table, Update, Value, exists, is_new


class NonceTable:
    """Nonces beside their actor or alias, oldest first by key."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, nonce: Nonce) -> bool:
        """Put a new nonce; False when the id is taken."""
        return self._table.put(Put(keys.nonce(nonce.resource, nonce.id), _item(nonce), is_new()))

    def get(self, resource: Resource, nonce_id: str) -> Nonce | None:
        """The nonce, if it is of this actor or alias."""
        try:
            item = self._table.get(keys.nonce(resource, nonce_id))
        except ValueError:  # a word that cannot be a nonce's id stands for none
            return None
        return _nonce(resource, item) if item and item["id"] == nonce_id else None

    def list(self, resource: Resource) -> Sequence[Nonce]:
        """All of them, oldest first."""
        return [_nonce(resource, item) for item in self._table.query(keys.resource(resource), keys.NONCE)]

    def spend(self, nonce: Nonce, now: datetime) -> bool:
        """Take one use by one conditional write."""
        limited = nonce.max_uses != UNLIMITED
        change = Update(
            keys.nonce(nonce.resource, nonce.id),
            {"last_use_time": now.isoformat()},
            add={"current_uses": 1, **({"remaining_uses": -1} if limited else {})},
            when=Attr("remaining_uses").gt(0) if limited else exists(),
        )
        return self._table.update(change) is not None

    def delete(self, resource: Resource, nonce_id: str) -> bool:
        """Remove it; whether it was there."""
        try:
            place = keys.nonce(resource, nonce_id)
        except ValueError:
            return False
        return self._table.remove(Delete(place, Attr("id").eq(nonce_id)))

    def delete_all(self, resource: Resource) -> None:
        """Remove all of them."""
        for nonce in self.list(resource):
            self._table.remove(Delete(keys.nonce(resource, nonce.id)))


def _item(nonce: Nonce) -> dict[str, Value | None]:
    return {
        "id": nonce.id,
        "owner": nonce.owner,
        "roles": json.dumps(nonce.roles),
        "level": int(nonce.level),
        "api_server": nonce.api_server,
        "create_time": nonce.create_time.isoformat(),
        "description": nonce.description,
        "max_uses": nonce.max_uses,
        "remaining_uses": nonce.remaining_uses,
        "current_uses": nonce.current_uses,
        "last_use_time": nonce.last_use_time.isoformat() if nonce.last_use_time else None,
    }


def _nonce(resource: Resource, item: Item) -> Nonce:
    used, description = item.get("last_use_time"), item.get("description")
    return Nonce(
        id=str(item["id"]),
        resource=resource,
        owner=str(item["owner"]),
        roles=tuple(json.loads(str(item["roles"]))),
        level=Level(int(item["level"])),
        api_server=str(item["api_server"]),
        create_time=datetime.fromisoformat(str(item["create_time"])),
        description=None if description is None else str(description),
        max_uses=int(item["max_uses"]),
        remaining_uses=int(item["remaining_uses"]),
        current_uses=int(item["current_uses"]),
        last_use_time=datetime.fromisoformat(str(used)) if used else None,
    )
