"""``/v3``: the tokens, tenants and sites that Tapis v3 clients ask for (clients.md §7.1)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, request

from abacito.abaco.errors import GrantRefused, Malformed, Unknown, WrongPassword
from abacito.abaco.tokens import TokenPair
from abacito.api import wire
from abacito.api.caller import abaco
from abacito.api.gateway.basic import credentials
from abacito.api.gateway.mint import claims_of
from abacito.api.gateway.tenants import code_of
from abacito.api.parameters import NOT_JSON, json_body

bp = Blueprint("v3", __name__, url_prefix="/v3")

_SITE = "abacito"


@bp.get("/sites")
def list_sites() -> Response:
    """The one site."""
    return wire.ok([_site()], "Sites retrieved successfully.")


@bp.get("/tenants")
def list_tenants() -> Response:
    """All tenants, at the address by which the request came."""
    return wire.ok([_tenant(name) for name in abaco().gateway.tenants()], "Tenants retrieved successfully.")


@bp.get("/tenants/<code>")
def get_tenant(code: str) -> Response:
    """One tenant."""
    for name in abaco().gateway.tenants():
        if code == code_of(name):
            return wire.ok(_tenant(name), "Tenant retrieved successfully.")
    raise Unknown(f"No tenant found with tenant_id {code}.")


@bp.post("/oauth2/tokens")
def create_tokens() -> Response:
    """Tokens for a password, or for a refresh token of a client's."""
    body = json_body()
    if body is None or body is NOT_JSON or not isinstance(body, dict):
        raise Malformed("The request's body must be a JSON object with grant_type.")
    given = {name: str(value) for name, value in body.items() if value is not None}
    if request.authorization is not None:
        return _answer(abaco().gateway.token(*credentials(), given), with_refresh=True)
    if given.get("grant_type") != "password":
        raise Malformed("Only the password grant goes without a client.")
    try:
        user = abaco().gateway.authenticate(given.get("username", ""), given.get("password", ""))
    except WrongPassword as error:
        raise GrantRefused("invalid_grant", str(error)) from error
    return _answer(abaco().tokens.issue_pair(user.tenant, user.username, None), with_refresh=False)


def _answer(pair: TokenPair, *, with_refresh: bool) -> Response:
    result = {"access_token": _token("access_token", pair.access)}
    if with_refresh:
        result["refresh_token"] = _token("refresh_token", pair.refresh)
    return wire.ok(result, "Token created successfully.")


def _token(name: str, text: str) -> dict[str, Any]:
    claims = claims_of(text)
    expires = abaco().tokens.expiry(text) or abaco().clock.now()
    left_s = (expires - abaco().clock.now()).total_seconds()
    return {name: text, "expires_in": round(left_s), "expires_at": expires.isoformat(), "jti": claims["jti"]}


def _site() -> dict[str, Any]:
    base_url = request.host_url.rstrip("/")
    return {
        "site_id": _SITE,
        "primary": True,
        "base_url": base_url,
        "tenant_base_url_template": base_url,
        "site_admin_tenant_id": code_of(abaco().gateway.tenants()[0]),
        "services": ["actors", "authenticator", "tenants", "tokens"],
    }


def _tenant(name: str) -> dict[str, Any]:
    base_url = request.host_url.rstrip("/")
    return {
        "tenant_id": code_of(name),
        "site_id": _SITE,
        "base_url": base_url,
        "public_key": current_app.config["TOKEN_KEY"](),
        "token_service": f"{base_url}/v3/tokens",
        "security_kernel": f"{base_url}/v3/security",
        "authenticator": f"{base_url}/v3/oauth2",
        "owner": "",
        "admin_user": "admin",
        "token_gen_services": ["abaco", "authenticator"],
        "status": "active",
        "description": name,
    }
