"""What a flood of log costs in memory, for the benchmark."""

from __future__ import annotations

import time
from pathlib import Path

from abacito.client import Actor, Execution
from abacito.emulator import Emulator

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_KIB = 1024
_MIB = 1024 * 1024


class Flood:
    """An actor that writes so many megabytes of log; the emulator keeps as much as a tenant may, and drops the rest."""

    def __init__(self, emulator: Emulator, megabytes: int) -> None:
        self.limit = emulator.tenant(emulator.admin.tenant).max_log_length
        self.megabytes = megabytes
        self._actor: Actor = emulator.client().register("floods_log").wait(within_s=120)
        self._run(2)  # whatever is loaded at the first time does not count

    def measure(self) -> tuple[float, float, int]:
        """By how many MiB this process grew at most, how many seconds it took, how many characters are kept."""
        before = _resident("VmRSS")
        _CLEAR.write_text("5")  # the peak counts from now on (Linux, proc(5))
        began = time.perf_counter()
        execution = self._run(self.megabytes)
        grown, taken_s = max(0, _resident("VmHWM") - before) / _MIB, time.perf_counter() - began
        return grown, taken_s, len(execution.logs)

    def _run(self, megabytes: int) -> Execution:
        return self._actor.send(str(megabytes)).wait(within_s=600)


def _resident(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * _KIB
