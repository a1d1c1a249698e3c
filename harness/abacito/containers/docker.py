"""Actors in Docker: one fresh container for each execution."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from docker import APIClient

from abacito.abaco.container import ContainerSpec, prepended
from abacito.abaco.errors import ContainerGone, CreationRefused, ImageUnavailable, NameTaken, RunnerAway
from abacito.containers import daemon
from abacito.containers.channel import Channel
from abacito.containers.docker_container import DockerContainer, remove
from abacito.containers.images import Images
from abacito.containers.keeping import Keep, is_kept
from abacito.containers.labels import EMULATOR_LABEL, PAUSE_LABEL
from abacito.containers.namespaces import Namespaces
from abacito.containers.usage import Lanes, Meter

log = logging.getLogger(__name__)

RESULTS_SOCKET = "/_abaco_results.sock"
BINARY_DATA = "/_abaco_binary_data"
DOCKER_SOCKET = "/var/run/docker.sock"

#: Keeps ``log_limit`` with the container, for whoever adopts it.
LOG_LIMIT_LABEL = "abacito.log-limit"

#: For a container that somebody made without that label.
DEFAULT_LOG_LIMIT = 1_000_000

#: How actors reach the emulator; Docker Desktop knows the name by itself, Linux has to be told.
EXTRA_HOSTS = {"host.docker.internal": "host-gateway"}


class DockerRunner:
    """Runs actors in the daemon behind ``client``, which it owns from now on.

    Sockets and pipes are kept under ``folder``: a short path that the daemon sees too. ``labels`` are put on each
    container, and must hold EMULATOR_LABEL: ``close`` removes by it. Up to ``shared_namespaces`` network
    namespaces are kept to be lent to containers; 0: each container has its own. ``keep``: which containers stay after
    their end, for somebody to look into.
    """

    name = "docker"

    def __init__(
        self,
        client: APIClient,
        images: Images,
        folder: Path,
        labels: Mapping[str, str],
        shared_namespaces: int = 0,
        keep: Keep = "never",
    ) -> None:
        self._client, self._keep = client, keep
        self._images = images
        self._folder = folder
        self._labels = dict(labels)
        self._emulator = labels[EMULATOR_LABEL]
        self._namespaces = Namespaces(client, labels, EXTRA_HOSTS, shared_namespaces)
        self._lanes = Lanes(daemon.cgroup_driver(client))
        self._held: dict[str, DockerContainer] = {}

    @property
    def location(self) -> str:
        """The daemon's address."""
        return daemon.location()

    def callback_host(self) -> str | None:
        """The gateway of Docker's default bridge, an address of this machine on Linux. Raises RunnerAway."""
        with daemon.asking(RunnerAway):
            settings = self._client.inspect_network("bridge")["IPAM"]["Config"][0]
        # Docker 20.10 names no gateway for its default bridge; it is the first address of the subnet.
        return settings.get("Gateway") or str(next(ip_network(settings["Subnet"]).hosts()))

    def prepare(self, image: str) -> str:
        """Have the image in the daemon and answer its id. Raises ImageUnavailable, RunnerAway."""
        id = self._images.prepare(image)
        if namespace := self._namespaces.borrow():  # the first one is made now, before the first message
            self._namespaces.give_back(namespace)
        return id

    def create(self, spec: ContainerSpec, on_result: Callable[[bytes], None]) -> DockerContainer:
        """Make the container, not started. Raises NameTaken, ImageUnavailable, CreationRefused, RunnerAway."""
        with ExitStack() as leaving:
            channel = Channel(self._folder / secrets.token_hex(4), spec.binary, on_result)
            leaving.callback(channel.close)
            lane = self._lanes.borrow()
            if lane is not None:
                leaving.callback(self._lanes.give_back, lane)
            meter = Meter(lane)
            id = self._create_in_namespace(spec, channel, meter, leaving)
            leaving.callback(self._held.pop, id, None)
            rest = channel.drain, meter, leaving.pop_all(), self._keep
            made = DockerContainer(self._client, id, spec.log_limit, *rest)
        self._held[id] = made
        return made

    def find(self, name: str) -> DockerContainer | None:
        """The container of that name, whoever made it; None if there is none. Raises RunnerAway.

        One that another process made has no results socket any more: what its actor sends from now on is lost.
        """
        try:
            with daemon.asking(RunnerAway, daemon.GONE):
                found = self._client.inspect_container(name)
        except ContainerGone:
            return None
        if found["Name"] != f"/{name}":  # the daemon also takes the start of an id
            return None
        return self._held.get(found["Id"]) or self._adopted(found)

    def names(self) -> Collection[str]:
        """The names of the actors' containers with this emulator's label. Raises RunnerAway."""
        actors = [each for each in self._ours() if PAUSE_LABEL not in each["Labels"]]
        return [str(name)[1:] for each in actors for name in each["Names"] or ()]  # none: it is being removed

    def clear(self) -> None:
        """Remove every container with this emulator's label; who waits for one sees it gone."""
        try:
            for container in list(self._held.values()):  # who recorded an end just now has not come to it
                container.keep_if_wanted()
            self._remove_all()
        except RunnerAway as error:
            log.warning("containers of emulator %s are left behind: %s", self._emulator, error)
        for container in list(self._held.values()):
            container.release()

    def close(self) -> None:
        """Clear, give up the shared namespaces, and close the client."""
        self._namespaces.close()
        self.clear()
        try:
            self._remove_all(with_namespaces=True)
        except RunnerAway as error:
            log.warning("namespaces of emulator %s are left behind: %s", self._emulator, error)
        self._lanes.close()
        self._client.close()

    def _create_in_namespace(self, spec: ContainerSpec, channel: Channel, meter: Meter, leaving: ExitStack) -> str:
        """In a namespace that is lent to it, if one is free; what fails there is tried again in its own."""
        namespace = self._namespaces.borrow()
        if namespace is None:
            return self._create_of_image(spec, channel, meter, None)
        leaving.callback(self._namespaces.give_back, namespace)
        meter.pid = self._namespaces.pid(namespace)
        try:
            return self._create_of_image(spec, channel, meter, namespace)
        except (ImageUnavailable, CreationRefused):  # Docker says "no such container" as it says "no such image"
            meter.pid = None
            return self._create_of_image(spec, channel, meter, None)

    def _create_of_image(self, spec: ContainerSpec, channel: Channel, meter: Meter, namespace: str | None) -> str:
        try:
            return self._create(spec, self._images.likely(spec.image), channel, meter, namespace)
        except ImageUnavailable:
            return self._create(spec, self._images.resolve(spec.image), channel, meter, namespace)

    def _create(self, spec: ContainerSpec, image: str, channel: Channel, meter: Meter, namespace: str | None) -> str:
        meter.begin()
        # Of a container that joins, host name and extra hosts are those of the one that it joins.
        network = {"network_mode": f"container:{namespace}"} if namespace else {"extra_hosts": EXTRA_HOSTS}
        with daemon.asking(CreationRefused, {404: ImageUnavailable, 409: NameTaken}):
            made = self._client.create_container(
                image,
                name=spec.name,
                environment=[k if v is None else f"{k}={v}" for k, v in self._environment(spec, image).items()],
                labels={**self._labels, **spec.labels, LOG_LIMIT_LABEL: str(spec.log_limit), **meter.labels()},
                user=spec.user,
                host_config=self._client.create_host_config(
                    binds=_binds(spec, channel),
                    privileged=spec.privileged,
                    mem_limit=spec.mem_limit,
                    nano_cpus=spec.nano_cpus,
                    cgroup_parent=meter.parent,
                    **network,
                ),
            )
        return str(made["Id"])

    def _environment(self, spec: ContainerSpec, image: str) -> Mapping[str, str | None]:
        if not spec.search_paths:
            return spec.environment
        images_own = daemon.image_environment(self._client, image)
        kept = {name: images_own[name] for name in spec.search_paths if name in images_own}
        return prepended({**kept, **spec.environment}, spec.search_paths)

    def _adopted(self, found: Mapping[str, Any]) -> DockerContainer:
        labels: Mapping[str, str] = found["Config"]["Labels"] or {}
        limit = int(labels.get(LOG_LIMIT_LABEL, DEFAULT_LOG_LIMIT))
        leaving = ExitStack()
        leaving.callback(self._held.pop, found["Id"], None)
        leaving.callback(_sweep, found["HostConfig"]["Binds"] or ())
        meter = Meter.of_found(labels, found["HostConfig"].get("CgroupParent") or "")
        adopted = DockerContainer(self._client, found["Id"], limit, _nothing_to_drain, meter, leaving, self._keep)
        if labels.get(EMULATOR_LABEL) != self._emulator:
            return adopted  # not ours to clear
        return self._held.setdefault(found["Id"], adopted)

    def _ours(self) -> Sequence[Mapping[str, Any]]:
        with daemon.asking(RunnerAway):
            label = f"{EMULATOR_LABEL}={self._emulator}"
            found = self._client.containers(all=True, filters={"label": label})
        return [each for each in found if not is_kept(each["Names"])]

    def _remove_all(self, *, with_namespaces: bool = False) -> None:
        for found in self._ours():
            if with_namespaces or PAUSE_LABEL not in found["Labels"]:
                remove(self._client, found["Id"])


def _binds(spec: ContainerSpec, channel: Channel) -> list[str]:
    binds = [f"{channel.results_path}:{RESULTS_SOCKET}:ro"]
    if channel.binary_path is not None:
        binds.append(f"{channel.binary_path}:{BINARY_DATA}:ro")
    if spec.privileged:
        binds.append(f"{DOCKER_SOCKET}:{DOCKER_SOCKET}:rw")
    return binds + [f"{mount.host_path}:{mount.container_path}:{mount.mode}" for mount in spec.mounts]


def _sweep(binds: Iterable[str]) -> None:
    """Take away the socket and the pipe that an emulator which is dead has left behind."""
    for bind in binds:
        source, target, *_ = bind.split(":")
        if target in (RESULTS_SOCKET, BINARY_DATA):
            with suppress(OSError):
                Path(source).unlink()
                Path(source).parent.rmdir()  # refused until both are gone


def _nothing_to_drain() -> None:
    pass
