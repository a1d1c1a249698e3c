"""A stdout and a stderr per thread: what a stub prints goes to its log, all else goes where it always went."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TextIO, cast

StreamName = Literal["stdout", "stderr"]
_NAMES: tuple[StreamName, ...] = ("stdout", "stderr")

# a context variable rather than a thread's local: asyncio's tasks and asyncio.to_thread inherit it
_streams: ContextVar[dict[StreamName, TextIO] | None] = ContextVar("abacito_streams", default=None)


class _Fork:
    """Stands in ``sys``; is the caller's own stream if it has one, else the stream that stood there before."""

    def __init__(self, name: StreamName) -> None:
        self._name = name
        self.otherwise: TextIO = getattr(sys, name)

    def __getattr__(self, attribute: str) -> object:
        own = _streams.get()
        return getattr(self.otherwise if own is None else own[self._name], attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self.otherwise)


class _Sink(io.RawIOBase):
    """The bytes' end of a stream: each write is handed over at once."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._hand_over = write

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        taken = bytes(cast(bytes, data))
        self._hand_over(taken)
        return len(taken)


class Console:
    """The forks in ``sys``, there while somebody has a stream of his own. One for the process, as ``sys`` is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guests = 0

    @contextmanager
    def leading_to(self, write: Callable[[bytes], None]) -> Iterator[None]:
        """While inside, stdout and stderr of this context go to ``write``, as UTF-8, unbuffered, in writing order.

        Threads that the context starts by itself, and processes, keep the process's own streams.
        """
        token = _streams.set({name: _stream(write) for name in _NAMES})
        self._come()
        try:
            yield
        finally:
            self._go()
            _streams.reset(token)

    def refresh(self) -> None:
        """Put the forks back where others (pytest's capture, between a test's phases) have replaced them meanwhile."""
        with self._lock:
            if self._guests:
                _install()

    def _come(self) -> None:
        with self._lock:
            self._guests += 1
            _install()

    def _go(self) -> None:
        with self._lock:
            self._guests -= 1
            if not self._guests:
                _uninstall()


# Made once and kept: CPython's print() holds no reference to the sys.stdout that it writes to (until 3.14), and crashes
# when another thread takes the last one away.
_FORKS = {name: _Fork(name) for name in _NAMES}

console = Console()


def _stream(write: Callable[[bytes], None]) -> TextIO:
    # a raw stream will do for a buffer: TextIOWrapper with write_through calls nothing but its write
    buffer = cast(io.BufferedWriter, _Sink(write))
    return io.TextIOWrapper(buffer, encoding="utf-8", newline="\n", write_through=True)


def _install() -> None:
    for name, fork in _FORKS.items():
        standing = getattr(sys, name)
        if standing is not fork:
            fork.otherwise = standing
            setattr(sys, name, fork)


def _uninstall() -> None:
    for name, fork in _FORKS.items():
        if getattr(sys, name) is fork:  # else somebody put his own there since: not ours to take away
            setattr(sys, name, fork.otherwise)
