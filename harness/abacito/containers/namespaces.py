"""Network namespaces lent to containers, one at a time: making one takes Docker half of a small container's life."""

from __future__ import annotations

import io
import logging
import struct
import tarfile
import threading
from collections.abc import Mapping

from docker import APIClient

from abacito.abaco.errors import ContainerError, ContainerGone, RunnerAway
from abacito.containers import daemon
from abacito.containers.labels import PAUSE_LABEL

log = logging.getLogger(__name__)

_IMAGE, _TAG = "abacito-pause", "1"


class Namespaces:
    """Each is held by a container that only waits. An execution's container joins one that nobody else is in.

    ``borrow`` never waits: where none is free it says so, and has another one made meanwhile, up to ``limit``.
    """

    def __init__(
        self, client: APIClient, labels: Mapping[str, str], extra_hosts: Mapping[str, str], limit: int
    ) -> None:
        self._client, self._labels, self._extra_hosts, self._limit = client, labels, extra_hosts, limit
        self._lock = threading.Lock()
        self._free: list[str] = []
        self._made: dict[str, int] = {}
        self._makers: list[threading.Thread] = []
        self._is_closed = False

    def borrow(self) -> str | None:
        """The id of a container whose namespace is free now, ours until it is given back; None when there is none."""
        with self._lock:
            if self._free:
                return self._free.pop()
            if len(self._made) + sum(maker.is_alive() for maker in self._makers) < self._limit and not self._is_closed:
                maker = threading.Thread(target=self._make, name="abacito-namespace", daemon=True)
                self._makers = [m for m in self._makers if m.is_alive()] + [maker]
                maker.start()
        return None

    def give_back(self, id: str) -> None:
        """It is free again; one that does not run any more is forgotten."""
        try:
            with daemon.asking(RunnerAway, daemon.GONE):
                is_running = bool(self._client.inspect_container(id)["State"]["Running"])
        except (ContainerGone, RunnerAway):
            is_running = False
        with self._lock:
            if is_running and not self._is_closed:
                self._free.append(id)
            else:
                self._made.pop(id, None)

    def pid(self, id: str) -> int | None:
        """The process that holds a borrowed namespace, as this machine numbers it where the daemon is its own."""
        return self._made.get(id)

    def close(self) -> None:
        """Make no more, and forget them; removing them is left to who removes everything by its label."""
        with self._lock:
            self._is_closed = True
            self._free.clear()
            makers = self._makers
        for maker in makers:
            maker.join()

    def _make(self) -> None:
        try:
            id, pid = self._started()
        except ContainerError as error:
            log.info("no shared namespace: %s; each execution makes its own", error)
            self._limit = 0
            return
        with self._lock:
            self._made[id] = pid
            self._free.append(id)

    def _started(self) -> tuple[str, int]:
        with daemon.asking(ContainerError):
            made = self._client.create_container(
                self._image(),
                labels={**self._labels, PAUSE_LABEL: "true"},
                host_config=self._client.create_host_config(extra_hosts=dict(self._extra_hosts)),
            )
            self._client.start(made["Id"])
            pid = self._client.inspect_container(made["Id"])["State"]["Pid"]
        return str(made["Id"]), int(pid)

    def _image(self) -> str:
        """An image of nothing but the waiting program, made at the first need. Raises ContainerError elsewhere."""
        name = f"{_IMAGE}:{_TAG}"
        if daemon.image_id(self._client, name) is None:
            architecture = self._client.version()["Arch"]
            if architecture != "amd64":
                raise ContainerError(f"the waiting program is written for amd64, not for {architecture}")
            changes = ['ENTRYPOINT ["/pause"]']
            self._client.import_image_from_data(_archive(_program()), repository=_IMAGE, tag=_TAG, changes=changes)
        return name


def _program() -> bytes:
    """A Linux program for amd64 that calls pause(2) for ever: an ELF header, one segment, nine bytes of code."""
    code = bytes.fromhex("b8220000000f05ebf7")  # again: mov eax, 34 (pause); syscall; jmp again
    base, headers = 0x400000, 64 + 56
    size = headers + len(code)
    magic = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = magic + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return header + segment + code


def _archive(program: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    return archive.getvalue()
