"""Paths as the proxy in front of Abaco leaves them: doubled slashes merged, one trailing one cut, versions stripped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from abacito.api.face import V3

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SLASHES = re.compile("//+")
_V2 = re.compile(r"^/actors/v2(?=/|$)")
_V3_ACTORS = re.compile(r"^/v3/actors(?=/|$)")


def plain(path: str) -> str:
    """The path under which the app has this one."""
    return _V3_ACTORS.sub("/actors", _V2.sub("/actors", _merged(path)))


def _merged(path: str) -> str:
    path = _SLASHES.sub("/", path or "/")
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


class NormalizedPaths:
    """WSGI middleware: ``/actors`` and ``/actors/v2`` are the same place, without a redirect (http-api §1.6).

    ``/v3/actors`` too, seen from Tapis v3. With its token header ``/actors`` is v3's as well: tapipy asks for three
    operations without ``/v3``.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request under its plain path."""
        path = _merged(environ.get("PATH_INFO", ""))
        environ[V3] = path.startswith("/v3/") or ("HTTP_X_TAPIS_TOKEN" in environ and path.startswith("/actors"))
        environ["PATH_INFO"] = plain(path)
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
