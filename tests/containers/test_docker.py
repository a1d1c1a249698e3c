from __future__ import annotations

import hashlib
import os
import secrets
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from abacito.abaco.container import FINAL_STATE_KEYS, ContainerEnd, ContainerSpec, Mount
from abacito.abaco.errors import (
    ContainerGone,
    CreationRefused,
    ImageUnavailable,
    NameTaken,
    RunnerAway,
    StartRefused,
    Unavailable,
)
from abacito.abaco.ports import Container, ContainerState
from abacito.containers.daemon import DEFAULT_LOCATION, connect
from abacito.containers.docker import DockerRunner
from abacito.containers.labels import EMULATOR_LABEL
from abacito.containers.watch import read_end, read_time
from tests.containers.relay import Relay

ENDS_WITHIN_S = 30

Actor = Callable[..., str]


def a_spec(image: str, **changes: Any) -> ContainerSpec:
    return ContainerSpec(
        **{"name": f"abacito-{secrets.token_hex(6)}", "image": image, "environment": {"MSG": "hi"}, **changes}
    )


def started(runner: DockerRunner, image: str, **changes: Any) -> Container:
    container = runner.create(a_spec(image, **changes), lambda result: None)
    container.start()
    return container


def end_of(container: Container) -> ContainerEnd:
    end = container.wait(ENDS_WITHIN_S)
    assert end is not None, container.log()
    return end


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not claim():
        assert time.monotonic() < deadline, "it did not come true"
        threading.Event().wait(0.01)


@pytest.mark.docker
def test_an_end_tells_exit_code_and_dockers_state(runner: DockerRunner) -> None:
    end = end_of(started(runner, "fails", environment={"MSG": "7"}))

    assert end.exit_code == 7
    assert set(end.final_state) == set(FINAL_STATE_KEYS)
    assert (end.final_state["Status"], end.final_state["ExitCode"]) == ("exited", 7)
    assert end.final_state["FinishedAt"] == end.finished_at


@pytest.mark.docker
def test_the_times_of_an_end_are_when_it_ran(runner: DockerRunner) -> None:
    before = datetime.now(UTC)

    end = end_of(started(runner, "sleeps", environment={"MSG": "0.3"}))

    assert end.started_at is not None
    assert end.finished_at is not None
    assert before <= end.started_at < end.finished_at <= datetime.now(UTC)
    assert 0.25 < end.runtime_s < 5


@pytest.mark.docker
def test_the_end_is_told_soon_after_it_came(runner: DockerRunner) -> None:
    end = end_of(started(runner, "sleeps", environment={"MSG": "0.3"}))

    assert end.finished_at is not None
    assert datetime.now(UTC) - end.finished_at < timedelta(seconds=1)


@pytest.mark.docker
def test_the_log_has_both_streams_in_order_with_bad_bytes_replaced(runner: DockerRunner, an_actor: Actor) -> None:
    image = an_actor("echo one; echo two >&2; sleep 0.1; printf 'a\\377b\\n'")

    container = started(runner, image)
    end_of(container)

    assert sorted(container.log().splitlines()) == ["a\ufffdb", "one", "two"]
    assert container.log().endswith("a\ufffdb\n")


@pytest.mark.docker
def test_a_running_containers_log_can_be_read(runner: DockerRunner) -> None:
    container = started(runner, "sleeps", environment={"MSG": "60"})

    until(lambda: container.log() == "sleeping 60 s\n")

    assert container.state() is ContainerState.RUNNING


@pytest.mark.docker
def test_a_log_is_kept_to_one_character_over_its_limit(runner: DockerRunner, an_actor: Actor) -> None:
    container = started(runner, an_actor("seq 1 20000"), log_limit=9)

    assert end_of(container).exit_code == 0
    assert container.log() == "1\n2\n3\n4\n5\n"


@pytest.mark.docker
def test_a_value_of_none_takes_away_what_the_image_sets(runner: DockerRunner, an_actor: Actor) -> None:
    image = an_actor("env", "ENV MSG=image KEPT=image")

    container = started(runner, image, environment={"MSG": None, "TEXT": "a=b\n'c'"})
    end_of(container)

    assert "MSG=" not in container.log()
    assert "KEPT=image\n" in container.log()
    assert "TEXT=a=b\n'c'\n" in container.log()


@pytest.mark.docker
def test_every_result_is_handed_over_when_the_end_is_told(runner: DockerRunner) -> None:
    results: list[bytes] = []

    def take(result: bytes) -> None:
        if result == b"result 199":
            threading.Event().wait(0.5)  # a slow store: the container ends meanwhile
        results.append(result)

    container = runner.create(a_spec("sends_results", environment={"MSG": "200"}), take)
    container.start()
    end_of(container)

    assert results == [b"result %d" % number for number in range(200)]


@pytest.mark.docker
def test_a_user_that_is_not_root_sends_results_and_reads_the_binary_message(runner: DockerRunner) -> None:
    """spec: execution #32, #41"""
    results: list[bytes] = []
    sender = runner.create(a_spec("sends_results", user="1000:1000", environment={"MSG": "3"}), results.append)
    sender.start()
    reader = started(runner, "reads_binary", user="1000", binary=b"binary")

    assert end_of(sender).exit_code == end_of(reader).exit_code == 0
    assert len(results) == 3
    assert "size: 6\n" in reader.log()


@pytest.mark.docker
@pytest.mark.parametrize("size", [256, 900_000, 3_000_000])
def test_a_binary_message_arrives_whole(runner: DockerRunner, size: int) -> None:
    message = os.urandom(size)

    container = started(runner, "reads_binary", binary=message)
    end_of(container)

    assert container.log() == f"size: {size}\nsha256: {hashlib.sha256(message).hexdigest()}\n"


@pytest.mark.docker
def test_stdin_is_at_its_end_and_no_terminal(runner: DockerRunner, an_actor: Actor) -> None:
    """spec: execution #47"""
    container = started(runner, an_actor("cat; test -t 0 || echo no terminal"))

    end_of(container)

    assert container.log() == "no terminal\n"


@pytest.mark.docker
def test_a_read_only_mount_refuses_writes_and_another_takes_them(
    runner: DockerRunner, an_actor: Actor, tmp_path: Path
) -> None:
    """spec: execution #51"""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    mounts = (Mount(str(tmp_path / "in"), "/in", "ro"), Mount(str(tmp_path / "out"), "/out", "rw"))

    container = started(runner, an_actor("touch /out/made; touch /in/made"), mounts=mounts)

    assert end_of(container).exit_code == 1
    assert (tmp_path / "out" / "made").exists()
    assert not (tmp_path / "in" / "made").exists()


@pytest.mark.docker
def test_settings_reach_docker(runner: DockerRunner, client: APIClient) -> None:
    """spec: execution #49"""
    spec = a_spec("echo", mem_limit="16m", nano_cpus=500_000_000, user="1000", labels={"abacito.actor": "A"})

    container = runner.create(spec, lambda result: None)

    made = client.inspect_container(container.id)
    assert (made["HostConfig"]["Memory"], made["HostConfig"]["NanoCpus"]) == (16_777_216, 500_000_000)
    assert (made["Config"]["User"], made["Config"]["Labels"]["abacito.actor"]) == ("1000", "A")
    assert made["HostConfig"]["ExtraHosts"] == ["host.docker.internal:host-gateway"]
    assert (made["HostConfig"]["AutoRemove"], made["HostConfig"]["Privileged"]) == (False, False)
    assert container.image_id == made["Image"]


@pytest.mark.docker
@pytest.mark.parametrize("privileged", [True, False])
def test_only_a_privileged_actor_gets_dockers_socket(runner: DockerRunner, client: APIClient, privileged: bool) -> None:
    """spec: execution #50"""
    container = runner.create(a_spec("echo", privileged=privileged), lambda result: None)

    made = client.inspect_container(container.id)["HostConfig"]  # not run: a daemon in a sandbox may not start it

    assert made["Privileged"] is privileged
    assert ("/var/run/docker.sock:/var/run/docker.sock:rw" in made["Binds"]) is privileged


@pytest.mark.docker
def test_its_cpu_time_is_told_however_short_it_lived(runner: DockerRunner, an_actor: Actor) -> None:
    """spec: execution #64"""
    busy = an_actor('end=$(($(date +%s) + 2)); while [ "$(date +%s)" -lt "$end" ]; do :; done')

    short, long = end_of(started(runner, "echo")), end_of(started(runner, busy))

    assert 10**6 < short.cpu_ns < 10**9
    assert long.cpu_ns > 10**9 / 2


@pytest.mark.docker
def test_what_it_received_is_told(new_runner: Callable[..., DockerRunner], an_actor: Actor) -> None:
    """spec: execution #64"""
    runner = new_runner(shared_namespaces=1)
    with socketserver.TCPServer((runner.callback_host(), 0), _Sends) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address[:2]
        hears = an_actor(f"nc {host} {port} </dev/null | wc -c")
        runner.prepare(hears)
        until(lambda: bool(runner._namespaces._free))

        container = started(runner, hears)
        end = end_of(container)
        server.shutdown()

    assert container.log().strip() == str(_SENT)
    assert _SENT < end.io_bytes < 2 * _SENT


_SENT = 300_000


class _Sends(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(bytes(_SENT))


@pytest.mark.docker
def test_command_entrypoint_folder_and_user_are_the_images_own(runner: DockerRunner, an_actor: Actor) -> None:
    """spec: execution #47"""
    image = an_actor(
        'echo "$0 $1 $(pwd) $(id -u)"',
        "USER 1234",
        "WORKDIR /somewhere",
        'ENTRYPOINT ["sh", "-c", "echo $0 $1 $(pwd) $(id -u)"]',
    )

    container = started(runner, image)
    end_of(container)

    assert container.log() == "sh /actor.sh /somewhere 1234\n"


@pytest.mark.docker
@pytest.mark.parametrize(("user", "shown"), [("1000:1001", "1000 1001"), ("1000", "1000 0"), (None, "77 0")])
def test_a_configured_user_counts_over_the_images(
    runner: DockerRunner, an_actor: Actor, user: str | None, shown: str
) -> None:
    """spec: execution #48"""
    container = started(runner, an_actor("echo $(id -u) $(id -g)", "USER 77"), user=user)
    end_of(container)

    assert container.log().strip() == shown


@pytest.mark.docker
def test_a_name_is_taken_once(runner: DockerRunner) -> None:
    spec = a_spec("echo")
    first = runner.create(spec, lambda result: None)

    with pytest.raises(NameTaken):
        runner.create(spec, lambda result: None)

    assert first.state() is ContainerState.CREATED


@pytest.mark.docker
def test_an_unknown_image_is_refused_with_the_remedy(runner: DockerRunner, short_folder: Path) -> None:
    for refused in (runner.prepare, lambda image: runner.create(a_spec(image), lambda result: None)):
        with pytest.raises(ImageUnavailable, match='pulling is off: run "docker pull abacito/none-such"'):
            refused("abacito/none-such")

    assert list(short_folder.iterdir()) == []


@pytest.mark.docker
@pytest.mark.parametrize("changes", [{"mem_limit": "much"}, {"environment": {"": "v"}}])
def test_settings_that_docker_does_not_take_are_refused_at_creation(
    runner: DockerRunner, short_folder: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(CreationRefused):
        runner.create(a_spec("echo", **changes), lambda result: None)

    assert list(short_folder.iterdir()) == []


@pytest.mark.docker
def test_a_command_that_does_not_exist_fails_the_start(runner: DockerRunner, an_actor: Actor) -> None:
    image = an_actor("", 'ENTRYPOINT ["/none-such"]')
    container = runner.create(a_spec(image), lambda result: None)

    with pytest.raises(StartRefused, match="/none-such"):
        container.start()

    container.remove()
    with pytest.raises(ContainerGone):
        container.state()


@pytest.mark.docker
def test_a_container_removed_before_its_start_is_gone(runner: DockerRunner, client: APIClient) -> None:
    container = runner.create(a_spec("echo"), lambda result: None)
    client.remove_container(container.id)

    with pytest.raises(ContainerGone):
        container.start()


@pytest.mark.docker
def test_a_container_removed_by_hand_while_it_runs_is_gone(runner: DockerRunner, client: APIClient) -> None:
    container = started(runner, "sleeps", environment={"MSG": "60"})

    client.remove_container(container.id, force=True)

    with pytest.raises(ContainerGone):
        container.wait(ENDS_WITHIN_S)


@pytest.mark.docker
def test_what_is_printed_on_being_stopped_is_in_the_log(runner: DockerRunner) -> None:
    container = started(runner, "sleeps", environment={"MSG": "60"})
    until(lambda: "sleeping" in container.log())
    assert container.wait(0.05) is None

    container.stop()

    assert end_of(container).exit_code == 143
    assert container.log() == "sleeping 60 s\nasked to stop\n"


@pytest.mark.docker
def test_what_does_not_stop_is_killed_after_the_grace(runner: DockerRunner, an_actor: Actor) -> None:
    container = started(runner, an_actor("trap '' TERM; echo deaf; sleep 60"))
    until(lambda: container.log() == "deaf\n")

    container.stop(grace_s=0.1)

    assert end_of(container).exit_code == 137


@pytest.mark.docker
def test_a_removed_container_leaves_nothing_and_may_be_removed_again(
    runner: DockerRunner, client: APIClient, short_folder: Path
) -> None:
    threads = threading.active_count()
    container = started(runner, "sleeps", environment={"MSG": "60"}, binary=b"message")

    container.remove()
    container.remove()

    assert client.containers(all=True, filters={"id": container.id}) == []
    assert list(short_folder.iterdir()) == []
    assert threading.active_count() == threads


@pytest.mark.docker
def test_no_container_is_found_by_a_name_nobody_has(runner: DockerRunner) -> None:
    container = runner.create(a_spec("echo"), lambda result: None)

    assert runner.find("abacito-none-such") is None
    assert runner.find(container.id[:12]) is None


@pytest.mark.docker
def test_a_running_container_is_adopted_by_its_name(new_runner: Callable[..., DockerRunner]) -> None:
    spec = a_spec("sleeps", environment={"MSG": "0.5"}, log_limit=3)
    new_runner().create(spec, lambda result: None).start()

    adopted = new_runner().find(spec.name)

    assert adopted is not None
    assert adopted.state() is ContainerState.RUNNING
    assert end_of(adopted).exit_code == 0
    assert adopted.log() == "slee"


@pytest.mark.docker
def test_a_container_of_ones_own_is_found_as_the_same_one(runner: DockerRunner) -> None:
    results: list[bytes] = []
    spec = a_spec("sends_results", environment={"MSG": "2"})
    runner.create(spec, results.append).start()

    found = runner.find(spec.name)

    assert found is not None
    end_of(found)
    assert results == [b"result 0", b"result 1"]


@pytest.mark.docker
def test_an_ended_container_is_adopted_with_its_end_and_log(new_runner: Callable[..., DockerRunner]) -> None:
    spec = a_spec("fails", environment={"MSG": "3"})
    first = new_runner().create(spec, lambda result: None)
    first.start()
    end = end_of(first)

    adopted = new_runner().find(spec.name)

    assert adopted is not None
    assert adopted.log() == "failing with exit code 3\n"
    assert end_of(adopted) == end


@pytest.mark.docker
def test_a_container_found_but_never_started_has_no_end(new_runner: Callable[..., DockerRunner]) -> None:
    spec = a_spec("echo")
    new_runner().create(spec, lambda result: None)

    found = new_runner().find(spec.name)

    assert found is not None
    assert found.state() is ContainerState.CREATED
    assert found.wait(0.05) is None


@pytest.mark.docker
def test_removing_an_adopted_container_sweeps_up_its_socket_and_pipe(
    new_runner: Callable[..., DockerRunner], short_folder: Path
) -> None:
    spec = a_spec("echo", binary=b"message")
    new_runner().create(spec, lambda result: None)

    found = new_runner().find(spec.name)
    assert found is not None
    found.remove()

    assert list(short_folder.iterdir()) == []


@pytest.mark.docker
def test_clearing_removes_this_emulators_containers_only(
    new_runner: Callable[..., DockerRunner], client: APIClient
) -> None:
    ours, theirs = new_runner("test-ours"), new_runner("test-theirs")
    gone, kept = (started(runner, "sleeps", environment={"MSG": "60"}) for runner in (ours, theirs))

    ours.clear()

    assert client.containers(all=True, filters={"label": f"{EMULATOR_LABEL}=test-ours"}) == []
    assert kept.state() is ContainerState.RUNNING
    with pytest.raises(ContainerGone):
        gone.wait(ENDS_WITHIN_S)


@pytest.fixture
def relayed(relay: Relay, new_runner: Callable[..., DockerRunner], short_folder: Path) -> Iterator[DockerRunner]:
    """A runner whose daemon can go away."""
    runner = new_runner(client=APIClient(f"unix://{short_folder}/d.sock", version="auto"))
    yield runner
    relay.mend()
    runner.close()


@pytest.mark.docker
def test_a_wait_outlives_a_daemon_that_goes_away_and_comes_back(relayed: DockerRunner, relay: Relay) -> None:
    container = started(relayed, "sleeps", environment={"MSG": "1"})
    until(lambda: container.log() == "sleeping 1 s\n")

    relay.cut()
    for look in (lambda: container.wait(ENDS_WITHIN_S), container.state, container.remove):
        with pytest.raises(RunnerAway):
            look()
    relay.mend()

    assert end_of(container).exit_code == 0
    assert container.log() == "sleeping 1 s\nslept\n"


@pytest.mark.docker
def test_nothing_is_created_or_found_while_the_daemon_is_away(
    relayed: DockerRunner, relay: Relay, short_folder: Path
) -> None:
    relay.cut()

    with pytest.raises(RunnerAway):
        relayed.create(a_spec("echo"), lambda result: None)
    with pytest.raises(RunnerAway):
        relayed.find("abacito-none-such")
    with pytest.raises(RunnerAway):
        relayed.prepare("echo")
    assert [path.name for path in short_folder.iterdir()] == ["d.sock"]


def test_without_a_daemon_one_line_says_where_it_was_looked_for_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    with pytest.raises(Unavailable, match=r"none\.sock") as refused:
        connect()

    assert "start Docker, set DOCKER_HOST, or use the process runner" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.docker
def test_the_location_is_the_daemons_address(runner: DockerRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)

    assert runner.location == DEFAULT_LOCATION


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2021-05-17T10:00:00Z", datetime(2021, 5, 17, 10, tzinfo=UTC)),
        ("2021-05-17T10:00:00.5Z", datetime(2021, 5, 17, 10, microsecond=500_000, tzinfo=UTC)),
        ("2021-05-17T12:00:00.123456789+02:00", datetime(2021, 5, 17, 10, microsecond=123_456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_dockers_times_are_read_with_and_without_a_fraction(text: str, time: datetime | None) -> None:
    assert read_time(text) == time


def test_an_end_before_its_start_has_run_no_time() -> None:
    state = dict.fromkeys(FINAL_STATE_KEYS) | {"ExitCode": 0}
    times = {"StartedAt": "2021-05-17T10:00:00.2Z", "FinishedAt": "2021-05-17T10:00:00.1Z"}

    assert read_end(state | times).runtime_s == 0


def test_a_health_check_is_part_of_the_final_state() -> None:
    state = dict.fromkeys(FINAL_STATE_KEYS) | {"ExitCode": 0, "Health": {"Status": "healthy"}}
    times = {"StartedAt": "2021-05-17T10:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"}

    end = read_end(state | times | {"Unknown": 1})

    assert set(end.final_state) == {*FINAL_STATE_KEYS, "Health"}
    assert (end.finished_at, end.runtime_s) == (None, 0.0)
