"""The two times: the clock that tests may move, and the pace of real time that nobody can."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from abacito.abaco.errors import Malformed

if TYPE_CHECKING:
    from abacito.abaco.ports import ClockRecords, MachineClock

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SPAN = re.compile(r"\s*(-?)\s*((?:\d+(?:\.\d+)?\s*[wdhms]\s*)+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([wdhms])")

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


@dataclass(frozen=True, slots=True)
class Setting:
    """How a tenant's clock is set: so far from the machine's, or standing still. ``version`` counts its changes."""

    offset: timedelta = timedelta()
    frozen_at: datetime | None = None
    version: int = 0

    def time(self, machines: datetime) -> datetime:
        """What the clock shows when the machine's shows that."""
        return self.frozen_at or machines + self.offset

    def moved_by(self, by: timedelta) -> Self:
        """Set on by so much. Raises OverflowError."""
        if self.frozen_at is not None:
            return replace(self, frozen_at=self.frozen_at + by)
        return replace(self, offset=self.offset + by)

    def moved_to(self, moment: datetime, machines: datetime) -> Self:
        """Set to that moment; it stands still there if it stood still before."""
        if self.frozen_at is not None:
            return replace(self, frozen_at=moment)
        return replace(self, offset=moment - machines)

    def standing(self, moment: datetime) -> Self:
        """Standing still at that moment."""
        return replace(self, frozen_at=moment)

    def going(self, machines: datetime) -> Self:
        """Going on from where it stands."""
        return replace(self, offset=self.time(machines) - machines, frozen_at=None)


class Clocks:
    """Each tenant's clock: ``machines``, moved or stopped as its setting says."""

    def __init__(self, records: ClockRecords, machines: MachineClock) -> None:
        self._records, self._machines = records, machines

    def now(self, tenant: str) -> datetime:
        """The tenant's time, aware, in UTC."""
        return self._records.get(tenant).time(self._machines.now())

    def real_expiry(self, tenant: str, moment: datetime) -> int | None:
        """When the machine will show what the tenant's clock shows at ``moment``, in seconds of the epoch.

        None for a clock that was moved or stands still: it may be set back yet, and nothing may be gone then.
        """
        setting = self._records.get(tenant)
        return int(moment.timestamp()) + 1 if setting.offset == timedelta() and setting.frozen_at is None else None


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


def span(text: str) -> timedelta:
    """A span of time as it is written: ``90s``, ``4h1m``, ``2d``, ``1.5h``, ``-1w``. Raises Malformed."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise Malformed(f"{text!r} is no span of time: write 90s, 4h1m, 2d or 1w (w, d, h, m and s)")
    try:
        parts = (timedelta(**{_UNITS[unit]: float(count)}) for count, unit in _PART.findall(found[2]))
        return sum(parts, timedelta()) * (-1 if found[1] else 1)
    except OverflowError as error:
        raise Malformed(f"{text!r} is too long a span of time") from error


def moment(text: str) -> datetime:
    """A time in ISO's form, ``2026-11-23 09:00``; without a zone it is UTC, as all of Abaco's. Raises Malformed."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed(f"{text!r} is no time: write 2026-11-23T09:00 (UTC), or with a zone, +01:00") from error
