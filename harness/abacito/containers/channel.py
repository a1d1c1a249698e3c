"""The socket an actor writes results to, and the pipe it reads a binary message from."""

from __future__ import annotations

import fcntl
import logging
import os
import select
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from abacito.abaco.container import RESULT_LIMIT_BYTES
from abacito.abaco.errors import Misconfigured

log = logging.getLogger(__name__)

#: The most that a pipe holds without privileges (Linux: /proc/sys/fs/pipe-max-size).
PIPE_LIMIT_BYTES = 1_048_576

#: What a pipe holds unless asked for more (Linux, pipe(7)).
PIPE_BYTES = 65_536


class Channel:
    """The host's ends of /_abaco_results.sock and /_abaco_binary_data for one execution.

    Made before the container, closed after it.

    ``folder`` must not exist yet, and its path must be short: a socket's path has at most 107 bytes. ``on_result``
    gets each result in the order sent, from one thread of this channel's own. Raises Misconfigured for a long path.
    """

    def __init__(self, folder: Path, binary: bytes | None, on_result: Callable[[bytes], None]) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.results_path = folder / "results.sock"
        self.binary_path = None if binary is None else folder / "binary"
        self._on_result = on_result
        self._failure: Exception | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._pipe: int | None = None
        self._socket = self._bind()
        self._wake_reader, self._wake = socket.socketpair()
        if binary is not None:
            self._pipe = _lay_out(folder / "binary", binary)
        self._reader = threading.Thread(target=self._read, name=f"results of {folder.name}", daemon=True)
        self._reader.start()

    def drain(self) -> None:
        """Everything sent has been handed to ``on_result`` when this returns; what comes later is not received.

        For when the container has ended. Raises what ``on_result`` raised first, once.
        """
        self._stop_reading()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Leave no thread, descriptor or file; may be called again."""
        self._stop_reading()
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for end in (self._socket, self._wake, self._wake_reader):
            end.close()
        if self._pipe is not None:
            os.close(self._pipe)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _bind(self) -> socket.socket:
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            receiver.bind(str(self.results_path))
        except OSError as error:
            receiver.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            raise Misconfigured(
                f"No socket at {self.results_path}: {error}. Choose a folder with a short path."
            ) from error
        self.results_path.chmod(0o777)  # any uid of an actor may send
        receiver.setblocking(False)
        return receiver

    def _read(self) -> None:
        # continuously: the kernel holds 11 unread datagrams, then the actor's next send blocks (execution.md §1.5)
        poll = select.poll()  # unlike select(), it takes descriptors over 1023
        poll.register(self._socket, select.POLLIN)
        poll.register(self._wake_reader, select.POLLIN)
        stopping = False
        while not stopping:
            stopping = any(ready == self._wake_reader.fileno() for ready, _ in poll.poll())
            self._receive_all()

    def _receive_all(self) -> None:
        while True:
            try:
                data, _, flags, _ = self._socket.recvmsg(RESULT_LIMIT_BYTES)
            except BlockingIOError:
                return
            if flags & socket.MSG_TRUNC:
                log.warning("a result of %s was cut to %d bytes", self._folder.name, RESULT_LIMIT_BYTES)
            if data:
                self._hand_over(data)

    def _hand_over(self, data: bytes) -> None:
        try:
            self._on_result(data)
        except Exception as error:  # noqa: BLE001  any: the actor must not hang on an unread socket; drain() tells it
            log.error("a result of %s could not be kept: %s", self._folder.name, error)
            self._failure = self._failure or error

    def _stop_reading(self) -> None:
        with self._lock:
            if self._reader.is_alive():
                self._wake.send(b".")
                self._reader.join()


def _lay_out(path: Path, binary: bytes) -> int | None:
    """Put the message at ``path``: as a pipe that is filled and kept open, or as a file where no pipe takes it whole.

    Never fed while the actor reads: the clients' reader does not wait, and would stop early (execution.md §1.4).
    """
    if len(binary) <= PIPE_LIMIT_BYTES:
        pipe = _filled_pipe(path, binary)
        if pipe is not None:
            return pipe
    path.write_bytes(binary)
    path.chmod(0o444)
    return None


def _filled_pipe(path: Path, binary: bytes) -> int | None:
    os.mkfifo(path)
    path.chmod(0o644)  # read by any uid; mkfifo's own mode passes through the umask
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    if _widen(pipe, len(binary)) and _write(pipe, binary) == len(binary):
        return pipe
    os.close(pipe)  # too small after all: an unprivileged user's pipes are short once there are many (pipe(7))
    path.unlink()
    return None


def _widen(pipe: int, size: int) -> bool:
    if size <= PIPE_BYTES:
        return True
    try:
        return hasattr(fcntl, "F_SETPIPE_SZ") and fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size) >= size
    except OSError:
        return False


def _write(pipe: int, binary: bytes) -> int:
    try:
        return os.write(pipe, binary)
    except BlockingIOError:
        return 0
