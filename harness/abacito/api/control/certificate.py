"""``/_abacito/ca.pem``: by what clients verify us."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

bp = Blueprint("certificate", __name__, url_prefix="/_abacito")


@bp.get("/ca.pem")
def ca() -> Response:
    """The certificate, as PEM, that verifies this instance by https and in the place of impersonated hosts."""
    return Response(current_app.config["CA_PEM"], content_type="application/x-pem-file")
