"""``/_abacito/health``: is every part well?"""

from __future__ import annotations

from flask import Blueprint, Response

from abacito.api import wire
from abacito.api.caller import abaco

bp = Blueprint("health", __name__, url_prefix="/_abacito")


@bp.get("/health")
def health() -> Response:
    """200 when all parts are ``ok``, else 503, each part with its word."""
    parts = abaco().health()
    well = all(state == "ok" for state in parts.values())
    body = {"status": "ok" if well else "failing", "parts": parts}
    return wire.bare(body, 200 if well else 503)
