from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from abacito.abaco.container import ContainerSpec
from abacito.abaco.errors import StartRefused
from abacito.abaco.ports import Container
from abacito.abaco.time import real_monotonic
from abacito.client import Execution
from abacito.containers.stub import Context, StubRunner
from tests.api.conftest import Api
from tests.api.test_actors import MILLISECONDS

FIELDS = {
    "ch_name",
    "cid",
    "create_time",
    "host_id",
    "host_ip",
    "id",
    "image",
    "last_execution_time",
    "last_health_check_time",
    "location",
    "status",
    "tenant",
}
KNOWN_AT_ONCE = {"create_time", "id", "last_execution_time", "last_health_check_time", "status", "tenant"}
NO_ADMIN = "Not authorized -- only admins are authorized to update workers."
NOT_FOUND = "Worker not found."
STOPPING = "Worker scheduled to be stopped."


class Withheld(StubRunner):
    """Its images are not at hand before ``come`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.come = threading.Event()

    def prepare(self, image: str) -> str:
        self.come.wait(20)
        return super().prepare(image)


class Broken(StubRunner):
    """Its containers do not start before it is repaired."""

    is_repaired = False

    def create(self, spec: ContainerSpec, on_result: Callable[[bytes], None]) -> Container:
        container = super().create(spec, on_result)
        return container if self.is_repaired else _Unstartable(container)


class _Unstartable:
    def __init__(self, container: Container) -> None:
        self._container = container

    def start(self) -> None:
        raise StartRefused("broken")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)


@contextmanager
def withheld(api: Api, **fields: Any) -> Iterator[tuple[str, Withheld]]:
    """An actor whose image is still on its way."""
    runner = Withheld()
    runner.register("on-its-way", lambda context: None)
    body = {"image": "on-its-way", **{api.name(name): value for name, value in fields.items()}}
    with api.running_on(runner):
        try:
            yield str(api.result("POST", "/actors", json=body)["id"]), runner
        finally:
            runner.come.set()


def workers(api: Api, actor: str, user: str = "admin") -> list[dict[str, Any]]:
    return list(api.result("GET", f"/actors/{actor}/workers", user=user))


def names(api: Api, actor: str) -> list[str]:
    return [worker["id"] for worker in workers(api, actor)]


def statuses(api: Api, actor: str) -> list[str]:
    return [worker["status"] for worker in workers(api, actor)]


def ask_for(api: Api, actor: str, **body: Any) -> str:
    """What a POST of workers is answered."""
    response = api.send("POST", f"/actors/{actor}/workers", **body)
    assert (response.status_code, response.json()["result"]) == (200, None), response.text
    return str(response.json()["message"])


def eventually(look: Callable[[], Any], wanted: Any, within_s: float = 10) -> None:
    """Wait until this is seen; each look is a request or two."""
    deadline = real_monotonic() + within_s
    while (seen := look()) != wanted:
        assert real_monotonic() < deadline, f"still {seen!r}, not {wanted!r}"


def staffed(api: Api, count: int, function: Callable[[Context], object] = lambda context: None) -> str:
    """A stateful actor with so many workers, all READY: an actor may be so before its worker is."""
    actor = api.actor(function, stateless=False)
    ask_for(api, actor, json={"num": count})
    eventually(lambda: statuses(api, actor), ["READY"] * count)
    return actor


class Held:
    """An actor's function that runs until it may end, and knows how often it has begun."""

    def __init__(self) -> None:
        self.begins = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.times = 0

    def __call__(self, context: Context) -> None:
        self.times += 1
        self.begins.release()
        self.may_end.wait(20)

    def has_begun(self) -> None:
        assert self.begins.acquire(timeout=10)


# What is shown.


@pytest.mark.parametrize("stateless", [True, False])
def test_a_worker_exists_right_after_the_registration(api: Api, stateless: bool) -> None:
    """spec: http-api #45"""
    with withheld(api, stateless=stateless) as (actor, _):
        assert statuses(api, actor) == ["REQUESTED"]


def test_of_a_worker_that_is_not_up_little_is_known(api: Api) -> None:
    with withheld(api) as (actor, _):
        [worker] = workers(api, actor)
        [searched] = api.result("GET", f"/actors/{actor}/workers?limit=5")["search"]

    known = {api.name(field) for field in KNOWN_AT_ONCE}
    assert {name for name, value in worker.items() if value is not None} == known
    assert set(worker) == (known if api.case == "camel" else FIELDS)
    assert worker["tenant"] == "TACC-PROD"
    assert re.match(MILLISECONDS, worker[api.name("create_time")])
    assert [worker[api.name(f"last_{what}_time")] for what in ("execution", "health_check")] == ["None", "None"]
    assert set(searched) == {api.name(field) for field in ("id", "actor_id", "status", "create_time")}


def test_a_worker_is_created_anew_when_it_comes_up(api: Api) -> None:
    with withheld(api, stateless=False) as (actor, runner):
        [before] = workers(api, actor)
        api.emulator.clock.travel(timedelta(hours=1))
        runner.come.set()
        eventually(lambda: statuses(api, actor), ["READY"])
        [after] = workers(api, actor)

    assert after["id"] == before["id"]
    assert after["image"] == "on-its-way"
    assert before[api.name("create_time")] < after[api.name("create_time")]


def test_a_worker_that_is_up_has_twelve_fields(api: Api) -> None:
    """spec: http-api #119"""
    actor = staffed(api, 1)

    response = api.send("GET", f"/actors/{actor}/workers").json()

    [worker] = response["result"]
    assert response["message"] == "Workers retrieved successfully."
    assert set(worker) == {api.name(field) for field in FIELDS}
    assert (worker["status"], worker["tenant"]) == ("READY", "TACC-PROD")
    assert worker["image"] == api.handle(actor).details["image"]
    assert worker["location"]
    assert re.match(r"^[0-9a-f]{64}$", worker["cid"])
    assert worker[api.name("ch_name")] == f"worker_{worker['id']}"
    assert (worker[api.name("host_id")], worker[api.name("last_execution_time")]) == ("0", "None")
    assert worker[api.name("host_ip")]
    assert re.match(MILLISECONDS, worker[api.name("last_health_check_time")])


def test_a_reader_sees_the_workers(api: Api) -> None:
    """spec: http-api #119"""
    actor = staffed(api, 1)
    api.result("POST", f"/actors/{actor}/permissions", json={"user": "jdoe", "level": "READ"})

    [worker] = workers(api, actor, user="jdoe")

    assert "tenant" in worker
    assert {"actor_id", "actorId", "_links"} & set(worker) == set()
    assert api.result("GET", f"/actors/{actor}/workers/{worker['id']}", user="jdoe") == worker


def test_one_worker_is_shown_as_in_the_list(api: Api) -> None:
    actor = staffed(api, 2)

    for worker in workers(api, actor):
        response = api.send("GET", f"/actors/{actor}/workers/{worker['id']}").json()
        assert (response["message"], response["result"]) == ("Worker retrieved successfully.", worker)


def test_a_worker_is_busy_while_its_execution_runs_and_then_tells_when_that_ended(api: Api) -> None:
    held = Held()
    actor = staffed(api, 1, held)
    execution = api.handle(actor).send("m")
    held.has_begun()

    [busy] = workers(api, actor)
    held.may_end.set()
    ended = execution.wait().details
    eventually(lambda: statuses(api, actor), ["READY"])
    [ready] = workers(api, actor)

    assert (busy["status"], busy["id"]) == ("BUSY", ended["worker_id"])
    assert ready["id"] == busy["id"]
    assert ready[api.name("last_execution_time")] == ended["finish_time"]


def test_an_unknown_worker_and_one_of_another_actor_are_not_found(api: Api) -> None:
    """spec: http-api #123"""
    one, other = staffed(api, 1), staffed(api, 1)
    [theirs] = names(api, other)

    for worker in ("nope", one, theirs):
        for method in ("GET", "DELETE"):
            assert api.refusal(method, f"/actors/{one}/workers/{worker}", 404) == NOT_FOUND
    assert names(api, other) == [theirs]


def test_workers_have_these_methods_and_no_others(api: Api) -> None:
    actor = staffed(api, 1)
    [worker] = names(api, actor)

    for method, path in (("PUT", ""), ("DELETE", ""), ("POST", f"/{worker}"), ("PUT", f"/{worker}")):
        api.refusal(method, f"/actors/{actor}/workers{path}", 405)


# Asking for workers.


@pytest.mark.parametrize("stateless", [True, False])
def test_workers_are_asked_for_by_their_number_in_all(api: Api, stateless: bool) -> None:
    """spec: http-api #121"""
    with withheld(api, stateless=stateless) as (actor, _):
        first = ask_for(api, actor, json={"num": 3})
        listed = workers(api, actor)
        again = ask_for(api, actor, json={"num": 3})
        fewer = ask_for(api, actor, json={"num": 2})
        more = ask_for(api, actor, json={"num": 4})

        assert first == "Scheduled 2 new worker(s) to start. Previously, there were 1 workers."
        assert [worker["status"] for worker in listed] == ["REQUESTED"] * 3
        assert again == f"Actor {actor} already had 3 worker(s)."
        assert fewer == f"Actor {actor} already had 2 worker(s)."
        assert more == "Scheduled 1 new worker(s) to start. Previously, there were 3 workers."
        assert len({worker["id"] for worker in workers(api, actor)}) == 4


@pytest.mark.parametrize(
    "body", [{}, {"json": {}}, {"json": {"num": 0}}, {"json": {"num": None}}, {"data": {"num": 1}}]
)
def test_without_a_number_one_worker_is_meant(api: Api, body: dict[str, Any]) -> None:
    with withheld(api) as (actor, _):
        [worker] = names(api, actor)

        assert ask_for(api, actor, **body) == f"Actor {actor} already had 1 worker(s)."
        assert api.send("DELETE", f"/actors/{actor}/workers/{worker}").json()["message"] == STOPPING
        assert names(api, actor) == []
        assert ask_for(api, actor, **body) == "Scheduled 1 new worker(s) to start. Previously, there were 0 workers."
        assert statuses(api, actor) == ["REQUESTED"]


@pytest.mark.parametrize("body", [{"data": {"num": "2"}}, {"params": {"num": "2"}}, {"json": {"num": "2"}}], ids=str)
def test_a_number_may_come_in_any_form(api: Api, body: dict[str, Any]) -> None:
    with withheld(api) as (actor, _):
        assert "Scheduled 1 new" in ask_for(api, actor, **body)
        assert len(workers(api, actor)) == 2


@pytest.mark.parametrize("number", ["abc", "", "1.5", {}])
def test_what_is_no_number_is_refused(api: Api, number: Any) -> None:
    """spec: http-api #122"""
    actor = staffed(api, 1)

    message = api.refusal("POST", f"/actors/{actor}/workers", json={"num": number})

    assert message == "Invalid POST: {'num': 'Number of workers to start (default is 1).'}"
    assert len(workers(api, actor)) == 1


def test_there_is_no_upper_limit(api: Api) -> None:
    with withheld(api, max_workers=2) as (actor, _):
        assert "Scheduled 49 new" in ask_for(api, actor, json={"num": 50})
        assert len(set(names(api, actor))) == 50


def test_the_answer_says_the_identifier_of_the_url(api: Api) -> None:
    actor = api.actor(stateless=False)
    api.result("POST", "/actors/aliases", json={"alias": "jane", api.name("actor_id"): actor})

    assert ask_for(api, "jane", json={"num": 1}) == "Actor jane already had 1 worker(s)."


def test_only_admins_ask_for_workers(api: Api) -> None:
    """spec: http-api #120"""
    actor = api.actor(user="jdoe", stateless=False)
    body = {"json": {"num": 2}}
    nonces = {
        user: api.result("POST", f"/actors/{actor}/nonces", json={"level": "UPDATE"}, user=user)["id"]
        for user in ("jdoe", "admin")
    }
    asked_with = {user: f"/actors/{actor}/workers?x-nonce={nonce}" for user, nonce in nonces.items()}

    assert api.refusal("POST", f"/actors/{actor}/workers", user="jdoe", **body) == NO_ADMIN
    assert api.refusal("POST", f"/actors/{actor}/workers", user="privileged", **body) == NO_ADMIN
    assert api.refusal("POST", asked_with["jdoe"], user=None, **body) == NO_ADMIN
    assert len(workers(api, actor)) == 1
    api.result("POST", asked_with["admin"], user=None, **body)
    assert len(workers(api, actor)) == 2


def test_an_actor_that_is_not_there_gets_no_workers(api: Api) -> None:
    actor = api.actor()
    api.result("DELETE", f"/actors/{actor}")

    message = api.refusal("POST", f"/actors/{actor}/workers", 404, json={"num": 1})

    assert message == f"No actor found with id: {actor}."


def test_new_workers_come_up(api: Api) -> None:
    actor = staffed(api, 3)

    for worker in workers(api, actor):
        assert worker["image"] == api.handle(actor).details["image"]
        assert worker[api.name("ch_name")] == f"worker_{worker['id']}"


def test_an_actor_in_error_keeps_no_worker(api: Api) -> None:
    actor = api.result("POST", "/actors", json={"image": "no/such:image", "stateless": False})["id"]

    eventually(lambda: (api.handle(actor).status, names(api, actor)), ("ERROR", []))
    assert "Scheduled 2 new" in ask_for(api, actor, json={"num": 2})
    eventually(lambda: names(api, actor), [])


def test_a_stateful_actor_runs_one_at_a_time_whatever_its_workers(api: Api) -> None:
    at_once = threading.Semaphore(1)
    seen: list[Any] = []

    def one_at_a_time(context: Context) -> None:
        assert at_once.acquire(blocking=False), "another one runs"
        seen.append(context.message)
        context.stopping.wait(0.02)  # long enough for another one to be caught
        at_once.release()

    actor = staffed(api, 3, one_at_a_time)

    executions = [api.handle(actor).send(str(number)) for number in range(6)]
    codes = [execution.wait().exit_code for execution in executions]

    assert codes == [0] * 6
    assert seen == [str(number) for number in range(6)]
    assert len(workers(api, actor)) == 3


def test_a_stateless_actors_workers_run_side_by_side(api: Api) -> None:
    together = threading.Barrier(2)

    with withheld(api, hints=["sync"]) as (actor, runner):  # so that no worker leaves before it is needed
        runner.register("on-its-way", lambda context: together.wait(10))
        asked = ask_for(api, actor, json={"num": 2})
        executions = [api.handle(actor).send(str(number)) for number in range(2)]
        runner.come.set()
        ended = [execution.wait().details for execution in executions]

    assert asked == "Scheduled 1 new worker(s) to start. Previously, there were 1 workers."
    assert [details["exit_code"] for details in ended] == [0, 0]
    # Not always the two that were asked for: a ring without a message may hold one of them for a moment.
    assert len({details["worker_id"] for details in ended}) == 2


# Sending workers away.


def test_an_idle_worker_that_is_sent_away_is_gone(api: Api) -> None:
    """spec: http-api #123; spec: execution #83"""
    actor = staffed(api, 3)
    *kept, last = names(api, actor)  # only the first is ever taken by a poller: a stateful actor runs one at a time

    response = api.send("DELETE", f"/actors/{actor}/workers/{last}").json()

    assert (response["message"], response["result"]) == (STOPPING, None)
    assert names(api, actor) == kept
    for method in ("GET", "DELETE"):
        assert api.refusal(method, f"/actors/{actor}/workers/{last}", 404) == NOT_FOUND


def test_a_worker_that_is_not_up_yet_goes_at_once(api: Api) -> None:
    with withheld(api) as (actor, _):
        [worker] = names(api, actor)

        assert api.send("DELETE", f"/actors/{actor}/workers/{worker}").json()["message"] == STOPPING
        assert names(api, actor) == []


def test_sending_a_worker_away_asks_for_update_and_no_role(api: Api) -> None:
    """spec: http-api #123"""
    actor = api.actor(user="jdoe", stateless=False)
    ask_for(api, actor, json={"num": 2})
    _, worker = names(api, actor)
    path = f"/actors/{actor}/workers/{worker}"

    for level in ("READ", "EXECUTE"):
        api.result("POST", f"/actors/{actor}/permissions", json={"user": "privileged", "level": level})
        assert "do not have access" in api.refusal("DELETE", path, user="privileged")
    assert worker in names(api, actor)
    assert api.send("DELETE", path, user="jdoe").json()["message"] == STOPPING
    assert worker not in names(api, actor)


def busy(api: Api, held: Held) -> tuple[str, str, Execution]:
    """An actor, its only worker, and the execution with which that one is busy."""
    actor = staffed(api, 1, held)
    execution = api.handle(actor).send("m")
    held.has_begun()
    [worker] = names(api, actor)
    return actor, worker, execution


def test_a_busy_worker_finishes_its_execution_and_then_goes(api: Api) -> None:
    """spec: http-api #123; spec: execution #84"""
    held = Held()
    actor, worker, execution = busy(api, held)
    path = f"/actors/{actor}/workers/{worker}"

    answers = [api.send("DELETE", path).json()["message"] for _ in range(2)]
    going = api.result("GET", path)["status"]
    running = execution.details
    held.may_end.set()
    ended = execution.wait().details

    assert answers == [STOPPING, STOPPING]
    assert going in ("SHUTDOWN_REQUESTED", "SHUTTING_DOWN")
    assert running["worker_id"] == worker
    assert running["status"] in ("SUBMITTED", "RUNNING")
    assert (ended["status"], ended["exit_code"], ended["worker_id"], held.times) == ("COMPLETE", 0, worker, 1)
    eventually(lambda: worker in names(api, actor), False)


def test_a_busy_worker_that_is_sent_away_is_shutting_down_until_it_goes(api: Api) -> None:
    held = Held()
    actor, worker, execution = busy(api, held)
    path = f"/actors/{actor}/workers/{worker}"

    api.result("DELETE", path)
    at_once = api.result("GET", path)["status"]
    eventually(lambda: api.result("GET", path)["status"], "SHUTTING_DOWN")
    api.result("DELETE", path)
    again = api.result("GET", path)["status"]
    held.may_end.set()

    assert at_once in ("SHUTDOWN_REQUESTED", "SHUTTING_DOWN")
    assert again == "SHUTTING_DOWN"
    assert execution.wait().exit_code == 0
    eventually(lambda: names(api, actor), [])


def test_what_waits_behind_a_worker_that_goes_is_run_by_another(api: Api) -> None:
    held = Held()
    actor = staffed(api, 1, held)
    first, second = (api.handle(actor).send("m") for _ in range(2))
    held.has_begun()
    [worker] = names(api, actor)

    api.result("DELETE", f"/actors/{actor}/workers/{worker}")
    held.may_end.set()

    assert first.wait().details["worker_id"] == worker
    assert second.wait().details["worker_id"] != worker
    assert (second.exit_code, held.times) == (0, 2)


def test_an_actor_without_workers_gets_one_for_its_next_message(api: Api) -> None:
    actor = api.actor(stateless=False)
    [worker] = names(api, actor)
    path = f"/actors/{actor}/workers/{worker}"
    eventually(lambda: api.send("DELETE", path).status_code, 404)

    execution = api.run(actor)

    assert (execution.exit_code, execution.details["worker_id"]) == (0, names(api, actor)[0])
    assert worker not in names(api, actor)


@contextmanager
def unstartable(api: Api, **fields: Any) -> Iterator[tuple[str, Broken]]:
    """An actor, READY, whose containers do not start before its runner is repaired."""
    runner = Broken()
    runner.register("broken", lambda context: None)
    body = {"image": "broken", **{api.name(name): value for name, value in fields.items()}}
    with api.running_on(runner):
        actor = api.result("POST", "/actors", json=body)["id"]
        api.handle(actor).wait()
        yield actor, runner


def test_six_failed_starts_stop_the_worker_and_lose_no_message(api: Api) -> None:
    with unstartable(api, stateless=False) as (actor, runner):
        [worker] = names(api, actor)
        execution = api.handle(actor).send("m").wait()
        parked = execution.status
        left, message = names(api, actor), api.refusal("GET", f"/actors/{actor}/workers/{worker}", 404)
        searched = api.result("GET", f"/actors/{actor}/workers?limit=5")["search"]
        waiting = api.result("GET", f"/actors/{actor}/messages")["messages"]

        runner.is_repaired = True
        api.result("PUT", f"/actors/{actor}", json={"image": "broken", "stateless": False, "force": True})
        eventually(lambda: execution.status, "COMPLETE")

    assert (parked, left, message, searched, waiting) == ("ERROR", [], NOT_FOUND, [], 1)
    assert execution.exit_code == 0


def test_six_failed_starts_stop_the_other_workers_too(api: Api) -> None:
    with unstartable(api, hints=["sync"]) as (actor, _):  # so that none leaves because it is idle
        ask_for(api, actor, json={"num": 3})
        eventually(lambda: statuses(api, actor), ["READY"] * 3)

        assert api.handle(actor).send("m").wait().status == "ERROR"

        eventually(lambda: names(api, actor), [])


def test_the_only_worker_goes_when_it_is_sent_away(api: Api) -> None:
    for _ in range(5):
        actor = api.actor(stateless=False)
        [worker] = names(api, actor)
        api.result("DELETE", f"/actors/{actor}/workers/{worker}")
        eventually(lambda actor=actor: names(api, actor), [])  # type: ignore[misc]


def test_idle_workers_of_a_stateless_actor_go_after_seconds_of_the_clock(api: Api) -> None:
    actor = api.actor()
    ask_for(api, actor, json={"num": 3})
    eventually(lambda: statuses(api, actor), ["READY"] * 3)
    assert ask_for(api, actor, json={"num": 3}) == f"Actor {actor} already had 3 worker(s)."

    api.travel(timedelta(seconds=6))

    eventually(lambda: names(api, actor), [])


def test_idle_workers_stay_until_their_time_is_over_where_that_is_longer(api: Api) -> None:
    stateful, hinted = api.actor(stateless=False), api.actor(hints=["sync"])

    api.travel(timedelta(seconds=590))
    assert (len(names(api, stateful)), len(names(api, hinted))) == (1, 1)
    api.travel(timedelta(seconds=620))  # its idle time may have begun only after the first journey
    eventually(lambda: names(api, hinted), [])
    assert len(names(api, stateful)) == 1
    api.travel(timedelta(days=1, seconds=60))
    eventually(lambda: names(api, stateful), [])


def test_an_actor_is_ready_when_its_worker_is(api: Api) -> None:
    for _ in range(10):
        assert statuses(api, api.actor(stateless=False)) == ["READY"]


def test_more_workers_than_anybody_needs_are_refused(api: Api) -> None:
    refusal = api.refusal("POST", f"/actors/{api.actor()}/workers", json={"num": 10**9})

    assert refusal == "Invalid POST: an actor may have 1000 workers here, not 1000000000."
