"""Signals that end a command: Ctrl-C, and SIGTERM, which ``docker stop`` and service managers send."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

from abacito.cli import exits


def until_signalled(ready: Callable[[], None] = lambda: None) -> int:
    """Wait for SIGINT or SIGTERM; the exit code that belongs to it. ``ready`` is called as soon as they are heeded.

    From then on further signals are ignored, so that stopping is not cut short.
    """
    came = threading.Event()
    codes: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        codes.append(exits.TERMINATED if number == signal.SIGTERM else exits.INTERRUPTED)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        came.set()

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    ready()
    came.wait()
    return codes[0]


def term_like_interrupt() -> None:
    """Let SIGTERM end what is under way like Ctrl-C does, with everything cleaned up, and its own exit code."""

    def leave(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(exits.TERMINATED)

    signal.signal(signal.SIGTERM, leave)
