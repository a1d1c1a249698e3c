"""The two times: the clock that tests may move, and the pace of real time that nobody can."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abacito.abaco.ports import Clock

# Looked up once, and called with its argument: neither freezegun nor time-machine replaces clock_gettime for the
# monotonic clock, whatever they do to the names of this module.
_CLOCK_GETTIME = (time.clock_gettime,)


def real_monotonic() -> float:
    """Seconds of real time since some fixed point, also under freezegun and time-machine."""
    return _CLOCK_GETTIME[0](time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's time, looked up at each call, so that it follows freezegun and time-machine in every thread."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)


class MovableClock:
    """Another clock, moved by as much as it was travelled."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._offset = clock, timedelta()

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self._clock.now() + self._offset

    def travel(self, by: timedelta) -> None:
        """Move it; nothing that goes by real time notices."""
        self._offset += by

    def reset(self) -> None:
        """Show the other clock's time again."""
        self._offset = timedelta()


class RealPace:
    """Real time; its sleeps end early once ``stopping`` is set."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def monotonic(self) -> float:
        """Seconds since some fixed point."""
        return real_monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass, unless we are stopping."""
        self._stopping.wait(seconds)
