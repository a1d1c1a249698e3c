"""One container in Docker's hand."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from contextlib import ExitStack

import stamina
from docker import APIClient
from docker.errors import APIError

from abacito.abaco.container import ContainerEnd
from abacito.abaco.errors import ContainerGone, RunnerAway, StartRefused
from abacito.abaco.ports import ContainerState
from abacito.containers import daemon
from abacito.containers.keeping import Keep, is_wanted, kept_name
from abacito.containers.log import Log
from abacito.containers.usage import Meter
from abacito.containers.watch import Watch, read_log

log = logging.getLogger(__name__)

_STATES = {"created": ContainerState.CREATED, "exited": ContainerState.EXITED, "dead": ContainerState.EXITED}
_REMOVAL_ATTEMPTS = 10
_THREAD_END_S = 5.0


class DockerContainer:
    """A container of the daemon, by its id; never by its name, which another may take over.

    ``drain`` hands over the results in flight, ``meter`` tells what it has used; ``leaving`` is closed once the
    container is removed, or kept, when its end is one that ``keep`` is for. A watch is kept from ``start`` on, or from
    the first ``wait`` on a container that was found.
    """

    def __init__(
        self,
        client: APIClient,
        id: str,
        log_limit: int,
        drain: Callable[[], None],
        meter: Meter,
        leaving: ExitStack,
        keep: Keep = "never",
    ) -> None:
        self._client = client
        self._id = id
        self._log_limit = log_limit
        self._drain = drain
        self._meter = meter
        self._leaving = leaving
        self._keep = keep
        self._lock = threading.Lock()
        self._watch: Watch | None = None
        self._stoppers: list[threading.Thread] = []
        self._image_id: str | None = None

    @property
    def id(self) -> str:
        """Docker's id, 64 hexadecimal digits."""
        return self._id

    @property
    def image_id(self) -> str:
        """The digest that runs, whatever its tag means by now; asked once. Raises ContainerGone, RunnerAway."""
        if self._image_id is None:
            with daemon.asking(RunnerAway, daemon.GONE):
                self._image_id = str(self._client.inspect_container(self._id)["Image"])
        return self._image_id

    def state(self) -> ContainerState:
        """Looks now. Raises ContainerGone, RunnerAway."""
        with daemon.asking(RunnerAway, daemon.GONE):
            status = self._client.inspect_container(self._id)["State"]["Status"]
        return _STATES.get(status, ContainerState.RUNNING)

    def start(self) -> None:
        """Start it, once, and watch it. Raises StartRefused (it never ran), ContainerGone, RunnerAway."""
        try:
            with daemon.asking(StartRefused):
                self._client.start(self._id)
        except StartRefused as error:
            if "no such container" in str(error).lower():
                raise ContainerGone(str(error)) from error
            raise
        self._watched()

    def wait(self, timeout_s: float) -> ContainerEnd | None:
        """The end with everything complete, or None after ``timeout_s``. Raises ContainerGone, RunnerAway.

        After RunnerAway it may be called again: it looks anew. Also raises what the taker of results has raised.
        """
        if self._watch is None and self.state() is ContainerState.CREATED:
            threading.Event().wait(timeout_s)  # Docker would call this an end
            return None
        return self._watched().wait(timeout_s)

    def log(self) -> str:
        """What it printed so far, at most one character more than the limit. Raises ContainerGone, RunnerAway."""
        if self._watch is not None:
            return self._watch.log()
        printed = Log(self._log_limit)
        read_log(self._client, self._id, printed, follow=False)
        return printed.text()

    def stop(self, grace_s: float = 10.0) -> None:
        """Ask it to stop, kill it after ``grace_s`` (Docker counts whole seconds). Returns at once."""
        stopper = threading.Thread(target=self._stop, args=(math.ceil(grace_s),), daemon=True)
        self._stoppers.append(stopper)
        stopper.start()

    def remove(self) -> None:
        """Remove it, running or not, with its socket and pipe. Nothing happens if it is gone. Raises RunnerAway.

        One that is kept gets another name instead, and what to do with it is said.
        """
        if not self.keep_if_wanted():
            remove(self._client, self._id)
        self.release()

    def keep_if_wanted(self) -> bool:
        """Whether its end is one that it is kept for; then it has another name from now on. Raises RunnerAway."""
        end = None if self._watch is None else self._watch.end
        is_kept = end is not None and is_wanted(self._keep, end.exit_code)
        if is_kept:
            keep(self._client, self._id)
        return is_kept

    def release(self) -> None:
        """Give back what this process holds for a container that is gone: threads, socket, pipe."""
        for thread in (self._watch, *self._stoppers):
            if thread is not None:
                thread.join(_THREAD_END_S)
        self._leaving.close()

    def _watched(self) -> Watch:
        with self._lock:
            if self._watch is None or self._watch.is_cut_off:
                self._watch = Watch(self._client, self._id, self._log_limit, self._drain, self._meter)
            return self._watch

    def _stop(self, grace_s: int) -> None:
        try:
            with daemon.asking(RunnerAway, daemon.GONE):
                self._client.stop(self._id, timeout=grace_s)
        except ContainerGone:
            pass
        except RunnerAway as error:
            log.warning("container %s is not stopped: %s", self._id, error)


def keep(client: APIClient, id: str) -> None:
    """Rename it, and say how to look into it; no matter if it is gone. Raises RunnerAway."""
    try:
        with daemon.asking(RunnerAway, daemon.GONE):
            name = kept_name(client.inspect_container(id)["Config"]["Labels"].get("abacito.execution", id))
            client.rename(id, name)
    except ContainerGone:
        return
    log.warning("kept %s: docker logs %s; docker cp %s:/PATH .; docker rm %s", name, name, name, name)


def remove(client: APIClient, id: str) -> None:
    """Remove the container, running or not, with its anonymous volumes; no matter if it is gone. Raises RunnerAway."""
    try:
        with daemon.asking(RunnerAway, daemon.GONE):
            _remove(client, id)
    except ContainerGone:
        return


@stamina.retry(on=lambda error: _is_busy(error), attempts=_REMOVAL_ATTEMPTS, wait_initial=0.05, wait_max=1.0)
def _remove(client: APIClient, id: str) -> None:
    client.remove_container(id, force=True, v=True)


def _is_busy(error: Exception) -> bool:
    words = daemon.explanation(error)
    return isinstance(error, APIError) and (
        "is already in progress" in words
        or "device or resource busy" in words
        or "failed to remove root filesystem" in words
    )
