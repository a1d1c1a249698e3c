"""Actors that are Python functions, registered under an image's name: for tests of clients, in milliseconds."""

from __future__ import annotations

import ast
import asyncio
import ctypes
import errno
import inspect
import logging
import os
import pickle
import threading
import traceback
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import NoReturn

from abacito.abaco.container import RESULT_LIMIT_BYTES, ContainerEnd, ContainerSpec
from abacito.abaco.errors import ContainerGone, ImageUnavailable, NameTaken, StartRefused
from abacito.abaco.ports import Container, ContainerState, MachineClock
from abacito.abaco.time import SystemClock, real_monotonic
from abacito.containers.console import console
from abacito.containers.ending import KILLED, ended
from abacito.containers.log import Log

log = logging.getLogger(__name__)

#: A datagram over this many bytes is refused by the kernel to the actor itself (execution.md §1.5).
DATAGRAM_LIMIT_BYTES = 212_960

#: How long close() waits, in all, for functions that have been told to end.
_PATIENCE_S = 1.0


class Context:
    """What a stub sees of its execution.

    * ``message``: the text of MSG, the bytes of a binary message, or None without either;
    * ``environment``: what a container's would hold from Abaco, text by name; not the host's;
    * ``state``: the actor's state as a Python value where it reads as one, else its text;
    * ``stopping``: a ``threading.Event``, set when the execution is halted. A stub that runs long looks at it, or waits
      on it instead of sleeping.
    """

    def __init__(self, spec: ContainerSpec, send: Callable[[bytes], None]) -> None:
        self.environment = {name: value for name, value in spec.environment.items() if value is not None}
        self.message: str | bytes | None = self.environment.get("MSG") if spec.binary is None else spec.binary
        self.state = _literal(self.environment.get("_abaco_actor_state", "{}"))
        self.stopping = threading.Event()
        self._send = send

    def send_result(self, result: object) -> None:
        """Send one result: bytes as they are, text as UTF-8, anything else pickled, as ``send_python_result`` does.

        Raises OSError (EMSGSIZE) beyond 212,960 bytes, as the actor's socket does; what is over 131,072 is cut off.
        """
        data = _as_bytes(result)
        if len(data) > DATAGRAM_LIMIT_BYTES:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self._send(data)

    def exit(self, code: int = 0) -> NoReturn:
        """End the execution here with this exit code, 0 to 255."""
        raise SystemExit(code)


#: What may be registered: its return value counts for nothing; async functions are run to their end.
Stub = Callable[[Context], object]


class StubRunner:
    """Runs registered functions, each execution in a thread of its own.

    Returning is exit code 0; SystemExit gives the code that it gives a Python program; any other exception is code 1
    with its traceback in the log. Halting sets ``context.stopping``; a function that has not ended after the grace
    counts as killed (137): what it prints and sends from then on is dropped, and its thread is interrupted.
    """

    name = "stub"
    location = "stub://"

    def __init__(self, clock: MachineClock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._functions: dict[str, Stub] = {}
        self._containers: dict[str, _StubContainer] = {}
        self._lock = threading.Lock()

    def register(self, image: str, function: Stub) -> None:
        """From now on ``image`` (no tag means ``latest``) is ``function``; what runs already is not touched."""
        with self._lock:
            self._functions[_tagged(image)] = function

    @property
    def functions(self) -> Mapping[str, Stub]:
        """All that are registered, by image."""
        with self._lock:
            return dict(self._functions)

    def start_with(self, functions: Mapping[str, Stub]) -> None:
        """Have these registered, and no other."""
        with self._lock:
            self._functions = dict(functions)

    def has(self, image: str) -> bool:
        """Whether a function stands for this image."""
        return _tagged(image) in self._functions

    def callback_host(self) -> str | None:
        """Loopback: it runs in this process."""
        return None

    def prepare(self, image: str) -> str:
        """Answer ``stub:<image>``. Raises ImageUnavailable for a name that nothing is registered under."""
        self._function(image)
        return f"stub:{_tagged(image)}"

    def create(self, spec: ContainerSpec, on_result: Callable[[bytes], None]) -> Container:
        """Make the execution; its function is the one registered now. Limits, mounts, user mean nothing to a stub."""
        function = self._function(spec.image)
        container = _StubContainer(spec, function, on_result, self._clock, self._forget)
        with self._lock:
            if spec.name in self._containers:
                raise NameTaken(f"There is a container {spec.name} already.")
            self._containers[spec.name] = container
        return container

    def find(self, name: str) -> Container | None:
        """One of this runner's own."""
        return self._containers.get(name)

    def names(self) -> Collection[str]:
        """The names of all that are not removed."""
        return list(self._containers)

    def clear(self) -> None:
        """Forget the functions, kill and remove all executions; wait a second at most for their threads."""
        with self._lock:
            self._functions.clear()
            containers = list(self._containers.values())
        for container in containers:
            container.remove()
        deadline = real_monotonic() + _PATIENCE_S
        for container in containers:
            container.join(deadline - real_monotonic())

    def close(self) -> None:
        """Clear; there is nothing else to give up."""
        self.clear()

    def _function(self, image: str) -> Stub:
        with self._lock:
            function = self._functions.get(_tagged(image))
        if function is None:
            raise ImageUnavailable(f"No function is registered as {image}.")
        return function

    def _forget(self, name: str) -> None:
        with self._lock:
            self._containers.pop(name, None)


class _StubContainer:
    """One call of one function."""

    def __init__(
        self,
        spec: ContainerSpec,
        function: Stub,
        on_result: Callable[[bytes], None],
        clock: MachineClock,
        forget: Callable[[str], None],
    ) -> None:
        self.id = uuid.uuid4().hex
        self.image_id = f"stub:{_tagged(spec.image)}"
        self._name = spec.name
        self._function = function
        self._on_result = on_result
        self._clock = clock
        self._forget = forget
        self._log = Log(spec.log_limit)
        self._context = Context(spec, self._send)
        self._thread = threading.Thread(target=self._run, name=f"stub {spec.name}", daemon=True)
        self._lock = threading.RLock()
        self._removed = False
        self._killer: threading.Timer | None = None
        self._failure: Exception | None = None
        self._started: tuple[datetime, float] | None = None
        self._end: ContainerEnd | None = None
        self._ended = threading.Event()

    def state(self) -> ContainerState:
        with self._lock:
            self._must_be_there()
            if self._started is None:
                return ContainerState.CREATED
            return ContainerState.EXITED if self._end else ContainerState.RUNNING

    def start(self) -> None:
        with self._lock:
            self._must_be_there()
            if self._started is not None:
                raise StartRefused(f"{self._name} was started before.")
            self._started = (self._clock.now(), real_monotonic())
            self._thread.start()

    def wait(self, timeout_s: float) -> ContainerEnd | None:
        self._ended.wait(timeout_s)
        with self._lock:
            self._must_be_there()
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return self._end

    def log(self) -> str:
        self._must_be_there()
        return self._log.text()

    def stop(self, grace_s: float = 10.0) -> None:
        self._context.stopping.set()
        with self._lock:
            if self._started is None or self._end is not None or self._killer is not None:
                return
            self._killer = threading.Timer(grace_s, self._kill)
            self._killer.daemon = True
            self._killer.start()

    def remove(self) -> None:
        self._context.stopping.set()
        self._kill()
        with self._lock:
            self._removed = True
        self._ended.set()
        self._forget(self._name)

    def join(self, timeout_s: float) -> None:
        """Wait for the threads; say so if the function's goes on."""
        for thread in filter(None, (self._killer, self._thread)):
            if thread.ident is not None and thread is not threading.current_thread():
                thread.join(max(0.0, timeout_s))
        if self._thread.is_alive():
            log.warning("%s goes on in its thread: a stub that runs long looks at context.stopping", self._name)

    def _run(self) -> None:
        try:
            with console.leading_to(self._print):
                code = self._call()
            self._finish(code)
        except _Killed:
            return

    def _call(self) -> int:
        try:
            answer = self._function(self._context)
            if inspect.isawaitable(answer):
                asyncio.run(_awaited(answer))
        except _Killed:
            raise
        except SystemExit as exit_:
            return self._exit_code(exit_)
        except BaseException:  # noqa: BLE001  # whatever ends a Python program ends this one: traceback, code 1
            self._print(traceback.format_exc().encode("utf-8", "backslashreplace"))
            return 1
        return 0

    def _exit_code(self, exit_: SystemExit) -> int:
        if exit_.code is None:
            return 0
        if isinstance(exit_.code, int):
            return exit_.code & 0xFF  # what is left of it in a process's status
        self._print(f"{exit_.code}\n".encode("utf-8", "backslashreplace"))  # sys.exit("text"), as Python does
        return 1

    def _finish(self, code: int) -> None:
        with self._lock:
            if self._end is not None or self._started is None:
                return
            started_at, since = self._started
            self._end = ended(code, started_at, self._clock.now(), real_monotonic() - since)
            if self._killer is not None:
                self._killer.cancel()
            self._ended.set()

    def _kill(self) -> None:
        with self._lock:
            if self._end is None and self._started is not None:
                self._finish(KILLED)
                _interrupt(self._thread)

    def _print(self, data: bytes) -> None:
        with self._lock:
            self._must_live()
            self._log.write(data)

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._must_live()
            if not data:  # an empty datagram is no result (execution.md §1.5)
                return
            if len(data) > RESULT_LIMIT_BYTES:
                log.warning("a result of %s was cut to %d bytes", self._name, RESULT_LIMIT_BYTES)
            self._hand_over(data[:RESULT_LIMIT_BYTES])

    def _hand_over(self, data: bytes) -> None:
        try:
            self._on_result(data)
        except Exception as error:  # noqa: BLE001  # our own failure, not the actor's: wait() raises it
            log.error("a result of %s could not be kept: %s", self._name, error)
            self._failure = self._failure or error

    def _must_live(self) -> None:
        if self._end is not None:
            raise _Killed

    def _must_be_there(self) -> None:
        if self._removed:
            raise ContainerGone(f"{self._name} has been removed.")


class _Killed(BaseException):
    """Ends a function whose execution has ended without it; passes through any ``except Exception`` of its own."""


def _interrupt(thread: threading.Thread) -> None:
    # Python has no kill for threads; this raises at the thread's next step, and can do nothing during a long sleep
    if thread.ident is not None and thread is not threading.current_thread():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Killed))


async def _awaited(answer: Awaitable[object]) -> object:
    return await answer


def _as_bytes(result: object) -> bytes:
    if isinstance(result, bytes | bytearray | memoryview):
        return bytes(result)
    return result.encode() if isinstance(result, str) else pickle.dumps(result)


def _literal(text: str) -> object:
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value


def _tagged(image: str) -> str:
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"
