"""What a runner is asked for and what it tells: one execution's container, from its description to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

#: One result is one datagram of at most this many bytes; the rest of a longer one is cut off (execution.md §1.5).
RESULT_LIMIT_BYTES = 131_072

#: What Docker's ``State`` shows of an ended container, in its own spelling; ``final_state`` has these eleven keys.
FINAL_STATE_KEYS = (
    "Status",
    "Running",
    "Paused",
    "Restarting",
    "OOMKilled",
    "Dead",
    "Pid",
    "ExitCode",
    "Error",
    "StartedAt",
    "FinishedAt",
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the host that the actor sees; ``mode`` is ``ro`` or ``rw``."""

    host_path: str
    container_path: str
    mode: str


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One execution's container. ``name`` is unique among all that the runner knows.

    ``environment`` maps to text, or to None for "this variable is absent, even if the image sets it".
    ``binary`` is the message for ``/_abaco_binary_data``; None: no binary message, no such file.
    ``user`` is ``uid`` or ``uid:gid``; None: the image's. ``mem_limit`` in Docker's form (``512m``), ``nano_cpus``
    in 1e-9 CPU. ``log_limit`` is how many characters of log anybody will ever look at. ``search_paths``: a folder, by
    the name of a variable that lists folders, to stand before what the variable holds otherwise.
    """

    name: str
    image: str
    environment: Mapping[str, str | None]
    labels: Mapping[str, str] = field(default_factory=dict)
    binary: bytes | None = None
    privileged: bool = False
    mem_limit: str | None = None
    nano_cpus: int | None = None
    user: str | None = None
    mounts: tuple[Mount, ...] = ()
    log_limit: int = 1_000_000
    search_paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Callback:
    """How a container reaches the API: the URL that it is told, and what it needs beside to get there."""

    api_server: str
    variables: Mapping[str, str] = field(default_factory=dict)
    search_paths: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()


def prepended(variables: Mapping[str, str | None], search_paths: Mapping[str, str]) -> dict[str, str | None]:
    """The variables, the image's own among them, with each folder before what its variable holds."""
    held = {name: variables.get(name) for name in search_paths}
    return {
        **variables,
        **{name: f"{path}:{held[name]}" if held[name] else path for name, path in search_paths.items()},
    }


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How a container ended.

    ``exit_code`` is None when nobody can say any more. ``final_state`` has FINAL_STATE_KEYS, its two times as
    datetimes still; empty when unavailable. ``runtime_s`` real seconds from start to end; ``cpu_ns`` nanoseconds;
    ``io_bytes`` bytes received on eth0; both 0 where the runner cannot measure them.
    """

    exit_code: int | None
    final_state: Mapping[str, object]
    runtime_s: float
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cpu_ns: int = 0
    io_bytes: int = 0
