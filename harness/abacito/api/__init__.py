"""The HTTP face of Abaco."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask, Response, request

from abacito.abaco.platform import Abaco
from abacito.abaco.tokens import User
from abacito.api import (
    actors,
    admin,
    aliases,
    configs,
    executions,
    gateway,
    messages,
    nonces,
    permissions,
    refusals,
    searching,
    state,
    workers,
)
from abacito.api.caller import body_limit, identify
from abacito.api.control import certificate, clock, description, faults, health, metrics, replay, tokens, wait, worlds
from abacito.api.faulty import FaultyAnswers
from abacito.api.identity import Identity
from abacito.api.parameters import limit_body
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

_CONTROL = (
    certificate.bp,
    clock.bp,
    description.bp,
    faults.bp,
    health.bp,
    metrics.bp,
    replay.bp,
    tokens.bp,
    wait.bp,
    worlds.bp,
)


@dataclass(frozen=True, slots=True)
class Instance:
    """What is configured for an instance as a whole, not for one of its tenants.

    ``case``: ``camel`` or ``snake``. ``search_error_status`` answers a search that makes no sense: 500 as in Abaco.
    ``takes_any_tenant``: users name theirs, known or not. ``xml_faults``: the gateway says so in XML, with an older
    one's codes. ``token_key`` tells the public key of tokens, ``ca_pem`` is the certificate that verifies us, both as
    PEM. ``sync_timeout_s``: how long a synchronous post is held, in real seconds; None: until its execution has ended.
    ``assertion_for`` tells the header with a signed assertion for a user, who is to have it so many seconds.
    """

    case: str
    version_tag: str
    accept_nonce: bool = True
    search_error_status: int = 500
    sync_timeout_s: float | None = None
    xml_faults: bool = False
    takes_any_tenant: bool = False
    token_key: Callable[[], str] = str
    ca_pem: str = ""
    assertion_for: Callable[[User, int | None], Mapping[str, str]] | None = None


def create_app(abaco: Abaco, identity: Identity, instance: Instance) -> Flask:
    """The WSGI application."""
    app = Flask("abacito", static_folder=None)
    app.config.update(
        CASE=instance.case,
        VERSION_TAG=instance.version_tag,
        ACCEPT_NONCE=instance.accept_nonce,
        TOKEN_KEY=instance.token_key,
        CA_PEM=instance.ca_pem,
        ASSERTION_FOR=instance.assertion_for,
        SEARCH_ERROR_STATUS=instance.search_error_status,
        SYNC_TIMEOUT_S=math.inf if instance.sync_timeout_s is None else instance.sync_timeout_s,
        TAKES_ANY_TENANT=instance.takes_any_tenant,
        XML_FAULTS=instance.xml_faults,
        MAX_FORM_MEMORY_SIZE=None,  # Abaco itself limits binary messages only (http-api §1.6)
        MAX_FORM_PARTS=None,
    )
    app.extensions["abacito"] = abaco
    app.extensions["abacito-identity"] = identity
    for blueprint in (*_ABACO, *_CONTROL, *gateway.blueprints):
        app.register_blueprint(blueprint)
    app.before_request(_gateway)
    app.after_request(_allow_origin)
    refusals.install(app)
    app.wsgi_app = NormalizedPaths(FaultyAnswers(app.wsgi_app, abaco))  # type: ignore[method-assign]
    return app


def _gateway() -> None:
    if request.path == "/actors" or request.path.startswith("/actors/"):
        identify()
        limit_body(body_limit())


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
