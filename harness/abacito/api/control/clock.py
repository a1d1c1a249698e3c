"""``/_abacito/clock``: a tenant's time, to be looked at and moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, request

from abacito.abaco.errors import Malformed
from abacito.abaco.time import moment, span
from abacito.abaco.travelling import Reading
from abacito.api import wire
from abacito.api.caller import abaco
from abacito.api.control.loopback import only_from_here
from abacito.api.identity import bearer_token
from abacito.api.parameters import json_body

bp = Blueprint("control_clock", __name__, url_prefix="/_abacito")
bp.before_request(only_from_here)


@bp.get("/clock")
def show_clock() -> Response:
    """What the clock of ``?tenant=NAME`` shows (by default the token's or the first), how far it is off the machine's
    and whether it stands still."""
    return _answer(abaco().travelling.show(_tenant(request.args.get("tenant"))))


@bp.post("/clock")
def move_clock() -> Response:
    """One of ``{"travel": "4h1m"}``, ``{"at": TIME}``, ``{"freeze": true}`` or a time, ``{"freeze": false}``,
    ``{"tick": "30s"}``, ``{"reset": true}``, with ``"tenant"``, and ``"force"`` for backwards: the clock as it is then,
    and what fell due."""
    given = _given()
    (verb,) = _VERBS.keys() & given.keys()
    tenant, force = _tenant(given.get("tenant")), given.get("force", False)
    if not isinstance(force, bool):
        raise Malformed(f"force = {force!r}: it is true or false.")
    return _answer(_VERBS[verb](tenant, given[verb], force))


def _travel(tenant: str, by: Any, force: bool) -> Reading:
    return abaco().travelling.travel(tenant, span(_text("travel or tick", by)), force=force)


def _at(tenant: str, text: Any, force: bool) -> Reading:
    return abaco().travelling.go_to(tenant, moment(_text("at", text)), force=force)


def _freeze(tenant: str, given: Any, force: bool) -> Reading:
    if given is False:
        return abaco().travelling.unfreeze(tenant)
    at = None if given is True else moment(_text("freeze", given))
    return abaco().travelling.freeze(tenant, at, force=force)


def _reset(tenant: str, given: Any, _: bool) -> Reading:
    if given is not True:
        raise Malformed(f"reset = {given!r}: it is true.")
    return abaco().travelling.reset(tenant)


_VERBS: dict[str, Callable[[str, Any, bool], Reading]] = {
    "travel": _travel,
    "tick": _travel,
    "at": _at,
    "freeze": _freeze,
    "reset": _reset,
}
_OTHERS = frozenset({"tenant", "force"})


def _given() -> dict[str, Any]:
    body = json_body()
    if not isinstance(body, dict) or len(_VERBS.keys() & body.keys()) != 1:
        raise Malformed(
            f'The body must be a JSON object with one of {", ".join(_VERBS)}, such as {{"travel": "4h1m"}}.'
        )
    unknown = sorted(body.keys() - _VERBS.keys() - _OTHERS)
    if unknown:
        raise Malformed(f"Unknown: {', '.join(unknown)}. Known beside one of {', '.join(_VERBS)}: tenant, force.")
    return body


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{name} = {value!r}: it is a text.")
    return value


def _tenant(name: Any) -> str:
    """The one that is named, else that of the request's token, expired or not, else the first."""
    known = abaco().gateway.tenants()
    if name is None:
        owner = abaco().tokens.owner(bearer_token(request) or "")
        return owner.tenant if owner else known[0]
    if name not in known and not (isinstance(name, str) and name and current_app.config["TAKES_ANY_TENANT"]):
        raise Malformed(f"There is no tenant {name!r}. Known: {', '.join(known)}.")
    return str(name)


def _answer(reading: Reading) -> Response:
    facts = {
        "now": reading.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "offset_s": reading.offset.total_seconds(),
        "frozen": reading.is_frozen,
        "cron_runs": reading.cron_runs,
        "logs_swept": reading.logs,
    }
    return wire.bare(facts)
