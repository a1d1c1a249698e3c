"""``/v3/tenants`` and ``/v3/sites``: what Tapis v3 clients ask first (clients.md §7.1)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, request

from abacito.abaco.errors import Unknown
from abacito.api import wire
from abacito.api.caller import abaco
from abacito.api.gateway.tenants import code_of

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
