"""``/_abacito/replay``: an execution's message once more, with the environment that it had."""

from __future__ import annotations

from flask import Blueprint, Response, request

from abacito.abaco.actor import ActorKey
from abacito.abaco.permission import Level
from abacito.api import executions, wire
from abacito.api.caller import abaco, actor, caller, identify

bp = Blueprint("replay", __name__, url_prefix="/_abacito")
bp.before_request(identify)


@bp.post("/replay")
def replay() -> Response:
    """``?execution=ID&actor=ID``: the new execution. Without the actor it is looked for among the tenant's."""
    execution_id = request.args.get("execution", "")
    identifier = request.args.get("actor") or _actor_of(execution_id)
    found = actor(identifier, Level.EXECUTE)
    execution = executions.existing(found.key, execution_id, identifier)
    return wire.ok(executions.shown(abaco().messaging.replay(found, execution, caller().username)))


def _actor_of(execution_id: str) -> str:
    key: ActorKey | None = abaco().finding.actor_of(caller().tenant, execution_id)
    return key.id if key else "nobody's"
