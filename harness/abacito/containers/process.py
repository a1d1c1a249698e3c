"""Actors without Docker: a folder with a Dockerfile, run as a process here, in bubblewrap if there is one."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from abacito.abaco.container import ContainerEnd, ContainerSpec, prepended
from abacito.abaco.errors import ContainerGone, CreationRefused, ImageUnavailable, NameTaken, StartRefused
from abacito.abaco.ports import ContainerState
from abacito.abaco.time import real_monotonic
from abacito.containers import dockerfile
from abacito.containers.bundled import completed, folder_for, named_folder
from abacito.containers.channel import Channel
from abacito.containers.ending import ended
from abacito.containers.log import Log
from abacito.containers.sandbox import BASE_ENVIRONMENT, Bubblewrap, Command, Layout, Plain, Sandbox

log = logging.getLogger(__name__)


@cache
def bubblewrap() -> str | None:
    """The path of a bubblewrap that works here; some systems forbid user namespaces to ordinary users."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    tried = subprocess.run([program, "--ro-bind", "/", "/", "true"], capture_output=True, check=False)
    return program if tried.returncode == 0 else None


class ProcessRunner:
    """Runs folders with a Dockerfile, of which ENV, WORKDIR, COPY, ENTRYPOINT and CMD count; RUN is not executed.

    ``folder`` is for scratch copies and sockets: a short path. ``program``: the bubblewrap to use; None: none.
    """

    name = "process"
    location = "process://localhost"

    def __init__(self, folder: Path, program: str | None = None) -> None:
        self._folder = folder
        self._sandbox: Sandbox = Bubblewrap(program) if program else Plain()
        self._containers: dict[str, ProcessContainer] = {}
        self._lock = threading.Lock()

    def callback_host(self) -> str | None:
        """Loopback: the network is this machine's."""
        return None

    def prepare(self, image: str) -> str:
        """Read its Dockerfile; the folder's path. Raises ImageUnavailable."""
        folder = _folder_of(image)
        found = _read(folder)
        if found.skipped:
            log.warning("%s: not executed, as there is no Docker: %s", folder, "; ".join(found.skipped))
        if found.user:
            log.warning("%s: USER %s is not honoured, as there is no Docker", folder, found.user)
        return str(folder)

    def create(self, spec: ContainerSpec, on_result: Callable[[bytes], None]) -> ProcessContainer:
        """Copy its files and make its socket and pipe. Raises NameTaken, ImageUnavailable, CreationRefused."""
        _refuse_what_needs_docker(spec)
        folder = _folder_of(spec.image)
        image = _read(folder)
        if not image.argv:
            raise CreationRefused(f"No command specified: neither CMD nor ENTRYPOINT in {folder / 'Dockerfile'}")
        with self._lock:
            if spec.name in self._containers:
                raise NameTaken(f"There is a container {spec.name} already.")
            with completed(folder) as source:
                layout = replace(Layout.made(self._folder / secrets.token_hex(4), source, image), folder=folder)
            try:
                self._sandbox.check(layout, spec)
                channel = Channel(layout.box / "c", spec.binary, on_result)
            except BaseException:
                shutil.rmtree(layout.box, ignore_errors=True)
                raise
            container = ProcessContainer(spec, layout, channel, self._sandbox, self._forget)
            self._containers[spec.name] = container
        return container

    def find(self, name: str) -> ProcessContainer | None:
        """One that this runner has made."""
        return self._containers.get(name)

    def names(self) -> Collection[str]:
        """The names of all that are not removed."""
        return list(self._containers)

    def clear(self) -> None:
        """Kill and remove all."""
        for container in list(self._containers.values()):
            container.remove()

    def close(self) -> None:
        """Clear; there is nothing else to give up."""
        self.clear()

    def _forget(self, name: str) -> None:
        with self._lock:
            self._containers.pop(name, None)


class ProcessContainer:
    """One process with its scratch files. Raises ContainerGone from all but ``remove`` once it is removed."""

    def __init__(
        self, spec: ContainerSpec, layout: Layout, channel: Channel, sandbox: Sandbox, forget: Callable[[str], None]
    ) -> None:
        self._spec, self._layout, self._channel, self._sandbox, self._forget = spec, layout, channel, sandbox, forget
        self.id = secrets.token_hex(32)
        self.image_id = str(layout.folder)
        self._log = Log(spec.log_limit)
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()
        self._end: ContainerEnd | None = None
        self._is_gone = False
        self._watcher: threading.Thread | None = None
        self._killer: threading.Timer | None = None
        self._failure: Exception | None = None

    def state(self) -> ContainerState:
        """Created, running or exited."""
        self._check_there()
        if self._process is None and self._end is None:
            return ContainerState.CREATED
        return ContainerState.EXITED if self._end else ContainerState.RUNNING

    def start(self) -> None:
        """Start the process. Raises StartRefused when its program is not there or may not be executed."""
        self._check_there()
        if self._watcher is not None:
            raise StartRefused("It was started before.")
        environment = self._environment()
        _check_variables(environment)
        command = self._sandbox.command(self._layout, self._spec, self._channel, environment)
        started: Future[subprocess.Popen[bytes] | None] = Future()
        # Its own thread starts it: a bubblewrap dies with the *thread* that made it.
        self._watcher = threading.Thread(
            target=self._live, args=(command, started), name="abacito-process", daemon=True
        )
        self._watcher.start()
        try:
            self._process = started.result()
        except OSError as error:
            raise StartRefused(f"exec: {self._layout.image.argv[0]!r}: {error.strerror}") from error
        except ValueError as error:  # a NUL in the image's command
            raise StartRefused(f"exec: {self._layout.image.argv[0]!r}: {error}") from error

    def wait(self, timeout_s: float) -> ContainerEnd | None:
        """The end, or None after the time. Also raises, once, what the taker of results has raised."""
        self._over.wait(timeout_s)
        self._check_there()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return self._end

    def log(self) -> str:
        """stdout and stderr so far."""
        return self._log.text()

    def stop(self, grace_s: float = 10.0) -> None:
        """Send the image's stop signal; SIGKILL after the grace."""
        if self._watcher is None or self._killer is not None:
            return
        self._signal(self._layout.image.stop_signal)
        self._killer = threading.Timer(grace_s, self._signal, [signal.SIGKILL])
        self._killer.daemon = True
        self._killer.start()

    def remove(self) -> None:
        """Kill what runs, and remove socket, pipe and files."""
        self._is_gone = True
        self._signal(signal.SIGKILL)
        if self._watcher is not None:
            self._watcher.join()
        if self._killer is not None:
            self._killer.cancel()
            self._killer.join()
        self._over.set()
        self._channel.close()
        shutil.rmtree(self._layout.box, ignore_errors=True)
        self._forget(self._spec.name)

    def _environment(self) -> dict[str, str]:
        """The image's variables, then the execution's; None takes one away. Names end at a "=", as in Docker."""
        merged = prepended({**self._layout.image.environment, **self._spec.environment}, self._spec.search_paths)
        pairs = (f"{name}={value}".partition("=") for name, value in merged.items() if value is not None)
        return {name: value for name, _, value in pairs}

    def _check_there(self) -> None:
        if self._is_gone:
            raise ContainerGone(f"No such container: {self._spec.name}")

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError, FileNotFoundError):  # it has ended at this very moment
                self._sandbox.signal(self._process, number)

    def _live(self, command: Command, started: Future[subprocess.Popen[bytes] | None]) -> None:
        """Start the process, tell so, and see it to its end."""
        began, started_at = real_monotonic(), datetime.now(UTC)
        try:
            process = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env=dict(command.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=command.descriptors,
            )
        except (OSError, ValueError) as error:
            self._not_started(error, started, began, started_at)
        else:
            started.set_result(process)
            self._watch(process, began, started_at)
        finally:
            for descriptor in command.descriptors:
                os.close(descriptor)

    def _not_started(
        self, error: Exception, started: Future[subprocess.Popen[bytes] | None], began: float, started_at: datetime
    ) -> None:
        if not isinstance(error, OSError) or error.errno != errno.E2BIG:
            started.set_exception(error)
            return
        # Docker's container is up when its exec fails of this: a run, with that log (execution.md §1.3)
        self._log.write(f"exec {self._layout.image.argv[0]}: argument list too long\n".encode())
        self._finish(1, 0, began, started_at)
        started.set_result(None)

    def _watch(self, process: subprocess.Popen[bytes], began: float, started_at: datetime) -> None:
        assert process.stdout is not None
        self._read_until_end(process.pid, process.stdout.fileno())
        with suppress(ProcessLookupError):  # a container's end is the end of all that runs in it; not yet reaped, so
            os.killpg(process.pid, signal.SIGKILL)  # that the number is nobody else's
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self._read_on(process.stdout.fileno())
        process.stdout.close()
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        self._finish(code, int((usage.ru_utime + usage.ru_stime) * 1e9), began, started_at)

    def _read_until_end(self, pid: int, output: int) -> None:
        """Not until the pipe's end: a process that left its group may hold it open long after."""
        os.set_blocking(output, False)
        ending = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(output, select.POLLIN)
        poll.register(ending, select.POLLIN)
        ready: set[int] = set()
        while ending not in ready:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if output in ready and not self._read_on(output):
                poll.unregister(output)
        os.close(ending)

    def _read_on(self, output: int) -> bool:
        """Take what is there; False when no more can come."""
        try:
            while data := os.read(output, 65_536):
                self._log.write(data)
        except BlockingIOError:
            return True
        return False

    def _finish(self, code: int, cpu_ns: int, began: float, started_at: datetime) -> None:
        runtime_s = real_monotonic() - began
        try:
            self._channel.drain()
        except Exception as error:  # noqa: BLE001 # the taker of results failed: wait() tells those who can deal with it
            self._failure = error
        self._end = ended(code, started_at, datetime.now(UTC), runtime_s, cpu_ns)
        self._over.set()


def _folder_of(image: str) -> Path:
    """The folder that an image name means. Raises ImageUnavailable."""
    found = named_folder(image) or folder_for(image)
    if found is None:
        raise ImageUnavailable(
            f"The process runner runs folders with a Dockerfile and the bundled actors, not the image {image!r}: "
            "give a folder, or install Docker"
        )
    return found


def _read(folder: Path) -> dockerfile.Dockerfile:
    return dockerfile.read(folder, BASE_ENVIRONMENT)


def _check_variables(environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        if "\0" in name + value:
            raise StartRefused(f"The variable {name!r} has a NUL in it")
        try:
            (name + value).encode()
        except UnicodeEncodeError as error:
            raise StartRefused(f"The variable {name!r} is no text: {error.reason}") from error


def _refuse_what_needs_docker(spec: ContainerSpec) -> None:
    asked = {
        "privileged": spec.privileged,
        "mem_limit": spec.mem_limit,
        "max_cpus": spec.nano_cpus,
        "uid": spec.user,
    }
    for name, value in asked.items():
        if value:
            raise CreationRefused(f"The process runner cannot honour {name} ({value}): this actor needs Docker")
