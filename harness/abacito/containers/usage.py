"""What a container has used: CPU time by a control group above it, received bytes by its network namespace.

A container's own figures are gone with it, before anybody can ask; those of a group that outlives it are exact,
even for a container that lives 20 ms.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

log = logging.getLogger(__name__)

_CGROUPS = Path("/sys/fs/cgroup")
_INTERFACE = "eth0"
_NS_PER_US = 1_000
_MOST_LANES = 1000
_LABEL = "abacito.usage-before"


@dataclass(frozen=True, slots=True)
class Lane:
    """A control group in which one container at a time is; ``parent`` is its name as Docker takes it."""

    parent: str

    def cpu_ns(self) -> int | None:
        """The CPU time of all that ever ran here; None where the daemon's control groups are not this machine's."""
        name = self.parent.strip("/")
        with suppress(OSError, ValueError):
            return int((_CGROUPS / "cpuacct" / name / "cpuacct.usage").read_text())
        with suppress(OSError, ValueError, StopIteration):
            lines = (_CGROUPS / name / "cpu.stat").read_text().splitlines()
            return int(next(line.split()[1] for line in lines if line.startswith("usage_usec "))) * _NS_PER_US
        return None

    def remove(self) -> None:
        """Take the empty group away, if that is ours to do."""
        name = self.parent.strip("/")
        for place in (_CGROUPS / name, *_CGROUPS.glob(f"*/{name}")):
            with suppress(OSError):
                place.rmdir()


@dataclass(slots=True)
class Meter:
    """One container's use: the figures of its lane and of its network namespace, less what they were before.

    ``pid`` is a process that holds the namespace, if it is lent; in a namespace of its own nothing can be read later.
    """

    lane: Lane | None
    pid: int | None = None
    _cpu_before: int = 0
    _bytes_before: int = 0

    def begin(self) -> None:
        """Read them before the container is made."""
        self._cpu_before = (self.lane.cpu_ns() if self.lane else 0) or 0
        self._bytes_before = (received_bytes(self.pid) if self.pid else 0) or 0

    def cpu_ns(self) -> int:
        """CPU time since then, Docker's own for the start included (some 0.03 s); 0 where it cannot be read."""
        now = self.lane.cpu_ns() if self.lane else None
        return max(0, now - self._cpu_before) if now is not None else 0

    def io_bytes(self) -> int:
        """Bytes received on eth0 since then; 0 where that cannot be read."""
        now = received_bytes(self.pid) if self.pid else None
        return max(0, now - self._bytes_before) if now is not None else 0

    @property
    def parent(self) -> str | None:
        """The lane's name for Docker."""
        return self.lane.parent if self.lane else None

    def labels(self) -> dict[str, str]:
        """What is kept with the container, for whoever adopts it."""
        return {_LABEL: f"{self._cpu_before} {self._bytes_before} {self.pid or 0}"}

    @classmethod
    def of_found(cls, labels: Mapping[str, str], parent: str) -> Self:
        """The meter of a container that somebody else made; its lane may be lent to others by now, who are then
        counted too."""
        cpu, received, pid = (int(part) for part in labels.get(_LABEL, "0 0 0").split())
        return cls(Lane(parent) if parent else None, pid or None, cpu, received)


class Lanes:
    """The lanes of this machine, each claimed by one emulator as long as it runs.

    Only root may remove a control group: with anybody else they stay, empty. So they are numbered, and there are
    never more than containers have run at once.
    """

    def __init__(self, driver: str) -> None:
        self._form = "/abacito-{}" if driver == "cgroupfs" else "abacito{}.slice"
        self._lock = threading.Lock()
        self._free: list[Lane] = []
        self._claims: dict[Lane, socket.socket] = {}

    def borrow(self) -> Lane | None:
        """A lane with nobody in it, ours until it is given back; None when no place can be claimed."""
        with self._lock:
            if self._free:
                return self._free.pop()
            for number, claim in _unclaimed():
                lane = Lane(self._form.format(f"{os.getuid()}x{number}"))
                self._claims[lane] = claim
                return lane
        return None

    def give_back(self, lane: Lane) -> None:
        """It is free again."""
        with self._lock:
            self._free.append(lane)

    def close(self) -> None:
        """Give up all claims."""
        with self._lock:
            for lane, claim in self._claims.items():
                lane.remove()
                claim.close()
            self._claims.clear()
            self._free.clear()


def received_bytes(pid: int) -> int | None:
    """What has come in on eth0 of this process's network namespace; None where that cannot be read."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines():
            name, _, figures = line.partition(":")
            if name.strip() == _INTERFACE:
                return int(figures.split()[0])
    return None


def _unclaimed() -> Iterator[tuple[int, socket.socket]]:
    """Numbers that no process of this user has claimed, each with its claim: a name among Linux's abstract sockets,
    which leaves no file and ends with the process."""
    for number in range(_MOST_LANES):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0abacito-lane-{os.getuid()}-{number}")
        except OSError:
            claim.close()
            continue
        yield number, claim
    log.info("no CPU time is measured: no lane can be claimed")
