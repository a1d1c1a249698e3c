"""``/actors/aliases``: names for actors, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response

from abacito.abaco.alias import Alias
from abacito.abaco.errors import Malformed
from abacito.abaco.permission import Level
from abacito.api import parameters as p
from abacito.api import wire
from abacito.api.caller import abaco, alias_resource, caller, tenant

bp = Blueprint("aliases", __name__, url_prefix="/actors/aliases")

PREFIX = "Invalid alias description. Missing required field"
_ACTOR_ID = p.Parameter(
    "actor_id", p.text, "The human readable id for the actor associated with this alias.", required=True
)
CREATION = (
    p.Parameter("alias", p.text, "Actual alias for the actor; must be unique within a tenant.", required=True),
    _ACTOR_ID,
)
UPDATE = (_ACTOR_ID,)


@bp.get("")
def list_aliases() -> Response:
    """All aliases of the tenant."""
    found = abaco().aliases.list(caller().tenant)
    return wire.ok([shown(each) for each in found], "Aliases retrieved successfully.")


@bp.post("")
def create_alias() -> Response:
    """Name an actor."""
    who = caller()
    given = _read(CREATION)
    created = abaco().aliases.create(who, tenant(), given["alias"], given["actor_id"])
    return wire.ok(shown(created), "Actor alias created successfully.")


@bp.get("/<name>")
def get_alias(name: str) -> Response:
    """One alias; its actor may be gone."""
    return wire.ok(shown(_alias(name, Level.READ)), "Alias retrieved successfully.")


@bp.put("/<name>")
def update_alias(name: str) -> Response:
    """Have an alias stand for another actor."""
    found = _alias(name, Level.UPDATE)
    if "alias" in p.body_for_checks():
        raise Malformed("Invalid alias update description. The alias itself cannot be updated in a PUT request.")
    pointed = abaco().aliases.point(caller(), found, _read(UPDATE)["actor_id"])
    return wire.ok(shown(pointed), "Actor alias updated successfully.")


@bp.delete("/<name>")
def delete_alias(name: str) -> Response:
    """Remove an alias; its actor stays."""
    return wire.ok(None, abaco().aliases.delete(_alias(name, Level.UPDATE)))


def shown(alias: Alias) -> dict[str, Any]:
    """An alias as users see it."""
    links = {
        "self": f"{wire.actors_url(alias.api_server)}/aliases/{alias.name}",
        "owner": wire.profile_url(alias.api_server, alias.owner),
        "actor": wire.actor_url(alias.api_server, alias.actor),
    }
    return wire.shown({"alias": alias.name, "actor_id": alias.actor_id, "owner": alias.owner, "_links": links})


def _alias(name: str, level: Level) -> Alias:
    resource = alias_resource(name, level)
    return abaco().aliases.get(resource.tenant, name)


def _read(table: Sequence[p.Parameter]) -> dict[str, str]:
    """The fields of a body. A null is as good as none; in Abaco 1.9 it counts as present, though it names nothing."""
    given = p.read(table, PREFIX)
    for parameter in table:
        if given[parameter.name] is None:
            raise p.refusal(parameter, PREFIX)
    return given
