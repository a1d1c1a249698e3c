"""``/_abacito/wait``: answers when an execution has ended, so that a client need not ask again and again."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request

from abacito.abaco.errors import Malformed
from abacito.abaco.execution import Execution
from abacito.abaco.permission import Level
from abacito.api import executions, wire
from abacito.api.caller import abaco, actor_key, identify

bp = Blueprint("wait", __name__, url_prefix="/_abacito")
bp.before_request(identify)

# A worker in this process tells at once; one elsewhere is noticed by looking.
_LOOK_EVERY_S = 0.25
_LONGEST_S = 60.0


@bp.get("/wait")
def wait() -> Response:
    """``?actor=ID&execution=ID&within=20s``: the execution when it is COMPLETE or in ERROR; if it is not, 408."""
    actor, execution_id = request.args.get("actor", ""), request.args.get("execution", "")
    key = actor_key(actor, Level.READ)
    deadline = abaco().pace.monotonic() + _seconds(request.args.get("within", "20s"))
    while True:
        news = abaco().news.count
        found = executions.existing(key, execution_id, actor)
        if _has_ended(found):
            return wire.ok(executions.shown(found))
        left_s = deadline - abaco().pace.monotonic()
        if left_s <= 0:
            response = wire.ok(executions.shown(found), "The execution has not ended yet.")
            response.status_code = 408
            return response
        abaco().news.wait(news, min(left_s, _LOOK_EVERY_S))


def _has_ended(execution: Execution) -> bool:
    return execution.is_final or execution.retryable


def _seconds(text: str) -> float:
    """``20s`` or ``0.5``, at most a minute. Raises Malformed."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?)s?", text)
    if match is None:
        raise Malformed(f"within={text!r} is no number of seconds, such as 20s")
    return min(float(match[1]), _LONGEST_S)
