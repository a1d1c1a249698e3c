"""The text of tokens: a JWT with the claims that Tapis v3 clients read, good as a bearer token everywhere."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from abacito.abaco.tokens import Grant
from abacito.api.assertion import Signer
from abacito.api.gateway.tenants import code_of


def minter(signer: Signer, issuer: Callable[[], str]) -> Callable[[Grant], str]:
    """What makes tokens, signed with this key; ``issuer`` is the address of who issues them."""
    return lambda grant: signer.encode(_claims(grant, issuer()))


def claims_of(text: str) -> Mapping[str, Any]:
    """What one of our own tokens says; its signature is not looked at."""
    return jwt.decode(text, options={"verify_signature": False})


def _claims(grant: Grant, issuer: str) -> Mapping[str, Any]:
    tenant = code_of(grant.tenant)
    return {
        "jti": secrets.token_hex(16),
        "iss": f"{issuer}/v3/tokens",
        "sub": f"{grant.username}@{tenant}",
        "tapis/tenant_id": tenant,
        "tapis/token_type": grant.kind,
        "tapis/delegation": False,
        "tapis/delegation_sub": None,
        "tapis/username": grant.username,
        "tapis/account_type": "user",
        "tapis/client_id": grant.client,
        "tapis/grant_type": "password",
        "iat": int(grant.issued.timestamp()),
        "exp": int(grant.expires.timestamp()),
    }
