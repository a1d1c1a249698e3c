"""Answers that go wrong on purpose: requests that are refused before Abaco sees them, or held for a while."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from abacito.abaco.faults import Fault, FaultKind, Subject
from abacito.abaco.platform import Abaco

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class FaultyAnswers:
    """WSGI middleware, behind NormalizedPaths. Our own surface is never struck: faults are cleared there."""

    def __init__(self, app: WSGIApplication, abaco: Abaco) -> None:
        self._app, self._abaco = app, abaco

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request, late or not at all when a fault strikes it."""
        faults = self._abaco.faults
        if faults.has(FaultKind.SLOW) or faults.has(FaultKind.ANSWERS):
            fault = self._struck(environ)
            if fault is not None:
                return _refuse(fault, environ, start_response)
        return self._app(environ, start_response)

    def _struck(self, environ: WSGIEnvironment) -> Fault | None:
        path = environ.get("PATH_INFO", "")
        if path == "/_abacito" or path.startswith("/_abacito/"):
            return None
        subject = Subject(method=environ["REQUEST_METHOD"], path=path)
        slow = self._abaco.faults.strike(FaultKind.SLOW, subject)
        if slow is not None:
            self._abaco.pace.sleep(slow.seconds)
        return self._abaco.faults.strike(FaultKind.ANSWERS, subject)


def _refuse(fault: Fault, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """As a proxy in front of Abaco: in the envelope, without a version."""
    body = {"message": f"Fault {fault.id} on purpose.", "result": None, "status": "error", "version": "unknown"}
    data = json.dumps(body).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
    if environ.get("HTTP_TRANSFER_ENCODING") or environ.get("CONTENT_LENGTH", "0") not in ("", "0"):
        headers.append(("Connection", "close"))  # the body is not read, and must not be taken for the next request
    start_response(f"{fault.status} {_phrase(fault.status)}", headers)
    return [data]


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in {*HTTPStatus} else "Fault"
