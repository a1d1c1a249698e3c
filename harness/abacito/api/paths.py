"""Paths as the proxy in front of Abaco leaves them: doubled slashes merged, one trailing one cut, ``/v2`` stripped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SLASHES = re.compile("//+")
_VERSION = re.compile(r"^/actors/v2(?=/|$)")


class NormalizedPaths:
    """WSGI middleware: ``/actors`` and ``/actors/v2`` are the same place, without a redirect (http-api §1.6)."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request under its plain path."""
        path = _SLASHES.sub("/", environ.get("PATH_INFO", "") or "/")
        path = path[:-1] if len(path) > 1 and path.endswith("/") else path
        environ["PATH_INFO"] = _VERSION.sub("/actors", path)
        return self._app(environ, start_response)


class OnlyAbaco:
    """WSGI middleware for a listener that containers reach: nothing of ours, only what Abaco and its gateway have."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request; one to our own surface as one to nowhere."""
        path = _SLASHES.sub("/", environ.get("PATH_INFO", ""))
        if path == "/_abacito" or path.startswith("/_abacito/"):
            environ["PATH_INFO"] = "/"
        return self._app(environ, start_response)
