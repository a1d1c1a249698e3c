"""The bundled actors show what they are named after, on every runner that can honour it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import randrange
from typing import Any

import pytest

from abacito.abaco.bookkeeping import TRUNCATED
from abacito.abaco.container import RESULT_LIMIT_BYTES
from abacito.abaco.time import real_monotonic
from abacito.client import Abaco, Execution, WaitedInVain
from abacito.containers.process import bubblewrap
from abacito.emulator import Emulator
from abacito.settings import Settings

NO_BUBBLEWRAP = "no working bubblewrap here: apt-get install bubblewrap"


@pytest.fixture(scope="module", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    # More at once than some of these actors take for themselves, on a machine of one core too.
    with Emulator(Settings.read(port=0, runner=request.param, workers=8)) as running:
        yield running
        running.check()


def needs_docker_or_bubblewrap(emulator: Emulator) -> None:
    if emulator.runner.name == "process" and bubblewrap() is None:
        pytest.skip(NO_BUBBLEWRAP)


def eventually(look: Callable[[], Any], wanted: Any, within_s: float = 60) -> None:
    """Look again and again until this is seen."""
    deadline = real_monotonic() + within_s
    while (seen := look()) != wanted:
        assert real_monotonic() < deadline, f"still {seen!r}, not {wanted!r}"


def refused_by_name(emulator: Emulator, execution: Execution, what: str, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether this runner cannot honour it; then it has said so, and the execution is in ERROR."""
    if emulator.runner.name == "docker":
        return False
    assert execution.wait(60).status == "ERROR"
    assert f"cannot honour {what}" in caplog.text
    return True


@pytest.fixture
def abaco(emulator: Emulator) -> Iterator[Abaco]:
    client = emulator.client()
    yield client
    client.close()


def test_counts_keeps_its_count_in_its_state(abaco: Abaco) -> None:
    """spec: execution #108"""
    actor = abaco.register("counts", stateless=False).wait(within_s=60)

    executions = [actor.send(str(number)) for number in range(20)]

    assert [each.wait(120).logs for each in executions] == [f"count: {number}\n" for number in range(1, 21)]
    assert actor.details["state"] == {"count": 20}


def test_floods_log_is_cut_at_the_limit(abaco: Abaco) -> None:
    execution = abaco.register("floods_log").wait(within_s=60).send("3").wait(60)

    assert execution.exit_code == 0
    assert len(execution.logs) == 1_000_000 + len(TRUNCATED)
    assert execution.logs.endswith(TRUNCATED)


def test_floods_log_holds_nobody_up_with_a_hundred_megabytes(abaco: Abaco) -> None:
    flood = abaco.register("floods_log").wait(within_s=60).send("100")

    assert abaco.register("echo").wait(within_s=60).send("hello").wait(60).logs == "hello\n"
    assert (flood.wait(120).exit_code, len(flood.logs)) == (0, 1_000_000 + len(TRUNCATED))


def test_echo_is_told_no_more_than_a_variable_holds(abaco: Abaco) -> None:
    """spec: execution #13"""
    actor = abaco.register("echo").wait(within_s=60)

    ended = actor.send("x" * 1_048_576).wait(60)

    assert ended.status == "COMPLETE"
    assert ended.exit_code not in (0, None)
    assert "rgument list too long" in ended.logs
    assert actor.send("hello").wait().logs == "hello\n"


def test_leaves_children_ends_without_waiting_for_them(abaco: Abaco) -> None:
    began = real_monotonic()

    execution = abaco.register("leaves_children").wait(within_s=60).send("600").wait()

    assert (execution.exit_code, execution.logs) == (0, "left three children\n")
    assert real_monotonic() - began < 40


def test_fills_memory_is_killed_at_its_limit_or_the_limit_is_refused_by_name(emulator: Emulator, abaco: Abaco) -> None:
    """spec: execution #60"""
    actor = abaco.register("fills_memory", mem_limit="32m")

    if emulator.runner.name == "docker":
        details = actor.wait(within_s=60).send("100").wait(60).details
        assert (details["status"], details["exit_code"]) == ("COMPLETE", 137)
        assert details["final_state"]["OOMKilled"] is True
    else:
        execution = actor.wait(within_s=60).send("100").wait()
        assert execution.status == "ERROR"
    assert abaco.register("fills_memory").wait(within_s=60).send("5").wait().logs == "took: 5 MB\n"


@pytest.mark.parametrize("actor", ["leaves_children", "forks"])
def test_no_process_of_a_container_outlives_it(emulator: Emulator, abaco: Abaco, actor: str) -> None:
    if actor == "forks":
        needs_docker_or_bubblewrap(emulator)  # a plain process that leaves its session is not followed
    life_s = str(randrange(100_000, 1_000_000))  # by which its children are known from those of any other test
    execution = abaco.register(actor).wait(within_s=60).send(life_s).wait()

    left = subprocess.run(["pgrep", "-f", f"^sleep {life_s}$"], capture_output=True, text=True, check=False)

    assert execution.exit_code == 0
    assert left.stdout == ""


def test_who_am_i_tells_user_folder_and_worker(emulator: Emulator, abaco: Abaco) -> None:
    """spec: execution #21; spec: execution #47"""
    execution = abaco.register("who_am_i").wait(within_s=60).send("x").wait()

    told = dict(line.split(": ") for line in execution.logs.splitlines())
    assert told["folder"].endswith("/work")
    assert told["worker"] == execution.details["worker_id"]
    if emulator.runner.name == "docker":
        assert (told["uid"], told["gid"], told["folder"], told["home"]) == ("0", "0", "/work", "/root")


def test_who_am_i_runs_as_the_configured_user_or_that_is_refused_by_name(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """spec: execution #48"""
    settings = Settings.read(port=0, runner=emulator.runner.name, actor_uid="1001", actor_gid="1002")
    with Emulator(settings) as configured, closing(configured.client()) as abaco:
        execution = abaco.register("who_am_i").wait(within_s=60).send("x").wait()
        if not refused_by_name(emulator, execution, "uid (1001:1002)", caplog):
            assert execution.logs.splitlines()[:2] == ["uid: 1001", "gid: 1002"]
            as_image = abaco.register("who_am_i", use_container_uid=True).wait(within_s=60).send("x").wait()
            assert as_image.logs.splitlines()[:2] == ["uid: 0", "gid: 0"]


def test_shows_mounts_sees_what_is_mounted_and_which_may_be_written(emulator: Emulator, tmp_path: Path) -> None:
    """spec: execution #51"""
    needs_docker_or_bubblewrap(emulator)  # a plain process has no mounts, and says so: tests/containers/test_process.py
    for name in ("kept", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a file").touch()
    mounts = f"{tmp_path}/kept:/kept:ro,{tmp_path}/open:/open:rw"
    settings = Settings.read(port=0, runner=emulator.runner.name, global_mounts=mounts)

    with Emulator(settings) as configured, closing(configured.client()) as abaco:
        execution = abaco.register("shows_mounts").wait(within_s=60).send("/kept /open").wait()

        assert execution.logs == ("/kept has: a file\n/kept is read-only\n/open has: a file\n/open can be written to\n")
    assert (tmp_path / "open" / "written").exists()
    assert not (tmp_path / "kept" / "written").exists()


def test_shows_limits_has_those_of_its_actor_or_they_are_refused_by_name(
    emulator: Emulator, abaco: Abaco, caplog: pytest.LogCaptureFixture
) -> None:
    """spec: execution #49"""
    execution = abaco.register("shows_limits", mem_limit="16m").wait(within_s=60).send("x").wait()
    if not refused_by_name(emulator, execution, "mem_limit (16m)", caplog):
        assert execution.logs.splitlines()[0] == "memory: 16777216"

    caplog.clear()
    execution = abaco.register("shows_limits", max_cpus="500000000").wait(within_s=60).send("x").wait()
    if not refused_by_name(emulator, execution, "max_cpus (500000000)", caplog):
        # Version 2 of control groups tells both in one line.
        assert execution.logs.splitlines()[1] in ("cpu: 50000", "cpu: 50000 100000")


def test_wc_counts_the_words_of_its_message(abaco: Abaco) -> None:
    actor = abaco.register("abacosamples/wc").wait(within_s=60)

    sent = [actor.send(message) for message in ("Actor, please count these words.", "* ? \t*", {"two": "words"})]

    assert [each.wait(60).logs for each in sent] == [f"Number of words is: {number}\n" for number in (5, 3, 2)]


def test_sleep_loop_does_what_its_message_says_and_ends_when_it_is_halted(abaco: Abaco) -> None:
    actor = abaco.register("abacosamples/sleep_loop").wait(within_s=60)

    done = actor.send({"sleep": 0.01, "iterations": 2}).wait(60)
    halted = actor.send("as it likes")
    eventually(lambda: halted.logs, "sleeping 10 s, 6 times\n")
    abaco.request("DELETE", halted.path)

    assert (done.exit_code, done.logs) == (0, "sleeping 0.01 s, 2 times\niteration 1\niteration 2\ndone\n")
    assert (halted.wait(60).status, halted.exit_code) == ("COMPLETE", 143)


def test_deaf_is_halted_all_the_same(abaco: Abaco) -> None:
    """spec: execution #92; spec: execution #93"""
    execution = abaco.register("deaf").wait(within_s=60).send("300")
    for _ in execution.watch(60):
        if execution.logs == "hears nothing\n":
            break

    began = real_monotonic()
    abaco.request("DELETE", execution.path)
    ended = execution.wait(60).details

    assert (ended["status"], ended["exit_code"], execution.logs) == ("COMPLETE", 137, "hears nothing\n")
    assert real_monotonic() - began < 20


def test_closes_stdout_is_not_taken_for_ended(abaco: Abaco) -> None:
    execution = abaco.register("closes_stdout").wait(within_s=60).send("2").wait()

    assert (execution.exit_code, execution.logs) == (3, "last words\n")
    assert execution.details["runtime"] in (1, 2, 3)  # Docker notes a start late


@pytest.mark.parametrize("size", [1, 1_000_000, 5_000_000])
def test_leaves_pipe_holds_nobody_up(abaco: Abaco, size: int) -> None:
    execution = abaco.register("leaves_pipe").wait(within_s=60).send(bytes(size)).wait()

    assert (execution.exit_code, execution.logs) == (0, "left its message\n")


def test_crashes_ends_with_the_number_of_its_signal(abaco: Abaco) -> None:
    """spec: execution #60"""
    details = abaco.register("crashes").wait(within_s=60).send("x").wait().details

    assert (details["status"], details["exit_code"]) == ("COMPLETE", 139)


def test_fills_socket_is_not_held_up_and_its_longer_result_is_cut(abaco: Abaco) -> None:
    """spec: execution #39"""
    execution = abaco.register("fills_socket").wait(within_s=60).send("30").wait(60)

    results = execution.results
    assert [result.split(b".")[0] for result in results[:30]] == [b"%d" % number for number in range(30)]
    assert [len(result) for result in results] == [RESULT_LIMIT_BYTES] * 31
    assert execution.logs == "300000 bytes: Message too long\n"


def test_answers_early_answers_a_synchronous_message_before_it_ends(abaco: Abaco) -> None:
    """spec: execution #115"""
    actor = abaco.register("answers_early").wait(within_s=60)

    query = {"_abaco_synchronous": "true", "work": "3"}
    answer = abaco.send("POST", f"{actor.path}/messages", params=query, data={"message": "now"})
    [execution] = abaco.request("GET", f"{actor.path}/executions")["executions"]

    assert (answer.content, answer.headers["content-type"]) == (b"now", "application/octet-stream")
    assert execution["status"] == "RUNNING"
    assert Execution(abaco, actor, execution["id"]).wait().logs == "answered\nworked\n"


def test_shows_event_tells_of_the_actor_that_it_is_linked_to(abaco: Abaco) -> None:
    """spec: execution #109"""
    shows = abaco.register("shows_event").wait(within_s=60)
    fails = abaco.register("fails", link=shows.id).wait(within_s=60)

    execution = fails.send("4").wait()

    def told() -> list[str]:
        listed = abaco.request("GET", f"{shows.path}/executions")["executions"]
        return [Execution(abaco, shows, each["id"]).wait().logs for each in listed]

    eventually(told, [f"ACTOR_READY {fails.id}\n", f"EXECUTION_COMPLETE {fails.id} {execution.id} 4\n"])


def test_old_version_is_updated_to_new_version(abaco: Abaco) -> None:
    """spec: execution #85"""
    actor = abaco.register("old_version", stateless=False).wait(within_s=60)
    before = actor.send("x").wait()

    abaco.request("PUT", actor.path, json={"image": "new_version", "stateless": False})
    after = actor.send("x").wait()

    assert before.logs == "old version, revision 1, image old_version\n"
    assert after.logs == "new version, revision 2, image new_version\n"


def test_wrong_entrypoint_puts_its_actor_into_error_and_keeps_the_message(abaco: Abaco) -> None:
    """spec: execution #98"""
    actor = abaco.register("wrong_entrypoint").wait(within_s=60)
    execution = actor.send("x").wait(60)

    details = actor.details
    assert (execution.status, details["status"]) == ("ERROR", "ERROR")
    assert "no-such-program" in details["status_message"]
    assert abaco.request("GET", f"{actor.path}/messages")["messages"] == 1


def test_no_command_ends_each_execution_in_error_and_leaves_its_actor_ready(abaco: Abaco) -> None:
    actor = abaco.register("no_command").wait(within_s=60)

    statuses = [actor.send("x").wait().status for _ in range(2)]

    assert (statuses, actor.status) == (["ERROR", "ERROR"], "READY")


@pytest.mark.parametrize("actor", ["wrong_entrypoint", "no_command", "deaf", "closes_stdout", "crashes"])
def test_what_is_wrong_with_one_actor_holds_up_no_other(abaco: Abaco, actor: str) -> None:
    wrong = abaco.register(actor).wait(within_s=60)
    for _ in range(3):
        wrong.send("600")

    assert abaco.register("echo").wait(within_s=60).send("hello").wait(60).logs == "hello\n"
    wrong.delete()


def test_an_actor_that_a_runner_does_not_have_is_named(abaco: Abaco) -> None:
    with pytest.raises(WaitedInVain, match="nobody/has:this"):
        abaco.register("nobody/has:this").wait(within_s=60)
