"""Time that is moved while real containers run, and while nothing does."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from freezegun import freeze_time

from abacito.abaco.time import real_monotonic
from abacito.client import Execution
from abacito.emulator import Emulator
from abacito.settings import Settings

#: Asks for its own actor again and again, until its token is not taken any more.
HOLDS_ITS_TOKEN = """
import json, os, time, urllib.error, urllib.request
request = urllib.request.Request(os.environ["_abaco_api_server"] + "/actors/v2/" + os.environ["_abaco_actor_id"])
request.add_header("Authorization", "Bearer " + os.environ["_abaco_access_token"])
print("let in", urllib.request.urlopen(request, timeout=10).status, flush=True)
while True:
    try:
        urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        print("refused", error.code, json.load(error)["fault"]["code"])
        break
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def docker() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="docker")) as running:
        yield running
        running.check()


def folder(place: Path) -> Path:
    (place / "actor.py").write_text(HOLDS_ITS_TOKEN)
    (place / "Dockerfile").write_text(
        'ARG BASE=python:3.11-slim\nFROM ${BASE}\nCOPY actor.py /\nCMD ["python3", "/actor.py"]\n'
    )
    return place


def until(condition: object, execution: Execution) -> None:
    deadline = real_monotonic() + 30
    while str(condition) not in execution.logs:
        assert real_monotonic() < deadline


def deaths(*executions: Execution) -> list[str]:
    """The executions of the ``die`` events that Docker has told, as often as it did."""
    # Until the next full second, for which it waits: an event of the current one is not told otherwise.
    command = ["docker", "events", "--since", "10m", "--until", str(int(time.time()) + 1), "--filter", "event=die"]
    told = subprocess.run(
        [*command, "--format", '{{index .Actor.Attributes "abacito.execution"}}'],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    wanted = {each.id for each in executions}
    return sorted(line for line in told.stdout.splitlines() if line in wanted)


@pytest.mark.docker
def test_an_actor_that_holds_its_token_past_four_hours_is_refused_and_ends_once(
    docker: Emulator, tmp_path: Path
) -> None:
    abaco = docker.client("jdoe")
    execution = abaco.register(folder(tmp_path), token=True).wait(within_s=60).send("x")
    until("let in 200", execution)

    abaco.clock.travel("4h1m")
    details = execution.wait(30).details

    assert (details["status"], details["exit_code"]) == ("COMPLETE", 0)
    assert execution.logs == "let in 200\nrefused 401 900901\n"
    assert deaths(execution) == [execution.id]
    assert len(abaco.request("GET", execution.actor.path + "/executions")["executions"]) == 1


@pytest.mark.docker
def test_travelling_while_containers_run_ends_doubles_and_repeats_none(docker: Emulator) -> None:
    abaco = docker.client()
    actors = [abaco.register("sleeps", stateless=is_stateless).wait(within_s=60) for is_stateless in (True, False)]
    executions = [actor.send("2") for actor in actors for _ in range(2)]

    for span in ("1h", "30d", "5s", "400d"):
        abaco.clock.travel(span)

    ended = [execution.wait(60) for execution in executions]
    assert [(each.status, each.exit_code) for each in ended] == [("COMPLETE", 0)] * 4
    assert deaths(*ended) == sorted(each.id for each in ended)
    assert [len(abaco.request("GET", actor.path + "/executions")["executions"]) for actor in actors] == [2, 2]


def cpu_of_a_second() -> float:
    """CPU seconds of this process while a real one passes."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    threading.Event().wait(1.0)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_an_emulator_under_frozen_time_uses_no_more_cpu_than_without() -> None:
    with Emulator(Settings.read(port=0, runner="process")) as emulator:
        actor = emulator.client().register(lambda context: None).wait()
        actor.send("x").wait()
        going = cpu_of_a_second()
        with freeze_time("2031-01-01"):
            actor.send("x").wait()
            frozen = cpu_of_a_second()
        emulator.client().clock.freeze()
        stopped = cpu_of_a_second()

    assert max(frozen, stopped) < 2 * going + 0.1
