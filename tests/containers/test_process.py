from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abacito.abaco.container import ContainerEnd, ContainerSpec, Mount
from abacito.abaco.errors import CreationRefused, ImageUnavailable, StartRefused
from abacito.abaco.ports import Container
from abacito.abaco.time import real_monotonic
from abacito.containers.process import ProcessRunner, bubblewrap

ENDS_WITHIN_S = 20

#: One variable holds this many bytes, its name, ``=`` and a NUL included (execution.md §1.3).
MESSAGE_LIMIT_BYTES = 131_067

SEND = (
    "python3 -c 'import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
    's.connect(os.environ.get("ABACITO_RESULTS_SOCKET", "/_abaco_results.sock")); s.send(b"x"); s.close()\''
)


@pytest.fixture(params=["bubblewrap", "plain"])
def runner(request: pytest.FixtureRequest, short_folder: Path) -> Iterator[ProcessRunner]:
    program = bubblewrap() if request.param == "bubblewrap" else None
    if request.param == "bubblewrap" and program is None:
        # Ordinary users may be forbidden namespaces; the plain sandbox is tested everywhere.
        pytest.skip("no working bubblewrap here: apt-get install bubblewrap")
    runner = ProcessRunner(short_folder, program)
    yield runner
    runner.close()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., str]:
    def make(script: str, *lines: str, command: str = 'CMD ["sh", "/actor.sh"]') -> str:
        (tmp_path / "actor.sh").write_text(script + "\n")
        (tmp_path / "Dockerfile").write_text("\n".join(["FROM x", *lines, "COPY actor.sh /actor.sh", command]) + "\n")
        return str(tmp_path)

    return make


def made(runner: ProcessRunner, image: str, on_result: Any = lambda result: None, **changes: Any) -> Container:
    return runner.create(ContainerSpec(**{"name": "p", "image": image, "environment": {}, **changes}), on_result)


def ran(runner: ProcessRunner, image: str, **changes: Any) -> tuple[ContainerEnd, str]:
    container = made(runner, image, **changes)
    container.start()
    return end_of(container), container.log()


def end_of(container: Container) -> ContainerEnd:
    end = container.wait(ENDS_WITHIN_S)
    assert end is not None, container.log()
    return end


def test_what_it_cannot_honour_is_refused_by_name(runner: ProcessRunner, folder: Callable[..., str]) -> None:
    for name, change in {
        "privileged": {"privileged": True},
        "mem_limit": {"mem_limit": "512m"},
        "max_cpus": {"nano_cpus": 1},
        "uid": {"user": "1000"},
    }.items():
        with pytest.raises(CreationRefused, match=name):
            made(runner, folder("true"), **change)


def test_an_image_that_is_no_folder_is_refused_with_a_way_out(runner: ProcessRunner) -> None:
    with pytest.raises(ImageUnavailable, match=r"some/image:1.*install Docker"):
        runner.prepare("some/image:1")


def test_lines_that_are_not_executed_are_told(
    runner: ProcessRunner, folder: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        runner.prepare(folder("true", "RUN pip install x"))

    assert "pip install x" in caplog.text


def test_a_folder_without_a_command_is_refused(runner: ProcessRunner, folder: Callable[..., str]) -> None:
    with pytest.raises(CreationRefused, match="No command specified"):
        made(runner, folder("true", command=""))


def test_a_mount_is_seen_or_refused(
    request: pytest.FixtureRequest, runner: ProcessRunner, folder: Callable[..., str], short_folder: Path
) -> None:
    data = short_folder / "data"
    data.mkdir()
    (data / "file").write_text("seen")
    mounts = (Mount(str(data), "/data", "ro"),)
    image = folder("cat /data/file; touch /data/new 2>/dev/null || echo ' only'")

    if request.node.callspec.params["runner"] == "plain":
        with pytest.raises(CreationRefused, match="bubblewrap"):
            made(runner, image, mounts=mounts)
    else:
        assert ran(runner, image, mounts=mounts)[1] == "seen only\n"


def test_a_mount_of_what_is_not_there_is_an_empty_folder(
    request: pytest.FixtureRequest, runner: ProcessRunner, folder: Callable[..., str], tmp_path: Path
) -> None:
    mounts = (Mount(str(tmp_path / "nowhere"), "/data", "ro"),)
    image = folder("ls -d /data; ls /data")

    if request.node.callspec.params["runner"] == "plain":
        with pytest.raises(CreationRefused, match="bubblewrap"):
            made(runner, image, mounts=mounts)
    else:
        assert ran(runner, image, mounts=mounts)[1] == "/data\n"
        assert not (tmp_path / "nowhere").exists()


def test_its_seconds_of_cpu_are_counted(runner: ProcessRunner, folder: Callable[..., str]) -> None:
    end, _ = ran(runner, folder("python3 -c 'sum(range(6_000_000))'"))

    assert 10_000_000 < end.cpu_ns < (end.runtime_s + 0.1) * os.cpu_count() * 1e9  # type: ignore[operator]


def test_stdin_is_at_its_end(runner: ProcessRunner, folder: Callable[..., str]) -> None:
    assert ran(runner, folder("cat; echo end"))[1] == "end\n"


def test_the_longest_message_arrives_and_a_longer_one_is_a_run_that_says_so(
    runner: ProcessRunner, folder: Callable[..., str]
) -> None:
    """spec: execution #13"""
    image = folder('printf %s "$MSG" | wc -c')

    container = made(runner, image, environment={"MSG": "m" * MESSAGE_LIMIT_BYTES})
    container.start()
    assert (end_of(container).exit_code, container.log().strip()) == (0, str(MESSAGE_LIMIT_BYTES))
    container.remove()
    for over in (1, 10_000):
        container = made(runner, image, environment={"MSG": "m" * (MESSAGE_LIMIT_BYTES + over)})
        container.start()
        assert end_of(container).exit_code == 1
        assert "rgument list too long" in container.log()
        container.remove()


def test_a_nul_in_a_variable_is_a_refused_start(runner: ProcessRunner, folder: Callable[..., str]) -> None:
    container = made(runner, folder("true"), environment={"A": "x\0--bind"})

    with pytest.raises(StartRefused, match="A"):
        container.start()


def test_a_taker_of_results_that_fails_is_told_by_wait(runner: ProcessRunner, folder: Callable[..., str]) -> None:
    def refuse(result: bytes) -> None:
        raise LookupError("no store")

    container = made(runner, folder(SEND), refuse)
    container.start()

    with pytest.raises(LookupError, match="no store"):
        container.wait(ENDS_WITHIN_S)
    assert end_of(container).exit_code == 0


def test_a_process_that_left_its_group_does_not_hold_up_the_end(
    runner: ProcessRunner, folder: Callable[..., str]
) -> None:
    begun = real_monotonic()

    end, log = ran(runner, folder("setsid sleep 8 & sleep 0.2; echo hi"))

    assert (end.exit_code, log) == (0, "hi\n")
    assert real_monotonic() - begun < 6


def test_variables_are_in_no_command_line(runner: ProcessRunner, folder: Callable[..., str]) -> None:
    container = made(runner, folder("echo ready; sleep 30"), environment={"_abaco_access_token": "t0ken-of-this-test"})
    container.start()
    deadline = real_monotonic() + ENDS_WITHIN_S
    while "ready\n" not in container.log():
        assert real_monotonic() < deadline
        assert container.wait(0.02) is None

    assert not [pid for pid in Path("/proc").iterdir() if pid.name.isdigit() and b"t0ken-of-this-test" in _words(pid)]


def _words(pid: Path) -> bytes:
    try:
        return (pid / "cmdline").read_bytes()
    except OSError:  # ended meanwhile
        return b""


def test_no_descriptor_thread_or_file_is_left(
    runner: ProcessRunner, folder: Callable[..., str], short_folder: Path
) -> None:
    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    before = held()
    container = made(runner, folder("echo hi"), binary=b"x")
    container.start()
    end_of(container)
    container.stop(grace_s=0)
    container.remove()

    assert held() == before
    assert list(short_folder.iterdir()) == []
