"""``/actors/configs``: configs and secrets over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from abacito.abaco.caller import Caller
from abacito.abaco.config import Config
from abacito.abaco.errors import Unknown
from abacito.abaco.permission import Level, Resource, ResourceKind
from abacito.api import parameters as p
from abacito.api import wire
from abacito.api.caller import abaco, caller

bp = Blueprint("configs", __name__, url_prefix="/actors/configs")

CREATION_PREFIX = "Invalid config description. Missing required field"
#: Says "alias" in Abaco too (http-api-more §3.2).
UPDATE_PREFIX = (
    "Invalid alias description. Could not determine if required fields are present. Is the body valid JSON? Details"
)
_VALUE = p.Parameter(
    "value", p.text, "The value of the config; JSON Serializable. Set as the ENV VAR value.", required=True
)
PARAMETERS = (
    p.Parameter("name", p.text, "Name of the config", required=True),
    _VALUE,
    p.Parameter(
        "is_secret", p.boolean, "Whether the config should be encrypted at rest and not retrievable.", required=True
    ),
    p.Parameter("actors", p.text, "List of actor IDs or aliases that should get this config/secret.", required=True),
)


@bp.get("")
def list_configs() -> Response:
    """All configs of the tenant, secrets as ciphertext."""
    found = abaco().configs.list(_caller().tenant)
    return wire.ok([shown(each) for each in found], "Actor Configs retrieved successfully.")


@bp.post("")
def create_config() -> Response:
    """A new config."""
    who = _caller()
    config = _read(who.tenant, None, CREATION_PREFIX)
    return wire.ok(shown(abaco().configs.create(who, config)), "Actor config created successfully.")


@bp.get("/<name>")
def get_config(name: str) -> Response:
    """One config."""
    resource = config_resource(name, Level.READ)
    return wire.ok(shown(abaco().configs.get(resource.tenant, name)), "Config retrieved successfully.")


@bp.put("/<name>")
def update_config(name: str) -> Response:
    """Replace a config's content; a name in the body is required and does not count."""
    resource = config_resource(name, Level.UPDATE)
    abaco().configs.get(resource.tenant, name)
    updated = abaco().configs.update(_read(resource.tenant, name, UPDATE_PREFIX))
    return wire.ok(shown(updated), "Actor config updated successfully.")


@bp.delete("/<name>")
def delete_config(name: str) -> Response:
    """Remove a config."""
    resource = config_resource(name, Level.UPDATE)
    found = abaco().configs.get(resource.tenant, name, "No config found with name: {}.")
    return wire.ok(None, abaco().configs.delete(found))


def config_resource(name: str, level: Level) -> Resource:
    """A config, for a caller who has this level on it; for an admin, it may not exist."""
    who = _caller()
    resource = Resource(ResourceKind.CONFIG, who.tenant, name)
    abaco().authorization.permit_resource(who, resource, level)
    return resource


def shown(config: Config) -> dict[str, Any]:
    """A config as users see it."""
    fields = {"name": config.name, "value": config.value, "is_secret": config.is_secret, "actors": config.actors}
    return wire.shown(fields)


def _caller() -> Caller:
    """No nonce opens these paths: "configs" is looked up there as an actor's identifier (http-api-more §1.4)."""
    return caller(Unknown("Actor with identifier 'configs' not found"))


def _read(tenant: str, name: str | None, prefix: str) -> Config:
    """The config that the body describes. Null counts as given; where it makes no sense it is refused like absence."""
    given = p.read(PARAMETERS, prefix)
    for parameter in PARAMETERS:
        needs_value = parameter is not _VALUE or given["is_secret"]
        if given[parameter.name] is None and needs_value:
            raise p.refusal(parameter, prefix)
    return Config(tenant, name or given["name"], given["value"], given["is_secret"], given["actors"])
