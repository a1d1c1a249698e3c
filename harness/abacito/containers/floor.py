"""The plain life of a container by Docker's own library: what the benchmark compares with."""

from __future__ import annotations

import docker


class Floor:
    """Creates, starts, waits for, reads, inspects and removes one container per call, on the default bridge."""

    def __init__(self, image: str, command: list[str]) -> None:
        self._client = docker.from_env()
        self._image, self._command = image, command

    def run(self) -> str:
        """One life cycle; the log."""
        container = self._client.containers.create(self._image, self._command)
        container.start()
        container.wait()
        log = container.logs()
        container.reload()
        container.remove()
        return log.decode()

    def close(self) -> None:
        """Give the connection up."""
        self._client.close()
