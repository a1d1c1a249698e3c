"""What stands before Abaco in production: OAuth clients, and the grants by which they get tokens (clients.md §3)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abacito.abaco.caller import ADMIN
from abacito.abaco.errors import GrantRefused, Malformed, Unknown, WrongPassword
from abacito.abaco.names import LONGEST_NAME_BYTES
from abacito.abaco.tokens import TokenPair, Tokens, User

if TYPE_CHECKING:
    from abacito.abaco.ports import ClientRecords


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client of a user's. ``secret`` is there only when it has just been made; kept is its hash."""

    key: str
    secret_hash: str
    name: str
    owner: str
    tenant: str
    description: str = ""
    tier: str = "Unlimited"
    callback_url: str = ""
    secret: str | None = field(default=None, compare=False)


class Gateway:
    """Accounts, clients and grants of all tenants. A password is compared here, and goes no further."""

    def __init__(
        self,
        clients: ClientRecords,
        tokens: Tokens,
        users: Mapping[tuple[str, str], User],
        tenant: str,
        others: Sequence[str] = (),
    ) -> None:
        self._clients, self._tokens, self._users = clients, tokens, users
        self._tenant, self._others = tenant, others

    def authenticate(self, username: str, password: str) -> User:
        """The account, in the default tenant before all others. Raises WrongPassword, whatever is wrong."""
        own = self._users.get((self._tenant, username))
        others = [user for user in self._users.values() if user.username == username and user is not own]
        for user in [own, *others]:
            if user is not None and _same(user.password, password):
                return user
        raise WrongPassword("Login failed. Please recheck the username and password and try again.")

    def account(self, username: str | None, tenant: str | None) -> User:
        """An account by name, in the default tenant unless told; without a name the first admin's. Raises Malformed."""
        for user in self._users.values():
            is_meant = ADMIN in user.roles if username is None else user.username == username
            if is_meant and user.tenant == (tenant or (user.tenant if username is None else self._tenant)):
                return user
        raise Malformed(f"There is no user {username!r} in tenant {tenant or self._tenant}.")

    def usernames(self, tenant: str) -> Sequence[str]:
        """The accounts of a tenant, by name."""
        return sorted(name for place, name in self._users if place == tenant)

    def tenants(self) -> Sequence[str]:
        """The tenants that anybody knows: the default one first."""
        return list(dict.fromkeys([self._tenant, *self._others, *(place for place, _ in self._users)]))

    def register(
        self,
        user: User,
        name: str,
        description: str = "",
        tier: str = "Unlimited",
        callback_url: str = "",
        *,
        key: str | None = None,
        secret: str | None = None,
    ) -> Client:
        """A new client; key and secret are made up unless given.

        Raises Malformed without a name, or when the user has one of that name, or anybody one of that key.
        """
        if not name:
            raise Malformed("clientName is required.")
        if len(name.encode()) > LONGEST_NAME_BYTES:
            raise Malformed(f"clientName is too long: it may have {LONGEST_NAME_BYTES} bytes.")
        secret = secret or secrets.token_urlsafe(21)
        client = Client(
            key=key or secrets.token_urlsafe(21),
            secret_hash=_hash(secret),
            name=name,
            owner=user.username,
            tenant=user.tenant,
            description=description,
            tier=tier,
            callback_url=callback_url,
            secret=secret,
        )
        if not self._clients.add(client):
            raise Malformed(f"Application {name} already exists for the user {user.username}.")
        return client

    def login(self, user: User) -> tuple[Client, TokenPair]:
        """A pair of tokens for this user without his password, and a new client by which it is renewed."""
        client = self.register(user, f"abacito-{secrets.token_hex(4)}")
        return client, self._tokens.issue_pair(user.tenant, user.username, client.key)

    def clients_of(self, user: User) -> Sequence[Client]:
        """The user's clients, by name."""
        return self._clients.list(user.tenant, user.username)

    def client_of(self, user: User, name: str) -> Client:
        """One of them. Raises Unknown."""
        for client in self.clients_of(user):
            if client.name == name:
                return client
        raise Unknown(f"Application {name} not found for the user {user.username}.")

    def remove(self, user: User, name: str) -> None:
        """Remove one of the user's clients. Raises Unknown."""
        self._clients.delete(self.client_of(user, name))

    def token(self, key: str, secret: str, form: Mapping[str, str]) -> TokenPair:
        """What the token endpoint gives for this form. Raises GrantRefused, in OAuth's words."""
        client = self._clients.get(key)
        if client is None or not _same(client.secret_hash, _hash(secret)):
            raise GrantRefused("invalid_client", "A valid OAuth client could not be found for client_id.")
        match form.get("grant_type"):
            case "password":
                user = self._by_password(client, form)
                return self._tokens.issue_pair(user.tenant, user.username, client.key)
            case "refresh_token":
                return self._renewed(client, _given(form, "refresh_token"))
            case "admin_password":
                return self._for_another(client, form)
            case None | "":
                raise GrantRefused("invalid_request", "Missing grant_type parameter value")
            case other:
                raise GrantRefused("unsupported_grant_type", f"Unsupported grant_type value: {other}")

    def _by_password(self, client: Client, form: Mapping[str, str]) -> User:
        # A user store may stand before the name (TACC/jdoe), as service accounts write it.
        username = _given(form, "username").rpartition("/")[2]
        user = self._users.get((client.tenant, username))
        if user is None or not _same(user.password, _given(form, "password")):
            raise GrantRefused("invalid_grant", f"Authentication failed for {username}")
        return user

    def _renewed(self, client: Client, refresh: str) -> TokenPair:
        pair = self._tokens.renew(refresh, client.key)
        if pair is None:
            raise GrantRefused("invalid_grant", "Persisted access token data not found")
        return pair

    def _for_another(self, client: Client, form: Mapping[str, str]) -> TokenPair:
        admin = self._by_password(client, form)
        if ADMIN not in admin.roles:
            raise GrantRefused("unauthorized_client", f"{admin.username} may not have tokens of others")
        username = _given(form, "token_username").rpartition("/")[2]
        if (client.tenant, username) not in self._users:
            raise GrantRefused("invalid_grant", f"There is no user {username}")
        return self._tokens.issue_pair(client.tenant, username, client.key)


def _given(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise GrantRefused("invalid_request", f"Missing parameters: {name}")
    return form[name]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
