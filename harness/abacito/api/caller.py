"""Headers to a Caller, and a path's words to what they name: the first beat of every view."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, request

from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.authorization import Target
from abacito.abaco.caller import Caller
from abacito.abaco.errors import Refusal, Unauthenticated, Unauthorized, Unknown
from abacito.abaco.nonce import tenant_of
from abacito.abaco.permission import Level, Resource, ResourceKind
from abacito.abaco.platform import Abaco
from abacito.abaco.registration import check_privileges
from abacito.abaco.tenant import Tenant
from abacito.abaco.tokens import MISSING_CREDENTIALS
from abacito.api.identity import Identity, bearer_token
from abacito.api.parameters import body_for_checks

NO_CREDENTIALS = "No JWT or nonce provided."


def abaco() -> Abaco:
    """The platform behind this app."""
    return cast(Abaco, current_app.extensions["abacito"])


def identify() -> None:
    """Before any path is looked at: whom the request names. Raises Unauthenticated where a gateway refuses."""
    identity = cast(Identity, current_app.extensions["abacito-identity"])
    found = identity.identify(request)
    if found is not None:
        g.caller = found


def bearer() -> Caller:
    """The user of a bearer token, whatever else the instance goes by. Raises Unauthenticated."""
    token = bearer_token(request)
    if token is None:
        raise Unauthenticated("Missing Credentials", MISSING_CREDENTIALS)
    return abaco().tokens.check(token)


def tenant() -> Tenant:
    """The tenant that the request is about."""
    return abaco().tenant(cast(Caller, g.caller).tenant)


def body_limit() -> int:
    """How long a body may be, in bytes: the caller's tenant says it; where nobody is known yet, any tenant's."""
    name = cast(Caller, g.caller).tenant if "caller" in g else ""
    return abaco().tenant(name).max_content_length


def caller(nonce_refusal: Refusal | None = None) -> Caller:
    """Who asks, with a role that Abaco knows, at a path that names no actor.

    A nonce opens none of these: ``nonce_refusal`` says so, by default as a nonce of the path's last word is refused
    (http-api-more §1.4). Raises Unauthorized.
    """
    if "caller" not in g:
        _nonce_id()
        raise nonce_refusal or _refusal_at(request.path.rsplit("/", 1)[-1])
    return _with_role()


def admin() -> None:
    """Raises Unauthorized for everybody but admins."""
    abaco().authorization.check_admin(caller())


def actor_key(identifier: str, level: Level) -> ActorKey:
    """The actor of a path, which may not exist for an admin; for others it does, and they have this level.

    In Abaco's order (http-api §8.4): identity, identifier, role, privileges that the body asks for, permission.
    """
    return _permitted(identifier, level)[0].key


def actor(identifier: str, level: Level, missing: str = "No actor found with id: {}.") -> Actor:
    """The same, for what needs the actor itself. Raises Unknown with ``missing`` to an admin."""
    found = _permitted(identifier, level)[1]
    if found is None:
        raise Unknown(missing.format(identifier))
    return found


def actor_for_admin(identifier: str, refusal: str) -> Actor:
    """The same, for what only the admin role may do, whatever the permissions. Raises Unauthorized with ``refusal``."""
    target = _identified(identifier)
    if not _with_role().is_admin:
        raise Unauthorized(refusal)
    found = abaco().authorization.permit(caller(), target.key, Level.UPDATE)
    if found is None:
        raise Unknown(f"No actor found with id: {identifier}.")
    return found


def alias_resource(name: str, level: Level) -> Resource:
    """What a name under ``/actors/aliases`` means, for a caller who has this level on it; for an admin, it may not
    exist. Raises Unknown, Malformed, Unauthorized."""
    resource = _identified_alias(name)
    abaco().authorization.permit_resource(_with_role(), resource, level)
    return resource


def alias_and_actor(name: str, level: Level) -> Resource:
    """The same, for what asks for this level on the alias and on its actor: its nonces. An admin's exists too."""
    resource = _identified_alias(name)
    who = _with_role()
    if resource.kind is ResourceKind.ALIAS and not who.is_admin:
        abaco().authorization.permit_alias_and_actor(who, abaco().authorization.resolve(who.tenant, name), level)
    return abaco().aliases.get(who.tenant, name).resource


def _permitted(identifier: str, level: Level) -> tuple[Target, Actor | None]:
    target = _identified(identifier)
    who = _with_role()
    if request.method in ("POST", "PUT"):
        check_privileges(who, body_for_checks())
    return target, abaco().authorization.permit(who, target.key, level)


def _with_role() -> Caller:
    """The caller, once it is known who that is."""
    found = cast(Caller, g.caller)
    abaco().authorization.check_role(found, tenant())
    if "admin" in request.path:  # Abaco 1.9, auth.py: anywhere in the path
        abaco().authorization.check_admin(found)
    return found


def _identified(identifier: str) -> Target:
    """What the identifier means; with a nonce in place of credentials, one use of it is spent here."""
    if "caller" in g:
        return abaco().authorization.resolve(cast(Caller, g.caller).tenant, identifier)
    nonce_id = _nonce_id()
    target = abaco().authorization.resolve(tenant_of(nonce_id), identifier)
    g.caller = abaco().nonces.redeem(target.named_by, nonce_id, _level_of_request())
    return target


def _identified_alias(name: str) -> Resource:
    if "caller" not in g:
        return _identified(name).named_by
    who = cast(Caller, g.caller)
    if not who.is_admin:  # others than admins meet an alias that is not there as an identifier that is none
        return abaco().authorization.resolve(who.tenant, name).named_by
    return abaco().authorization.alias_resource(who.tenant, name)


def _nonce_id() -> str:
    """The nonce of a request without credentials that count. Raises Unauthorized when there is none."""
    nonce_id = request.args.get("x-nonce")
    if nonce_id is None or not current_app.config["ACCEPT_NONCE"]:
        raise Unauthorized(NO_CREDENTIALS)
    return nonce_id


def _level_of_request() -> Level:
    """What a nonce must open for this request (http-api §6.2, 4)."""
    if request.method in ("GET", "HEAD"):
        return Level.READ
    is_message = request.method == "POST" and "messages" in str(request.url_rule)
    return Level.EXECUTE if is_message else Level.UPDATE


def _refusal_at(word: str) -> Refusal:
    """How a nonce is refused at a path whose last word is taken for an actor's identifier."""
    try:
        abaco().authorization.resolve(tenant_of(request.args["x-nonce"]), word)
    except Refusal as refusal:
        return refusal
    return Unauthorized("Nonce does not exist.")
