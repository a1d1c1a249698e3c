"""Which runner: Docker or processes for all, and stubs for the images that are Python functions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from abacito.abaco.container import ContainerSpec
from abacito.abaco.errors import Unavailable
from abacito.abaco.ports import Container, Runner
from abacito.containers.keeping import Keep
from abacito.containers.stub import StubRunner

log = logging.getLogger(__name__)

Kind = Literal["auto", "docker", "process"]


class ByImage:
    """A runner of two: ``stubs`` for the images registered with it, ``main`` for all others."""

    def __init__(self, main: Runner, stubs: StubRunner) -> None:
        self.main, self.stubs = main, stubs

    @property
    def name(self) -> str:
        """The main runner's."""
        return self.main.name

    @property
    def location(self) -> str:
        """The main runner's."""
        return self.main.location

    def callback_host(self) -> str | None:
        """The main runner's; a stub reaches what a container reaches."""
        return self.main.callback_host()

    def prepare(self, image: str) -> str:
        """Have the image at hand. Raises ImageUnavailable, RunnerAway."""
        return self._for(image).prepare(image)

    def create(self, spec: ContainerSpec, on_result: Callable[[bytes], None]) -> Container:
        """Make the container where its image runs."""
        return self._for(spec.image).create(spec, on_result)

    def find(self, name: str) -> Container | None:
        """The container of that name, in either."""
        return self.stubs.find(name) or self.main.find(name)

    def names(self) -> Collection[str]:
        """The names of all containers, in both. Raises RunnerAway."""
        return {*self.stubs.names(), *self.main.names()}

    def clear(self) -> None:
        """Remove all containers, and forget the stubs."""
        self.stubs.clear()
        self.main.clear()

    def close(self) -> None:
        """Close both."""
        self.stubs.close()
        self.main.close()

    def _for(self, image: str) -> Runner:
        return self.stubs if self.stubs.has(image) else self.main


@dataclass(frozen=True, slots=True)
class DockerOptions:
    """How Docker is used.

    ``pull``: whether it may; ``shared_namespaces``: how many network namespaces containers may take turns in, 0: each
    has its own; ``keep``: which containers stay after their end.
    """

    labels: Mapping[str, str]
    pull: bool
    shared_namespaces: int
    keep: Keep


def choose(kind: Kind, folder: Path, options: DockerOptions) -> ByImage:
    """The runner asked for, with sockets and scratch files under ``folder``; ``auto`` takes Docker if it answers.

    Raises Unavailable when Docker was asked for by name and does not answer.
    """
    return ByImage(_main(kind, folder, options), StubRunner())


def _main(kind: Kind, folder: Path, options: DockerOptions) -> Runner:
    if kind == "process":
        return _process(folder, options)
    try:
        return _docker(folder, options)
    except Unavailable as error:
        if kind == "docker":
            raise
        log.warning("actors run as processes of this machine, which is not what Abaco does: %s", error)
        return _process(folder, options)


def _process(folder: Path, options: DockerOptions) -> Runner:
    from abacito.containers.process import ProcessRunner, bubblewrap

    if options.keep != "never":
        log.warning("keep_containers = %r: actors run as processes, which leave no container to be kept", options.keep)
    program = bubblewrap()
    if program is None:
        log.warning(
            "no working bubblewrap (bwrap) here: actors run as plain processes, and no absolute path of theirs exists"
        )
    return ProcessRunner(folder, program)


def _docker(folder: Path, options: DockerOptions) -> Runner:
    from abacito.containers.daemon import connect
    from abacito.containers.docker import DockerRunner
    from abacito.containers.images import Images
    from abacito.containers.leftovers import remove_leftovers

    client = connect()
    remove_leftovers(client)
    images = Images(client, options.pull)
    return DockerRunner(client, images, folder, options.labels, options.shared_namespaces, options.keep)
