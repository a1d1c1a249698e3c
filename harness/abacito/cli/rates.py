"""How fast what is large passes through an emulator, for the benchmark."""

from __future__ import annotations

import http.client
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from abacito.abaco.actor import ActorKey
from abacito.abaco.container import RESULT_LIMIT_BYTES
from abacito.abaco.execution import ExecutionKey
from abacito.abaco.ids import new_id
from abacito.client import Execution
from abacito.containers.channel import Channel
from abacito.containers.stub import Context
from abacito.emulator import Emulator

#: Of all results together, and of a message.
SIZE_BYTES = 10_000_000

# What the public clients read a binary message in (execution.md §1.4).
_CLIENTS_CHUNK_BYTES = 4069


class Rates:
    """What one emulator takes for SIZE_BYTES on each way. Its actors are stubs of this process."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        data = os.urandom(SIZE_BYTES)
        self._message = data
        self._results = [data[at : at + RESULT_LIMIT_BYTES] for at in range(0, SIZE_BYTES, RESULT_LIMIT_BYTES)]
        self._told: float = 0.0
        self._got: object = None
        client = emulator.client()
        self._sender = client.register(self._send_results).wait()
        self._taker = client.register(self._take_message).wait()

    def measure(self) -> Mapping[str, float]:
        """Seconds on each way, by its name; one after the other. Raises AssertionError where something else arrives."""
        from_stub, by_get = self._from_stub_to_reader()
        posted, laid_out = self._from_post_to_pipe()
        return {
            "floor: results through a socket, read and dropped": self._through_socket(lambda data: None),
            "results, through the results socket until recorded": self._from_socket(),
            "results, from a stub until recorded": from_stub,
            "results recorded, read by one GET each": by_get,
            "binary message, from POST until a stub has it": posted,
            "binary message stored, laid out, read as clients do": laid_out,
        }

    def _through_socket(self, on_result: Callable[[bytes], None]) -> float:
        with (
            TemporaryDirectory() as folder,
            closing(Channel(Path(folder) / "c", None, on_result)) as channel,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as actor,
        ):
            actor.connect(str(channel.results_path))
            began = time.perf_counter()
            for result in self._results:
                actor.send(result)
            channel.drain()
            return time.perf_counter() - began

    def _from_socket(self) -> float:
        key, numbers = self._key(self._sender.id, new_id()), iter(range(len(self._results)))
        executions, clock = self._emulator.stored.executions, self._emulator.clock
        taken_s = self._through_socket(lambda data: executions.add_result(key, next(numbers), data, clock.now()))
        found = [executions.take_result(key, clock.now()) for _ in self._results]
        assert found == self._results, "other results were recorded than were sent"
        return taken_s

    def _from_stub_to_reader(self) -> tuple[float, float]:
        execution = self._sender.send("go").wait()
        began = time.perf_counter()
        found = self._read(execution)
        taken_s = time.perf_counter() - began
        assert found == self._results, "other results were read than were sent"
        return self._told, taken_s

    def _read(self, execution: Execution) -> Sequence[bytes]:
        """By the plainest client there is: what a richer one adds to each request is its own time."""
        admin = self._emulator.admin
        headers = self._emulator.headers_for(admin.username, admin.tenant)
        with closing(http.client.HTTPConnection(urlsplit(self._emulator.url).netloc)) as connection:
            found: list[bytes] = []
            for _ in self._results:
                connection.request("GET", f"{execution.path}/results", headers=headers)
                found.append(connection.getresponse().read())
            return found

    def _from_post_to_pipe(self) -> tuple[float, float]:
        began = time.perf_counter()
        execution = self._taker.send(self._message).wait()
        assert self._got == self._message, "another message arrived than was sent"
        return self._told - began, self._lay_out(self._key(self._taker.id, execution.id))

    def _lay_out(self, key: ExecutionKey) -> float:
        with TemporaryDirectory() as folder:
            began = time.perf_counter()
            message = self._emulator.stored.executions.message(key)
            assert message is not None, "the message is gone"
            with closing(Channel(Path(folder) / "c", message.binary, lambda data: None)) as channel:
                assert channel.binary_path is not None, "the message is not binary any more"
                found = _read_as_clients(channel.binary_path)
                taken_s = time.perf_counter() - began
        assert found == self._message, "another message was laid out than was sent"
        return taken_s

    def _send_results(self, context: Context) -> None:
        began = time.perf_counter()
        for result in self._results:
            context.send_result(result)
        self._told = time.perf_counter() - began

    def _take_message(self, context: Context) -> None:
        self._told, self._got = time.perf_counter(), context.message

    def _key(self, actor_id: str, execution_id: str) -> ExecutionKey:
        return ExecutionKey(ActorKey(self._emulator.admin.tenant, actor_id), execution_id)


def _read_as_clients(path: Path) -> bytes:
    found = bytearray()
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while chunk := os.read(pipe, _CLIENTS_CHUNK_BYTES):
            found += chunk
    finally:
        os.close(pipe)
    return bytes(found)
