"""``/v3/oauth2``: tokens, clients and users as Tapis v3's authenticator has them (clients.md §7.1)."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint, Response, request

from abacito.abaco.errors import GrantRefused, Malformed, WrongPassword
from abacito.abaco.oauth import Client
from abacito.abaco.tokens import TokenPair, User
from abacito.api import wire
from abacito.api.caller import abaco, bearer
from abacito.api.gateway.basic import credentials
from abacito.api.gateway.mint import claims_of
from abacito.api.gateway.profiles import check_known, profile_of
from abacito.api.gateway.tenants import code_of
from abacito.api.parameters import NOT_JSON, json_body

bp = Blueprint("v3_oauth2", __name__, url_prefix="/v3/oauth2")


@bp.post("/tokens")
def create_tokens() -> Response:
    """Tokens for a password, or for a refresh token of a client's."""
    given = _fields("grant_type")
    if request.authorization is not None:
        return _answer(abaco().gateway.token(*credentials(), given), with_refresh=True)
    if given.get("grant_type") != "password":
        raise Malformed("Only the password grant goes without a client.")
    try:
        user = abaco().gateway.authenticate(given.get("username", ""), given.get("password", ""))
    except WrongPassword as error:
        raise GrantRefused("invalid_grant", str(error)) from error
    return _answer(abaco().tokens.issue_pair(user.tenant, user.username, None), with_refresh=False)


@bp.post("/tokens/revoke")
def revoke_token() -> Response:
    """A token counts no more, whatever it was."""
    abaco().tokens.revoke(_fields("token").get("token", ""))
    return wire.ok("", "Token has been successfully revoked.")


@bp.get("/clients")
def list_clients() -> Response:
    """The caller's clients."""
    return wire.ok([_client(each) for each in abaco().gateway.clients_of(_user())], "Clients retrieved successfully.")


@bp.post("/clients")
def create_client() -> Response:
    """A new client; id and key are made up unless given. The key is shown this once."""
    given = _fields("client_id")
    client_id = given.get("client_id") or secrets.token_urlsafe(12)
    made = abaco().gateway.register(
        _user(),
        client_id,
        given.get("description", ""),
        callback_url=given.get("callback_url", ""),
        key=client_id,
        secret=given.get("client_key"),
    )
    return wire.ok(_client(made), "Client created successfully.")


@bp.get("/clients/<client_id>")
def get_client(client_id: str) -> Response:
    """One of the caller's clients."""
    return wire.ok(_client(abaco().gateway.client_of(_user(), client_id)), "Client object retrieved successfully.")


@bp.delete("/clients/<client_id>")
def delete_client(client_id: str) -> Response:
    """Remove one of the caller's clients."""
    abaco().gateway.remove(_user(), client_id)
    return wire.ok("", f"Client {client_id} deleted successfully.")


@bp.get("/userinfo")
def userinfo() -> Response:
    """The token's user."""
    return wire.ok(_profile(bearer().username), "User profile retrieved successfully.")


@bp.get("/profiles")
def list_profiles() -> Response:
    """The users of the caller's tenant."""
    names = abaco().gateway.usernames(bearer().tenant)
    return wire.ok([_profile(name) for name in names], "Profiles retrieved successfully.")


@bp.get("/profiles/<username>")
def get_profile(username: str) -> Response:
    """One user of the caller's tenant."""
    check_known(username, f"User {username} not found.")
    return wire.ok(_profile(username), "User profile retrieved successfully.")


def _user() -> User:
    who = bearer()
    return abaco().gateway.account(who.username, who.tenant)


def _fields(example: str) -> dict[str, str]:
    """The body's, as texts. Raises Malformed for what is no object; ``example``: one that it may have."""
    body = json_body()
    if body is None or body is NOT_JSON or not isinstance(body, dict):
        raise Malformed(f"The request's body must be a JSON object with {example}.")
    return {name: str(value) for name, value in body.items() if value is not None}


def _answer(pair: TokenPair, *, with_refresh: bool) -> Response:
    result = {"access_token": _token("access_token", pair.access)}
    if with_refresh:
        result["refresh_token"] = _token("refresh_token", pair.refresh)
    return wire.ok(result, "Token created successfully.")


def _token(name: str, text: str) -> dict[str, Any]:
    claims = claims_of(text)
    expires, left_s = abaco().tokens.left(text)
    return {name: text, "expires_in": left_s, "expires_at": expires.isoformat(), "jti": claims["jti"]}


def _client(client: Client) -> dict[str, Any]:
    fields = {
        "active": True,
        "client_id": client.key,
        "display_name": client.name,
        "description": client.description,
        "callback_url": client.callback_url,
        "owner": client.owner,
        "tenant_id": code_of(client.tenant),
    }
    return fields if client.secret is None else {**fields, "client_key": client.secret}


def _profile(username: str) -> dict[str, Any]:
    """Of these only the name is promised; the rest is made up."""
    known = profile_of(username)
    kept = ("username", "email", "phone", "mobile_phone", "create_time", "uid")
    names = {"given_name": known["first_name"], "last_name": known["last_name"], "name": known["full_name"]}
    return {**{name: known[name] for name in kept}, **names}
