"""What happens to one container of Docker's, from its start to its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from docker import APIClient

from abacito.abaco.container import FINAL_STATE_KEYS, ContainerEnd
from abacito.abaco.errors import ContainerGone, RunnerAway
from abacito.containers import daemon
from abacito.containers.log import Log
from abacito.containers.usage import Meter

_FRAME_HEADER_BYTES = 8
_NOT_READABLE = 501

#: Docker refuses the log of a container that it is about to remove with 409.
_GONE_OR_GOING = {**daemon.GONE, 409: ContainerGone}

_NEVER = 1  # the year of Docker's zero time


class Watch:
    """Follows a started container's log and waits for its end, in a thread of its own.

    When the end is told, ``drain`` has been called, and the log is whole.
    """

    def __init__(self, client: APIClient, id: str, log_limit: int, drain: Callable[[], None], meter: Meter) -> None:
        self._client = client
        self._id = id
        self._log_limit = log_limit
        self._drain = drain
        self._meter = meter
        self._log = Log(log_limit)
        self._over = threading.Event()
        self._end: ContainerEnd | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"container {id[:12]}", daemon=True)
        self._thread.start()

    @property
    def is_cut_off(self) -> bool:
        """Whether the daemon fell silent: the container may run on, and wants a new watch."""
        return isinstance(self._failure, RunnerAway)

    def wait(self, timeout_s: float) -> ContainerEnd | None:
        """The end, or None after ``timeout_s``. Raises ContainerGone, RunnerAway, and what ``drain`` raised."""
        self._over.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        return self._end

    @property
    def end(self) -> ContainerEnd | None:
        """The end, if it has been seen."""
        return self._end

    def log(self) -> str:
        """What was printed so far."""
        return self._log.text()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread, which ends with the container."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._end = self._see_through()
        except Exception as error:  # noqa: BLE001  whatever it is: it belongs to whoever waits
            self._failure = error
        finally:
            self._over.set()

    def _see_through(self) -> ContainerEnd:
        read_log(self._client, self._id, self._log, follow=True)
        state = self._state()
        if state["Running"]:  # it has closed its output, or fills a log that is full
            with daemon.asking(RunnerAway, daemon.GONE):
                self._client.wait(self._id, timeout=None)
            state = self._state()
        cpu_ns, io_bytes = self._meter.cpu_ns(), self._meter.io_bytes()
        self._drain()
        self._complete_log()
        if state["Status"] in ("removing", "dead"):
            raise ContainerGone(f"container {self._id} was removed while it ran")
        return replace(read_end(state), cpu_ns=cpu_ns, io_bytes=io_bytes)

    def _state(self) -> Mapping[str, Any]:
        with daemon.asking(RunnerAway, daemon.GONE):
            state: Mapping[str, Any] = self._client.inspect_container(self._id)["State"]
        return state

    def _complete_log(self) -> None:
        """Read it once more: only after the exit does Docker promise all of it, and that costs a millisecond."""
        if self._log.is_full:
            return
        whole = Log(self._log_limit)
        read_log(self._client, self._id, whole, follow=False)
        if len(whole.text()) >= len(self._log.text()):  # not so when Docker has rotated the log's beginning away
            self._log = whole


class _Stream(Protocol):
    def read(self, amount: int) -> bytes: ...


def read_log(client: APIClient, id: str, log: Log, follow: bool) -> None:
    """Write the container's output to ``log``, until it ends or the log is full. Raises ContainerGone, RunnerAway.

    By hand: the SDK's own ``logs`` inspects the container before each call.
    """
    url = f"{client.base_url}/v{client.api_version}/containers/{id}/logs"
    asked = {"stdout": 1, "stderr": 1, "follow": int(follow)}
    with (
        daemon.asking(RunnerAway, _GONE_OR_GOING),
        client.get(url, params=asked, stream=True, timeout=None) as answer,
    ):
        if answer.status_code == _NOT_READABLE:
            logging.getLogger(__name__).warning("container %s has a log driver that cannot be read", id)
            return
        answer.raise_for_status()
        for frame in _frames(answer.raw):
            log.write(frame)
            if log.is_full:
                return


def _frames(stream: _Stream) -> Iterator[bytes]:
    """The pieces of stdout and stderr, in order: Docker puts a header before each, its last four bytes the length."""
    while header := stream.read(_FRAME_HEADER_BYTES):
        yield stream.read(int.from_bytes(header[4:], "big"))


def read_end(state: Mapping[str, Any]) -> ContainerEnd:
    """Docker's ``State`` of an ended container as its end, without what it has used."""
    started_at, finished_at = read_time(state["StartedAt"]), read_time(state["FinishedAt"])
    kept = {key: state.get(key) for key in (*FINAL_STATE_KEYS, "Health") if key in state or key != "Health"}
    return ContainerEnd(
        exit_code=state["ExitCode"],
        final_state={**kept, "StartedAt": started_at, "FinishedAt": finished_at},
        runtime_s=_seconds(started_at, finished_at),
        started_at=started_at,
        finished_at=finished_at,
    )


def _seconds(start: datetime | None, end: datetime | None) -> float:
    if start is None or end is None:
        return 0.0
    return max(0.0, (end - start).total_seconds())  # Docker notes a start late: a quick end may precede it


def read_time(text: str) -> datetime | None:
    """A time of Docker's, with or without a fraction; None for its zero time."""
    time = datetime.fromisoformat(text).astimezone(UTC)
    return None if time.year == _NEVER else time
