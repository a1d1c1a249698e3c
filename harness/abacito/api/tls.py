"""TLS on the server's connections: whom we are there, and sockets whose handshakes hold up no thread."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cheroot.makefile import StreamReader, StreamWriter

from abacito.api.certificates import Authority

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: What a request that came by TLS has in its WSGI environment.
ENVIRON = {"wsgi.url_scheme": "https", "HTTPS": "on"}


@dataclass(frozen=True)
class Tls:
    """Whom the server is to clients that come by TLS: itself, and ``hosts``, in whose place it answers."""

    authority: Authority = field(default_factory=Authority)
    hosts: frozenset[str] = frozenset()

    def impersonates(self, host: str) -> bool:
        """Whether the server answers in this host's place, however its letters are."""
        return host.lower() in {each.lower() for each in self.hosts}

    def wrap(self, sock: socket.socket) -> TlsSocket:
        """TLS on a client's connection, whose socket is used up. No byte goes yet, so that nothing fails."""
        wrapped = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        assert isinstance(wrapped, TlsSocket)
        return wrapped

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = self.authority.server_context(self.hosts)
        context.sslsocket_class = TlsSocket
        return context


class TlsSocket(ssl.SSLSocket):
    """A server's end of TLS, for a thread that never waits in a handshake; what breaks TLS is a broken connection."""

    is_established = False

    def getpeername(self) -> Any:
        """The client's address; None when it has gone. (ssl asks while it wraps, and drops the socket at an error.)"""
        try:
            return super().getpeername()
        except OSError:
            return None

    def shake_hands(self) -> None:
        """Go on with the handshake as far as what has arrived allows. Raises OSError when it fails."""
        timeout = self.gettimeout()
        self.setblocking(False)
        try:
            self.do_handshake()
            self.is_established = True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass  # the rest when more has arrived; what we send ourselves is short
        finally:
            self.settimeout(timeout)

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        """As a plain socket's. Raises ConnectionAbortedError for what is no TLS."""
        with _aborting():
            return super().recv_into(buffer, nbytes, flags)

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """As a plain socket's. Raises ConnectionAbortedError when TLS has ended."""
        with _aborting():
            return super().send(data, flags)

    def answer_plainly(self, text: bytes) -> None:
        """Say something to a client that speaks no TLS, past TLS."""
        with suppress(OSError):  # it has gone
            socket.socket.sendall(self, text)

    def shutdown(self, how: int) -> None:
        """As a plain socket's; both ways also says good-bye in TLS, without waiting for an answer to it."""
        if how != socket.SHUT_RDWR:
            socket.socket.shutdown(self, how)  # ssl's own would write on in plain text
            return
        if self.is_established:
            with suppress(OSError, ValueError):  # it has gone; TLS has ended already
                self.setblocking(False)
                self.unwrap()
        super().shutdown(how)


@contextmanager
def _aborting() -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise ConnectionAbortedError(errno.ECONNABORTED, f"TLS: {error}") from error


class _Reader(StreamReader):
    """Knows of what TLS has deciphered already, which nobody sees on the socket any more."""

    def __init__(self, sock: TlsSocket, mode: str, bufsize: int) -> None:
        super().__init__(sock, mode, bufsize)
        self._socket = sock

    def has_data(self) -> bool:
        """Whether there is something to read without asking the network."""
        buffered = bool(super().has_data())  # type: ignore[no-untyped-call] # cheroot has no types
        return buffered or self._socket.pending() > 0


class _Writer(StreamWriter):
    """Says nothing when it is dropped with what a client that has gone did not take."""

    def __del__(self) -> None:
        with suppress(OSError):  # Python 3.13 tells of it on stderr, as of a failure that nobody has caught
            self.close()


def make_file(sock: socket.socket, mode: str, bufsize: int) -> Any:
    """cheroot's reader or writer on this socket."""
    if "w" in mode:
        return _Writer(sock, mode, bufsize)
    return _Reader(sock, mode, bufsize) if isinstance(sock, TlsSocket) else StreamReader(sock, mode, bufsize)


class Adapter:
    """What cheroot asks of a listener whose connections are TLS from their first byte."""

    makefile: Callable[..., Any] = staticmethod(make_file)

    def __init__(self, tls: Tls) -> None:
        self._tls = tls

    def bind(self, sock: socket.socket) -> socket.socket:
        """The listening socket, as it is."""
        return sock

    def wrap(self, sock: socket.socket) -> tuple[TlsSocket, dict[str, str]]:
        """A connection's socket, whose handshake is still to come, and what its requests have in their environment."""
        return self._tls.wrap(sock), ENVIRON
