"""What surrounds an actor that runs as a process: its files at their paths, by bubblewrap, or in a scratch copy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from abacito.abaco.container import ContainerSpec
from abacito.abaco.errors import CreationRefused, StartRefused
from abacito.containers.channel import Channel
from abacito.containers.dockerfile import Copy, Dockerfile

#: Docker's default PATH, then our interpreter's own place: an actor's ``python3`` must be found on any machine.
BASE_ENVIRONMENT = {
    "PATH": f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{sys.base_prefix}/bin",
    "HOME": "/root",
}

RESULTS_SOCKET, BINARY_DATA = "/_abaco_results.sock", "/_abaco_binary_data"

# Of the host, read-only: programs, libraries, and what they are configured by.
_HOST = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "etc")


@dataclass(frozen=True, slots=True)
class Layout:
    """An execution's files: ``root`` holds what COPY put there, in a ``box`` that is the execution's own."""

    box: Path
    folder: Path
    image: Dockerfile

    @property
    def root(self) -> Path:
        """What is ``/`` to COPY."""
        return self.box / "r"

    @classmethod
    def made(cls, box: Path, folder: Path, image: Dockerfile) -> Self:
        """Copy the files of an image. Raises CreationRefused, naming what is missing."""
        layout = cls(box, folder, image)
        try:
            layout.inside(image.workdir).mkdir(parents=True)
            for copy in image.copies:
                layout._copy(copy)
        except (OSError, shutil.Error) as error:
            shutil.rmtree(box, ignore_errors=True)
            raise CreationRefused(f"COPY of {folder / 'Dockerfile'} failed: {error}") from error
        return layout

    def inside(self, path: str) -> Path:
        """Where a path of the image's is in the scratch copy."""
        return self.root / path.lstrip("/")

    def _copy(self, copy: Copy) -> None:
        for source, target in self._pairs(copy):
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
            if copy.mode is not None:
                target.chmod(copy.mode)

    def _pairs(self, copy: Copy) -> Iterator[tuple[Path, Path]]:
        target = self.inside(copy.target)
        for pattern in copy.sources:
            sources = sorted(self.folder.glob(pattern.lstrip("/"))) if pattern.strip("./") else [self.folder]
            if not sources:
                raise FileNotFoundError(f"{pattern}: no such file in {self.folder}")
            for source in sources:
                into = copy.target.endswith("/") or target.is_dir() or len(copy.sources) + len(sources) > 2
                yield source, target / source.name if into and not source.is_dir() else target


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: arguments, working directory and variables of the host's process.

    ``descriptors`` are handed down to it, and closed by whoever starts it.
    """

    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    descriptors: tuple[int, ...] = ()


class Sandbox(Protocol):
    """How files get to their paths, and signals to the actor."""

    def check(self, layout: Layout, spec: ContainerSpec) -> None:
        """Raises CreationRefused, by name, for what cannot be honoured."""

    def command(self, layout: Layout, spec: ContainerSpec, channel: Channel, environment: Mapping[str, str]) -> Command:
        """What to start. Raises StartRefused when the actor's program does not exist."""

    def signal(self, process: subprocess.Popen[bytes], number: int) -> None:
        """Send a signal to the actor. Raises ProcessLookupError when it is gone."""


class Plain:
    """A plain process in the scratch copy: absolute paths that were copied are rewritten in its arguments.

    Socket and pipe cannot be at their true paths; two variables of ours tell where they are, and the bundled actors
    look at them.
    """

    def check(self, layout: Layout, spec: ContainerSpec) -> None:
        """Nothing can be mounted."""
        if spec.mounts:
            raise CreationRefused("Without bubblewrap the process runner has no mounts: install bubblewrap, or Docker")

    def command(self, layout: Layout, spec: ContainerSpec, channel: Channel, environment: Mapping[str, str]) -> Command:
        """The image's own command, in the scratch copy."""
        argv = tuple(self._here(layout, word) for word in layout.image.argv)
        cwd = layout.inside(layout.image.workdir)
        _check_program(argv[0], cwd, environment)
        own = {"HOME": str(layout.root), "ABACITO_RESULTS_SOCKET": str(channel.results_path)}
        if channel.binary_path is not None:
            own["ABACITO_BINARY_DATA"] = str(channel.binary_path)
        return Command(argv, cwd, {**environment, **own})

    def signal(self, process: subprocess.Popen[bytes], number: int) -> None:
        """To the whole group: nothing else holds it together."""
        os.killpg(process.pid, number)

    def _here(self, layout: Layout, word: str) -> str:
        is_copied = word.startswith("/") and word != "/" and layout.inside(word).exists()
        return str(layout.inside(word)) if is_copied else word


class Bubblewrap:
    """Its own root, processes and host name; the host's programs, read-only; the host's network."""

    def __init__(self, program: str) -> None:
        self._program = program

    def check(self, layout: Layout, spec: ContainerSpec) -> None:
        """Nothing can be copied over the host's own folders."""
        shadowed = [name for name in _HOST if (layout.root / name).exists()]
        if shadowed:
            raise CreationRefused(
                f"The process runner cannot COPY into /{shadowed[0]}, this machine's own: use another folder, or Docker"
            )

    def command(self, layout: Layout, spec: ContainerSpec, channel: Channel, environment: Mapping[str, str]) -> Command:
        """bubblewrap, with the actor as process 1, as in a container: unhandled signals do not end it."""
        _check_program(layout.image.argv[0], layout.inside(layout.image.workdir), environment, layout)
        options = (*self._files(layout), *self._binds(spec, channel), *self._namespaces(layout))
        variables = (part for name, value in environment.items() for part in ("--setenv", name, value))
        given = _handed_over((*options, "--clearenv", *variables))
        argv = (self._program, "--args", str(given), "--", *layout.image.argv)
        return Command(argv, layout.box, {"PATH": os.defpath}, (given,))

    def signal(self, process: subprocess.Popen[bytes], number: int) -> None:
        """To the actor itself, bubblewrap's only child; bubblewrap passes no signal on, and ends with its child."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if not children or number == signal.SIGKILL:
            os.killpg(process.pid, number)
        for child in children:
            os.kill(int(child), number)

    def _files(self, layout: Layout) -> Iterator[str]:
        yield from ("--tmpfs", "/")
        for name in _HOST:
            place = Path("/", name)
            if place.is_symlink():
                yield from ("--symlink", str(place.readlink()), str(place))
            elif place.is_dir():
                yield from ("--ro-bind", str(place), str(place))
        if not sys.base_prefix.startswith("/usr"):
            yield from ("--ro-bind", sys.base_prefix, sys.base_prefix)
        yield from ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/root", "--dir", "/var/tmp")
        for entry in sorted(layout.root.iterdir()):
            yield from ("--bind", str(entry), f"/{entry.name}")

    def _binds(self, spec: ContainerSpec, channel: Channel) -> Iterator[str]:
        yield from ("--ro-bind", str(channel.results_path), RESULTS_SOCKET)
        if channel.binary_path is not None:
            yield from ("--ro-bind", str(channel.binary_path), BINARY_DATA)
        for mount in spec.mounts:
            if Path(mount.host_path).exists():
                yield from ("--ro-bind" if mount.mode == "ro" else "--bind", mount.host_path, mount.container_path)
            else:  # Docker makes an empty folder of it; here nothing is made outside of the sandbox
                yield from ("--dir", mount.container_path)

    def _namespaces(self, layout: Layout) -> Iterator[str]:
        yield from ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "abacito", "--as-pid-1")
        yield from ("--die-with-parent", "--chdir", layout.image.workdir)


def _handed_over(options: tuple[str, ...]) -> int:
    """A descriptor to read them from: in a command line, anybody on this machine reads the actor's token."""
    descriptor = os.memfd_create("options")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(b"".join(os.fsencode(option) + b"\0" for option in options))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _check_program(program: str, cwd: Path, environment: Mapping[str, str], layout: Layout | None = None) -> None:
    """Raises StartRefused, in the words of a container runtime, for a program that is not there."""
    if "/" not in program:
        found = shutil.which(program, path=environment.get("PATH", os.defpath)) is not None
    else:
        places = [cwd / program, *([layout.inside(program)] if layout else [])]
        found = any(place.is_file() for place in places)
    if not found:
        raise StartRefused(f"exec: {program!r}: executable file not found in $PATH")
