"""The HTTP face of Abaco."""

from __future__ import annotations

from flask import Flask, Response, request

from abacito.abaco.platform import Abaco
from abacito.api import (
    actors,
    admin,
    aliases,
    configs,
    executions,
    messages,
    nonces,
    permissions,
    refusals,
    searching,
    state,
    workers,
)
from abacito.api.caller import identify
from abacito.api.control import health, wait
from abacito.api.identity import Identity
from abacito.api.paths import NormalizedPaths

_ABACO = (
    actors.bp,
    admin.bp,
    aliases.bp,
    configs.bp,
    executions.bp,
    messages.bp,
    nonces.bp,
    permissions.bp,
    searching.bp,
    state.bp,
    workers.bp,
)


def create_app(abaco: Abaco, identity: Identity, *, case: str, version_tag: str, accept_nonce: bool = True) -> Flask:
    """The WSGI application. ``case`` is ``camel`` or ``snake``, for the whole instance."""
    app = Flask("abacito", static_folder=None)
    app.config.update(
        CASE=case,
        VERSION_TAG=version_tag,
        ACCEPT_NONCE=accept_nonce,
        MAX_FORM_MEMORY_SIZE=None,  # Abaco itself limits binary messages only (http-api §1.6)
        MAX_FORM_PARTS=None,
    )
    app.extensions["abacito"] = abaco
    app.extensions["abacito-identity"] = identity
    for blueprint in (*_ABACO, health.bp, wait.bp):
        app.register_blueprint(blueprint)
    app.before_request(_gateway)
    app.after_request(_allow_origin)
    refusals.install(app)
    app.wsgi_app = NormalizedPaths(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _gateway() -> None:
    if request.path == "/actors" or request.path.startswith("/actors/"):
        identify()


def _allow_origin(response: Response) -> Response:
    """CORS as Abaco has it (http-api-more §10): the Origin echoed, or a star; preflights need nobody."""
    origin = request.headers.get("Origin")
    response.headers["Access-Control-Allow-Origin"] = origin or "*"
    if origin:
        response.vary.add("Origin")
    if "Allow" in response.headers:
        response.headers["Allow"] = ", ".join(sorted(response.allow))
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
        wanted = request.headers.get("Access-Control-Request-Headers")
        if wanted:
            response.headers["Access-Control-Allow-Headers"] = wanted
    return response
