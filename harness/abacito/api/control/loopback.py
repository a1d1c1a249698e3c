"""Who may use what steers the emulator: this machine only, and no page of another site in somebody's browser."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

from abacito.abaco.errors import Unauthorized
from abacito.settings import LOOPBACK


def only_from_here() -> None:
    """Raises Unauthorized unless the request was made to a loopback name (against DNS rebinding) and by no page of
    another origin (against posts across sites)."""
    origin = request.headers.get("Origin")
    asked = urlsplit(f"//{request.host}").hostname
    if asked not in LOOPBACK or (origin is not None and urlsplit(origin).netloc != request.host):
        raise Unauthorized("This part of abacito answers on this machine only: ask it at http://127.0.0.1.")
