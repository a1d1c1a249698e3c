"""``/_abacito/snapshot``, ``reset``, ``pause`` and ``resume``: all that there is, and whether any of it is to run."""

from __future__ import annotations

from flask import Blueprint, Response, request

from abacito.abaco.errors import Malformed
from abacito.api import wire
from abacito.api.caller import abaco
from abacito.api.control.loopback import only_from_here
from abacito.api.parameters import json_body

bp = Blueprint("control_worlds", __name__, url_prefix="/_abacito")
bp.before_request(only_from_here)

_EMPTY = {"to": "empty"}


@bp.get("/snapshot")
def save_snapshot() -> Response:
    """All that there is at this instant, as a file for another emulator: actors, executions, logs, state, aliases,
    configs and the time; users' tokens and Python functions are not in it."""
    return Response(abaco().worlds.snapshot().to_bytes(), content_type="application/octet-stream")


@bp.put("/snapshot")
def load_snapshot() -> Response:
    """Have what is in the file, and nothing else; time goes on from when it was saved, and a reset leads back here.
    Where messages wait in it they wait until they are resumed."""
    abaco().worlds.restore(request.get_data())
    return _answer()


@bp.post("/reset")
def reset() -> Response:
    """Go back to what was loaded or seeded at the start, or with ``{"to": "empty"}`` to nothing; tokens stay good."""
    body = json_body()
    if body not in (None, {}, _EMPTY):
        raise Malformed('The body is {"to": "empty"}, or there is none: then what was loaded or seeded comes back.')
    abaco().worlds.start_over(empty=body == _EMPTY)
    return _answer()


@bp.get("/pause")
def show_pause() -> Response:
    """Whether messages wait to be resumed."""
    return _answer()


@bp.post("/pause")
def pause() -> Response:
    """Begin nothing: messages wait, what runs goes on."""
    abaco().worlds.pause()
    return _answer()


@bp.post("/resume")
def resume() -> Response:
    """Go on."""
    abaco().worlds.resume()
    return _answer()


def _answer() -> Response:
    return wire.bare({"paused": abaco().worlds.is_paused})
