"""``/_abacito/tokens``: a token for any user, without his password; for tests and for the command line."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, request

from abacito.abaco.errors import Malformed
from abacito.abaco.tokens import User
from abacito.api import wire
from abacito.api.caller import abaco, bearer
from abacito.api.control.loopback import only_from_here
from abacito.api.identity import bearer_token
from abacito.api.parameters import NOT_JSON, json_body

bp = Blueprint("control_tokens", __name__, url_prefix="/_abacito")
bp.before_request(only_from_here)


@bp.post("/tokens")
def create_token() -> Response:
    """``{"username", "tenant", "roles", "ttl_s"}``, all optional: a token of his, with his roles or these. Or
    ``{"like": TOKEN}``: one more of the same user's, with the same roles.

    With ``"client": true`` a pair, and the OAuth client by which it is renewed; with ``"assertion": true`` the header
    that speaks for him where assertions count.
    """
    given = _given()
    user, roles = _user(given)
    facts: dict[str, Any] = {"username": user.username, "tenant": user.tenant}
    if given.get("assertion"):
        return wire.ok({**facts, "headers": current_app.config["ASSERTION_FOR"](user, _life_s(given))})
    if given.get("client"):
        client, pair = abaco().gateway.login(user)
        tokens = {"access_token": pair.access, "refresh_token": pair.refresh, "expires_in": pair.life_s}
        return wire.ok({**facts, **tokens, "client_key": client.key, "client_secret": client.secret})
    life_s = _life_s(given)
    token = abaco().tokens.issue(user.tenant, user.username, life_s, roles)
    return wire.ok({**facts, "access_token": token, "expires_in": life_s or abaco().tokens.life_s})


@bp.get("/tokens")
def show_token() -> Response:
    """Whose the request's bearer token is, and how many seconds it has left."""
    who = bearer()
    _, left_s = abaco().tokens.left(bearer_token(request) or "")
    return wire.ok({"username": who.username, "tenant": who.tenant, "expires_in": left_s})


def _given() -> dict[str, Any]:
    body = json_body()
    if body is NOT_JSON or not (body is None or isinstance(body, dict)):
        raise Malformed('The body must be a JSON object such as {"username": "jdoe", "ttl_s": 60}.')
    return body or {}


def _user(given: dict[str, Any]) -> tuple[User, frozenset[str] | None]:
    """Whom it is for, and the roles that the token has in place of his: of an account none; with ``roles`` anybody,
    who has these; ``like``: whose that token is or was, with what it has."""
    if "like" in given:
        return _owner(given["like"])
    username, tenant, roles = given.get("username"), given.get("tenant"), given.get("roles")
    if not roles:
        return abaco().gateway.account(username, tenant), None
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Malformed(f"roles = {roles!r}: it is a list of texts, such as Internal/everyone.")
    for name, word in (("username", username), ("tenant", tenant)):
        if not isinstance(word, str | None):
            raise Malformed(f"{name} = {word!r}: it is a text.")
    known = abaco().gateway
    name = username or known.account(None, tenant).username
    return _stranger(name, tenant or known.tenants()[0], frozenset(roles))


def _owner(text: Any) -> tuple[User, frozenset[str] | None]:
    owner = abaco().tokens.owner(text) if isinstance(text, str) else None
    if owner is None:
        raise Malformed("like: it is no token that was ever given here.")
    if owner.roles is not None:
        return _stranger(owner.username, owner.tenant, owner.roles)
    return abaco().gateway.account(owner.username, owner.tenant), None


def _stranger(username: str, tenant: str, roles: frozenset[str]) -> tuple[User, frozenset[str]]:
    return User(username, "", tenant, roles), roles


def _life_s(given: dict[str, Any]) -> int | None:
    life_s = given.get("ttl_s")
    if life_s is not None and (isinstance(life_s, bool) or not isinstance(life_s, int) or life_s < 1):
        raise Malformed(f"ttl_s = {life_s!r}: it is a number of seconds, 1 or more.")
    return life_s
