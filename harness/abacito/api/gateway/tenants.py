"""``/tenants``: where each tenant is reached, for anybody who asks."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from abacito.api import wire
from abacito.api.caller import abaco

bp = Blueprint("tenants", __name__, url_prefix="/tenants")


@bp.get("")
def list_tenants() -> Response:
    """All tenants, at the address by which the request came: clients compare it with the one that they were given."""
    return wire.ok([_shown(name) for name in abaco().gateway.tenants()], "Tenants retrieved successfully.")


def _shown(name: str) -> dict[str, Any]:
    base_url = request.host_url.rstrip("/")
    return {
        "id": name,
        "code": code_of(name),
        "name": name,
        "baseUrl": base_url,
        "contact": [],
        "_links": {"self": {"href": f"{base_url}/tenants/{code_of(name)}"}},
    }


def code_of(tenant: str) -> str:
    """The code by which clients know a tenant: ``tacc.prod``."""
    return tenant.lower().replace("-", ".")
