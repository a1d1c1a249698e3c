"""Moving a tenant's clock: what falls due on the way is run, oldest first, as if the time had passed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from abacito.abaco.errors import Malformed
from abacito.abaco.time import Setting

if TYPE_CHECKING:
    from abacito.abaco.ports import ActorRecords, ClockRecords, ExecutionRecords, MachineClock
    from abacito.abaco.scheduling import Scheduling

log = logging.getLogger(__name__)

#: A jump over more occurrences than these is refused: each is an execution.
MOST_RUNS = 10_000
#: What can be shown, stored and signed: Docker's and JWT's times begin at the epoch, datetime's end soon after.
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

_WHY_NOT_BACK = (
    "what has expired or has run until now stays so, and newer records would seem older than the ones before them. "
    "Say force if that is meant, or reset"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a clock shows, by how much it is off the machine's, and whether it stands still.

    ``cron_runs``: how many cron executions fell due on the way here, ``logs``: how many stored logs were swept.
    """

    now: datetime
    offset: timedelta
    is_frozen: bool
    cron_runs: int = 0
    logs: int = 0


class Travelling:
    """The tenants' clocks, to be moved. A way costs what falls due on it, not what it spans."""

    def __init__(
        self,
        records: ClockRecords,
        machines: MachineClock,
        scheduling: Scheduling,
        actors: ActorRecords,
        executions: ExecutionRecords,
    ) -> None:
        self._records, self._machines, self._scheduling = records, machines, scheduling
        self._actors, self._executions = actors, executions
        self._going = threading.Lock()

    def show(self, tenant: str) -> Reading:
        """The tenant's clock as it is now."""
        return self._reading(self._records.get(tenant))

    def travel(self, tenant: str, by: timedelta, *, force: bool = False) -> Reading:
        """Move it on; if it stands still, it does so there. Raises Malformed for backwards, unless forced, and for
        what leads out of time or over more than MOST_RUNS cron executions."""
        return self._go(tenant, lambda seen: seen.moved_by(by), force=force)

    def go_to(self, tenant: str, moment: datetime, *, force: bool = False) -> Reading:
        """The same, to a moment (aware)."""
        return self._go(tenant, lambda seen: seen.moved_to(moment, self._machines.now()), force=force)

    def freeze(self, tenant: str, at: datetime | None = None, *, force: bool = False) -> Reading:
        """Have it stand still, here or at that moment. Raises Malformed like ``travel``."""
        return self._go(tenant, lambda seen: seen.standing(at or seen.time(self._machines.now())), force=force)

    def unfreeze(self, tenant: str) -> Reading:
        """Have it go on from where it stands."""
        self._change(tenant, lambda seen: seen.going(self._machines.now()))
        return self.show(tenant)

    def reset(self, tenant: str) -> Reading:
        """Have it show the machine's time again, be that backwards."""
        self._change(tenant, lambda _: Setting())
        return self.show(tenant)

    def go_on_from(self, tenant: str, then: datetime) -> None:
        """Have it go on as if no time had passed since the machine's showed ``then``; one that stands still does so."""
        by = then - self._machines.now()
        self._change(tenant, lambda seen: seen if seen.frozen_at else seen.moved_by(by))

    def sweep(self) -> None:
        """Remove stored logs whose time is over, of all tenants."""
        for tenant in {each.key.tenant for each in self._actors.enrolled()}:
            self._executions.sweep_logs(tenant, self.show(tenant).now)

    def _go(self, tenant: str, change: Callable[[Setting], Setting], *, force: bool) -> Reading:
        with self._going:  # one after the other, so that two at once go as far as both
            seen = self._records.get(tenant)
            now, goal = self._within_time(seen), self._within_time(seen, change)
            if goal < now and not force:
                raise Malformed(f"{goal.isoformat()} is before the clock's {now.isoformat()}: {_WHY_NOT_BACK}.")
            runs = self._run_what_is_due(tenant, goal)
            goes_there = change(seen)
            self._change(tenant, lambda _: goes_there)
        swept = self._executions.sweep_logs(tenant, goal)
        log.info("the clock of tenant %s shows %s: %d cron runs on the way", tenant, goal.isoformat(), runs)
        reading = self.show(tenant)
        return Reading(reading.now, reading.offset, reading.is_frozen, runs, swept)

    def _within_time(self, seen: Setting, change: Callable[[Setting], Setting] = lambda seen: seen) -> datetime:
        """What it shows so changed. Raises Malformed for what is no time."""
        try:
            goal = change(seen).time(self._machines.now())
        except OverflowError as error:
            raise Malformed("That leads out of the calendar.") from error
        if not EARLIEST <= goal <= LATEST:
            raise Malformed(f"{goal.isoformat()}: the clock goes from {EARLIEST.year} to {LATEST.year}.")
        return goal

    def _run_what_is_due(self, tenant: str, until: datetime) -> int:
        """Each occurrence at its own time, so that many small ways equal a long one."""
        agenda = self._scheduling.agenda(tenant, until)
        if agenda.count(MOST_RUNS + 1) > MOST_RUNS:
            raise Malformed(f"More than {MOST_RUNS} cron executions fall due until {until.isoformat()}: go less far.")
        runs = 0
        while (occurrence := agenda.next_due()) is not None:
            self._set_at_least(tenant, occurrence)
            runs += agenda.run()
        return runs

    def _set_at_least(self, tenant: str, moment: datetime) -> None:
        machines = self._machines.now()
        self._change(tenant, lambda seen: seen if seen.time(machines) >= moment else seen.moved_to(moment, machines))

    def _change(self, tenant: str, change: Callable[[Setting], Setting]) -> None:
        """Of two who change it at once each sees the other's change."""
        while True:
            seen = self._records.get(tenant)
            if self._records.put(tenant, replace(change(seen), version=seen.version + 1), seen):
                return

    def _reading(self, setting: Setting) -> Reading:
        machines = self._machines.now()
        now = setting.time(machines)
        return Reading(now, now - machines, setting.frozen_at is not None)


@dataclass(frozen=True, slots=True)
class TenantClock:
    """One tenant's clock."""

    _travelling: Travelling
    tenant: str

    def now(self) -> datetime:
        """What it shows, aware, in UTC."""
        return self._travelling.show(self.tenant).now

    def travel(self, by: timedelta, *, force: bool = False) -> Reading:
        """Move it on, as ``Travelling.travel`` does."""
        return self._travelling.travel(self.tenant, by, force=force)

    def go_to(self, moment: datetime, *, force: bool = False) -> Reading:
        """Move it to a moment (aware)."""
        return self._travelling.go_to(self.tenant, moment, force=force)

    def freeze(self, at: datetime | None = None, *, force: bool = False) -> Reading:
        """Have it stand still, here or there."""
        return self._travelling.freeze(self.tenant, at, force=force)

    def unfreeze(self) -> Reading:
        """Have it go on."""
        return self._travelling.unfreeze(self.tenant)

    def reset(self) -> Reading:
        """Have it show the machine's time again."""
        return self._travelling.reset(self.tenant)
