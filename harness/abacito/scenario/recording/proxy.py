"""An HTTP proxy before one Abaco: requests go on as they came, answers come back as they arrive, both are noted."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Self
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from abacito.abaco.errors import Unavailable
from abacito.scenario.recording.exchange import Exchange
from abacito.settings import LOOPBACK

log = logging.getLogger(__name__)

_BLOCK = 65_536
# Of one connection only (RFC 9110 §7.6.1); of an answer we measure the length ourselves.
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
_NOT_PASSED_ON = _HOP_BY_HOP | {"host", "content-length", "accept-encoding", "proxy-authorization", "expect"}
_NO_CONTENT = {204, 304}


class Proxy:
    """Passes requests on to ``target``, and tells ``note`` of each before its answer is complete at the client's.

    Those without any credentials get ``token``, if there is one. A context manager: within it requests are answered.
    """

    def __init__(self, target: str, host: str, port: int, token: str | None, note: Callable[[Exchange], None]) -> None:
        self._target, self._token, self.note = target.rstrip("/"), token, note
        self._session = requests.Session()
        self._session.trust_env = urlsplit(target).hostname not in LOOPBACK
        self._session.headers.clear()
        self._session.auth = _as_it_is
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # they are the client's
        handler = type("Handler", (_Handler,), {"proxy": self})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {host}:{port}: {error}; choose another port, or 0 for a free one"
            ) from error
        self._server.daemon_threads = True  # an answer that never ends must not hold up the end
        self._thread = threading.Thread(target=self._server.serve_forever, name="abacito-recorder", args=(0.05,))
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._session.close()

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> requests.Response:
        """Ask the target; the answer's body is still to be read. Raises RequestException."""
        asked = requests.Request(method, self._target, headers=dict(headers), data=body or None)
        prepared = self._session.prepare_request(asked)
        prepared.url = self._target + path  # with its query as it came, which requests would tidy up
        settings = self._session.merge_environment_settings(self._target, {}, True, None, None)
        return self._session.send(prepared, allow_redirects=False, **settings)

    def with_token(self, headers: Mapping[str, str], path: str, host: str) -> dict[str, str]:
        """The headers, with our token where there is no word of who asks; pages of other sites do not get it."""
        given = {name.lower() for name in headers}
        names_somebody = given & {"authorization", "x-tapis-token"} or any(name.startswith("x-jwt-") for name in given)
        is_from_here = urlsplit(f"//{host}").hostname in LOOPBACK and "origin" not in given
        if self._token is None or names_somebody or "x-nonce=" in path or not is_from_here:
            return dict(headers)
        return {**headers, "Authorization": f"Bearer {self._token}"}

    def path_of(self, target: str) -> str:
        """A request line's target as a path; clients that take us for their proxy name a host before it."""
        parts = urlsplit(target)
        return target if target.startswith("/") else target.partition(parts.netloc)[2] or "/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do_GET(self) -> None:
        """Any request."""
        asked_s = monotonic()
        try:
            body = self._body()
        except ValueError as error:
            self._refuse(400, f"the request's body cannot be read: {error}")
            return
        path = self.proxy.path_of(self.path)
        own = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
        headers = self.proxy.with_token(own, path, self.headers.get("Host", ""))
        try:
            with self.proxy.send(self.command, path, headers, body) as answer:
                self._relay(answer, _Noting(self.proxy.note, self.command, path, headers, body, asked_s, answer))
        except requests.RequestException as error:
            self._refuse(502, f"no answer from the target: {error}")
        except (OSError, HTTPError) as error:  # one of the two has hung up in the middle
            log.warning("%s %s is not recorded: %s", self.command, path.partition("?")[0], error)
            self.close_connection = True

    do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_GET  # noqa: N815 - the standard library's names

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests are told of by whoever notes them."""

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        """The request's chunks. Raises ValueError."""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers

    def _relay(self, answer: requests.Response, noting: _Noting) -> None:
        """The answer, piece by piece; it is noted before the client has all of it, and may ask on."""
        length = answer.headers.get("Content-Length")
        has_body = self.command != "HEAD" and answer.status_code not in _NO_CONTENT and length != "0"
        is_chunked = has_body and length is None and self.request_version == "HTTP/1.1"
        if not has_body:
            noting.note()
        self._head(answer, length, is_chunked)
        for piece in answer.raw.stream(_BLOCK, decode_content=False) if has_body else ():
            noting.add(piece, length)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
        if has_body:
            noting.note()
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = self.close_connection or (has_body and length is None and not is_chunked)

    def _head(self, answer: requests.Response, length: str | None, is_chunked: bool) -> None:
        self.send_response_only(answer.status_code, answer.reason)
        for name, value in answer.raw.headers.items():
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        if is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()

    def _refuse(self, status_code: int, message: str) -> None:
        """Our own word, in Abaco's envelope."""
        log.warning("%s %s is not recorded: %s", self.command, self.path.partition("?")[0], message)
        content = json.dumps({"message": message, "result": None, "status": "error", "version": "unknown"}).encode()
        self.send_response(status_code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


class _Noting:
    """Collects an answer, and tells of the exchange once, when it is whole."""

    def __init__(
        self,
        note: Callable[[Exchange], None],
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        asked_s: float,
        answer: requests.Response,
    ) -> None:
        self._note, self._asked_s, self._answer = note, asked_s, answer
        self._method, self._path, self._body = method, path, body
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._pieces: list[bytes] = []
        self._is_noted = False

    def add(self, piece: bytes, length: str | None) -> None:
        """Some more of the answer, whose length may be known."""
        self._pieces.append(piece)
        if length is not None and sum(map(len, self._pieces)) >= int(length):
            self.note()

    def note(self) -> None:
        """It is whole."""
        if self._is_noted:
            return
        self._is_noted = True
        self._note(
            Exchange(
                method=self._method,
                path=self._path,
                headers=self._headers,
                body=self._body,
                status_code=self._answer.status_code,
                content_type=self._answer.headers.get("Content-Type", ""),
                content=b"".join(self._pieces),
                asked_s=self._asked_s,
                answered_s=monotonic(),
            )
        )


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Nothing from a .netrc in place of what the client has sent."""
    return request
