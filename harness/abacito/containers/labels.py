"""The labels on whatever we make in Docker: whose it is, and whether that process still lives."""

from __future__ import annotations

import os
from pathlib import Path

#: The label whose value tells one emulator's containers from all others.
EMULATOR_LABEL = "abacito.emulator"

#: On containers that only hold a network namespace: who clears actors leaves these.
PAUSE_LABEL = "abacito.pause"

#: Which process answers for a container, so that another can tell whether it still lives.
OWNER_LABEL = "abacito.owner"

#: On containers whose state outlives their process: never removed by others, a successor adopts them.
DURABLE_LABEL = "abacito.durable"


def this_process() -> str:
    """Boot of this machine, process id and start time: no other process, now or later, has the same."""
    return f"{_boot()}:{os.getpid()}:{_start_time(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether that process still runs. One of another boot does not; a daemon is taken to serve one machine."""
    boot, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    if not pid.isdigit():
        return True  # not written by us: none of our business
    return boot == _boot() and _start_time(int(pid)) == start


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_time(pid: int) -> str:
    """In clock ticks since boot; empty when there is no such process."""
    try:
        # The command's name, in parentheses, may hold blanks; what follows the last parenthesis does not.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
