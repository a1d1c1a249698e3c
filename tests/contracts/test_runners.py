"""What the workers need of a runner, on every runner."""

from __future__ import annotations

import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from abacito.abaco.container import FINAL_STATE_KEYS, ContainerEnd, ContainerSpec
from abacito.abaco.errors import ContainerGone, ImageUnavailable, NameTaken, StartRefused
from abacito.abaco.ports import Container, ContainerState, Runner
from abacito.abaco.time import real_monotonic

ENDS_WITHIN_S = 30.0

# The actors of this suite, as a Python program that a folder holds, and as the function that a stub is.
PROGRAM = """
import os, signal, socket, sys, time
SOCKET = os.environ.get("ABACITO_RESULTS_SOCKET", "/_abaco_results.sock")
BINARY = os.environ.get("ABACITO_BINARY_DATA", "/_abaco_binary_data")
def send(*results):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(SOCKET)
        for data in results: s.send(data)
def read():
    pipe, data = os.open(BINARY, os.O_RDONLY | os.O_NONBLOCK), b""
    try:
        while chunk := os.read(pipe, 4069): data += chunk
    except BlockingIOError: pass
    return data
"""
ACTORS: dict[str, str] = {
    # The pause is for Docker, whose two streams meet only in the daemon.
    # Docker reads each stream by itself, and on a busy machine one later than the other: hence the pauses.
    "speaks": (
        'for i in range(3):\n    print("out", i, flush=True)\n    time.sleep(0.4)\n'
        '    print("err", i, file=sys.stderr, flush=True)\n    time.sleep(0.4)'
    ),
    "exits": 'sys.exit(int(os.environ["MSG"]))',
    # Not by a signal of its own: to process 1 of a container most of them mean nothing.
    "is_killed": "import ctypes\nctypes.string_at(0)",
    "shows": 'print(repr({k: v for k, v in os.environ.items() if k in ("MSG", "A", "IMAGE")}))',
    "sends": 'send(b"one", b"two", bytes(200_000), b"last")',
    "reads": "data = read(); print(len(data), data == bytes(range(256)) * (len(data) // 256))",
    "waits": 'print("ready", flush=True)\ntime.sleep(60)',
    "ends_itself": (
        'def end(*_):\n    print("asked", flush=True)\n    sys.exit(7)\n'
        'signal.signal(signal.SIGTERM, end)\nprint("ready", flush=True)\ntime.sleep(60)'
    ),
    "ignores": 'signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint("ready", flush=True)\ntime.sleep(60)',
    "writes": 'import pathlib\np = pathlib.Path("left")\nprint(p.exists())\np.write_text("x")',
    "mumbles": 'sys.stdout.buffer.write(b"a\\xff\\xfeb\\n")',
    "floods": 'print("x" * 3_000_000)',
}


def _exits(context: Any) -> None:
    sys.exit(int(context.environment["MSG"]))


def _sends(context: Any) -> None:
    for data in (b"one", b"two", bytes(200_000), b"last"):
        context.send_result(data)


def _reads(context: Any) -> None:
    print(len(context.message), context.message == bytes(range(256)) * (len(context.message) // 256))


def _speaks(context: Any) -> None:
    for i in range(3):
        print("out", i)
        print("err", i, file=sys.stderr)


def _shows(context: Any) -> None:
    print(repr({k: v for k, v in context.environment.items() if k in ("MSG", "A", "IMAGE")}))


def _waits(context: Any) -> None:
    print("ready")
    while True:
        threading.Event().wait(0.01)


def _ends_itself(context: Any) -> None:
    print("ready")
    context.stopping.wait(60)
    print("asked")
    context.exit(7)


STUBS: dict[str, Callable[[Any], object]] = {
    "exits": _exits,
    "sends": _sends,
    "reads": _reads,
    "speaks": _speaks,
    "shows": _shows,
    "waits": _waits,
    "ignores": _waits,
    "ends_itself": _ends_itself,
    "floods": lambda context: print("x" * 3_000_000),
}

#: What a runner cannot do, and so is not asked for here: a stub is a function, without files, signals or raw bytes.
CANNOT: dict[str, set[str]] = {"stub": {"is_killed", "writes", "mumbles", "start", "image_environment"}}


@dataclass
class Bench:
    """A runner, the images of this suite's actors for it, and what they sent."""

    runner: Runner
    kind: str
    image: Callable[[str], str]
    results: list[bytes] = field(default_factory=list)

    def needs(self, ability: str) -> None:
        if ability in CANNOT.get(self.kind, set()):
            # By the table of what a runner cannot do, and only by it.
            pytest.skip(f"the {self.kind} runner has no {ability}")

    def create(self, actor: str, image: str | None = None, **changes: Any) -> Container:
        labels = {"abacito.execution": "e"}
        environment = {"MSG": "hello", "PYTHONUNBUFFERED": "1", **changes.pop("environment", {})}
        name = changes.pop("name", f"t-{secrets.token_hex(6)}")
        spec = ContainerSpec(name, image or self.image(actor), environment, labels, **changes)
        return self.runner.create(spec, self.results.append)

    def run(self, actor: str, **changes: Any) -> tuple[ContainerEnd, str]:
        container = self.create(actor, **changes)
        container.start()
        end = ended(container)
        log = container.log()
        container.remove()
        return end, log


def ended(container: Container) -> ContainerEnd:
    end = container.wait(ENDS_WITHIN_S)
    assert end is not None, f"not ended; log so far: {container.log()[-500:]}"
    return end


def until_ready(container: Container) -> None:
    deadline = real_monotonic() + ENDS_WITHIN_S
    while "ready\n" not in container.log():  # the whole line: Python may write its end by itself
        assert real_monotonic() < deadline, container.log()
        assert container.wait(0.02) is None


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    made = tmp_path_factory.mktemp("actors")
    for name, code in ACTORS.items():
        (made / name).mkdir()
        (made / name / "actor.py").write_text(PROGRAM + code + "\n")
        (made / name / "Dockerfile").write_text(
            "ARG BASE=python:3.11-slim\nFROM ${BASE}\nENV IMAGE=set\nWORKDIR /actor\n"
            'COPY actor.py /actor/\nCMD ["python3", "/actor/actor.py"]\n'
        )
    (made / "unstartable").mkdir()
    (made / "unstartable" / "Dockerfile").write_text(
        'ARG BASE=python:3.11-slim\nFROM ${BASE}\nCMD ["no-such-program"]\n'
    )
    return lambda name: f"dir:{made / name}"


def _docker(folder: Path, shared_namespaces: int = 0) -> Runner:
    from abacito.containers.daemon import connect
    from abacito.containers.docker import DockerRunner
    from abacito.containers.images import Images

    client = connect()
    labels = {"abacito.emulator": f"t-{secrets.token_hex(4)}"}
    return DockerRunner(client, Images(client), folder, labels, shared_namespaces)


def _docker_shared(folder: Path) -> Runner:
    runner = _docker(folder, shared_namespaces=2)
    runner.prepare("echo")  # has the first namespace made
    return runner


def _bubblewrap(folder: Path) -> Runner:
    from abacito.containers.process import ProcessRunner, bubblewrap

    program = bubblewrap()
    if program is None:
        pytest.skip("no working bubblewrap here: apt-get install bubblewrap")
    return ProcessRunner(folder, program)


def _plain(folder: Path) -> Runner:
    from abacito.containers.process import ProcessRunner

    return ProcessRunner(folder)


def _stub(folder: Path) -> Runner:
    from abacito.containers.stub import StubRunner

    runner = StubRunner()
    for name, function in STUBS.items():
        runner.register(name, function)
    return runner


def _faulty(folder: Path) -> Runner:
    """Each container is struck, by what comes in an hour."""
    from abacito.abaco.faults import Fault, FaultKind, Faults
    from abacito.containers.faulty import FaultyRunner

    faults = Faults()
    faults.add(Fault(FaultKind.KILLED, after_s=3600, times=0))
    return FaultyRunner(_plain(folder), faults, lambda token: None)


RUNNERS: dict[str, Callable[[Path], Runner]] = {
    "docker": _docker,
    "docker-shared": _docker_shared,
    "bubblewrap": _bubblewrap,
    "plain": _plain,
    "stub": _stub,
    "faulty": _faulty,
}


DOCKER = [pytest.param(name, marks=pytest.mark.docker) for name in ("docker", "docker-shared")]


@pytest.fixture(params=[*DOCKER, "bubblewrap", "plain", "stub", "faulty"])
def bench(request: pytest.FixtureRequest, folders: Callable[[str], str]) -> Iterator[Bench]:
    threads = set(threading.enumerate())
    with tempfile.TemporaryDirectory(prefix="a") as scratch:  # short: sockets are made below it
        runner = RUNNERS[request.param](Path(scratch))
        yield Bench(runner, request.param, folders if request.param != "stub" else str)
        runner.close()
        assert list(Path(scratch).iterdir()) == [], "files left"
    left = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()], "threads left"


def test_the_log_has_both_streams_in_writing_order(bench: Bench) -> None:
    """spec: execution #68"""
    end, log = bench.run("speaks")

    assert end.exit_code == 0
    assert log == "".join(f"out {i}\nerr {i}\n" for i in range(3))


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_an_exit_code_is_reported_as_it_is(bench: Bench, code: int) -> None:
    """spec: execution #59"""
    end, _ = bench.run("exits", environment={"MSG": str(code)})

    assert end.exit_code == code


def test_death_by_a_signal_is_128_and_its_number(bench: Bench) -> None:
    """spec: execution #60"""
    bench.needs("is_killed")

    assert bench.run("is_killed")[0].exit_code == 139


def test_the_end_is_told_as_docker_tells_it(bench: Bench) -> None:
    """spec: execution #61"""
    end, _ = bench.run("exits", environment={"MSG": "3"})

    assert tuple(key for key in end.final_state if key != "Health") == FINAL_STATE_KEYS
    assert (end.final_state["Status"], end.final_state["ExitCode"]) == ("exited", 3)
    assert end.started_at is not None
    assert end.finished_at is not None
    assert end.started_at <= end.finished_at
    assert end.runtime_s >= 0


def test_variables_arrive_byte_for_byte_over_the_images_own(bench: Bench) -> None:
    """spec: execution #12"""
    text = "line\nnext 'quoted' \"twice\" a=b $HOME ☃ 🙂"

    _, log = bench.run("shows", environment={"MSG": text, "A": "=", "IMAGE": None})

    assert eval(log) == {"MSG": text, "A": "="}


def test_the_images_own_variables_are_there(bench: Bench) -> None:
    bench.needs("image_environment")

    assert eval(bench.run("shows")[1])["IMAGE"] == "set"


def test_results_arrive_in_order_cut_at_the_limit_and_all_by_the_end(bench: Bench) -> None:
    """spec: execution #36, #39, #42"""
    bench.run("sends")

    assert [len(data) for data in bench.results] == [3, 3, 131_072, 4]
    assert bench.results[-1] == b"last"


@pytest.mark.parametrize("size", [256, 65_536, 1_048_576, 3_145_728])
def test_a_binary_message_arrives_whole(bench: Bench, size: int) -> None:
    """spec: execution #31, #33"""
    _, log = bench.run("reads", binary=bytes(range(256)) * (size // 256), environment={"MSG": None})

    assert log == f"{size} True\n"


def test_a_second_container_of_the_same_name_is_refused(bench: Bench) -> None:
    first = bench.create("waits")
    spec = ContainerSpec(_name(bench, first), bench.image("waits"), {}, {})

    with pytest.raises(NameTaken):
        bench.runner.create(spec, bench.results.append)

    first.remove()


def _name(bench: Bench, container: Container) -> str:
    """The name of the container that ``find`` finds under it; the suite's names are random."""
    name = f"n-{secrets.token_hex(4)}"
    container.remove()
    bench.runner.create(ContainerSpec(name, bench.image("waits"), {}, {}), bench.results.append)
    return name


def test_a_container_is_found_by_name_wherever_it_stands(bench: Bench) -> None:
    name = f"n-{secrets.token_hex(4)}"
    container = bench.runner.create(ContainerSpec(name, bench.image("waits"), {}, {}), bench.results.append)

    states = [_state(bench, name)]
    container.start()
    states.append(_state(bench, name))
    container.stop(grace_s=0)
    ended(container)
    states.append(_state(bench, name))
    container.remove()

    assert states == [ContainerState.CREATED, ContainerState.RUNNING, ContainerState.EXITED]
    assert bench.runner.find(name) is None
    with pytest.raises(ContainerGone):
        container.state()


def _state(bench: Bench, name: str) -> ContainerState:
    found = bench.runner.find(name)
    assert found is not None
    return found.state()


def test_its_containers_are_named_until_they_are_removed(bench: Bench) -> None:
    names = {f"t-{secrets.token_hex(6)}" for _ in range(2)}
    containers = [bench.create("ends_itself", name=name) for name in names]

    named = set(bench.runner.names())
    for container in containers:
        container.remove()

    assert named == names
    assert not bench.runner.names()


def test_what_cannot_be_started_is_refused_and_can_be_removed(bench: Bench) -> None:
    bench.needs("start")
    container = bench.create("unstartable")

    with pytest.raises(StartRefused, match="no-such-program"):
        container.start()

    container.remove()
    container.remove()


def test_a_stop_lets_the_actor_end_by_itself(bench: Bench) -> None:
    """spec: execution #93"""
    container = bench.create("ends_itself")
    container.start()
    until_ready(container)

    container.stop(grace_s=10)

    assert ended(container).exit_code == 7
    assert container.log() == "ready\nasked\n"
    container.remove()


def test_an_actor_that_ignores_a_stop_is_killed_after_the_grace(bench: Bench) -> None:
    """spec: execution #93"""
    container = bench.create("ignores")
    container.start()
    until_ready(container)

    container.stop(grace_s=0.3 if "docker" not in bench.kind else 1)

    assert ended(container).exit_code == 137
    container.remove()


def test_a_container_that_is_removed_under_a_wait_is_gone(bench: Bench) -> None:
    container = bench.create("waits")
    container.start()
    until_ready(container)

    container.remove()

    with pytest.raises(ContainerGone):
        container.wait(ENDS_WITHIN_S)


def test_each_execution_has_fresh_files(bench: Bench) -> None:
    """spec: execution #52"""
    bench.needs("writes")

    assert [bench.run("writes")[1] for _ in range(2)] == ["False\n", "False\n"]


def test_bytes_that_are_no_text_are_replaced(bench: Bench) -> None:
    """spec: execution #72"""
    bench.needs("mumbles")

    assert bench.run("mumbles")[1] == "a��b\n"


def test_no_more_of_a_log_is_kept_than_anybody_looks_at(bench: Bench) -> None:
    _, log = bench.run("floods", log_limit=1000)

    assert log == "x" * 1001


@pytest.mark.parametrize("image", ["no/such:image", "dir:/no/such/folder", ""])
def test_an_image_that_is_not_there_is_named(bench: Bench, image: str) -> None:
    with pytest.raises(ImageUnavailable, match=image.removeprefix("dir:") or None):
        bench.runner.prepare(image)


def test_several_run_at_once(bench: Bench) -> None:
    containers = [bench.create("exits", environment={"MSG": str(code)}) for code in range(4)]
    starters = [threading.Thread(target=container.start) for container in containers]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()

    assert [ended(container).exit_code for container in containers] == [0, 1, 2, 3]
    for container in containers:
        container.remove()


def test_closing_removes_what_still_runs(bench: Bench) -> None:
    container = bench.create("waits")
    container.start()
    until_ready(container)

    bench.runner.clear()

    with pytest.raises(ContainerGone):
        container.wait(ENDS_WITHIN_S)
