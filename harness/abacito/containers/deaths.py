"""When Docker saw a container end: what the benchmark counts from."""

from __future__ import annotations

import threading

import docker

_NS_PER_S = 1_000_000_000


class Deaths:
    """Listens to the daemon's ``die`` events from its making on."""

    def __init__(self) -> None:
        self._client = docker.from_env()
        self._times: dict[str, float] = {}
        self._news = threading.Condition()
        self._events = self._client.events(decode=True, filters={"event": "die"})
        self._thread = threading.Thread(target=self._listen, name="abacito-deaths", daemon=True)
        self._thread.start()

    def time_of(self, name: str, within_s: float) -> float:
        """When the container of this name ended, in seconds since the epoch by the daemon's clock.

        Raises TimeoutError when that is not told within so long.
        """
        with self._news:
            if not self._news.wait_for(lambda: name in self._times, within_s):
                raise TimeoutError(f"Docker told no end of the container {name}")
            return self._times.pop(name)

    def close(self) -> None:
        """Listen no more."""
        self._events.close()
        self._thread.join()
        self._client.close()

    def _listen(self) -> None:
        for event in self._events:
            with self._news:
                self._times[event["Actor"]["Attributes"]["name"]] = event["timeNano"] / _NS_PER_S
                self._news.notify_all()
