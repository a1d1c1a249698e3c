"""What an execution finds and leaves, whatever else goes on: environment, results, order, synchronous posts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from abacito.abaco.time import real_monotonic
from abacito.client import Execution
from abacito.emulator import Emulator
from abacito.settings import Settings
from tests.api.conftest import Api
from tests.api.test_updates import put, until


class Gate:
    """An actor that tells when it runs, and goes on when it is let."""

    def __init__(self) -> None:
        self.running, self.open = threading.Semaphore(0), threading.Event()

    def __call__(self, context: Any) -> None:
        self.running.release()
        self.open.wait(20)
        print("ran", context.message)

    def await_running(self) -> None:
        assert self.running.acquire(timeout=20)


@pytest.fixture
def gate() -> Iterator[Gate]:
    found = Gate()
    yield found
    found.open.set()


def variables(context: Any) -> None:
    for name in ("_abaco_actor_revision", "key", "x-nonce"):
        print(context.environment.get(name))


def messages(api: Api, actor: str) -> int:
    return int(api.result("GET", f"/actors/{actor}/messages")["messages"])


def status(api: Api, actor: str, execution: str) -> str:
    return str(api.result("GET", f"/actors/{actor}/executions/{execution}")["status"])


def test_an_actors_revision_is_told_as_it_was_when_the_message_came(api: Api) -> None:
    """spec: execution #23"""
    actor = api.actor(variables)
    first = api.run(actor).logs
    put(api, actor, force=True)
    until(lambda: api.result("GET", f"/actors/{actor}")["status"] == "READY")

    assert (first.split()[0], api.run(actor).logs.split()[0]) == ("1", "2")


def test_an_update_changes_the_next_environment_and_not_the_revision(api: Api) -> None:
    """spec: execution #30"""
    actor = api.actor(variables, default_environment={"key": "old"})
    put(api, actor, default_environment={"key": "new"})

    assert api.run(actor).logs.split()[:2] == ["1", "new"]


def test_the_nonce_of_a_post_is_in_the_environment(api: Api) -> None:
    """spec: execution #25, #24"""
    actor = api.actor(variables, user="jdoe")
    nonce = api.result("POST", f"/actors/{actor}/nonces", user="jdoe")["id"]

    path = f"/actors/{actor}/messages?x-nonce={nonce}&_abaco_synchronous=true"
    log = api.send("POST", path, user=None, data={"message": "m"}).text

    assert log.split()[2] == nonce


def test_a_result_can_be_had_while_it_runs(api: Api, gate: Gate) -> None:
    """spec: execution #38"""

    def sends(context: Any) -> None:
        context.send_result(b"early")
        gate(context)

    actor = api.actor(sends)
    execution = api.handle(actor).send("m")
    gate.await_running()
    path = f"/actors/{actor}/executions/{execution.id}"
    found: list[bytes] = []

    def has_come() -> bool:
        found.append(api.send("GET", f"{path}/results").content)
        return found[-1] != b""

    until(has_come)

    assert found[-1] == b"early"
    assert status(api, actor, execution.id) == "RUNNING"


def test_a_log_lives_so_long_from_the_end_and_the_execution_stays(api: Api) -> None:
    """spec: execution #73"""
    actor = api.actor(log_ex=60)
    execution = api.run(actor)
    log = f"/actors/{actor}/executions/{execution.id}/logs"
    before = execution.details

    api.travel(timedelta(seconds=55))
    there = api.result("GET", log)["logs"]
    api.travel(timedelta(seconds=6))

    assert (there != "", api.result("GET", log)["logs"]) == (True, "")
    assert execution.details == before


def test_an_update_of_the_life_leaves_logs_that_are_there(api: Api) -> None:
    """spec: execution #75"""
    actor = api.actor(log_ex=60)
    early = api.run(actor)
    put(api, actor, log_ex=1000)
    late = api.run(actor)

    api.travel(timedelta(seconds=70))

    logs = [api.result("GET", f"/actors/{actor}/executions/{each.id}/logs")["logs"] for each in (early, late)]
    assert [log != "" for log in logs] == [False, True]


def test_a_stateful_actor_with_two_workers_runs_one_at_a_time_in_order(api: Api) -> None:
    """spec: execution #78, #77"""
    order: list[str] = []
    inside = threading.Semaphore(1)
    clashes: list[str] = []

    def alone(context: Any) -> None:
        if not inside.acquire(blocking=False):
            clashes.append(context.message)
            return
        order.append(context.message)
        inside.release()

    actor = api.actor(alone, stateless=False)
    api.result("POST", f"/actors/{actor}/workers", json={"num": 2})

    executions = [api.handle(actor).send(str(number)) for number in range(12)]
    for execution in executions:
        execution.wait()

    assert order == [str(number) for number in range(12)]
    assert clashes == []


def test_waiting_messages_are_counted_and_dropped_and_the_running_one_finishes(api: Api, gate: Gate) -> None:
    """spec: execution #81"""
    actor = api.actor(gate, stateless=False)
    running = api.handle(actor).send("first")
    gate.await_running()
    for _ in range(3):
        api.handle(actor).send("waits")

    assert messages(api, actor) == 3
    api.result("DELETE", f"/actors/{actor}/messages")
    assert messages(api, actor) == 0
    gate.open.set()
    assert running.wait().logs == "ran first\n"


def test_an_idle_stateful_actor_shows_a_worker_that_is_up(api: Api) -> None:
    """spec: execution #82"""
    actor = api.actor(stateless=False)
    api.run(actor)
    until(lambda: [each["status"] for each in api.result("GET", f"/actors/{actor}/workers")] == ["READY"])

    worker = api.result("GET", f"/actors/{actor}/workers")[0]

    assert all(worker[api.name(name)] for name in ("cid", "location", "image", "ch_name", "tenant"))
    assert len(worker["cid"]) == 64


def test_a_synchronous_post_is_answered_by_the_first_result_before_the_end(api: Api, gate: Gate) -> None:
    """spec: execution #115"""

    def sends(context: Any) -> None:
        context.send_result(b"one")
        context.send_result(b"two")
        gate(context)

    actor = api.actor(sends)

    response = api.send("POST", f"/actors/{actor}/messages?_abaco_synchronous=true", data={"message": "m"})

    assert (response.status_code, response.content) == (200, b"one")
    assert response.headers["Content-Type"] == "application/octet-stream"
    execution = api.result("GET", f"/actors/{actor}/executions")["executions"][0]["id"]
    assert status(api, actor, execution) == "RUNNING"
    until(lambda: api.send("GET", f"/actors/{actor}/executions/{execution}/results").content == b"two")


def test_a_synchronous_post_waits_behind_others_and_is_answered(api: Api, gate: Gate) -> None:
    """spec: execution #116"""
    actor = api.actor(gate, stateless=False)
    for number in range(4):
        api.handle(actor).send(str(number))
    answers: list[str] = []
    path = f"/actors/{actor}/messages?_abaco_synchronous=true"
    asking = threading.Thread(target=lambda: answers.append(api.send("POST", path, data={"message": "last"}).text))
    asking.start()
    until(lambda: messages(api, actor) == 4)
    assert answers == []

    gate.open.set()
    asking.join(20)

    assert answers == ["ran last\n"]


def test_a_synchronous_post_whose_execution_ends_in_error_is_answered(api: Api, tmp_path: Path) -> None:
    """spec: execution #117"""
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM busybox\nCMD echo hello\n")
    actor = api.result("POST", "/actors", json={"image": f"dir:{tmp_path}"})["id"]
    api.handle(actor).wait()
    dockerfile.unlink()  # the image is gone when it is to run
    began = real_monotonic()

    response = api.send("POST", f"/actors/{actor}/messages?_abaco_synchronous=true", data={"message": "m"})

    assert (response.status_code, response.text) == (200, "")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    execution = api.result("GET", f"/actors/{actor}/executions")["executions"][0]["id"]
    assert status(api, actor, execution) == "ERROR"
    assert real_monotonic() - began < 20


def test_what_is_written_early_can_be_read_within_seconds(api: Api, gate: Gate) -> None:
    """spec: execution #69"""

    def speaks(context: Any) -> None:
        print("early", flush=True)
        gate(context)

    actor = api.actor(speaks)
    execution = api.handle(actor).send("m")
    gate.await_running()

    until(lambda: execution.logs == "early\n", within_s=3)

    assert status(api, actor, execution.id) == "RUNNING"
    gate.open.set()
    assert execution.wait().logs == "early\nran m\n"


def test_what_runs_too_long_is_stopped_and_complete() -> None:
    """spec: execution #97"""
    with Emulator(Settings.read(port=0, runner="process", max_run_time=1)) as emulator:
        execution = emulator.client().register("sleeps").send("30").wait()

        assert (execution.status, execution.exit_code) == ("COMPLETE", 143)
        assert execution.details["runtime"] < 10
        assert execution.logs.endswith("asked to stop\n")


@pytest.mark.parametrize("case", ["camel", "snake"])
def test_a_synchronous_post_may_be_given_a_limit_and_the_execution_goes_on(case: str, gate: Gate) -> None:
    with Emulator(Settings.read(port=0, runner="process", sync_timeout=0.3, case=case)) as emulator:
        client = emulator.client()
        actor = client.register(gate)

        response = client.send("POST", f"{actor.path}/messages?_abaco_synchronous=true", data={"message": "m"})
        gate.open.set()

        assert response.status_code == 502
        assert response.json() == {
            "message": "Timeout error waiting on Abaco service response. The server may be busy or overloaded.",
            "result": None,
            "status": "error",
            "version": "unknown",
        }
        listed = client.request("GET", f"{actor.path}/executions")["executions"]
        assert Execution(client, actor, listed[0]["id"]).wait().logs == "ran m\n"


def test_an_actor_of_another_queue_runs_and_one_queue_does_not_hold_up_the_other(api: Api, gate: Gate) -> None:
    special = api.actor(gate, queue="special", stateless=False)
    ordinary = api.actor()
    running = api.handle(special).send("m")
    gate.await_running()

    assert api.run(ordinary).status == "COMPLETE"
    gate.open.set()
    assert running.wait().logs == "ran m\n"


def test_a_synchronous_post_to_an_actor_in_error_is_answered_and_its_message_waits(api: Api) -> None:
    """spec: execution #117"""
    actor = api.result("POST", "/actors", json={"image": "nobody/has:this"})["id"]
    until(lambda: api.result("GET", f"/actors/{actor}")["status"] == "ERROR")

    response = api.send("POST", f"/actors/{actor}/messages?_abaco_synchronous=true", data={"message": "m"})

    assert (response.status_code, response.text) == (200, "")
    assert messages(api, actor) == 1


def test_a_synchronous_post_is_answered_when_its_actor_is_deleted_meanwhile(api: Api, gate: Gate) -> None:
    actor = api.actor(gate, stateless=False)
    api.handle(actor).send("first")
    gate.await_running()
    answers: list[int] = []
    path = f"/actors/{actor}/messages?_abaco_synchronous=true"
    asking = threading.Thread(target=lambda: answers.append(api.send("POST", path, data={"message": "m"}).status_code))
    asking.start()
    until(lambda: messages(api, actor) == 1)

    api.result("DELETE", f"/actors/{actor}")
    asking.join(20)

    assert answers == [200]


def test_an_image_that_is_gone_does_not_put_an_actor_that_was_ready_into_error(api: Api, tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM busybox\nCMD echo hello\n")
    actor = api.result("POST", "/actors", json={"image": f"dir:{tmp_path}", "stateless": False})["id"]
    api.handle(actor).wait()
    dockerfile.unlink()

    api.result("POST", f"/actors/{actor}/workers", json={"num": 3})

    until(lambda: [each["status"] for each in api.result("GET", f"/actors/{actor}/workers")] == ["READY"] * 3)
    assert api.result("GET", f"/actors/{actor}")["status"] == "READY"


def test_many_held_posts_do_not_keep_others_waiting(api: Api, gate: Gate) -> None:
    actor = api.actor(gate, stateless=False)
    url = f"{api.emulator.url}/actors/{actor}/messages?_abaco_synchronous=true"
    headers = {"Authorization": f"Bearer {api.emulator.token}"}
    answers: list[int] = []

    def hold() -> None:
        answers.append(requests.post(url, headers=headers, data={"message": "m"}, timeout=60).status_code)

    held = [threading.Thread(target=hold) for _ in range(80)]
    for each in held:
        each.start()
    gate.await_running()
    until(lambda: messages(api, actor) == 79, within_s=60)

    assert api.result("GET", f"/actors/{actor}")["id"] == actor
    gate.open.set()
    for each in held:
        each.join(60)
    assert answers == [200] * 80
