"""Who stands before Abaco and tells it who asks: a gateway with tokens, one with signed assertions, or nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from flask import Request

from abacito.abaco.caller import ALL, Caller
from abacito.abaco.errors import Unauthenticated
from abacito.abaco.ports import Clock
from abacito.abaco.tokens import MISSING_CREDENTIALS, Tokens
from abacito.api.assertion import Verifier, header_name

ANONYMOUS = "anonymous"


class Identity(Protocol):
    """One way by which a request names its user."""

    def identify(self, request: Request) -> Caller | None:
        """The user; None when the request names none that counts. Raises Unauthenticated where a gateway refuses."""


class TokenIdentity:
    """Bearer tokens, as clients of the production gateway send them; it answers 401 itself (clients §3.3)."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def identify(self, request: Request) -> Caller | None:
        """The token's user, before any path is looked at; OPTIONS needs no one, and a lone nonce passes."""
        token = bearer_token(request)
        if request.method == "OPTIONS":
            return None
        if token is not None:
            found = self._tokens.check(token)
            return replace(found, assertion_header=header_name(found.tenant))
        if "x-nonce" not in request.args:
            raise Unauthenticated("Missing Credentials", MISSING_CREDENTIALS)
        return None


class AssertionIdentity:
    """Signed assertions, as the gateway sends them on to Abaco: ``access_control: jwt`` (http-api §1.8)."""

    def __init__(self, verifier: Verifier, clock: Clock) -> None:
        self._verifier, self._clock = verifier, clock

    def identify(self, request: Request) -> Caller | None:
        """The assertion's user; one that does not count is as good as none."""
        tenant = self._verifier.tenant(_headers(request))
        found = self._verifier.caller(_headers(request), self._clock.now(tenant)) if tenant else None
        return found and replace(found, assertion_header=header_name(found.tenant))


class NoIdentity:
    """``access_control: none``: everybody is the same user, who may do everything."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant

    def identify(self, request: Request) -> Caller | None:
        """That user, in the tenant that the header ``tenant`` names, as typed."""
        return Caller(ANONYMOUS, request.headers.get("tenant") or self._tenant, frozenset({ALL}))


def _headers(request: Request) -> Iterable[tuple[str, str]]:
    return request.headers.items()


def bearer_token(request: Request) -> str | None:
    """The token of ``Authorization: Bearer``, or of Tapis v3's own header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("X-Tapis-Token") or None
