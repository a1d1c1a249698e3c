"""``/_abacito/openapi.json``: this API, as it describes itself."""

from __future__ import annotations

import json

from flask import Blueprint, Response, current_app

from abacito.api.openapi import document

bp = Blueprint("description", __name__, url_prefix="/_abacito")


@bp.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI document of this instance, in its case; for everybody."""
    case, version = current_app.config["CASE"], current_app.config["VERSION_TAG"]
    body = json.dumps(document(current_app, case=case, version=version), indent=2) + "\n"
    return Response(body, content_type="application/json")
