"""The WSGI server: cheroot, in threads, on one address that plain clients and clients of a proxy come to alike."""

from __future__ import annotations

import json
import logging
import re
import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest
from cheroot.wsgi import Server as CherootServer

from abacito.abaco.errors import Unavailable
from abacito.api.tls import ENVIRON, Adapter, Tls, TlsSocket, make_file

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

Scheme = Literal["http", "https"]

_DOUBLED_SLASHES = re.compile(rb"^(\S+ )//+")
_ABSOLUTE_FORM = re.compile(rb"^(\S+ )[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#\s]*@)?([^/?#@\s]+)")

_HTTPS_PORT = 443
_TLS_HANDSHAKE = b"\x16\x03"

# cheroot's words for what Abaco has its own for (http-api §3.2).
_ABACOS_WORDS = {"Malformed Content-Length Header.": "Content Length must be an integer."}

# Each request holds one while it is answered, so a synchronous call does for long. cheroot adds none by itself.
_THREADS = 64

# So that held synchronous posts do not keep all other requests waiting.
_MORE_THREADS, _MOST_THREADS = 16, 1024

# Connections that wait to be accepted; with cheroot's own 5 a burst of new ones is reset.
_BACKLOG = 128


# Connections kept open between requests, which hold no thread; cheroot's own 10 are fewer than a crowd of tunnels.
_KEPT_OPEN = 256


def _refusal(status: str, message: str) -> bytes:
    """A whole answer, in Abaco's envelope, after which the connection ends."""
    body = json.dumps({"message": message, "result": None, "status": "error", "version": "unknown"}) + "\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()


class _FirstLine:
    """A reader of request lines whose targets are paths that begin with one slash, or a host to CONNECT to."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.host: bytes | None = None
        self.is_connect = False

    def readline(self) -> bytes:
        """The next line; what has gone from it is in ``host``: the host that an absolute target named."""
        line: bytes = self._reader.readline()
        self.is_connect = line.startswith(b"CONNECT ")
        if line.startswith(_TLS_HANDSHAKE):
            log.warning("TLS came where plain HTTP is spoken; agavepy and tapispy inside actors want --actor-tls")
        if absolute := _ABSOLUTE_FORM.match(line):
            method, self.host = absolute.groups()
            line = method + b"/" + line[absolute.end() :]
        return _DOUBLED_SLASHES.sub(rb"\1/", line)


class _HeaderReader(HeaderReader):
    """Passes over names with an underscore, as the proxy before Abaco does: WSGI would take it for a hyphen."""

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name


class _Headers(dict[bytes, bytes]):
    """What is repeated is one list (RFC 9110 §5.3), so that of two tokens neither counts; cheroot keeps the last."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        is_folded = value.startswith(self.get(name, b"") + b", ")  # by cheroot itself
        super().__setitem__(name, value if is_folded or name not in self else self[name] + b", " + value)


class _Request(HTTPRequest):
    """``GET //actors`` is a path here, as for the proxy before Abaco; cheroot would take ``actors`` for a host.

    ``GET http://any.name/actors`` and ``CONNECT any.name:443`` are what clients send that take us for their proxy.
    """

    header_reader = _HeaderReader()
    _host: bytes | None = None

    @property
    def proxy_mode(self) -> bool:
        """Whether cheroot is to take the line as a proxy does: else it refuses every CONNECT."""
        return isinstance(self.rfile, _FirstLine) and self.rfile.is_connect

    @proxy_mode.setter
    def proxy_mode(self, default: bool) -> None:
        """cheroot's own choice, for all requests alike, does not count."""

    def read_request_line(self) -> bool:
        """Read and parse the first line; False when it is no request."""
        reader, self.rfile = self.rfile, _FirstLine(self.rfile)
        try:
            return bool(super().read_request_line())  # type: ignore[no-untyped-call] # cheroot has no types
        finally:
            self._host = self.rfile.host
            self.rfile = reader

    def read_request_headers(self) -> bool:
        """Read the headers; a host in the request line counts over theirs (RFC 9112 §3.2.2)."""
        self.inheaders = _Headers()
        good = bool(super().read_request_headers())  # type: ignore[no-untyped-call] # cheroot has no types
        if self._host is not None:
            self.inheaders.pop(b"Host", None)
            self.inheaders[b"Host"] = self._host
        return good

    def respond(self) -> None:
        """Have the application answer; a CONNECT is answered here, and TLS follows it on the same connection."""
        if self.method != b"CONNECT":
            super().respond()
        elif self._may_connect():
            self.conn.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.close_connection = False
            self.conn.start_tls()

    def _may_connect(self) -> bool:
        """Whether the client asks for one of those that we impersonate; if not, it is told so. Nothing is looked up."""
        target, tls = urlsplit(f"//{self.authority.decode('latin-1')}"), self.server.tls
        if self.conn.is_tls or target.port != _HTTPS_PORT or not tls.impersonates(target.hostname or ""):
            known = ", ".join(sorted(tls.hosts)) or "no host"
            message = (
                f"{target.netloc} is not reached from here, nothing is forwarded: CONNECT is for {known}, port 443."
            )
            self.simple_response("502 Bad Gateway", message)
            return False
        if self.conn.rfile.has_data():  # already read, so TLS would miss it
            self.simple_response("400 Bad Request", "TLS may begin only after the answer to CONNECT.")
            return False
        return True

    def send_headers(self) -> None:
        """As cheroot's, which sends an application's ``Connection: close`` on, and then does not close it."""
        if (b"Connection", b"close") in self.outheaders:
            self.close_connection = True
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """What cheroot refuses before any application sees it, in Abaco's envelope; then the connection ends."""
        self.close_connection = True
        with suppress(OSError):  # the client has gone
            self.conn.wfile.write(_refusal(status, _ABACOS_WORDS.get(msg, msg or status)))


class _Connection(HTTPConnection):
    """A connection that takes a thread only once something has arrived on it, and may become TLS."""

    RequestHandlerClass = _Request

    def __init__(self, server: _Cheroot, sock: socket.socket, _: object = None) -> None:
        super().__init__(server, sock, make_file)  # whatever cheroot's own would be
        self._has_begun = False

    @property
    def is_tls(self) -> bool:
        """Whether it is TLS, from its first byte or since a CONNECT."""
        return isinstance(self.socket, TlsSocket)

    def start_tls(self) -> None:
        """Have TLS follow on what was plain until now."""
        self.socket = self.server.tls.wrap(self.socket)
        self.rfile = make_file(self.socket, "rb", self.rbufsize)
        self.wfile = make_file(self.socket, "wb", self.wbufsize)
        self.ssl_env = ENVIRON

    def communicate(self) -> bool:
        """Do what can be done with what has arrived; True when the connection is to be kept, without a thread."""
        if isinstance(self.socket, TlsSocket) and not self.socket.is_established:
            return self._shake_hands(self.socket)
        if not self._has_begun and not self._has_arrived():
            return True
        self._has_begun = True
        return bool(super().communicate())  # type: ignore[no-untyped-call] # cheroot has no types

    def _has_arrived(self) -> bool:
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))

    def _shake_hands(self, sock: TlsSocket) -> bool:
        try:
            sock.shake_hands()
        except OSError as error:
            log.info("no TLS with %s:%s: %s", self.remote_addr, self.remote_port, error)
            if getattr(error, "reason", None) == "HTTP_REQUEST":
                sock.answer_plainly(_refusal("400 Bad Request", "Plain HTTP came where TLS is spoken: use https."))
            return False
        return True


class _Cheroot(CherootServer):
    ConnectionClass = _Connection
    keep_alive_conn_limit = _KEPT_OPEN
    tls: Tls

    def process_conn(self, conn: Any) -> None:
        """Answer on a connection; when every thread holds a request, be it a synchronous post, there are more."""
        pool = self.requests
        if pool.idle == 0 and len(pool._threads) < _MOST_THREADS:
            pool.grow(_MORE_THREADS)
        super().process_conn(conn)


class Server:
    """Serves an application on a host and port; port 0 takes a free one, told by ``bind``.

    A plain one (``scheme`` http) also answers in the place of the hosts that ``tls`` impersonates to whoever takes it
    for a proxy, and refuses all others; with https it is TLS from the first byte.
    """

    def __init__(
        self,
        app: WSGIApplication,
        host: str,
        port: int,
        tls: Tls | None = None,
        scheme: Scheme = "http",
    ) -> None:
        self._cheroot = _Cheroot(
            (host, port), app, numthreads=_THREADS, shutdown_timeout=1, request_queue_size=_BACKLOG
        )
        self._cheroot.tls = tls or Tls()
        if scheme == "https":
            self._cheroot.ssl_adapter = Adapter(self._cheroot.tls)
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
