"""Which refusal gets which status: one table, and the handlers that use it."""

from __future__ import annotations

import json
import logging
from xml.etree import ElementTree

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from abacito.abaco.errors import (
    AbacoError,
    Absent,
    GrantRefused,
    Malformed,
    Misconfigured,
    Refusal,
    TookTooLong,
    Unauthenticated,
    Unauthorized,
    Unavailable,
    Unknown,
    Unrecognized,
    WrongMethod,
    WrongPassword,
)
from abacito.abaco.tokens import MISSING_CREDENTIALS
from abacito.api import wire
from abacito.api.face import face
from abacito.api.parameters import too_long

log = logging.getLogger(__name__)

#: Abaco 1.9, http-api §1.1: every refusal of an authorization is 400, never 401 or 403.
STATUS: dict[type[AbacoError], int] = {
    Unauthenticated: 401,  # the gateway's, not Abaco's (clients §3.3)
    WrongPassword: 401,  # clients §3.3
    GrantRefused: 400,  # RFC 6749, 5.2; an unknown client is 401
    Unauthorized: 400,  # http-api §8.4
    Malformed: 400,  # http-api §1.5
    Absent: 400,  # http-api §4.3
    Unknown: 404,  # http-api §2.1
    TookTooLong: 502,  # the proxy's (execution §10)
    WrongMethod: 405,  # http-api §1.6
    Unrecognized: 500,  # http-api-more §4.6
    Refusal: 400,
    Misconfigured: 400,  # what is asked for does not go with our settings
    Unavailable: 503,
    AbacoError: 500,
}

#: So much of a body that is refused is read all the same, so that the connection can go on.
_READ_AND_FORGOTTEN = 1_000_000

# As Tapis v3's services say it; their clients look at the status only.
_NO_TAPIS_TOKEN = "No access token found in the request."
_INVALID_TAPIS_TOKEN = "Invalid Tapis token."

_EXPIRED = 900_903, "Access Token Expired"
_INACTIVE = 900_904, "Access Token Inactive"

NO_SUCH_ENDPOINT = "Invalid request: the API endpoint does not exist or the provided HTTP method is not allowed."
NOT_ABACO = "Invalid request: the requested URL is not an Abaco endpoint."


def install(app: Flask) -> None:
    """Have the app answer every error in the envelope."""
    app.register_error_handler(AbacoError, refuse)
    app.register_error_handler(HTTPException, refuse_http)
    app.register_error_handler(Exception, refuse_unexpected)


def refuse(error: AbacoError) -> Response:
    """A refusal of ours."""
    response = _body(error)
    response.status_code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if isinstance(error, GrantRefused) and error.code == "invalid_client":
        response.status_code = 401
    if isinstance(error, Unrecognized):
        response.status_code = current_app.config["SEARCH_ERROR_STATUS"]
    if request.headers.get("Transfer-Encoding") or (request.content_length or 0) > _READ_AND_FORGOTTEN:
        # Else the rest of the body would be waited for, or taken for the next request.
        response.headers["Connection"] = "close"
    return response


def refuse_http(error: HTTPException) -> Response:
    """A refusal of the framework's: unknown paths and methods, unreadable requests."""
    match error:
        case MethodNotAllowed():
            return refuse(WrongMethod(NO_SUCH_ENDPOINT))
        case NotFound() if _is_abaco(request.path):
            return refuse(Unknown(NO_SUCH_ENDPOINT))
        case NotFound():
            response = wire.error(NOT_ABACO, version="unknown")
        case RequestEntityTooLarge():
            return refuse(too_long(request.max_content_length or 0))
        case _:
            response = wire.error(error.description or error.name)
    response.status_code = error.code or 500
    return response


def refuse_unexpected(error: Exception) -> Response:
    """A fault of ours: the log has it, the answer has no trace of it."""
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    response = wire.error(f"Unrecognized exception type: {type(error)}. Exception: {error}")
    response.status_code = 500
    return response


def _body(error: AbacoError) -> Response:
    match error:
        case Unauthenticated() if face().is_v3:
            return wire.error(_NO_TAPIS_TOKEN if error.code == MISSING_CREDENTIALS else _INVALID_TAPIS_TOKEN)
        case Unauthenticated():
            return _fault(error)
        case GrantRefused() if not face().is_v3:
            told = {"error": error.code, "error_description": str(error)}
            return Response(json.dumps(told), content_type="application/json")
        case TookTooLong():  # the proxy's own answer
            return wire.error(str(error), version="unknown")
    return wire.error(str(error))


def _is_abaco(path: str) -> bool:
    return path == "/actors" or path.startswith("/actors/")


def _fault(error: Unauthenticated) -> Response:
    """The gateway's own body: agavepy refreshes its token on these very words (clients §3.3)."""
    if current_app.config["XML_FAULTS"]:
        return _xml_fault(error)
    fault = {"code": error.code, "message": str(error), "description": _described(error.code, str(error))}
    return Response(json.dumps({"fault": fault}), content_type="application/json")


def _xml_fault(error: Unauthenticated) -> Response:
    """As older gateways have it: there agavepy looks at the code, the first child (clients §3.3)."""
    inactive = _EXPIRED if error.is_expired else _INACTIVE
    code, message = (error.code, str(error)) if error.code == MISSING_CREDENTIALS else inactive
    fault = ElementTree.Element("ams:fault", {"xmlns:ams": "http://wso2.org/apimanager/security"})
    for name, text in (("code", str(code)), ("message", message), ("description", _described(code, message))):
        ElementTree.SubElement(fault, f"ams:{name}").text = text
    return Response(ElementTree.tostring(fault), content_type="application/xml")


def _described(code: int, message: str) -> str:
    return (
        f"Access failure for API: /actors/v2, version: v2 status: ({code}) - {message}. "
        "Make sure you have given the correct access token"
    )
