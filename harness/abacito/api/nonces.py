"""``…/nonces`` of actors and aliases over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from abacito.abaco.nonce import UNLIMITED, Nonce
from abacito.abaco.permission import Level, Resource, ResourceKind
from abacito.api import parameters as p
from abacito.api import wire
from abacito.api.caller import abaco, actor, actor_key, alias_and_actor, caller, tenant

bp = Blueprint("nonces", __name__, url_prefix="/actors")

PREFIX = "Invalid nonce description"
PARAMETERS = (
    p.Parameter("level", p.text, "Permissions level associated with this nonce (default is EXECUTE)."),
    p.Parameter("max_uses", p.integer, "Maximum number of times this nonce can be redeemed. Default is unlimited."),
    p.Parameter("description", p.text, "Description of this nonce"),
)


@bp.get("/<identifier>/nonces")
def list_nonces(identifier: str) -> Response:
    """All nonces of an actor, oldest first."""
    return _list(actor_key(identifier, Level.READ).resource, "Actor nonces retrieved successfully.")


@bp.post("/<identifier>/nonces")
def create_nonce(identifier: str) -> Response:
    """A new nonce of an actor."""
    return _create(actor(identifier, Level.UPDATE).resource, "Actor nonce created successfully.")


@bp.get("/<identifier>/nonces/<nonce_id>")
def get_nonce(identifier: str, nonce_id: str) -> Response:
    """One nonce of an actor."""
    found = abaco().nonces.get(actor_key(identifier, Level.READ).resource, nonce_id)
    return wire.ok(shown(found), "Actor nonce retrieved successfully.")


@bp.delete("/<identifier>/nonces/<nonce_id>")
def delete_nonce(identifier: str, nonce_id: str) -> Response:
    """Remove a nonce of an actor."""
    abaco().nonces.delete(actor_key(identifier, Level.UPDATE).resource, nonce_id)
    return wire.ok(None, "Actor nonce deleted successfully.")


@bp.get("/aliases/<name>/nonces")
def list_alias_nonces(name: str) -> Response:
    """All nonces of an alias, oldest first."""
    return _list(alias_and_actor(name, Level.READ), "Alias nonces retrieved successfully.")


@bp.post("/aliases/<name>/nonces")
def create_alias_nonce(name: str) -> Response:
    """A new nonce of an alias."""
    return _create(alias_and_actor(name, Level.UPDATE), "Alias nonce created successfully.")


@bp.get("/aliases/<name>/nonces/<nonce_id>")
def get_alias_nonce(name: str, nonce_id: str) -> Response:
    """One nonce of an alias."""
    found = abaco().nonces.get(alias_and_actor(name, Level.READ), nonce_id)
    return wire.ok(shown(found), "Alias nonce retrieved successfully.")


@bp.delete("/aliases/<name>/nonces/<nonce_id>")
def delete_alias_nonce(name: str, nonce_id: str) -> Response:
    """Remove a nonce of an alias."""
    abaco().nonces.delete(alias_and_actor(name, Level.UPDATE), nonce_id)
    return wire.ok(None, "Alias nonce deleted successfully.")


def shown(nonce: Nonce) -> dict[str, Any]:
    """A nonce as users see it. An alias's names no actor, and its links say ``None`` there, as in Abaco."""
    of_alias = nonce.resource.kind is ResourceKind.ALIAS
    url = f"{wire.actors_url(nonce.api_server)}/{None if of_alias else nonce.resource.name}"
    links = {
        "self": f"{url}/nonces/{nonce.id}",
        "owner": wire.profile_url(nonce.api_server, nonce.owner),
        "actor": url,
    }
    used = nonce.last_use_time
    return wire.shown(
        {
            "id": nonce.id,
            "actor_id": None if of_alias else nonce.resource.name,
            **({"alias": nonce.resource.name} if of_alias else {}),
            "api_server": nonce.api_server,
            "owner": nonce.owner,
            "roles": list(nonce.roles),
            "level": nonce.level.name,
            "description": nonce.description,
            "max_uses": nonce.max_uses,
            "remaining_uses": nonce.remaining_uses,
            "current_uses": nonce.current_uses,
            "create_time": wire.time(nonce.create_time),
            "last_use_time": wire.time_or_none_text(used),
            "_links": links,
        }
    )


def _list(resource: Resource, message: str) -> Response:
    return wire.ok([shown(each) for each in abaco().nonces.list(resource)], message)


def _create(resource: Resource, message: str) -> Response:
    given = {"level": "EXECUTE", "max_uses": UNLIMITED, "description": "", **p.read(PARAMETERS, PREFIX)}
    nonce = abaco().nonces.create(caller(), tenant(), resource, given["level"], given["max_uses"], given["description"])
    return wire.ok(shown(nonce), message)
