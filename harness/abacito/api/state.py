"""``/actors/<id>/state``: what a stateful actor remembers, over HTTP."""

from __future__ import annotations

from flask import Blueprint, Response

from abacito.abaco.errors import Malformed
from abacito.abaco.permission import Level
from abacito.api import actors, wire
from abacito.api.caller import abaco, actor
from abacito.api.parameters import NOT_JSON, json_body

bp = Blueprint("state", __name__, url_prefix="/actors/<identifier>/state")


@bp.get("")
def get_state(identifier: str) -> Response:
    """The state; a stateless actor's too, its ``{}``."""
    found = actor(identifier, Level.READ)
    return wire.ok({"state": found.state}, "Actor state retrieved successfully.")


@bp.post("")
def post_state(identifier: str) -> Response:
    """Replace the whole state; the answer is the whole actor."""
    found = actor(identifier, Level.UPDATE)
    abaco().registration.check_stateful(found)
    value = json_body()
    if value is NOT_JSON or not value:  # Abaco takes only what is truthy: a state cannot be emptied here
        raise Malformed("Invalid actor state description: state must be JSON serializable.")
    return wire.ok(actors.shown(abaco().registration.set_state(found, value)), "State updated successfully.")
