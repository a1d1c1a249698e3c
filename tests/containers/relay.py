"""Stands between a client and the Docker daemon, and can be cut."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from pathlib import Path


class Relay(socketserver.ThreadingUnixStreamServer):
    """Stands between a client and the daemon, and can be cut."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path) -> None:
        self.is_cut = False
        self.connections: list[socket.socket] = []
        super().__init__(str(path), RelayedConnection)

    def cut(self) -> None:
        self.is_cut = True
        for connection in self.connections:
            _shut(connection)

    def mend(self) -> None:
        self.is_cut = False


class RelayedConnection(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        if self.server.is_cut:
            return
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.connect("/var/run/docker.sock")
            self.server.connections += [self.request, daemon]
            back = threading.Thread(target=_copy, args=(daemon, self.request))
            back.start()
            _copy(self.request, daemon)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # cut
        while data := source.recv(65_536):
            target.sendall(data)
    _shut(target)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it may have ended already
        connection.shutdown(socket.SHUT_RDWR)
