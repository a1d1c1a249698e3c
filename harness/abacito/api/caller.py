"""Headers to a Caller, and a path's identifier to an actor: the first beat of every view."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, request

from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.caller import Caller
from abacito.abaco.errors import Unauthenticated, Unauthorized, Unknown
from abacito.abaco.permission import Level
from abacito.abaco.platform import Abaco
from abacito.abaco.registration import check_privileges
from abacito.abaco.tenant import Tenant
from abacito.abaco.tokens import MISSING_CREDENTIALS
from abacito.api.parameters import body_for_checks


def abaco() -> Abaco:
    """The platform behind this app."""
    return cast(Abaco, current_app.extensions["abacito"])


def pass_gateway() -> None:
    """What stands before Abaco in production: a bearer token becomes a user, before any path is looked at.

    OPTIONS needs no one, and a lone nonce passes (http-api §1.8). Raises Unauthenticated.
    """
    if request.method == "OPTIONS":
        return
    token = _bearer_token()
    if token is not None:
        g.caller = abaco().tokens.check(token)
    elif "x-nonce" not in request.args:
        raise Unauthenticated("Missing Credentials", MISSING_CREDENTIALS)


def caller() -> Caller:
    """Who asks, with a role that Abaco knows. Raises Unauthorized."""
    if "caller" not in g:  # a lone nonce has passed the gateway
        raise Unauthorized("Nonce does not exist.")
    found = cast(Caller, g.caller)
    abaco().authorization.check_role(found, tenant())
    return found


def tenant() -> Tenant:
    """The tenant that the request is about."""
    return abaco().tenant(cast(Caller, g.caller).tenant)


def actor_key(identifier: str, level: Level) -> ActorKey:
    """The actor of a path, which may not exist for an admin; for others it does, and they have this level.

    In Abaco's order (http-api §8.4): identifier, role, privileges that the body asks for, permission.
    """
    return _permitted(identifier, level)[0]


def actor(identifier: str, level: Level, missing: str = "No actor found with id: {}.") -> Actor:
    """The same, for what needs the actor itself. Raises Unknown with ``missing`` to an admin."""
    found = _permitted(identifier, level)[1]
    if found is None:
        raise Unknown(missing.format(identifier))
    return found


def _permitted(identifier: str, level: Level) -> tuple[ActorKey, Actor | None]:
    authorization = abaco().authorization
    if "caller" not in g:
        raise Unauthorized("Nonce does not exist.")
    key = authorization.resolve(cast(Caller, g.caller), identifier)
    who = caller()
    if request.method in ("POST", "PUT"):
        check_privileges(who, body_for_checks())
    return key, authorization.permit(who, key, level)


def _bearer_token() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
