"""The WSGI server: cheroot, in threads, on one address."""

from __future__ import annotations

import json
import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Server as CherootServer

from abacito.abaco.errors import Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_DOUBLED_SLASHES = re.compile(rb"^(\S+ )//+")

# cheroot's words for what Abaco has its own for (http-api §3.2).
_ABACOS_WORDS = {"Malformed Content-Length Header.": "Content Length must be an integer."}

# One thread is tied to each connection that is kept alive, and synchronous calls hold theirs.
_THREADS = 64

# Connections that wait to be accepted; with cheroot's own 5 a burst of new ones is reset.
_BACKLOG = 128


class _OneSlash:
    """A reader of request lines whose targets begin with one slash."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readline(self) -> bytes:
        """The next line."""
        return _DOUBLED_SLASHES.sub(rb"\1/", self._reader.readline())


class _Request(HTTPRequest):
    """``GET //actors`` is a path here, as for the proxy before Abaco; cheroot would take ``actors`` for a host."""

    def read_request_line(self) -> bool:
        """Read and parse the first line; False when it is no request."""
        reader, self.rfile = self.rfile, _OneSlash(self.rfile)
        try:
            return bool(super().read_request_line())  # type: ignore[no-untyped-call] # cheroot has no types
        finally:
            self.rfile = reader

    def send_headers(self) -> None:
        """As cheroot's, which sends an application's ``Connection: close`` on, and then does not close it."""
        if (b"Connection", b"close") in self.outheaders:
            self.close_connection = True
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """What cheroot refuses before any application sees it, in Abaco's envelope; then the connection ends."""
        message = _ABACOS_WORDS.get(msg, msg or status)
        body = json.dumps({"message": message, "result": None, "status": "error", "version": "unknown"}) + "\n"
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.close_connection = True
        with suppress(OSError):  # the client has gone
            self.conn.wfile.write(f"{head}Connection: close\r\n\r\n{body}".encode())


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request


class Server:
    """Serves an application on a host and port; port 0 takes a free one, told by ``port`` once it is bound."""

    def __init__(self, app: WSGIApplication, host: str, port: int) -> None:
        self._cheroot = CherootServer(
            (host, port), app, numthreads=10, max=_THREADS, shutdown_timeout=1, request_queue_size=_BACKLOG
        )
        self._cheroot.ConnectionClass = _Connection
        self._thread: threading.Thread | None = None

    def bind(self) -> int:
        """Take the port; it is listened on from now, and answered from ``start`` on. Raises Unavailable."""
        try:
            self._cheroot.prepare()
        except OSError as error:
            host, port = self._cheroot.bind_addr
            raise Unavailable(
                f"cannot listen on {host}:{port}: {error}; choose another port, or 0 for a free one"
            ) from error
        return int(self._cheroot.bind_addr[1])

    def start(self) -> None:
        """Answer requests, in a thread of its own."""
        self._thread = threading.Thread(target=self._cheroot.serve, name="abacito-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port, let what is being answered end, and return when no thread is left."""
        self._cheroot.stop()
        if self._thread is not None:
            self._thread.join()
