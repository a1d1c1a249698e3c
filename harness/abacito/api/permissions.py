"""``…/permissions`` of actors, aliases and configs: one map, read and written over HTTP."""

from __future__ import annotations

from flask import Blueprint, Response

from abacito.abaco.permission import LEVELS, Level, Resource, level_named
from abacito.api import parameters as p
from abacito.api import wire
from abacito.api.caller import abaco, actor_key, alias_resource
from abacito.api.configs import config_resource

bp = Blueprint("permissions", __name__, url_prefix="/actors")

PREFIX = "Invalid permissions description"
_USER = p.Parameter("user", p.text, "User owning the permission.", required=True)
PARAMETERS = (
    _USER,
    p.Parameter("level", p.text, f"Level of the permission: {LEVELS}", required=True),
)


@bp.get("/<identifier>/permissions")
def get_actor_permissions(identifier: str) -> Response:
    """Who may do what with an actor."""
    return _shown(actor_key(identifier, Level.READ).resource)


@bp.post("/<identifier>/permissions")
def post_actor_permission(identifier: str) -> Response:
    """Give a user a level on an actor; NONE takes it away."""
    return _grant(actor_key(identifier, Level.UPDATE).resource)


@bp.get("/aliases/<name>/permissions")
def get_alias_permissions(name: str) -> Response:
    """Who may do what with an alias."""
    return _shown(alias_resource(name, Level.READ))


@bp.post("/aliases/<name>/permissions")
def post_alias_permission(name: str) -> Response:
    """Give a user a level on an alias."""
    return _grant(alias_resource(name, Level.UPDATE))


@bp.get("/configs/<name>/permissions")
def get_config_permissions(name: str) -> Response:
    """Who may do what with a config."""
    return _shown(config_resource(name, Level.READ))


@bp.post("/configs/<name>/permissions")
def post_config_permission(name: str) -> Response:
    """Give a user a level on a config."""
    return _grant(config_resource(name, Level.UPDATE))


def _shown(resource: Resource) -> Response:
    return wire.ok(dict(abaco().authorization.permissions(resource)), "Permissions retrieved successfully.")


def _grant(resource: Resource) -> Response:
    abaco().authorization.permissions(resource)  # refuses what does not exist, before the body is looked at
    given = p.read(PARAMETERS, PREFIX)
    if given["user"] is None:  # null counts as given, and names nobody
        raise p.refusal(_USER, PREFIX)
    after = abaco().authorization.grant(resource, given["user"], level_named(given["level"]))
    return wire.ok(dict(after), "Permission added successfully.")
