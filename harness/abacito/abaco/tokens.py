"""Access tokens: issued to a user, four hours long, checked at each request."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from abacito.abaco.caller import Caller
from abacito.abaco.errors import Malformed, Unauthenticated

if TYPE_CHECKING:
    from abacito.abaco.ports import Clock, TokenRecords
    from abacito.abaco.tenant import Tenant

#: The production gateway's token life (clients.md §3.1).
TOKEN_LIFE_S = 14_400

# The gateway's own codes and words (clients.md §3.3): by them, and only by them, agavepy refreshes its token.
INVALID_CREDENTIALS = 900_901
MISSING_CREDENTIALS = 900_902


@dataclass(frozen=True, slots=True)
class User:
    """An account of one tenant."""

    username: str
    password: str
    tenant: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is kept of a token: never its text. ``roles`` are those of a user who is in no settings; else None."""

    username: str
    tenant: str
    expires: datetime
    roles: frozenset[str] | None = None


class Tokens:
    """The token service of all tenants."""

    def __init__(self, records: TokenRecords, clock: Clock, users: Mapping[tuple[str, str], User]) -> None:
        self._records, self._clock, self._users = records, clock, users

    def issue(self, tenant: str, username: str, life_s: int = TOKEN_LIFE_S) -> str:
        """A new token of this user's, good for ``life_s`` seconds of the emulator's clock.

        Raises Malformed for a user nobody knows.
        """
        if (tenant, username) not in self._users:
            known = ", ".join(sorted(name for place, name in self._users if place == tenant)) or "none"
            raise Malformed(f"No user {username!r} in tenant {tenant}. Known: {known}.")
        return self._put(tenant, username, life_s, None)

    def issue_to_owner(self, tenant: Tenant, username: str) -> str:
        """A new token for an actor's container. Its owner may be in no settings (assertions name whom they like, users
        are taken out): then it has an ordinary user's role."""
        known = (tenant.name, username) in self._users
        return self._put(tenant.name, username, TOKEN_LIFE_S, None if known else frozenset({tenant.user_role}))

    def _put(self, tenant: str, username: str, life_s: int, roles: frozenset[str] | None) -> str:
        text = secrets.token_hex(16)
        expires = self._clock.now() + timedelta(seconds=life_s)
        self._records.put(_digest(text), StoredToken(username, tenant, expires, roles))
        return text

    def check(self, text: str) -> Caller:
        """Whose token this is. Raises Unauthenticated (900901) for one that is unknown or has expired."""
        token = self._records.get(_digest(text))
        roles = self._roles(token) if token else None
        if token is None or roles is None or token.expires <= self._clock.now():
            raise Unauthenticated("Invalid Credentials", INVALID_CREDENTIALS)
        return Caller(token.username, token.tenant, roles)

    def _roles(self, token: StoredToken) -> frozenset[str] | None:
        user = self._users.get((token.tenant, token.username))
        return user.roles if user else token.roles


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
