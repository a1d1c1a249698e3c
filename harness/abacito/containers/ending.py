"""How a container without a daemon tells its end, in the shape that Docker's inspect gives it."""

from __future__ import annotations

from datetime import datetime

from abacito.abaco.container import FINAL_STATE_KEYS, ContainerEnd

#: What Docker reports for a process that was ended by SIGKILL.
KILLED = 137


def ended(
    exit_code: int, started_at: datetime, finished_at: datetime, runtime_s: float, cpu_ns: int = 0
) -> ContainerEnd:
    """The end of a container that ran; ``final_state`` in FINAL_STATE_KEYS' order, as Docker's of an exited one."""
    told = {"Status": "exited", "Pid": 0, "ExitCode": exit_code, "Error": ""}
    times = {"StartedAt": started_at, "FinishedAt": finished_at}
    state: dict[str, object] = {key: {**told, **times}.get(key, False) for key in FINAL_STATE_KEYS}
    return ContainerEnd(exit_code, state, runtime_s, started_at, finished_at, cpu_ns)
