"""Tokens: issued to a user, four hours long, checked at each request, renewed by a second one."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
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
#: A refresh token's; the gateway's own default is a day.
REFRESH_LIFE_S = 86_400

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
    """What is kept of a token: never its text. ``roles``: in place of those that its user has in the settings.

    Of a refresh token, ``renews`` is the hash of the access token that it renews, and ``client`` whose it is.
    """

    username: str
    tenant: str
    expires: datetime
    roles: frozenset[str] | None = None
    renews: str | None = None
    client: str | None = None


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token and what renews it; ``life_s`` is the first one's."""

    access: str
    refresh: str
    life_s: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token says of itself. ``kind``: access or refresh."""

    username: str
    tenant: str
    kind: str
    issued: datetime
    expires: datetime
    client: str | None = None


def opaque(_: Grant) -> str:
    """A token that says nothing."""
    return secrets.token_hex(16)


class Tokens:
    """The token service of all tenants.

    ``mint`` makes a token's text. What it says is for clients: here a token counts by its hash being stored.
    """

    def __init__(
        self,
        records: TokenRecords,
        clock: Clock,
        users: Mapping[tuple[str, str], User],
        mint: Callable[[Grant], str] = opaque,
        life_s: int = TOKEN_LIFE_S,
    ) -> None:
        self._records, self._clock, self._users = records, clock, users
        self._mint, self.life_s = mint, life_s

    def issue(self, tenant: str, username: str, life_s: int | None = None, roles: frozenset[str] | None = None) -> str:
        """A new token of this user's, good for ``life_s`` seconds of the emulator's clock, with his roles or these.

        Raises Malformed for a user nobody knows, unless it is told what roles he has.
        """
        if roles is None:
            self._check_user(tenant, username)
        return self._put(tenant, username, life_s or self.life_s, roles)

    def issue_to(self, tenant: Tenant, username: str) -> str:
        """A new token for a container. Its user may be in no settings (assertions name whom they like, users are
        taken out): then it has an ordinary user's role."""
        known = (tenant.name, username) in self._users
        return self._put(tenant.name, username, self.life_s, None if known else frozenset({tenant.user_role}))

    def issue_pair(self, tenant: str, username: str, client: str | None) -> TokenPair:
        """A new token of this user's with one that renews it, for the client with this key.

        Raises Malformed for a user nobody knows.
        """
        self._check_user(tenant, username)
        access = self._put(tenant, username, self.life_s, None, client)
        now = self._clock.now(tenant)
        expires = now + timedelta(seconds=REFRESH_LIFE_S)
        refresh = self._mint(Grant(username, tenant, "refresh", now, expires, client))
        stored = StoredToken(username, tenant, expires, renews=_digest(access), client=client)
        self._records.put(_digest(refresh), stored)
        return TokenPair(access, refresh, self.life_s)

    def renew(self, refresh: str, client: str | None) -> TokenPair | None:
        """A new pair for a refresh token of this client's; both of the old pair are void from then on.

        None when it is unknown, expired, another client's, or used before: of two who use it at once, one gets a pair.
        """
        found = self._records.get(_digest(refresh))
        if found is None or found.renews is None or found.client != client or self._has_expired(found):
            return None
        if not self._records.delete(_digest(refresh)):
            return None
        self._records.delete(found.renews)
        return self.issue_pair(found.tenant, found.username, client)

    def revoke(self, text: str) -> None:
        """It counts no more; whatever it was."""
        self._records.delete(_digest(text))

    def check(self, text: str) -> Caller:
        """Whose token this is. Raises Unauthenticated (900901) for one that is unknown, revoked or has expired."""
        token = self._records.get(_digest(text))
        roles = self._roles(token) if token and token.renews is None else None
        if token is None or roles is None or self._has_expired(token):
            is_expired = token is not None and roles is not None
            raise Unauthenticated("Invalid Credentials", INVALID_CREDENTIALS, is_expired=is_expired)
        return Caller(token.username, token.tenant, roles)

    def left(self, text: str) -> tuple[datetime, int]:
        """When a token ends, and the seconds until then. Raises Unauthenticated for one that nobody knows."""
        token = self._records.get(_digest(text))
        if token is None:
            raise Unauthenticated("Invalid Credentials", INVALID_CREDENTIALS)
        return token.expires, round((token.expires - self._clock.now(token.tenant)).total_seconds())

    def owner(self, text: str) -> StoredToken | None:
        """Whose a token is or was, expired or not; None for one that nobody knows."""
        return self._records.get(_digest(text))

    def _has_expired(self, token: StoredToken) -> bool:
        return token.expires <= self._clock.now(token.tenant)

    def _check_user(self, tenant: str, username: str) -> None:
        if (tenant, username) not in self._users:
            known = ", ".join(sorted(name for place, name in self._users if place == tenant)) or "none"
            raise Malformed(f"No user {username!r} in tenant {tenant}. Known: {known}.")

    def _put(
        self, tenant: str, username: str, life_s: int, roles: frozenset[str] | None, client: str | None = None
    ) -> str:
        now = self._clock.now(tenant)
        expires = now + timedelta(seconds=life_s)
        text = self._mint(Grant(username, tenant, "access", now, expires, client))
        self._records.put(_digest(text), StoredToken(username, tenant, expires, roles))
        return text

    def _roles(self, token: StoredToken) -> frozenset[str] | None:
        user = self._users.get((token.tenant, token.username))
        return token.roles if token.roles is not None or user is None else user.roles


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
