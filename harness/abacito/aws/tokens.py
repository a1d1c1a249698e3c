"""``ports.TokenRecords`` and ``ports.ClientRecords`` on the table: hashes, never texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from abacito.abaco.oauth import Client
from abacito.abaco.tokens import StoredToken
from abacito.aws import keys
from abacito.aws.tables import EXPIRES_AT, Delete, Expiry, Item, Put, Table, Value, exists, is_new

_CLIENT = ("key", "secret_hash", "name", "owner", "tenant", "description", "tier", "callback_url")


class TokenTable:
    """Tokens by the hash of their text."""

    def __init__(self, table: Table, expiry: Expiry) -> None:
        self._table, self._expiry = table, expiry

    def put(self, digest: str, token: StoredToken) -> None:
        """Keep a token."""
        item: dict[str, Value | None] = {
            "username": token.username,
            "tenant": token.tenant,
            "expires": token.expires.isoformat(),
            "roles": None if token.roles is None else json.dumps(sorted(token.roles)),
            "renews": token.renews,
            "client": token.client,
            EXPIRES_AT: self._expiry(token.tenant, token.expires),
        }
        self._table.put(Put(keys.token(digest), item))

    def get(self, digest: str) -> StoredToken | None:
        """The token, expired or not."""
        item = self._table.get(keys.token(digest))
        if item is None:
            return None
        renews, client = item.get("renews"), item.get("client")
        return StoredToken(
            username=str(item["username"]),
            tenant=str(item["tenant"]),
            expires=datetime.fromisoformat(str(item["expires"])),
            roles=frozenset(json.loads(str(item["roles"]))) if "roles" in item else None,
            renews=None if renews is None else str(renews),
            client=None if client is None else str(client),
        )

    def delete(self, digest: str) -> bool:
        """Forget it; whether it was there."""
        return self._table.remove(Delete(keys.token(digest), exists()))


class ClientTable:
    """OAuth clients, by their owner and name, and by key."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, client: Client) -> bool:
        """Put a new client; False when its owner has one of that name, or anybody one of that key."""
        item = {name: getattr(client, name) for name in _CLIENT}
        return not self._table.transact(
            Put((keys.clients(client.tenant, client.owner), client.name), item, is_new()),
            Put(keys.client(client.key), item, is_new()),
        )

    def get(self, key: str) -> Client | None:
        """The client with this consumer key."""
        item = self._table.get(keys.client(key))
        return _client(item) if item else None

    def list(self, tenant: str, owner: str) -> Sequence[Client]:
        """A user's clients, by name."""
        return [_client(item) for item in self._table.query(keys.clients(tenant, owner))]

    def delete(self, client: Client) -> None:
        """Remove it."""
        self._table.transact(
            Delete((keys.clients(client.tenant, client.owner), client.name)), Delete(keys.client(client.key))
        )


def _client(item: Item) -> Client:
    return Client(**{name: str(item[name]) for name in _CLIENT})
