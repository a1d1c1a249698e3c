"""What an ended container leaves: the log as it is kept, and the figures of its execution."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from abacito.abaco.actor import Actor
from abacito.abaco.container import ContainerEnd
from abacito.abaco.execution import Outcome
from abacito.abaco.tenant import Tenant

#: Abaco 1.9, models.py: the end of a log that was too long.
TRUNCATED = " LOG LIMIT EXCEEDED; this execution log was TRUNCATED!"


def kept_log(text: str, tenant: Tenant) -> str:
    """The log as it is stored: at most ``max_log_length`` characters, then Abaco's notice.

    Abaco compares with a constant and cuts at the setting; here both are the setting (execution.md §2.5).
    """
    limit = tenant.max_log_length
    return text if len(text) <= limit else text[:limit] + TRUNCATED


def log_expiry(actor: Actor, tenant: Tenant, now: datetime) -> datetime | None:
    """When a log written now is gone; None: never."""
    life_s = tenant.log_life_s(actor.log_ex)
    return None if life_s is None else now + timedelta(seconds=life_s)


def outcome_of(end: ContainerEnd, start_time: datetime) -> Outcome:
    """The figures of an execution whose container ended so; ``start_time`` is our clock's, just before the start.

    ``finish_time`` is Docker's; where Docker has none, start time and run time give one.
    """
    finish = end.finished_at or start_time + timedelta(seconds=end.runtime_s)
    return Outcome(
        exit_code="undetermined" if end.exit_code is None else end.exit_code,
        final_state=_shown(end.final_state) or {"unavailable": True},
        start_time=start_time,
        finish_time=max(finish, start_time),
        runtime=int(end.runtime_s),
        cpu=end.cpu_ns,
        io=end.io_bytes,
    )


def display_time(moment: datetime) -> str:
    """``2026-11-23T21:12:17.756Z``: three digits, always.

    Abaco replaces each ``000`` of the microseconds by ``Z``, which spoils one time in ten (http-api §1.3).
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _shown(state: Mapping[str, object]) -> dict[str, Any]:
    return {k: display_time(v) if isinstance(v, datetime) else v for k, v in state.items()}
