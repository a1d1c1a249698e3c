"""``/token`` and ``/revoke``: the OAuth token endpoint; its answers have no envelope."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request

from abacito.abaco.errors import GrantRefused, WrongPassword
from abacito.abaco.tokens import TokenPair
from abacito.api.caller import abaco
from abacito.api.gateway.basic import credentials

bp = Blueprint("tokens", __name__)


@bp.post("/token")
@bp.post("/oauth2/token", endpoint="oauth2_token")
def token() -> Response:
    """A pair of tokens for a grant: password, refresh_token, or admin_password."""
    key, secret = _client()
    return _answer(abaco().gateway.token(key, secret, request.form))


@bp.post("/revoke")
@bp.post("/oauth2/revoke", endpoint="oauth2_revoke")
def revoke() -> Response:
    """A token counts no more, whatever it was (RFC 7009: an unknown one is no error)."""
    abaco().tokens.revoke(request.form.get("token", ""))
    return Response(status=200)


def _client() -> tuple[str, str]:
    """Key and secret, by Basic authentication or in the form."""
    try:
        return credentials()
    except WrongPassword as error:
        if "client_id" in request.form:
            return request.form["client_id"], request.form.get("client_secret", "")
        raise GrantRefused("invalid_client", "Client authentication failed: key and secret are required.") from error


def _answer(pair: TokenPair) -> Response:
    body = {
        "access_token": pair.access,
        "refresh_token": pair.refresh,
        "expires_in": pair.life_s,
        "token_type": "bearer",
        "scope": "default",
    }
    return Response(json.dumps(body), content_type="application/json", headers={"Cache-Control": "no-store"})
