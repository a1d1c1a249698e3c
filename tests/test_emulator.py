"""The whole, on real containers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from abacito.client import Abaco, Execution
from abacito.emulator import Emulator
from abacito.settings import Settings

pytestmark = pytest.mark.docker

CALLS_BACK = """
import json, os, urllib.error, urllib.request
def ask(path):
    request = urllib.request.Request(os.environ["_abaco_api_server"] + path)
    request.add_header("Authorization", "Bearer " + os.environ["_abaco_access_token"])
    try:
        return json.load(urllib.request.urlopen(request, timeout=10))
    except urllib.error.HTTPError as error:
        return error.code
print(ask("/actors/v2/" + os.environ["_abaco_actor_id"])["result"]["owner"])
print(ask("/_abacito/health"), ask("//_abacito/health"))
"""


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="docker")) as running:
        yield running
        running.check()


@pytest.fixture
def abaco(emulator: Emulator) -> Iterator[Abaco]:
    client = emulator.client()
    yield client
    client.close()


def folder(place: Path, code: str) -> Path:
    (place / "actor.py").write_text(code)
    (place / "Dockerfile").write_text(
        'ARG BASE=python:3.11-slim\nFROM ${BASE}\nCOPY actor.py /\nCMD ["python3", "/actor.py"]\n'
    )
    return place


def test_an_actor_reaches_the_api_with_its_owners_token_and_nothing_of_ours(emulator: Emulator, tmp_path: Path) -> None:
    """spec: execution #26, #87"""
    client = emulator.client("jdoe")

    execution = client.register(folder(tmp_path, CALLS_BACK)).wait(within_s=60).send("x").wait(30)

    assert execution.logs == "jdoe\n404 404\n"
    client.close()


def test_a_stateful_actor_runs_one_message_after_the_other_in_order(abaco: Abaco) -> None:
    """spec: execution #77"""
    actor = abaco.register("echo", stateless=False).wait()

    executions = [actor.send(str(number)) for number in range(8)]
    spans = [execution.wait(60).details["final_state"] for execution in executions]

    assert [execution.logs for execution in executions] == [f"{number}\n" for number in range(8)]
    assert all(one["FinishedAt"] <= next_["StartedAt"] for one, next_ in pairwise(spans))


def test_several_actors_run_at_once(abaco: Abaco) -> None:
    """spec: execution #79"""
    actors = [abaco.register("sleeps").wait() for _ in range(3)]

    executions = [actor.send("1") for actor in actors]

    ended = [execution.wait(30).details["final_state"] for execution in executions]
    assert max(e["StartedAt"] for e in ended) < min(e["FinishedAt"] for e in ended)


def test_a_command_that_is_not_there_fails_six_times_and_its_message_waits(abaco: Abaco, tmp_path: Path) -> None:
    """spec: execution #98"""
    (tmp_path / "Dockerfile").write_text('ARG BASE=busybox\nFROM ${BASE}\nCMD ["no-such-command"]\n')
    actor = abaco.register(tmp_path).wait(within_s=60)

    execution = actor.send("x").wait(60)

    assert (execution.status, actor.status) == ("ERROR", "ERROR")
    told = actor.details["status_message"]
    assert re.fullmatch("Error executing container: Could not start container [0-9a-f]{64}. Exception .*; w", told)
    assert "no-such-command" in actor.details["status_message"]
    assert abaco.request("GET", f"{actor.path}/messages")["messages"] == 1


def test_a_container_that_is_removed_by_hand_ends_its_execution_in_error_and_the_next_runs(
    emulator: Emulator, abaco: Abaco
) -> None:
    """spec: execution #104"""
    actor = abaco.register("sleeps").wait()
    execution = actor.send("60")
    _running(execution)

    container = emulator.runner.find(f"abacito-{emulator.namespace}-{execution.id}")
    assert container is not None
    container.remove()

    assert execution.wait(30).status == "ERROR"
    assert actor.status == "READY"
    assert actor.send("0").wait(30).exit_code == 0


def test_a_halted_execution_keeps_what_its_handler_said(abaco: Abaco) -> None:
    """spec: execution #92, #93"""
    execution = abaco.register("sleeps").wait().send("60")
    _running(execution)

    abaco.request("DELETE", execution.path)

    assert execution.wait(15).exit_code == 143
    assert execution.logs == "sleeping 60 s\nasked to stop\n"


def _running(execution: Execution) -> None:
    for _ in execution.watch(30):
        if execution.status == "RUNNING" and "sleeping" in execution.logs:
            return
    raise AssertionError(f"never seen at work: {execution.status}")


def test_nothing_is_left_when_it_stops(tmp_path: Path) -> None:
    """spec: execution #53"""
    before = set(threading.enumerate())
    with Emulator(Settings.read(port=0, runner="docker")) as emulator:
        client = emulator.client()
        execution = client.register("sleeps").wait().send("60")
        _running(execution)
        client.close()
        find, name = emulator.runner.find, f"abacito-{emulator.namespace}-{execution.id}"
        assert find(name) is not None

    left = [thread.name for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    assert left == []
    with Emulator(Settings.read(port=0, runner="docker")) as another:
        assert another.runner.find(name) is None


def test_starting_and_stopping_again_and_again_keeps_no_descriptor() -> None:
    def once() -> int:
        with Emulator(Settings.read(port=0, runner="docker")) as emulator:
            client = emulator.client()
            client.register("echo").wait().send("x").wait(30)
            client.close()
        return len(list(Path("/proc/self/fd").iterdir()))

    first = once()

    assert [once() for _ in range(3)] == [first] * 3
