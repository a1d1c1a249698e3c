"""``/_abacito/openapi.json``: this API, as it describes itself."""

from __future__ import annotations

import json

from flask import Blueprint, Response, current_app, request

from abacito.api.face import TAPIS, face
from abacito.api.openapi import document

bp = Blueprint("description", __name__, url_prefix="/_abacito")


@bp.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI document of this instance, in its case, or with ``?face=v3`` of ``/v3/actors``; for everybody."""
    seen = TAPIS if request.args.get("face") == "v3" else face()
    body = json.dumps(document(current_app, seen, version=current_app.config["VERSION_TAG"]), indent=2) + "\n"
    return Response(body, content_type="application/json")
