"""Abaco's cron: a schedule as it is typed, and what one pass over an actor does (http-api-more §6).

``<start> + <count> <unit>``: the start is ``yyyy-m-d h`` in UTC, or ``now``; no run is finer than the hour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from dateutil.relativedelta import relativedelta

from abacito.abaco.errors import Malformed

#: The text of the message that a run consists of.
MESSAGE = "This is your cron execution"
#: Who such an execution names as its executor.
EXECUTOR = "cron"
#: The last hour that can be written: what falls due then or later never runs.
LAST_HOUR = datetime.max.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)

_NOW = ("now", "Now")  # Abaco 1.9, actors/models.py: these two spellings, so NOW is no date
_TIME = re.compile(r"([0-9]{1,4})-([0-9]{1,2})-([0-9]{1,2}) ([0-9]{1,2})")
_COUNT = re.compile(r"0*([1-9][0-9]{0,7})")  # there are fewer than 10**8 hours in the calendar
_BAD_FORM = "The cron is not in the correct format"


class Unit(StrEnum):
    """What a period is counted in; clients write it in the singular too."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"


_UNITS = {word: unit for unit in Unit for word in (unit.value, unit.value.removesuffix("s"))}


@dataclass(frozen=True, slots=True)
class Period:
    """The time from one run to the next; ``count`` is 1 or more."""

    count: int
    unit: Unit

    def after(self, moment: datetime) -> datetime:
        """``moment`` (aware, in UTC, on the hour) plus this period; LAST_HOUR if the calendar does not reach so far.

        Months go by the calendar: a day that the month lacks becomes its last, and the run after it starts from there.
        """
        try:
            return moment + self._length()
        except (ValueError, OverflowError):  # dateutil's way to say it for months, datetime's for the others
            return LAST_HOUR

    def _length(self) -> timedelta | relativedelta:
        if self.unit is Unit.MONTHS:
            return relativedelta(months=self.count)
        return timedelta(**{self.unit.value: self.count})


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Period):
    """A period with its first run; ``start`` is aware, in UTC, on the hour."""

    start: datetime


def parse(text: str, now: datetime) -> Schedule:
    """A client's schedule, as of ``now`` (aware, in UTC).

    Raises Malformed, for the first of these that is so: not of the form; a start that is no time; a start before the
    current hour; an unknown unit; a count that is no positive integer, or leads from the start out of the calendar.
    """
    begin, count, unit = _parts(text)
    hour = _hour_of(now)
    start = hour if begin in _NOW else next_execution(begin)
    if start < hour:
        raise Malformed(f"The starting datetime is old. The current UTC time is {hour.replace(tzinfo=None)}")
    period = _period(count, unit)
    if period.after(start) == LAST_HOUR:
        raise Malformed(_BAD_FORM)
    return Schedule(count=period.count, unit=period.unit, start=start)


def read(text: str) -> Period:
    """The period of a stored schedule; its start, gone by or not, counts no more. Raises Malformed for no schedule."""
    _, count, unit = _parts(text)
    return _period(count, unit)


def first_run(text: str, now: datetime) -> str:
    """The ``cron_next_ex`` of a schedule that ``parse`` has taken: its start as typed, or the current hour.

    Raises Malformed for what is not of the form.
    """
    begin, _, _ = _parts(text)
    return display(now) if begin in _NOW else begin


def display(moment: datetime) -> str:
    """A ``cron_next_ex`` as Abaco writes it back: ``2027-1-5 3``, without zero padding."""
    return f"{moment.year}-{moment.month}-{moment.day} {moment.hour}"


def next_execution(text: str) -> datetime:
    """A ``cron_next_ex``, padded or not, as a time, aware and in UTC. Raises Malformed for what is none."""
    refusal = Malformed(f"The starting date {text} is not in the correct format")
    found = _TIME.fullmatch(text)
    if not found:
        raise refusal
    year, month, day, hour = map(int, found.groups())
    try:
        return datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError as error:  # a thirteenth month, a 25th hour: Abaco answers 500 (http-api-more §13, row 17)
        raise refusal from error


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over an actor does: post a message or not; the new next run (None: it stays)."""

    runs: bool
    next: datetime | None


def one_pass(schedule: Period, next_run: datetime, now: datetime, *, is_on: bool) -> Pass:
    """One pass at ``now`` over an actor whose stored next run is ``next_run``, on the hour; both aware, in UTC.

    Missed runs are made up one a pass, and a schedule that is off advances all the same (http-api-more §6.4). A new
    next run is always later than the old one.
    """
    if next_run > now or next_run >= LAST_HOUR:
        return Pass(runs=False, next=None)
    return Pass(runs=is_on, next=schedule.after(next_run))


def _parts(text: str) -> tuple[str, str, str]:
    """Start, count and unit, as typed."""
    start, _, rest = text.partition(" + ")
    count, _, unit = rest.partition(" ")
    if not (start and count and unit):
        raise Malformed(_BAD_FORM)
    return start, count, unit


def _period(count: str, unit: str) -> Period:
    """Abaco looks at the unit first; at the count it does not look at all, and hangs later (§13, row 17)."""
    if unit not in _UNITS:
        raise Malformed(f"{unit} is an invalid unit of time")
    found = _COUNT.fullmatch(count)
    if not found:
        raise Malformed(_BAD_FORM)
    return Period(int(found[1]), _UNITS[unit])


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
